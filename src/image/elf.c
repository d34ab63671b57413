// SPDX-License-Identifier: Apache-2.0
#include "image/elf.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/identify.h"

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

enum {
    SEGMENTS_MAX = 64,
    INSTRUCTION_BYTES = 4,
    THUMB_BIT = 1, /* AAELF32, "Executable files": e_entry[0] */
};

#define BLOCK_BYTES ((uint64_t)2 << 20)

/* Bits of the virtual addresses that kernels are linked at. */
#define KERNEL_ADDRESS_AARCH64 ((uint64_t)1 << 63)
#define KERNEL_ADDRESS_AARCH32 ((uint64_t)1 << 31)

/* Headers of a 32-bit file are widened when they're read. */
struct program {
    enum execution_state state;
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS_MAX]; /* PT_LOAD alone, by p_offset */
    size_t count;
    uint64_t start; /* of the physical addresses */
    uint64_t end;
    uint64_t shift; /* from them to where they go; wraps */
};

/* The file, at some position. */
struct reader {
    const struct packed *packed;
    const struct guest_memory *memory;
    struct decompressor *decompressor;
    uint64_t position;
};

struct machine_name {
    uint16_t machine;
    const char *name;
};

static const struct machine_name machine_names[] = {
    {EM_386, "x86"},       {EM_X86_64, "x86-64"}, {EM_RISCV, "RISC-V"}, {EM_LOONGARCH, "LoongArch"},
    {EM_PPC, "PowerPC"},   {EM_PPC64, "POWER"},   {EM_S390, "IBM Z"},   {EM_MIPS, "MIPS"},
    {EM_SPARCV9, "SPARC"}, {EM_IA_64, "Itanium"}, {EM_BPF, "BPF"},
};

static bool refuse_machine(uint16_t machine, enum execution_state state, struct error *error)
{
    if (machine == EM_ARM)
        return identify_other_state("an ELF file for 32-bit Arm", state, error);
    if (machine == EM_AARCH64)
        return identify_other_state("an ELF file for arm64", state, error);
    for (size_t i = 0; i < sizeof(machine_names) / sizeof(machine_names[0]); i++)
        if (machine_names[i].machine == machine)
            return error_set(error, ERROR_FILE, 0,
                             "it is an ELF file for %s; armlet needs one built for %s",
                             machine_names[i].name, identify_state_name(state));
    return error_set(error, ERROR_FILE, 0,
                     "it is an ELF file for machine %u; armlet needs one built for %s", machine,
                     identify_state_name(state));
}

static bool refuse_type(uint16_t type, struct error *error)
{
    const char *what = "of an unknown type";

    if (type == ET_REL)
        what = "that is not linked yet (an object file or kernel module)";
    else if (type == ET_CORE)
        what = "of a dumped program (core)";
    return error_set(error, ERROR_FILE, 0, "it is an ELF file %s, not an executable", what);
}

static bool damaged(const char *what, struct error *error)
{
    return error_set(error, ERROR_FILE, 0, "the ELF file is damaged: %s", what);
}

/* What both classes have at the same place: e_ident, e_type, e_machine. */
_Static_assert(offsetof(Elf32_Ehdr, e_machine) == offsetof(Elf64_Ehdr, e_machine), "ELF");

static bool is_elf32(enum execution_state state)
{
    return state == EXECUTION_AARCH32;
}

static size_t header_bytes(enum execution_state state)
{
    return is_elf32(state) ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);
}

static size_t segment_bytes(enum execution_state state)
{
    return is_elf32(state) ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
}

