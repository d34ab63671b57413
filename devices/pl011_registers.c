// SPDX-License-Identifier: Apache-2.0
#include "pl011_registers.h"

#include <string.h>

#include "primecell.h"

#define DR_ERRORS  (DR_FE | DR_PE | DR_BE)
#define RSR_SHIFT  8 /* from DR_ERRORS to their bits in UARTRSR */
#define ERIS_SHIFT 1 /* from DR_ERRORS to their bits in UARTRIS */

#define ILPR_MASK  0xffU
#define IBRD_MASK  0xffffU
#define FBRD_MASK  0x3fU
#define LCR_H_MASK 0xffU
#define CR_MASK    0xff87U
#define IFLS_MASK  0x3fU
#define DMACR_MASK 0x7U

#define CR_RESET   (CR_RXE | CR_TXE)
#define IFLS_RESET 0x12U

enum {
    /* Linux's earlycon reads UARTFR twice in a row, without having enabled the UART; its console
     * enables it and never does. */
    POLLS_DISABLED = 3,
    POLLS_ENABLED = 2,
};

uint32_t pl011_rx_depth(const struct pl011_registers *regs)
{
    return (regs->lcr_h & LCR_H_FEN) != 0 ? PL011_FIFO_ENTRIES : 1;
}

/* The fill level that raises the receive interrupt; reserved selections act as the highest. */
static uint32_t rx_trigger(const struct pl011_registers *regs)
{
    static const uint8_t eighths[] = {1, 2, 4, 6, 7, 7, 7, 7};

    if ((regs->lcr_h & LCR_H_FEN) == 0) {
        return 1;
    }
    return PL011_FIFO_ENTRIES / 8 * eighths[regs->ifls >> IFLS_RXIFLSEL_SHIFT];
}

static uint32_t modem_flags(const struct pl011_registers *regs)
{
    uint32_t flags = 0;

    if ((regs->cr & CR_LBE) == 0) {
        return FR_CTS | FR_DSR | FR_DCD;
    }
    flags |= (regs->cr & CR_RTS) != 0 ? FR_CTS : 0;
    flags |= (regs->cr & CR_DTR) != 0 ? FR_DSR : 0;
    flags |= (regs->cr & CR_OUT1) != 0 ? FR_DCD : 0;
    flags |= (regs->cr & CR_OUT2) != 0 ? FR_RI : 0;
    return flags;
}

bool pl011_guest_listens(const struct pl011_registers *regs)
{
    return regs->polled || ((regs->cr & CR_UARTEN) != 0 && (regs->imsc & (INT_RX | INT_RT)) != 0);
}

bool pl011_can_receive(const struct pl011_registers *regs)
{
    return (regs->cr & CR_RXE) != 0 && (regs->cr & CR_LBE) == 0 && pl011_guest_listens(regs);
}

void pl011_count_poll(struct pl011_registers *regs)
{
    regs->fr_reads++;
    if (regs->fr_reads >= ((regs->cr & CR_UARTEN) != 0 ? POLLS_ENABLED : POLLS_DISABLED)) {
        regs->polled = true;
    }
}

uint32_t pl011_flags(const struct pl011_registers *regs)
{
    uint32_t flags = modem_flags(regs);

    flags |= regs->rx_count == 0 ? FR_RXFE : 0;
    flags |= regs->rx_count == pl011_rx_depth(regs) ? FR_RXFF : 0;
    return flags;
}

void pl011_registers_reset(struct pl011_registers *regs)
{
    memset(regs, 0, sizeof(*regs));
    regs->cr = CR_RESET;
    regs->ifls = IFLS_RESET;
}

void pl011_receive(struct pl011_registers *regs, uint32_t character)
{
    if (regs->rx_count == pl011_rx_depth(regs)) {
        regs->overrun = true;
        regs->rsr |= RSR_OE;
        regs->ris |= INT_OE;
        return;
    }
    regs->ris |= (character & DR_ERRORS) >> ERIS_SHIFT;
    character |= regs->overrun ? DR_OE : 0;
    regs->overrun = false;
    regs->rx_fifo[(regs->rx_head + regs->rx_count) % PL011_FIFO_ENTRIES] = (uint16_t)character;
    regs->rx_count++;
    if (regs->rx_count == rx_trigger(regs)) {
        regs->ris |= INT_RX;
    }
}

/*
 * Guests that know only emulated UARTs unmask the receive interrupt alone and expect it for each
 * character; nobody else does that, so the timeout raises it for them.
 */
static void timeout_as_receive(struct pl011_registers *regs)
{
    bool only_rx = (regs->imsc & (INT_RX | INT_RT)) == INT_RX;

    if (only_rx && (regs->ris & INT_RT) != 0 && (regs->cr & CR_LBE) == 0) {
        regs->ris |= INT_RX;
    }
}

void pl011_receive_idle(struct pl011_registers *regs)
{
    if (regs->rx_count > 0) {
        regs->ris |= INT_RT;
        timeout_as_receive(regs);
    }
}

static void rx_flush(struct pl011_registers *regs)
{
    regs->rx_head = 0;
    regs->rx_count = 0;
    regs->ris &= ~(INT_RX | INT_RT);
}

