// SPDX-License-Identifier: Apache-2.0
/* Virtio devices: with Linux's drivers, and with guests that are none's friend. */
#include "harness.h"

#define LINUX(series, check)                                                                       \
    "-k", "@kernel-" series "/vmlinuz", "-i", "@guest.cpio", "-m", "256M", "-a",                   \
        "console=ttyAMA0 quiet panic=-1 armlet.test=" check

#define ENTROPY                                                                                    \
    {                                                                                              \
        EXPECT("CHECK source virtio_rng"), EXPECT("CHECK bytes 65536"), EXPECT("CHECK packed no"), \
            EXPECT("CHECK doorbells interrupt")                                                    \
    }

const struct guest_case virtio_cases[] = {
    {.name = "virtio-rng, linux 6.1",
     .arguments = {LINUX("6.1", "entropy"), "--device", "virtio-rng"},
     .steps = ENTROPY},
    {.name = "virtio-rng, linux 6.12, 2 vCPUs",
     .arguments = {LINUX("6.12", "entropy"), "-c", "2", "--device", "virtio-rng"},
     .steps = ENTROPY},
    {.name = "virtio-rng with a GIC outside the kernel",
     .arguments = {LINUX("6.1", "entropy"), "--irqchip", "user", "--device", "virtio-rng"},
     .steps = ENTROPY},
    {.name = NULL},
};
