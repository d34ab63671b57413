// SPDX-License-Identifier: Apache-2.0
/*
 * A plugin of QEMU's (TCG plugin API, docs/devel/tcg-plugins) that counts the instructions an
 * emulated machine executes, by where they are: for boot-functions. At its end it writes lines
 *
 *     ADDRESS PLACE COUNT
 *
 * to the file that is its argument `out`: a virtual address, what is to be added to it to find the
 * instruction in QEMU's memory, and how often it was executed. Two kernels that use the same
 * virtual addresses are told apart by the place.
 *
 * The declarations are those that this uses; no package has QEMU's own header.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum { QEMU_PLUGIN_CB_NO_REGS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*callback)(qemu_plugin_id_t id,
                                                            struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*callback)(unsigned cpu, void *data), int flags,
                                          void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
                                    void (*callback)(qemu_plugin_id_t id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *instruction);

EXPORT int qemu_plugin_version = PLUGIN_VERSION;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                               char **argv);

/* A block of code, as often as it was translated. QEMU translates on one thread in the counted lab.
 */
struct block {
    struct block *next;
    uint64_t address, place;
    uint64_t instructions;
    uint64_t executions;
};

enum { BUCKETS = 1 << 16, MULTIPLIER = 2654435761U };

static struct block *blocks[BUCKETS];
static char *out;

static void on_execution(unsigned cpu, void *data)
{
    struct block *block = data;

    (void)cpu;
    block->executions++;
}

static struct block *find(uint64_t address, uint64_t place, uint64_t instructions)
{
    struct block **bucket = &blocks[(uint32_t)(address >> 2) * MULTIPLIER % BUCKETS];
    struct block *block;

    for (block = *bucket; block; block = block->next)
        if (block->address == address && block->place == place &&
            block->instructions == instructions)
            return block;
    block = calloc(1, sizeof(*block));
    if (!block)
        abort();
    *block = (struct block){*bucket, address, place, instructions, 0};
    *bucket = block;
    return block;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
    uint64_t address = qemu_plugin_insn_vaddr(first);
    uint64_t place = (uint64_t)(uintptr_t)qemu_plugin_insn_haddr(first) - address;

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_execution, QEMU_PLUGIN_CB_NO_REGS,
                                         find(address, place, qemu_plugin_tb_n_insns(tb)));
}

static void on_end(qemu_plugin_id_t id, void *data)
{
    FILE *file = fopen(out, "w");

    (void)id;
    (void)data;
    if (!file)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct block *block = blocks[i]; block; block = block->next)
            if (block->executions)
                (void)fprintf(file, "%016" PRIx64 " %016" PRIx64 " %" PRIu64 "\n", block->address,
                              block->place, block->executions * block->instructions);
    (void)fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "out=", 4) == 0)
            out = strdup(argv[i] + 4);
    if (!out)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
