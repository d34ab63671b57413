// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_guest.h"
#include "floor.h"
#include "guest_lines.h"
#include "vmm.h"

enum {
    WORDS_BYTES = 2048,
    COMMAND_BYTES = 512,
    PATTERN_BYTES = 64,
    EXEC_RUNS_MOST = 20, /* a whole VMM each */
    EXEC_WARM_UP = 2,
    BOOT_RUNS_MOST = 3,
    MEASURED_CPUS = 2, /* a vCPU on each */
};

#define NS_PER_SECOND 1000000000ULL

struct session {
    struct bench_report *report;
    const struct options *options;
    struct guest_lines lines;
    cpu_set_t allowed;             /* where this process might run */
    cpu_set_t pinned;              /* where the vCPUs do */
    int cpus[MEASURED_CPUS];       /* the same, one a vCPU */
    unsigned cpu_count;            /* different ones among them */
    struct vmm_image guest, empty; /* their files */
    bool shows_progress;
};

/* ---- which ---- */

static bool choose_matching(struct bench_report *report, const char *pattern)
{
    bool any = false;

    for (size_t id = 0; id < BENCH_COUNT; id++)
        if (fnmatch(pattern, bench_catalogue[id].name, 0) == 0) {
            report->results[id].chosen = true;
            any = true;
        }
    return any;
}

bool session_choose(struct bench_report *report, const char *filter, struct error *error)
{
    if (!filter)
        return choose_matching(report, "*");
    for (const char *at = filter;; at++) {
        size_t length = strcspn(at, ",");
        char pattern[PATTERN_BYTES] = "";

        if (length < sizeof(pattern))
            memcpy(pattern, at, length);
        if (!choose_matching(report, pattern))
            return error_set(error, ERROR_USAGE, 0,
                             "--filter: no benchmark is called '%.*s': 'armlet bench --list' "
                             "shows them",
                             (int)(length < sizeof(pattern) ? length : sizeof(pattern)), at);
        at += length;
        if (*at == '\0')
            break;
    }
    /* What others are compared with. */
    report->results[BENCH_FLOOR_READ].chosen = true;
    report->results[BENCH_FLOOR_WRITE].chosen = true;
    return true;
}

static bool is_any_chosen(const struct bench_report *report, enum bench_where where)
{
    for (size_t id = 0; id < BENCH_COUNT; id++)
        if (report->results[id].chosen && bench_catalogue[id].where == where)
            return true;
    return false;
}

/* ---- where ---- */

static bool is_allowed(const struct session *session, int cpu)
{
    return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET((size_t)cpu, &session->allowed);
}

static int last_allowed(const struct session *session)
{
    int cpu = CPU_SETSIZE - 1;

    while (cpu > 0 && !is_allowed(session, cpu))
        cpu--;
    return cpu;
}

/* The nearest other one, or the same if there is none. */
static int find_neighbour(const struct session *session, int cpu)
{
    for (int distance = 1; distance < CPU_SETSIZE; distance++) {
        if (is_allowed(session, cpu - distance))
            return cpu - distance;
        if (is_allowed(session, cpu + distance))
            return cpu + distance;
    }
    return cpu;
}

