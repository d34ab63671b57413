// SPDX-License-Identifier: Apache-2.0
/* What each class of devices is used for, and what can be asked of it that is wrong. */
#include "../devices/virtio_balloon.h"
#include "../devices/virtio_blk.h"
#include "../devices/virtio_console.h"
#include "../devices/virtio_mmio.h"
#include "../devices/virtio_net.h"
#include "../devices/virtio_vsock.h"
#include "attack.h"

#define FEATURE(bit) (1UL << (bit))

static void fill(uint8_t *bytes, uint32_t count, uint8_t with)
{
    for (uint32_t i = 0; i < count; i++)
        ((volatile uint8_t *)bytes)[i] = with;
}

/* ---- entropy ---- */

static bool use_rng(void)
{
    return attack_ask(0, (const struct piece[]){GIVES(attack.in, 64)}, 1) - 1U < 64;
}

static void attack_rng(void)
{
    const struct piece takes = TAKES(attack.out, 64);
    const struct piece most = GIVES(attack.in, ATTACK_BUFFER_BYTES);

    CHECK_EQ(attack_ask(0, &takes, 1), 0);
    CHECK(attack_ask(0, &most, 1) <= ATTACK_BUFFER_BYTES);
    attack_survived("entropy without room, and with a lot");
}

/* ---- disks: sector n is filled with the byte n ---- */

enum { SECTOR = 512, HONEST_SECTOR = 5, STATUS_AT = 4096 };

static uint8_t ask_disk(uint32_t type, uint64_t sector, const struct piece *data)
{
    struct virtio_blk_header *header = (struct virtio_blk_header *)(attack.out + STATUS_AT);
    const struct piece status = GIVES(attack.in + STATUS_AT, 1);
    struct piece pieces[3] = {TAKES(header, sizeof(*header)), status, status};

    *header = (struct virtio_blk_header){.type = type, .sector = sector};
    attack.in[STATUS_AT] = UINT8_MAX;
    if (data)
        pieces[1] = *data;
    if (attack_ask(0, pieces, data ? 3 : 2) == UINT32_MAX)
        return UINT8_MAX;
    return ((volatile uint8_t *)attack.in)[STATUS_AT];
}

static bool use_disk(void)
{
    const struct piece data = GIVES(attack.in, SECTOR);
    bool good = ask_disk(VIRTIO_BLK_T_IN, HONEST_SECTOR, &data) == VIRTIO_BLK_S_OK;

    return good && attack.in[0] == HONEST_SECTOR && attack.in[SECTOR - 1] == HONEST_SECTOR;
}

static void attack_disk_sectors(void)
{
    static const uint64_t sectors[] = {UINT64_MAX, UINT64_MAX / SECTOR, 1UL << 55, 1UL << 40, 64};
    const struct piece gives = GIVES(attack.in, SECTOR), takes = TAKES(attack.out, SECTOR);
    const struct piece odd = TAKES(attack.out, SECTOR - 1), two = TAKES(attack.out, 2 * SECTOR);

    for (uint32_t i = 0; i < COUNT_OF(sectors); i++) {
        CHECK_EQ(ask_disk(VIRTIO_BLK_T_IN, sectors[i], &gives), VIRTIO_BLK_S_IOERR);
        CHECK_EQ(ask_disk(VIRTIO_BLK_T_OUT, sectors[i], &takes), VIRTIO_BLK_S_IOERR);
    }
    CHECK_EQ(ask_disk(VIRTIO_BLK_T_OUT, 63, &two), VIRTIO_BLK_S_IOERR);
    CHECK_EQ(ask_disk(VIRTIO_BLK_T_OUT, 0, &odd), VIRTIO_BLK_S_IOERR);
    CHECK_EQ(ask_disk(UINT32_MAX, 0, &takes), VIRTIO_BLK_S_UNSUPP);
    CHECK_EQ(ask_disk(VIRTIO_BLK_T_GET_ID, 0, NULL), VIRTIO_BLK_S_IOERR);
    attack_survived("sectors beyond the end, and data of no sector's size");
}

