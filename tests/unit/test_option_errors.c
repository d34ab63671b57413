// SPDX-License-Identifier: Apache-2.0
/*
 * Options as an operator meets them: each is in --help and in the manual, and what it can't be is
 * refused in one line that names the option as it was written.
 */
#include <check.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "armlet/device.h"
#include "exit_status.h"
#include "kvm_machine.h"
#include "options_internal.h"
#include "primecell_checks.h"

Suite *unit_suite(void);

enum { TEXT_BYTES = 256, MANUAL_BYTES = 256 * 1024, STATUS_USAGE = 2, IMAGE_BYTES = 4096 };

#define MANUAL "man/armlet.1" /* tests run at the top of the source */

#define IMAGE "/tmp/armlet-option-errors.img" /* of a disk */

/* ---- documents ---- */

static char manual[MANUAL_BYTES];

static void read_manual(void)
{
    FILE *file = fopen(MANUAL, "r");

    ck_assert_msg(file, "%s can't be read from here", MANUAL);
    size_t count = fread(manual, 1, sizeof(manual) - 1, file);
    manual[count] = '\0';
    ck_assert(feof(file));
    (void)fclose(file);
}

/* Whether a document has these words, and what follows is no more of the name. */
static bool has_name(const char *text, const char *before, const char *name)
{
    char words[TEXT_BYTES];

    (void)snprintf(words, sizeof(words), "%s%s", before, name);
    for (const char *at = text; (at = strstr(at, words)); at++)
        if (strchr(" \n[=", at[strlen(words)]))
            return true;
    return false;
}

START_TEST(each_option_is_documented)
{
    size_t count;
    const struct option_row *rows = options_rows(COMMAND_RUN, &count);

    read_manual();
    for (size_t i = 0; i < count; i++) {
        const char *name = rows[i].name;
        char letter[TEXT_BYTES];

        ck_assert_msg(has_name(options_help(COMMAND_RUN, true), "--", name), "%s", name);
        (void)snprintf(letter, sizeof(letter), ".It Fl %c , -", rows[i].letter[1]);
        ck_assert_msg(has_name(manual, rows[i].letter[0] == '-' ? letter : ".It Fl -", name),
                      "%s has no --%s", MANUAL, name);
    }
}
END_TEST

static bool is_option(enum command command, const char *name, size_t length)
{
    size_t count;
    const struct option_row *rows = options_rows(command, &count);

    for (size_t i = 0; i < count; i++)
        if (strncmp(rows[i].name, name, length) == 0 && rows[i].name[length] == '\0')
            return true;
    return false;
}

START_TEST(what_is_documented_is_an_option)
{
    static const char before[] = ".It Fl ";
    size_t found = 0;

    read_manual();
    for (const char *at = manual; (at = strstr(at, before)); found++) {
        at += strlen(before);
        const char *name = *at == '-' ? at + 1 : at + strlen("k , -");
        size_t length = strcspn(name, " \n");

        ck_assert_msg(is_option(COMMAND_RUN, name, length) ||
                          is_option(COMMAND_DOCTOR, name, length),
                      "%s has an option '%.*s'", MANUAL, (int)length, name);
    }
    ck_assert_uint_gt(found, 40);
}
END_TEST

/* ---- refusals ---- */

static void set_up(void)
{
    FILE *image = fopen(IMAGE, "w");

    ck_assert(image && ftruncate(fileno(image), IMAGE_BYTES) == 0 && fclose(image) == 0);
    trial_setup();
}

static void tear_down(void)
{
    trial_teardown();
    (void)unlink(IMAGE);
}

static bool is_one_line(const char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            return false;
    return true;
}

/* As the program does: options, then a machine; the host is a fake. */
static void check_refused(const char *option, const char *value, const char *more,
                          const char *message)
{
    struct error error = {0};
    struct machine *machine = NULL;
    char beginning[TEXT_BYTES];
    char argument[2 * TEXT_BYTES];

    (void)snprintf(argument, sizeof(argument), "--%s=%s", option, value);
    (void)snprintf(beginning, sizeof(beginning), "--%s", option);
    if (PARSE(&trial.options, &error, "run", "-m", "16M", "--console", "none", argument, more))
        machine = machine_create(&trial.options, &trial.log, &error);
    ck_assert_msg(!machine, "%s is taken", argument);
    ck_assert_msg(error.code == ERROR_USAGE, "%s: %s", argument, error.message);
    ck_assert_int_eq(exit_status_of_error(error.code), STATUS_USAGE);
    ck_assert_msg(strncmp(error.message, beginning, strlen(beginning)) == 0, "%s: %s", argument,
                  error.message);
    ck_assert_msg(strstr(error.message, message), "%s: %s", argument, error.message);
    ck_assert_msg(is_one_line(error.message), "%s: %s", argument, error.message);
    ck_assert_uint_lt(strlen(error.message), sizeof(error.message) - 1);
    options_finish(&trial.options);
}

