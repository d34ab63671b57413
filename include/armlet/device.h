// SPDX-License-Identifier: Apache-2.0
/*
 * A device: registers at offsets, and nothing that tells where or in which VM they are.
 *
 * A device embeds `struct device` as its first member, is created from what it is lent
 * (struct device_resources), and keeps its guest-visible registers in one plain sub-struct apart
 * from host handles, so that reset, tests and a saved state act on that struct alone.
 *
 * Threads:
 *   create, describe, destroy   the I/O thread, while no vCPU runs
 *   reset                       the I/O thread, while no vCPU runs
 *   read, write                 any vCPU thread, several at once: the device locks itself
 *   timers, console, notify     the I/O thread, beside running vCPUs
 *
 * The guest is hostile: any offset below size_bytes, any width, any value, any order. A bad access
 * reads as zero or is ignored; it never fails, blocks, allocates or logs without limit.
 */
#ifndef ARMLET_DEVICE_H
#define ARMLET_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/access.h"
#include "armlet/error.h"
#include "armlet/gpa.h"
#include "armlet/irq.h"
#include "armlet/log.h"
#include "armlet/property.h"

struct console;
struct console_port;
struct device;
struct device_regions;
struct event_loop;
struct fdt_writer;
struct guest_memory;
struct log;

/* Where the machine put a device; only describe() is told, for the device tree. */
struct device_place {
    gpa_t base;
    uint32_t spi; /* SPI number, 0 for INTID 32 */
};

struct device_ops {
    /* The result's bits above the width are ignored. */
    uint64_t (*read)(struct device *device, uint64_t offset, enum access_width width);
    /* The value's bits above the width are zero. */
    void (*write)(struct device *device, uint64_t offset, enum access_width width, uint64_t value);
    /* Back to the state after create, with host handles kept. */
    void (*reset)(struct device *device);
    /* Writes the device's nodes below the root; may be NULL. Errors stick in the writer. */
    void (*describe)(struct device *device, struct fdt_writer *writer,
                     const struct device_place *place);
    void (*destroy)(struct device *device);
};

/* What a device counts of its own, for --stats. Written by one thread at a time: counters.h. */
struct device_counter {
    const char *name; /* static: a word or some, lower case, with '_' between them */
    uint64_t value;
};

struct device {
    const struct device_ops *ops;
    const char *name;    /* static, lower case: "pl011" */
    uint64_t size_bytes; /* of the register block; a multiple of 4 KiB unless said otherwise */
    struct log_limit bad_accesses;         /* that no register answers: the device counts them */
    const struct device_counter *counters; /* NULL: none; constant once it is created */
    size_t counter_count;
    /*
     * No access opens a file or closes one, nor uses one that came after create. If that is so of
     * all devices, vCPUs' threads have tables of files of their own, and KVM_RUN is cheaper.
     */
    bool has_constant_files;
};

/* A Unix socket of the host's that listens, made for the property "uds". */
struct host_socket {
    int fd; /* non-blocking */
    const char *path;
};

/* What a device may be lent. All of it outlives the device; members a class doesn't use are NULL.
 */
struct device_resources {
    struct irq_line *irq;            /* irq[0] to irq[class->extra_irqs] */
    struct irq_line *reset_request;  /* while it is high the machine is to be reset */
    struct property_list properties; /* of --device; keys and values fit class->properties */
    void *plugin;                    /* the context of the plugin that brought the class */
    struct event_loop *loop;
    struct console *console;
    const struct console_port *ports; /* console.h */
    size_t port_count;
    struct guest_memory *memory;
    struct log *log;
    struct device_regions *regions; /* device_regions.h */
    struct guest_exit *guest_exit;
    const struct host_socket *host_socket; /* NULL: no property "uds" was given */
    const int *shared_memory; /* a file that `memory` is of, from its beginning on; or NULL */
};

/*
 * How a guest ends its machine with a status of its own, which becomes armlet's exit status (see
 * exit_status.h). The first one counts. vCPUs go on for a moment. Any thread.
 */
struct guest_exit {
    void (*exit)(struct guest_exit *guest_exit, uint64_t status);
};

/*
 * A kind of device that the machine can create by name, for itself or for `--device NAME`. The
 * machine puts it where the memory map has a place for it; a class without one may ask for a place
 * or is given a free one.
 */
struct device_class {
    const char *name;                      /* static, lower case */
    const char *purpose;                   /* a few words for `--device help` */
    const struct property_row *properties; /* what --device may say about it; NULL: nothing */
    uint32_t extra_irqs;                   /* lines beside the first, at the SPIs that follow */
    gpa_t base; /* where it has to be, a multiple of 4 KiB; 0: wherever there is room */
    struct device *(*create)(const struct device_resources *resources, struct error *error);
};

/* devices/builtin.c: all classes, ended by NULL. */
extern const struct device_class *const builtin_device_classes[];

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