/* Ranges that overlap are allowed; they are of no sectors, for the disk is to stay as it is. */
static void attack_disk_ranges(uint32_t type)
{
    struct virtio_blk_range *ranges = (struct virtio_blk_range *)attack.out;
    static const struct virtio_blk_range bad[] = {
        {UINT64_MAX, 1, 0}, {1, UINT32_MAX, 0}, {UINT64_MAX / SECTOR, UINT32_MAX, 0},
        {63, 2, 0},         {64, 1, 0},         {UINT64_MAX - 1, UINT32_MAX, 0},
    };
    const struct piece one = TAKES(ranges, sizeof(*ranges));
    const struct piece many = TAKES(ranges, 17 * sizeof(*ranges));
    const struct piece cut = TAKES(ranges, sizeof(*ranges) - 1);

    for (uint32_t i = 0; i < COUNT_OF(bad); i++) {
        ranges[0] = bad[i];
        CHECK_EQ(ask_disk(type, 0, &one), VIRTIO_BLK_S_IOERR);
    }
    for (uint32_t i = 0; i < 17; i++)
        ranges[i] = (struct virtio_blk_range){3, 0, 0};
    CHECK_EQ(ask_disk(type, 0, &many), VIRTIO_BLK_S_IOERR);
    CHECK_EQ(ask_disk(type, 0, &cut), VIRTIO_BLK_S_IOERR);
    ranges[0].flags = UINT32_MAX;
    CHECK_EQ(ask_disk(type, 0, &one), VIRTIO_BLK_S_UNSUPP);
    attack_survived("ranges that can't be");
}

/* What has no header, or no place for its status, can only be given back. */
static void attack_disk_forms(void)
{
    struct virtio_blk_header *header = (struct virtio_blk_header *)attack.out;
    struct piece split[ATTACK_ENTRIES];
    const struct piece no_status = TAKES(header, sizeof(*header));
    const struct piece no_header = GIVES(attack.in, SECTOR + 1);

    *header = (struct virtio_blk_header){.type = VIRTIO_BLK_T_OUT};
    attack_start(0);
    CHECK(attack_ask(0, &no_status, 1) != UINT32_MAX);
    CHECK(attack_ask(0, &no_header, 1) != UINT32_MAX);
    attack_survived("requests without a header, or a status");
    attack_start(0);
    *header = (struct virtio_blk_header){.type = VIRTIO_BLK_T_IN, .sector = HONEST_SECTOR};
    for (uint32_t i = 0; i < ATTACK_ENTRIES - 2; i++)
        split[i] = (struct piece)TAKES(attack.out + i, 1);
    split[13].length = 3;
    split[14] = (struct piece)GIVES(attack.in, SECTOR - 1);
    split[15] = (struct piece)GIVES(attack.in + SECTOR - 1, 2);
    attack.in[SECTOR] = UINT8_MAX;
    CHECK_EQ(attack_ask(0, split, ATTACK_ENTRIES), SECTOR + 1);
    CHECK_EQ(((volatile uint8_t *)attack.in)[SECTOR], VIRTIO_BLK_S_OK);
    CHECK_EQ(((volatile uint8_t *)attack.in)[SECTOR - 1], HONEST_SECTOR);
    attack_survived("a header in pieces, and a status behind data");
}

static void attack_disk(void)
{
    attack_disk_sectors();
    attack_disk_ranges(VIRTIO_BLK_T_DISCARD);
    attack_disk_ranges(VIRTIO_BLK_T_WRITE_ZEROES);
    attack_disk_forms();
}

/* ---- networks ---- */

enum { SEND_QUEUE = 1, FRAME_BYTES = 60, MOST_FRAME_BYTES = 65550 };

static bool send(uint32_t size_bytes)
{
    const struct piece piece = TAKES(attack.out, size_bytes);

    return attack_ask(SEND_QUEUE, &piece, 1) == 0;
}

static bool use_net(void)
{
    fill(attack.out, VIRTIO_NET_HEADER_BYTES + FRAME_BYTES, 0);
    return send(VIRTIO_NET_HEADER_BYTES + FRAME_BYTES);
}

