// SPDX-License-Identifier: Apache-2.0
/* GICv2 and GICv3 behind one set of functions. All interrupts are in the group that gives IRQs. */
#include "gic_registers.h"
#include "lib.h"

enum {
    PRIORITIES_OPEN = 0xff,
    PRIORITIES_DEFAULT = GIC_PRIORITY_DEFAULT * 0x01010101U, /* four in a word */
    ICC_SRE_EL1_SRE = 1 << 0,
    ICC_CTLR_EL1_EOIMODE = 1 << 1,
    IAR_INTID_V2 = 0x3ff, /* above it: the CPU that sent an SGI */
    AFFINITY_BITS = 8,
    RESPONSE_MS = 1000,
};

static interrupt_handler *irq_handler;
static uint64_t redistributors[GUEST_MAX_CPUS]; /* GICv3 */
static uint8_t interfaces[GUEST_MAX_CPUS];      /* GICv2: each CPU's bit in GICD_ITARGETSR */

static bool is_v3(void)
{
    return machine.gic_version != 2;
}

uint64_t gic_redistributor(void)
{
    return redistributors[cpu_index()];
}

/* Where the registers for an interrupt are: a CPU's own are its redistributor's in GICv3. */
static uint64_t bank(uint32_t intid)
{
    return is_v3() && intid < GIC_FIRST_SPI ? gic_redistributor() + GICR_SGI_BASE : machine.gicd;
}

static uint64_t word_of(uint32_t intid, uint64_t offset)
{
    return bank(intid) + offset + intid / GIC_INTIDS_PER_WORD * sizeof(uint32_t);
}

static uint32_t bit_of(uint32_t intid)
{
    return 1U << intid % GIC_INTIDS_PER_WORD;
}

struct wait_context {
    uint64_t address;
    uint32_t bits;
};

static bool is_clear(void *context)
{
    const struct wait_context *wait = context;

    return (read32(wait->address) & wait->bits) == 0;
}

static void wait_clear(uint64_t address, uint32_t bits)
{
    struct wait_context wait = {address, bits};

    CHECK(wait_until(is_clear, &wait, RESPONSE_MS));
}

/* Until writes to the enable registers and the control register have effect. */
static void wait_written(uint32_t intid)
{
    if (!is_v3())
        return;
    if (intid < GIC_FIRST_SPI)
        wait_clear(gic_redistributor() + GICR_CTLR, GICR_CTLR_RWP);
    else
        wait_clear(machine.gicd + GICD_CTLR, GICD_CTLR_RWP);
}

/* ---- one interrupt ---- */

void gic_enable(uint32_t intid)
{
    write32(word_of(intid, GICD_ISENABLER), bit_of(intid));
}

void gic_disable(uint32_t intid)
{
    write32(word_of(intid, GICD_ICENABLER), bit_of(intid));
    wait_written(intid);
}

void gic_set_edge(uint32_t intid, bool edge)
{
    const uint32_t per_word = GIC_INTIDS_PER_WORD / 2;
    uint64_t address = bank(intid) + GICD_ICFGR + intid / per_word * sizeof(uint32_t);
    uint32_t bit = (uint32_t)GICD_ICFGR_EDGE << intid % per_word * 2;
    uint32_t value = read32(address);

    write32(address, edge ? value | bit : value & ~bit);
}

void gic_set_priority(uint32_t intid, uint8_t priority)
{
    write8(bank(intid) + GICD_IPRIORITYR + intid, priority);
}

void gic_set_pending(uint32_t intid, bool pending)
{
    if (!is_v3() && intid < GIC_FIRST_PPI)
        write8(machine.gicd + (pending ? GICD_SPENDSGIR : GICD_CPENDSGIR) + intid,
               interfaces[cpu_index()]);
    else
        write32(word_of(intid, pending ? GICD_ISPENDR : GICD_ICPENDR), bit_of(intid));
}

bool gic_is_pending(uint32_t intid)
{
    return (read32(word_of(intid, GICD_ISPENDR)) & bit_of(intid)) != 0;
}

bool gic_is_active(uint32_t intid)
{
    return (read32(word_of(intid, GICD_ISACTIVER)) & bit_of(intid)) != 0;
}

static uint8_t interface_of(uint32_t index)
{
    return interfaces[index] ? interfaces[index] : (uint8_t)(1U << index);
}