static bool find_cpus(struct session *session, struct error *error)
{
    int wanted = session->options->bench.cpu;

    if (sched_getaffinity(0, sizeof(session->allowed), &session->allowed) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot tell which CPUs may be used");
    if (wanted != PIN_NONE && !is_allowed(session, wanted))
        return error_set(error, ERROR_USAGE, 0,
                         "--cpu %d: no such CPU, or this process may not use it", wanted);
    session->cpus[0] = wanted != PIN_NONE ? wanted : last_allowed(session);
    session->cpus[1] = find_neighbour(session, session->cpus[0]);
    session->cpu_count = session->cpus[1] != session->cpus[0] ? MEASURED_CPUS : 1;
    CPU_ZERO(&session->pinned);
    CPU_SET((size_t)session->cpus[0], &session->pinned);
    CPU_SET((size_t)session->cpus[1], &session->pinned);
    return true;
}

static bool pin(const struct session *session, struct error *error)
{
    cpu_set_t first;

    CPU_ZERO(&first);
    CPU_SET((size_t)session->cpus[0], &first);
    return sched_setaffinity(0, sizeof(first), &first) == 0 ||
           error_set(error, ERROR_HOST, errno, "cannot stay on CPU %d", session->cpus[0]);
}

static void unpin(const struct session *session)
{
    (void)sched_setaffinity(0, sizeof(session->allowed), &session->allowed);
}

/* ---- what a person sees ---- */

static void show_progress(const struct session *session, const char *what)
{
    if (session->shows_progress)
        (void)fprintf(stderr, "\r\033[K%s", what);
}

/* ---- a guest ---- */

static bool take_line(void *context, const char *text, uint32_t *reply, struct error *error)
{
    struct session *session = context;
    struct guest_line line;

    if (!guest_lines_take(&session->lines, text, &line, error))
        return false;
    if (line.kind == GUEST_LINE_RUN)
        show_progress(session, bench_catalogue[line.id].name);
    *reply = line.kind == GUEST_LINE_INPUT ? line.characters : 0;
    return true;
}

/* What a guest that is to run these, of one machine, is told. */
static void write_words(const struct session *session, enum bench_where where, enum bench_id only,
                        char words[WORDS_BYTES])
{
    const struct bench_report *report = session->report;
    int used =
        snprintf(words, WORDS_BYTES, "runs=%u host-cpus=%u", report->runs, session->cpu_count);

    for (size_t id = 0; id < BENCH_COUNT; id++)
        if (report->results[id].chosen && bench_catalogue[id].where == where &&
            (only == BENCH_COUNT || only == id))
            used +=
                snprintf(words + used, WORDS_BYTES - (size_t)used, " %s", bench_catalogue[id].name);
}

/* armlet's own command line; `extra` are more options of it. */
static void write_command(const struct session *session, const char *extra,
                          char command[COMMAND_BYTES])
{
    (void)snprintf(command, COMMAND_BYTES,
                   "/proc/self/exe run --quiet --kernel {guest} --append {words} --memory 256M "
                   "--device testdev --irqchip %s --irq-delivery %s --cpus %u --pin %d,%d %s",
                   session->options->irqchip == IRQCHIP_USER ? "user" : "kernel",
                   session->options->irq_delivery == IRQ_DELIVERY_IRQFD ? "irqfd" : "line",
                   session->cpu_count, session->cpus[0], session->cpus[1], extra);
}

static bool judge_end(const struct session *session, const char *name, int status,
                      struct error *error)
{
    if (session->lines.ended)
        return true;
    if (WIFSIGNALED(status))
        return error_set(error, ERROR_HOST, 0, "'%s' was ended by signal %d before the guest did",
                         name, WTERMSIG(status));
    return error_set(error, ERROR_HOST, 0, "'%s' ended with status %d before the guest did", name,
                     WEXITSTATUS(status));
}

static bool run_guest(struct session *session, const char *command, const char *words,
                      bool small_pages, struct error *error)
{
    struct bench_report *report = session->report;
    const struct vmm_texts texts = {.guest_path = session->guest.path, .words = words};
    const struct vmm_process process = {
        .arguments = vmm_arguments(&report->arena, command, &texts, error),
        .cpus = session->options->bench.vmm ? &session->pinned : NULL,
        .small_pages = small_pages,
        .line = take_line,
        .context = session,
    };
    int status = 0;

    session->lines = (struct guest_lines){.report = report};
    return process.arguments && vmm_run(&process, &status, error) &&
           judge_end(session, process.arguments[0], status, error);
}

static bool measure_guest(struct session *session, struct error *error)
{
    char command[COMMAND_BYTES];
    char words[WORDS_BYTES];

    if (!is_any_chosen(session->report, BENCH_GUEST))
        return true;
    write_words(session, BENCH_GUEST, BENCH_COUNT, words);
    write_command(session, "", command);
    return run_guest(session, session->options->bench.vmm ? session->options->bench.vmm : command,
                     words, false, error);
}

/* A benchmark in a machine of its own. */
struct alone {
    enum bench_id id;
    const char *extra; /* options of armlet's */
    bool small_pages;
    const char *why_not; /* another VMM can't be asked for that machine; NULL: it is always so */
};

static bool measure_one_alone(struct session *session, const struct alone *alone,
                              struct error *error)
{
    const char *vmm = session->options->bench.vmm;
    char command[COMMAND_BYTES];
    char words[WORDS_BYTES];

    if (!session->report->results[alone->id].chosen)
        return true;
    if (vmm && alone->why_not) {
        bench_skip(session->report, alone->id, alone->why_not);
        return true;
    }
    write_words(session, BENCH_ALONE, alone->id, words);
    write_command(session, alone->extra, command);
    return run_guest(session, vmm ? vmm : command, words, alone->small_pages, error);
}

/*
 * Memory that nobody has touched; a filter of hypercalls and an ITS, which KVM looks at in every
 * hypercall and every access.
 */
static bool measure_alone(struct session *session, struct error *error)
{
    static const char memory_is_its_own[] = "depends on how the VMM takes its memory";
    const bool has_its = session->options->irqchip == IRQCHIP_KERNEL && floor_has_its();
    const struct alone all[] = {
        {BENCH_HVC_USER, "--hypercalls auto", false, NULL},
        {BENCH_LPI, has_its ? "--its on" : "", false, NULL},
        {BENCH_FAULT_4K_ABSENT, "", true, memory_is_its_own},
        {BENCH_FAULT_4K_PRESENT, "--prefault", true, memory_is_its_own},
        {BENCH_FAULT_2M_ABSENT, "--memory-backing thp", false, memory_is_its_own},
        {BENCH_FAULT_2M_PRESENT, "--memory-backing thp --prefault", false, memory_is_its_own},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (!measure_one_alone(session, &all[i], error))
            return false;
    return true;
}

/* ---- a whole VMM ---- */

static bool time_runs(struct session *session, enum bench_id id, char *const *arguments,
                      uint32_t warm_up, uint32_t most, struct error *error)
{
    uint32_t runs = session->report->runs < most ? session->report->runs : most;
    uint64_t samples[EXEC_RUNS_MOST + EXEC_WARM_UP];

    show_progress(session, bench_catalogue[id].name);
    for (uint32_t i = 0; i < runs + warm_up; i++)
        if (!vmm_measure_time(arguments, &samples[i], error))
            return false;
    return bench_set_samples(session->report, id, samples + warm_up, runs, 1, error);
}

static bool measure_empty(struct session *session, struct error *error)
{
    struct bench_report *report = session->report;
    const char *vmm = session->options->bench.vmm;
    const char *command = vmm ? vmm : "/proc/self/exe run --quiet --kernel {guest}";
    const struct vmm_texts texts = {.guest_path = session->empty.path, .words = "quiet"};
    char *const *arguments = vmm_arguments(&report->arena, command, &texts, error);
    uint64_t peak = 0;

    if (!arguments ||
        (report->results[BENCH_EXEC].chosen &&
         !time_runs(session, BENCH_EXEC, arguments, EXEC_WARM_UP, EXEC_RUNS_MOST, error)))
        return false;
    if (!report->results[BENCH_EXEC_MEMORY].chosen)
        return true;
    if (!vmm_measure_peak(arguments, &peak, error))
        return false;
    if (peak > 0)
        return bench_set_samples(report, BENCH_EXEC_MEMORY, &peak, 1, 1, error);
    bench_skip(report, BENCH_EXEC_MEMORY, "this host doesn't let a process be traced");
    return true;
}

static bool measure_boot(struct session *session, struct error *error)
{
    struct bench_report *report = session->report;
    const struct options *options = session->options;
    const struct vmm_texts texts = {options->kernel_path, options->append, options->initrd_path};
    const char *command = options->bench.vmm ? options->bench.vmm
                          : options->initrd_path
                              ? "/proc/self/exe run --quiet --kernel {guest} --append {words} "
                                "--initrd {initrd}"
                              : "/proc/self/exe run --quiet --kernel {guest} --append {words}";

    if (!report->results[BENCH_BOOT].chosen)
        return true;
    if (!options->kernel_path) {
        bench_skip(report, BENCH_BOOT, "needs a kernel: --kernel");
        return true;
    }
    char *const *arguments = vmm_arguments(&report->arena, command, &texts, error);
    return arguments && time_runs(session, BENCH_BOOT, arguments, 0, BOOT_RUNS_MOST, error);
}

static bool measure_exec(struct session *session, struct error *error)
{
    return measure_empty(session, error) && measure_boot(session, error);
}

/* ---- all ---- */

static void settle(const struct session *session)
{
    uint64_t ns = session->options->bench.settle_ns;
    struct timespec left = {.tv_sec = (time_t)(ns / NS_PER_SECOND),
                            .tv_nsec = (long)(ns % NS_PER_SECOND)};

    show_progress(session, "settling");
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static bool measure_host(struct session *session, struct error *error)
{
    if (!pin(session, error))
        return false;
    show_progress(session, "floor");
    bool good = floor_measure(session->report, session->report->runs, error) &&
                measure_exec(session, error);
    unpin(session);
    return good;
}

/* What was chosen and has neither a figure nor a reason. */
static void explain_absences(struct bench_report *report)
{
    for (size_t id = 0; id < BENCH_COUNT; id++)
        if (report->results[id].chosen && !bench_is_measured(&report->results[id]) &&
            !report->results[id].skipped)
            bench_skip(report, (enum bench_id)id, "the guest knows no such benchmark");
}

static bool make_images(struct session *session, struct error *error)
{
    return vmm_image_create(&session->guest, "bench", bench_guest, bench_guest_bytes, error) &&
           vmm_image_create(&session->empty, "empty", empty_guest, empty_guest_bytes, error);
}

bool session_measure(struct bench_report *report, const struct options *options,
                     struct error *error)
{
    struct session session = {
        .report = report,
        .options = options,
        .guest.fd = -1,
        .empty.fd = -1,
        .shows_progress = isatty(STDERR_FILENO) == 1,
    };
    bool good = find_cpus(&session, error) && make_images(&session, error);

    (void)signal(SIGPIPE, SIG_IGN); /* a guest that ends doesn't read what is typed */
    if (good) {
        settle(&session);
        good = measure_host(&session, error) && measure_guest(&session, error) &&
               measure_alone(&session, error);
    }
    show_progress(&session, "");
    vmm_image_destroy(&session.empty);
    vmm_image_destroy(&session.guest);
    explain_absences(report);
    return good;
}
