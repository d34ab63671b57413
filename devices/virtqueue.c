// SPDX-License-Identifier: Apache-2.0
/*
 * Memory ordering. The driver runs on another CPU, at the same time:
 *
 *   taking     the index (or a packed descriptor's flags) is read with acquire before anything that
 *              it makes available: pairs with the driver's barrier before it writes the index.
 *   returning  the used index (or the flags) is written with release after the used element and all
 *              that was written to buffers: pairs with the driver's barrier after it reads it.
 *   signalling a full barrier is between writing the used index and reading whether the driver
 *              wants to know; the driver writes that, then looks at the used index. Without it both
 *              could read the old value, and an interrupt would be lost. Notifications, with the
 *              roles swapped, the same: virtqueue_set_notify() ends in that barrier.
 */
#include "virtqueue.h"

#include <string.h>

#include "virtqueue_layout.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtqueues are little endian (1.4)");

/* ---- the guest's memory ---- */

/* The only read of these bytes: what was compiled before the barrier can't be read again after. */
static void copy_once(void *to, const uint8_t *from, size_t size_bytes)
{
    memcpy(to, from, size_bytes);
    __asm__ volatile("" : : : "memory");
}

static uint16_t load16(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_RELAXED);
}

static uint16_t load16_acquire(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

static void store16(uint8_t *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)at, value, __ATOMIC_RELAXED);
}

static void store16_release(uint8_t *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)at, value, __ATOMIC_RELEASE);
}

static enum virtqueue_state broken(struct virtqueue *queue, const char *why)
{
    queue->broken = why;
    return VIRTQUEUE_BROKEN;
}

/* ---- set-up ---- */

static uint8_t *area(struct virtqueue *queue, gpa_t address, uint64_t size_bytes,
                     uint64_t alignment)
{
    struct span span;

    if (address.value % alignment || !guest_memory_span(queue->memory, address, size_bytes, &span))
        queue->broken = "its ring is not in RAM, or not aligned";
    else
        return span.data;
    return NULL;
}

void virtqueue_init(struct virtqueue *queue, const struct guest_memory *memory,
                    const struct virtqueue_layout *layout)
{
    uint64_t entries = layout->entries;

    *queue = (struct virtqueue){
        .memory = memory,
        .entries = layout->entries,
        .packed = layout->packed,
        .indirect = layout->indirect,
        .event_index = layout->event_index,
        .available_wrap = true,
        .used_wrap = true,
    };
    if (entries == 0 || entries > VIRTQUEUE_MOST_ENTRIES ||
        (!layout->packed && (entries & (entries - 1)))) {
        queue->broken = "its size is impossible";
        return;
    }
    queue->descriptors =
        area(queue, layout->descriptors, entries * sizeof(struct descriptor), DESCRIPTOR_ALIGNMENT);
    queue->driver_area =
        area(queue, layout->driver_area, layout->packed ? EVENT_BYTES : AVAILABLE_BYTES(entries),
             layout->packed ? EVENT_ALIGNMENT : AVAILABLE_ALIGNMENT);
    queue->device_area =
        area(queue, layout->device_area, layout->packed ? EVENT_BYTES : USED_BYTES(entries),
             layout->packed ? EVENT_ALIGNMENT : USED_ALIGNMENT);
}

void virtqueue_resume(struct virtqueue *queue)
{
    if (queue->broken)
        return;
    queue->next_used = load16(queue->device_area + USED_INDEX);
    queue->next_available = queue->next_used;
    queue->outstanding = 0;
}

/* ---- one chain ---- */

