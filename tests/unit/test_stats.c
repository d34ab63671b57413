// SPDX-License-Identifier: Apache-2.0
/* Snapshots as tables, JSON and sentences: each rule of --explain speaks when it should only. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "stats.h"

Suite *unit_suite(void);

enum { VCPUS = 2, DEVICES = 2 };

#define NS_PER_S UINT64_C(1000000000)

static struct arena arena;
static struct options options;
static struct vcpu_counters counters[VCPUS];
static struct access_counters accesses[VCPUS][DEVICES];
static struct stats_vcpu vcpus[VCPUS];
static struct stats_device devices[DEVICES];
static struct stats stats;
static char *text;

static void setup(void)
{
    static const struct stats_irq irqs[] = {{33, 12}, {34, 3}};

    options = (struct options){.append = "console=ttyAMA0", .kernel_path = "Image"};
    memset(accesses, 0, sizeof(accesses));
    for (size_t i = 0; i < VCPUS; i++) {
        counters[i] = (struct vcpu_counters){.devices = accesses[i]};
        vcpus[i] = (struct stats_vcpu){.counters = &counters[i]};
    }
    devices[0] = (struct stats_device){
        .name = "uart", .base = 0x9000000, .index = 0, .irqs = irqs, .irq_count = 2};
    devices[1] = (struct stats_device){.name = "rtc", .base = 0x9010000, .index = 1};
    stats = (struct stats){
        .elapsed_ns = 10 * NS_PER_S,
        .boots = 1,
        .options = &options,
        .vcpus = vcpus,
        .vcpu_count = VCPUS,
        .devices = devices,
        .device_count = DEVICES,
        .ticks_per_second = 62500000,
    };
}

static void teardown(void)
{
    free(text);
    text = NULL;
    arena_finish(&arena);
}

static const char *print(void (*function)(FILE *out, const struct stats *stats))
{
    size_t length;
    FILE *out;

    free(text);
    out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    function(out, &stats);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

#define PRINTS(function, words) (strstr(print(function), (words)) != NULL)

/* A sentence may be broken anywhere. */
static bool explains(const char *words)
{
    (void)print(explain_print);
    for (char *at = text; (at = strstr(at, "\n  ")); at++) {
        *at = ' ';
        memmove(at + 1, at + 3, strlen(at + 3) + 1);
    }
    return strstr(text, words);
}

/* ---- sums ---- */

static void count_something(void)
{
    counters[0].exits[EXIT_KIND_MMIO] = 1234;
    counters[1].exits[EXIT_KIND_MMIO] = 1000;
    counters[1].exits[EXIT_KIND_SIGNAL] = 1;
    counters[0].hypercalls = 2;
    counters[0].unassigned = (struct access_counters){3, 4};
    accesses[0][0] = (struct access_counters){100, 1100};
    accesses[1][1] = (struct access_counters){999, 1};
    vcpus[0].usage = (struct thread_usage){5, 6, 7, 0, NS_PER_S, NS_PER_S / 2};
    vcpus[1].kvm.known = 1U << KVM_STAT_EXITS | 1U << KVM_STAT_WFI;
    vcpus[1].kvm.values[KVM_STAT_EXITS] = 5000;
    vcpus[1].kvm.values[KVM_STAT_WFI] = 17;
    devices[0].bad_accesses = 8;
    devices[0].coalesced_writes = 9;
    stats.console = (struct console_counters){2000, 10, 30, 40};
}

START_TEST(sums_are_over_vcpus)
{
    count_something();
    ck_assert_uint_eq(stats_exits(&stats), 2235);
    ck_assert_uint_eq(stats_exits_of_kind(&stats, EXIT_KIND_MMIO), 2234);
    ck_assert_uint_eq(stats_vcpu_exits(&vcpus[1]), 1001);
    ck_assert_uint_eq(stats_accesses(&stats, 0).writes, 1100);
    ck_assert_uint_eq(stats_accesses(&stats, 1).reads, 999);
    ck_assert_uint_eq(stats_vcpu_accesses(&stats, &vcpus[0]).reads, 100);
    ck_assert_uint_eq(stats_unassigned(&stats).reads, 3);
    ck_assert_uint_eq(stats_hypercalls(&stats), 2);
    ck_assert_uint_eq(stats_interrupts(&devices[0]), 15);
    ck_assert_uint_eq(stats_usage(&stats).voluntary_switches, 5);
    ck_assert_uint_eq(stats_kvm(&stats).values[KVM_STAT_EXITS], 5000);
}
END_TEST

/* ---- the table ---- */

