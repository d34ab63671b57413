// SPDX-License-Identifier: Apache-2.0
/*
 * The PL011 UART as its manual has it (ARM DDI 0183G): registers, FIFOs, errors and modem lines in
 * loopback, interrupts. With "input", a line from outside arrives by interrupt.
 */
#include "primecell.h"

const char guest_name[] = "pl011";

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
};

enum {
    DR_DATA = 0xff,
    DR_FE = 1 << 8,
    DR_PE = 1 << 9,
    DR_BE = 1 << 10,
    DR_OE = 1 << 11,
};

enum {
    RSR_FE = 1 << 0,
    RSR_PE = 1 << 1,
    RSR_BE = 1 << 2,
    RSR_OE = 1 << 3,
};

enum {
    FR_CTS = 1 << 0,
    FR_DSR = 1 << 1,
    FR_DCD = 1 << 2,
    FR_BUSY = 1 << 3,
    FR_RXFE = 1 << 4,
    FR_TXFF = 1 << 5,
    FR_RXFF = 1 << 6,
    FR_TXFE = 1 << 7,
    FR_RI = 1 << 8,
    FR_MODEM = FR_CTS | FR_DSR | FR_DCD | FR_RI,
};

enum {
    LCR_H_BRK = 1 << 0,
    LCR_H_FEN = 1 << 4,
    LCR_H_WLEN_8 = 3 << 5,
};

enum {
    CR_UARTEN = 1 << 0,
    CR_LBE = 1 << 7,
    CR_TXE = 1 << 8,
    CR_RXE = 1 << 9,
    CR_DTR = 1 << 10,
    CR_RTS = 1 << 11,
    CR_OUT1 = 1 << 12,
    CR_OUT2 = 1 << 13,
    CR_ON = CR_UARTEN | CR_TXE | CR_RXE,
    CR_WRITABLE = 0xff87,
};

/* Bits of UARTIMSC, UARTRIS, UARTMIS and UARTICR. */
enum {
    INT_RIM = 1 << 0,
    INT_CTSM = 1 << 1,
    INT_DCDM = 1 << 2,
    INT_DSRM = 1 << 3,
    INT_RX = 1 << 4,
    INT_TX = 1 << 5,
    INT_RT = 1 << 6,
    INT_FE = 1 << 7,
    INT_PE = 1 << 8,
    INT_BE = 1 << 9,
    INT_OE = 1 << 10,
    INT_MODEM = INT_RIM | INT_CTSM | INT_DCDM | INT_DSRM,
    INT_ALL = 0x7ff,
};

enum {
    IFLS_RESET = 0x12, /* both FIFOs at one half */
    IFLS_RXIFLSEL_SHIFT = 3,
    REVISION_R1P5 = 3, /* the first with FIFOs of 32 */
    FIFO_EIGHTHS = 8,
    SOON_MS = 1000,
    INPUT_MS = 30000,
    QUIET_US = 2000,
    LINE_BYTES = 80,
};

/* What the interrupt handlers tell. */
static struct {
    volatile uint32_t interrupts;
    volatile uint32_t intid;
    volatile uint32_t mis;
    volatile bool line_complete;
    uint32_t line_length;
    char line[LINE_BYTES];
} seen;

static uint32_t uart_read(uint64_t offset)
{
    return read32(machine.uart + offset);
}

static void uart_write(uint64_t offset, uint32_t value)
{
    write32(machine.uart + offset, value);
}

static uint32_t fifo_depth(void)
{
    uint32_t revision = uart_read(PRIMECELL_PERIPH_ID2) >> PRIMECELL_REVISION_SHIFT;

    return revision >= REVISION_R1P5 ? 32 : 16;
}

/* ---- loopback: nothing can be printed meanwhile ---- */

static void check_looped(uint64_t left, uint64_t right, int line, const char *text)
{
    if (left != right) {
        uart_write(UARTCR, CR_ON);
        check_equal(left, right, __FILE__, line, text);
        uart_write(UARTCR, CR_ON | CR_LBE);
    }
}

#define CHECK_LOOPED(left, right) check_looped((left), (right), __LINE__, #left " == " #right)

/* From here what is sent comes back. No interrupt, error or character is left from before. */
static void begin_loopback(uint32_t line_control)
{
    uart_write(UARTIMSC, 0);
    uart_write(UARTCR, CR_ON | CR_LBE);
    uart_write(UARTLCR_H, LCR_H_WLEN_8 | (line_control ^ LCR_H_FEN));
    uart_write(UARTLCR_H, LCR_H_WLEN_8 | line_control); /* a change of FEN empties the FIFOs */
    uart_write(UARTRSR, 0);
    uart_write(UARTICR, INT_ALL);
}

