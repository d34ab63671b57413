// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "armlet/fdt_file.h"
#include "console.h"
#include "devices/pl061.h"
#include "machine_internal.h"
#include "machine_stats.h"
#include "machine_watch.h"
#include "memory_map.h"
#include "register_dump.h"

#define NS_PER_MS 1000000ULL

enum {
    POWER_KEY_PRESS_MS = 200, /* longer than the guest's debouncing */
    PLACES_LOGGED = 16,       /* vCPUs whose place is told when time has run out */
    CONSOLE_FLUSH_MS = 2000,  /* how long a slow reader of the console is waited for at the end */
};

static const int handled_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGCONT, SIGUSR1, SIGWINCH};
enum { HANDLED_SIGNAL_COUNT = sizeof(handled_signals) / sizeof(handled_signals[0]) };

/* What is ignored from the start stays so: nohup(1), a shell's background jobs. */
static void handled_signal_set(sigset_t *set)
{
    (void)sigemptyset(set);
    for (size_t i = 0; i < HANDLED_SIGNAL_COUNT; i++) {
        struct sigaction action = {0};

        (void)sigaction(handled_signals[i], NULL, &action);
        if (action.sa_handler != SIG_IGN)
            (void)sigaddset(set, handled_signals[i]);
    }
}

static bool block_signals(struct error *error)
{
    sigset_t set;

    handled_signal_set(&set);
    /* A console whose reader is gone, or a file that is too large: errors of write(2), no reasons
     * to die. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    return vcpu_prepare_signals(error);
}

/* ---- how it ends ---- */

/* The first reason wins; what comes later is a consequence of stopping. */
static void end(struct machine *machine, enum machine_outcome outcome, int signal_number)
{
    if (!machine->ended) {
        machine->ended = true;
        machine->result = (struct machine_result){.outcome = outcome, .signal = signal_number};
    }
    event_loop_stop(machine->loop);
}

/* The operator asked the guest to power off, by a signal or a key, and it didn't. */
static void end_as_asked(struct machine *machine)
{
    end(machine, machine->ending_signal ? MACHINE_SIGNALLED : MACHINE_QUIT, machine->ending_signal);
}

static void on_timeout(struct event_timer *timer)
{
    struct machine *machine = timer->context;

    end(machine, MACHINE_TIMED_OUT, 0);
    log_line(machine->log, LOG_ERROR, "the guest did not end within --timeout");
}

static void on_shutdown_timeout(struct event_timer *timer)
{
    struct machine *machine = timer->context;

    log_line(machine->log, LOG_ERROR,
             "the guest did not power off when asked to (see --shutdown-timeout): stopping it");
    end_as_asked(machine);
}

static void press_power_key(struct machine *machine, bool down)
{
    pl061_set_input(machine_find_device(machine, "pl061"), PL061_POWER_KEY_LINE, down);
}

static void on_key_release(struct event_timer *timer)
{
    struct machine *machine = timer->context;

    press_power_key(machine, false);
}

/* Presses the power key; asked again, it doesn't wait any longer. */
static void ask_for_shutdown(struct machine *machine, int signal_number)
{
    if (machine->shutdown_asked) {
        machine->ending_signal = signal_number;
        end_as_asked(machine);
        return;
    }
    machine->shutdown_asked = true;
    machine->ending_signal = signal_number;
    log_line(machine->log, LOG_INFO, "asking the guest to shut down; ask again to stop it now");
    press_power_key(machine, true);
    event_timer_arm(&machine->key_release, POWER_KEY_PRESS_MS * NS_PER_MS);
    event_timer_arm(&machine->shutdown_timeout, machine->options->shutdown_timeout_ns);
}

void machine_console_command(void *context, enum console_command command)
{
    struct machine *machine = context;

    switch (command) {
    case CONSOLE_COMMAND_QUIT:
        end(machine, MACHINE_QUIT, 0);
        return;
    case CONSOLE_COMMAND_SHUTDOWN:
        ask_for_shutdown(machine, 0);
        return;
    }
}

static void on_signal(struct event_source *source, uint32_t events)
{
    struct machine *machine = source->context;
    struct signalfd_siginfo info;

    (void)events;
    if (read(source->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGCONT)
        console_resume(machine->console);
    else if (info.ssi_signo == SIGWINCH)
        console_resize(machine->console);
    else if (info.ssi_signo == SIGUSR1)
        machine_stats_report_now(machine);
    else
        ask_for_shutdown(machine, (int)info.ssi_signo);
}

/* A guest's own status: the first one counts. Any thread; the I/O thread is woken. */
static void on_guest_exit(struct guest_exit *guest_exit, uint64_t status)
{
    struct machine *machine = container_of(guest_exit, struct machine, guest_exit);
    uint64_t asked = status < UINT64_MAX ? status + 1 : UINT64_MAX;
    uint64_t none = 0;

    if (atomic_compare_exchange_strong(&machine->guest_asked, &none, asked))
        event_notify_send(&machine->vcpu_left);
}

/* Whether the guest has ended the machine. */
static bool take_guest_exit(struct machine *machine)
{
    uint64_t asked = atomic_load(&machine->guest_asked);

    if (asked > 0) {
        end(machine, MACHINE_EXITED, 0);
        machine->result.guest_status = asked - 1;
    }
    return asked > 0;
}

static void on_vcpu_left(struct event_notify *notify)
{
    struct machine *machine = notify->context;

    (void)take_guest_exit(machine);

    /*
     * A notification may be left over from before a reset. Why a vCPU left is looked at once all
     * threads are joined.
     */
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++)
        if (vcpu_has_left(&machine->vcpus[i]))
            event_loop_stop(machine->loop);
}

/* A watchdog bites. Any thread. */
static void set_reset_request(struct irq_line *line, bool level)
{
    struct machine *machine = line->controller;

    atomic_store(&machine->reset_request_level, level);
    if (level)
        event_notify_send(&machine->reset_requested);
}

static void on_reset_requested(struct event_notify *notify)
{
    struct machine *machine = notify->context;

    /* A notification may be left over from before a reset, which took the request back. */
    if (!atomic_load(&machine->reset_request_level))
        return;
    if (machine->options->watchdog == WATCHDOG_EXIT) {
        log_line(machine->log, LOG_ERROR, "the guest's watchdog bit (--watchdog exit)");
        end(machine, MACHINE_WATCHDOG, 0);
        return;
    }
    if (log_limit_pass(&machine->bite_limit))
        log_line(machine->log, LOG_WARNING, "the guest's watchdog bit: resetting the machine");
    event_loop_stop(machine->loop); /* judge() sees to the rest */
}

/* ---- wiring ---- */

static bool watch_signals(struct machine *machine, struct error *error)
{
    sigset_t set;

    handled_signal_set(&set);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return error_set(error, ERROR_HOST, errno, "signalfd failed");
    machine->signals = (struct event_source){.fd = fd, .callback = on_signal, .context = machine};
    return event_loop_add(machine->loop, &machine->signals, EPOLLIN, error);
}

static bool create_loop(struct machine *machine, struct error *error)
{
    static const struct irq_ops reset_request_ops = {.set_level = set_reset_request};

    machine->reset_request = (struct irq_line){.ops = &reset_request_ops, .controller = machine};
    machine->loop = event_loop_create(error);
    if (!machine->loop)
        return false;
    event_loop_set_events(machine->loop, &machine->events);
    return watch_signals(machine, error) &&
           event_notify_init(&machine->vcpu_left, machine->loop, on_vcpu_left, machine, error) &&
           event_notify_init(&machine->reset_requested, machine->loop, on_reset_requested, machine,
                             error) &&
           event_timer_init(&machine->timeout, machine->loop, on_timeout, machine, error) &&
           event_timer_init(&machine->shutdown_timeout, machine->loop, on_shutdown_timeout, machine,
                            error) &&
           event_timer_init(&machine->key_release, machine->loop, on_key_release, machine, error);
}

static void name_timers(struct machine *machine)
{
    machine->timeout.name = "timeout";
    machine->shutdown_timeout.name = "shutdown timeout";
    machine->key_release.name = "power key";
}

/* Whether all that a vCPU's thread may use of the host's files is there before it starts. */
static bool files_are_constant(const struct machine *machine)
{
    const struct bus *bus = &machine->bus;
    size_t i = 0;

    while (i < bus->count && bus->entries[i].device->has_constant_files)
        i++;
    return i == bus->count && machine->plugins.count == 0;
}

static bool create_vcpu_slots(struct machine *machine, struct error *error)
{
    const struct options *options = machine->options;

    machine->vcpus =
        arena_alloc(&machine->arena, options->vcpu_count, sizeof(*machine->vcpus), error);
    if (!machine->vcpus)
        return false;
    for (uint32_t i = 0; i < options->vcpu_count; i++) {
        machine->vcpus[i].fd = -1;
        machine->vcpus[i].pin_cpu =
            options->pin_count ? options->pin_cpus[i % options->pin_count] : PIN_NONE;
    }
    machine->affinities =
        arena_alloc(&machine->arena, options->vcpu_count, sizeof(*machine->affinities), error);
    if (!machine->affinities)
        return false;
    machine->environment = (struct vcpu_environment){
        .bus = &machine->bus,
        .coalesced = &machine->coalesced,
        .memory = &machine->ram.memory,
        .events = &machine->events,
        .filters = &machine->filters,
        .log = machine->log,
        .unassigned_limit = &machine->unassigned_limit,
        .refused_limit = &machine->refused_limit,
        .left = &machine->vcpu_left,
        .run_bytes = kvm_run_bytes(&machine->kvm, error),
        .own_files = files_are_constant(machine),
    };
    return machine->environment.run_bytes > 0;
}

/* A dry run makes no file. */
static bool create_memory(struct machine *machine, struct error *error)
{
    struct options options = *machine->options;

    if (options.dry_run)
        options.backing = BACKING_DEFAULT;
    options.shared_memory = machine_shares_memory(machine);
    return memory_mapping_create(&machine->ram, &options, memory_map_region(REGION_RAM)->base,
                                 error);
}

static bool load_plugins(struct machine *machine, struct error *error)
{
    const struct plugins_environment environment = {
        .arena = &machine->arena,
        .log = machine->log,
        .events = &machine->events,
        .filters = &machine->filters,
    };

    return plugins_load(&machine->plugins, &machine->options->plugins, &environment, error);
}

static bool wire(struct machine *machine, struct error *error)
{
    const struct options *options = machine->options;

    if (!load_plugins(machine, error) || !machine_choose_devices(machine, error) ||
        !boot_open_files(&machine->files, options, error) || !kvm_open(&machine->kvm, error) ||
        !vcpu_features_choose(&machine->kvm, options, &machine->features, error) ||
        !create_memory(machine, error) || !block_signals(error) || !create_loop(machine, error) ||
        !machine_create_consoles(machine, error) || !machine_create_devices(machine, error) ||
        !create_vcpu_slots(machine, error) || !machine_watch_create(machine, error) ||
        !machine_stats_create(machine, error))
        return false;
    name_timers(machine);
    events_freeze(&machine->events);
    return true;
}

struct machine *machine_create(const struct options *options, struct log *log, struct error *error)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    if (!machine) {
        (void)error_set(error, ERROR_HOST, ENOMEM, "cannot allocate a machine");
        return NULL;
    }
    machine->options = options;
    machine->log = log;
    machine->kvm.fd = -1;
    machine->vm.fd = -1;
    machine->vgic.fd = -1;
    machine->vgic.its_fd = -1;
    machine->ram.fd = -1;
    machine->pvtime.fd = -1;
    coalesced_init(&machine->coalesced, &machine->bus);
    machine->guest_exit.exit = on_guest_exit;
    machine->signals.fd = -1;
    if (wire(machine, error))
        return machine;
    machine_destroy(machine);
    return NULL;
}

