// SPDX-License-Identifier: Apache-2.0
#include "net_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio_net.h"

#define TUN_DEVICE "/dev/net/tun"

static bool is_fd_given(const struct net_link_config *config)
{
    return config->fd != NET_NO_FD;
}

/* ---- tap ---- */

/* Frames with virtio's header before them, as long as ours. */
static bool set_header(int fd)
{
    int bytes = VIRTIO_NET_HEADER_BYTES;

    return ioctl(fd, TUNSETVNETHDRSZ, &bytes) == 0 && ioctl(fd, TUNSETOFFLOAD, 0UL) == 0;
}

static bool explain_tun(const char *name, int code, struct error *error)
{
    if (code == ENOENT || code == ENODEV || code == ENXIO)
        return error_set(error, ERROR_HOST, code,
                         "cannot open " TUN_DEVICE " (load the module 'tun')");
    if (code == EPERM)
        return error_set(error, ERROR_HOST, code,
                         "tap '%s' isn't this user's: as root, 'ip tuntap add %s mode tap user "
                         "NAME' makes one that is",
                         name, name);
    if (code == EINVAL)
        return error_set(error, ERROR_HOST, code,
                         "tap '%s' is no TAP interface, or one with another number of queues "
                         "('multi_queue' of ip-tuntap)",
                         name);
    return error_set(error, ERROR_HOST, code, "cannot use tap '%s'", name);
}

static int open_queue(const char *name, bool many, struct error *error)
{
    struct ifreq request = {
        .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (many ? IFF_MULTI_QUEUE : 0))};
    int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    memcpy(request.ifr_name, name, strlen(name));
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0 && set_header(fd))
        return fd;
    (void)explain_tun(name, errno, error);
    if (fd >= 0)
        (void)close(fd);
    return NET_NO_FILE;
}

static bool open_tap(struct net_link *link, struct error *error)
{
    const char *name = link->config->tap;

    if (*name == '\0' || strlen(name) >= IFNAMSIZ)
        return error_set(error, ERROR_USAGE, 0,
                         "tap=%s: the name of an interface has 1 to %d characters", name,
                         IFNAMSIZ - 1);
    (void)snprintf(link->name, sizeof(link->name), "tap '%s'", name);
    link->kind = NET_LINK_TAP;
    link->header = true;
    link->pairs = (uint32_t)link->config->pairs;
    for (uint32_t i = 0; i < link->pairs; i++) {
        link->fds[i] = open_queue(name, link->pairs > 1, error);
        if (link->fds[i] == NET_NO_FILE)
            return false;
        link->attached[i] = true;
    }
    return net_link_use_pairs(link, 1) ||
           error_set(error, ERROR_HOST, errno, "cannot detach queues of tap '%s'", name);
}

/* ---- a file that was inherited ---- */

static bool judge_fd(struct net_link *link, int fd, struct error *error)
{
    struct ifreq request = {0};
    int type = 0;
    socklen_t type_bytes = sizeof(type);

    if (ioctl(fd, TUNGETIFF, &request) == 0) {
        link->kind = NET_LINK_TAP;
        link->header = request.ifr_flags & IFF_VNET_HDR;
        if (!(request.ifr_flags & IFF_TAP) || !(request.ifr_flags & IFF_NO_PI))
            return error_set(error, ERROR_FILE, 0,
                             "fd=%d: it must be a TAP (IFF_TAP) with IFF_NO_PI", fd);
        return !link->header || set_header(fd) ||
               error_set(error, ERROR_HOST, errno, "fd=%d: cannot set up the TAP", fd);
    }
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0)
        return error_set(error, ERROR_FILE, 0,
                         "fd=%d: it must be a TAP or a connected socket, and is neither", fd);
    link->kind = type == SOCK_STREAM ? NET_LINK_STREAM : NET_LINK_PACKET;
    link->ends = type == SOCK_SEQPACKET;
    return true;
}

static bool open_fd(struct net_link *link, struct error *error)
{
    int fd = (int)link->config->fd;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return error_set(error, ERROR_USAGE, 0, "fd=%d: no such file is open", fd);
    if (!judge_fd(link, fd, error))
        return false;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return error_set(error, ERROR_HOST, errno, "fd=%d: cannot set its flags", fd);
    (void)snprintf(link->name, sizeof(link->name), "fd %d", fd);
    link->fds[0] = fd;
    link->attached[0] = true;
    return true;
}

/* ---- any ---- */

