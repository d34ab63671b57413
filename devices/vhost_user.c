// SPDX-License-Identifier: Apache-2.0
#include "vhost_user.h"

#include <errno.h>
#include <linux/vhost_types.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

enum request {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    SET_VRING_ERR = 14,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
};

/* Of a message's flags. */
enum { VERSION = 1, VERSION_MASK = 3, IS_REPLY = 1U << 2, NEEDS_REPLY = 1U << 3 };

#define HAS_EXTENSIONS (UINT64_C(1) << 30) /* a feature bit */
#define CAN_REPLY      (UINT64_C(1) << 3)  /* an extension: any request may be answered */

struct memory_table {
    uint32_t count, padding;
    uint64_t guest_address, size_bytes, user_address, file_offset;
};

struct message {
    uint32_t request, flags, payload_bytes;
    union {
        uint64_t number;
        struct vhost_vring_state state;
        struct vhost_vring_addr place;
        struct memory_table memory;
    } payload;
} __attribute__((packed));

enum { HEAD_BYTES = offsetof(struct message, payload) };
_Static_assert(HEAD_BYTES == 12, "the head of a message");

static const char *name_of(uint32_t request)
{
    static const char *const names[] = {
        [GET_FEATURES] = "GET_FEATURES",
        [SET_FEATURES] = "SET_FEATURES",
        [SET_OWNER] = "SET_OWNER",
        [SET_MEM_TABLE] = "SET_MEM_TABLE",
        [SET_VRING_NUM] = "SET_VRING_NUM",
        [SET_VRING_ADDR] = "SET_VRING_ADDR",
        [SET_VRING_BASE] = "SET_VRING_BASE",
        [GET_VRING_BASE] = "GET_VRING_BASE",
        [SET_VRING_KICK] = "SET_VRING_KICK",
        [SET_VRING_CALL] = "SET_VRING_CALL",
        [SET_VRING_ERR] = "SET_VRING_ERR",
        [GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
        [SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
        [SET_VRING_ENABLE] = "SET_VRING_ENABLE",
    };

    return names[request];
}

/* ---- messages ---- */

static bool failed(uint32_t request, int code, struct error *error)
{
    if (code == EAGAIN)
        code = ETIMEDOUT;
    return error_set(error, ERROR_HOST, code, "vhost-user: %s failed", name_of(request));
}

/* With a file, unless that is VHOST_NO_FILE. */
static bool send_message(const struct vhost_user *self, struct message *message, int file,
                         struct error *error)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec bytes = {message, HEAD_BYTES + message->payload_bytes};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};

    if (file != VHOST_NO_FILE) {
        control.head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), &file, sizeof(file));
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof(control.bytes);
    }
    /* They are shorter than any socket's buffer: all of it goes, or nothing. */
    return sendmsg(self->fd, &header, MSG_NOSIGNAL) == (ssize_t)bytes.iov_len ||
           failed(message->request, errno, error);
}

static bool receive(const struct vhost_user *self, void *to, size_t size_bytes, uint32_t request,
                    struct error *error)
{
    ssize_t got = recv(self->fd, to, size_bytes, MSG_WAITALL);

    return got == (ssize_t)size_bytes || failed(request, got < 0 ? errno : EPIPE, error);
}

/* The answer to the message takes its place. */
static bool receive_reply(const struct vhost_user *self, struct message *message,
                          struct error *error)
{
    uint32_t request = message->request;
    uint32_t payload_bytes = message->payload_bytes;

    if (!receive(self, message, HEAD_BYTES, request, error))
        return false;
    if (message->request != request || !(message->flags & IS_REPLY) ||
        (message->flags & VERSION_MASK) != VERSION || message->payload_bytes != payload_bytes)
        return failed(request, EPROTO, error);
    return receive(self, &message->payload, payload_bytes, request, error);
}

static bool get_number(const struct vhost_user *self, enum request request, uint64_t *number,
                       struct error *error)
{
    struct message message = {.request = request, .flags = VERSION};

    if (!send_message(self, &message, VHOST_NO_FILE, error))
        return false;
    message.payload_bytes = sizeof(message.payload.number);
    if (!receive_reply(self, &message, error))
        return false;
    *number = message.payload.number;
    return true;
}