void machine_destroy(struct machine *machine)
{
    if (!machine)
        return;
    machine_power_off(machine);
    if (machine->trace)
        trace_finish(machine->trace);
    machine_destroy_devices(machine);
    machine_destroy_consoles(machine);
    if (machine->trace)
        trace_destroy(machine->trace);
    event_timer_finish(&machine->key_release);
    event_timer_finish(&machine->shutdown_timeout);
    event_timer_finish(&machine->timeout);
    event_notify_finish(&machine->reset_requested);
    event_notify_finish(&machine->vcpu_left);
    if (machine->signals.fd >= 0) {
        event_loop_remove(machine->loop, &machine->signals);
        (void)close(machine->signals.fd);
    }
    event_loop_destroy(machine->loop);
    memory_mapping_destroy(&machine->ram);
    kvm_close(&machine->kvm);
    boot_close_files(&machine->files);
    plugins_finish(&machine->plugins);
    machine_stats_destroy(machine);
    arena_finish(&machine->arena);
    coalesced_finish(&machine->coalesced);
    free(machine);
}

/* ---- the run ---- */

static bool start_vcpus(struct machine *machine, struct error *error)
{
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++)
        if (!vcpu_start(&machine->vcpus[i], error))
            return false;
    return true;
}

static bool stop_vcpus(struct machine *machine, struct error *error)
{
    bool good = true;

    for (uint32_t i = 0; i < machine->options->vcpu_count; i++)
        vcpu_stop(&machine->vcpus[i]);
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++)
        good &= vcpu_join(&machine->vcpus[i], error);
    return good;
}

