// SPDX-License-Identifier: Apache-2.0
#include "image/identify.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "image/file.h"

#define ADDRESSABLE_BYTES ((uint64_t)1 << 52) /* DDI 0487, D8.1: the largest output address */

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    MARK_BYTES_MAX = 8,
    ARM64_MAGIC = 56,    /* Linux, Documentation/arch/arm64/booting.rst: "magic" */
    ZIMAGE_MAGIC = 0x24, /* Linux, arch/arm/boot/compressed/head.S: _magic_sig */
    SMALLEST_BYTES = 64,
    TEXT_SEARCH_BYTES = 512,
    A32_CONDITION_SHIFT = 28,
    A32_CONDITION_ALWAYS = 0xe, /* DDI 0487, F2.3.1: AL */
    PE_OFFSET = 60,             /* Microsoft PE format: e_lfanew of the MS-DOS header */
    PE_MACHINE = 4,             /* behind the signature */
    PE_MACHINE_ARM64 = 0xaa64,
};

struct mark {
    size_t offset;
    uint8_t bytes[MARK_BYTES_MAX];
    size_t size_bytes;
    const char *what; /* and what would do */
};

/* Looked for first: a kernel for x86 or RISC-V may be an EFI program, too. */
static const struct mark foreign_kernels[] = {
    {0x202, "HdrS", 4, "an x86 Linux kernel (bzImage)"},
    {0x38, "RSC\x05", 4, "a RISC-V Linux kernel"},
};

static const struct mark marks[] = {
    {0, "\x27\x05\x19\x56", 4,
     "a U-Boot image (uImage); take the kernel out with 'dumpimage -p 0 -o KERNEL FILE'"},
    {0, "\xd0\x0d\xfe\xed", 4,
     "a device tree or a U-Boot FIT image; a tree goes with --dtb, and 'dumpimage' takes the "
     "kernel out of a FIT image"},
    {0, "070701", 6, "a cpio archive, as an initramfs is; it goes with --initrd"},
    {0, "070702", 6, "a cpio archive, as an initramfs is; it goes with --initrd"},
    {0, "070707", 6, "a cpio archive; an initramfs goes with --initrd"},
    {0, "\xc7\x71", 2, "a cpio archive; an initramfs goes with --initrd"},
    {0, "BZh", 3, "packed with bzip2, as Linux kernels never are; unpack it with 'bunzip2'"},
    {0, "\x89LZO", 4, "packed with lzop; unpack it with 'lzop -d'"},
    {0, "PK\x03\x04", 4, "a zip archive; unpack it with 'unzip'"},
    {0, "7z\xbc\xaf", 4, "a 7-Zip archive; unpack it with '7z x'"},
    {0, "!<arch>\n", 8, "an archive (.deb or .a); 'dpkg-deb -x' unpacks a Debian package"},
    {0, "\xed\xab\xee\xdb", 4, "an RPM package; unpack it with 'rpm2cpio'"},
    {257, "ustar", 5, "a tar archive; unpack it with 'tar'"},
    {0, "ANDROID!", 8, "an Android boot image; take the kernel out with 'unpack_bootimg'"},
    {0, "QFI\xfb", 4, "a qcow2 disk image, not a kernel"},
    {0, "hsqs", 4, "a squashfs file system, not a kernel"},
    {32769, "CD001", 5, "an ISO 9660 disc image, not a kernel; the kernel is a file on it"},
    {0, "#!", 2, "a script, not a kernel"},
};

struct machine_name {
    uint16_t machine;
    const char *name;
};

static const struct machine_name pe_machines[] = {
    {0x014c, "x86"},    {0x01c2, "32-bit Arm"},    {0x01c4, "32-bit Arm"},
    {0x5032, "RISC-V"}, {0x5064, "RISC-V"},        {0x6264, "LoongArch"},
    {0x8664, "x86-64"}, {0x0ebc, "EFI byte code"}, {PE_MACHINE_ARM64, "arm64"},
};

/* The first instruction of a program; no more than are usual there. DDI 0487, C4.1. */
struct instruction_class {
    uint32_t mask;
    uint32_t value;
};