/* Options that stand for a device, with what they need besides properties. */
static const struct {
    const char *option, *value, *class_name;
} shorthands[] = {
    {"disk", "/dev/null", "virtio-blk"}, {"root", "/dev/null", "virtio-blk"},
    {"net", "user", "virtio-net"},       {"share", "/", "virtio-9p"},
    {"vsock", "3", "virtio-vsock"},      {"balloon", "1M", "virtio-balloon"},
};

static void refuse_property(size_t shorthand, const struct property_row *row, const char *bad)
{
    char value[TEXT_BYTES];
    char told[2 * TEXT_BYTES];

    (void)snprintf(value, sizeof(value), "%s,%s=%s", shorthands[shorthand].value, row->key, bad);
    (void)snprintf(told, sizeof(told), "%s: %s=%s: ", value, row->key, bad);
    check_refused(shorthands[shorthand].option, value, NULL, told);
}

START_TEST(each_property_refuses_what_it_cant_be)
{
    static const char *const bad[] = {
        [PROPERTY_FLAG] = "maybe",
        [PROPERTY_NUMBER] = "many",
        [PROPERTY_SIZE] = "lots",
        [PROPERTY_TIME] = "soon",
    };
    const struct device_class *class = find_device_class(shorthands[_i].class_name);
    char number[32];

    for (const struct property_row *row = class->properties; row->key; row++) {
        if (row->kind == PROPERTY_TEXT)
            continue;
        refuse_property((size_t)_i, row, bad[row->kind]);
        refuse_property((size_t)_i, row, "");
        refuse_property((size_t)_i, row, "-1");
        (void)snprintf(number, sizeof(number), "%" PRIu64, row->maximum + 1);
        if (row->kind == PROPERTY_NUMBER && row->maximum)
            refuse_property((size_t)_i, row, number);
        (void)snprintf(number, sizeof(number), "%" PRIu64, row->minimum - 1);
        if (row->kind == PROPERTY_NUMBER && row->minimum)
            refuse_property((size_t)_i, row, number);
    }
}
END_TEST

START_TEST(a_key_that_is_none_is_refused)
{
    char value[TEXT_BYTES];

    (void)snprintf(value, sizeof(value), "%s,colour=red", shorthands[_i].value);
    check_refused(shorthands[_i].option, value, NULL, "colour");
    (void)snprintf(value, sizeof(value), "%s,", shorthands[_i].value);
    check_refused(shorthands[_i].option, value, NULL, "after a comma goes a property: key=value");
    check_refused(shorthands[_i].option, ",x=1", NULL, "");
}
END_TEST

#define LONG_NAME "a123456789b123456789c123456789"

