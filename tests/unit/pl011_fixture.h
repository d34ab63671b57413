// SPDX-License-Identifier: Apache-2.0
/* A UART with a fake console and a recorded interrupt line. */
#ifndef TESTS_PL011_FIXTURE_H
#define TESTS_PL011_FIXTURE_H

#include "armlet/log.h"
#include "devices/pl011_registers.h"
#include "fake_console.h"
#include "fake_irq.h"
#include "primecell_checks.h"

#define CR_ENABLE (CR_UARTEN | CR_TXE | CR_RXE)
#define LINE_FIFO (LCR_H_FEN | 0x60U) /* eight bits */
#define INT_INPUT (INT_RX | INT_RT)

struct pl011_fixture {
    struct console console;
    struct fake_irq irq;
    struct log log; /* drops everything */
    struct device *device;
};

void pl011_fixture_setup(struct pl011_fixture *uart);
/* The same for one that is lent regions. */
void pl011_fixture_setup_with(struct pl011_fixture *uart, struct device_regions *regions);
void pl011_fixture_teardown(struct pl011_fixture *uart);

/* Leaves the UART as an interrupt-driven driver with FIFOs does. */
void pl011_fixture_open(struct pl011_fixture *uart, uint32_t interrupt_mask);

#endif
