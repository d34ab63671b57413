// SPDX-License-Identifier: Apache-2.0
#include "explain.h"

#include <stdarg.h>
#include <string.h>

#include "figures.h"

#define NS_PER_S UINT64_C(1000000000)

/* From when on a cost is worth a sentence. */
enum {
    CONSOLE_EXITS_LEAST = 1000,
    CONSOLE_SHARE_LEAST = 10, /* per cent of the exits to armlet */
    KERNEL_EXITS_LEAST = 10000,
    KERNEL_SHARE_LEAST = 50, /* per cent of the exits from the guest */
    FAULTS_LEAST = 4096,     /* as many as 16 MiB have pages of 4 KiB */
    DISK_FAULTS_LEAST = 16,
    NOWHERE_LEAST = 100,
    DECODED_LEAST = 1000,
    PUSHED_OUT_LEAST = 100,
    PUSHED_OUT_PER_SECOND = 50, /* of a vCPU */
    ASLEEP_SHARE_LEAST = 50,    /* per cent of the vCPUs' time */
    LINE_COLUMNS = 96,
    PARAGRAPH_BYTES = 1024,
    HUGE_PAGE_PAGES = 512, /* of 4 KiB in one of 2 MiB */
};

/* A paragraph that grows, and is broken into lines at the end. */
struct paragraph {
    char text[PARAGRAPH_BYTES];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void say(struct paragraph *paragraph,
                                                      const char *format, ...)
{
    size_t room = sizeof(paragraph->text) - paragraph->length;
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(paragraph->text + paragraph->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        paragraph->length += (size_t)length < room ? (size_t)length : room - 1;
}

/* Numbers within sentences; each has a buffer of its own in the caller's. */
struct words {
    char text[8][FIGURE_COUNT_BYTES];
    unsigned used;
};

static const char *count(struct words *words, uint64_t number)
{
    char *text = words->text[words->used++];

    figure_count(number, text);
    return text;
}

static const char *duration(struct words *words, uint64_t ns)
{
    char *text = words->text[words->used++];

    figure_ns((double)ns, text);
    return text;
}

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)((double)part * 100 / (double)whole + 0.5) : 0;
}

/* Whether a word is among the kernel's parameters. */
static bool has_parameter(const struct stats *stats, const char *word)
{
    size_t length = strlen(word);
    const char *at = stats->options->append;

    while ((at = strstr(at, word))) {
        bool begins = at == stats->options->append || at[-1] == ' ';

        if (begins && (at[length] == '\0' || at[length] == ' '))
            return true;
        at += length;
    }
    return false;
}

/* ---- the rules: false when there is nothing to say ---- */

static bool explain_time(const struct stats *stats, struct paragraph *out)
{
    const struct thread_usage usage = stats_usage(stats);
    const struct kvm_stats kvm = stats_kvm(stats);
    const uint64_t all_ns = stats->elapsed_ns * stats->vcpu_count;
    struct words words = {0};

    say(out, "%u vCPU%s for %s: %s of CPU time in the guest and in armlet, %s in the host's kernel",
        stats->vcpu_count, stats->vcpu_count == 1 ? "" : "s", duration(&words, stats->elapsed_ns),
        duration(&words, usage.user_ns), duration(&words, usage.system_ns));
    if (kvm_stats_has(&kvm, KVM_STAT_HALT_WAIT_NS) && kvm.values[KVM_STAT_WFI] > 0)
        say(out, "; asleep for %s, in %s WFIs", duration(&words, kvm.values[KVM_STAT_HALT_WAIT_NS]),
            count(&words, kvm.values[KVM_STAT_WFI]));
    say(out, ".");
    if (kvm_stats_has(&kvm, KVM_STAT_HALT_WAIT_NS) &&
        percent(kvm.values[KVM_STAT_HALT_WAIT_NS], all_ns) >= ASLEEP_SHARE_LEAST)
        say(out, " The guest had nothing to do for most of the time: what follows lowers the load "
                 "of the host, more than the time that the guest takes.");
    return true;
}

static bool explain_console(const struct stats *stats, struct paragraph *out)
{
    uint64_t all = stats_exits(stats);
    struct words words = {0};

    if (stats->console_device >= stats->device_count)
        return false;
    const struct access_counters accesses =
        stats_accesses(stats, stats->devices[stats->console_device].index);
    uint64_t exits = accesses.reads + accesses.writes;
    if (exits < CONSOLE_EXITS_LEAST || percent(exits, all) < CONSOLE_SHARE_LEAST)
        return false;
    say(out, "The console took %s of %s exits to armlet (%u %%)", count(&words, exits),
        count(&words, all), percent(exits, all));
    if (stats->console.output > 0)
        say(out, ", %.1f for each of the %s bytes that the guest printed",
            (double)exits / (double)stats->console.output, count(&words, stats->console.output));
    say(out, ".");
    if (stats->options->slow_console)
        say(out, " --fast-console off asked for that: with on, the default, few of them leave the "
                 "guest.");
    if (stats->options->kernel_path && !has_parameter(stats, "quiet"))
        say(out, " Linux prints little with 'quiet' (--append quiet).");
    return true;
}

