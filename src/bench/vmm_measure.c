// SPDX-License-Identifier: Apache-2.0
/*
 * A whole run of a VMM as an observer sees it. Time and memory come from two runs: to read the
 * peak of its memory the process is stopped on its way out, which takes time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm.h"

#define NS_PER_SECOND 1000000000ULL

enum { KIB = 1024, EXEC_FAILED_STATUS = 127, EVENT_SHIFT = 16 };

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static bool wait_for(pid_t pid, int *status, struct error *error)
{
    pid_t reaped;

    do
        reaped = waitpid(pid, status, __WALL);
    while (reaped < 0 && errno == EINTR);
    return reaped == pid || error_set(error, ERROR_HOST, errno, "cannot wait for a process");
}

static bool check_end(const char *name, int status, struct error *error)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        return error_set(error, ERROR_HOST, 0, "'%s' was ended by signal %d", name,
                         WTERMSIG(status));
    return error_set(error, ERROR_HOST, 0, "'%s' ended with status %d", name, WEXITSTATUS(status));
}

bool vmm_measure_time(char *const *arguments, uint64_t *ns, struct error *error)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    int status = 0;
    int failure = posix_spawn_file_actions_init(&actions);

    if (failure)
        return error_set(error, ERROR_HOST, failure, "cannot describe a process");
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    uint64_t start = now_ns();
    failure = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    bool good = failure == 0 && wait_for(pid, &status, error);
    *ns = now_ns() - start;
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failure)
        return error_set(error, ERROR_HOST, failure, "cannot run '%s'", arguments[0]);
    return good && check_end(arguments[0], status, error);
}

static _Noreturn void become_traced(char *const *arguments)
{
    int null = open("/dev/null", O_RDWR);

    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    (void)ptrace(PTRACE_TRACEME, 0, 0, 0);
    (void)execvp(arguments[0], arguments);
    _exit(EXEC_FAILED_STATUS);
}

/* VmHWM of /proc/PID/status. */
static uint64_t read_peak(pid_t pid)
{
    char path[48];
    char line[256];
    uint64_t kib = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && kib == 0 && fgets(line, sizeof(line), file))
        (void)sscanf(line, "VmHWM: %" SCNu64, &kib);
    if (file)
        (void)fclose(file);
    return kib * KIB;
}

/* From stop to stop: the first is its exec, the last that it is about to end. */
static bool follow(pid_t pid, const char *name, uint64_t *peak_bytes, struct error *error)
{
    int status = 0;
    bool begun = false;

    while (wait_for(pid, &status, error)) {
        intptr_t signal_number = 0;

        if (WIFEXITED(status) || WIFSIGNALED(status))
            return check_end(name, status, error);
        if (!begun) {
            begun = true;
            (void)ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
        } else if (status >> EVENT_SHIFT == PTRACE_EVENT_EXIT) {
            *peak_bytes = read_peak(pid);
        } else if (WIFSTOPPED(status)) {
            signal_number = WSTOPSIG(status);
        }
        (void)ptrace(PTRACE_CONT, pid, 0, signal_number);
    }
    return false;
}

bool vmm_measure_peak(char *const *arguments, uint64_t *peak_bytes, struct error *error)
{
    pid_t pid = fork();

    if (pid == 0)
        become_traced(arguments);
    if (pid < 0)
        return error_set(error, ERROR_HOST, errno, "cannot start a process");
    return follow(pid, arguments[0], peak_bytes, error);
}