static void end_loopback(void)
{
    uart_write(UARTIMSC, 0);
    uart_write(UARTLCR_H, LCR_H_WLEN_8 | LCR_H_FEN);
    uart_write(UARTCR, CR_ON);
    uart_write(UARTIFLS, IFLS_RESET);
    uart_write(UARTRSR, 0);
    uart_write(UARTICR, INT_ALL);
}

static bool is_idle(void *context)
{
    (void)context;
    return (uart_read(UARTFR) & FR_BUSY) == 0;
}

static void send(uint32_t character)
{
    uart_write(UARTDR, character);
    (void)wait_until(is_idle, NULL, SOON_MS);
}

static bool is_raised(void *interrupts)
{
    return (uart_read(UARTRIS) & *(const uint32_t *)interrupts) != 0;
}

/* An interrupt that needs no more than time. */
static bool raised_soon(uint32_t interrupt)
{
    return wait_until(is_raised, &interrupt, SOON_MS);
}

/* ---- registers ---- */

static void check_reset_values(void)
{
    CHECK_EQ(uart_read(UARTRSR), 0);
    CHECK_EQ(uart_read(UARTILPR), 0);
    CHECK_EQ(uart_read(UARTIBRD), 0);
    CHECK_EQ(uart_read(UARTFBRD), 0);
    CHECK_EQ(uart_read(UARTCR) & (CR_TXE | CR_RXE), CR_TXE | CR_RXE);
    CHECK_EQ(uart_read(UARTCR) & CR_LBE, 0);
    CHECK_EQ(uart_read(UARTIFLS), IFLS_RESET);
    CHECK_EQ(uart_read(UARTIMSC), 0);
    CHECK_EQ(uart_read(UARTMIS), 0);
    CHECK_EQ(uart_read(UARTDMACR), 0);
    CHECK(wait_until(is_idle, NULL, SOON_MS));
    CHECK_EQ(uart_read(UARTFR) & ~(uint32_t)FR_MODEM, FR_TXFE | FR_RXFE);
}

/* The bits that are there keep what is written, the others are zero. */
static void check_writable(uint64_t offset, uint32_t writable)
{
    uint32_t before = uart_read(offset);
    uint32_t ones;
    uint32_t zeros;

    uart_write(offset, UINT32_MAX);
    ones = uart_read(offset);
    uart_write(offset, 0);
    zeros = uart_read(offset);
    uart_write(offset, before);
    if (ones != writable || zeros != 0)
        print("register 0x%lx:\n", offset);
    CHECK_EQ(ones, writable);
    CHECK_EQ(zeros, 0);
    CHECK_EQ(uart_read(offset), before);
}

static void check_registers(void)
{
    check_writable(UARTILPR, 0xff);
    check_writable(UARTIBRD, 0xffff);
    check_writable(UARTFBRD, 0x3f);
    check_writable(UARTLCR_H, 0xff);
    check_writable(UARTCR, CR_WRITABLE);
    check_writable(UARTIFLS, 0x3f);
    check_writable(UARTIMSC, INT_ALL);
    check_writable(UARTDMACR, 0x7);
    CHECK_EQ(uart_read(UARTICR), 0); /* write only */
}

/* ---- FIFOs ---- */

