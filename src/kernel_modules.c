// SPDX-License-Identifier: Apache-2.0
#include "kernel_modules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/decompress.h"
#include "image/file.h"

enum {
    PATH_BYTES = 4096,
    NAME_BYTES = 64,
    HEAD_BYTES = 16,
    CHUNK_BYTES = 1 << 16,
    MODULE_MOST_BYTES = 64 << 20,
    DEEPEST = 16, /* modules that depend on each other */
};

/* ---- files, packed or not ---- */

struct source {
    struct file file;
    struct decompressor *decompressor;
};

static bool open_source(struct source *source, const char *path, struct error *error)
{
    uint8_t head[HEAD_BYTES] = {0};

    if (!file_open(&source->file, path, error))
        return false;
    size_t head_bytes =
        source->file.size_bytes < sizeof(head) ? (size_t)source->file.size_bytes : sizeof(head);
    if (file_read(&source->file, 0, head, head_bytes, error)) {
        const struct packed packed = {
            .extent = {.file = &source->file, .size_bytes = source->file.size_bytes},
            .compression = compression_detect(head, head_bytes),
        };

        source->decompressor = decompress_open(&packed, DECOMPRESS_PIECES, error);
        if (source->decompressor)
            return true;
    }
    file_close(&source->file);
    return false;
}

static void close_source(struct source *source)
{
    decompress_close(source->decompressor);
    file_close(&source->file);
}

/* All of it, with a zero behind, which the caller frees. */
static uint8_t *read_all(const char *path, size_t *size_bytes, struct error *error)
{
    struct source source;
    uint8_t *data = NULL;
    size_t got = CHUNK_BYTES;
    bool good = open_source(&source, path, error);

    if (!good)
        return NULL;
    for (*size_bytes = 0; good && got == CHUNK_BYTES; *size_bytes += got) {
        uint8_t *more = realloc(data, *size_bytes + CHUNK_BYTES + 1);

        if (!more)
            good = error_set(error, ERROR_HOST, ENOMEM, "cannot read it");
        else if (*size_bytes > MODULE_MOST_BYTES)
            good = error_set(error, ERROR_FILE, 0, "it is too large");
        if (more)
            data = more;
        if (good)
            good =
                decompress_read(source.decompressor, data + *size_bytes, CHUNK_BYTES, &got, error);
    }
    close_source(&source);
    if (!good || !data) {
        free(data);
        return NULL;
    }
    data[*size_bytes] = '\0';
    return data;
}

/* ---- lists of modules ---- */

/* "kernel/fs/9p/9p.ko" is the module 9p; dashes and underscores are the same. */
static bool is_module(const char *path, size_t length, const char *name)
{
    static const char suffix[] = ".ko";
    size_t name_length = strlen(name);
    size_t tail = name_length + strlen(suffix);

    if (length < tail + 1 || path[length - tail - 1] != '/' ||
        memcmp(path + length - strlen(suffix), suffix, strlen(suffix)) != 0)
        return false;
    for (size_t i = 0; i < name_length; i++) {
        char have = path[length - tail + i];

        if (have != name[i] && !(strchr("-_", have) && strchr("-_", name[i])))
            return false;
    }
    return true;
}

/* The line that names the module, in a list of them; false: none does. */
static bool find_line(const char *directory, const char *list, const char *name,
                      char line[static PATH_BYTES])
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, list);
    FILE *file = fopen(path, "re");
    bool found = false;

    while (file && !found && fgets(line, PATH_BYTES, file)) {
        line[strcspn(line, "\n")] = '\0';
        found = is_module(line, strlen(line), name);
    }
    if (file)
        (void)fclose(file);
    return found;
}

static uint8_t *read_module(const char *directory, const char *line, size_t *size_bytes,
                            struct error *error)
{
    static const char *const endings[] = {"", ".xz", ".zst", ".gz"};
    char path[2 * PATH_BYTES];

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s%s", directory, line, endings[i]);
        uint8_t *data = read_all(path, size_bytes, error);

        if (data)
            return data;
        if (error->os_errno != ENOENT)
            break;
    }
    (void)error_add_context(error, "cannot use '%s/%s'", directory, line);
    return NULL;
}

/* ---- dependencies ---- */

static bool has_module(const struct kernel_modules *modules, const char *name)
{
    for (size_t i = 0; i < modules->count; i++)
        if (strcmp(modules->items[i].name, name) == 0)
            return true;
    return false;
}