static void attack_net(void)
{
    static const uint32_t sizes[] = {
        1,
        VIRTIO_NET_HEADER_BYTES - 1,
        VIRTIO_NET_HEADER_BYTES,
        VIRTIO_NET_HEADER_BYTES + 1,
        25,
        VIRTIO_NET_HEADER_BYTES + 14,
        MOST_FRAME_BYTES,
        MOST_FRAME_BYTES + 13,
        ATTACK_BUFFER_BYTES,
    };
    static const struct virtio_net_header headers[] = {
        {.flags = UINT8_MAX, .gso_type = UINT8_MAX},
        {.flags = 1, .checksum_start = UINT16_MAX, .checksum_offset = UINT16_MAX},
        {.flags = 1, .checksum_start = FRAME_BYTES - 1, .checksum_offset = 0},
        {.gso_type = 1, .gso_bytes = 0},
        {.gso_type = 1, .gso_bytes = UINT16_MAX, .header_bytes = UINT16_MAX},
        {.flags = 1, .gso_type = 4, .gso_bytes = 1, .header_bytes = 1, .buffer_count = UINT16_MAX},
        {.gso_type = 0x81, .gso_bytes = 1448},
    };

    for (uint32_t i = 0; i < COUNT_OF(sizes); i++)
        CHECK(send(sizes[i]));
    attack_survived("frames of wrong sizes");
    for (uint32_t i = 0; i < COUNT_OF(headers); i++) {
        *(struct virtio_net_header *)attack.out = headers[i];
        CHECK(send(VIRTIO_NET_HEADER_BYTES + FRAME_BYTES));
        CHECK(send(VIRTIO_NET_HEADER_BYTES + MOST_FRAME_BYTES - FRAME_BYTES));
    }
    attack_survived("headers that can't be");
    for (uint32_t queue = SEND_QUEUE + 1; queue < attack.queue_count; queue++) {
        const struct piece nonsense[] = {TAKES(attack.out, 7), GIVES(attack.in, 1)};

        fill(attack.out, 7, UINT8_MAX);
        attack_offer(queue, nonsense, 2);
        attack_notify(queue);
        attack_survived("commands that there aren't");
    }
}

/* ---- sockets ---- */

enum { GUEST_CID = 3, GUEST_PORT = 1000, NOBODYS_PORT = 7777, EMPTY = VIRTIO_VSOCK_HEADER_BYTES };

static const struct virtio_vsock_header call = {
    .source_cid = GUEST_CID,
    .target_cid = VIRTIO_VSOCK_CID_HOST,
    .source_port = GUEST_PORT,
    .target_port = NOBODYS_PORT,
    .type = VIRTIO_VSOCK_TYPE_STREAM,
    .op = VIRTIO_VSOCK_OP_REQUEST,
    .space_bytes = 65536,
};

static bool say(const struct virtio_vsock_header *header, uint32_t size_bytes)
{
    const struct piece piece = TAKES(attack.out, size_bytes);

    *(struct virtio_vsock_header *)attack.out = *header;
    return attack_ask(VIRTIO_VSOCK_TX, &piece, 1) == 0;
}

/* Nobody listens there, and the device says so. */
static bool use_vsock(void)
{
    const struct piece room = GIVES(attack.in, 4096);
    const volatile struct virtio_vsock_header *answer =
        (const volatile struct virtio_vsock_header *)attack.in;

    attack_offer(VIRTIO_VSOCK_RX, &room, 1);
    attack_notify(VIRTIO_VSOCK_RX);
    return say(&call, EMPTY) && attack_wait(VIRTIO_VSOCK_RX) == EMPTY &&
           answer->op == VIRTIO_VSOCK_OP_RST && answer->target_port == GUEST_PORT &&
           answer->source_port == NOBODYS_PORT;
}

static void attack_vsock_headers(void)
{
    static const uint64_t cids[] = {0, 1, GUEST_CID, GUEST_CID + 1, UINT32_MAX, UINT64_MAX};
    static const uint32_t lengths[] = {1, 4096, 65536, UINT32_MAX};
    struct virtio_vsock_header wrong = call;

    for (uint32_t i = 0; i < COUNT_OF(cids); i++) {
        wrong = call;
        wrong.target_cid = cids[i];
        CHECK(say(&wrong, EMPTY));
        wrong = call;
        wrong.source_cid = cids[i] == GUEST_CID ? VIRTIO_VSOCK_CID_HOST : cids[i];
        CHECK(say(&wrong, EMPTY));
    }
    attack_survived("packets of and for others");
    for (uint32_t i = 0; i < COUNT_OF(lengths); i++) {
        wrong = call;
        wrong.data_bytes = lengths[i];
        CHECK(say(&wrong, EMPTY));
        wrong.op = VIRTIO_VSOCK_OP_RW;
        CHECK(say(&wrong, EMPTY));
        CHECK(say(&wrong, EMPTY + 100));
    }
    for (uint32_t bytes = 1; bytes < EMPTY; bytes += 7)
        CHECK(say(&call, bytes));
    CHECK(say(&call, ATTACK_BUFFER_BYTES));
    attack_survived("lengths that lie");
}

