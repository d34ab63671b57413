// SPDX-License-Identifier: Apache-2.0
/*
 * armlet's own calls, as armlet-testdev(7) has them. With "exit=N" the guest ends by one; with
 * "none" the machine must not offer any.
 */
#include "armlet/hypercall.h"
#include "guest.h"

const char guest_name[] = "hypercall";

enum { WRITES = 50, NO_EXIT = -1 };

static int64_t call(uint32_t number, uint64_t x1, uint64_t x2)
{
    return psci_call(HYPERCALL_BASE_64 + number, x1, x2, 0);
}

static void put_text(const char *text)
{
    while (*text)
        if (call(HYPERCALL_PUT, (uint8_t)*text, 0) == 1)
            text++;
}

/* All of it, however often the console holds back. */
static void write_text(const char *text, uint64_t size_bytes)
{
    while (size_bytes > 0) {
        int64_t taken = call(HYPERCALL_WRITE, (uint64_t)text, size_bytes);

        CHECK(taken >= 0 && (uint64_t)taken <= size_bytes);
        if (taken < 0 || (uint64_t)taken > size_bytes)
            return;
        text += taken;
        size_bytes -= (uint64_t)taken;
    }
}

/* By both ways in turn: what comes out is in the order in which it was written. */
static void check_output(void)
{
    static const char text[] = "from a buffer\n";

    for (uint32_t i = 0; i < WRITES; i++) {
        print("%u by the UART, ", i);
        put_text("by the character, ");
        write_text(text, sizeof(text) - 1);
    }
}

static void check_refusals(void)
{
    uint64_t end = machine.memory_base + machine.memory_bytes;

    CHECK_EQ(call(HYPERCALL_WRITE, 0, 1), (uint64_t)HYPERCALL_INVALID_PARAMETER);
    CHECK_EQ(call(HYPERCALL_WRITE, end - 1, 2), (uint64_t)HYPERCALL_INVALID_PARAMETER);
    CHECK_EQ(call(HYPERCALL_WRITE, machine.uart, 4), (uint64_t)HYPERCALL_INVALID_PARAMETER);
    CHECK_EQ(call(HYPERCALL_WRITE, machine.memory_base, 0), 0);
    CHECK_EQ(call(HYPERCALL_EXIT + 1, 0, 0), (uint64_t)HYPERCALL_NOT_SUPPORTED);
    CHECK_EQ(call(HYPERCALL_COUNT - 1, 0, 0), (uint64_t)HYPERCALL_NOT_SUPPORTED);
    CHECK_EQ(call(HYPERCALL_COUNT, 0, 0), (uint64_t)HYPERCALL_NOT_SUPPORTED);
}

void guest_main(void)
{
    int64_t status = (int64_t)bootargs_number("exit", (uint64_t)NO_EXIT);

    if (bootargs_has("none")) {
        CHECK(!machine.hypercalls);
        CHECK_EQ(call(HYPERCALL_VERSION, 0, 0), (uint64_t)HYPERCALL_NOT_SUPPORTED);
        return;
    }
    CHECK(machine.hypercalls);
    CHECK_EQ(call(HYPERCALL_VERSION, 0, 0), HYPERCALL_VERSION_VALUE);
    CHECK_EQ(psci_call(HYPERCALL_BASE_32 + HYPERCALL_VERSION, 0, 0, 0), HYPERCALL_VERSION_VALUE);
    check_output();
    check_refusals();
    if (status == NO_EXIT)
        return;
    print("%s with status %ld\n", failed_checks() ? "FAIL" : "EXIT", status);
    CHECK_EQ(call(HYPERCALL_EXIT, (uint64_t)status, 0), 0);
    for (;;)
        __asm__ volatile("wfi");
}