void gic_route(uint32_t intid, uint32_t index)
{
    if (is_v3())
        write64(machine.gicd + GICD_IROUTER + intid * sizeof(uint64_t), machine.cpu_mpidr[index]);
    else
        write8(machine.gicd + GICD_ITARGETSR + intid, interface_of(index));
}

static uint64_t affinity_level(uint64_t mpidr, uint32_t shift)
{
    return mpidr >> shift & ((1U << AFFINITY_BITS) - 1);
}

/* ICC_SGI1R_EL1: Aff3 to Aff1, a range of 16 CPUs by Aff0, and a bit in that range. */
static uint64_t sgi_value(uint32_t sgi, uint64_t mpidr)
{
    enum { AFF1_SHIFT = 16, INTID_SHIFT = 24, AFF2_SHIFT = 32, RANGE_SHIFT = 44, AFF3_SHIFT = 48 };
    enum { RANGE_CPUS = 16 };
    uint64_t aff0 = affinity_level(mpidr, 0);

    return affinity_level(mpidr, 32) << AFF3_SHIFT | affinity_level(mpidr, 16) << AFF2_SHIFT |
           affinity_level(mpidr, 8) << AFF1_SHIFT | (uint64_t)sgi << INTID_SHIFT |
           aff0 / RANGE_CPUS << RANGE_SHIFT | 1ULL << aff0 % RANGE_CPUS;
}

void gic_send_sgi(uint32_t sgi, uint32_t index)
{
    __asm__ volatile("dsb ish" : : : "memory"); /* what is told comes before the telling */
    if (is_v3())
        WRITE_SYSREG(icc_sgi1r_el1, sgi_value(sgi, machine.cpu_mpidr[index]));
    else
        write32(machine.gicd + GICD_SGIR,
                (uint32_t)interface_of(index) << GICD_SGIR_TARGET_SHIFT | sgi);
}

/* ---- the CPU interface ---- */

uint32_t gic_acknowledge(void)
{
    uint32_t iar = is_v3() ? (uint32_t)READ_SYSREG(icc_iar1_el1) : read32(machine.gicc + GICC_IAR);

    __asm__ volatile("dsb sy" : : : "memory");
    return iar;
}

uint32_t gic_intid(uint32_t iar)
{
    return is_v3() ? iar : iar & IAR_INTID_V2;
}

void gic_end(uint32_t iar)
{
    __asm__ volatile("dsb sy" : : : "memory");
    if (is_v3())
        WRITE_SYSREG(icc_eoir1_el1, iar);
    else
        write32(machine.gicc + GICC_EOIR, iar);
}

void gic_set_priority_mask(uint8_t mask)
{
    if (is_v3())
        WRITE_SYSREG(icc_pmr_el1, mask);
    else
        write32(machine.gicc + GICC_PMR, mask);
    __asm__ volatile("dsb sy" : : : "memory");
}

uint8_t gic_running_priority(void)
{
    return (uint8_t)(is_v3() ? READ_SYSREG(icc_rpr_el1) : read32(machine.gicc + GICC_RPR));
}

uint32_t gic_highest_pending(void)
{
    return is_v3() ? (uint32_t)READ_SYSREG(icc_hppir1_el1) : read32(machine.gicc + GICC_HPPIR);
}

void gic_set_eoi_split(bool split)
{
    if (is_v3())
        WRITE_SYSREG(icc_ctlr_el1, split ? ICC_CTLR_EL1_EOIMODE : 0);
    else
        write32(machine.gicc + GICC_CTLR, GICC_CTLR_ENABLE | (split ? GICC_CTLR_EOIMODE : 0));
}

void gic_deactivate(uint32_t iar)
{
    if (is_v3())
        WRITE_SYSREG(icc_dir_el1, iar);
    else
        write32(machine.gicc + GICC_DIR, iar);
    __asm__ volatile("dsb sy" : : : "memory");
}

/* The binary point of group 1, which GICv3's interrupts are in, is one more for the same. */
void gic_set_preemption_bits(uint32_t bits)
{
    if (is_v3())
        WRITE_SYSREG(icc_bpr1_el1, 8 - bits);
    else
        write32(machine.gicc + GICC_BPR, 7 - bits);
}

static void irq_entry(void)
{
    uint32_t iar = gic_acknowledge();

    if (gic_intid(iar) >= GIC_FIRST_SPECIAL && gic_intid(iar) < GIC_FIRST_LPI)
        return;
    irq_handler(gic_intid(iar));
    gic_end(iar);
}

/* ---- setting up ---- */

