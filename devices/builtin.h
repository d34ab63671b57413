// SPDX-License-Identifier: Apache-2.0
/*
 * The device classes that are part of armlet. Each is defined in the file of its name and listed
 * in builtin.c; whoever creates devices looks them up in builtin_device_classes by name.
 */
#ifndef DEVICES_BUILTIN_H
#define DEVICES_BUILTIN_H

#include "armlet/device.h"

extern const struct device_class pl011_class;      /* UART, needs irq and console */
extern const struct device_class pl031_class;      /* real-time clock, needs irq and loop */
extern const struct device_class pl061_class;      /* GPIO with the power key, needs irq */
extern const struct device_class sp804_class;      /* dual timer, needs irq and loop */
extern const struct device_class sp805_class;      /* watchdog, needs irq and loop; reset_request */
extern const struct device_class timer_mmio_class; /* generic timer, needs two irqs and loop */
extern const struct device_class gicv2m_class;     /* MSI frame, needs 64 irqs */

extern const struct device_class virtio_blk_class; /* disk, needs irq, memory and log */
extern const struct device_class virtio_net_class; /* network, needs irq, memory, loop and log */
extern const struct device_class virtio_console_class; /* needs also console */
extern const struct device_class virtio_ports_class;   /* needs also ports */
extern const struct device_class virtio_rng_class;     /* entropy, needs irq, memory and log */
extern const struct device_class virtio_vsock_class;   /* sockets, needs also host_socket */
extern const struct device_class virtio_9p_class;      /* directory, needs irq, memory and log */
extern const struct device_class virtio_fs_class;      /* directory, needs also shared_memory */
extern const struct device_class virtio_balloon_class; /* needs also loop; host_socket */

/* The test device, needs irq, loop, log and guest_exit. */
extern const struct device_class testdev_class;

#endif
