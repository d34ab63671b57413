// SPDX-License-Identifier: Apache-2.0
#include "pl011_fast.h"

#include <stddef.h>

#include "primecell.h"

enum {
    FIRST_THRESHOLD = 8,
    LAST_THRESHOLD = 4096,
    IDLE_TICKS = 10,
    PAGE_STATE_BYTES = UARTDMACR + sizeof(uint32_t), /* where it changes */
};

void pl011_fast_init(struct pl011_fast *fast, struct device_regions *regions)
{
    fast->regions = regions;
    device_regions_add_coalesced(regions, UARTDR, sizeof(uint32_t), false);
    device_regions_add_page(regions, 0, false);
    pl011_fast_reset(fast);
}

void pl011_fast_reset(struct pl011_fast *fast)
{
    fast->page_on = false;
    fast->coalesced = false;
    fast->characters = 0;
    fast->threshold = FIRST_THRESHOLD;
}

/* ---- the page ---- */

static bool page_is_right(const struct pl011_fast_state *state)
{
    return state->regs->rx_count == 0 && !state->input_held && (state->regs->cr & CR_LBE) == 0;
}

/* Whether the word changed; the guest may be reading it. */
static bool put(uint32_t *page, uint64_t offset, uint32_t value)
{
    uint32_t *word = &page[offset / sizeof(*page)];

    if (*word == value) {
        return false;
    }
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
    return true;
}

/* With an empty FIFO UARTDR reads as zero, as what isn't listed does. */
static void refresh(struct pl011_fast *fast, const struct pl011_fast_state *state)
{
    const struct pl011_registers *regs = state->regs;
    bool changed = put(fast->page, UARTFR, state->flags);

    changed |= put(fast->page, UARTRIS, regs->ris);
    changed |= put(fast->page, UARTMIS, regs->ris & regs->imsc);
    changed |= put(fast->page, UARTIMSC, regs->imsc);
    changed |= put(fast->page, UARTCR, regs->cr);
    changed |= put(fast->page, UARTRSR, regs->rsr);
    changed |= put(fast->page, UARTILPR, regs->ilpr);
    changed |= put(fast->page, UARTIBRD, regs->ibrd);
    changed |= put(fast->page, UARTFBRD, regs->fbrd);
    changed |= put(fast->page, UARTLCR_H, regs->lcr_h);
    changed |= put(fast->page, UARTIFLS, regs->ifls);
    changed |= put(fast->page, UARTDMACR, regs->dmacr);
    if (changed) {
        device_regions_page_changed(fast->regions, 0, PAGE_STATE_BYTES);
    }
}

static bool make_page(struct pl011_fast *fast)
{
    if (fast->page != NULL) {
        return true;
    }
    fast->page = device_regions_page(fast->regions);
    if (fast->page == NULL) {
        return false;
    }
    for (uint64_t id = PRIMECELL_PERIPH_ID0; id <= PRIMECELL_PCELL_ID3; id += sizeof(uint32_t)) {
        (void)put(fast->page, id, primecell_read_id(PL011_PERIPH_ID, id));
    }
    return true;
}

/* ---- switching ---- */

/* Whether a write to UARTDR does nothing but send a character. */
static bool writes_are_plain(const struct pl011_fast_state *state)
{
    const struct pl011_registers *regs = state->regs;
    bool awaits_interrupt = (regs->imsc & INT_TX) != 0 && (regs->ris & INT_TX) == 0;

    return (regs->cr & CR_LBE) == 0 && (state->tx_held || !awaits_interrupt);
}

/* It was on, and had to go: not so soon again. */
static void back_off(struct pl011_fast *fast)
{
    fast->characters = 0;
    if (fast->threshold < LAST_THRESHOLD) {
        fast->threshold *= 2;
    }
}

bool pl011_fast_follow(struct pl011_fast *fast, const struct pl011_fast_state *state)
{
    if (fast->coalesced && !writes_are_plain(state)) {
        fast->coalesced = !device_regions_set_coalesced(fast->regions, false);
        back_off(fast);
    }
    if (!fast->page_on) {
        return true;
    }
    if (page_is_right(state)) {
        refresh(fast, state);
        return true;
    }
    fast->page_on = !device_regions_set_page(fast->regions, false);
    back_off(fast);
    return !fast->page_on;
}

/* What the host refuses once isn't asked for again, until the next reset. */
static void switch_on(struct pl011_fast *fast, const struct pl011_fast_state *state)
{
    bool refused = false;

    if (!fast->page_on && page_is_right(state)) {
        fast->page_on = make_page(fast);
        if (fast->page_on) {
            refresh(fast, state);
            fast->page_on = device_regions_set_page(fast->regions, true);
        }
        refused = !fast->page_on;
    }
    if (!fast->coalesced && writes_are_plain(state)) {
        fast->coalesced = device_regions_set_coalesced(fast->regions, true);
        refused |= !fast->coalesced;
    }
    fast->characters = 0;
    fast->threshold = refused ? UINT32_MAX : fast->threshold;
}

bool pl011_fast_count_character(struct pl011_fast *fast, const struct pl011_fast_state *state)
{
    bool was_coalesced = fast->coalesced;

    fast->written = true;
    if (fast->regions == NULL || (fast->page_on && fast->coalesced) ||
        ++fast->characters < fast->threshold) {
        return false;
    }
    switch_on(fast, state);
    fast->idle_ticks = 0;
    return fast->coalesced && !was_coalesced;
}

bool pl011_fast_tick(struct pl011_fast *fast)
{
    if (!fast->coalesced) {
        return false;
    }
    fast->idle_ticks = fast->written ? 0 : fast->idle_ticks + 1;
    fast->written = false;
    if (fast->idle_ticks >= IDLE_TICKS) {
        fast->coalesced = !device_regions_set_coalesced(fast->regions, false);
        fast->characters = 0;
        if (fast->threshold < UINT32_MAX) {
            fast->threshold = FIRST_THRESHOLD;
        }
    }
    return fast->coalesced;
}
