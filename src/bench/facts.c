// SPDX-License-Identifier: Apache-2.0
#include "facts.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

void bench_add_fact(struct bench_report *report, const char *name, const char *format, ...)
{
    va_list arguments;

    assert(report->fact_count < BENCH_FACTS_MAX);
    struct bench_fact *fact = &report->facts[report->fact_count++];
    fact->name = name;
    va_start(arguments, format);
    (void)vsnprintf(fact->value, sizeof(fact->value), format, arguments);
    va_end(arguments);
}

static const struct check *find_check(const struct report *examined, const char *name)
{
    for (size_t i = 0; i < examined->count; i++)
        if (strcmp(examined->checks[i].name, name) == 0)
            return &examined->checks[i];
    return NULL;
}

/* How many flaws of the CPU the kernel works around, and which. */
static void add_mitigations(struct bench_report *report, const struct doctor_host *host)
{
    static const char *const flaws[] = {"meltdown", "spectre_v1", "spectre_v2", "spec_store_bypass",
                                        "spectre_bhb"};
    char active[BENCH_FACT_BYTES] = "";
    size_t used = 0;

    for (size_t i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
        char path[DOCTOR_TEXT_BYTES];
        char text[DOCTOR_TEXT_BYTES];

        (void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", flaws[i]);
        if (!host_read(host, path, text) || strncmp(text, "Mitigation", 10) != 0)
            continue;
        (void)snprintf(active + used, sizeof(active) - used, "%s%s", used ? ", " : "", flaws[i]);
        used = strlen(active);
    }
    bench_add_fact(report, "mitigations", "%s", used ? active : "none");
}

static void add_file(struct bench_report *report, const struct doctor_host *host, const char *name,
                     const char *path, const char *otherwise)
{
    const int most = BENCH_FACT_BYTES - 1;
    char text[DOCTOR_TEXT_BYTES];

    if (!host_read(host, path, text) || text[0] == '\0')
        bench_add_fact(report, name, "%s", otherwise);
    else
        bench_add_fact(report, name, "%.*s", most, text);
}

void bench_collect_facts(struct bench_report *report, const struct doctor_host *host,
                         const struct report *examined)
{
    static const char *const checks[] = {"kernel",   "CPU model", "CPUs online", "machine",
                                         "KVM mode", "page size", "GICv3"};

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const struct check *check = find_check(examined, checks[i]);

        bench_add_fact(report, checks[i], "%s", check ? check->value : "unknown");
    }
    add_file(report, host, "governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
             "none");
    add_mitigations(report, host);
    add_file(report, host, "isolated CPUs", "/sys/devices/system/cpu/isolated", "none");
    add_file(report, host, "huge pages", "/sys/kernel/mm/transparent_hugepage/enabled", "none");
    add_file(report, host, BENCH_FACT_LOAD, "/proc/loadavg", "unknown");
}