static const struct instruction_class first_instructions[] = {
    {0x7c000000, 0x14000000},                           /* B, BL */
    {0x1f000000, 0x10000000},                           /* ADR, ADRP */
    {0xff800000, 0x12800000},                           /* MOVN */
    {0xff800000, 0x92800000}, {0xff800000, 0x52800000}, /* MOVZ */
    {0xff800000, 0xd2800000}, {0x7fe0ffe0, 0x2a0003e0}, /* MOV (register) */
    {0xfffffc1f, 0x9100001f},                           /* MOV to SP */
    {0xff8003ff, 0xd10003ff},                           /* SUB SP, SP, #imm */
    {0xffc07fff, 0xa9807bfd},                           /* STP X29, X30, [SP, #-imm]! */
    {0xbf000000, 0x18000000},                           /* LDR (literal) */
    {0xffc00000, 0xd5000000}, /* MSR, MRS, SYS, hints such as NOP, barriers */
};

static bool has(const uint8_t *head, size_t head_bytes, size_t offset, const void *bytes,
                size_t size_bytes)
{
    return head_bytes >= offset + size_bytes && memcmp(head + offset, bytes, size_bytes) == 0;
}

static const char *find_mark(const struct mark *table, size_t count, const uint8_t *head,
                             size_t head_bytes)
{
    for (size_t i = 0; i < count; i++)
        if (has(head, head_bytes, table[i].offset, table[i].bytes, table[i].size_bytes))
            return table[i].what;
    return NULL;
}

static bool is_instruction(const uint8_t *head, size_t head_bytes, enum execution_state state)
{
    if (head_bytes < sizeof(uint32_t))
        return false;
    if (state == EXECUTION_AARCH32)
        return file_u32(head, 0) >> A32_CONDITION_SHIFT == A32_CONDITION_ALWAYS;
    for (size_t i = 0; i < ARRAY_COUNT(first_instructions); i++)
        if ((file_u32(head, 0) & first_instructions[i].mask) == first_instructions[i].value)
            return true;
    return false;
}

/* ASCII and UTF-8, which has no byte 0xfe or 0xff, without control characters but those of texts.
 */
static bool is_text(const uint8_t *head, size_t head_bytes)
{
    size_t searched = head_bytes < TEXT_SEARCH_BYTES ? head_bytes : TEXT_SEARCH_BYTES;

    for (size_t i = 0; i < searched; i++)
        if ((head[i] < ' ' && !strchr("\t\n\f\r", head[i])) || head[i] == 0 || head[i] == 0x7f ||
            head[i] >= 0xfe)
            return false;
    return true;
}

static bool refuse_pe(const uint8_t *head, size_t head_bytes, enum execution_state state,
                      struct error *error)
{
    size_t pe = head_bytes >= PE_OFFSET + 4 ? file_u32(head, PE_OFFSET) : SIZE_MAX;
    const char *name = NULL;
    uint16_t machine = 0;

    if (pe < head_bytes && head_bytes - pe >= PE_MACHINE + 2 && memcmp(head + pe, "PE\0", 4) == 0)
        machine = (uint16_t)(head[pe + PE_MACHINE] | head[pe + PE_MACHINE + 1] << 8);
    if (machine == PE_MACHINE_ARM64 && state == EXECUTION_AARCH64)
        return error_set(error, ERROR_FILE, 0,
                         "it is an EFI program for arm64, not a Linux kernel; "
                         "UEFI firmware given as the kernel can run it");
    for (size_t i = 0; i < ARRAY_COUNT(pe_machines); i++)
        if (pe_machines[i].machine == machine)
            name = pe_machines[i].name;
    return error_set(error, ERROR_FILE, 0,
                     "it is an EFI or Windows program%s%s, not a kernel for %s",
                     name ? " for " : "", name ? name : "", identify_state_name(state));
}

static bool refuse_unknown(const uint8_t *head, size_t head_bytes, enum execution_state state,
                           struct error *error)
{
    const char *what = find_mark(foreign_kernels, ARRAY_COUNT(foreign_kernels), head, head_bytes);

