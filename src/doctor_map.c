// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "doctor_internal.h"
#include "json.h"
#include "memory_map.h"

enum { MAP_JSON_VERSION = 1 };

static const struct {
    const char *name;
    const char *purpose;
    enum ppi number;
} ppis[] = {
    {"pmu", "performance counters (PMUv3)", PPI_PMU},
    {"hyp-timer", "EL2 physical timer", PPI_HYP_TIMER},
    {"virtual-timer", "EL1 virtual timer", PPI_VIRTUAL_TIMER},
    {"secure-timer", "secure physical timer", PPI_SECURE_TIMER},
    {"physical-timer", "EL1 physical timer", PPI_PHYSICAL_TIMER},
};

enum { PPI_COUNT = sizeof(ppis) / sizeof(ppis[0]) };

/* Regions without a size are as large as the machine asks for. */
static const char *region_size_text(char text[SIZE_TEXT_BYTES], enum region_id id)
{
    const struct region *region = memory_map_region(id);

    if (region->size_bytes)
        return size_text(text, region->size_bytes);
    return id == REGION_RAM ? "--memory" : "-";
}

/* "5", or "48-111" for a range; "-" for none. */
static void format_numbers(char text[SIZE_TEXT_BYTES], uint32_t first, uint32_t count)
{
    if (count == 0)
        (void)snprintf(text, SIZE_TEXT_BYTES, "-");
    else if (count == 1)
        (void)snprintf(text, SIZE_TEXT_BYTES, "%u", first);
    else
        (void)snprintf(text, SIZE_TEXT_BYTES, "%u-%u", first, first + count - 1);
}

static void print_region_text(FILE *out, enum region_id id)
{
    const struct region *region = memory_map_region(id);
    char size[SIZE_TEXT_BYTES];
    char base[SIZE_TEXT_BYTES];
    char spis[SIZE_TEXT_BYTES];
    char intids[SIZE_TEXT_BYTES];

    (void)snprintf(base, sizeof(base), "0x%08" PRIx64, region->base.value);
    format_numbers(spis, (uint32_t)region->spi, region->spi_count);
    format_numbers(intids, GIC_SPI_BASE + (uint32_t)region->spi, region->spi_count);
    (void)fprintf(out, "  %-12s  %10s  %7s  %7s  %-10s  %s\n", base, region_size_text(size, id),
                  spis, intids, region->name, region->purpose);
}

void doctor_print_map_text(FILE *out)
{
    (void)fprintf(out, "Memory map\n  %-12s  %10s  %7s  %7s  %-10s  %s\n", "ADDRESS", "SIZE", "SPI",
                  "INTID", "NAME", "PURPOSE");
    for (int id = 0; id < REGION_COUNT; id++)
        print_region_text(out, (enum region_id)id);
    (void)fprintf(out, "  %s moves up if RAM reaches it.\n",
                  memory_map_region(REGION_GICR_HIGH)->name);
    (void)fprintf(out, "\nPrivate interrupts of each vCPU\n  %3s  %5s  %-14s  %s\n", "PPI", "INTID",
                  "NAME", "PURPOSE");
    for (int i = 0; i < PPI_COUNT; i++)
        (void)fprintf(out, "  %3d  %5d  %-14s  %s\n", (int)ppis[i].number,
                      GIC_PPI_BASE + (int)ppis[i].number, ppis[i].name, ppis[i].purpose);
}

static void print_region_json(FILE *out, enum region_id id)
{
    const struct region *region = memory_map_region(id);

    (void)fputs("    {\"name\": ", out);
    json_put_string(out, region->name);
    (void)fputs(", \"purpose\": ", out);
    json_put_string(out, region->purpose);
    (void)fprintf(out, ", \"base\": \"0x%08" PRIx64 "\", \"size_bytes\": ", region->base.value);
    if (region->size_bytes)
        (void)fprintf(out, "%" PRIu64, region->size_bytes);
    else
        (void)fputs("null", out);
    if (region->spi != NO_SPI)
        (void)fprintf(out, ", \"spi\": %d, \"intid\": %d, \"spi_count\": %u}", region->spi,
                      GIC_SPI_BASE + region->spi, region->spi_count);
    else
        (void)fputs(", \"spi\": null, \"intid\": null, \"spi_count\": 0}", out);
}

void doctor_print_map_json(FILE *out)
{
    (void)fprintf(out, "{\n  \"version\": %d,\n  \"regions\": [\n", MAP_JSON_VERSION);
    for (int id = 0; id < REGION_COUNT; id++) {
        print_region_json(out, (enum region_id)id);
        (void)fputs(id + 1 < REGION_COUNT ? ",\n" : "\n", out);
    }
    (void)fputs("  ],\n  \"private_interrupts\": [\n", out);
    for (int i = 0; i < PPI_COUNT; i++) {
        (void)fputs("    {\"name\": ", out);
        json_put_string(out, ppis[i].name);
        (void)fputs(", \"purpose\": ", out);
        json_put_string(out, ppis[i].purpose);
        (void)fprintf(out, ", \"ppi\": %d, \"intid\": %d}%s\n", (int)ppis[i].number,
                      GIC_PPI_BASE + (int)ppis[i].number, i + 1 < PPI_COUNT ? "," : "");
    }
    (void)fputs("  ]\n}\n", out);
}
