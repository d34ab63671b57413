// SPDX-License-Identifier: Apache-2.0
/*
 * The host's end of a network device: how frames go out and come in.
 *
 *   tap     a TAP interface, a file for each pair of queues; frames have a header of virtio's
 * before them, and checksums and segmentation may be left to either side packet  a socket that
 * keeps the bounds of messages, a frame each stream  a socket that doesn't: before each frame goes
 * its length, 4 bytes, big endian. That is what passt speaks, which is a child process here and is
 * started again when it ends.
 *
 * Frames are Ethernet's, without a frame check sequence. Nothing here sleeps but opening. One
 * thread at a time.
 */
#ifndef DEVICES_NET_LINK_H
#define DEVICES_NET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "armlet/error.h"
#include "armlet/property.h"

enum {
    NET_MOST_PAIRS = 7,
    NET_FRAME_BYTES =
        65553, /* the longest: 64 KiB of IP, with Ethernet's header and a VLAN's tag */
    NET_NO_FILE = -1,
};

enum net_link_kind { NET_LINK_TAP, NET_LINK_PACKET, NET_LINK_STREAM };

/* What tap can take over, as far as the driver wants it. */
struct net_offloads {
    bool checksum, tso4, tso6, ecn;
};

/* Of --net: exactly one of user, tap and fd says what it is. */
struct net_link_config {
    bool user;
    const char *tap;
    uint64_t fd;                     /* NET_NO_FD: not given */
    const char *host;                /* user: the address that the guest knows the host by */
    struct property_list properties; /* each "forward" in it */
    uint64_t mtu;                    /* 0: not given */
    uint64_t pairs;                  /* tap: of queues */
};

#define NET_NO_FD UINT64_MAX

struct net_stream {
    uint8_t *in; /* what came, a part of a frame at the end maybe */
    size_t in_start, in_end;
    uint8_t *out; /* what the socket didn't take of the last frames */
    size_t out_start, out_end;
};

struct net_link {
    const struct net_link_config *config;
    enum net_link_kind kind;
    bool ends;   /* nothing to read is the end, and not an empty frame */
    bool header; /* frames have virtio's header before them */
    uint32_t pairs;
    int fds[NET_MOST_PAIRS];       /* non-blocking; NET_NO_FILE: none */
    bool attached[NET_MOST_PAIRS]; /* of a tap: the queue gets frames */
    char name[32];                 /* for people: "tap 'vnet0'" */
    struct net_stream stream;
    uint64_t backoff_ns;  /* until passt is started again */
    uint64_t up_since_ns; /* on the monotonic clock */
};

/* `config` outlives the link. Fails with ERROR_USAGE, ERROR_HOST or ERROR_FILE; the link is closed
 * then. */
bool net_link_open(struct net_link *link, const struct net_link_config *config,
                   struct error *error) WARN_UNUSED;
void net_link_close(struct net_link *link);

/* Starts passt once more. The link was hung up. */
bool net_link_reopen(struct net_link *link, struct error *error) WARN_UNUSED;
/* Closes the files of a link that is broken; whether net_link_reopen() may help. */
bool net_link_hang_up(struct net_link *link);

static inline bool net_link_is_up(const struct net_link *link)
{
    return link->fds[0] != NET_NO_FILE;
}

/* What a driver takes upon itself of frames that it gets. For taps with a header alone. */
bool net_link_set_offloads(struct net_link *link, const struct net_offloads *offloads);
/* How many queues of a tap get frames. */
bool net_link_use_pairs(struct net_link *link, uint32_t pairs);

/*
 * Sends and receives one frame of a tap or packet link. They give its length, or a negative errno:
 * EAGAIN if nothing can be done now.
 */
long net_link_send(struct net_link *link, uint32_t pair, const struct iovec *segments,
                   size_t count);
long net_link_receive(struct net_link *link, uint32_t pair, const struct iovec *segments,
                      size_t count);

enum net_stream_state {
    NET_STREAM_OK,
    NET_STREAM_BLOCKED, /* sending: what is left was kept. Receiving: nothing is there */
    NET_STREAM_BROKEN,  /* the other end is gone, or doesn't speak this protocol */
};

/*
 * Sends frames with their lengths before them, all in one call; what the socket doesn't take is
 * kept, and has to be flushed before the next.
 */
enum {
    NET_STREAM_BUFFER_BYTES = 262144,
    NET_STREAM_PIECE_BYTES = 32768, /* sent at once, a stream socket of Linux's takes all or none */
};
enum net_stream_state net_stream_send(struct net_link *link, const struct iovec *segments,
                                      size_t count);
enum net_stream_state net_stream_flush(struct net_link *link);

/* The next frame, which is valid until the next call. */
enum net_stream_state net_stream_receive(struct net_link *link, const uint8_t **frame,
                                         size_t *size_bytes);

/* net_passt.c: the other end of a connected stream socket, `fd`; its own end is given away. */
bool net_passt_start(const struct net_link_config *config, int *fd,
                     struct error *error) WARN_UNUSED;

#endif
