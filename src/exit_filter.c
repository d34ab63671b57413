// SPDX-License-Identifier: Apache-2.0
#include "exit_filter.h"

bool exit_filter_add(struct exit_filters *filters, const struct exit_filter *filter,
                     struct error *error)
{
    if (filters->count == EXIT_FILTER_MAX)
        return error_set(error, ERROR_USAGE, 0, "more than %d look at exits", EXIT_FILTER_MAX);
    filters->filters[filters->count++] = *filter;
    filters->kinds |= filter->kinds;
    return true;
}

static enum plugin_answer fail(const struct exit_filter *filter, const struct plugin_exit *exit,
                               struct error *error)
{
    if (error->code == ERROR_NONE)
        (void)error_set(error, ERROR_HOST, 0, "it gives no reason");
    (void)error_add_context(error, "vCPU %u: plugin '%s' ended the run", exit->vcpu,
                            filter->plugin);
    return PLUGIN_ERROR;
}

enum plugin_answer exit_filter_ask(const struct exit_filters *filters, struct plugin_exit *exit,
                                   struct error *error)
{
    for (size_t i = 0; i < filters->count; i++) {
        const struct exit_filter *filter = &filters->filters[i];

        if (!(filter->kinds & EXIT_KIND_MASK(exit->kind)))
            continue;
        enum plugin_answer answer = filter->ask(filter->context, exit, error);
        switch (answer) {
        case PLUGIN_CONTINUE:
            continue;
        case PLUGIN_HANDLED:
            if (exit->kind == EXIT_KIND_MMIO)
                return PLUGIN_HANDLED;
            (void)error_set(error, ERROR_INTERNAL, 0,
                            "it handled an exit of kind '%s', and only accesses can be handled",
                            exit_kind_name(exit->kind));
            break;
        case PLUGIN_ERROR:
            break;
        default:
            (void)error_set(error, ERROR_INTERNAL, 0, "its answer %d is none", (int)answer);
            break;
        }
        return fail(filter, exit, error);
    }
    return PLUGIN_CONTINUE;
}
