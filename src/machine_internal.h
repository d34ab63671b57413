// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the machine share: wiring and the run in machine.c, power-on to power-off in
 * machine_power.c, the devices in machine_devices.c.
 */
#ifndef ARMLET_SRC_MACHINE_INTERNAL_H
#define ARMLET_SRC_MACHINE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "armlet/event_loop.h"
#include "armlet/events.h"
#include "armlet/lifecycle.h"
#include "boot.h"
#include "bus.h"
#include "coalesced.h"
#include "console.h"
#include "hypercall.h"
#include "kvm.h"
#include "machine.h"
#include "machine_fdt.h"
#include "machine_irqchip.h"
#include "machine_regions.h"
#include "memory_backing.h"
#include "plugin.h"
#include "trace.h"
#include "unix_listener.h"
#include "vcpu.h"
#include "vcpu_features.h"
#include "vgic.h"
#include "vm.h"

/* A device that the machine will have, known before anything is made. */
struct device_choice {
    const struct device_class *class;
    struct option_request request;    /* by the operator, or made up */
    const struct plugin_host *plugin; /* that brought the class; NULL: it is built in */
};

struct machine {
    const struct options *options;
    struct log *log;
    struct arena arena;
    enum machine_state state;
    struct event_hub events; /* frozen at the end of the wiring */
    struct machine_stats *stats;

    /* wired once */
    struct plugins plugins;
    struct exit_filters filters;
    struct trace *trace; /* NULL: none was asked for */
    struct boot_files files;
    struct kvm kvm;
    struct vcpu_features features;
    struct memory_mapping ram;
    struct event_loop *loop;
    struct console *console;
    struct console_port *ports; /* of --port, in order */
    size_t port_count;
    struct bus bus;
    struct coalesced coalesced;
    struct machine_irqchip *irqchip; /* NULL: KVM has the interrupt controller */
    struct irq_resample *resamples;  /* lines with --irq-delivery irqfd, the last one first */
    struct device_choice *choices;
    size_t choice_count;
    struct machine_device *devices;  /* the nth is of the nth choice */
    struct machine_regions *regions; /* of the nth device */
    struct machine_regions_environment regions_environment;
    struct machine_pages pages;      /* that devices share */
    struct unix_listener *listeners; /* of the nth device */
    size_t device_count;
    uint32_t spi_count;   /* up to the last that a device has */
    uint32_t spis_taken;  /* of those from REGION_DEVICES on */
    uint64_t room_taken;  /* in REGION_DEVICES, bytes */
    uint32_t slots_taken; /* in REGION_VIRTIO */
    struct vcpu *vcpus;
    uint64_t *affinities;
    struct vcpu_environment environment;
    struct log_limit unassigned_limit;
    struct log_limit refused_limit;

    /* from power-on to power-off */
    struct vm vm;
    struct vgic vgic;
    struct memory_mapping pvtime;
    struct boot_layout layout;

    /* the run */
    struct event_source signals;
    struct event_notify vcpu_left;
    struct event_timer timeout;
    struct event_timer shutdown_timeout;
    struct event_timer key_release;
    struct irq_line reset_request; /* what a watchdog's output leads to */
    struct event_notify reset_requested;
    _Atomic bool reset_request_level;
    struct log_limit bite_limit;
    bool shutdown_asked;
    int ending_signal; /* the signal that asked for the end, or 0 */
    bool ended;
    struct guest_exit guest_exit;
    struct hypercalls hypercalls;
    _Atomic uint64_t guest_asked; /* 1 + the status that the guest ended with; 0: it didn't */
    struct machine_result result;
};

/* What the operator asked for on a terminal. */
void machine_console_command(void *context, enum console_command command);

/* machine_console.c: the console, and the ports that have names. */
bool machine_create_consoles(struct machine *machine, struct error *error) WARN_UNUSED;
/* Writes what is left, waiting for slow readers for so long each. */
void machine_flush_consoles(const struct machine *machine, uint64_t bound_ns);
/* Fails if output of any could not be written. */
bool machine_check_consoles(const struct machine *machine, struct error *error) WARN_UNUSED;
void machine_destroy_consoles(struct machine *machine);

/* machine_devices.c: what the options ask for is judged first, and made once there is a console. */
bool machine_choose_devices(struct machine *machine, struct error *error) WARN_UNUSED;
/* Whether one of them needs memory that other processes can have part in. */
bool machine_shares_memory(const struct machine *machine);
bool machine_create_devices(struct machine *machine, struct error *error) WARN_UNUSED;
void machine_destroy_devices(struct machine *machine);
/* The machine's first device of a class, or NULL. */
struct device *machine_find_device(const struct machine *machine, const char *class_name);

/*
 * created/stopping -> ready: resets the devices, makes a new VM with vGIC and vCPUs, loads the
 * kernel. A reset of the machine is machine_power_off() and machine_power_on(): nothing of the old
 * VM's state can be left over. RAM keeps what isn't loaded again, as on hardware.
 */
bool machine_power_on(struct machine *machine, struct error *error) WARN_UNUSED;
/* Gives the VM back to the host; allowed at any time while no vCPU runs, and twice. */
void machine_power_off(struct machine *machine);

#endif
