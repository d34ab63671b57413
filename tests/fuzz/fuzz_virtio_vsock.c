// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets between a guest and a host, both of which the input is: eight bytes a step. Steps send
 * packets of mostly plausible values, offer buffers, write descriptors and memory, and have clients
 * and services of the host connect, talk and leave. In the end an honest guest reaches the host.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/builtin.h"
#include "devices/virtio_mmio.h"
#include "devices/virtio_vsock.h"
#include "devices/virtio_worker.h"
#include "tests/fuzz/virtio_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ENTRIES = 16,
    PACKETS = 0x1000,
    PACKET_BYTES = 0x800,
    BUFFERS = 0x10000,
    BUFFER_BYTES = 0x400,
    MEMORY_BYTES = 0x20000,
    PAGE_BYTES = 4096,
    CID = 3,
    SERVICE_PORT = 7,
    SOCKETS = 8,
    BACKLOG = 16,
    SPACE = 1 << 16,
};

enum step_kind {
    PACKET,
    OFFER_RX,
    DESCRIBE,
    OFFER,
    SERVE,
    CLIENT,
    ACCEPT,
    WRITE,
    READ,
    CLOSE,
    POKE,
    RESTART,
    STEP_KINDS
};

static struct {
    char path[64];
    struct host_socket socket;
    int service;
    int sockets[SOCKETS]; /* the host's ends */
} world;

static struct virtio_fuzz driver = {.queue_count = VIRTIO_VSOCK_QUEUES, .entries = ENTRIES};

static struct sockaddr_un address_of(const char *suffix)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s%s", world.path, suffix);
    return address;
}

static int listen_at(const char *suffix)
{
    const struct sockaddr_un address = address_of(suffix);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)unlink(address.sun_path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, BACKLOG) != 0)
        abort();
    return fd;
}

static void clean_up(void)
{
    (void)unlink(address_of("").sun_path);
    (void)unlink(address_of("_7").sun_path);
}

static void make_world(void)
{
    const struct property properties[] = {{"cid", "3"}};

    (void)snprintf(world.path, sizeof(world.path), "/tmp/armlet-fuzz-%d", (int)getpid());
    world.socket = (struct host_socket){listen_at(""), world.path};
    world.service = listen_at("_7");
    (void)atexit(clean_up);
    for (int i = 0; i < SOCKETS; i++)
        world.sockets[i] = -1;
    virtio_fuzz_create(
        &driver, &virtio_vsock_class,
        (struct device_resources){.properties = {properties, 1}, .host_socket = &world.socket},
        aligned_alloc(PAGE_BYTES, MEMORY_BYTES), MEMORY_BYTES);
    /* This thread serves, and no other, so that an input always does the same. */
    virtio_worker_stop(virtio_fuzz_device(&driver));
    atomic_store(&virtio_fuzz_device(&driver)->waiting, 0);
}

static void start(void)
{
    virtio_fuzz_start(&driver, 0, PACKETS);
}

/* ---- the guest ---- */

static uint32_t port_of(uint8_t choice)
{
    static const uint32_t ports[] = {SERVICE_PORT, 1 << 30, (1 << 30) + 1, 9};

    return choice >= 0xf0 ? choice * 0x1010101U : ports[choice % 4];
}

static void put_packet(const uint8_t *step)
{
    uint32_t slot = driver.offered[VIRTIO_VSOCK_TX] % ENTRIES;
    uint32_t data_bytes = step[4] * 8U % (PACKET_BYTES - VIRTIO_VSOCK_HEADER_BYTES);
    const struct virtio_vsock_header header = {
        .source_cid = step[2] > 250 ? step[2] : CID,
        .target_cid = step[2] > 245 ? step[2] : VIRTIO_VSOCK_CID_HOST,
        .source_port = 1000U + (step[2] & 3),
        .target_port = port_of(step[3]),
        .data_bytes = data_bytes + (step[5] > 250 ? (uint32_t)step[5] << 20 : 0),
        .type = step[5] > 245 ? step[5] : VIRTIO_VSOCK_TYPE_STREAM,
        .op = step[1] % 9,
        .flags = step[6] & 7,
        .space_bytes = step[6] > 128 ? step[6] & 7U : SPACE,
        .forwarded = step[7] > 128 ? step[7] * 0x1000000U : step[7],
    };
    uint64_t at = PACKETS + slot * PACKET_BYTES;
    const struct descriptor descriptor = {
        BASE + at, VIRTIO_VSOCK_HEADER_BYTES + (header.op == VIRTIO_VSOCK_OP_RW ? data_bytes : 0),
        0, 0};

    memcpy(driver.bytes + at, &header, sizeof(header));
    virtio_fuzz_put(&driver, VIRTIO_VSOCK_TX, slot, &descriptor);
    virtio_fuzz_offer(&driver, VIRTIO_VSOCK_TX, (uint16_t)slot, step[5] == 77 ? UINT8_MAX : 0);
}

