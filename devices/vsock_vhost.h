// SPDX-License-Identifier: Apache-2.0
/* The socket device by the host's kernel; virtio_vsock.c creates it if no uds= was given. */
#ifndef DEVICES_VSOCK_VHOST_H
#define DEVICES_VSOCK_VHOST_H

#include "armlet/device.h"

struct device *vsock_vhost_create(const struct device_resources *resources, uint64_t cid,
                                  struct error *error);

#endif