START_TEST(the_table_has_a_column_a_vcpu)
{
    count_something();
    ck_assert(PRINTS(stats_print_text, "armlet: 2 vCPUs, 10.0 s\n"));
    ck_assert(PRINTS(stats_print_text, "all vCPUs         vCPU 0         vCPU 1\n"));
    ck_assert(PRINTS(stats_print_text, "  exits to armlet                           2,235          "
                                       "1,234          1,001\n"));
    ck_assert(PRINTS(stats_print_text, "signal "));
    ck_assert(PRINTS(stats_print_text, "\nInterrupts                                 raised\n"
                                       "  uart           INTID 33                      12\n"));
    ck_assert(!PRINTS(stats_print_text, "no-syndrome")); /* there was none */
    ck_assert(PRINTS(stats_print_text, "uart           0x09000000"));
    ck_assert(PRINTS(stats_print_text, "(where nothing is)"));
    ck_assert(PRINTS(stats_print_text, "2,000 bytes out in 40 writes, 30 bytes in; 10 bytes were"));
    ck_assert(PRINTS(stats_print_text, "1.00 s"));
}
END_TEST

START_TEST(the_table_of_many_vcpus_has_sums)
{
    static struct stats_vcpu many[64];

    for (size_t i = 0; i < 64; i++)
        many[i] = vcpus[0];
    stats.vcpus = many;
    stats.vcpu_count = 64;
    stats.boots = 3;
    stats.running = true;
    counters[0].exits[EXIT_KIND_MMIO] = 2;
    ck_assert(PRINTS(stats_print_text, "armlet: 64 vCPUs, 10.0 s so far, 3 boots\n"));
    ck_assert(!PRINTS(stats_print_text, "vCPU 0"));
    ck_assert(!PRINTS(stats_print_text, " \n"));
    ck_assert(PRINTS(stats_print_text, " 128\n"));
    ck_assert(PRINTS(stats_print_text, "KVM's own counters: n/a\n"));
}
END_TEST

static void record_latencies(void)
{
    struct error error = {0};
    struct latency *latency = latency_create(&arena, DEVICES, &error);

    ck_assert_ptr_nonnull(latency);
    for (uint64_t i = 0; i < 100; i++)
        latency_record(latency, EXIT_KIND_MMIO, 0, 1000, 50);
    latency_record(latency, EXIT_KIND_MMIO, DEVICES, 2000, 60);
    latency_record(latency, EXIT_KIND_SIGNAL, DEVICES, 3000, 70);
    stats.latency = latency;
}

START_TEST(latencies_are_by_kind_and_device)
{
    ck_assert(!PRINTS(stats_print_text, "Time in"));
    record_latencies();
    ck_assert_uint_eq(stats.latency->kinds[EXIT_KIND_MMIO].vmm.count, 101);
    ck_assert_uint_eq(stats.latency->sources[0].vmm.count, 100);
    ck_assert_uint_eq(stats.latency->sources[DEVICES].guest.max, 2000);
    /* 16 ns a tick */
    ck_assert(PRINTS(stats_print_text,
                     "    uart                                      100    800 ns "
                     "   800 ns    800 ns"));
    ck_assert(PRINTS(stats_print_text, "16.0 \u00b5s"));
    ck_assert(PRINTS(stats_print_text, "Time in the guest"));
    ck_assert(PRINTS(stats_print_json, "\"mean_ns\": 800"));
    ck_assert(PRINTS(stats_print_json, "\"ticks_per_second\": 62500000"));
}
END_TEST

START_TEST(latencies_of_vcpus_are_summed)
{
    struct error error = {0};
    struct latency *sum = latency_create(&arena, DEVICES, &error);

    record_latencies();
    latency_merge(sum, stats.latency);
    latency_merge(sum, stats.latency);
    ck_assert_uint_eq(sum->kinds[EXIT_KIND_MMIO].guest.count, 202);
    ck_assert_uint_eq(sum->sources[0].vmm.count, 200);
    latency_clear(sum);
    ck_assert_uint_eq(sum->kinds[EXIT_KIND_MMIO].guest.count, 0);
    ck_assert_uint_eq(sum->sources[0].vmm.count, 0);
}
END_TEST

/* ---- JSON ---- */