static bool is_address(const char *text)
{
    struct in6_addr address; /* has room for either */

    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static bool check_config(const struct net_link_config *config, struct error *error)
{
    int kinds = config->user + (config->tap != NULL) + is_fd_given(config);

    if (kinds != 1)
        return error_set(error, ERROR_USAGE, 0, "it takes one of user, tap=NAME and fd=N");
    if (config->pairs > 1 && !config->tap)
        return error_set(error, ERROR_USAGE, 0, "queues=: several queues need tap=NAME");
    if (config->host && !config->user)
        return error_set(error, ERROR_USAGE, 0, "host=%s: goes with user alone", config->host);
    if (config->host && !is_address(config->host))
        return error_set(error, ERROR_USAGE, 0, "host=%s: must be an address, as 192.0.2.1",
                         config->host);
    for (size_t i = 0; i < config->properties.count; i++)
        if (strcmp(config->properties.items[i].key, "forward") == 0 && !config->user)
            return error_set(error, ERROR_USAGE, 0, "forward=%s: goes with user alone",
                             config->properties.items[i].value);
    return true;
}

static bool make_stream(struct net_stream *stream, struct error *error)
{
    stream->in = malloc(NET_STREAM_BUFFER_BYTES);
    stream->out = malloc(NET_STREAM_BUFFER_BYTES);
    return (stream->in && stream->out) ||
           error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a network's buffers");
}

static bool open_kind(struct net_link *link, struct error *error)
{
    if (link->config->tap)
        return open_tap(link, error);
    if (!link->config->user)
        return open_fd(link, error);
    link->kind = NET_LINK_STREAM;
    (void)snprintf(link->name, sizeof(link->name), "passt");
    return net_link_reopen(link, error);
}

bool net_link_open(struct net_link *link, const struct net_link_config *config, struct error *error)
{
    *link = (struct net_link){.config = config, .pairs = 1};
    for (size_t i = 0; i < NET_MOST_PAIRS; i++)
        link->fds[i] = NET_NO_FILE;
    if (check_config(config, error) && open_kind(link, error) &&
        (link->kind != NET_LINK_STREAM || make_stream(&link->stream, error)))
        return true;
    net_link_close(link);
    return false;
}

void net_link_close(struct net_link *link)
{
    if (!link->config)
        return;
    (void)net_link_hang_up(link);
    free(link->stream.in);
    free(link->stream.out);
    link->stream = (struct net_stream){0};
}

bool net_link_reopen(struct net_link *link, struct error *error)
{
    link->stream.in_start = link->stream.in_end = 0;
    link->stream.out_start = link->stream.out_end = 0;
    return net_passt_start(link->config, &link->fds[0], error);
}

bool net_link_hang_up(struct net_link *link)
{
    for (size_t i = 0; i < NET_MOST_PAIRS; i++) {
        if (link->fds[i] > NET_NO_FILE)
            (void)close(link->fds[i]);
        link->fds[i] = NET_NO_FILE;
    }
    return link->config && link->config->user;
}

bool net_link_set_offloads(struct net_link *link, const struct net_offloads *offloads)
{
    unsigned long flags = (offloads->checksum ? TUN_F_CSUM : 0U) |
                          (offloads->tso4 ? TUN_F_TSO4 : 0U) | (offloads->tso6 ? TUN_F_TSO6 : 0U) |
                          (offloads->ecn ? TUN_F_TSO_ECN : 0U);

    return !link->header || ioctl(link->fds[0], TUNSETOFFLOAD, flags) == 0;
}

bool net_link_use_pairs(struct net_link *link, uint32_t pairs)
{
    for (uint32_t i = 0; i < link->pairs; i++) {
        bool attach = i < pairs;
        struct ifreq request = {.ifr_flags = (short)(attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)};

        if (attach == link->attached[i])
            continue;
        if (ioctl(link->fds[i], TUNSETQUEUE, &request) != 0)
            return false;
        link->attached[i] = attach;
    }
    return true;
}

long net_link_send(struct net_link *link, uint32_t pair, const struct iovec *segments, size_t count)
{
    const struct msghdr message = {.msg_iov = (struct iovec *)segments, .msg_iovlen = count};
    ssize_t sent = link->kind == NET_LINK_TAP
                       ? writev(link->fds[pair], segments, (int)count)
                       : sendmsg(link->fds[pair], &message, MSG_NOSIGNAL | MSG_DONTWAIT);

    return sent < 0 ? -errno : sent;
}

long net_link_receive(struct net_link *link, uint32_t pair, const struct iovec *segments,
                      size_t count)
{
    ssize_t got = readv(link->fds[pair], segments, (int)count);

    if (got == 0 && link->ends)
        return -EPIPE;
    return got < 0 ? -errno : got;
}