static void attack_vsock(void)
{
    static const uint16_t types[] = {0, 2, UINT16_MAX};
    struct virtio_vsock_header wrong = call;

    attack_vsock_headers();
    for (uint32_t op = 0; op < 10; op++) {
        wrong.op = op < 9 ? (uint16_t)op : UINT16_MAX;
        wrong.source_port = wrong.target_port = op & 1 ? UINT32_MAX : 0;
        wrong.flags = wrong.space_bytes = wrong.forwarded = UINT32_MAX;
        CHECK(say(&wrong, EMPTY));
    }
    wrong = call;
    for (uint32_t i = 0; i < COUNT_OF(types); i++) {
        wrong.type = types[i];
        CHECK(say(&wrong, EMPTY));
    }
    attack_survived("operations on streams that there aren't");
    wrong = call;
    attack_start(0);
    for (uint32_t i = 0; i < 200; i++) { /* more than the answers that the device keeps */
        const struct piece piece = TAKES(attack.out, EMPTY);

        wrong.source_port = i;
        *(struct virtio_vsock_header *)attack.out = wrong;
        attack_offer(VIRTIO_VSOCK_TX, &piece, 1);
        attack_notify(VIRTIO_VSOCK_TX);
    }
    attack_survived("calls, and no room for the answers");
}

/* ---- the balloon ---- */

enum { MANY_PAGES = 1024 };

static bool tell_pages(uint32_t queue, uint32_t size_bytes)
{
    const struct piece piece = TAKES(attack.out, size_bytes);

    return attack_ask(queue, &piece, 1) == 0;
}

static uint32_t *page_numbers(void)
{
    return (uint32_t *)attack.out;
}

static bool use_balloon(void)
{
    volatile uint8_t *page = attack.in;

    page[0] = 1;
    page_numbers()[0] = (uint32_t)((uint64_t)page / VIRTIO_BALLOON_PAGE_BYTES);
    return tell_pages(VIRTIO_BALLOON_INFLATE, 4) && page[0] == 0 &&
           tell_pages(VIRTIO_BALLOON_DEFLATE, 4);
}

/* Two GiB of them: the reset must not wait until the last one is done. */
static void attack_balloon_without_end(void)
{
    struct piece pieces[ATTACK_ENTRIES];
    uint64_t free_bytes = machine.memory_base + machine.memory_bytes / 2;

    attack_start(0);
    for (uint32_t i = 0; i < ATTACK_ENTRIES; i++)
        pieces[i] = (struct piece)TAKES(free_bytes, (uint32_t)(machine.memory_bytes / 4));
    attack_offer(VIRTIO_BALLOON_INFLATE, pieces, ATTACK_ENTRIES);
    attack_notify(VIRTIO_BALLOON_INFLATE);
    attack_survived("page numbers without end");
}

