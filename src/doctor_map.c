// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "doctor_internal.h"
#include "json.h"
#include "memory_map.h"

enum {
    MAP_JSON_VERSION = 1,
    LINES_SHOWN = 8, /* of one device, each in a row */
};

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

static const char *trigger_text(enum region_id id)
{
    static const char *const names[] = {
        [TRIGGER_NONE] = "its own", [TRIGGER_LEVEL] = "level", [TRIGGER_EDGE] = "edge"};

    return names[memory_map_trigger(id)];
}

/* As statistics name it; a region for classes of any name has none. */
static const char *device_text(const struct region *region)
{
    return region->device ? region->device : "(a plugin's)";
}

/* A line that statistics count; those of a region for many are one row. */
static void print_lines_text(FILE *out, enum region_id id)
{
    const struct region *region = memory_map_region(id);
    bool is_one_device = region->device && !memory_map_is_shared(region);
    uint32_t rows = is_one_device && region->spi_count <= LINES_SHOWN ? region->spi_count : 1;
    uint32_t lines_a_row = region->spi_count / rows;
    char spis[SIZE_TEXT_BYTES];
    char intids[SIZE_TEXT_BYTES];

    for (uint32_t i = 0; i < rows; i++) {
        uint32_t spi = (uint32_t)region->spi + i;

        format_numbers(spis, spi, lines_a_row);
        format_numbers(intids, GIC_SPI_BASE + spi, lines_a_row);
        (void)fprintf(out, "  %7s  %7s  %-7s  %-12s  %s\n", spis, intids, trigger_text(id),
                      device_text(region), region->purpose);
    }
}

static void print_all_lines_text(FILE *out)
{
    (void)fprintf(out, "\nInterrupt lines of devices\n  %7s  %7s  %-7s  %-12s  %s\n", "SPI",
                  "INTID", "TRIGGER", "DEVICE", "PURPOSE");
    for (int id = 0; id < REGION_COUNT; id++)
        if (memory_map_region((enum region_id)id)->spi != NO_SPI)
            print_lines_text(out, (enum region_id)id);
    (void)fputs(
        "  armlet counts how often each was raised: 'armlet run --stats' shows it by DEVICE "
        "and\n  INTID, --stats=json as devices[].interrupts[].raised. SIGUSR1 prints it "
        "while the\n  guest runs: kill -USR1 PID.\n",
        out);
}

void doctor_print_map_text(FILE *out)
{
    (void)fprintf(out, "Memory map\n  %-12s  %10s  %7s  %7s  %-10s  %s\n", "ADDRESS", "SIZE", "SPI",
                  "INTID", "NAME", "PURPOSE");
    for (int id = 0; id < REGION_COUNT; id++)
        print_region_text(out, (enum region_id)id);
    (void)fprintf(out, "  %s moves up if RAM reaches it.\n",
                  memory_map_region(REGION_GICR_HIGH)->name);
    print_all_lines_text(out);
    (void)fprintf(out, "\nPrivate interrupts of each vCPU\n  %3s  %5s  %-14s  %s\n", "PPI", "INTID",
                  "NAME", "PURPOSE");
    for (int i = 0; i < PPI_COUNT; i++)
        (void)fprintf(out, "  %3d  %5d  %-14s  %s\n", (int)ppis[i].number,
                      GIC_PPI_BASE + (int)ppis[i].number, ppis[i].name, ppis[i].purpose);
    (void)fputs(
        "  KVM raises them by itself. With --irqchip user armlet counts how often each vCPU "
        "took\n  them, as any other interrupt: --verbose shows it at the end.\n",
        out);
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

static void print_line_json(FILE *out, enum region_id id, uint32_t spi)
{
    const struct region *region = memory_map_region(id);

    (void)fprintf(out, "    {\"spi\": %" PRIu32 ", \"intid\": %" PRIu32 ", \"region\": ", spi,
                  GIC_SPI_BASE + spi);
    json_put_string(out, region->name);
    (void)fputs(", \"device\": ", out);
    if (region->device)
        json_put_string(out, region->device);
    else
        (void)fputs("null", out);
    (void)fputs(", \"trigger\": ", out);
    if (memory_map_trigger(id) == TRIGGER_NONE)
        (void)fputs("null}", out);
    else
        (void)fprintf(out, "\"%s\"}", trigger_text(id));
}

static void print_all_lines_json(FILE *out)
{
    const char *separator = "";

    for (int id = 0; id < REGION_COUNT; id++) {
        const struct region *region = memory_map_region((enum region_id)id);

        for (uint32_t i = 0; i < region->spi_count; i++) {
            (void)fputs(separator, out);
            print_line_json(out, (enum region_id)id, (uint32_t)region->spi + i);
            separator = ",\n";
        }
    }
    (void)fputc('\n', out);
}

void doctor_print_map_json(FILE *out)
{
    (void)fprintf(out, "{\n  \"version\": %d,\n  \"regions\": [\n", MAP_JSON_VERSION);
    for (int id = 0; id < REGION_COUNT; id++) {
        print_region_json(out, (enum region_id)id);
        (void)fputs(id + 1 < REGION_COUNT ? ",\n" : "\n", out);
    }
    (void)fputs("  ],\n  \"interrupt_lines\": [\n", out);
    print_all_lines_json(out);
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
