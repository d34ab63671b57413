// SPDX-License-Identifier: Apache-2.0
/* What a socket device and its drivers say to each other (Virtual I/O Device 1.2, 5.10). Numbers
 * are little endian. */
#ifndef DEVICES_VIRTIO_VSOCK_H
#define DEVICES_VIRTIO_VSOCK_H

#include <stdint.h>

/* 5.10.2 */
enum { VIRTIO_VSOCK_RX, VIRTIO_VSOCK_TX, VIRTIO_VSOCK_EVENT, VIRTIO_VSOCK_QUEUES };

/* 5.10.4; the upper 32 bits of a context identifier are zero. */
#define VIRTIO_VSOCK_CID_HOST UINT64_C(2)
enum { VIRTIO_VSOCK_LEAST_CID = 3 };
#define VIRTIO_VSOCK_MOST_CID UINT64_C(0xfffffffe)

enum { VIRTIO_VSOCK_TYPE_STREAM = 1 };

/* 5.10.6 */
enum virtio_vsock_op {
    VIRTIO_VSOCK_OP_INVALID = 0,
    VIRTIO_VSOCK_OP_REQUEST = 1,
    VIRTIO_VSOCK_OP_RESPONSE = 2,
    VIRTIO_VSOCK_OP_RST = 3,
    VIRTIO_VSOCK_OP_SHUTDOWN = 4,
    VIRTIO_VSOCK_OP_RW = 5,
    VIRTIO_VSOCK_OP_CREDIT_UPDATE = 6,
    VIRTIO_VSOCK_OP_CREDIT_REQUEST = 7,
};

/* 5.10.6.6.1: what the sender of a SHUTDOWN will not do any more. */
enum { VIRTIO_VSOCK_SHUTDOWN_RCV = 1, VIRTIO_VSOCK_SHUTDOWN_SEND = 2, VIRTIO_VSOCK_SHUTDOWN = 3 };

struct virtio_vsock_header {
    uint64_t source_cid, target_cid;
    uint32_t source_port, target_port;
    uint32_t data_bytes;
    uint16_t type, op;
    uint32_t flags;
    uint32_t space_bytes; /* buf_alloc: of the sender's receive buffer */
    uint32_t forwarded;   /* fwd_cnt: bytes that have left that buffer, modulo 2^32 */
} __attribute__((packed, aligned(4)));

enum { VIRTIO_VSOCK_HEADER_BYTES = 44 };
_Static_assert(sizeof(struct virtio_vsock_header) == VIRTIO_VSOCK_HEADER_BYTES, "5.10.6");

#endif
