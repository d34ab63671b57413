// SPDX-License-Identifier: Apache-2.0
/* What the transport's files share; models include virtio.h alone. */
#ifndef DEVICES_VIRTIO_WORKER_H
#define DEVICES_VIRTIO_WORKER_H

#include "virtio.h"

/* virtio_mmio.c: raises interrupt causes. The caller may hold `work`. */
void virtio_interrupt(struct virtio *virtio, uint32_t causes);
/* virtio_mmio.c: what a register reads as; false: there is none. The caller holds `lock`. */
bool virtio_read_register(struct virtio *virtio, uint64_t offset, uint32_t *value);
/* virtio_give_up(), for what the guest did to a queue. */
void virtio_need_reset(struct virtio *virtio, const char *why);

/* Adds one to an eventfd. */
void virtio_signal_file(int event_fd);

bool virtio_worker_start(struct virtio *virtio, struct error *error) WARN_UNUSED;
/* Waits for the request under way. Allowed if none was started. */
void virtio_worker_stop(struct virtio *virtio);
/* Takes `work`, as soon as what is under way is done; and gives it back. Not on the worker. */
void virtio_worker_pause(struct virtio *virtio);
void virtio_worker_resume(struct virtio *virtio);

#endif
