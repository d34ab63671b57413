// SPDX-License-Identifier: Apache-2.0
/*
 * Plugins: shared objects that armlet loads with `--plugin FILE[,key=value...]`. armlet-plugin(7)
 * is the guide; this header and those it includes are all that a plugin is compiled with:
 *
 *     cc -std=gnu17 -fPIC -shared -o hello.so hello.c
 *
 * A plugin defines one object, `armlet_plugin`. Each machine that loads the plugin calls
 * initialise() once, with a host of its own and room for a context pointer, so that several
 * machines in one process can use it: a plugin keeps its state behind that pointer.
 *
 * The functions of the headers in include/armlet/ are there to be called: error_set(), log_line(),
 * property_list_read(), those of the event loop's timers, and so on. Those below that take a
 * struct plugin_host are allowed inside of initialise() only.
 *
 * Threads: initialise() and finish() run on the I/O thread while no vCPU does; a device of a plugin
 * follows armlet/device.h.
 */
#ifndef ARMLET_PLUGIN_H
#define ARMLET_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "armlet/access.h"
#include "armlet/device.h"
#include "armlet/error.h"
#include "armlet/events.h"
#include "armlet/exit_kind.h"
#include "armlet/gpa.h"
#include "armlet/log.h"
#include "armlet/property.h"

/*
 * The version of what a plugin and armlet agree on, that is of all headers in include/armlet/. It
 * changes when a plugin compiled before would not work any more, and armlet refuses any other.
 */
#define ARMLET_PLUGIN_ABI 2

/* One machine as one plugin sees it. */
struct plugin_host;

struct armlet_plugin {
    uint32_t abi;                          /* ARMLET_PLUGIN_ABI */
    uint32_t size_bytes;                   /* sizeof(struct armlet_plugin) */
    const char *name;                      /* for messages: "fault-injector" */
    const char *version;                   /* the plugin's own; for --verbose */
    const struct property_row *properties; /* what --plugin may say about it; NULL: nothing */
    /*
     * Before anything of the machine exists. What was given to --plugin fits `properties`. False
     * fills in `error` and ends armlet; finish() isn't called then. A crash in here is caught, and
     * ends armlet with a line that names the plugin.
     */
    bool (*initialise)(struct plugin_host *host, const struct property_list *properties,
                       void **context, struct error *error);
    /* After everything of the machine is gone; may be NULL. */
    void (*finish)(void *context);
};

/* What the plugin defines; the only symbol that armlet looks for. */
#define ARMLET_PLUGIN_SYMBOL "armlet_plugin"
extern const struct armlet_plugin armlet_plugin __attribute__((visibility("default")));

/*
 * Brings a class of devices, which --device then makes by its name; resources->plugin of its
 * create() is what initialise() stored in *context. The class lives as long as the plugin. Fails
 * if there is a class of that name.
 */
bool plugin_add_device_class(struct plugin_host *host, const struct device_class *class,
                             struct error *error) WARN_UNUSED;

/*
 * Events (armlet/events.h): notify() is called from now on, as events_subscribe() would have it.
 * Fails if there are too many subscribers.
 */
bool plugin_subscribe(struct plugin_host *host, const struct event_subscriber *subscriber,
                      struct error *error) WARN_UNUSED;

/* ---- exits ---- */

enum plugin_answer {
    PLUGIN_CONTINUE, /* as if nobody had asked */
    PLUGIN_HANDLED,  /* an access is done: a read gives `value`, no device hears of it */
    PLUGIN_ERROR,    /* the run ends; `error` says why, and its code decides armlet's status */
};

/* What a vCPU is about to do. */
struct plugin_exit {
    enum exit_kind kind;
    uint32_t vcpu;
    /* EXIT_KIND_MMIO: an access of the guest, be it one that the hardware describes or one that
     * armlet decoded from an instruction (that whole instruction is EXIT_KIND_NO_SYNDROME). */
    const struct device *device; /* NULL: nothing is there; lives as long as the machine */
    uint64_t offset;             /* in the device */
    gpa_t address;
    enum access_kind access;
    enum access_width width;
    uint64_t value; /* of a write; of a read what PLUGIN_HANDLED gives, zero if left alone */
};

/*
 * Called on the vCPU's thread, for several vCPUs at once; it may sleep, and then the guest waits.
 * The kick that stops a vCPU interrupts a sleep (EINTR), and then it should return soon.
 */
typedef enum plugin_answer plugin_exit_function(void *context, struct plugin_exit *exit,
                                                struct error *error);

#define EXIT_KIND_MASK(kind) (UINT32_C(1) << (kind))
#define EXIT_KIND_MASK_ALL   (EXIT_KIND_MASK(EXIT_KIND_COUNT) - 1)

/* Asks about each exit whose EXIT_KIND_MASK() is in `kinds`. Fails if too many ask. */
bool plugin_watch_exits(struct plugin_host *host, uint32_t kinds, plugin_exit_function *function,
                        void *context, struct error *error) WARN_UNUSED;

/* The machine's log; lives until after finish(). */
struct log *plugin_log(const struct plugin_host *host);

#endif
