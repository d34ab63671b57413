// SPDX-License-Identifier: Apache-2.0
/*
 * What is wired to the lines of the PL061: the machine's power key on line 3, as on QEMU's virt
 * board. The device tree tells guests of it as a gpio-keys node with KEY_POWER, active high.
 */
#ifndef DEVICES_PL061_H
#define DEVICES_PL061_H

#include <stdbool.h>

struct device;

enum {
    PL061_POWER_KEY_LINE = 3,
    PL061_LINE_COUNT = 8,
};

/*
 * Drives line `line` (below PL061_LINE_COUNT) of a device of the class "pl061" from outside. It
 * matters while the guest uses the line as an input; the level stays, also across a reset, until
 * driven otherwise. Any thread.
 *
 * A press of the power key is a high level that lasts longer than the guest debounces (5 ms in
 * Linux), then a low one.
 */
void pl061_set_input(struct device *device, unsigned line, bool level);

#endif
