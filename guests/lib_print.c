// SPDX-License-Identifier: Apache-2.0
/* Printing on the PL011 or an 8250; on a machine without either, into nothing. */
#include "lib.h"

#include <stdarg.h>

enum { UARTDR = 0x000, UARTFR = 0x018, FR_TXFF = 1 << 5 }; /* PrimeCell UART (PL011), 3.3 */
enum { THR = 0, LSR = 5, LSR_THRE = 1 << 5 };              /* 16550, registers a byte apart */
enum { DECIMAL = 10, HEXADECIMAL = 16, DIGITS_MAX = 20 };

static void print_char_8250(char c)
{
    if (machine.uart_8250 == 0)
        return;
    while (!(read8(machine.uart_8250 + LSR) & LSR_THRE))
        ;
    write8(machine.uart_8250 + THR, (uint8_t)c);
}

void print_char(char c)
{
    if (machine.uart == 0) {
        print_char_8250(c);
        return;
    }
    while (read32(machine.uart + UARTFR) & FR_TXFF)
        ;
    write32(machine.uart + UARTDR, (uint8_t)c);
}

static void print_string(const char *text)
{
    while (*text)
        print_char(*text++);
}

static void print_number(uint64_t value, uint32_t base, uint32_t width)
{
    char digits[DIGITS_MAX];
    uint32_t count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    for (; width > count; width--)
        print_char('0');
    while (count > 0)
        print_char(digits[--count]);
}

static void print_signed(int64_t value)
{
    if (value < 0)
        print_char('-');
    print_number(value < 0 ? -(uint64_t)value : (uint64_t)value, DECIMAL, 0);
}

/* What follows a '%'; returns the end of the directive. */
static const char *print_directive(const char *format, va_list *arguments)
{
    uint32_t width = 0;
    bool wide = false;

    for (; *format >= '0' && *format <= '9'; format++)
        width = width * DECIMAL + (uint32_t)(*format - '0');
    for (; *format == 'l'; format++)
        wide = true;

    switch (*format) {
    case 's':
        print_string(va_arg(*arguments, const char *));
        break;
    case 'c':
        print_char((char)va_arg(*arguments, int));
        break;
    case 'd':
        print_signed(wide ? va_arg(*arguments, int64_t) : va_arg(*arguments, int32_t));
        break;
    case 'u':
    case 'x':
        print_number(wide ? va_arg(*arguments, uint64_t) : va_arg(*arguments, uint32_t),
                     *format == 'x' ? HEXADECIMAL : DECIMAL, width);
        break;
    case '\0':
        return format;
    default:
        print_char(*format);
        break;
    }
    return format + 1;
}

void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    while (*format) {
        if (*format == '%') {
            format = print_directive(format + 1, &arguments);
            continue;
        }
        if (*format == '\n') /* a terminal in raw mode takes it for no more than "down" */
            print_char('\r');
        print_char(*format++);
    }
    va_end(arguments);
}