START_TEST(json_has_what_the_manual_promises)
{
    static const char *const members[] = {
        "\"version\": 1",
        "\"running\": false",
        "\"elapsed_ns\": 10000000000",
        "\"boots\": 1",
        "\"exits\": 2235",
        "\"total\": 1234",
        "\"no-syndrome\": 0",
        "\"hypercalls\": 2",
        "\"voluntary_switches\": 5",
        "\"user_ns\": 1000000000",
        "\"kvm\": null", /* of vCPU 0 */
        "\"wfi\": 17",
        "\"wfe\": null",
        "\"name\": \"uart\"",
        "\"address\": 150994944",
        "\"coalesced_writes\": 9",
        "\"bad_accesses\": 8",
        "\"intid\": 33",
        "\"raised\": 12",
        "\"output_bytes\": 2000",
        "\"dropped_bytes\": 10",
        "\"input_bytes\": 30",
        "\"writes\": 40",
        "\"latency\": null",
    };

    count_something();
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        ck_assert_msg(PRINTS(stats_print_json, members[i]), "%s", members[i]);
}
END_TEST

START_TEST(a_device_counts_of_its_own)
{
    static const struct device_counter own[] = {{"reads", 3}, {"flushes", 0}, {"writes", 4}};

    ck_assert(!PRINTS(stats_print_json, "\"counters\""));
    devices[1].counters = own;
    devices[1].counter_count = 3;
    ck_assert(PRINTS(stats_print_json, "\"counters\": {"));
    ck_assert(PRINTS(stats_print_json, "\"flushes\": 0"));
    ck_assert(PRINTS(stats_print_text, "    reads 3, writes 4\n"));
}
END_TEST

/* ---- explaining ---- */

START_TEST(nothing_stands_out)
{
    vcpus[0].usage.user_ns = NS_PER_S;
    ck_assert(explains("2 vCPUs for 10.0 s: 1.00 s of CPU time in the guest and in armlet"));
    ck_assert(explains("Nothing stands out"));
    ck_assert(!explains("asleep"));
}
END_TEST

START_TEST(sleep_is_told_where_it_is_known)
{
    vcpus[0].kvm.known = 1U << KVM_STAT_HALT_WAIT_NS | 1U << KVM_STAT_WFI;
    ck_assert(!explains("asleep"));
    vcpus[0].kvm.values[KVM_STAT_HALT_WAIT_NS] = 9 * NS_PER_S;
    vcpus[0].kvm.values[KVM_STAT_WFI] = 4321;
    ck_assert(explains("asleep for 9.00 s, in 4,321 WFIs."));
    ck_assert(!explains("nothing to do"));
    vcpus[0].kvm.values[KVM_STAT_HALT_WAIT_NS] = 11 * NS_PER_S; /* of 20 */
    ck_assert(explains("The guest had nothing to do for most of the time"));
}
END_TEST

START_TEST(console_exits_call_for_quiet)
{
    counters[0].exits[EXIT_KIND_MMIO] = 20000;
    accesses[0][0] = (struct access_counters){9000, 10000};
    stats.console.output = 10000;
    ck_assert(explains("The console took 19,000 of 20,000 exits to armlet (95 %), 1.9 for each of "
                       "the 10,000 bytes that the guest printed. Linux prints little with"));
    ck_assert(!explains("Nothing stands out"));

    ck_assert(!explains("--fast-console"));
    options.slow_console = true;
    ck_assert(explains("--fast-console off asked for that"));

    options.append = "console=ttyAMA0 quiet";
    ck_assert(explains("The console took"));
    ck_assert(!explains("Linux prints little"));
    options.append = "notquiet quietly";
    ck_assert(explains("Linux prints little"));
    options.kernel_path = NULL; /* the guest inside the program takes no parameters */
    ck_assert(!explains("Linux prints little"));

    accesses[0][0] = (struct access_counters){900, 900}; /* 9 % */
    ck_assert(!explains("The console took"));
    counters[0].exits[EXIT_KIND_MMIO] = 999;
    accesses[0][0] = (struct access_counters){0, 999}; /* nearly nothing */
    ck_assert(!explains("The console took"));
    accesses[0][0] = (struct access_counters){9000, 10000};
    stats.console_device = DEVICES; /* none */
    ck_assert(!explains("The console took"));
}
END_TEST

START_TEST(exits_in_the_kernel_are_told_with_their_reason)
{
    vcpus[0].kvm.known = 1U << KVM_STAT_EXITS | 1U << KVM_STAT_WFI | 1U << KVM_STAT_MMIO_USER;
    vcpus[0].kvm.values[KVM_STAT_EXITS] = 1000000;
    vcpus[0].kvm.values[KVM_STAT_WFI] = 5000;
    vcpus[0].kvm.values[KVM_STAT_MMIO_USER] = 5000;
    ck_assert(explains("990,000 of 1,000,000 exits from the guest (99 %) were handled by KVM"));
    ck_assert(!explains("CTR_EL0"));
    stats.host_traps_ctr = true;
    ck_assert(explains("each read of CTR_EL0 is one"));
    ck_assert(explains("FEAT_EVT"));

    vcpus[0].kvm.values[KVM_STAT_WFI] = 600000; /* less than a half is left */
    ck_assert(!explains("CTR_EL0"));
    vcpus[0].kvm.values[KVM_STAT_WFI] = 2000000; /* numbers of different moments */
    ck_assert(!explains("CTR_EL0"));
    vcpus[0].kvm = (struct kvm_stats){.values = {[KVM_STAT_EXITS] = 1000000}}; /* unknown */
    ck_assert(!explains("CTR_EL0"));
}
END_TEST

