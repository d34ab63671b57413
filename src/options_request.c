// SPDX-License-Identifier: Apache-2.0
/* NAME[,key[=value]]...: what --device and --plugin take, and options that are short for them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options_internal.h"

/* Ends `text` at its first single comma and returns what follows; NULL: nothing does. */
static char *split(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (*from == ',' && from[1] != ',') {
            *to = '\0';
            return text + (from - text) + 1;
        }
        if (*from == ',')
            from++;
        *to++ = *from;
    }
    *to = '\0';
    return NULL;
}

static bool take_property(char *item, struct property *property, struct error *error)
{
    char *equals = strchr(item, '=');

    if (*item == '\0' || equals == item)
        return error_set(error, ERROR_USAGE, 0, "after a comma goes a property: key=value");
    if (equals)
        *equals = '\0';
    *property = (struct property){.key = item, .value = equals ? equals + 1 : "on"};
    return true;
}

static size_t count_commas(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == ',';
    return count;
}

static bool own_bytes(struct options *options, void *bytes, struct error *error)
{
    return bytes ? options_own(options, bytes, error)
                 : error_set(error, ERROR_HOST, ENOMEM, "cannot keep the options");
}

static bool parse_request(struct options *options, const char *text, struct option_request *request,
                          struct error *error)
{
    char *copy = strdup(text);
    if (!own_bytes(options, copy, error))
        return false;
    struct property *items = calloc(count_commas(text) + 1, sizeof(*items));
    if (!own_bytes(options, items, error))
        return false;

    char *rest = split(copy);
    *request = (struct option_request){.name = copy, .properties.items = items};
    if (*copy == '\0')
        return error_set(error, ERROR_USAGE, 0, "the name before the comma is missing");
    while (rest) {
        char *item = rest;

        rest = split(item);
        if (!take_property(item, &items[request->properties.count], error))
            return false;
        request->properties.count++;
    }
    return true;
}

bool options_add_request(struct options *options, const char *text,
                         struct option_request_list *list, struct error *error)
{
    struct option_request *items = realloc(list->items, (list->count + 1) * sizeof(*items));

    if (!items)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the options");
    list->items = items;
    if (!parse_request(options, text, &items[list->count], error))
        return false;
    list->count++;
    return true;
}

/*
 * Makes the last request one for the device `name`, with one more property. The value of `path_key`
 * is a path; NULL: none is.
 */
static bool imply(struct option_parser *parser, struct option_request *request, const char *name,
                  const struct property *first, const char *path_key, struct error *error)
{
    const struct property_list *given = &request->properties;
    struct property *items = calloc(given->count + 1, sizeof(*items));

    if (!own_bytes(parser->options, items, error))
        return false;
    items[0] = *first;
    for (size_t i = 0; i < given->count; i++) {
        struct property *item = &items[i + 1];

        *item = given->items[i];
        if (path_key && strcmp(item->key, path_key) == 0)
            item->value = options_resolve_path(parser, item->value, error);
        if (!item->value)
            return false;
    }
    *request = (struct option_request){.name = name, .properties = {items, given->count + 1}};
    return true;
}

bool options_add_whole(struct options *options, const char *text, const char *name,
                       struct option_request_list *list, struct error *error)
{
    char *whole = NULL;

    if (text[0] == ',')
        return error_set(error, ERROR_USAGE, 0, "the name before the comma is missing");
    if (asprintf(&whole, "%s,%s", name, text) < 0)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep the options");
    bool good = options_add_request(options, whole, list, error);
    free(whole);
    return good;
}

bool options_add_implied(struct option_parser *parser, const char *text, const char *name,
                         const char *key, struct option_request_list *list, struct error *error)
{
    if (!options_add_request(parser->options, text, list, error))
        return false;
    struct option_request *request = &list->items[list->count - 1];
    const struct property first = {key, options_resolve_path(parser, request->name, error)};

    return first.value && imply(parser, request, name, &first, NULL, error);
}

/* For what is named by a number, and has a Unix socket as its property `uds`. */
static bool add_numbered(struct option_parser *parser, const char *text, const char *name,
                         const char *key, struct error *error)
{
    struct option_request_list *list = &parser->options->devices;

    if (!options_add_request(parser->options, text, list, error))
        return false;
    struct option_request *request = &list->items[list->count - 1];
    const struct property first = {key, request->name};

    return imply(parser, request, name, &first, "uds", error);
}

