// SPDX-License-Identifier: Apache-2.0
/*
 * Ports: each is a stream of bytes both ways between the guest and a console of the machine's.
 *
 *   virtio_console.c           the devices, and the bytes
 *   virtio_console_control.c   which ports there are, what they are called, who has them open
 *
 * There are two devices, since drivers of different age disagree about the order of the members of
 * a RESIZE message (5.3.6.2), and agree about the configuration space: the console has its size
 * there, and no MULTIPORT; the ports have MULTIPORT, and no size.
 *
 * Bytes to the guest wait in a ring of the port, filled by the I/O thread and emptied by the
 * worker. While it is full, or the guest doesn't have the port open, the console keeps what comes
 * and reads no more. Bytes from the guest go straight from its buffers into the console's ring; a
 * buffer for which there is no room stays the guest's until there is. So nothing is lost, and a
 * guest that waits does so in its driver.
 */
#ifndef DEVICES_VIRTIO_CONSOLE_INTERNAL_H
#define DEVICES_VIRTIO_CONSOLE_INTERNAL_H

#include "armlet/console.h"
#include "armlet/counters.h"
#include "virtio.h"
#include "virtio_console.h"

enum { PORT_INPUT_BYTES = 32 << 10, PORTS_MOST = VIRTIO_MOST_QUEUES / 2 - 2 };

enum console_counter {
    CONSOLE_FROM_GUEST,
    CONSOLE_TO_GUEST,
    CONSOLE_STALLS,
    CONSOLE_CONTROL_FROM_GUEST,
    CONSOLE_CONTROL_TO_GUEST,
    CONSOLE_BAD_MESSAGES,
    CONSOLE_COUNTERS,
};

struct serial;

struct port {
    struct serial *serial;
    struct console *console;
    const char *name; /* NULL: it is the console */
    uint32_t id;

    pthread_mutex_t lock; /* guards what follows up to `host_left`, and calls of console_put() */
    uint8_t input[PORT_INPUT_BYTES];
    size_t input_start, input_count;
    bool input_held; /* the console waits for console_resume_input() */
    bool guest_open;
    bool host_present;
    bool host_left; /* and the guest isn't told: what comes from the next one waits */

    /* The worker's. */
    bool owes_add, owes_name;
    bool ready;     /* the guest's driver has it */
    bool told_open; /* that somebody is there on the host */
    uint64_t sent;  /* bytes of the next tx chain that the console has */
};

/* Either device. */
struct serial {
    struct virtio virtio;
    bool multiport;                      /* it has control queues */
    struct virtio_console_config config; /* guarded by virtio.lock */
    struct device_counter counters[CONSOLE_COUNTERS];
    size_t port_count;
    struct port ports[];
};

static inline void serial_count(struct serial *serial, enum console_counter what, uint64_t amount)
{
    counter_add(&serial->counters[what].value, amount);
}

/* The guest opens a port, or closes it. */
void port_set_open(struct port *port, bool open);

/* virtio_console_control.c; both say whether there was anything to do. */
bool serial_take_control(struct serial *serial);
bool serial_send_control(struct serial *serial);

#endif
