// SPDX-License-Identifier: Apache-2.0
/*
 * Who is asked, at an exit, before armlet does what it is for: plugins, see armlet/plugin.h.
 *
 * Filled before the run and constant while vCPUs run; the first answer that isn't PLUGIN_CONTINUE
 * counts. exit_filter_ask(): any vCPU's thread.
 */
#ifndef ARMLET_SRC_EXIT_FILTER_H
#define ARMLET_SRC_EXIT_FILTER_H

#include "armlet/error.h"
#include "armlet/plugin.h"

enum { EXIT_FILTER_MAX = 16 };

struct exit_filter {
    plugin_exit_function *ask;
    void *context;
    uint32_t kinds;     /* EXIT_KIND_MASK() of those it is asked about */
    const char *plugin; /* for messages */
};

struct exit_filters {
    struct exit_filter filters[EXIT_FILTER_MAX];
    size_t count;
    uint32_t kinds; /* what any of them is asked about; 0: nobody is */
};

bool exit_filter_add(struct exit_filters *filters, const struct exit_filter *filter,
                     struct error *error) WARN_UNUSED;

/* With PLUGIN_ERROR `error` is filled in and names the plugin. */
enum plugin_answer exit_filter_ask(const struct exit_filters *filters, struct plugin_exit *exit,
                                   struct error *error);

#endif
