// SPDX-License-Identifier: Apache-2.0
#include "pl011_fixture.h"

#include <check.h>
#include <string.h>

void pl011_fixture_setup(struct pl011_fixture *uart)
{
    pl011_fixture_setup_with(uart, NULL);
}

void pl011_fixture_setup_with(struct pl011_fixture *uart, struct device_regions *regions)
{
    struct error error = {0};
    struct device_resources resources = {
        .irq = &uart->irq.line, .console = &uart->console, .log = &uart->log, .regions = regions};

    memset(uart, 0, sizeof(*uart));
    uart->log.fd = -1;
    fake_irq_init(&uart->irq);
    uart->device = find_device_class("pl011")->create(&resources, &error);
    ck_assert_ptr_nonnull(uart->device);
}

void pl011_fixture_teardown(struct pl011_fixture *uart)
{
    uart->device->ops->destroy(uart->device);
}

void pl011_fixture_open(struct pl011_fixture *uart, uint32_t interrupt_mask)
{
    device_write32(uart->device, UARTLCR_H, LINE_FIFO);
    device_write32(uart->device, UARTCR, CR_ENABLE);
    device_write32(uart->device, UARTIMSC, interrupt_mask);
}