/* Says something, and wants to know that it was done, if the back end can tell. */
static bool say(const struct vhost_user *self, struct message *message, int file,
                struct error *error)
{
    bool asks = self->extensions & CAN_REPLY;

    message->flags = VERSION | (asks ? NEEDS_REPLY : 0U);
    if (!send_message(self, message, file, error))
        return false;
    if (!asks)
        return true;
    message->payload_bytes = sizeof(message->payload.number);
    return receive_reply(self, message, error) &&
           (message->payload.number == 0 || failed(message->request, EIO, error));
}

static bool say_number(const struct vhost_user *self, enum request request, uint64_t number,
                       int file, struct error *error)
{
    struct message message = {
        .request = request, .payload_bytes = sizeof(number), .payload.number = number};

    return say(self, &message, file, error);
}

static bool say_state(const struct vhost_user *self, enum request request, uint32_t index,
                      uint32_t number, struct error *error)
{
    struct message message = {.request = request,
                              .payload_bytes = sizeof(message.payload.state),
                              .payload.state = {index, number}};

    return say(self, &message, VHOST_NO_FILE, error);
}

/* ---- what a device wants ---- */

bool vhost_user_init(struct vhost_user *self, int fd, struct error *error)
{
    const struct timeval patience = {.tv_sec = VHOST_USER_PATIENCE_S};
    struct message owner = {.request = SET_OWNER};
    uint64_t extensions = 0;

    *self = (struct vhost_user){.fd = fd};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0)
        return error_set(error, ERROR_HOST, errno, "setsockopt failed");
    if (!get_number(self, GET_FEATURES, &self->features, error))
        return false;
    if (self->features & HAS_EXTENSIONS) {
        if (!get_number(self, GET_PROTOCOL_FEATURES, &extensions, error) ||
            !say_number(self, SET_PROTOCOL_FEATURES, extensions & CAN_REPLY, VHOST_NO_FILE, error))
            return false;
        self->extensions = extensions & CAN_REPLY;
    }
    return say(self, &owner, VHOST_NO_FILE, error);
}

bool vhost_user_set_features(struct vhost_user *self, uint64_t features, struct error *error)
{
    return say_number(self, SET_FEATURES, (features | HAS_EXTENSIONS) & self->features,
                      VHOST_NO_FILE, error);
}

bool vhost_user_set_memory(struct vhost_user *self, const struct guest_memory *memory,
                           int memory_fd, struct error *error)
{
    struct message message = {
        .request = SET_MEM_TABLE,
        .payload_bytes = sizeof(message.payload.memory),
        .payload.memory = {.count = 1,
                           .guest_address = memory->base.value,
                           .size_bytes = memory->size_bytes,
                           .user_address = (uintptr_t)memory->host},
    };

    return say(self, &message, memory_fd, error);
}

bool vhost_user_give_ring(struct vhost_user *self, const struct vhost_ring *ring,
                          struct error *error)
{
    const struct virtqueue *queue = ring->queue;
    struct message place = {
        .request = SET_VRING_ADDR,
        .payload_bytes = sizeof(place.payload.place),
        .payload.place = {.index = ring->index,
                          .desc_user_addr = (uintptr_t)queue->descriptors,
                          .avail_user_addr = (uintptr_t)queue->driver_area,
                          .used_user_addr = (uintptr_t)queue->device_area},
    };

    return say_state(self, SET_VRING_NUM, ring->index, queue->entries, error) &&
           say_state(self, SET_VRING_BASE, ring->index, 0, error) &&
           say(self, &place, VHOST_NO_FILE, error) &&
           say_number(self, SET_VRING_CALL, ring->index, ring->call, error) &&
           say_number(self, SET_VRING_ERR, ring->index, ring->error, error) &&
           say_number(self, SET_VRING_KICK, ring->index, ring->kick, error) &&
           (!(self->features & HAS_EXTENSIONS) ||
            say_state(self, SET_VRING_ENABLE, ring->index, 1, error));
}

bool vhost_user_take_ring(struct vhost_user *self, uint32_t index, struct error *error)
{
    struct message message = {.request = GET_VRING_BASE,
                              .flags = VERSION,
                              .payload_bytes = sizeof(message.payload.state),
                              .payload.state = {index, 0}};

    return send_message(self, &message, VHOST_NO_FILE, error) &&
           receive_reply(self, &message, error);
}
