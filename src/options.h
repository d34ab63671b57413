// SPDX-License-Identifier: Apache-2.0
/*
 * The command line as a value.
 *
 * options_parse() reads `armlet COMMAND [options]` into a struct options and judges each value by
 * itself (syntax, range); what depends on the host is judged where it is used. Strings point into
 * argv or into memory owned by the struct. One thread.
 */
#ifndef ARMLET_SRC_OPTIONS_H
#define ARMLET_SRC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"
#include "armlet/property.h"

enum command {
    COMMAND_RUN,
    COMMAND_DOCTOR,
    COMMAND_BENCH,
    COMMAND_HELP,    /* --help, of the command in help_for (COMMAND_HELP: of armlet itself) */
    COMMAND_VERSION, /* --version */
};

enum gic_choice { GIC_AUTO, GIC_V2, GIC_V3 };
enum irqchip_choice { IRQCHIP_KERNEL, IRQCHIP_USER };
enum irq_delivery { IRQ_DELIVERY_LINE, IRQ_DELIVERY_IRQFD };
enum msi_choice { MSI_AUTO, MSI_OFF, MSI_GICV2M };

/* What happens when the guest doesn't feed its watchdog; NONE: it has none to feed. */
enum watchdog_choice { WATCHDOG_NONE, WATCHDOG_RESET, WATCHDOG_EXIT };

enum console_kind { CONSOLE_STDIO, CONSOLE_PTY, CONSOLE_FILE, CONSOLE_UNIX, CONSOLE_NONE };

/* What the guest's console or a port of its is connected to. */
struct option_outside {
    enum console_kind kind;
    const char *path; /* of CONSOLE_FILE and CONSOLE_UNIX */
};

struct option_port {
    const char *name;
    struct option_outside outside; /* PTY, FILE or UNIX */
};

enum { OPTIONS_MOST_PORTS = 14 };

enum stats_choice { STATS_OFF, STATS_TEXT, STATS_JSON };

enum memory_backing {
    BACKING_DEFAULT,     /* anonymous, the host's policy for huge pages */
    BACKING_TRANSPARENT, /* anonymous, MADV_HUGEPAGE */
    BACKING_HUGETLB,     /* explicit huge pages, of huge_page_bytes */
    BACKING_SHARED_FILE, /* MAP_SHARED of memory_path */
};

/* A CPU feature asked for by name; AUTO gives what the host has and the guest may expect. */
enum feature_choice { FEATURE_AUTO, FEATURE_OFF, FEATURE_ON };

enum { PIN_NONE = -1, MAX_VCPUS = 512, BENCH_RUNS_MAX = 10000 };

/* What was asked for by name and with properties. */
struct option_request {
    const char *name;
    struct property_list properties;
    /* What the operator wrote instead of --device: an option's name, and its value. Or NULL. */
    const char *option, *value;
};

struct option_request_list {
    struct option_request *items; /* in the order given */
    size_t count;
};

struct options {
    enum command command;
    enum command help_for;
    bool help_all; /* --help-all: not those alone that fit a screen */

    /* what to boot */
    const char *kernel_path; /* NULL: the built-in guest */
    const char *initrd_path;
    const char *append; /* kernel command line, "" if none */
    const char *dtb_path;
    const char *dump_dtb_path;
    const char **overlay_paths; /* --dtbo, in order */
    size_t overlay_count;

    /* a command to run in a guest */
    bool run_command;          /* --run */
    char *const *command_line; /* behind "--", not ended by NULL */
    size_t command_count;      /* with --run at least 1 */
    const char *rootfs_path;   /* NULL: the host's root */
    const char *workdir_path;  /* NULL: the current directory */
    const char *modules_path;  /* NULL: where the kernel's should be */

    /* the machine */
    uint32_t vcpu_count;   /* 1..MAX_VCPUS */
    uint64_t memory_bytes; /* >= 16 MiB, a multiple of 2 MiB */
    enum gic_choice gic;
    enum irqchip_choice irqchip;    /* USER: a GICv2, up to GICV2_MAX_VCPUS, no ITS */
    enum irq_delivery irq_delivery; /* IRQFD: only to the kernel's GIC */
    enum feature_choice its;
    enum msi_choice msi;
    enum watchdog_choice watchdog;
    enum feature_choice pmu, sve, pauth, mte, aarch32_el1, steal_time;

    struct option_request_list devices; /* --device */
    bool list_devices;                  /* --device help: show the classes, run nothing */
    struct option_request_list plugins; /* --plugin */

    /* the host's side */
    struct option_outside console;
    bool virtio_console;       /* the guest has it as hvc0, too */
    struct option_port *ports; /* --port */
    size_t port_count;         /* up to OPTIONS_MOST_PORTS */
    enum memory_backing backing;
    bool shared_memory;       /* no option: a device needs a file behind anonymous memory */
    uint64_t huge_page_bytes; /* 0: the host's default size */
    const char *memory_path;
    bool prefault, locked;
    int *pin_cpus; /* host CPU of vCPU i is pin_cpus[i % pin_count]; NULL: not pinned */
    size_t pin_count;

    /* the run */
    uint64_t timeout_ns;          /* 0: none */
    uint64_t shutdown_timeout_ns; /* how long an asked guest may take to power off */
    const char *trace_path;       /* NULL: none */
    uint32_t trace_kinds;         /* EVENT_MASK() of what is traced; 0: everything */
    bool no_reboot;
    enum feature_choice hypercalls; /* off unless asked for */
    bool slow_console;              /* each access to the UART exits */
    bool dry_run;                   /* wire everything, print the machine, run nothing */
    bool quiet, verbose;

    /* what is told of it */
    enum stats_choice stats;
    const char *stats_path; /* NULL: standard error */
    bool latency;
    const char *latency_path; /* of the picture; NULL: none */
    bool explain;

    /* doctor and bench */
    bool json;
    bool map;

    struct {
        bool list;
        const char *filter; /* patterns with commas between them; NULL: all benchmarks */
        const char *vmm;    /* a command; NULL: armlet itself */
        const char *save_path, *svg_path;        /* files to make; NULL: none */
        const char *compare_path, *compare_with; /* both, or NULL */
        uint32_t runs;
        int cpu; /* of the host; PIN_NONE: the last that may be used */
        uint64_t settle_ns;
    } bench;

    /* memory of the struct */
    char *append_memory; /* what append points to, NULL if it is static */
    char **owned;
    size_t owned_count;
};

/*
 * Fills in `options`, whatever it held before. argv[0] is skipped; argv must outlive the options.
 * Fails with ERROR_USAGE, with ERROR_FILE for an unreadable options file, or with ERROR_HOST when
 * out of memory: one line without control characters. After a failure nothing needs releasing.
 */
bool options_parse(int argc, char *const argv[], struct options *options,
                   struct error *error) WARN_UNUSED;

/* Releases what options_parse() allocated. A zeroed, failed or finished struct is fine. */
void options_finish(struct options *options);

/* The text for --help of a command (COMMAND_HELP, COMMAND_VERSION: of armlet itself); static. */
const char *options_help(enum command command, bool all);

#endif
