// SPDX-License-Identifier: Apache-2.0
#include "builtin.h"

const struct device_class *const builtin_device_classes[] = {
    &pl011_class, &pl031_class, &pl061_class, &testdev_class, NULL,
};