/* What the vCPUs left for, once none runs. Failures come first, then the guest's own wish. */
static bool judge(struct machine *machine, bool *reset, struct error *error)
{
    *reset = false;
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++)
        if (machine->vcpus[i].state == VCPU_FAILED) {
            *error = machine->vcpus[i].error;
            return false;
        }
    if (machine->ended || take_guest_exit(machine))
        return true;
    *reset = atomic_load(&machine->reset_request_level);
    for (uint32_t i = 0; i < machine->options->vcpu_count; i++) {
        if (machine->vcpus[i].outcome == VCPU_OUTCOME_SHUTDOWN) {
            *reset = false;
            end(machine, machine->ending_signal ? MACHINE_SIGNALLED : MACHINE_POWERED_OFF,
                machine->ending_signal);
            return true;
        }
        if (machine->vcpus[i].outcome == VCPU_OUTCOME_RESET)
            *reset = true;
    }
    if (!*reset)
        return error_set(error, ERROR_INTERNAL, 0, "the machine stopped for no reason");
    *reset = !machine->options->no_reboot && !machine->shutdown_asked;
    if (machine->shutdown_asked) {
        log_line(machine->log, LOG_WARNING, "asked to power off, the guest reset instead");
        end_as_asked(machine);
    } else if (machine->options->no_reboot) {
        end(machine, MACHINE_RESET, 0);
    }
    return true;
}

