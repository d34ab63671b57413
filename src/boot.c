// SPDX-License-Identifier: Apache-2.0
#include "boot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "armlet/fdt_file.h"
#include "builtin_guest.h"
#include "image/file.h"
#include "memory_backing.h"

/*
 * Where every kernel since 3.7 takes the tree and the initrd from: near the kernel. It is also what
 * every 32-bit kernel maps, and its end is far behind the 128 MiB that a zImage unpacks into.
 */
#define NEAR_KERNEL_BYTES ((uint64_t)512 << 20)
#define INITRD_ALIGNMENT  ((uint64_t)4096)

/* A kernel file of less than this isn't worth that the host clears a huge page for it. */
#define LITTLE_BYTES ((uint64_t)256 << 10)

bool boot_open_files(struct boot_files *files, const struct options *options, struct error *error)
{
    enum execution_state state =
        options->aarch32_el1 == FEATURE_ON ? EXECUTION_AARCH32 : EXECUTION_AARCH64;

    *files = (struct boot_files){0};
    if (options->kernel_path)
        files->kernel = image_open(options->kernel_path, state, error);
    else
        files->kernel = image_open_memory(
            builtin_guest, (size_t)(builtin_guest_end - builtin_guest), state, error);
    if (!files->kernel)
        return error_add_context(error, "cannot use kernel '%s'",
                                 options->kernel_path ? options->kernel_path : "(built in)");
    if (options->initrd_path && !file_size(options->initrd_path, &files->initrd_bytes, error)) {
        boot_close_files(files);
        return error_add_context(error, "cannot use initrd '%s'", options->initrd_path);
    }
    return true;
}

void boot_close_files(struct boot_files *files)
{
    if (files->kernel)
        image_close(files->kernel);
    files->kernel = NULL;
}

static uint64_t align_down(uint64_t value, uint64_t alignment)
{
    return value & ~(alignment - 1);
}

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return align_down(value + alignment - 1, alignment);
}

/*
 * The tree goes to the end of RAM, but not farther from the kernel than every kernel accepts, and
 * the initrd right below it. Where that doesn't fit, both follow the kernel.
 */
static bool place(const struct guest_memory *memory, struct boot_layout *layout,
                  struct error *error)
{
    uint64_t ram_end = memory->base.value + memory->size_bytes;
    uint64_t near_end = memory->base.value + NEAR_KERNEL_BYTES;
    uint64_t kernel_end = layout->kernel.end.value;
    uint64_t fdt = align_down((ram_end < near_end ? ram_end : near_end) - FDT_FILE_MAX_BYTES,
                              FDT_FILE_MAX_BYTES);

    layout->fdt = GPA(fdt);
    if (layout->initrd_bytes <= fdt) {
        layout->initrd = GPA(align_down(fdt - layout->initrd_bytes, INITRD_ALIGNMENT));
        if (layout->initrd.value >= kernel_end)
            return true;
    }
    layout->fdt = GPA(align_up(kernel_end, FDT_FILE_MAX_BYTES));
    layout->initrd = gpa_add(layout->fdt, FDT_FILE_MAX_BYTES);

    uint64_t used = layout->initrd.value - memory->base.value;
    if (used <= memory->size_bytes && layout->initrd_bytes <= memory->size_bytes - used)
        return true;
    return error_set(error, ERROR_FILE, 0,
                     "kernel, initrd and device tree need %" PRIu64 " MiB, the guest has %" PRIu64
                     " MiB: give it more with --memory",
                     (used + layout->initrd_bytes + (1 << 20) - 1) >> 20, memory->size_bytes >> 20);
}

static bool load_initrd(const struct options *options, const struct guest_memory *memory,
                        const struct boot_layout *layout, struct error *error)
{
    struct span span;
    uint64_t bytes = 0;

    if (!guest_memory_span(memory, layout->initrd, layout->initrd_bytes, &span))
        return error_set(error, ERROR_INTERNAL, 0, "the initrd's place is outside of RAM");
    if (!file_load(options->initrd_path, span, &bytes, error))
        return error_add_context(error, "cannot load initrd '%s'", options->initrd_path);
    return true;
}

