// SPDX-License-Identifier: Apache-2.0
#include "host_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

int host_process_start(const char *file, const char *const words[], int fd, int messages,
                       pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&files, messages, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&files, messages, STDERR_FILENO);
    (void)posix_spawn_file_actions_adddup2(&files, fd, HOST_PROCESS_FD);
    (void)posix_spawn_file_actions_addclosefrom_np(&files, HOST_PROCESS_FD + 1);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
    int code = posix_spawnp(pid, file, &files, &attributes, (char *const *)words, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attributes);
    return code;
}
