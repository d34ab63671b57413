// SPDX-License-Identifier: Apache-2.0
/* Programs of tests in a Linux guest: an archive with one, behind the lab's initramfs. */
#ifndef ARMLET_TESTS_GUEST_GUEST_PROGRAM_H
#define ARMLET_TESTS_GUEST_GUEST_PROGRAM_H

#include <stdbool.h>

/* Makes an initramfs at `path`, with a program of the lab's ("bin/NAME") in it. */
bool guest_program_add(const char *path, const char *program);

#endif