static void offer_rx(const uint8_t *step)
{
    static const uint32_t lengths[] = {BUFFER_BYTES, 44, 45, 1, 60, 100, 300, BUFFER_BYTES};
    uint32_t slot = driver.offered[VIRTIO_VSOCK_RX] % ENTRIES;
    const struct descriptor descriptor = {BASE + BUFFERS + slot * BUFFER_BYTES,
                                          lengths[step[1] % 8], DESCRIPTOR_WRITE, 0};

    virtio_fuzz_put(&driver, VIRTIO_VSOCK_RX, slot, &descriptor);
    virtio_fuzz_offer(&driver, VIRTIO_VSOCK_RX, (uint16_t)slot, step[2] > 252 ? step[2] : 0);
}

static void describe(const uint8_t *step)
{
    static const uint32_t lengths[] = {44, 1, 20, 24, 100, 0, BUFFER_BYTES, UINT32_MAX};
    const struct descriptor descriptor = {
        BASE + (step[3] > 250 ? UINT32_MAX : PACKETS + step[3] * 0x100U), lengths[step[4] % 8],
        step[5] & 7, step[6] % (ENTRIES + 1)};

    virtio_fuzz_put(&driver, step[1] % VIRTIO_VSOCK_QUEUES, step[2], &descriptor);
}

/* ---- the host ---- */

static void replace(uint8_t choice, int fd)
{
    int *place = &world.sockets[choice % SOCKETS];

    if (*place >= 0)
        (void)close(*place);
    *place = fd;
}

static void add_client(const uint8_t *step)
{
    static const char *const greetings[] = {"CONNECT 1000\n", "CONNECT 1001\nmore", "CONNECT ",
                                            "HELLO\n"};
    const struct sockaddr_un address = address_of("");
    const char *greeting = greetings[step[2] % 4];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)!connect(fd, (const struct sockaddr *)&address, sizeof(address));
    (void)send(fd, greeting, strlen(greeting), MSG_NOSIGNAL);
    replace(step[1], fd);
}

static void talk(const uint8_t *step, bool write)
{
    static uint8_t bytes[1 << 18];
    size_t size_bytes = step[2] > 200 ? sizeof(bytes) : step[2];
    int fd = world.sockets[step[1] % SOCKETS];

    if (fd >= 0 && write)
        (void)!send(fd, bytes, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    else if (fd >= 0)
        (void)!recv(fd, bytes, size_bytes, MSG_DONTWAIT);
}

static void end(const uint8_t *step)
{
    if (step[2] < 3 && world.sockets[step[1] % SOCKETS] >= 0)
        (void)shutdown(world.sockets[step[1] % SOCKETS], step[2]);
    else
        replace(step[1], -1);
}

static void do_step(const uint8_t *step)
{
    switch ((enum step_kind)(step[0] % STEP_KINDS)) {
    case PACKET:
        put_packet(step);
        break;
    case OFFER_RX:
        offer_rx(step);
        break;
    case DESCRIBE:
        describe(step);
        break;
    case OFFER:
        virtio_fuzz_offer(&driver, step[1] % VIRTIO_VSOCK_QUEUES, step[2] % (ENTRIES + 1),
                          step[3] > 252 ? step[3] : 0);
        break;
    case SERVE:
        virtio_fuzz_serve(&driver);
        break;
    case CLIENT:
        add_client(step);
        break;
    case ACCEPT:
        replace(step[1], accept4(world.service, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
        break;
    case WRITE:
        talk(step, true);
        break;
    case READ:
        talk(step, false);
        break;
    case CLOSE:
        end(step);
        break;
    case POKE:
        virtio_fuzz_poke(&driver, step);
        break;
    case RESTART:
        start();
        break;
    case STEP_KINDS:
        break;
    }
}

static void close_all(void)
{
    int fd;

    for (uint8_t i = 0; i < SOCKETS; i++)
        replace(i, -1);
    while ((fd = accept4(world.service, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        (void)close(fd);
}

/* What the guest asks for is answered: by nobody but the host's service. */
static void check_honest(void)
{
    const uint8_t request[STEP_BYTES] = {PACKET, VIRTIO_VSOCK_OP_REQUEST};
    const uint8_t room[STEP_BYTES] = {OFFER_RX};
    struct virtio_vsock_header answer;

    /* Clients that still wait would be told to the guest first. */
    start();
    close_all();
    for (int i = 0; i <= BACKLOG; i++) /* as many as listen(2) lets in */
        virtio_fuzz_serve(&driver);
    start();
    do_step(room);
    do_step(request);
    virtio_fuzz_serve(&driver);
    memcpy(&answer, driver.bytes + BUFFERS, sizeof(answer));
    if (answer.op != VIRTIO_VSOCK_OP_RESPONSE || answer.source_port != SERVICE_PORT)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!driver.device)
        make_world();
    memset(driver.bytes, 0, MEMORY_BYTES);
    start();
    for (size_t at = 0; size - at >= STEP_BYTES; at += STEP_BYTES)
        do_step(&data[at]);
    virtio_fuzz_serve(&driver);
    check_honest();
    virtio_fuzz_set(&driver, VIRTIO_MMIO_STATUS, 0);
    close_all();
    return 0;
}