/* For whoever wonders why a guest hangs: where each vCPU was. */
static void log_places(struct machine *machine)
{
    for (uint32_t i = 0; i < machine->options->vcpu_count && i < PLACES_LOGGED; i++)
        register_dump_instruction(machine->vcpus[i].fd, i, &machine->ram.memory, machine->log);
}

/* From power-on to the moment that no vCPU runs any more. */
static bool run_once(struct machine *machine, bool *reset, struct error *error)
{
    if (!machine_power_on(machine, error) || !machine_enter_state(machine, MACHINE_RUNNING, error))
        return false;
    machine_stats_power_on(machine);
    bool good = start_vcpus(machine, error) && event_loop_run(machine->loop, error);

    /* Whatever went wrong before is the error; stopping can only add to it. */
    struct error late = {0};
    bool stopping = machine_enter_state(machine, MACHINE_STOPPING, &late);
    bool stopped = stop_vcpus(machine, &late);
    if (!good)
        return false;
    if (machine->result.outcome == MACHINE_TIMED_OUT || machine->result.outcome == MACHINE_WATCHDOG)
        log_places(machine);
    if (stopping && stopped)
        return judge(machine, reset, error);
    *error = late;
    return false;
}

static bool is_success(const struct machine_result *result)
{
    return result->outcome == MACHINE_POWERED_OFF ||
           (result->outcome == MACHINE_EXITED && result->guest_status == 0);
}

bool machine_run(struct machine *machine, struct machine_result *result, struct error *error)
{
    bool reset = false;
    bool good;

    if (machine->options->timeout_ns)
        event_timer_arm(&machine->timeout, machine->options->timeout_ns);
    do {
        good = run_once(machine, &reset, error);
        machine_power_off(machine);
    } while (good && reset);

    machine_flush_consoles(machine, CONSOLE_FLUSH_MS * NS_PER_MS);
    machine_log_counters(machine);
    struct error late = {0};
    bool reported = machine_stats_report(machine, &late);
    if (!good) {
        machine_fail(machine, error);
        return false;
    }
    *result = machine->result;
    if (!reported) {
        *error = late;
        machine_fail(machine, error);
        return false;
    }
    /* A guest that did well is no success if what it said could not be kept. */
    if (is_success(&machine->result) && !machine_check_consoles(machine, error)) {
        machine_fail(machine, error);
        return false;
    }
    return machine_enter_state(machine, MACHINE_STOPPED, error);
}
