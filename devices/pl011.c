// SPDX-License-Identifier: Apache-2.0
/*
 * PrimeCell UART PL011 r1p5 (ARM DDI 0183G) with 32-entry FIFOs.
 *
 * A guest may find the UART as firmware would have left it: it transmits whatever UARTEN and TXE
 * say, and word length, parity and baud rate don't change the characters. There is no bit time: a
 * character has left as soon as it is written, unless the console asks to hold back, which shows
 * as a full transmit FIFO. A character that has left raises the transmit interrupt, since the FIFO
 * is empty again, below every trigger level.
 *
 * Not modelled: IrDA, DMA, and flow control by CTSEn and RTSEn (outside loopback the modem inputs
 * are asserted, and input never comes faster than it is taken).
 */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "armlet/console.h"
#include "builtin.h"
#include "pl011_fast.h"
#include "pl011_registers.h"
#include "primecell.h"

/* In published_fr only: input waits for a guest that polls, so reads are to be counted. */
#define FR_COUNT_READS (1U << 31)

struct pl011 {
    struct primecell cell; /* its lock guards what follows, and stores to published_fr */
    struct pl011_registers regs;
    struct pl011_fast fast;
    _Atomic uint32_t published_fr; /* UARTFR as of the last change; read without the lock */
    bool tx_held;                  /* the console asked to wait for output_ready */
    bool input_held;               /* the console waits for console_resume_input() */
    struct console *console;
    struct console_client client;
};

static struct pl011_fast_state state_of(const struct pl011 *pl011)
{
    return (struct pl011_fast_state){
        .regs = &pl011->regs,
        .flags = pl011_flags(&pl011->regs) | (pl011->tx_held ? FR_TXFF | FR_BUSY : FR_TXFE),
        .tx_held = pl011->tx_held,
        .input_held = pl011->input_held,
    };
}

/*
 * UARTFR, the page and the interrupt output follow the state. The caller holds the lock. False if
 * the page is still there, though it should not be.
 */
static bool publish(struct pl011 *pl011)
{
    const struct pl011_registers *regs = &pl011->regs;
    const struct pl011_fast_state state = state_of(pl011);
    uint32_t flags = state.flags;
    bool good = pl011_fast_follow(&pl011->fast, &state);

    flags |= pl011->input_held && !pl011_guest_listens(regs) ? FR_COUNT_READS : 0;
    atomic_store_explicit(&pl011->published_fr, flags, memory_order_release);
    primecell_set_irq(&pl011->cell, (regs->ris & regs->imsc) != 0);
    return good;
}

/*
 * Ends an access. True if the caller, having unlocked, is to call console_resume_input(): input
 * waits and the FIFO holds no more than `most` characters.
 */
static bool settle(struct pl011 *pl011, uint32_t most)
{
    bool resume =
        pl011->input_held && pl011->regs.rx_count <= most && pl011_can_receive(&pl011->regs);

    if (resume) {
        pl011->input_held = false;
    }
    (void)publish(pl011);
    return resume;
}

/* A read with input waiting outside: if the guest polls, it is let in. */
static uint32_t read_flags_counted(struct pl011 *pl011)
{
    uint32_t flags;
    bool resume;

    pthread_mutex_lock(&pl011->cell.lock);
    if (!pl011->tx_held) {
        pl011_count_poll(&pl011->regs);
    }
    resume = settle(pl011, 0);
    flags = atomic_load_explicit(&pl011->published_fr, memory_order_relaxed);
    pthread_mutex_unlock(&pl011->cell.lock);
    if (resume) {
        console_resume_input(pl011->console);
    }
    return flags & ~FR_COUNT_READS;
}

