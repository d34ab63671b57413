// SPDX-License-Identifier: Apache-2.0
/* What a console device and its drivers say to each other (Virtual I/O Device 1.2, 5.3). Numbers
 * are little endian. */
#ifndef DEVICES_VIRTIO_CONSOLE_H
#define DEVICES_VIRTIO_CONSOLE_H

#include <stdint.h>

/* 5.3.2: of port 0 and of control; those of port N from 1 on follow, in pairs. */
enum {
    VIRTIO_CONSOLE_RX,
    VIRTIO_CONSOLE_TX,
    VIRTIO_CONSOLE_CONTROL_RX,
    VIRTIO_CONSOLE_CONTROL_TX,
    VIRTIO_CONSOLE_CONSOLE_QUEUES = 2, /* without MULTIPORT */
};
#define VIRTIO_CONSOLE_PORT_RX(port) ((port) == 0 ? 0U : 2 * (port) + 2U)
#define VIRTIO_CONSOLE_PORT_TX(port) (VIRTIO_CONSOLE_PORT_RX(port) + 1)

/* 5.3.3 */
enum virtio_console_feature {
    VIRTIO_CONSOLE_F_SIZE = 0,
    VIRTIO_CONSOLE_F_MULTIPORT = 1,
    VIRTIO_CONSOLE_F_EMERG_WRITE = 2,
};

/* 5.3.4 */
struct virtio_console_config {
    uint16_t columns, rows;
    uint32_t most_ports;
    uint32_t emergency_write;
};

/* 5.3.6.2 */
enum virtio_console_event {
    VIRTIO_CONSOLE_DEVICE_READY = 0,
    VIRTIO_CONSOLE_DEVICE_ADD = 1,
    VIRTIO_CONSOLE_DEVICE_REMOVE = 2,
    VIRTIO_CONSOLE_PORT_READY = 3,
    VIRTIO_CONSOLE_CONSOLE_PORT = 4,
    VIRTIO_CONSOLE_RESIZE = 5,
    VIRTIO_CONSOLE_PORT_OPEN = 6,
    VIRTIO_CONSOLE_PORT_NAME = 7,
};

struct virtio_console_control {
    uint32_t port;
    uint16_t event;
    uint16_t value;
};

#endif
