// SPDX-License-Identifier: Apache-2.0
/* The network device as its driver sees it (Virtual I/O Device 1.2, 5.1). */
#ifndef DEVICES_VIRTIO_NET_H
#define DEVICES_VIRTIO_NET_H

#include <stdint.h>

/* 5.1.3 */
enum virtio_net_feature {
    VIRTIO_NET_F_CSUM = 0,
    VIRTIO_NET_F_GUEST_CSUM = 1,
    VIRTIO_NET_F_MTU = 3,
    VIRTIO_NET_F_MAC = 5,
    VIRTIO_NET_F_GUEST_TSO4 = 7,
    VIRTIO_NET_F_GUEST_TSO6 = 8,
    VIRTIO_NET_F_GUEST_ECN = 9,
    VIRTIO_NET_F_HOST_TSO4 = 11,
    VIRTIO_NET_F_HOST_TSO6 = 12,
    VIRTIO_NET_F_HOST_ECN = 13,
    VIRTIO_NET_F_MRG_RXBUF = 15,
    VIRTIO_NET_F_STATUS = 16,
    VIRTIO_NET_F_CTRL_VQ = 17,
    VIRTIO_NET_F_MQ = 22,
};

enum { VIRTIO_NET_MAC_BYTES = 6, VIRTIO_NET_S_LINK_UP = 1 };

/* 5.1.4 */
struct virtio_net_config {
    uint8_t mac[VIRTIO_NET_MAC_BYTES];
    uint16_t status;
    uint16_t queue_pairs_max;
    uint16_t mtu;
};

enum { VIRTIO_NET_CONFIG_BYTES = sizeof(struct virtio_net_config) };

/* 5.1.6: in front of each packet, both ways. */
struct virtio_net_header {
    uint8_t flags, gso_type;
    uint16_t header_bytes, gso_bytes;
    uint16_t checksum_start, checksum_offset;
    uint16_t buffer_count; /* of a packet for the driver: how many chains it takes up */
};

enum { VIRTIO_NET_HEADER_BYTES = sizeof(struct virtio_net_header) };

_Static_assert(VIRTIO_NET_HEADER_BYTES == 12, "as it is on the ring");
_Static_assert(VIRTIO_NET_CONFIG_BYTES == 12, "as it is in the configuration space");

/* 5.1.6.5, the control queue; of the commands this device has one (5.1.6.5.5). */
struct virtio_net_command {
    uint8_t class, command;
};

enum {
    VIRTIO_NET_CTRL_MQ = 4,
    VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET = 0,
    VIRTIO_NET_OK = 0,
    VIRTIO_NET_ERR = 1,
};

#endif