static uint64_t pl011_read(struct device *device, uint64_t offset, enum access_width width)
{
    struct pl011 *pl011 = container_of(device, struct pl011, cell.device);
    uint32_t value = 0;
    bool known = false;
    bool resume = false;

    if (offset == UARTFR && width <= ACCESS_32_BIT) {
        /* Acquire, with the release in publish(): what a flag says holds in later accesses. */
        value = atomic_load_explicit(&pl011->published_fr, memory_order_acquire);
        return (value & FR_COUNT_READS) == 0 ? value : read_flags_counted(pl011);
    }
    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&pl011->cell.lock);
        pl011->regs.fr_reads = 0;
        known = pl011_registers_read(&pl011->regs, offset, &value);
        /* Not before half of the FIFO is free, so that a burst takes few wake-ups. */
        resume = settle(pl011, pl011_rx_depth(&pl011->regs) / 2);
        pthread_mutex_unlock(&pl011->cell.lock);
    }
    if (resume) {
        console_resume_input(pl011->console);
    }
    if (!known) {
        primecell_bad_access(&pl011->cell, ACCESS_READ, offset, width);
    }
    return value;
}

/*
 * Whether a character that is sent now changes nothing that anybody can see, unless the console
 * asks to hold back: most do, and come by the dozen.
 */
static bool sends_plainly(const struct pl011 *pl011)
{
    return !pl011->tx_held && !pl011->input_held && (pl011->regs.ris & INT_TX) != 0 &&
           (pl011->regs.cr & CR_LBE) == 0;
}

/* In loopback the character stays inside (2.4.3, System and diagnostic loopback testing). */
static void write_data(struct pl011 *pl011, uint32_t value)
{
    struct pl011_registers *regs = &pl011->regs;

    if ((regs->cr & CR_LBE) != 0) {
        pl011_receive(regs, value & DR_DATA);
        pl011_receive_idle(regs);
    } else if (!console_put(pl011->console, (uint8_t)(value & DR_DATA))) {
        pl011->tx_held = true;
    }
    if (pl011->tx_held) {
        regs->ris &= ~INT_TX;
    } else {
        regs->ris |= INT_TX;
    }
    const struct pl011_fast_state state = state_of(pl011);
    if (pl011_fast_count_character(&pl011->fast, &state)) {
        console_collect(pl011->console);
    }
}

static void pl011_write(struct device *device, uint64_t offset, enum access_width width,
                        uint64_t value)
{
    struct pl011 *pl011 = container_of(device, struct pl011, cell.device);
    uint32_t depth;
    bool known = false;
    bool resume = false;
    bool plain = false;

    if (primecell_access_is_aligned(offset, width)) {
        pthread_mutex_lock(&pl011->cell.lock);
        pl011->regs.fr_reads = 0;
        if (offset == UARTDR) {
            plain = sends_plainly(pl011);
            write_data(pl011, (uint32_t)value);
            known = true;
        } else {
            known = pl011_registers_write(&pl011->regs, offset, (uint32_t)value);
        }
        if (!plain || pl011->tx_held) {
            /* A guest that reads one character and clears its interrupts needs the next to come. */
            depth = pl011_rx_depth(&pl011->regs);
            resume = settle(pl011, offset == UARTICR ? depth - 1 : depth / 2);
        }
        pthread_mutex_unlock(&pl011->cell.lock);
    }
    if (resume) {
        console_resume_input(pl011->console);
    }
    if (!known) {
        primecell_bad_access(&pl011->cell, ACCESS_WRITE, offset, width);
    }
}

static size_t pl011_input(void *context, const uint8_t *bytes, size_t count)
{
    struct pl011 *pl011 = context;
    struct pl011_registers *regs = &pl011->regs;
    size_t taken = 0;

    pthread_mutex_lock(&pl011->cell.lock);
    pl011->input_held = true;
    if (!publish(pl011)) {
        console_collect(pl011->console);
    } else if (pl011_can_receive(regs)) {
        while (taken < count && regs->rx_count < pl011_rx_depth(regs)) {
            pl011_receive(regs, bytes[taken++]);
        }
    }
    if (taken > 0) {
        pl011_receive_idle(regs);
    }
    pl011->input_held = taken < count;
    (void)publish(pl011);
    pthread_mutex_unlock(&pl011->cell.lock);
    return taken;
}

static void pl011_output_ready(void *context)
{
    struct pl011 *pl011 = context;

    pthread_mutex_lock(&pl011->cell.lock);
    if (pl011->tx_held) {
        pl011->tx_held = false;
        pl011->regs.ris |= INT_TX;
        (void)publish(pl011);
    }
    pthread_mutex_unlock(&pl011->cell.lock);
}

