// SPDX-License-Identifier: Apache-2.0
#include "doctor_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAGE_BYTES = 4096, WALK_FILES = 8 };

struct doctor_fixture fixture;

void doctor_fixture_set_up(void)
{
    (void)snprintf(fixture.root, sizeof(fixture.root), "/tmp/armlet-doctor-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture.root));
    fixture.host = (struct doctor_host){
        .root = fixture.root,
        .name = {.sysname = "Linux", .release = "6.12.1-arm64", .machine = "aarch64"},
        .page_bytes = PAGE_BYTES,
        .memory_lock = {.rlim_cur = RLIM_INFINITY},
        .open_files = {.rlim_cur = 1024},
    };
    fake_kvm_init(&fixture.kvm);
    fake_kvm_install(&fixture.kvm);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void doctor_fixture_tear_down(void)
{
    ck_assert_int_eq(nftw(fixture.root, remove_entry, WALK_FILES, FTW_DEPTH | FTW_PHYS), 0);
    fake_kvm_finish(&fixture.kvm);
}

void path_of(char path[FIXTURE_PATH_BYTES], const char *name)
{
    int length = snprintf(path, FIXTURE_PATH_BYTES, "%s%s", fixture.root, name);

    ck_assert_int_lt(length, FIXTURE_PATH_BYTES);
}

void put(const char *name, const char *text)
{
    char path[FIXTURE_PATH_BYTES];

    path_of(path, name);
    for (char *slash = strchr(path + strlen(fixture.root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

const struct check *find(const char *name)
{
    for (size_t i = 0; i < fixture.report.count; i++)
        if (strcmp(fixture.report.checks[i].name, name) == 0)
            return &fixture.report.checks[i];
    ck_abort_msg("no check '%s'", name);
    return NULL;
}

const struct check *examine(const char *name)
{
    doctor_examine(&fixture.host, &fixture.report);
    return find(name);
}

void assert_contains(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part), "no '%s' in '%s'", part, text);
}

void assert_found(const char *name, enum check_status status, const char *value, const char *hint)
{
    const struct check *check = examine(name);

    ck_assert_msg(check->status == status, "%s: status %d", name, (int)check->status);
    ck_assert_str_eq(check->value, value);
    if (*hint)
        assert_contains(check->hint, hint);
    else
        ck_assert_str_eq(check->hint, "");
}
