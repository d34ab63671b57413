// SPDX-License-Identifier: Apache-2.0
/*
 * Two ports, and a driver and an outside that the input is: a byte for what is negotiated, then
 * eight bytes a step. Steps write messages, descriptors, memory and registers, make chains
 * available, and have somebody outside come, leave, type, and stop reading. In the end an honest
 * driver's bytes go both ways. The device's worker is stopped, and each step is done when it is
 * over.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "devices/builtin.h"
#include "devices/virtio_console.h"
#include "devices/virtio_mmio.h"
#include "devices/virtio_worker.h"
#include "tests/fuzz/virtio_fuzz.h"
#include "tests/unit/fake_console.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ENTRIES = 8,
    PORTS = 2,
    QUEUES = 2 * PORTS + 4,
    BUFFERS = 0x2000,
    BUFFER_BYTES = 0x100,
    MEMORY_BYTES = 0x4000,
    TYPED_BYTES = 300,
};

enum step_kind {
    MESSAGE,
    DESCRIBE,
    OFFER,
    SERVE,
    TYPE,
    PEER,
    FULL,
    POKE,
    REGISTER,
    RESTART,
    STEP_KINDS
};

static struct console consoles[PORTS];
static const struct console_port ports[PORTS] = {{"one", &consoles[0]}, {"two", &consoles[1]}};
static struct virtio_fuzz driver = {.queue_count = QUEUES, .entries = ENTRIES};
static char typed[TYPED_BYTES + 1];

static void make_world(void)
{
    memset(typed, 't', TYPED_BYTES);
    virtio_fuzz_create(&driver, &virtio_ports_class,
                       (struct device_resources){.ports = ports, .port_count = PORTS},
                       calloc(1, MEMORY_BYTES), MEMORY_BYTES);
    virtio_worker_stop(virtio_fuzz_device(&driver));
    atomic_store(&virtio_fuzz_device(&driver)->waiting, 0);
}

static void start(uint8_t negotiated)
{
    virtio_fuzz_start(&driver,
                      negotiated & 1 ? VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT) : UINT64_C(0),
                      MEMORY_BYTES);
}

static void describe(uint32_t queue, uint32_t index, uint32_t buffer, uint32_t length,
                     uint16_t flags, uint16_t next)
{
    const struct descriptor descriptor = {BASE + BUFFERS + buffer * BUFFER_BYTES, length, flags,
                                          next};

    virtio_fuzz_put(&driver, queue, index, &descriptor);
}

static void put_message(uint32_t buffer, uint32_t port, uint16_t event, uint16_t value)
{
    const struct virtio_console_control control = {port, event, value};

    memcpy(driver.bytes + BUFFERS + buffer * BUFFER_BYTES, &control, sizeof(control));
}

static void do_describe(const uint8_t *step)
{
    static const uint32_t lengths[] = {8, 64, BUFFER_BYTES, 7, 0, 1, MEMORY_BYTES, UINT32_MAX};

    describe(step[1] % QUEUES, step[2], step[3] % 40U, lengths[step[4] % 8], step[5] & 7,
             step[6] % (ENTRIES + 1));
}

static void type(struct console *console)
{
    const struct console_client *client = &console->client;

    if (client->listens(client->context) && fake_console_type(console, typed) > TYPED_BYTES)
        abort();
}

static void write_register(const uint8_t *step)
{
    uint32_t offset = step[1] * 4U % VIRTIO_MMIO_BYTES;

    virtio_fuzz_set(&driver, step[2] & 1 ? VIRTIO_MMIO_CONFIG + step[1] % 8U * 4 : offset,
                    step[3] | (uint32_t)step[4] << 24);
}

static void come(struct console *console, bool present)
{
    console->client.peer_changed(console->client.context, present);
}

static void do_step(const uint8_t *step)
{
    struct console *console = &consoles[step[1] % PORTS];

    switch ((enum step_kind)(step[0] % STEP_KINDS)) {
    case MESSAGE:
        put_message(step[1] % 32U, step[2] % 4U, step[3] % 9U, step[4]);
        break;
    case DESCRIBE:
        do_describe(step);
        break;
    case OFFER:
        virtio_fuzz_offer(&driver, step[1] % QUEUES, step[2] % (ENTRIES + 1),
                          step[3] > 252 ? step[3] : 0);
        break;
    case SERVE:
        virtio_fuzz_serve(&driver);
        break;
    case TYPE:
        type(console);
        break;
    case PEER:
        come(console, step[2] & 1);
        break;
    case FULL:
        console->full = step[2] & 1;
        break;
    case POKE:
        virtio_fuzz_poke(&driver, step);
        break;
    case REGISTER:
        write_register(step);
        break;
    case RESTART:
        start(step[1]);
        break;
    case STEP_KINDS:
        break;
    }
}

static void submit(uint32_t queue, uint32_t buffer, uint32_t length, bool writable)
{
    uint16_t head = driver.offered[queue] % ENTRIES;

    describe(queue, head, buffer, length, writable ? DESCRIPTOR_WRITE : 0, 0);
    virtio_fuzz_offer(&driver, queue, head, 0);
    virtio_fuzz_serve(&driver);
}

/* What an honest driver of port 1 sends arrives, and so does what is typed. */
static void check_honest(void)
{
    const uint32_t at = BUFFERS + 2 * BUFFER_BYTES;
    size_t before;

    consoles[0].full = false;
    start(1);
    before = consoles[0].output_count;
    for (uint32_t i = 0; i < 4; i++)
        submit(VIRTIO_CONSOLE_CONTROL_RX, 4 + i, BUFFER_BYTES, true);
    for (size_t i = 0; i < 2; i++) {
        put_message(0, 1, i == 0 ? VIRTIO_CONSOLE_PORT_READY : VIRTIO_CONSOLE_PORT_OPEN, 1);
        submit(VIRTIO_CONSOLE_CONTROL_TX, 0, sizeof(struct virtio_console_control), false);
    }
    submit(VIRTIO_CONSOLE_PORT_TX(1U), 1, 10, false);
    if (consoles[0].output_count != before + 10)
        abort();
    for (int i = 0; i < ENTRIES; i++)
        (void)fake_console_type(&consoles[0], typed);
    submit(VIRTIO_CONSOLE_PORT_RX(1U), 2, 10, true);
    if (memcmp(driver.bytes + at, typed, 10) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!driver.device)
        make_world();
    if (size == 0)
        return 0;
    start(data[0]);
    virtio_fuzz_steps(data, size, do_step);
    virtio_fuzz_serve(&driver);
    check_honest();
    return 0;
}
