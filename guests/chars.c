// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that talks a lot: "lines=N" numbered lines, each character after a look at UARTFR. Then,
 * with "answer", it polls UARTFR for a line from outside, without a word to anybody else, and says
 * what it got; "rounds=N" of all that. With "cpus" all CPUs print at once, a line at a time.
 */
#include "guest.h"

const char guest_name[] = "chars";

enum { UARTDR = 0x000, UARTFR = 0x018, FR_RXFE = 1 << 4, CHARACTER = 0xff };
enum { DEFAULT_LINES = 200, LINE_BYTES = 64, INPUT_MS = 60000 };

static uint32_t lock;

static bool has_input(void *context)
{
    (void)context;
    return !(read32(machine.uart + UARTFR) & FR_RXFE);
}

static void answer(void)
{
    char line[LINE_BYTES];
    uint32_t length = 0;

    print("READY\n");
    while (length < LINE_BYTES - 1) {
        if (!wait_until(has_input, NULL, INPUT_MS)) {
            CHECK(false);
            return;
        }
        char c = (char)(read32(machine.uart + UARTDR) & CHARACTER);
        if (c == '\n')
            break;
        line[length++] = c;
    }
    line[length] = '\0';
    print("GOT %s\n", line);
}

static void lock_take(void)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        ;
}

static void lock_give(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void print_lines(uint64_t count, uint32_t cpu)
{
    for (uint64_t i = 0; i < count; i++) {
        lock_take();
        print("LINE %u.%lu of this guest\n", cpu, i);
        lock_give();
    }
}

static void run_secondary(uint32_t index)
{
    print_lines(bootargs_number("lines", DEFAULT_LINES), index);
}

static void start_others(void)
{
    for (uint32_t i = 1; i < machine.cpu_count; i++)
        CHECK_EQ(cpu_start(i, run_secondary), 0);
}

static void await_others(void)
{
    for (uint32_t i = 1; i < machine.cpu_count; i++)
        CHECK(cpu_wait_off(i, INPUT_MS));
}

void guest_main(void)
{
    const uint64_t rounds = bootargs_number("rounds", 1);
    const uint64_t lines = bootargs_number("lines", DEFAULT_LINES);

    if (bootargs_has("cpus"))
        start_others();
    for (uint64_t i = 0; i < rounds; i++) {
        print_lines(lines, 0);
        if (bootargs_has("answer"))
            answer();
    }
    if (bootargs_has("cpus"))
        await_others();
}
