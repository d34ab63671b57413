// SPDX-License-Identifier: Apache-2.0
/*
 * Names of CPU models by the implementer and part number in MIDR_EL1 (DDI0487, D19.2; numbers from
 * the manuals of the cores). The one table for `armlet doctor` and for the built-in guest, which
 * can't link the program's files: constant data alone.
 */
#ifndef ARMLET_SRC_DOCTOR_CPU_MODELS_H
#define ARMLET_SRC_DOCTOR_CPU_MODELS_H

#include <stdint.h>

struct cpu_model_name {
    uint8_t implementer;
    uint16_t part;
    const char *name;
};

static const struct cpu_model_name cpu_model_names[] = {
    {0x00, 0x051, "QEMU max"},           {0x41, 0xd03, "Arm Cortex-A53"},
    {0x41, 0xd04, "Arm Cortex-A35"},     {0x41, 0xd05, "Arm Cortex-A55"},
    {0x41, 0xd07, "Arm Cortex-A57"},     {0x41, 0xd08, "Arm Cortex-A72"},
    {0x41, 0xd09, "Arm Cortex-A73"},     {0x41, 0xd0a, "Arm Cortex-A75"},
    {0x41, 0xd0b, "Arm Cortex-A76"},     {0x41, 0xd0c, "Arm Neoverse-N1"},
    {0x41, 0xd0d, "Arm Cortex-A77"},     {0x41, 0xd40, "Arm Neoverse-V1"},
    {0x41, 0xd41, "Arm Cortex-A78"},     {0x41, 0xd44, "Arm Cortex-X1"},
    {0x41, 0xd46, "Arm Cortex-A510"},    {0x41, 0xd47, "Arm Cortex-A710"},
    {0x41, 0xd48, "Arm Cortex-X2"},      {0x41, 0xd49, "Arm Neoverse-N2"},
    {0x41, 0xd4a, "Arm Neoverse-E1"},    {0x41, 0xd4b, "Arm Cortex-A78C"},
    {0x41, 0xd4d, "Arm Cortex-A715"},    {0x41, 0xd4e, "Arm Cortex-X3"},
    {0x41, 0xd4f, "Arm Neoverse-V2"},    {0x41, 0xd80, "Arm Cortex-A520"},
    {0x41, 0xd81, "Arm Cortex-A720"},    {0x41, 0xd82, "Arm Cortex-X4"},
    {0x41, 0xd84, "Arm Neoverse-V3"},    {0x41, 0xd8e, "Arm Neoverse-N3"},
    {0x43, 0x0af, "Cavium ThunderX2"},   {0x46, 0x001, "Fujitsu A64FX"},
    {0x48, 0xd01, "HiSilicon TSV110"},   {0x4e, 0x004, "NVIDIA Carmel"},
    {0x51, 0x001, "Qualcomm Oryon"},     {0x61, 0x022, "Apple M1 Icestorm"},
    {0x61, 0x023, "Apple M1 Firestorm"}, {0x61, 0x032, "Apple M2 Blizzard"},
    {0x61, 0x033, "Apple M2 Avalanche"}, {0x6d, 0xd49, "Microsoft Azure Cobalt 100"},
    {0xc0, 0xac3, "Ampere-1"},           {0xc0, 0xac4, "Ampere-1a"},
};

/* NULL for one that isn't known. */
static inline const char *cpu_model_name(uint32_t implementer, uint32_t part)
{
    for (uint32_t i = 0; i < sizeof(cpu_model_names) / sizeof(cpu_model_names[0]); i++)
        if (cpu_model_names[i].implementer == implementer && cpu_model_names[i].part == part)
            return cpu_model_names[i].name;
    return (const char *)0;
}

#endif