static void check_characters_return(void)
{
    const uint32_t count = fifo_depth();

    begin_loopback(LCR_H_FEN);
    CHECK_LOOPED(uart_read(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFE);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_LOOPED(uart_read(UARTFR) & FR_RXFF, 0);
        send(DR_DATA - i);
        CHECK_LOOPED(uart_read(UARTFR) & FR_RXFE, 0);
    }
    CHECK_LOOPED(uart_read(UARTFR) & FR_RXFF, FR_RXFF);
    for (uint32_t i = 0; i < count; i++)
        CHECK_LOOPED(uart_read(UARTDR), DR_DATA - i);
    CHECK_LOOPED(uart_read(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFE);
    write8(machine.uart + UARTDR, 'x');
    (void)wait_until(is_idle, NULL, SOON_MS);
    CHECK_LOOPED(read16(machine.uart + UARTDR), 'x');
    end_loopback();
}

/* Table 3-12: the level that raises the receive interrupt; it falls with the FIFO. */
static void check_receive_level(uint32_t select, uint32_t level)
{
    uint32_t sent = 0;
    uint32_t waiting;

    begin_loopback(LCR_H_FEN);
    uart_write(UARTIFLS, select << IFLS_RXIFLSEL_SHIFT);
    while ((uart_read(UARTRIS) & INT_RX) == 0 && sent < fifo_depth()) {
        send(sent);
        sent++;
    }
    CHECK_LOOPED(sent, level);
    waiting = sent;
    while ((uart_read(UARTRIS) & INT_RX) != 0 && waiting > 0) {
        (void)uart_read(UARTDR);
        waiting--;
    }
    CHECK_LOOPED(waiting, level - 1);
    end_loopback();
}

static void check_receive_levels(void)
{
    const uint32_t eighth = fifo_depth() / FIFO_EIGHTHS;

    check_receive_level(0, 1 * eighth);
    check_receive_level(1, 2 * eighth);
    check_receive_level(2, 4 * eighth);
    check_receive_level(3, 6 * eighth);
    check_receive_level(4, 7 * eighth);
}

/* Without FIFOs there is one holding register, and each character is an interrupt. */
static void check_fifo_disabled(void)
{
    begin_loopback(0);
    send('a');
    CHECK_LOOPED(uart_read(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFF);
    CHECK_LOOPED(uart_read(UARTRIS) & (INT_RX | INT_OE), INT_RX);
    send('b');
    CHECK_LOOPED(uart_read(UARTRIS) & INT_OE, INT_OE);
    CHECK_LOOPED(uart_read(UARTDR) & DR_DATA, 'a');
    CHECK_LOOPED(uart_read(UARTFR) & (FR_RXFE | FR_RXFF), FR_RXFE);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_RX, 0);
    send('c'); /* finds room, and tells that one before it did not */
    CHECK_LOOPED(uart_read(UARTDR), DR_OE | 'c');
    end_loopback();
}

/* ---- errors ---- */

/* 2.4.3: the character too many is lost; the next that finds room brings the overrun bit along. */
static void check_overrun(void)
{
    begin_loopback(LCR_H_FEN);
    for (uint32_t i = 0; i < fifo_depth(); i++)
        send(i);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_OE, 0);
    CHECK_LOOPED(uart_read(UARTRSR), 0);
    send('!');
    CHECK_LOOPED(uart_read(UARTRIS) & INT_OE, INT_OE);
    CHECK_LOOPED(uart_read(UARTRSR) & RSR_OE, RSR_OE);
    uart_write(UARTRSR, DR_DATA); /* any value clears */
    CHECK_LOOPED(uart_read(UARTRSR) & RSR_OE, 0);
    for (uint32_t i = 0; i < fifo_depth(); i++)
        CHECK_LOOPED(uart_read(UARTDR), i);
    send('a');
    send('b');
    CHECK_LOOPED(uart_read(UARTDR), DR_OE | 'a');
    CHECK_LOOPED(uart_read(UARTDR), 'b');
    CHECK_LOOPED(uart_read(UARTRIS) & INT_OE, INT_OE);
    uart_write(UARTICR, INT_OE);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_OE, 0);
    end_loopback();
}

/* A break is one character of zeros without a stop bit; UARTRSR is of the character last read. */
static void check_break(void)
{
    begin_loopback(LCR_H_FEN);
    uart_write(UARTLCR_H, LCR_H_WLEN_8 | LCR_H_FEN | LCR_H_BRK);
    CHECK_LOOPED(raised_soon(INT_BE), true);
    uart_write(UARTLCR_H, LCR_H_WLEN_8 | LCR_H_FEN);
    send('a');
    CHECK_LOOPED(uart_read(UARTRIS) & (INT_BE | INT_FE | INT_PE), INT_BE | INT_FE);
    CHECK_LOOPED(uart_read(UARTDR), DR_BE | DR_FE);
    CHECK_LOOPED(uart_read(UARTRSR), RSR_BE | RSR_FE);
    CHECK_LOOPED(uart_read(UARTDR), 'a');
    CHECK_LOOPED(uart_read(UARTRSR), 0);
    uart_write(UARTICR, INT_BE | INT_FE);
    CHECK_LOOPED(uart_read(UARTRIS) & (INT_BE | INT_FE), 0);
    end_loopback();
}

/* ---- modem lines ---- */

static void check_modem_line(uint32_t control, uint32_t flag, uint32_t interrupt)
{
    const uint32_t flags = FR_MODEM;

    begin_loopback(LCR_H_FEN);
    CHECK_LOOPED(uart_read(UARTFR) & flags, 0);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_MODEM, 0);
    uart_write(UARTCR, CR_ON | CR_LBE | control);
    CHECK_LOOPED(uart_read(UARTFR) & flags, flag);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_MODEM, interrupt);
    uart_write(UARTICR, interrupt);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_MODEM, 0);
    uart_write(UARTCR, CR_ON | CR_LBE);
    CHECK_LOOPED(uart_read(UARTFR) & flags, 0);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_MODEM, interrupt);
    end_loopback();
}