START_TEST(page_faults_call_for_huge_pages)
{
    vcpus[1].usage.minor_faults = 50000;
    ck_assert(explains("50,000 page faults while vCPUs ran"));
    ck_assert(explains("--memory-backing thp or hugetlb"));
    ck_assert(explains("--prefault"));
    options.backing = BACKING_TRANSPARENT;
    ck_assert(!explains("--memory-backing"));
    ck_assert(explains("--prefault takes them"));
    options.prefault = true;
    ck_assert(!explains("page faults"));
    options.prefault = false;
    vcpus[1].usage.minor_faults = 4095;
    ck_assert(!explains("page faults"));
}
END_TEST

START_TEST(pages_from_a_disk_call_for_locking)
{
    vcpus[0].usage.major_faults = 100;
    ck_assert(explains("100 pages had to be read from a disk"));
    options.locked = true;
    ck_assert(!explains("a disk"));
    options.locked = false;
    vcpus[0].usage.major_faults = 15;
    ck_assert(!explains("a disk"));
}
END_TEST

START_TEST(lost_cpus_call_for_pinning)
{
    vcpus[0].usage.involuntary_switches = 500;
    vcpus[0].usage.user_ns = 5 * NS_PER_S;
    ck_assert(explains("lost their host CPU to other threads 500 times in 5.00 s of CPU time"));
    ck_assert(explains("(--pin)"));
    options.pin_count = 1;
    ck_assert(explains("The CPUs that --pin names are shared"));
    vcpus[0].usage.user_ns = 50 * NS_PER_S; /* 10 a second */
    ck_assert(!explains("lost their"));
    vcpus[0].usage = (struct thread_usage){.involuntary_switches = 99};
    ck_assert(!explains("lost their"));
}
END_TEST

START_TEST(accesses_to_nowhere_are_told)
{
    counters[0].unassigned = (struct access_counters){60, 40};
    ck_assert(explains("100 accesses went to where nothing is"));
    counters[0].unassigned.reads = 59;
    ck_assert(!explains("where nothing is"));
}
END_TEST

START_TEST(decoded_accesses_are_told)
{
    counters[1].exits[EXIT_KIND_NO_SYNDROME] = 1000;
    ck_assert(explains("1,000 accesses of devices were by instructions"));
    counters[1].exits[EXIT_KIND_NO_SYNDROME] = 999;
    ck_assert(!explains("by instructions"));
}
END_TEST

START_TEST(lines_are_short)
{
    count_something();
    record_latencies();
    counters[1].exits[EXIT_KIND_NO_SYNDROME] = UINT64_MAX / 4;
    vcpus[0].usage.minor_faults = UINT64_MAX / 4;
    for (const char *line = print(explain_print); *line;) {
        size_t length = strcspn(line, "\n");

        ck_assert_uint_le(length, 100);
        line += length + (line[length] == '\n');
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("stats");
    TCase *tests = tcase_create("stats");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, sums_are_over_vcpus);
    tcase_add_test(tests, the_table_has_a_column_a_vcpu);
    tcase_add_test(tests, the_table_of_many_vcpus_has_sums);
    tcase_add_test(tests, latencies_are_by_kind_and_device);
    tcase_add_test(tests, latencies_of_vcpus_are_summed);
    tcase_add_test(tests, json_has_what_the_manual_promises);
    tcase_add_test(tests, a_device_counts_of_its_own);
    tcase_add_test(tests, nothing_stands_out);
    tcase_add_test(tests, sleep_is_told_where_it_is_known);
    tcase_add_test(tests, console_exits_call_for_quiet);
    tcase_add_test(tests, exits_in_the_kernel_are_told_with_their_reason);
    tcase_add_test(tests, page_faults_call_for_huge_pages);
    tcase_add_test(tests, pages_from_a_disk_call_for_locking);
    tcase_add_test(tests, lost_cpus_call_for_pinning);
    tcase_add_test(tests, accesses_to_nowhere_are_told);
    tcase_add_test(tests, decoded_accesses_are_told);
    tcase_add_test(tests, lines_are_short);
    suite_add_tcase(suite, tests);
    return suite;
}