/* Characters that came by another way look like the UART's own, without its interrupts. */
static size_t pl011_output(void *context, const uint8_t *bytes, size_t count)
{
    struct pl011 *pl011 = context;
    size_t taken = 0;

    pthread_mutex_lock(&pl011->cell.lock);
    while (taken < count && !pl011->tx_held) {
        pl011->tx_held = !console_put(pl011->console, bytes[taken++]);
    }
    (void)publish(pl011);
    pthread_mutex_unlock(&pl011->cell.lock);
    return taken;
}

/* Characters may wait in the ring of coalesced writes, and a page that couldn't go for its end. */
static bool pl011_collect(void *context)
{
    struct pl011 *pl011 = context;
    bool resume;
    bool again;

    device_regions_drain(pl011->fast.regions);
    pthread_mutex_lock(&pl011->cell.lock);
    again = pl011_fast_tick(&pl011->fast);
    resume = settle(pl011, 0);
    again |= pl011->input_held && pl011->fast.page_on;
    pthread_mutex_unlock(&pl011->cell.lock);
    if (resume) {
        console_resume_input(pl011->console);
    }
    if (!again) {
        /* What was written before coalescing ended. */
        device_regions_drain(pl011->fast.regions);
    }
    return again;
}

/* What the console waits for or asked for (input_held, tx_held) stays true beyond a reset. */
static void pl011_reset(struct device *device)
{
    struct pl011 *pl011 = container_of(device, struct pl011, cell.device);

    pthread_mutex_lock(&pl011->cell.lock);
    pl011_registers_reset(&pl011->regs);
    pl011_fast_reset(&pl011->fast);
    (void)publish(pl011);
    pthread_mutex_unlock(&pl011->cell.lock);
}

/* Documentation/devicetree/bindings/serial/pl011.yaml */
static void pl011_describe(struct device *device, struct fdt_writer *writer,
                           const struct device_place *place)
{
    static const char compatible[] = "arm,pl011\0arm,primecell";
    static const uint32_t clocks[] = {FDT_PHANDLE_CLOCK, FDT_PHANDLE_CLOCK};
    const struct pl011 *pl011 = container_of(device, struct pl011, cell.device);

    primecell_begin_node(&pl011->cell, writer, place, "pl011", compatible, sizeof(compatible));
    fdt_prop_cells(writer, "clocks", clocks, sizeof(clocks) / sizeof(clocks[0]));
    FDT_PROP_STRINGS(writer, "clock-names", "uartclk\0apb_pclk");
    fdt_end_node(writer);
}

static void pl011_destroy(struct device *device)
{
    struct pl011 *pl011 = container_of(device, struct pl011, cell.device);

    primecell_finish(&pl011->cell);
    free(pl011);
}

static const struct device_ops pl011_ops = {
    .read = pl011_read,
    .write = pl011_write,
    .reset = pl011_reset,
    .describe = pl011_describe,
    .destroy = pl011_destroy,
};

static struct device *pl011_create(const struct device_resources *resources, struct error *error)
{
    struct pl011 *pl011;

    assert(resources->irq != NULL && resources->console != NULL);
    pl011 = calloc(1, sizeof(*pl011));
    if (pl011 == NULL) {
        error_set(error, ERROR_HOST, errno, "cannot allocate the UART");
        return NULL;
    }
    primecell_init(&pl011->cell, pl011_class.name, &pl011_ops, resources);
    pl011->console = resources->console;
    pl011->client.context = pl011;
    pl011->client.input = pl011_input;
    pl011->client.output_ready = pl011_output_ready;
    pl011->client.output = pl011_output;
    pl011->client.collect = pl011_collect;
    pl011_fast_init(&pl011->fast, resources->regions);
    pl011_reset(&pl011->cell.device);
    console_attach(pl011->console, &pl011->client);
    return &pl011->cell.device;
}

const struct device_class pl011_class = {
    .name = "pl011",
    .purpose = "UART",
    .create = pl011_create,
};
