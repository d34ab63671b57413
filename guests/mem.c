// SPDX-License-Identifier: Apache-2.0
/* Memory is all there: a word at each MiB and in the last bytes keeps what is written to it. */
#include "guest.h"

const char guest_name[] = "mem";

enum { WORD_BYTES = sizeof(uint64_t), MIB_SHIFT = 20 };

static uint64_t pattern(uint64_t address)
{
    const uint64_t odd_bits = 0xa5c35a3c96f00f69;

    return address ^ odd_bits;
}

/* What is checked: index 0 to the number of MiB; the last is the last word. */
static uint64_t place(uint64_t index)
{
    uint64_t last = machine.memory_bytes - WORD_BYTES;
    uint64_t offset = index << MIB_SHIFT;

    return machine.memory_base + (offset < last ? offset : last);
}

void guest_main(void)
{
    uint64_t places = (machine.memory_bytes >> MIB_SHIFT) + 1;
    uint64_t used = 0;

    print("MEM %lu\n", machine.memory_bytes);
    for (uint64_t i = 0; i < places; i++)
        if (memory_is_free(place(i), WORD_BYTES))
            write64(place(i), pattern(place(i)));
        else
            used++;
    for (uint64_t i = 0; i < places; i++)
        if (memory_is_free(place(i), WORD_BYTES))
            CHECK_EQ(read64(place(i)), pattern(place(i)));

    /* The first word is the image's header, and some MiB may hold stacks or the tree. */
    print("%lu of %lu places were free\n", places - used, places);
    CHECK(places - used > places / 2);
}
