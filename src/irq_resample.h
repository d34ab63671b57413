// SPDX-License-Identifier: Apache-2.0
/*
 * An SPI that is raised by an event: an irqfd that KVM resamples (KVM_IRQFD_FLAG_RESAMPLE).
 *
 * Up, the level is a signal on an eventfd. When the guest ends the interrupt, KVM takes the level
 * back and signals another eventfd; the I/O thread then raises it again if the device still drives
 * it. Down is KVM_IRQ_LINE, as for any line, for a device may be seen to without its interrupt
 * being taken: KVM on arm64 keeps one level a line, whoever moves it, and since Linux 5.8 moves it
 * within the write of the eventfd.
 *
 * An interrupt that the guest configured as an edge is the signal alone: KVM tells nothing of its
 * end.
 *
 * Made and connected by the I/O thread while no vCPU runs; the line: any thread.
 */
#ifndef ARMLET_SRC_IRQ_RESAMPLE_H
#define ARMLET_SRC_IRQ_RESAMPLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/event_loop.h"
#include "armlet/irq.h"
#include "vm.h"

struct irq_resample {
    struct irq_resample *next;   /* the owner's list */
    struct irq_line wire;        /* to the same SPI by KVM_IRQ_LINE */
    int raise_fd;                /* raises the SPI while connected */
    struct event_source ended;   /* KVM signals it when the guest ends the interrupt */
    struct event_loop *loop;     /* of `ended` */
    pthread_mutex_t lock;        /* guards the rest, and that KVM is told in the same order */
    bool connected;              /* the VM listens to raise_fd */
    bool level;                  /* what the device drives */
    uint64_t raised_count;       /* signals */
    uint64_t ended_count;        /* what came back */
    uint64_t raised_again_count; /* because the device still drove the line */
};

/* Zeroed by the caller, and at one address as long as it lives. ERROR_HOST. */
bool irq_resample_init(struct irq_resample *self, struct vm *vm, struct event_loop *loop,
                       uint32_t intid, struct error *error) WARN_UNUSED;
/* Allowed after irq_resample_init() failed. */
void irq_resample_finish(struct irq_resample *self);

/* Makes `line` what a device drives. */
void irq_resample_line(struct irq_resample *self, struct irq_line *line);

/* From here on the VM, whose vGIC is initialised, gets the level; at once if it is high. */
bool irq_resample_connect(struct irq_resample *self, struct error *error) WARN_UNUSED;
/* Before the VM goes. Levels are remembered for the next. */
void irq_resample_disconnect(struct irq_resample *self);

#endif