static bool explain_kernel_exits(const struct stats *stats, struct paragraph *out)
{
    static const enum kvm_stat others[] = {KVM_STAT_WFI,       KVM_STAT_WFE,
                                           KVM_STAT_HVC,       KVM_STAT_MMIO_KERNEL,
                                           KVM_STAT_MMIO_USER, KVM_STAT_SIGNAL};
    const struct kvm_stats kvm = stats_kvm(stats);
    struct words words = {0};

    if (!kvm_stats_has(&kvm, KVM_STAT_EXITS))
        return false;
    uint64_t all = kvm.values[KVM_STAT_EXITS];
    uint64_t left = all;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        left -= kvm.values[others[i]] < left ? kvm.values[others[i]] : left;
    if (left < KERNEL_EXITS_LEAST || percent(left, all) < KERNEL_SHARE_LEAST)
        return false;
    say(out,
        "%s of %s exits from the guest (%u %%) were handled by KVM alone and were no WFI, no "
        "hypercall and no access of a device: they are interrupts, memory faults and system "
        "registers.",
        count(&words, left), count(&words, all), percent(left, all));
    if (stats->host_traps_ctr)
        say(out, " On this host each read of CTR_EL0 is one, which programs do when they start and "
                 "when they make code: its CPUs don't have FEAT_EVT, or its kernel doesn't use it. "
                 "No option of armlet changes that; a newer host does.");
    return true;
}

static bool explain_faults(const struct stats *stats, struct paragraph *out)
{
    const struct options *options = stats->options;
    const struct thread_usage usage = stats_usage(stats);
    struct words words = {0};

    if (usage.minor_faults < FAULTS_LEAST || options->prefault || options->locked)
        return false;
    say(out,
        "%s page faults while vCPUs ran, nearly all of them pages of guest memory that were "
        "touched for the first time.",
        count(&words, usage.minor_faults));
    if (options->backing == BACKING_DEFAULT)
        say(out,
            " With huge pages (--memory-backing thp or hugetlb) there is one of up to %d; "
            "--prefault takes them before the guest starts.",
            HUGE_PAGE_PAGES);
    else
        say(out, " --prefault takes them before the guest starts.");
    return true;
}

static bool explain_disk_faults(const struct stats *stats, struct paragraph *out)
{
    const struct thread_usage usage = stats_usage(stats);
    struct words words = {0};

    if (usage.major_faults < DISK_FAULTS_LEAST || stats->options->locked)
        return false;
    say(out,
        "%s pages had to be read from a disk while vCPUs ran: the host is short of memory, or "
        "guest memory is a file that wasn't cached. --lock-memory keeps guest memory present.",
        count(&words, usage.major_faults));
    return true;
}

static bool explain_pushed_out(const struct stats *stats, struct paragraph *out)
{
    const struct thread_usage usage = stats_usage(stats);
    uint64_t vcpu_ns = usage.user_ns + usage.system_ns;
    struct words words = {0};

    if (usage.involuntary_switches < PUSHED_OUT_LEAST ||
        usage.involuntary_switches * NS_PER_S < PUSHED_OUT_PER_SECOND * vcpu_ns)
        return false;
    say(out, "The vCPUs' threads lost their host CPU to other threads %s times in %s of CPU time.",
        count(&words, usage.involuntary_switches), duration(&words, vcpu_ns));
    if (stats->options->pin_count == 0)
        say(out, " Fewer vCPUs than the host has CPUs to spare, or CPUs of their own (--pin), "
                 "avoid that.");
    else
        say(out, " The CPUs that --pin names are shared with somebody.");
    return true;
}

static bool explain_nowhere(const struct stats *stats, struct paragraph *out)
{
    const struct access_counters accesses = stats_unassigned(stats);
    uint64_t all = accesses.reads + accesses.writes;
    struct words words = {0};

    if (all < NOWHERE_LEAST)
        return false;
    say(out,
        "%s accesses went to where nothing is, an exit each: the guest looks for a device "
        "that this machine doesn't have. The first are in the log, with their address.",
        count(&words, all));
    return true;
}

static bool explain_decoded(const struct stats *stats, struct paragraph *out)
{
    uint64_t exits = stats_exits_of_kind(stats, EXIT_KIND_NO_SYNDROME);
    struct words words = {0};

    if (exits < DECODED_LEAST)
        return false;
    say(out,
        "%s accesses of devices were by instructions that the hardware doesn't describe "
        "(register pairs, write-back, SIMD): armlet had to fetch and decode each, which takes "
        "several calls of KVM. Drivers that use plain loads and stores are spared that.",
        count(&words, exits));
    return true;
}

/* ---- printing ---- */

/* "- " and the text, broken at blanks. */
static void put_paragraph(FILE *out, const char *text)
{
    size_t column = 0;

    (void)fputs("-", out);
    while (*text) {
        size_t length = strcspn(text, " ");

        if (column > 0 && column + 1 + length > LINE_COLUMNS) {
            (void)fputs("\n ", out);
            column = 0;
        }
        (void)fprintf(out, " %.*s", (int)length, text);
        column += length + 1;
        text += length;
        text += *text == ' ';
    }
    (void)fputc('\n', out);
}

void explain_print(FILE *out, const struct stats *stats)
{
    static bool (*const rules[])(const struct stats *stats, struct paragraph *out) = {
        explain_time,        explain_console,    explain_kernel_exits, explain_faults,
        explain_disk_faults, explain_pushed_out, explain_nowhere,      explain_decoded,
    };
    unsigned spoken = 0;

    (void)fputs("\narmlet: where the time went\n", out);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct paragraph paragraph = {.length = 0};

        if (!rules[i](stats, &paragraph))
            continue;
        put_paragraph(out, paragraph.text);
        spoken++;
    }
    if (spoken == 1)
        put_paragraph(out, "Nothing stands out that an option of armlet or of the guest would "
                           "lower.");
}
