// SPDX-License-Identifier: Apache-2.0
#include "guest_program.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"

enum { CPIO_ALIGNMENT = 4, PROGRAM_MODE = 0100755 };

static bool copy_file(FILE *to, const char *path)
{
    char bytes[65536];
    size_t count;
    FILE *from = fopen(path, "r");

    if (!from)
        return false;
    while ((count = fread(bytes, 1, sizeof(bytes), from)) > 0)
        if (fwrite(bytes, 1, count, to) != count)
            break;
    bool good = feof(from) && !ferror(from);
    (void)fclose(from);
    return good;
}

static bool pad(FILE *to)
{
    while (ftell(to) % CPIO_ALIGNMENT)
        if (fputc(0, to) == EOF)
            return false;
    return true;
}

/* The head of a member, as "newc" has it (Linux, driver-api/early-userspace/buffer-format). */
static bool put_head(FILE *to, const char *name, unsigned mode, unsigned size_bytes)
{
    return fprintf(to, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode, 0, 0,
                   1, 0, size_bytes, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0) > 0 &&
           fputs(name, to) >= 0 && fputc(0, to) == 0 && pad(to);
}

bool guest_program_add(const char *path, const char *program)
{
    struct stat status;
    FILE *to = fopen(path, "w");

    if (!to)
        return false;
    bool good = stat(lab_path(program), &status) == 0 && copy_file(to, lab_path("guest.cpio")) &&
                pad(to) && put_head(to, program, PROGRAM_MODE, (unsigned)status.st_size) &&
                copy_file(to, lab_path(program)) && pad(to) && put_head(to, "TRAILER!!!", 0, 0);
    return fclose(to) == 0 && good;
}