static Elf64_Ehdr widen_header(const uint8_t *from, enum execution_state state)
{
    Elf64_Ehdr wide = {0};
    Elf32_Ehdr narrow;

    if (!is_elf32(state)) {
        memcpy(&wide, from, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, from, sizeof(narrow));
    memcpy(wide.e_ident, narrow.e_ident, sizeof(wide.e_ident));
    wide.e_type = narrow.e_type;
    wide.e_machine = narrow.e_machine;
    wide.e_entry = narrow.e_entry;
    wide.e_phoff = narrow.e_phoff;
    wide.e_phentsize = narrow.e_phentsize;
    wide.e_phnum = narrow.e_phnum;
    return wide;
}

static Elf64_Phdr widen_segment(const uint8_t *from, enum execution_state state)
{
    Elf64_Phdr wide;
    Elf32_Phdr narrow;

    if (!is_elf32(state)) {
        memcpy(&wide, from, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, from, sizeof(narrow));
    return (Elf64_Phdr){
        .p_type = narrow.p_type,
        .p_offset = narrow.p_offset,
        .p_vaddr = narrow.p_vaddr,
        .p_paddr = narrow.p_paddr,
        .p_filesz = narrow.p_filesz,
        .p_memsz = narrow.p_memsz,
    };
}

/* e_machine of a file of the other byte order would have to be turned: the order is told first. */
static bool check_target(const Elf64_Ehdr *header, enum execution_state state, struct error *error)
{
    bool is_32_bit = is_elf32(state);

    if (header->e_ident[EI_DATA] == ELFDATA2MSB)
        return error_set(error, ERROR_FILE, 0,
                         "it is a big-endian ELF file; armlet needs a little-endian one");
    if (header->e_machine != (is_32_bit ? EM_ARM : EM_AARCH64))
        return refuse_machine(header->e_machine, state, error);
    if (header->e_ident[EI_CLASS] != (is_32_bit ? ELFCLASS32 : ELFCLASS64))
        return error_set(error, ERROR_FILE, 0, "it is a %s ELF file; armlet needs a %s one",
                         is_32_bit ? "64-bit" : "32-bit", is_32_bit ? "32-bit" : "64-bit");
    return true;
}

static bool check_header(const Elf64_Ehdr *header, enum execution_state state, struct error *error)
{
    if (!check_target(header, state, error))
        return false;
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return refuse_type(header->e_type, error);
    if (header->e_ident[EI_DATA] != ELFDATA2LSB)
        return damaged("no byte order", error);
    if (header->e_phnum == 0)
        return error_set(error, ERROR_FILE, 0, "the ELF file has nothing to load");
    if (header->e_phnum > SEGMENTS_MAX)
        return error_set(error, ERROR_FILE, 0,
                         "the ELF file has %u program headers, armlet takes %d", header->e_phnum,
                         SEGMENTS_MAX);
    if (header->e_phentsize != segment_bytes(state))
        return damaged("program headers of a wrong size", error);
    return true;
}

bool elf_check(const uint8_t *head, size_t head_bytes, enum execution_state state,
               struct error *error)
{
    if (head_bytes < header_bytes(state))
        return error_set(error, ERROR_FILE, 0,
                         "the ELF file is truncated: %zu of at least %zu bytes", head_bytes,
                         header_bytes(state));
    Elf64_Ehdr header = widen_header(head, state);

    return check_header(&header, state, error);
}

static bool reader_open(struct reader *reader, struct error *error)
{
    reader->position = 0;
    reader->decompressor = decompress_open(reader->packed, DECOMPRESS_PIECES, error);
    return reader->decompressor != NULL;
}

static void reader_close(struct reader *reader)
{
    if (reader->decompressor)
        decompress_close(reader->decompressor);
    reader->decompressor = NULL;
}

static bool truncated(uint64_t has_bytes, uint64_t needed_bytes, struct error *error)
{
    return error_set(error, ERROR_FILE, 0,
                     "the ELF file is truncated: %" PRIu64 " of at least %" PRIu64 " bytes",
                     has_bytes, needed_bytes);
}

/* Reads [offset, offset + size_bytes) of the file; the caller has checked that the sum does not
 * wrap. */
static bool reader_read(struct reader *reader, uint64_t offset, void *to, size_t size_bytes,
                        struct error *error)
{
    uint64_t skipped;
    size_t got;

    if (offset < reader->position) {
        reader_close(reader);
        if (!reader_open(reader, error))
            return false;
    }
    if (!decompress_skip(reader->decompressor, offset - reader->position, &skipped, error))
        return false;
    reader->position += skipped;
    if (reader->position < offset)
        return truncated(reader->position, offset + size_bytes, error);
    if (!decompress_read(reader->decompressor, to, size_bytes, &got, error))
        return false;
    reader->position += got;
    return got == size_bytes || truncated(reader->position, offset + size_bytes, error);
}

/* What is packed is checked up to its end, and bounded like all that is unpacked. */
static bool reader_finish(struct reader *reader, struct error *error)
{
    uint64_t skipped;

    if (reader->packed->compression == COMPRESSION_NONE)
        return true;
    uint64_t most = reader->memory->size_bytes;
    uint64_t left = reader->position < most ? most - reader->position : 0;

    if (!decompress_skip(reader->decompressor, left + 1, &skipped, error))
        return false;
    return decompress_ended(reader->decompressor) || identify_too_large(reader->memory, 0, error);
}

/* No part of the file that is used may lie, or end, farther than the guest has memory. */
static bool check_file_range(const struct reader *reader, uint64_t offset, uint64_t size_bytes,
                             struct error *error)
{
    const struct packed *packed = reader->packed;
    uint64_t most = packed->compression == COMPRESSION_NONE ? packed->extent.size_bytes
                                                            : reader->memory->size_bytes;

    if (offset <= most && size_bytes <= most - offset)
        return true;
    if (size_bytes > UINT64_MAX - offset)
        return damaged("a part of it has no end", error);
    if (packed->compression == COMPRESSION_NONE)
        return truncated(most, offset + size_bytes, error);
    return identify_too_large(reader->memory, 0, error);
}

static int compare_offsets(const void *a, const void *b)
{
    uint64_t left = ((const Elf64_Phdr *)a)->p_offset;
    uint64_t right = ((const Elf64_Phdr *)b)->p_offset;

    return (left > right) - (left < right);
}

static bool add_segment(const struct reader *reader, struct program *program,
                        const Elf64_Phdr *segment, struct error *error)
{
    uint64_t end = segment->p_paddr + segment->p_memsz;

    if (segment->p_type == PT_INTERP)
        return error_set(error, ERROR_FILE, 0, "it is a program for Linux, not a kernel");
    if (segment->p_type != PT_LOAD || segment->p_memsz == 0)
        return true;
    if (segment->p_filesz > segment->p_memsz)
        return damaged("a segment has more bytes than memory", error);
    if (end < segment->p_paddr || segment->p_vaddr + segment->p_memsz < segment->p_vaddr)
        return damaged("a segment passes the end of the address space", error);
    if (!check_file_range(reader, segment->p_offset, segment->p_filesz, error))
        return false;
    for (size_t i = 0; i < program->count; i++) {
        const Elf64_Phdr *other = &program->segments[i];

        if (segment->p_paddr < other->p_paddr + other->p_memsz && other->p_paddr < end)
            return damaged("segments overlap", error);
    }
    if (program->count == 0 || segment->p_paddr < program->start)
        program->start = segment->p_paddr;
    if (program->count == 0 || end > program->end)
        program->end = end;
    program->segments[program->count++] = *segment;
    return true;
}

static bool read_headers(struct reader *reader, struct program *program, struct error *error)
{
    uint8_t buffer[SEGMENTS_MAX * sizeof(Elf64_Phdr)] = {0};
    enum execution_state state = program->state;
    Elf64_Ehdr *header = &program->header;

    /* Checked again: the file may have changed since it was identified. */
    if (!reader_read(reader, 0, buffer, header_bytes(state), error) ||
        !elf_check(buffer, header_bytes(state), state, error))
        return false;
    *header = widen_header(buffer, state);
    size_t table_bytes = header->e_phnum * segment_bytes(state);

    if (!check_file_range(reader, header->e_phoff, table_bytes, error) ||
        !reader_read(reader, header->e_phoff, buffer, table_bytes, error))
        return false;
    for (size_t i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment = widen_segment(buffer + i * segment_bytes(state), state);

        if (!add_segment(reader, program, &segment, error))
            return false;
    }
    if (program->count == 0)
        return error_set(error, ERROR_FILE, 0, "the ELF file has nothing to load");
    qsort(program->segments, program->count, sizeof(program->segments[0]), compare_offsets);
    return true;
}

/* Decides where the program goes. */
static bool place(const struct guest_memory *memory, struct program *program, struct error *error)
{
    uint64_t ram = memory->base.value;
    uint64_t ram_end = ram + memory->size_bytes;
    uint64_t kernel_address =
        is_elf32(program->state) ? KERNEL_ADDRESS_AARCH32 : KERNEL_ADDRESS_AARCH64;
    bool can_move = program->header.e_type == ET_DYN || (program->start & kernel_address) ||
                    (program->start == 0 && program->end <= ram);

    program->shift = 0;
    if (program->start >= ram && program->start < ram_end) {
        if (program->end > ram_end)
            return identify_too_large(memory, program->end - ram, error);
        return true;
    }
    if (!can_move)
        return error_set(error, ERROR_FILE, 0,
                         "the ELF file is linked at 0x%" PRIx64 ", where there's no RAM; link it "
                         "at 0x%" PRIx64 " or above, or position independent",
                         program->start, ram);
    uint64_t from = program->start & ~(BLOCK_BYTES - 1);
    uint64_t to = (ram + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);

    if (to > ram_end || program->end - from > ram_end - to)
        return identify_too_large(memory, program->end - from + (to - ram), error);
    program->shift = to - from;
    return true;
}

static bool find_entry(const struct program *program, uint64_t *entry, struct error *error)
{
    uint64_t address = program->header.e_entry;

    for (int physical = 0; physical <= 1; physical++)
        for (size_t i = 0; i < program->count; i++) {
            const Elf64_Phdr *segment = &program->segments[i];
            uint64_t offset = address - (physical ? segment->p_paddr : segment->p_vaddr);

            if (offset < segment->p_memsz) {
                *entry = segment->p_paddr + offset + program->shift;
                if (is_elf32(program->state) && address & THUMB_BIT)
                    return error_set(error, ERROR_FILE, 0,
                                     "the ELF file's entry is Thumb code; armlet enters A32 code");
                return *entry % INSTRUCTION_BYTES == 0 ||
                       damaged("its entry is at an odd address", error);
            }
        }
    return damaged("its entry is in no segment", error);
}

static bool load_segments(struct reader *reader, const struct program *program, struct error *error)
{
    for (size_t i = 0; i < program->count; i++) {
        const Elf64_Phdr *segment = &program->segments[i];
        struct span span;

        if (!guest_memory_span(reader->memory, GPA(segment->p_paddr + program->shift),
                               segment->p_memsz, &span))
            return error_set(error, ERROR_INTERNAL, 0, "a segment's place is outside of RAM");
        if (segment->p_filesz > 0 &&
            !reader_read(reader, segment->p_offset, span.data, (size_t)segment->p_filesz, error))
            return false;
        memset(span.data + segment->p_filesz, 0, (size_t)(segment->p_memsz - segment->p_filesz));
    }
    return reader_finish(reader, error);
}

bool elf_load(const struct packed *packed, enum execution_state state,
              const struct guest_memory *memory, struct image_placement *out, struct error *error)
{
    struct reader reader = {.packed = packed, .memory = memory};
    struct program program = {.state = state};
    uint64_t entry = 0;
    bool good = reader_open(&reader, error) && read_headers(&reader, &program, error) &&
                place(memory, &program, error) && find_entry(&program, &entry, error) &&
                load_segments(&reader, &program, error);

    reader_close(&reader);
    if (!good)
        return false;
    out->start = GPA(program.start + program.shift);
    out->end = GPA(program.end + program.shift);
    out->entry = GPA(entry);
    return true;
}
