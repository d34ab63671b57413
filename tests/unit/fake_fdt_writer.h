// SPDX-License-Identifier: Apache-2.0
/* The fdt_writer contract, written down as text: "node { property=value; }", cells in hex. */
#ifndef TESTS_FAKE_FDT_WRITER_H
#define TESTS_FAKE_FDT_WRITER_H

#include "armlet/fdt_writer.h"

enum { FAKE_FDT_TEXT_BYTES = 2048 };

/* Zeroed by the test. */
struct fdt_writer {
    char text[FAKE_FDT_TEXT_BYTES];
    size_t length;
    int depth; /* open nodes */
};

#endif