    if (what)
        return error_set(error, ERROR_FILE, 0, "it is %s; armlet needs one built for %s", what,
                         identify_state_name(state));
    what = find_mark(marks, ARRAY_COUNT(marks), head, head_bytes);
    if (what)
        return error_set(error, ERROR_FILE, 0, "it is %s", what);
    if (has(head, head_bytes, 0, "MZ", 2))
        return refuse_pe(head, head_bytes, state, error);
    if (is_text(head, head_bytes))
        return error_set(error, ERROR_FILE, 0, "it is a text, not a kernel");
    return true;
}

const char *identify_state_name(enum execution_state state)
{
    return state == EXECUTION_AARCH32 ? "32-bit Arm" : "arm64";
}

bool identify_other_state(const char *what, enum execution_state guest, struct error *error)
{
    if (guest == EXECUTION_AARCH32)
        return error_set(error, ERROR_FILE, 0,
                         "it is %s, which --cpu aarch32=on can't start: leave out aarch32=on",
                         what);
    return error_set(error, ERROR_FILE, 0,
                     "it is %s; armlet needs one built for arm64, or --cpu aarch32=on on a host "
                     "that can run 32-bit guests (see 'armlet doctor')",
                     what);
}

/* The kinds that tell by a mark what they are. Returns whether it is one of them. */
static bool find_kind(const uint8_t *head, size_t head_bytes, enum image_kind *kind)
{
    if (has(head, head_bytes, ARM64_MAGIC, "ARM\x64", 4))
        *kind = IMAGE_ARM64;
    else if (has(head, head_bytes, 0, ELFMAG, SELFMAG))
        *kind = IMAGE_ELF;
    else if (has(head, head_bytes, ZIMAGE_MAGIC, "\x18\x28\x6f\x01", 4))
        *kind = IMAGE_ZIMAGE;
    else
        return false;
    return true;
}

bool identify_kernel(const uint8_t *head, size_t head_bytes, enum execution_state state,
                     enum image_kind *kind, struct error *error)
{
    if (head_bytes == 0)
        return error_set(error, ERROR_FILE, 0, "there is nothing in it");
    if (find_kind(head, head_bytes, kind)) {
        if (*kind == IMAGE_ARM64 && state != EXECUTION_AARCH64)
            return identify_other_state("an arm64 Image", state, error);
        if (*kind == IMAGE_ZIMAGE && state != EXECUTION_AARCH32)
            return identify_other_state("a 32-bit Arm Linux kernel (zImage)", state, error);
        return true;
    }
    if (!refuse_unknown(head, head_bytes, state, error))
        return false;
    *kind = IMAGE_FLAT;
    if (is_instruction(head, head_bytes, state))
        return true;
    if (head_bytes < SMALLEST_BYTES)
        return error_set(error, ERROR_FILE, 0, "it is no kernel, or truncated: it has %zu bytes",
                         head_bytes);
    return error_set(error, ERROR_FILE, 0,
                     "it is nothing that armlet knows: no %s, no ELF file, and it does not start "
                     "with %s instruction as a flat binary would",
                     state == EXECUTION_AARCH32 ? "zImage" : "arm64 Image",
                     state == EXECUTION_AARCH32 ? "a 32-bit Arm" : "an arm64");
}

static uint64_t as_mib(uint64_t size_bytes)
{
    return (size_bytes >> 20) + ((size_bytes & ((1 << 20) - 1)) != 0);
}

bool identify_too_large(const struct guest_memory *memory, uint64_t needed_bytes,
                        struct error *error)
{
    uint64_t has_mib = memory->size_bytes >> 20;

    if (needed_bytes > ADDRESSABLE_BYTES)
        return error_set(error, ERROR_FILE, 0,
                         "it is damaged: its header asks for more memory than a CPU can address");
    if (needed_bytes)
        return error_set(error, ERROR_FILE, 0,
                         "it needs %" PRIu64 " MiB, the guest has %" PRIu64
                         " MiB: give it more with --memory",
                         as_mib(needed_bytes), has_mib);
    return error_set(error, ERROR_FILE, 0,
                     "it unpacks to more than the %" PRIu64
                     " MiB that the guest has: give it more with --memory",
                     has_mib);
}
