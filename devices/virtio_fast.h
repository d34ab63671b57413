// SPDX-License-Identifier: Apache-2.0
/*
 * A virtio device whose interrupts cost no exits: its registers are read from a page, the usual
 * acknowledgement (4.2.2, InterruptACK) goes to a sink, and its line is pulsed by an event.
 *
 * At first the line is a level: high while InterruptStatus isn't zero, and every access exits. That
 * suits any driver, also one whose GIC input is level-sensitive, and one that polls InterruptStatus
 * instead of taking interrupts. Whether the driver at hand needs it, it shows by itself. After an
 * acknowledgement the line is left high. An edge-triggered input doesn't mind. A level-sensitive
 * one makes a second interrupt, in which InterruptStatus reads as zero; a driver that polls reads
 * zeros, too. Who has seen one, or acknowledges what isn't there, has a level for good. Who has
 * acknowledged some interrupts without, has pulses from then on.
 *
 * With pulses USED_BUFFER stays set in InterruptStatus. A driver that handles an interrupt looks
 * at its queues then, whatever the cause, and may find nothing: a spurious notification, which it
 * has to bear. So no acknowledgement has to be seen, and no notification is lost: the pulse comes
 * after the used index, and an edge-triggered input remembers one that comes while the driver is
 * still in its handler. Acknowledgements of anything else exit as ever.
 *
 * The page is shared with other devices, and is mirrored always, while others switch it on. A
 * device that finds it on can't see what its driver reads, and takes it from the others that the
 * guest's inputs are edge-triggered.
 *
 * Switching happens on vCPUs' threads and at reset. The caller holds the device's `lock` in all of
 * it.
 */
#ifndef DEVICES_VIRTIO_FAST_H
#define DEVICES_VIRTIO_FAST_H

#include <stdbool.h>
#include <stdint.h>

struct virtio;

enum virtio_signalling {
    VIRTIO_ON_TRIAL, /* a level, left high */
    VIRTIO_LEVEL,    /* a level, for good */
    VIRTIO_PULSES,
};

struct virtio_fast {
    uint32_t *page; /* the registers as guests read them; NULL: there is no memory for it */
    enum virtio_signalling signalling;
    bool level;                /* that was driven on the line */
    uint32_t acknowledgements; /* on trial */
};

/* In create: asks for the page and the sink. */
void virtio_fast_init(struct virtio *virtio);
/* Registers are zero now: as after create. */
void virtio_fast_reset(struct virtio *virtio);

/* Something that guests read has changed: the page shows it. */
void virtio_fast_show(struct virtio *virtio);

/* InterruptStatus has these bits more, and the driver is to know. Any thread. */
void virtio_fast_raise(struct virtio *virtio, uint32_t causes);
/* The driver wrote InterruptACK, or read InterruptStatus: by an exit. */
void virtio_fast_acknowledge(struct virtio *virtio, uint32_t causes);
void virtio_fast_note_status_read(struct virtio *virtio);

/*
 * For queues that the host's kernel serves: pulses from now on, until the next reset, without a
 * trial. The eventfd that makes them, or IRQ_NO_EVENT. On a vCPU's thread.
 */
int virtio_fast_direct(struct virtio *virtio);

#endif
