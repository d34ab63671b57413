// SPDX-License-Identifier: Apache-2.0
/*
 * Tests on KVM: each case launches armlet as a person would and looks at what a person sees, that
 * is output and exit status. A case is a list of steps, done in order, each bounded in time.
 */
#ifndef ARMLET_TESTS_GUEST_HARNESS_H
#define ARMLET_TESTS_GUEST_HARNESS_H

#include <stddef.h>

enum step_kind {
    STEP_END,
    STEP_EXPECT,      /* the output, from where the last match ended, contains text */
    STEP_SEND,        /* text goes to standard input */
    STEP_SIGNAL,      /* number is sent to armlet */
    STEP_CLOSE_INPUT, /* standard input ends */
    STEP_HANGUP,      /* the reader of the output goes away */
    STEP_CALL,        /* call() returns whether all is well */
};

struct running; /* a launched armlet */

struct step {
    enum step_kind kind;
    const char *text;
    int number;
    int (*call)(struct running *running);
};

#define EXPECT(string)                                                                             \
    {                                                                                              \
        STEP_EXPECT, string, 0, NULL                                                               \
    }
#define SEND(string)                                                                               \
    {                                                                                              \
        STEP_SEND, string, 0, NULL                                                                 \
    }
#define SIGNAL(signal)                                                                             \
    {                                                                                              \
        STEP_SIGNAL, NULL, signal, NULL                                                            \
    }
#define CLOSE_INPUT                                                                                \
    {                                                                                              \
        STEP_CLOSE_INPUT, NULL, 0, NULL                                                            \
    }
#define HANGUP                                                                                     \
    {                                                                                              \
        STEP_HANGUP, NULL, 0, NULL                                                                 \
    }
#define CALL(function)                                                                             \
    {                                                                                              \
        STEP_CALL, NULL, 0, function                                                               \
    }

enum input_kind {
    INPUT_PIPE, /* standard input is a pipe that stays open */
    INPUT_PTY,  /* standard input and output are a terminal */
    INPUT_NULL, /* /dev/null */
    INPUT_NONE, /* closed */
};

enum { MAX_STEPS = 16, MAX_ARGUMENTS = 32, STATUS_ANY = -1 };

struct guest_case {
    const char *name;
    const char *arguments[MAX_ARGUMENTS]; /* "@NAME" is the path of a file under LAB_DIR */
    enum input_kind input;
    struct step steps[MAX_STEPS];
    const char *forbidden; /* must not be in the output; may be NULL */
    int status;
    int (*needs)(void);   /* 0: the host lacks what the case needs, it is skipped; may be NULL */
    int (*prepare)(void); /* before the launch; may be NULL */
    int (*after)(void);   /* after the end, returns whether all is well; may be NULL */
    int timeout_s;        /* of each step; 0: the default */
};

/* Ended by a case without a name. */
extern const struct guest_case bare_metal_cases[];
extern const struct guest_case disk_cases[];
extern const struct guest_case disk_host_cases[];
extern const struct guest_case hostile_cases[];
extern const struct guest_case linux_cases[];
extern const struct guest_case command_line_cases[];
extern const struct guest_case terminal_cases[];
extern const struct guest_case console_cases[];
extern const struct guest_case feature_cases[];
extern const struct guest_case bench_cases[];
extern const struct guest_case insight_cases[];
extern const struct guest_case net_cases[];
extern const struct guest_case net_link_cases[];
extern const struct guest_case virtio_cases[];
extern const struct guest_case virtio_exit_cases[];
extern const struct guest_case vsock_cases[];
extern const struct guest_case vhost_cases[];
extern const struct guest_case virtiofs_cases[];
extern const struct guest_case share_cases[];
extern const struct guest_case balloon_cases[];
extern const struct guest_case region_cases[];
extern const struct guest_case irqchip_cases[];
extern const struct guest_case delivery_cases[];
extern const struct guest_case timer_cases[];
extern const struct guest_case plugin_cases[];
extern const struct guest_case trace_cases[];

/* The path of a file under LAB_DIR, in static memory that the next call but seven overwrites. */
const char *lab_path(const char *name);
/* Whether the host's KVM can give guests a GICv2, or can't: for guest_case.needs. */
int has_vgicv2(void);
int lacks_vgicv2(void);
int has_its(void); /* an ITS, as hosts with a GICv3 do */
/* The output seen so far, and the process. */
const char *running_output(const struct running *running);
int running_pid(const struct running *running);
int running_terminal(const struct running *running); /* the pty's master, or -1 */

#endif
