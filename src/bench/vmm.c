// SPDX-License-Identifier: Apache-2.0
#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SILENCE_MS = 120000,   /* a guest that says nothing for so long hangs */
    FIRST_CAPACITY = 4096, /* of the line's buffer */
    LINE_MOST = 4 << 20,   /* no line of the bench is as long */
    REPLY_MOST = 4096,
    EXEC_FAILED_STATUS = 127,
};

/* ---- the guest's file ---- */

bool vmm_image_create(struct vmm_image *image, const char *name, const uint8_t *bytes, size_t count,
                      struct error *error)
{
    image->fd = memfd_create(name, 0); /* not closed on exec: it is opened by the path below */
    if (image->fd < 0)
        return error_set(error, ERROR_HOST, errno, "cannot make a file for the guest");
    (void)snprintf(image->path, sizeof(image->path), "/proc/self/fd/%d", image->fd);
    if (write(image->fd, bytes, count) == (ssize_t)count)
        return true;
    (void)error_set(error, ERROR_HOST, errno, "cannot write the guest's file");
    vmm_image_destroy(image);
    return false;
}

void vmm_image_destroy(struct vmm_image *image)
{
    if (image->fd >= 0)
        (void)close(image->fd);
    image->fd = -1;
}

/* ---- its command line ---- */

/* `word` with every mark replaced by what it stands for. */
static char *fill_in(struct arena *arena, const char *word, size_t length,
                     const struct vmm_texts *texts, struct error *error)
{
    const struct {
        const char *mark;
        const char *text;
    } marks[] = {{"{guest}", texts->guest_path},
                 {"{words}", texts->words},
                 {"{initrd}", texts->initrd_path ? texts->initrd_path : ""}};
    /* Each mark is longer than two characters: the result is no longer than this. */
    size_t room =
        length + 1 +
        length / 2 * (strlen(marks[0].text) + strlen(marks[1].text) + strlen(marks[2].text));
    char *filled = arena_alloc(arena, room, 1, error);
    size_t used = 0;

    for (size_t at = 0; filled && at < length;) {
        size_t i = 0;

        while (i < sizeof(marks) / sizeof(marks[0]) &&
               strncmp(word + at, marks[i].mark, strlen(marks[i].mark)) != 0)
            i++;
        if (i < sizeof(marks) / sizeof(marks[0])) {
            memcpy(filled + used, marks[i].text, strlen(marks[i].text));
            used += strlen(marks[i].text);
            at += strlen(marks[i].mark);
        } else {
            filled[used++] = word[at++];
        }
    }
    return filled;
}

char **vmm_arguments(struct arena *arena, const char *command, const struct vmm_texts *texts,
                     struct error *error)
{
    size_t count = 0;
    /* Not more words than every other character begins one, and NULL. */
    char **arguments = arena_alloc(arena, strlen(command) / 2 + 2, sizeof(*arguments), error);

    if (!arguments)
        return NULL;
    for (const char *at = command + strspn(command, " "); *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");

        arguments[count] = fill_in(arena, at, length, texts, error);
        if (!arguments[count++])
            return NULL;
        at += length;
    }
    return arguments;
}

/* ---- running it ---- */

struct child {
    pid_t pid;
    int input, output;
    char *line;
    size_t used, capacity;
};

static _Noreturn void become(const struct vmm_process *process, int input, int output)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (process->small_pages)
        (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    if (process->cpus)
        (void)sched_setaffinity(0, sizeof(*process->cpus), process->cpus);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)dup2(input, STDIN_FILENO);
    (void)dup2(output, STDOUT_FILENO);
    (void)execvp(process->arguments[0], process->arguments);
    (void)fprintf(stderr, "armlet: cannot run '%s': %s\n", process->arguments[0], strerror(errno));
    _exit(EXEC_FAILED_STATUS);
}

static bool start(struct child *child, const struct vmm_process *process, struct error *error)
{
    int input[2];
    int output[2];

    *child = (struct child){.pid = -1, .input = -1, .output = -1};
    if (pipe2(input, O_CLOEXEC) != 0)
        return error_set(error, ERROR_HOST, errno, "cannot make a pipe");
    if (pipe2(output, O_CLOEXEC) != 0) {
        (void)close(input[0]);
        (void)close(input[1]);
        return error_set(error, ERROR_HOST, errno, "cannot make a pipe");
    }
    child->input = input[1];
    child->output = output[0];
    child->pid = fork();
    if (child->pid == 0)
        become(process, input[0], output[1]);
    int failure = errno;
    (void)close(input[0]);
    (void)close(output[1]);
    return child->pid > 0 || error_set(error, ERROR_HOST, failure, "cannot start a process");
}

/* Ends the process if it hasn't ended by itself. */
static int finish(struct child *child, bool kill_it)
{
    int status = 0;

    (void)close(child->input);
    (void)close(child->output);
    free(child->line);
    if (child->pid <= 0)
        return status;
    if (kill_it)
        (void)kill(child->pid, SIGKILL);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static bool grow(struct child *child, struct error *error)
{
    size_t capacity = child->capacity ? 2 * child->capacity : FIRST_CAPACITY;
    char *line = capacity <= LINE_MOST ? realloc(child->line, capacity) : NULL;

    if (!line)
        return error_set(error, ERROR_GUEST, 0, "the guest printed a line without end");
    child->line = line;
    child->capacity = capacity;
    return true;
}

static bool type(const struct child *child, uint32_t count, struct error *error)
{
    char text[REPLY_MOST];

    if (count == 0)
        return true;
    if (count > sizeof(text))
        count = sizeof(text);
    memset(text, '.', count);
    return write(child->input, text, count) == (ssize_t)count ||
           error_set(error, ERROR_HOST, errno, "cannot type on the guest's console");
}

/* The lines that are whole; the rest moves to the front. */
static bool take_lines(struct child *child, const struct vmm_process *process, struct error *error)
{
    char *at = child->line;
    char *end;

    while ((end = memchr(at, '\n', child->used - (size_t)(at - child->line))) != NULL) {
        uint32_t reply = 0;

        *end = '\0';
        if (end > at && end[-1] == '\r')
            end[-1] = '\0';
        if (!process->line(process->context, at, &reply, error) || !type(child, reply, error))
            return false;
        at = end + 1;
    }
    child->used -= (size_t)(at - child->line);
    memmove(child->line, at, child->used);
    return true;
}

/* Until its output ends. */
static bool listen_to(struct child *child, const struct vmm_process *process, struct error *error)
{
    for (;;) {
        struct pollfd poller = {.fd = child->output, .events = POLLIN};
        int ready = poll(&poller, 1, SILENCE_MS);

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return error_set(error, ERROR_GUEST, 0, "the bench guest has said nothing for %d s",
                             SILENCE_MS / 1000);
        if (child->used == child->capacity && !grow(child, error))
            return false;
        ssize_t got = read(child->output, child->line + child->used, child->capacity - child->used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, ERROR_HOST, errno, "cannot read what the guest says");
        if (got == 0)
            return true;
        child->used += (size_t)got;
        if (!take_lines(child, process, error))
            return false;
    }
}

bool vmm_run(const struct vmm_process *process, int *status, struct error *error)
{
    struct child child;
    bool good = start(&child, process, error) && listen_to(&child, process, error);

    *status = finish(&child, !good);
    return good;
}