/* Adds what one descriptor lends. False: the queue is broken. */
static bool add_segment(struct virtqueue *queue, struct virtqueue_chain *chain,
                        const struct descriptor *descriptor)
{
    size_t count = chain->readable_count + chain->writable_count;
    bool writable = descriptor->flags & DESCRIPTOR_WRITE;
    struct span span;

    if (count == queue->entries) {
        queue->broken = "a chain is longer than the queue, or a loop";
    } else if (!writable && chain->writable_count > 0) {
        queue->broken = "a chain has a readable buffer after a writable one";
    } else if (!guest_memory_span(queue->memory, GPA(descriptor->address), descriptor->length,
                                  &span)) {
        queue->broken = "a buffer is empty or not in RAM";
    } else {
        chain->segments[count] = (struct iovec){span.data, span.size_bytes};
        *(writable ? &chain->writable_count : &chain->readable_count) += 1;
        *(writable ? &chain->writable_bytes : &chain->readable_bytes) += span.size_bytes;
        return true;
    }
    return false;
}

/* From a ring or table of this queue's form; of a packed one `next` is the buffer ID. */
static struct descriptor read_descriptor(const struct virtqueue *queue, const uint8_t *at)
{
    struct packed_descriptor packed;
    struct descriptor split;

    if (!queue->packed) {
        copy_once(&split, at, sizeof(split));
        return split;
    }
    copy_once(&packed, at, sizeof(packed));
    return (struct descriptor){packed.address, packed.length, packed.flags, packed.id};
}

/*
 * The descriptors of a table elsewhere: of a split ring they are linked (2.7.5.3), of a packed one
 * they lie in order, and only WRITE counts of their flags (2.8.7).
 */
static bool add_table(struct virtqueue *queue, struct virtqueue_chain *chain,
                      const struct descriptor *indirect)
{
    uint32_t count = indirect->length / (uint32_t)sizeof(struct descriptor);
    struct span table;

    if (!queue->indirect || indirect->flags & DESCRIPTOR_NEXT ||
        indirect->length % sizeof(struct descriptor) ||
        !guest_memory_span(queue->memory, GPA(indirect->address), indirect->length, &table)) {
        queue->broken = "an indirect table was not negotiated, or is of a wrong form or place";
        return false;
    }
    for (uint32_t i = 0, taken = 0; taken < count; taken++) {
        const struct descriptor descriptor =
            read_descriptor(queue, table.data + i * sizeof(descriptor));

        if (!queue->packed && descriptor.flags & DESCRIPTOR_INDIRECT) {
            queue->broken = "an indirect table is within another";
            return false;
        }
        if (!add_segment(queue, chain, &descriptor))
            return false;
        if (!queue->packed && !(descriptor.flags & DESCRIPTOR_NEXT))
            return true;
        i = queue->packed ? i + 1 : descriptor.next;
        if (!queue->packed && i >= count)
            break;
    }
    if (!queue->packed)
        queue->broken = "the chain of an indirect table leaves it, or is a loop";
    return queue->packed;
}

/* Of a chain's descriptor in the ring: where it says its buffers are. */
static bool add_descriptor(struct virtqueue *queue, struct virtqueue_chain *chain,
                           const struct descriptor *descriptor)
{
    return descriptor->flags & DESCRIPTOR_INDIRECT ? add_table(queue, chain, descriptor)
                                                   : add_segment(queue, chain, descriptor);
}

static enum virtqueue_state finish_take(struct virtqueue *queue,
                                        const struct virtqueue_chain *chain)
{
    if (chain->readable_bytes + chain->writable_bytes > UINT32_MAX)
        return broken(queue, "a chain is longer than 4 GiB");
    queue->outstanding += chain->entries;
    if (queue->outstanding > queue->entries)
        return broken(queue, "more is available than the ring holds");
    return VIRTQUEUE_TAKEN;
}

static enum virtqueue_state take_split(struct virtqueue *queue, struct virtqueue_chain *chain)
{
    uint16_t available = load16_acquire(queue->driver_area + AVAILABLE_INDEX);
    uint16_t waiting = (uint16_t)(available - queue->next_available);

    if (waiting == 0)
        return VIRTQUEUE_EMPTY;
    if (waiting > queue->entries)
        return broken(queue, "the available index jumped");
    uint32_t slot = queue->next_available % queue->entries;
    uint16_t next = load16(queue->driver_area + AVAILABLE_RING(slot));

