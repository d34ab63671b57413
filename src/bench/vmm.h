// SPDX-License-Identifier: Apache-2.0
/*
 * Other processes that run guests: armlet's own program, or the VMM that --vmm names.
 *
 * A command is words with blanks between them; in a word "{guest}" stands for the path of the
 * guest's Image, "{words}" for its kernel command line, "{initrd}" for its RAM disk. Processes end
 * with this one, however it ends. One thread.
 */
#ifndef ARMLET_SRC_BENCH_VMM_H
#define ARMLET_SRC_BENCH_VMM_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "armlet/error.h"

/* A guest's Image in a file that processes started from here can open. */
struct vmm_image {
    int fd;
    char path[32];
};

bool vmm_image_create(struct vmm_image *image, const char *name, const uint8_t *bytes, size_t count,
                      struct error *error) WARN_UNUSED;
void vmm_image_destroy(struct vmm_image *image);

/* What the marks in a command stand for. */
struct vmm_texts {
    const char *guest_path;
    const char *words;
    const char *initrd_path; /* "{initrd}"; NULL: none */
};

/* The arguments that `command` becomes, NULL-terminated, in the arena. */
char **vmm_arguments(struct arena *arena, const char *command, const struct vmm_texts *texts,
                     struct error *error) WARN_UNUSED;

struct vmm_process {
    char *const *arguments;
    const cpu_set_t *cpus; /* where it may run; NULL: where this process may */
    bool small_pages;      /* no transparent huge pages for it */
    /*
     * A line of its output, without its end; *reply characters are then typed on its console.
     * False ends the process, and the run, with that error.
     */
    bool (*line)(void *context, const char *text, uint32_t *reply, struct error *error);
    void *context;
};

/*
 * Runs it to its end. ERROR_HOST if it can't be run, ERROR_GUEST if it says nothing for long. How
 * it ended is in *status, as of waitpid(2).
 */
bool vmm_run(const struct vmm_process *process, int *status, struct error *error) WARN_UNUSED;

/*
 * How long it took from before it was started until it was reaped, with nothing to read and
 * nobody to read it. Fails unless it ends with status 0.
 */
bool vmm_measure_time(char *const *arguments, uint64_t *ns, struct error *error) WARN_UNUSED;
/* The most memory that it had. It is stopped on its way out, which would cost time. */
bool vmm_measure_peak(char *const *arguments, uint64_t *peak_bytes,
                      struct error *error) WARN_UNUSED;

#endif
