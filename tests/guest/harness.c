// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the cases and prints `ok NAME`, `not ok NAME` with what was seen, or `skip NAME`; the last
 * line is `N passed, N failed, N skipped`.
 *
 *     harness [--list] [TEXT...]     only the cases whose name contains one of the texts
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    DEFAULT_TIMEOUT_S = 120,
    OUTPUT_BYTES = 1 << 20,
    SHOWN_BYTES = 3000,
    POLL_MS = 20,
};

struct running {
    pid_t pid;
    int input;    /* we write, armlet reads; -1 when closed */
    int output;   /* armlet writes, we read; -1 when gone */
    int terminal; /* a pty's slave that stays open, so that its settings can be read at the end */
    bool is_pty;
    bool ended;
    int status;
    char *seen;
    size_t seen_bytes;
    size_t matched; /* everything before it has been matched */
};

struct totals {
    unsigned passed, failed, skipped;
};

const char *lab_path(const char *name)
{
    enum { SLOTS = 8, PATH_BYTES = 256 };
    static char paths[SLOTS][PATH_BYTES];
    static unsigned next;
    const char *root = getenv("LAB_DIR");
    char *path = paths[next++ % SLOTS];

    (void)snprintf(path, PATH_BYTES, "%s/%s", root ? root : "/lab", name);
    return path;
}

const char *running_output(const struct running *running)
{
    return running->seen;
}

int running_pid(const struct running *running)
{
    return running->pid;
}

int running_terminal(const struct running *running)
{
    return running->terminal;
}

static void become_armlet(const struct guest_case *test, int input, int output)
{
    char *arguments[MAX_ARGUMENTS + 2];
    size_t count = 0;

    arguments[count++] = strdup(lab_path("bin/armlet"));
    for (size_t i = 0; i < MAX_ARGUMENTS && test->arguments[i]; i++) {
        const char *argument = test->arguments[i];
        arguments[count++] = strdup(argument[0] == '@' ? lab_path(argument + 1) : argument);
    }
    arguments[count] = NULL;
    if (input >= 0)
        (void)dup2(input, STDIN_FILENO);
    else
        (void)close(STDIN_FILENO);
    (void)dup2(output, STDOUT_FILENO);
    (void)dup2(output, STDERR_FILENO);
    (void)signal(SIGPIPE, SIG_DFL);
    execv(arguments[0], arguments);
    perror("execv");
    _exit(127);
}

static void launch_on_pty(const struct guest_case *test, struct running *running)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        perror("posix_openpt");
        exit(EXIT_FAILURE);
    }
    running->terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    running->pid = fork();
    if (running->pid == 0) {
        (void)setsid();
        int slave = open(ptsname(master), O_RDWR);
        (void)ioctl(slave, TIOCSCTTY, 0);
        become_armlet(test, slave, slave);
    }
    running->input = master;
    running->output = master;
    running->is_pty = true;
}

static void launch_on_pipes(const struct guest_case *test, struct running *running)
{
    int input[2] = {-1, -1};
    int output[2];

    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
        perror("pipe2");
        exit(EXIT_FAILURE);
    }
    running->pid = fork();
    if (running->pid == 0) {
        int in = input[0];
        if (test->input == INPUT_NULL)
            in = open("/dev/null", O_RDONLY);
        become_armlet(test, test->input == INPUT_NONE ? -1 : in, output[1]);
    }
    (void)close(input[0]);
    (void)close(output[1]);
    running->input = input[1];
    running->output = output[0];
}

static void read_output(struct running *running)
{
    struct pollfd ready = {.fd = running->output, .events = POLLIN};

    if (running->output < 0) {
        (void)poll(NULL, 0, POLL_MS);
        return;
    }
    if (poll(&ready, 1, POLL_MS) <= 0)
        return;
    ssize_t got = -1;
    if (running->seen_bytes < OUTPUT_BYTES - 1)
        got = read(running->output, running->seen + running->seen_bytes,
                   OUTPUT_BYTES - 1 - running->seen_bytes);
    if (got > 0) {
        running->seen_bytes += (size_t)got;
        running->seen[running->seen_bytes] = '\0';
    } else {
        /* The other end is gone: wait for the process without spinning. */
        (void)poll(NULL, 0, POLL_MS);
    }
}

static void look_for_end(struct running *running)
{
    if (!running->ended && waitpid(running->pid, &running->status, WNOHANG) == running->pid)
        running->ended = true;
}

static time_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool wait_for_text(struct running *running, const char *text, int timeout_s)
{
    time_t end = now_s() + timeout_s;

    for (;;) {
        bool last = running->ended;
        size_t before = running->seen_bytes;
        const char *found = strstr(running->seen + running->matched, text);

        if (found) {
            running->matched = (size_t)(found - running->seen) + strlen(text);
            return true;
        }
        read_output(running);
        if ((last && running->seen_bytes == before) || now_s() > end)
            return false;
        look_for_end(running);
    }
}

static bool wait_for_end(struct running *running, int timeout_s)
{
    time_t end = now_s() + timeout_s;

    while (!running->ended && now_s() <= end) {
        read_output(running);
        look_for_end(running);
    }
    for (size_t before = SIZE_MAX; before != running->seen_bytes;) {
        before = running->seen_bytes;
        read_output(running);
    }
    return running->ended;
}

static void close_input(struct running *running)
{
    if (running->input >= 0 && !running->is_pty)
        (void)close(running->input);
    running->input = -1;
}