static uint64_t redistributor_find(uint64_t region, uint64_t region_bytes)
{
    uint64_t mpidr = mpidr_affinity();
    uint64_t affinity = affinity_level(mpidr, 32) << 24 | (mpidr & 0xffffff);
    uint64_t end = region + region_bytes;
    uint64_t type;

    for (uint64_t at = region; at < end;
         at += type & GICR_TYPER_VLPIS ? GICR_BYTES_WITH_VLPIS : GICR_BYTES) {
        type = read64(at + GICR_TYPER);
        if (type >> GICR_TYPER_AFFINITY_SHIFT == affinity)
            return at;
        if (type & GICR_TYPER_LAST)
            break;
    }
    return 0;
}

static void redistributor_wake(void)
{
    uint64_t gicr = redistributor_find(machine.gicr, machine.gicr_bytes);

    if (gicr == 0)
        gicr = redistributor_find(machine.gicr_second, machine.gicr_second_bytes);
    CHECK(gicr != 0);
    redistributors[cpu_index()] = gicr;
    write32(gicr + GICR_WAKER, read32(gicr + GICR_WAKER) & ~(uint32_t)GICR_WAKER_PROCESSOR_SLEEP);
    wait_clear(gicr + GICR_WAKER, GICR_WAKER_CHILDREN_ASLEEP);
}

/* Off, not pending, not active, in the group of IRQs, of the default priority. */
static void word_reset(uint32_t first_intid)
{
    const uint32_t per_word = sizeof(uint32_t);

    write32(word_of(first_intid, GICD_ICENABLER), UINT32_MAX);
    wait_written(first_intid);
    write32(word_of(first_intid, GICD_ICPENDR), UINT32_MAX);
    write32(word_of(first_intid, GICD_ICACTIVER), UINT32_MAX);
    if (is_v3())
        write32(word_of(first_intid, GICD_IGROUPR), UINT32_MAX);
    for (uint32_t i = 0; i < GIC_INTIDS_PER_WORD; i += per_word)
        write32(bank(first_intid) + GICD_IPRIORITYR + first_intid + i, PRIORITIES_DEFAULT);
}

void gic_init_cpu(void)
{
    if (is_v3()) {
        redistributor_wake();
        WRITE_SYSREG(icc_sre_el1, ICC_SRE_EL1_SRE);
    } else {
        interfaces[cpu_index()] = read8(machine.gicd + GICD_ITARGETSR);
        if (interfaces[cpu_index()] == 0) /* so it reads if there is but one CPU */
            interfaces[cpu_index()] = 1;
    }
    word_reset(0);
    gic_set_priority_mask(PRIORITIES_OPEN);
    if (is_v3()) {
        WRITE_SYSREG(icc_bpr1_el1, 0);
        WRITE_SYSREG(icc_ctlr_el1, 0);
        WRITE_SYSREG(icc_igrpen1_el1, 1);
    } else {
        write32(machine.gicc + GICC_BPR, 0);
        write32(machine.gicc + GICC_CTLR, GICC_CTLR_ENABLE);
    }
}

uint32_t gic_intid_count(void)
{
    uint32_t lines = read32(machine.gicd + GICD_TYPER) & GICD_TYPER_IT_LINES;
    uint32_t count = (lines + 1) * GIC_INTIDS_PER_WORD;

    return count < GIC_FIRST_SPECIAL ? count : GIC_FIRST_SPECIAL;
}

void gic_init(interrupt_handler *handler)
{
    uint32_t count = gic_intid_count();

    irq_handler = handler;
    exception_set_irq_entry(irq_entry);
    write32(machine.gicd + GICD_CTLR, 0);
    wait_written(GIC_FIRST_SPI);
    if (is_v3()) /* before anything that ARE gives a meaning */
        write32(machine.gicd + GICD_CTLR, GICD_CTLR_ARE);
    wait_written(GIC_FIRST_SPI);
    gic_init_cpu();
    for (uint32_t intid = GIC_FIRST_SPI; intid < count; intid += GIC_INTIDS_PER_WORD)
        word_reset(intid);
    for (uint32_t intid = GIC_FIRST_SPI; intid < count; intid++)
        gic_route(intid, cpu_index());
    write32(machine.gicd + GICD_CTLR,
            is_v3() ? GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1A | GICD_CTLR_ENABLE : GICD_CTLR_ENABLE);
    wait_written(GIC_FIRST_SPI);
}
