// SPDX-License-Identifier: Apache-2.0
/*
 * A kernel file of any content, for a guest of each state, loaded twice into a small guest: the
 * same happens both times.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM_BYTES = 8 << 20 };

static bool load(const struct image *image, const struct guest_memory *memory,
                 struct image_placement *placement)
{
    struct error error;

    if (!image_load(image, memory, placement, &error))
        return false;
    if (placement->start.value < memory->base.value ||
        placement->end.value > memory->base.value + memory->size_bytes ||
        placement->entry.value < placement->start.value ||
        placement->entry.value >= placement->end.value)
        abort();
    return true;
}

static void load_twice(const uint8_t *data, size_t size, enum execution_state state,
                       const struct guest_memory *memory)
{
    struct image_placement first;
    struct image_placement second;
    struct error error;
    struct image *image = image_open_memory(data, size, state, &error);

    if (!image)
        return;
    bool good = load(image, memory, &first);

    if (good != load(image, memory, &second) ||
        (good && (first.entry.value != second.entry.value || first.end.value != second.end.value)))
        abort();
    (void)image_format_name(second.format);
    image_close(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Apart from the input, so that reads beyond the end are seen. */
    uint8_t *copy = malloc(size ? size : 1);
    struct guest_memory memory = {
        .base = GPA(0x40000000), .size_bytes = RAM_BYTES, .host = malloc(RAM_BYTES)};

    if (!copy || !memory.host)
        abort();
    memcpy(copy, data, size);
    load_twice(copy, size, EXECUTION_AARCH64, &memory);
    load_twice(copy, size, EXECUTION_AARCH32, &memory);
    free(memory.host);
    free(copy);
    return 0;
}