static void attack_balloon(void)
{
    uint32_t first = (uint32_t)(machine.memory_base / VIRTIO_BALLOON_PAGE_BYTES);
    uint32_t count = (uint32_t)(machine.memory_bytes / VIRTIO_BALLOON_PAGE_BYTES);
    const uint32_t wrong[] = {0, first - 1, first + count, UINT32_MAX, UINT32_MAX - 1, 0x80000000};
    const uint64_t rings[] = {(uint64_t)attack.rings[0].descriptors,
                              (uint64_t)attack.rings[0].driver, (uint64_t)attack.rings[0].device};

    for (uint32_t i = 0; i < COUNT_OF(wrong); i++)
        page_numbers()[i] = wrong[i];
    CHECK(tell_pages(VIRTIO_BALLOON_INFLATE, sizeof(wrong)));
    CHECK(tell_pages(VIRTIO_BALLOON_DEFLATE, sizeof(wrong)));
    CHECK(tell_pages(VIRTIO_BALLOON_INFLATE, 3));
    attack_survived("pages outside memory");
    for (uint32_t i = 0; i < MANY_PAGES; i++)
        page_numbers()[i] = (uint32_t)((uint64_t)attack.in / VIRTIO_BALLOON_PAGE_BYTES);
    CHECK(tell_pages(VIRTIO_BALLOON_INFLATE, MANY_PAGES * 4));
    attack_survived("one page, a thousand times");
    for (uint32_t i = 0; i < COUNT_OF(rings); i++) {
        const struct piece piece = TAKES(attack.out, 4);

        page_numbers()[0] = (uint32_t)(rings[i] / VIRTIO_BALLOON_PAGE_BYTES);
        attack_offer(VIRTIO_BALLOON_INFLATE, &piece, 1);
        attack_notify(VIRTIO_BALLOON_INFLATE);
        attack_survived("the pages of the ring itself");
    }
    for (uint32_t queue = VIRTIO_BALLOON_STATS; queue < VIRTIO_BALLOON_QUEUES; queue++) {
        const struct piece odd = TAKES(attack.out, 7), ring = GIVES(rings[0], 4096);

        fill(attack.out, ATTACK_PAGE_BYTES, UINT8_MAX);
        attack_offer(queue, &odd, 1);
        attack_notify(queue);
        attack_survived("statistics of nothing");
        attack_start(FEATURE(VIRTIO_BALLOON_F_PAGE_REPORTING));
        attack_offer(queue, &ring, 1);
        attack_notify(queue);
        attack_survived("the ring, reported as free");
    }
    attack_balloon_without_end();
}

/* ---- consoles with several ports ---- */

static bool use_console(void)
{
    const struct piece piece = TAKES(attack.out, sizeof(struct virtio_console_control));

    *(struct virtio_console_control *)attack.out =
        (struct virtio_console_control){0, VIRTIO_CONSOLE_DEVICE_READY, 1};
    return attack_ask(VIRTIO_CONSOLE_CONTROL_TX, &piece, 1) == 0;
}

static void attack_console(void)
{
    static const uint32_t ports[] = {0, 1, 2, 31, 32, UINT32_MAX};
    struct virtio_console_control *control = (struct virtio_console_control *)attack.out;

    for (uint32_t i = 0; i < ATTACK_QUEUES * 4; i += 2) {
        write16(machine.virtio_mmio + VIRTIO_MMIO_CONFIG + i, UINT16_MAX);
        (void)read16(machine.virtio_mmio + VIRTIO_MMIO_CONFIG + i);
    }
    attack_survived("its configuration, written");
    for (uint32_t i = 0; i < COUNT_OF(ports); i++)
        for (uint32_t event = 0; event < 10; event++) {
            const struct piece piece = TAKES(control, event < 9 ? sizeof(*control) : event);

            *control = (struct virtio_console_control){ports[i], (uint16_t)event, UINT16_MAX};
            CHECK(attack_ask(VIRTIO_CONSOLE_CONTROL_TX, &piece, 1) == 0);
        }
    attack_survived("control messages of no sense");
}

const struct victim victims[] = {
    {1, "net", FEATURE(VIRTIO_NET_F_CTRL_VQ) | FEATURE(VIRTIO_NET_F_MQ), 1U << SEND_QUEUE, use_net,
     attack_net},
    {2, "blk", 0, 1, use_disk, attack_disk},
    {3, "console", FEATURE(VIRTIO_CONSOLE_F_MULTIPORT), 1U << VIRTIO_CONSOLE_CONTROL_TX,
     use_console, attack_console},
    {4, "rng", 0, 1, use_rng, attack_rng},
    {5, "balloon", FEATURE(VIRTIO_BALLOON_F_STATS_VQ) | FEATURE(VIRTIO_BALLOON_F_PAGE_REPORTING),
     1U << VIRTIO_BALLOON_INFLATE | 1U << VIRTIO_BALLOON_DEFLATE, use_balloon, attack_balloon},
    {9, "9p", 0, 1, attack_9p_use, attack_9p},
    {19, "vsock", 0, 1U << VIRTIO_VSOCK_TX, use_vsock, attack_vsock},
    {0},
};
