// SPDX-License-Identifier: Apache-2.0
/* Exceptions at EL1: interrupts, the handlers a guest sets, and the end of all others. */
#include "cpu.h"
#include "lib.h"

/* The vectors come in four groups of these (DDI0487, D1.3.1). */
enum vector_kind { VECTOR_SYNCHRONOUS, VECTOR_IRQ, VECTOR_FIQ, VECTOR_SERROR, VECTOR_KINDS };

_Static_assert(sizeof(struct exception_frame) <= FRAME_BYTES, "cpu.S saves a whole frame");
_Static_assert(offsetof(struct exception_frame, spsr) == FRAME_SPSR, "cpu.S agrees");
_Static_assert(offsetof(struct exception_frame, far) == FRAME_FAR, "cpu.S agrees");

static exception_handler *synchronous_handler;
static exception_handler *serror_handler;
static void (*irq_entry)(void);
static bool dying;

void set_synchronous_handler(exception_handler *handler)
{
    synchronous_handler = handler;
}

void set_serror_handler(exception_handler *handler)
{
    serror_handler = handler;
}

void exception_set_irq_entry(void (*entry)(void))
{
    irq_entry = entry;
}

static _Noreturn void unexpected(const struct exception_frame *frame, uint64_t vector)
{
    static const char *const kinds[VECTOR_KINDS] = {"synchronous exception", "IRQ", "FIQ",
                                                    "SError"};
    enum { REGISTERS = 31, COLUMNS = 4 };

    if (dying)
        power_off();
    dying = true;
    print("\n%s, vector %lu, on MPIDR 0x%lx\n", kinds[vector % VECTOR_KINDS], vector,
          mpidr_affinity());
    print("ELR 0x%016lx SPSR 0x%016lx ESR 0x%016lx FAR 0x%016lx\n", frame->elr, frame->spsr,
          frame->esr, frame->far);
    for (uint32_t i = 0; i < REGISTERS; i++)
        print("x%u 0x%016lx%c", i, frame->x[i],
              i % COLUMNS == COLUMNS - 1 || i == REGISTERS - 1 ? '\n' : ' ');
    print("image at 0x%lx\n", (uint64_t)image_start);
    print("FAIL %s: unexpected exception\n", guest_name);
    power_off();
}

/* Called by cpu.S. */
void exception_dispatch(struct exception_frame *frame, uint64_t vector);

void exception_dispatch(struct exception_frame *frame, uint64_t vector)
{
    enum vector_kind kind = (enum vector_kind)(vector % VECTOR_KINDS);

    if (kind == VECTOR_IRQ && irq_entry)
        irq_entry();
    else if (kind == VECTOR_SYNCHRONOUS && synchronous_handler)
        synchronous_handler(frame);
    else if (kind == VECTOR_SERROR && serror_handler)
        serror_handler(frame);
    else
        unexpected(frame, vector);
}
