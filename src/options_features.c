// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "options_internal.h"
#include "options_suggest.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What may follow a feature's name. */
struct state {
    const char *text;
    enum feature_choice value;
};

struct feature_name {
    const char *name;
    size_t field; /* an offset in struct options */
};

static const struct feature_name feature_names[] = {
    {"pmu", offsetof(struct options, pmu)},
    {"sve", offsetof(struct options, sve)},
    {"pauth", offsetof(struct options, pauth)},
    {"mte", offsetof(struct options, mte)},
    {"aarch32", offsetof(struct options, aarch32_el1)},
    {"steal-time", offsetof(struct options, steal_time)},
};

static const struct feature_name *find_feature(const char *name, size_t length, struct error *error)
{
    struct suggestion suggestion;

    suggestion_init(&suggestion, name, length);
    for (size_t i = 0; i < COUNT_OF(feature_names); i++) {
        const char *known = feature_names[i].name;
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return &feature_names[i];
        suggestion_offer(&suggestion, known);
    }
    int shown = (int)(length < OPTIONS_SHOWN_BYTES ? length : OPTIONS_SHOWN_BYTES);
    if (suggestion.best != NULL)
        error_set(error, ERROR_USAGE, 0, "unknown CPU feature '%.*s': did you mean '%s'?", shown,
                  name, suggestion.best);
    else
        error_set(error, ERROR_USAGE, 0,
                  "unknown CPU feature '%.*s': there are pmu, sve, pauth, mte, aarch32 and "
                  "steal-time",
                  shown, name);
    return NULL;
}

/* Sets what one item of the list says: "pmu=off", "+pmu" or "-pmu". */
static bool set_feature(struct options *options, const char *item, size_t length,
                        struct error *error)
{
    static const struct state states[] = {
        {"=auto", FEATURE_AUTO}, {"=on", FEATURE_ON}, {"=off", FEATURE_OFF}};
    bool is_signed = length > 0 && (item[0] == '+' || item[0] == '-');
    const char *name = is_signed ? item + 1 : item;
    const char *end = item + length;
    const char *state = memchr(name, '=', (size_t)(end - name));
    const char *name_end = is_signed || state == NULL ? end : state;
    const struct feature_name *feature = find_feature(name, (size_t)(name_end - name), error);

    if (feature == NULL)
        return false;
    enum feature_choice *field = (enum feature_choice *)(void *)((char *)options + feature->field);
    if (is_signed) {
        *field = item[0] == '+' ? FEATURE_ON : FEATURE_OFF;
        return true;
    }
    size_t state_length = (size_t)(end - name_end);
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (strlen(states[i].text) == state_length &&
            memcmp(states[i].text, name_end, state_length) == 0) {
            *field = states[i].value;
            return true;
        }
    }
    return error_set(error, ERROR_USAGE, 0, "write %s=on, %s=off or %s=auto", feature->name,
                     feature->name, feature->name);
}

bool options_set_features(struct option_parser *parser, const struct option_row *row,
                          const char *value, struct error *error)
{
    (void)row;
    for (;;) {
        size_t length = strcspn(value, ",");
        if (!set_feature(parser->options, value, length, error))
            return false;
        if (value[length] == '\0')
            return true;
        value += length + 1;
    }
}