    chain->id = next;
    for (;;) {
        if (next >= queue->entries)
            return broken(queue, "a descriptor's index is beyond the table");
        const struct descriptor descriptor =
            read_descriptor(queue, queue->descriptors + next * sizeof(descriptor));

        if (!add_descriptor(queue, chain, &descriptor))
            return VIRTQUEUE_BROKEN;
        if (!(descriptor.flags & DESCRIPTOR_NEXT))
            break;
        next = descriptor.next;
    }
    chain->entries = 1; /* of the available ring */
    queue->next_available++;
    return finish_take(queue, chain);
}

static enum virtqueue_state take_packed(struct virtqueue *queue, struct virtqueue_chain *chain)
{
    const uint8_t *first = queue->descriptors + queue->next_available * sizeof(struct descriptor);
    uint16_t flags = load16_acquire(first + PACKED_FLAGS);
    bool available = flags & DESCRIPTOR_AVAILABLE;
    bool used = flags & DESCRIPTOR_USED;
    uint32_t position = queue->next_available;
    uint16_t more = 0;

    if (available != queue->available_wrap || used == available)
        return VIRTQUEUE_EMPTY;
    do {
        if (chain->entries == queue->entries)
            return broken(queue, "a chain is longer than the queue, or a loop");
        const struct descriptor descriptor =
            read_descriptor(queue, queue->descriptors + position * sizeof(descriptor));

        if (!add_descriptor(queue, chain, &descriptor))
            return VIRTQUEUE_BROKEN;
        chain->entries++;
        chain->id = descriptor.next; /* the last one's counts */
        more = descriptor.flags & DESCRIPTOR_NEXT;
        position = position + 1 == queue->entries ? 0 : position + 1;
        if (position == 0)
            queue->available_wrap = !queue->available_wrap;
    } while (more);
    queue->next_available = (uint16_t)position;
    return finish_take(queue, chain);
}

enum virtqueue_state virtqueue_take(struct virtqueue *queue, struct virtqueue_chain *chain)
{
    if (queue->broken)
        return VIRTQUEUE_BROKEN;
    chain->entries = 0;
    chain->readable_count = chain->writable_count = 0;
    chain->readable_bytes = chain->writable_bytes = 0;
    return queue->packed ? take_packed(queue, chain) : take_split(queue, chain);
}

/* ---- giving back ---- */

static void return_split(struct virtqueue *queue, const struct virtqueue_used *used, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct used_element element = {used[i].id, used[i].written_bytes};
        uint32_t slot = queue->next_used % queue->entries;

        memcpy(queue->device_area + USED_RING(slot), &element, sizeof(element));
        queue->next_used++;
    }
    store16_release(queue->device_area + USED_INDEX, queue->next_used);
}

/* All but its flags, which are returned: they make it the driver's. */
static uint16_t fill_packed(struct virtqueue *queue, const struct virtqueue_used *used)
{
    uint8_t *at = queue->descriptors + queue->next_used * sizeof(struct packed_descriptor);
    unsigned flags = queue->used_wrap ? DESCRIPTOR_AVAILABLE | DESCRIPTOR_USED : 0U;
    uint32_t next = (uint32_t)queue->next_used + used->entries;

    if (used->written_bytes > 0)
        flags |= DESCRIPTOR_WRITE;
    memcpy(at + PACKED_LENGTH, &used->written_bytes, sizeof(used->written_bytes));
    store16(at + PACKED_ID, used->id);
    if (next >= queue->entries) {
        next -= queue->entries;
        queue->used_wrap = !queue->used_wrap;
    }
    queue->next_used = (uint16_t)next;
    return (uint16_t)flags;
}

/* The driver looks at them in order: the first one's flags come last. */
static void return_packed(struct virtqueue *queue, const struct virtqueue_used *used, size_t count)
{
    uint8_t *first = queue->descriptors + queue->next_used * sizeof(struct packed_descriptor);
    uint16_t first_flags = fill_packed(queue, &used[0]);

    for (size_t i = 1; i < count; i++) {
        uint8_t *at = queue->descriptors + queue->next_used * sizeof(struct packed_descriptor);

        store16_release(at + PACKED_FLAGS, fill_packed(queue, &used[i]));
    }
    store16_release(first + PACKED_FLAGS, first_flags);
}

