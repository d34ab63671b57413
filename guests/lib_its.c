// SPDX-License-Identifier: Apache-2.0
#include "its.h"

#include "gic_registers.h"

enum {
    PAGE_BYTES = 4096,
    TABLE_BYTES = 65536, /* the largest page of GITS_BASER<n>, and what pending tables align to */
    LPI_ID_BITS = 14,    /* the fewest that have LPIs */
    PROPERTY_BYTES = (1 << LPI_ID_BITS) - GIC_FIRST_LPI,
    PENDING_BYTES = TABLE_BYTES,
    ITT_ALIGNMENT = 256,
    RESPONSE_MS = 1000,
};

/* Inner shareable, write-back, allocating: as the MMU has memory. */
#define GITS_BASER_CACHED       (7ULL << 59 | 1ULL << 10)
#define GITS_BASER_PAGES_64K    (2ULL << 8)
#define GITS_BASER_TYPE(v)      ((v) >> 56 & 7)
#define GITS_BASER_KEPT         (7ULL << 56 | 0x1fULL << 48) /* Type and Entry_Size */
#define GICR_TABLE_CACHED       (7ULL << 7 | 1ULL << 10)
#define GICR_PENDBASER_PTZ      (1ULL << 62)
#define GITS_TYPER_ITT_ENTRY(v) (((v) >> 4 & 0xf) + 1)
#define GICR_TYPER_NUMBER(v)    ((v) >> 8 & 0xffff)
#define RDBASE_SHIFT            16

/* 5.3: ITS commands. */
enum command {
    COMMAND_MOVI = 0x01,
    COMMAND_INT = 0x03,
    COMMAND_CLEAR = 0x04,
    COMMAND_SYNC = 0x05,
    COMMAND_MAPD = 0x08,
    COMMAND_MAPC = 0x09,
    COMMAND_MAPTI = 0x0a,
    COMMAND_INV = 0x0c,
    COMMAND_DISCARD = 0x0f,
    COMMAND_BYTES = 32,
    COMMAND_HIGH_SHIFT = 32, /* a device or an LPI, in the upper half of its doubleword */
};

enum { PROPERTY_ENABLED = 1 << 0, PROPERTY_RES1 = 1 << 1, PROPERTY_PRIORITY = 0xfc };

static uint64_t queue;
static uint64_t queue_at;
static uint64_t properties;
static uint64_t rdbase[GUEST_MAX_CPUS]; /* each CPU as commands name it */
static uint32_t collection_cpu[GUEST_MAX_CPUS];

static bool is_queue_done(void *context)
{
    uint64_t at = read64(machine.its + GITS_CREADR);

    (void)context;
    return at == queue_at || (at & GITS_CREADR_STALLED) != 0;
}

static void command(uint64_t word0, uint64_t word1, uint64_t word2)
{
    write64(queue + queue_at, word0);
    write64(queue + queue_at + 8, word1);
    write64(queue + queue_at + 16, word2);
    write64(queue + queue_at + 24, 0);
    __asm__ volatile("dsb ish" : : : "memory");
    queue_at = (queue_at + COMMAND_BYTES) % PAGE_BYTES;
    write64(machine.its + GITS_CWRITER, queue_at);
    CHECK(wait_until(is_queue_done, NULL, RESPONSE_MS));
    CHECK_EQ(read64(machine.its + GITS_CREADR), queue_at);
}

static void sync(uint32_t collection)
{
    command(COMMAND_SYNC, 0, rdbase[collection_cpu[collection]]);
}

static uint64_t of_device(enum command code, uint32_t device)
{
    return (uint64_t)device << COMMAND_HIGH_SHIFT | code;
}

/* ---- setting up ---- */

static void tables_give(void)
{
    for (uint64_t i = 0; i < GITS_BASER_COUNT; i++) {
        uint64_t address = machine.its + GITS_BASER + i * sizeof(uint64_t);
        uint64_t kept = read64(address) & GITS_BASER_KEPT;

        if (GITS_BASER_TYPE(kept) != 0)
            write64(address, GITS_VALID | GITS_BASER_CACHED | GITS_BASER_PAGES_64K | kept |
                                 memory_take(TABLE_BYTES, TABLE_BYTES));
    }
}

void its_init(void)
{
    write32(machine.its + GITS_CTLR, 0);
    tables_give();
    queue = memory_take(PAGE_BYTES, TABLE_BYTES);
    queue_at = 0;
    write64(machine.its + GITS_CBASER, GITS_VALID | GITS_BASER_CACHED | queue); /* one page */
    write64(machine.its + GITS_CWRITER, 0);
    write32(machine.its + GITS_CTLR, GITS_CTLR_ENABLED);
    properties = memory_take(PROPERTY_BYTES, PAGE_BYTES);
}

void its_init_cpu(void)
{
    uint64_t gicr = gic_redistributor();
    uint64_t pending = memory_take(PENDING_BYTES, TABLE_BYTES);

    write64(gicr + GICR_PROPBASER, properties | GICR_TABLE_CACHED | (LPI_ID_BITS - 1));
    write64(gicr + GICR_PENDBASER, pending | GICR_TABLE_CACHED | GICR_PENDBASER_PTZ);
    __asm__ volatile("dsb sy" : : : "memory");
    write32(gicr + GICR_CTLR, read32(gicr + GICR_CTLR) | GICR_CTLR_ENABLE_LPIS);
    rdbase[cpu_index()] = read64(machine.its + GITS_TYPER) & GITS_TYPER_PTA
                              ? gicr
                              : GICR_TYPER_NUMBER(read64(gicr + GICR_TYPER)) << RDBASE_SHIFT;
}

void its_configure_lpi(uint32_t lpi, uint8_t priority, bool enabled)
{
    write8(properties + lpi - GIC_FIRST_LPI,
           (uint8_t)((priority & PROPERTY_PRIORITY) | PROPERTY_RES1 |
                     (enabled ? PROPERTY_ENABLED : 0)));
    __asm__ volatile("dsb ish" : : : "memory");
}

/* ---- commands ---- */

void its_map_device(uint32_t device, uint32_t event_bits)
{
    uint64_t entry_bytes = GITS_TYPER_ITT_ENTRY(read64(machine.its + GITS_TYPER));
    uint64_t table = memory_take(entry_bytes << event_bits, ITT_ALIGNMENT);

    command(of_device(COMMAND_MAPD, device), event_bits - 1, GITS_VALID | table);
}

void its_map_collection(uint32_t collection, uint32_t index)
{
    collection_cpu[collection] = index;
    command(COMMAND_MAPC, 0, GITS_VALID | rdbase[index] | collection);
    sync(collection);
}

void its_map_event(uint32_t device, uint32_t event, uint32_t lpi, uint32_t collection)
{
    command(of_device(COMMAND_MAPTI, device), (uint64_t)lpi << COMMAND_HIGH_SHIFT | event,
            collection);
    sync(collection);
}

void its_move_event(uint32_t device, uint32_t event, uint32_t collection)
{
    command(of_device(COMMAND_MOVI, device), event, collection);
    sync(collection);
}

void its_discard_event(uint32_t device, uint32_t event)
{
    command(of_device(COMMAND_DISCARD, device), event, 0);
}

void its_invalidate(uint32_t device, uint32_t event)
{
    command(of_device(COMMAND_INV, device), event, 0);
}

void its_interrupt(uint32_t device, uint32_t event)
{
    command(of_device(COMMAND_INT, device), event, 0);
}

void its_clear(uint32_t device, uint32_t event)
{
    command(of_device(COMMAND_CLEAR, device), event, 0);
}