bool boot_load(const struct boot_files *files, const struct options *options,
               const struct guest_memory *memory, struct boot_layout *layout, struct error *error)
{
    *layout = (struct boot_layout){.initrd_bytes = files->initrd_bytes};
    bool little = image_file_bytes(files->kernel) < LITTLE_BYTES;

    if (little)
        memory_mapping_expect_little(memory, options, memory->base, LITTLE_BYTES);
    if (!image_load(files->kernel, memory, &layout->kernel, error))
        return error_add_context(error, "cannot load kernel '%s'",
                                 options->kernel_path ? options->kernel_path : "(built in)");
    if (!place(memory, layout, error))
        return false;
    /* Linux allocates from the end of memory, and is better off with a huge page there. */
    if (little)
        memory_mapping_expect_little(memory, options, layout->fdt, FDT_FILE_MAX_BYTES);
    return !layout->initrd_bytes || load_initrd(options, memory, layout, error);
}

static bool set_chosen(void **fdt, size_t *fdt_bytes, const struct options *options,
                       const struct boot_layout *layout, struct error *error)
{
    struct fdt_chosen chosen = {
        .bootargs = options->append,
        .initrd_start = layout->initrd,
        .initrd_bytes = layout->initrd_bytes,
    };

    if (getrandom(chosen.rng_seed, sizeof(chosen.rng_seed), 0) !=
            (ssize_t)sizeof(chosen.rng_seed) ||
        getrandom(&chosen.kaslr_seed, sizeof(chosen.kaslr_seed), 0) !=
            (ssize_t)sizeof(chosen.kaslr_seed))
        return error_set(error, ERROR_HOST, 0, "the host gives no random numbers");
    return fdt_set_chosen(fdt, fdt_bytes, &chosen, error);
}

/*
 * Firmware for QEMU's virt board, such as U-Boot, has no use for a pointer and looks at the start
 * of RAM, which a flat binary leaves free.
 */
static void copy_for_firmware(const void *fdt, size_t fdt_bytes, const struct guest_memory *memory,
                              const struct boot_layout *layout)
{
    struct span span;

    if (layout->kernel.format.kind == IMAGE_FLAT &&
        fdt_bytes <= layout->kernel.start.value - memory->base.value &&
        guest_memory_span(memory, memory->base, fdt_bytes, &span))
        memcpy(span.data, fdt, fdt_bytes);
}

static bool finish_fdt(void **fdt, size_t *fdt_bytes, const struct options *options,
                       const struct guest_memory *memory, const struct boot_layout *layout,
                       struct error *error)
{
    struct span span;

    for (size_t i = 0; i < options->overlay_count; i++) {
        *fdt = fdt_apply_overlay(*fdt, fdt_bytes, options->overlay_paths[i], error);
        if (!*fdt)
            return false;
    }
    if (!set_chosen(fdt, fdt_bytes, options, layout, error))
        return false;
    if (options->dump_dtb_path && !fdt_write_file(options->dump_dtb_path, *fdt, *fdt_bytes, error))
        return false;
    if (*fdt_bytes > FDT_FILE_MAX_BYTES ||
        !guest_memory_span(memory, layout->fdt, *fdt_bytes, &span))
        return error_set(error, ERROR_FILE, 0,
                         "the device tree has %zu bytes, the boot protocol allows %d", *fdt_bytes,
                         FDT_FILE_MAX_BYTES);
    memcpy(span.data, *fdt, *fdt_bytes);
    copy_for_firmware(*fdt, *fdt_bytes, memory, layout);
    return true;
}

bool boot_place_fdt(void *fdt, size_t fdt_bytes, const struct options *options,
                    const struct guest_memory *memory, const struct boot_layout *layout,
                    struct error *error)
{
    bool good = finish_fdt(&fdt, &fdt_bytes, options, memory, layout, error);

    free(fdt);
    return good;
}