static void hang_up(struct running *running)
{
    if (running->is_pty)
        running->input = -1;
    (void)close(running->output);
    running->output = -1;
    if (running->terminal >= 0)
        (void)close(running->terminal);
    running->terminal = -1;
}

static bool do_step(struct running *running, const struct step *step, int timeout_s)
{
    switch (step->kind) {
    case STEP_EXPECT:
        return wait_for_text(running, step->text, timeout_s);
    case STEP_SEND:
        return write(running->input, step->text, strlen(step->text)) == (ssize_t)strlen(step->text);
    case STEP_SIGNAL:
        return kill(running->pid, step->number) == 0;
    case STEP_CLOSE_INPUT:
        close_input(running);
        return true;
    case STEP_HANGUP:
        hang_up(running);
        return true;
    case STEP_CALL:
        return step->call(running);
    case STEP_END:
        break;
    }
    return true;
}

static int status_of(const struct running *running)
{
    if (WIFSIGNALED(running->status))
        return 1000 + WTERMSIG(running->status);
    return WEXITSTATUS(running->status);
}

/* Returns what went wrong, or NULL. */
static const char *play(const struct guest_case *test, struct running *running)
{
    static char why[200];
    int timeout_s = test->timeout_s ? test->timeout_s : DEFAULT_TIMEOUT_S;

    for (size_t i = 0; i < MAX_STEPS && test->steps[i].kind != STEP_END; i++)
        if (!do_step(running, &test->steps[i], timeout_s)) {
            (void)snprintf(why, sizeof(why), "step %zu failed: %s", i + 1,
                           test->steps[i].text ? test->steps[i].text : "");
            return why;
        }
    if (!wait_for_end(running, timeout_s))
        return "it did not end";
    if (test->status != STATUS_ANY && status_of(running) != test->status) {
        (void)snprintf(why, sizeof(why), "exit status %d instead of %d", status_of(running),
                       test->status);
        return why;
    }
    if (test->forbidden && strstr(running->seen, test->forbidden))
        return "the output has what must not be there";
    if (test->after && !test->after())
        return "what it left behind is wrong";
    return NULL;
}

static void clean_up(struct running *running)
{
    if (!running->ended) {
        (void)kill(running->pid, SIGKILL);
        (void)waitpid(running->pid, &running->status, 0);
    }
    close_input(running);
    if (running->output >= 0)
        (void)close(running->output);
    if (running->terminal >= 0)
        (void)close(running->terminal);
    free(running->seen);
}

static void show_output(const struct running *running)
{
    size_t from = running->seen_bytes > SHOWN_BYTES ? running->seen_bytes - SHOWN_BYTES : 0;

    printf("---- its output ends with:\n%s\n----\n", running->seen + from);
}

static void run_case(const struct guest_case *test, struct totals *totals)
{
    struct running running = {.input = -1, .output = -1, .terminal = -1};

    if (test->needs && !test->needs()) {
        printf("skip %s\n", test->name);
        totals->skipped++;
        return;
    }
    time_t start = now_s();
    running.seen = calloc(1, OUTPUT_BYTES);
    if (!running.seen || (test->prepare && !test->prepare())) {
        printf("not ok %s: cannot prepare\n", test->name);
        totals->failed++;
        free(running.seen);
        return;
    }
    if (test->input == INPUT_PTY)
        launch_on_pty(test, &running);
    else
        launch_on_pipes(test, &running);
    const char *why = play(test, &running);
    if (why) {
        printf("not ok %s: %s\n", test->name, why);
        show_output(&running);
        totals->failed++;
    } else {
        printf("ok %s (%ld s)\n", test->name, (long)(now_s() - start));
        totals->passed++;
    }
    clean_up(&running);
}

struct table {
    const char *name; /* a filter of its own */
    const struct guest_case *cases;
};

static bool is_wanted(const struct table *table, const char *name, int count, char *const filters[])
{
    for (int i = 0; i < count; i++)
        if (strcmp(table->name, filters[i]) == 0 || strstr(name, filters[i]))
            return true;
    return count == 0;
}

/* harness [--list] [FILTER...]: the cases of a table, or whose name contains a filter. */
int main(int argc, char **argv)
{
    static const struct table tables[] = {
        {"command-line", command_line_cases},
        {"bare-metal", bare_metal_cases},
        {"disks", disk_cases},
        {"disk-host", disk_host_cases},
        {"terminal", terminal_cases},
        {"linux", linux_cases},
        {"features", feature_cases},
        {"regions", region_cases},
        {"irqchip", irqchip_cases},
        {"delivery", delivery_cases},
        {"timers", timer_cases},
        {"plugins", plugin_cases},
        {"bench", bench_cases},
        {"traces", trace_cases},
        {"insight", insight_cases},
        {"net", net_cases},
        {"net-links", net_link_cases},
        {"virtio", virtio_cases},
        {"virtio-exits", virtio_exit_cases},
        {"vsock", vsock_cases},
        {"vhost", vhost_cases},
        {"virtiofs", virtiofs_cases},
        {"share", share_cases},
        {"balloon", balloon_cases},
        {"consoles", console_cases},
        {"hostile", hostile_cases},
    };
    struct totals totals = {0};
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    int skip = list ? 2 : 1;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct guest_case *test = tables[i].cases; test->name; test++) {
            if (!is_wanted(&tables[i], test->name, argc - skip, argv + skip))
                continue;
            if (list)
                printf("%s: %s\n", tables[i].name, test->name);
            else
                run_case(test, &totals);
        }
    if (!list)
        printf("%u passed, %u failed, %u skipped\n", totals.passed, totals.failed, totals.skipped);
    return totals.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
