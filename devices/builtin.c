// SPDX-License-Identifier: Apache-2.0
#include "builtin.h"

const struct device_class *const builtin_device_classes[] = {
    &pl011_class,        &pl031_class,          &pl061_class,
    &sp804_class,        &sp805_class,          &timer_mmio_class,
    &gicv2m_class,       &testdev_class,        &virtio_blk_class,
    &virtio_net_class,   &virtio_rng_class,     &virtio_vsock_class,
    &virtio_9p_class,    &virtio_balloon_class, &virtio_console_class,
    &virtio_ports_class, &virtio_fs_class,      NULL,
};
