// SPDX-License-Identifier: Apache-2.0
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The guardian's files: it has two at most. */
enum { FILE_PIPE, FILE_KEPT, FILE_COUNT };

/* Gives both files the numbers above, whatever they had, and closes all others. */
static bool keep_files(int pipe_fd, int kept_fd)
{
    int pipe_copy = fcntl(pipe_fd, F_DUPFD, FILE_COUNT);
    int kept_copy = kept_fd >= 0 ? fcntl(kept_fd, F_DUPFD, FILE_COUNT) : kept_fd;

    if (pipe_copy < 0 || dup2(pipe_copy, FILE_PIPE) < 0)
        return false;
    if (kept_fd >= 0 && dup2(kept_copy, FILE_KEPT) < 0)
        return false;
    return close_range(kept_fd >= 0 ? FILE_COUNT : FILE_KEPT, UINT_MAX, 0) == 0;
}

/* Whoever kills all processes of the parent's name doesn't mean the one that cleans up then. */
static void hide_name(void)
{
    static const char name[] = "cleanup";
    size_t room = strlen(program_invocation_name);

    (void)prctl(PR_SET_NAME, name);
    memset(program_invocation_name, 0, room);
    memcpy(program_invocation_name, name, room < sizeof(name) - 1 ? room : sizeof(name) - 1);
}

static void guard(int pipe_fd, int kept_fd, void (*clean_up)(void *context, int file),
                  void *context)
{
    char dismissed;
    ssize_t got;

    /* What is sent to the parent's group is not meant for the guardian. */
    (void)setpgid(0, 0);
    hide_name();
    if (!keep_files(pipe_fd, kept_fd))
        return;
    do
        got = read(FILE_PIPE, &dismissed, sizeof(dismissed));
    while (got < 0 && errno == EINTR);
    if (got == 0)
        clean_up(context, kept_fd >= 0 ? FILE_KEPT : GUARDIAN_NO_FILE);
}

/* A child that no signal reaches but SIGKILL. */
static pid_t fork_deaf(void)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid != 0)
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

bool guardian_create(struct guardian *guardian, void (*clean_up)(void *context, int file),
                     void *context, int kept_fd, struct error *error)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot make a pipe to a guardian");
    pid_t pid = fork_deaf();
    if (pid == 0) {
        (void)close(ends[1]);
        guard(ends[0], kept_fd, clean_up, context);
        _exit(0);
    }
    int failure = errno;
    (void)close(ends[0]);
    if (pid < 0) {
        (void)close(ends[1]);
        return error_set(error, ERROR_HOST, failure, "cannot start a guardian process");
    }
    *guardian = (struct guardian){.pid = pid, .fd = ends[1]};
    return true;
}

void guardian_dismiss(struct guardian *guardian)
{
    const char dismissed = 1;

    if (guardian->pid == 0)
        return;
    /* It fails, without SIGPIPE being fatal, only if the guardian was killed. */
    (void)!write(guardian->fd, &dismissed, sizeof(dismissed));
    (void)close(guardian->fd);
    while (waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    guardian->pid = 0;
}