static const struct {
    const char *option, *value, *more, *message;
} refusals[] = {
    {"disk", IMAGE ",io=fast", NULL, "io=fast: must be auto, uring or threads"},
    {"disk", IMAGE ",serial=" LONG_NAME, NULL, "more than 20 characters"},
    {"disk", IMAGE ",bandwidth-burst=1M", NULL, "bandwidth-burst is given, and no bandwidth"},
    {"net", "wifi", NULL, "unknown property 'wifi': known: user, tap, fd"},
    {"net", "user,tap=x", NULL, "it takes one of user, tap=NAME and fd=N"},
    {"net", "tap=" LONG_NAME, NULL, "the name of an interface has 1 to 15 characters"},
    {"net", "fd=2", NULL, "fd=2"},
    {"net", "fd=1000", NULL, "no such file is open"},
    {"net", "user,mac=1:2:3", NULL, "must be 6 bytes"},
    {"net", "user,mac=03:00:00:00:00:01", NULL, "must be 6 bytes"},
    {"net", "user,queues=2", NULL, "several queues need tap=NAME"},
    {"net", "tap=x,host=127.0.0.1", NULL, "host=127.0.0.1: goes with user alone"},
    {"net", "tap=x,forward=tcp:1:2", NULL, "forward=tcp:1:2: goes with user alone"},
    {"net", "tap=x,queues=8", NULL, "queues=8: must be at most 7"},
    {"net", "tap=x,vhost=maybe", NULL, "vhost=maybe: must be on, off or auto"},
    {"net", "tap=x,vhost=on,bandwidth=1M", NULL, "vhost=on: goes without bandwidth="},
    {"net", "user,vhost=on", NULL, "vhost=on: goes with a TAP, and not with user"},
    {"net", "user,host=router", NULL, "host=router: must be an address"},
    {"net", "user,forward=icmp:1:2", NULL, "forward=icmp:1:2: must be tcp:PORT:GUEST-PORT"},
    {"net", "user,forward=tcp:0:2", NULL, "forward=tcp:0:2: must be tcp:PORT:GUEST-PORT"},
    {"net", "user,mtu=67", NULL, "mtu=67: must be at least 68"},
    {"net", "user,mtu=65536", NULL, "mtu=65536: must be at most 65535"},
    {"net", "user,bandwidth=0", NULL, "bandwidth=0"},
    {"net", "user,operations-burst=1", NULL, "operations-burst is given, and no operations"},
    {"share", "/:", NULL, "the tag after the colon is missing"},
    {"share", ":x", NULL, "the directory before the colon is missing"},
    {"share", "/:" LONG_NAME LONG_NAME LONG_NAME, NULL, "must have 1 to 64 bytes"},
    {"share", "/", "--share=/tmp", "there is a share with the tag 'share' already"},
    {"vsock", "host", NULL, "cid=host"},
    {"vsock", "2", NULL, "cid=2"},
    {"vsock", "4294967295", NULL, "cid=4294967295"},
    {"balloon", "lots", NULL, "size=lots"},
    {"balloon", "16M", NULL, "the guest has 16M in all"},
    {"balloon", "1M,stats=1ms", NULL, "stats=1ms"},
    {"balloon", "1M", "--lock-memory", "--lock-memory keeps it all"},
    {"balloon", "1M", "--memory-backing=hugetlb:2M", "of huge pages it takes none"},
    {"balloon", "1M", "--memory-backing=file:/tmp/x", "a file keeps its pages"},
    {"device", "virtio-balloon", "--lock-memory", "--lock-memory keeps it all"},
    {"device", "virtio-blk", NULL, "path=FILE is missing"},
    {"device", "virtio-9p", NULL, "path=DIR is missing"},
    {"device", "virtio-net", NULL, "it takes one of user, tap=NAME and fd=N"},
    {"device", "virtio-vsock", NULL, "cid=NUMBER is missing"},
    {"device", "virtio-rng,rate=1", NULL, "rate"},
    {"device", "virtio-console", NULL, "'--console virtio' makes one"},
    {"device", "virtio-ports", NULL, "'--port NAME=KIND' makes one"},
    {"device", "virtio-bulk", NULL, "did you mean 'virtio-blk'?"},
    {"console", "virtio,serial", NULL, "must be stdio, pty"},
    {"port", "agent=vsock:1", NULL, "must be NAME=unix:PATH"},
};

START_TEST(a_value_that_cant_be_is_refused)
{
    check_refused(refusals[_i].option, refusals[_i].value, refusals[_i].more, refusals[_i].message);
}
END_TEST

#define COUNT_OF(array) (int)(sizeof(array) / sizeof((array)[0]))

Suite *unit_suite(void)
{
    Suite *suite = suite_create("option_errors");
    TCase *documents = tcase_create("documents");
    TCase *errors = tcase_create("errors");

    tcase_add_test(documents, each_option_is_documented);
    tcase_add_test(documents, what_is_documented_is_an_option);
    suite_add_tcase(suite, documents);
    tcase_add_checked_fixture(errors, set_up, tear_down);
    tcase_add_loop_test(errors, each_property_refuses_what_it_cant_be, 0, COUNT_OF(shorthands));
    tcase_add_loop_test(errors, a_key_that_is_none_is_refused, 0, COUNT_OF(shorthands));
    tcase_add_loop_test(errors, a_value_that_cant_be_is_refused, 0, COUNT_OF(refusals));
    suite_add_tcase(suite, errors);
    return suite;
}
