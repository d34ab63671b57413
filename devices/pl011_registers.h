// SPDX-License-Identifier: Apache-2.0
/*
 * The registers of the PL011 r1p5 and what they do to each other (ARM DDI 0183G, chapter 3), apart
 * from anything of the host: reset, tests and a saved state act on struct pl011_registers alone.
 *
 * The caller serialises all functions on one struct. What the transmitter is doing is the caller's
 * to know: UARTFR and writes to UARTDR are left to it.
 */
#ifndef DEVICES_PL011_REGISTERS_H
#define DEVICES_PL011_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    UARTDR = 0x000,
    UARTRSR = 0x004, /* UARTECR when written */
    UARTFR = 0x018,
    UARTILPR = 0x020,
    UARTIBRD = 0x024,
    UARTFBRD = 0x028,
    UARTLCR_H = 0x02c,
    UARTCR = 0x030,
    UARTIFLS = 0x034,
    UARTIMSC = 0x038,
    UARTRIS = 0x03c,
    UARTMIS = 0x040,
    UARTICR = 0x044,
    UARTDMACR = 0x048,
    UARTTCR = 0x080,
    UARTITIP = 0x084,
    UARTITOP = 0x088,
    UARTTDR = 0x08c,
};

#define PL011_PERIPH_ID 0x00341011U

#define DR_DATA 0xffU
#define DR_FE   (1U << 8)
#define DR_PE   (1U << 9)
#define DR_BE   (1U << 10)
#define DR_OE   (1U << 11)

#define RSR_FE (1U << 0)
#define RSR_PE (1U << 1)
#define RSR_BE (1U << 2)
#define RSR_OE (1U << 3)

#define FR_CTS  (1U << 0)
#define FR_DSR  (1U << 1)
#define FR_DCD  (1U << 2)
#define FR_BUSY (1U << 3)
#define FR_RXFE (1U << 4)
#define FR_TXFF (1U << 5)
#define FR_RXFF (1U << 6)
#define FR_TXFE (1U << 7)
#define FR_RI   (1U << 8)

#define LCR_H_BRK (1U << 0)
#define LCR_H_FEN (1U << 4)

#define CR_UARTEN (1U << 0)
#define CR_LBE    (1U << 7)
#define CR_TXE    (1U << 8)
#define CR_RXE    (1U << 9)
#define CR_DTR    (1U << 10)
#define CR_RTS    (1U << 11)
#define CR_OUT1   (1U << 12)
#define CR_OUT2   (1U << 13)

/* Interrupt bits of UARTIMSC, UARTRIS, UARTMIS and UARTICR. */
#define INT_RIM  (1U << 0)
#define INT_CTSM (1U << 1)
#define INT_DCDM (1U << 2)
#define INT_DSRM (1U << 3)
#define INT_RX   (1U << 4)
#define INT_TX   (1U << 5)
#define INT_RT   (1U << 6)
#define INT_FE   (1U << 7)
#define INT_PE   (1U << 8)
#define INT_BE   (1U << 9)
#define INT_OE   (1U << 10)
#define INT_ALL  0x7ffU

#define IFLS_RXIFLSEL_SHIFT 3

enum { PL011_FIFO_ENTRIES = 32 };

struct pl011_registers {
    uint16_t rx_fifo[PL011_FIFO_ENTRIES]; /* characters as UARTDR returns them, from rx_head on */
    uint32_t rx_head;
    uint32_t rx_count;
    bool overrun; /* goes with the next character into the FIFO (2.4.3, Overrun bit) */
    uint32_t rsr;
    uint32_t ilpr;
    uint32_t ibrd;
    uint32_t fbrd;
    uint32_t lcr_h;
    uint32_t cr;
    uint32_t ifls;
    uint32_t imsc;
    uint32_t ris;
    uint32_t dmacr;
    bool polled;       /* the guest looked for input, since the receiver was last disabled */
    uint32_t fr_reads; /* in a row; see pl011_count_poll() */
};

void pl011_registers_reset(struct pl011_registers *regs);

/* Both return false if there is no register at the offset; values that don't fit are cut. */
bool pl011_registers_read(struct pl011_registers *regs, uint64_t offset, uint32_t *value);
bool pl011_registers_write(struct pl011_registers *regs, uint64_t offset, uint32_t value);

/* The bits of UARTFR that are the receiver's and the modem's. */
uint32_t pl011_flags(const struct pl011_registers *regs);

/* How many characters the receive FIFO holds at most: one when it is disabled. */
uint32_t pl011_rx_depth(const struct pl011_registers *regs);

/* A character arrives, as UARTDR will return it; an overrun if there is no room. */
void pl011_receive(struct pl011_registers *regs, uint32_t character);
/* No more arrive for the time being: with characters waiting, 32 bit times pass at once. */
void pl011_receive_idle(struct pl011_registers *regs);

/*
 * Whether input would reach somebody: the guest takes receive interrupts from an enabled UART, or
 * has polled. Input is better kept outside until then, since drivers drain the FIFO when they open
 * the port. Linux unmasks the receive interrupts for a moment before it enables the UART, drains,
 * and unmasks them for good: a mask counts only together with UARTEN.
 */
bool pl011_guest_listens(const struct pl011_registers *regs);
/* Whether characters from outside can arrive now: somebody listens, RXE, and no loopback. */
bool pl011_can_receive(const struct pl011_registers *regs);
/*
 * Counts a read of UARTFR that showed an empty FIFO. Some in a row, with no other access between,
 * are a guest that polls for input rather than one that looks after its transmission.
 */
void pl011_count_poll(struct pl011_registers *regs);

#endif