bool options_add_vsock(struct option_parser *parser, const struct option_row *row,
                       const char *value, struct error *error)
{
    (void)row;
    return add_numbered(parser, value, "virtio-vsock", "cid", error);
}

bool options_add_balloon(struct option_parser *parser, const struct option_row *row,
                         const char *value, struct error *error)
{
    (void)row;
    return add_numbered(parser, value ? value : "0", "virtio-balloon", "size", error);
}

/* ---- --share ---- */

static const char SHARE_CLASS[] = "virtio-9p";
static const char VIRTIOFS_CLASS[] = "virtio-fs";
static const char DEFAULT_TAG[] = "share"; /* the devices' own */

static bool is_share(const struct option_request *request)
{
    return strcmp(request->name, SHARE_CLASS) == 0 || strcmp(request->name, VIRTIOFS_CLASS) == 0;
}

static const char *find_tag(const struct property_list *list)
{
    const char *tag = DEFAULT_TAG;

    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].key, "tag") == 0)
            tag = list->items[i].value;
    return tag;
}

/* A guest that asks for one of two by their tag would get either. */
static bool check_tag(const struct option_request_list *list, struct error *error)
{
    const char *tag = find_tag(&list->items[list->count - 1].properties);

    for (size_t i = 0; i + 1 < list->count; i++)
        if (is_share(&list->items[i]) && strcmp(find_tag(&list->items[i].properties), tag) == 0)
            return error_set(error, ERROR_USAGE, 0,
                             "there is a share with the tag '%s' already: write it as DIR:TAG",
                             tag);
    return true;
}

/* The tag follows the last colon, unless that is within the path. */
static bool split_tag(struct options *options, struct option_request *request, struct error *error)
{
    const struct property_list *given = &request->properties;
    char *path = strdup(given->items[0].value);
    if (!own_bytes(options, path, error))
        return false;
    char *colon = strrchr(path, ':');
    if (!colon || strchr(colon, '/'))
        return true;
    if (colon[1] == '\0' || colon == path)
        return error_set(error, ERROR_USAGE, 0, "the %s the colon is missing",
                         colon == path ? "directory before" : "tag after");
    struct property *items = calloc(given->count + 1, sizeof(*items));
    if (!own_bytes(options, items, error))
        return false;
    *colon = '\0';
    memcpy(items, given->items, given->count * sizeof(*items));
    items[0].value = path;
    items[given->count] = (struct property){.key = "tag", .value = colon + 1};
    request->properties = (struct property_list){items, given->count + 1};
    return true;
}

static bool judge_via(const char *via, const char *read_only, struct error *error)
{
    if (strcmp(via, "9p") != 0 && strcmp(via, "virtiofs") != 0)
        return error_set(error, ERROR_USAGE, 0, "via=%s: must be 9p or virtiofs", via);
    /* Not every virtiofsd can, and the guest's own mount option confines nobody. */
    return strcmp(via, "9p") == 0 || !read_only ||
           error_set(error, ERROR_USAGE, 0, "ro goes with via=9p: virtiofsd lets the guest write");
}

/* `via` says which device it is, and isn't the device's. */
static bool choose_share(struct options *options, struct option_request *request,
                         struct error *error)
{
    const struct property_list given = request->properties;
    const char *via = "9p";
    const char *read_only = NULL;
    size_t count = 0;
    struct property *items = calloc(given.count, sizeof(*items));

    if (!own_bytes(options, items, error))
        return false;
    for (size_t i = 0; i < given.count; i++) {
        if (strcmp(given.items[i].key, "via") == 0)
            via = given.items[i].value;
        else
            items[count++] = given.items[i];
        if (strcmp(given.items[i].key, "ro") == 0 && strcmp(given.items[i].value, "off") != 0)
            read_only = given.items[i].value;
    }
    if (!judge_via(via, read_only, error))
        return false;
    request->name = strcmp(via, "9p") == 0 ? SHARE_CLASS : VIRTIOFS_CLASS;
    request->properties = (struct property_list){items, count};
    return true;
}

bool options_add_share(struct option_parser *parser, const struct option_row *row,
                       const char *value, struct error *error)
{
    struct option_request_list *devices = &parser->options->devices;

    (void)row;
    return options_add_implied(parser, value, SHARE_CLASS, "path", devices, error) &&
           split_tag(parser->options, &devices->items[devices->count - 1], error) &&
           choose_share(parser->options, &devices->items[devices->count - 1], error) &&
           check_tag(devices, error);
}