void virtqueue_return_batch(struct virtqueue *queue, const struct virtqueue_used *used,
                            size_t count)
{
    if (count == 0)
        return;
    if (queue->packed)
        return_packed(queue, used, count);
    else
        return_split(queue, used, count);
    for (size_t i = 0; i < count; i++) {
        queue->outstanding -= used[i].entries;
        queue->returned += used[i].entries;
    }
}

void virtqueue_return(struct virtqueue *queue, const struct virtqueue_chain *chain,
                      uint32_t written_bytes)
{
    const struct virtqueue_used used = {chain->id, chain->entries, written_bytes};

    virtqueue_return_batch(queue, &used, 1);
}

void virtqueue_untake(struct virtqueue *queue, uint16_t entries)
{
    queue->outstanding -= entries;
    if (queue->packed && entries > queue->next_available) {
        queue->next_available = (uint16_t)(queue->next_available + queue->entries - entries);
        queue->available_wrap = !queue->available_wrap;
    } else {
        queue->next_available = (uint16_t)(queue->next_available - entries);
    }
}

/* ---- who wants to be told ---- */

/* Whether the event lies in what was returned since the last signal (2.7.10, 2.8.10). */
static bool event_passed(const struct virtqueue *queue, uint16_t event, uint32_t since)
{
    return (uint16_t)(queue->next_used - event - 1) < since;
}

static bool should_signal_split(const struct virtqueue *queue, uint32_t since)
{
    if (queue->event_index)
        return event_passed(queue, load16(queue->driver_area + USED_EVENT(queue->entries)), since);
    return !(load16(queue->driver_area + AVAILABLE_FLAGS) & AVAILABLE_NO_INTERRUPT);
}

static bool should_signal_packed(const struct virtqueue *queue, uint32_t since)
{
    uint16_t flags = load16_acquire(queue->driver_area + EVENT_FLAGS) & EVENT_FLAGS_MASK;

    if (flags != EVENT_DESCRIPTOR || !queue->event_index)
        return flags != EVENT_DISABLE;
    uint16_t offset_wrap = load16(queue->driver_area + EVENT_OFFSET);
    uint16_t event = offset_wrap & EVENT_OFFSET_MASK;

    /* A position with the other wrap counter is one of the lap before. */
    if ((bool)(offset_wrap & EVENT_WRAP) != queue->used_wrap)
        event = (uint16_t)(event - queue->entries);
    return event_passed(queue, event, since);
}

bool virtqueue_should_signal(struct virtqueue *queue)
{
    uint32_t since = queue->returned - queue->signalled;

    if (queue->broken || since == 0)
        return false;
    queue->signalled = queue->returned;
    __sync_synchronize();
    return queue->packed ? should_signal_packed(queue, since) : should_signal_split(queue, since);
}

static void set_notify_split(struct virtqueue *queue, bool on)
{
    if (!queue->event_index)
        store16(queue->device_area + USED_FLAGS, on ? 0 : USED_NO_NOTIFY);
    else if (on) /* an event that lies behind asks for nothing */
        store16(queue->device_area + AVAILABLE_EVENT(queue->entries), queue->next_available);
}

static void set_notify_packed(struct virtqueue *queue, bool on)
{
    unsigned wrap = queue->available_wrap ? EVENT_WRAP : 0U;
    uint16_t flags = EVENT_DISABLE;

    if (on && queue->event_index) {
        store16(queue->device_area + EVENT_OFFSET, (uint16_t)(queue->next_available | wrap));
        flags = EVENT_DESCRIPTOR;
    } else if (on) {
        flags = EVENT_ENABLE;
    }
    store16_release(queue->device_area + EVENT_FLAGS, flags);
}

void virtqueue_set_notify(struct virtqueue *queue, bool on)
{
    if (queue->broken)
        return;
    if (queue->packed)
        set_notify_packed(queue, on);
    else
        set_notify_split(queue, on);
    if (on)
        __sync_synchronize();
}
