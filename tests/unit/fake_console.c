// SPDX-License-Identifier: Apache-2.0
#include "fake_console.h"

#include <string.h>

void console_attach(struct console *console, const struct console_client *client)
{
    console->client = *client;
}

bool console_put(struct console *console, uint8_t byte)
{
    if (console->output_count < FAKE_CONSOLE_OUTPUT_BYTES - 1) {
        console->output[console->output_count] = (char)byte;
    }
    console->output_count++;
    return !console->full;
}

size_t console_put_some(struct console *console, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;

    while (taken < count && !console->full)
        (void)console_put(console, bytes[taken++]);
    return taken;
}

void console_resume_input(struct console *console)
{
    console->resumes++;
}

size_t console_write(struct console *console, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;

    if (console->client.output)
        return console->client.output(console->client.context, bytes, count);
    while (taken < count && !console->full)
        (void)console_put(console, bytes[taken++]);
    return taken;
}

void console_collect(struct console *console)
{
    console->collects++;
}

size_t fake_console_type(struct console *console, const char *bytes)
{
    return console->client.input(console->client.context, (const uint8_t *)bytes, strlen(bytes));
}

void fake_console_drain(struct console *console)
{
    console->full = false;
    console->client.output_ready(console->client.context);
}
