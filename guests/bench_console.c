// SPDX-License-Identifier: Apache-2.0
/* The console, out and in. What is printed here begins no line with "bench:". */
#include "bench.h"

enum { UARTDR = 0x000, UARTFR = 0x018, FR_RXFE = 1 << 4 }; /* PrimeCell UART (PL011), 3.3 */
enum { RBR = 0, LSR = 5, LSR_DR = 1 << 0 };                /* 16550 */
enum { LINE = 64, BURST = 16, INPUT_MS = 500 };

static const char *need_console(void)
{
    return machine.uart || machine.uart_8250 ? NULL : "the device tree has no console";
}

static uint64_t out(void)
{
    uint64_t ticks = BENCH_BATCH_OF(LINE, print_char('.'));

    print("\n");
    return ticks;
}

static bool has_input(void *context)
{
    (void)context;
    if (machine.uart)
        return (read32(machine.uart + UARTFR) & FR_RXFE) == 0;
    return (read8(machine.uart_8250 + LSR) & LSR_DR) != 0;
}

static void take_input(void)
{
    if (machine.uart)
        (void)read32(machine.uart + UARTDR);
    else
        (void)read8(machine.uart_8250 + RBR);
}

static bool starved;

/* Asks for a burst; what counts is the time in which there is something to take. */
static uint64_t in(void)
{
    uint32_t taken = 0;
    uint64_t ticks = 0;

    print("bench: input %d\n", BURST);
    while (taken < BURST && wait_until(has_input, NULL, INPUT_MS)) {
        uint64_t start = ticks_now();

        for (; taken < BURST && has_input(NULL); taken++)
            take_input();
        ticks += ticks_now() - start;
    }
    starved = taken < BURST;
    return ticks;
}

/* Who reads what is printed answers "bench: input N" with N characters, or there is nothing. */
static const char *need_input(void)
{
    const char *why_not = need_console();

    if (why_not)
        return why_not;
    (void)in();
    return starved ? "nobody answers on the console" : NULL;
}

const struct benchmark bench_console[] = {
    {.id = BENCH_CONSOLE_OUT, .operations = LINE, .prepare = need_console, .sample = out},
    {.id = BENCH_CONSOLE_IN, .operations = BURST, .prepare = need_input, .sample = in},
    {.sample = NULL},
};