static bool append_module(struct kernel_modules *modules, const char *name, uint8_t *data,
                          size_t size_bytes, struct error *error)
{
    struct kernel_module *items =
        realloc(modules->items, (modules->count + 1) * sizeof(*modules->items));
    char *copy = strdup(name);

    if (items)
        modules->items = items;
    if (!items || !copy) {
        free(copy);
        return error_set(error, ERROR_HOST, ENOMEM, "cannot keep a module");
    }
    items[modules->count++] = (struct kernel_module){copy, data, size_bytes};
    return true;
}

static bool add(struct kernel_modules *modules, const char *directory, const char *name,
                unsigned depth, struct error *error);

/* The section .modinfo has "depends=9pnet,netfs". */
static bool add_dependencies(struct kernel_modules *modules, const char *directory,
                             const uint8_t *data, size_t size_bytes, unsigned depth,
                             struct error *error)
{
    static const char key[] = "\0depends=";
    const char *found = memmem(data, size_bytes, key, sizeof(key) - 1);
    const char *at = found ? found + sizeof(key) - 1 : "";

    while (*at) {
        char name[NAME_BYTES];
        size_t length = strcspn(at, ",");

        if (length >= sizeof(name))
            return error_set(error, ERROR_FILE, 0, "it depends on what is no module's name");
        memcpy(name, at, length);
        name[length] = '\0';
        if (!add(modules, directory, name, depth + 1, error))
            return false;
        at += length + (at[length] == ',');
    }
    return true;
}

static bool add(struct kernel_modules *modules, const char *directory, const char *name,
                unsigned depth, struct error *error)
{
    char line[PATH_BYTES];
    size_t size_bytes = 0;

    if (has_module(modules, name) || find_line(directory, "modules.builtin", name, line))
        return true;
    if (!find_line(directory, "modules.order", name, line) || depth > DEEPEST)
        return error_set(error, ERROR_FILE, 0, "the kernel has no module '%s' in '%s'", name,
                         directory);
    uint8_t *data = read_module(directory, line, &size_bytes, error);
    if (data && add_dependencies(modules, directory, data, size_bytes, depth, error) &&
        append_module(modules, name, data, size_bytes, error))
        return true;
    free(data);
    return false;
}

bool kernel_modules_add(struct kernel_modules *modules, const char *directory, const char *name,
                        struct error *error)
{
    return add(modules, directory, name, 0, error);
}

void kernel_modules_finish(struct kernel_modules *modules)
{
    for (size_t i = 0; i < modules->count; i++) {
        free(modules->items[i].name);
        free(modules->items[i].data);
    }
    free(modules->items);
    *modules = (struct kernel_modules){0};
}

/* ---- releases ---- */

static bool take_release(const char *text, char release[static KERNEL_RELEASE_BYTES])
{
    size_t length = strcspn(text, " \n");

    /* The format of the message is in kernels, too: "Linux version %s". */
    if (length == 0 || length >= KERNEL_RELEASE_BYTES || text[0] < '0' || text[0] > '9')
        return false;
    memcpy(release, text, length);
    release[length] = '\0';
    return true;
}

/* Chunks overlap, so that what lies across two is found. */
static bool scan(struct decompressor *decompressor, char release[static KERNEL_RELEASE_BYTES],
                 struct error *error)
{
    static const char key[] = "Linux version ";
    static const size_t overlap = KERNEL_RELEASE_BYTES + sizeof(key);
    char *buffer = calloc(1, CHUNK_BYTES + overlap + 1);
    size_t kept = 0;
    size_t got = CHUNK_BYTES;
    bool good = true;
    bool found = false;

    if (!buffer)
        return error_set(error, ERROR_HOST, ENOMEM, "cannot read the kernel");
    while (good && !found && got == CHUNK_BYTES) {
        good = decompress_read(decompressor, buffer + kept, CHUNK_BYTES, &got, error);
        if (!good)
            break;
        size_t length = kept + got;
        const char *at = buffer;

        buffer[length] = '\0';
        while (!found && (at = memmem(at, length - (size_t)(at - buffer), key, strlen(key)))) {
            at += strlen(key);
            found = take_release(at, release);
        }
        kept = length < overlap ? length : overlap;
        memmove(buffer, buffer + length - kept, kept);
    }
    free(buffer);
    return found || (good && error_set(error, ERROR_FILE, 0, "it doesn't say which Linux it is"));
}

bool kernel_release_find(const char *path, char release[static KERNEL_RELEASE_BYTES],
                         struct error *error)
{
    struct source source;

    if (!open_source(&source, path, error))
        return false;
    bool found = scan(source.decompressor, release, error);

    close_source(&source);
    return found;
}