/* 2.4.4: where the outputs lead in loopback. */
static void check_modem_lines(void)
{
    check_modem_line(CR_RTS, FR_CTS, INT_CTSM);
    check_modem_line(CR_DTR, FR_DSR, INT_DSRM);
    check_modem_line(CR_OUT1, FR_DCD, INT_DCDM);
    check_modem_line(CR_OUT2, FR_RI, INT_RIM);
}

/* ---- interrupts ---- */

/* Fewer characters than the trigger level make themselves known when no more come. */
static void check_receive_timeout(void)
{
    begin_loopback(LCR_H_FEN);
    send('a');
    send('b');
    CHECK_LOOPED(raised_soon(INT_RT), true);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_RX, 0);
    CHECK_LOOPED(uart_read(UARTMIS), 0);
    uart_write(UARTIMSC, INT_RT);
    CHECK_LOOPED(uart_read(UARTMIS), INT_RT);
    uart_write(UARTICR, INT_RT);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_RT, 0);
    CHECK_LOOPED(uart_read(UARTDR), 'a');
    CHECK_LOOPED(raised_soon(INT_RT), true);
    CHECK_LOOPED(uart_read(UARTDR), 'b');
    CHECK_LOOPED(uart_read(UARTRIS) & INT_RT, 0);
    end_loopback();
}

/* 2.8.3: the transmit interrupt tells of a transition, not of a FIFO that is empty anyway. */
static void check_transmit_transition(void)
{
    begin_loopback(LCR_H_FEN);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_TX, 0);
    uart_write(UARTIMSC, INT_TX);
    CHECK_LOOPED(uart_read(UARTMIS), 0);
    send('a');
    CHECK_LOOPED(raised_soon(INT_TX), true);
    CHECK_LOOPED(uart_read(UARTMIS), INT_TX);
    uart_write(UARTICR, INT_TX);
    CHECK_LOOPED(uart_read(UARTRIS) & INT_TX, 0);
    end_loopback();
}

static void on_interrupt(uint32_t intid)
{
    seen.intid = intid;
    seen.mis = uart_read(UARTMIS);
    uart_write(UARTIMSC, 0);
    seen.interrupts = seen.interrupts + 1;
}

static bool is_interrupted(void *context)
{
    (void)context;
    return seen.interrupts != 0;
}

/* A character sent raises `interrupt`, which arrives once, and not before. */
static void check_delivery(uint32_t interrupt)
{
    begin_loopback(0);
    seen.interrupts = 0;
    uart_write(UARTIMSC, interrupt);
    spin_microseconds(QUIET_US);
    CHECK_LOOPED(seen.interrupts, 0);
    send('a');
    CHECK_LOOPED(wait_until(is_interrupted, NULL, SOON_MS), true);
    spin_microseconds(QUIET_US);
    CHECK_LOOPED(seen.interrupts, 1);
    CHECK_LOOPED(seen.intid, machine.uart_intid);
    CHECK_LOOPED(seen.mis, interrupt);
    end_loopback();
}

static void check_interrupts(void)
{
    gic_init(on_interrupt);
    gic_set_edge(machine.uart_intid, false);
    gic_enable(machine.uart_intid);
    interrupts_unmask();
    check_delivery(INT_RX);
    check_delivery(INT_TX);
    interrupts_mask();
    gic_disable(machine.uart_intid);
}

/* ---- a line from outside ---- */

static void on_input(uint32_t intid)
{
    (void)intid;
    while ((uart_read(UARTFR) & FR_RXFE) == 0) {
        char character = (char)(uart_read(UARTDR) & DR_DATA);

        if (character == '\n' || character == '\r')
            seen.line_complete = true;
        else if (!seen.line_complete && seen.line_length < LINE_BYTES - 1)
            seen.line[seen.line_length++] = character;
    }
    uart_write(UARTICR, INT_RX | INT_RT);
}

static bool is_line_complete(void *context)
{
    (void)context;
    return seen.line_complete;
}

static void take_input(void)
{
    uart_write(UARTLCR_H, LCR_H_WLEN_8 | LCR_H_FEN);
    uart_write(UARTCR, CR_ON);
    uart_write(UARTIMSC, INT_RX | INT_RT);
    gic_init(on_input);
    gic_set_edge(machine.uart_intid, false);
    gic_enable(machine.uart_intid);
    interrupts_unmask();
    print("READY\n");
    CHECK(wait_until(is_line_complete, NULL, INPUT_MS));
    interrupts_mask();
    print("GOT %s\n", seen.line);
}

void guest_main(void)
{
    if (bootargs_has("input")) {
        take_input();
        return;
    }
    check_primecell_ids(machine.uart, 0x011);
    check_reset_values();
    check_registers();
    check_characters_return();
    check_receive_levels();
    check_fifo_disabled();
    check_overrun();
    check_break();
    check_modem_lines();
    check_receive_timeout();
    check_transmit_transition();
    check_interrupts();
}