static uint32_t read_data(struct pl011_registers *regs)
{
    uint32_t entry;

    regs->polled = true;
    if (regs->rx_count == 0) {
        return 0;
    }
    entry = regs->rx_fifo[regs->rx_head];
    regs->rx_head = (regs->rx_head + 1) % PL011_FIFO_ENTRIES;
    regs->rx_count--;
    regs->rsr = (regs->rsr & RSR_OE) | (entry & DR_ERRORS) >> RSR_SHIFT;
    if (regs->rx_count < rx_trigger(regs)) {
        regs->ris &= ~INT_RX;
    }
    if (regs->rx_count == 0) {
        regs->ris &= ~INT_RT;
    }
    pl011_receive_idle(regs);
    return entry;
}

bool pl011_registers_read(struct pl011_registers *regs, uint64_t offset, uint32_t *value)
{
    switch (offset) {
    case UARTDR:
        *value = read_data(regs);
        return true;
    case UARTRSR:
        *value = regs->rsr;
        return true;
    case UARTILPR:
        *value = regs->ilpr;
        return true;
    case UARTIBRD:
        *value = regs->ibrd;
        return true;
    case UARTFBRD:
        *value = regs->fbrd;
        return true;
    case UARTLCR_H:
        *value = regs->lcr_h;
        return true;
    case UARTCR:
        *value = regs->cr;
        return true;
    case UARTIFLS:
        *value = regs->ifls;
        return true;
    case UARTIMSC:
        *value = regs->imsc;
        return true;
    case UARTRIS:
        *value = regs->ris;
        return true;
    case UARTMIS:
        *value = regs->ris & regs->imsc;
        return true;
    case UARTDMACR:
        *value = regs->dmacr;
        return true;
    case UARTICR:
    case UARTTCR:
    case UARTITIP:
    case UARTITOP:
    case UARTTDR:
        *value = 0;
        return true;
    default:
        *value = primecell_offset_is_id(offset) ? primecell_read_id(PL011_PERIPH_ID, offset) : 0;
        return primecell_offset_is_id(offset);
    }
}

static void modem_changed(struct pl011_registers *regs, uint32_t changed_flags)
{
    regs->ris |= (changed_flags & FR_CTS) != 0 ? INT_CTSM : 0;
    regs->ris |= (changed_flags & FR_DSR) != 0 ? INT_DSRM : 0;
    regs->ris |= (changed_flags & FR_DCD) != 0 ? INT_DCDM : 0;
    regs->ris |= (changed_flags & FR_RI) != 0 ? INT_RIM : 0;
}

static bool break_is_received(const struct pl011_registers *regs)
{
    return (regs->cr & CR_LBE) != 0 && (regs->lcr_h & LCR_H_BRK) != 0;
}

/* A break is one character of zeros without a stop bit, however long it lasts. */
static void receive_break(struct pl011_registers *regs)
{
    pl011_receive(regs, DR_BE | DR_FE);
    pl011_receive_idle(regs);
}

static void write_line_control(struct pl011_registers *regs, uint32_t value)
{
    uint32_t changed = regs->lcr_h ^ value;
    bool broken = break_is_received(regs);

    if ((changed & LCR_H_FEN) != 0) {
        rx_flush(regs);
    }
    regs->lcr_h = value;
    if (!broken && break_is_received(regs)) {
        receive_break(regs);
    }
}

static void write_control(struct pl011_registers *regs, uint32_t value)
{
    uint32_t modem = modem_flags(regs);
    bool broken = break_is_received(regs);

    regs->cr = value;
    if ((value & CR_RXE) == 0) {
        regs->polled = false; /* who opens the port next drains it first */
    }
    modem_changed(regs, modem ^ modem_flags(regs));
    if (!broken && break_is_received(regs)) {
        receive_break(regs);
    }
}

static void write_fifo_levels(struct pl011_registers *regs, uint32_t value)
{
    bool reached = regs->rx_count >= rx_trigger(regs);

    regs->ifls = value;
    if (!reached && regs->rx_count >= rx_trigger(regs)) {
        regs->ris |= INT_RX;
    }
}

bool pl011_registers_write(struct pl011_registers *regs, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case UARTRSR:
        regs->rsr = 0;
        return true;
    case UARTILPR:
        regs->ilpr = value & ILPR_MASK;
        return true;
    case UARTIBRD:
        regs->ibrd = value & IBRD_MASK;
        return true;
    case UARTFBRD:
        regs->fbrd = value & FBRD_MASK;
        return true;
    case UARTLCR_H:
        write_line_control(regs, value & LCR_H_MASK);
        return true;
    case UARTCR:
        write_control(regs, value & CR_MASK);
        return true;
    case UARTIFLS:
        write_fifo_levels(regs, value & IFLS_MASK);
        return true;
    case UARTIMSC:
        regs->imsc = value & INT_ALL;
        timeout_as_receive(regs);
        return true;
    case UARTICR:
        regs->ris &= ~value;
        return true;
    case UARTDMACR:
        regs->dmacr = value & DMACR_MASK;
        return true;
    case UARTFR:
    case UARTRIS:
    case UARTMIS:
    case UARTTCR:
    case UARTITIP:
    case UARTITOP:
    case UARTTDR:
        return true;
    default:
        return primecell_offset_is_id(offset);
    }
}
