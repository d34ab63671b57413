// SPDX-License-Identifier: Apache-2.0
/*
 * Guest kernels, loaded for what they are, never for how they are named. For a guest in AArch64:
 *
 *   arm64 Image   Linux, Documentation/arch/arm64/booting.rst: at text_offset above the first
 *                 2 MiB boundary in RAM. Big-endian ones are refused.
 *   ELF           64 bit, little endian, for AArch64; linked, with up to 64 segments, and not a
 *                 program for Linux. Where all segments are by their physical addresses in RAM,
 *                 there. Otherwise what can be moved keeps its offset from a 2 MiB boundary and
 *                 goes to the first one in RAM: a position-independent executable (ET_DYN, as
 *                 vmlinux is), one linked at 0, one linked at kernel virtual addresses (bit 63).
 *                 Anything else linked elsewhere is refused. bss is zeroed. The entry is where
 *                 the segment with that virtual (or else physical) address went.
 *   flat binary   if it starts with an instruction that programs start with: 512 KiB above the
 *                 first 2 MiB boundary in RAM; its first byte is the entry.
 *
 * For a guest that starts in AArch32:
 *
 *   zImage        Linux, Documentation/arch/arm/booting.rst: 32 MiB above the start of RAM, behind
 *                 the place that it unpacks the kernel to; with less than 64 MiB of RAM, at that
 *                 place, 32 KiB above the start. What it unpacks to counts as taken, too.
 *   ELF           32 bit, little endian, for Arm, with an entry in A32 code; as above, but kernel
 *                 virtual addresses are those with bit 31.
 *   flat binary   if its first instruction is an A32 one that is always executed (condition AL):
 *                 32 KiB above the start of RAM; its first byte is the entry.
 *
 * What is for the other state is refused, with a word about --cpu aarch32=on.
 *
 * Each of them as it is, or packed once with gzip, zstd, lz4, xz or lzma, or in an EFI zboot image.
 * Everything else is refused with ERROR_FILE and a line that says what it is.
 *
 * An image is opened once and loaded at each power-on and reboot. Its file is read again each
 * time, straight into guest memory, so that no second copy stands in memory. Only a packed ELF
 * file passes through a small buffer. One thread, while no vCPU runs.
 */
#ifndef ARMLET_SRC_IMAGE_IMAGE_H
#define ARMLET_SRC_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "armlet/guest_memory.h"
#include "image/decompress.h"

struct image;

/* In which the guest starts (DDI 0487, B1.2). */
enum execution_state {
    EXECUTION_AARCH64,
    EXECUTION_AARCH32,
};

enum image_kind {
    IMAGE_ARM64,
    IMAGE_ZIMAGE,
    IMAGE_ELF,
    IMAGE_FLAT,
    IMAGE_KIND_COUNT,
};

struct image_format {
    enum image_kind kind;
    enum compression compression;
    bool zboot;
};

/* Where it went: [start, end) is taken, with what the kernel wants to use behind its bytes. */
struct image_placement {
    gpa_t start;
    gpa_t end;
    gpa_t entry;
    struct image_format format;
};

/*
 * Opens a kernel and looks at what it is; its content is checked no further before image_load().
 * NULL with ERROR_FILE, or ERROR_HOST when memory runs out. The message doesn't name the path.
 */
struct image *image_open(const char *path, enum execution_state state,
                         struct error *error) WARN_UNUSED;

/* The same for bytes that the caller keeps until image_close(). */
struct image *image_open_memory(const void *data, size_t size_bytes, enum execution_state state,
                                struct error *error) WARN_UNUSED;
void image_close(struct image *image);

/* The size of the file when it was opened, packed as it may be. */
uint64_t image_file_bytes(const struct image *image);

/*
 * Writes the kernel to guest memory; the same as often as it's called, whatever was there before.
 * ERROR_FILE when the file is damaged or truncated, or the memory is too small for it; what was
 * written until then stays.
 */
bool image_load(const struct image *image, const struct guest_memory *memory,
                struct image_placement *out, struct error *error) WARN_UNUSED;

/* "arm64 Image, gzip". Constant. */
const char *image_format_name(struct image_format format);

#endif
