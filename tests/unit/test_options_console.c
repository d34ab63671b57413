// SPDX-License-Identifier: Apache-2.0
/* --console virtio and --port: what they mean, and what they refuse. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "parse_options.h"

Suite *unit_suite(void);

START_TEST(virtio_comes_before_the_kind)
{
    static const struct {
        const char *value;
        enum console_kind kind;
        const char *path;
    } consoles[] = {
        {"virtio", CONSOLE_STDIO, NULL},
        {"virtio,stdio", CONSOLE_STDIO, NULL},
        {"virtio,pty", CONSOLE_PTY, NULL},
        {"virtio,file:a,b", CONSOLE_FILE, "a,b"},
        {"virtio,unix:/run/vm.sock", CONSOLE_UNIX, "/run/vm.sock"},
        {"virtio,none", CONSOLE_NONE, NULL},
    };
    struct options options;

    for (size_t i = 0; i < sizeof(consoles) / sizeof(consoles[0]); i++) {
        ASSERT_PARSES(&options, "run", "--console", consoles[i].value);
        ck_assert(options.virtio_console);
        ck_assert_int_eq(options.console.kind, consoles[i].kind);
        ck_assert_pstr_eq(options.console.path, consoles[i].path);
        ck_assert_str_eq(options.append, "console=hvc0");
        options_finish(&options);
    }
    ASSERT_PARSES(&options, "run", "--console=virtio", "--console=pty");
    ck_assert(!options.virtio_console);
    ck_assert_str_eq(options.append, "");
    options_finish(&options);
}
END_TEST

/* What the operator says about consoles is all that the kernel is told. */
START_TEST(the_parameters_of_the_operator_win)
{
    static const struct {
        const char *given, *expected;
    } parameters[] = {
        {"quiet", "quiet console=hvc0"},
        {"console=ttyAMA0", "console=ttyAMA0"},
        {"quiet console=hvc0,115200 ro", "quiet console=hvc0,115200 ro"},
        {"netconsole=x", "netconsole=x console=hvc0"},
    };
    struct options options;

    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        ASSERT_PARSES(&options, "run", "--console=virtio", "-a", parameters[i].given);
        ck_assert_str_eq(options.append, parameters[i].expected);
        options_finish(&options);
    }
    ASSERT_PARSES(&options, "run", "--console=virtio", "--run", "--", "true");
    ck_assert_str_eq(options.append, "");
    options_finish(&options);
}
END_TEST

START_TEST(ports_have_names)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "--port", "org.qemu.guest_agent.0=unix:a=b", "--port=two=pty",
                  "--port", "log=file:/tmp/log");
    ck_assert_uint_eq(options.port_count, 3);
    ck_assert_str_eq(options.ports[0].name, "org.qemu.guest_agent.0");
    ck_assert_int_eq(options.ports[0].outside.kind, CONSOLE_UNIX);
    ck_assert_str_eq(options.ports[0].outside.path, "a=b");
    ck_assert_str_eq(options.ports[1].name, "two");
    ck_assert_int_eq(options.ports[1].outside.kind, CONSOLE_PTY);
    ck_assert_int_eq(options.ports[2].outside.kind, CONSOLE_FILE);
    options_finish(&options);
}
END_TEST

#define KINDS "must be NAME=unix:PATH, NAME=pty or NAME=file:PATH"
#define NAMES "a port's name is that of a file in the guest: not empty, no '/', no '.' first"
#define LONG  "a23456789b123456789c123456789d123456789e123456789f123456789g1234"

static const struct {
    const char *arguments[ARGUMENTS_MAX + 1];
    const char *message;
} refusals[] = {
    {{"run", "--port", "agent"}, "--port agent: " KINDS},
    {{"run", "--port", "agent=stdio"}, "--port agent=stdio: " KINDS},
    {{"run", "--port", "agent=none"}, "--port agent=none: " KINDS},
    {{"run", "--port", "agent=unix"}, "--port agent=unix: " KINDS},
    {{"run", "--port", "agent=unix:"}, "--port 'agent=unix:': the path after the colon is missing"},
    {{"run", "--port", "=pty"}, "--port =pty: " NAMES},
    {{"run", "--port", "../x=pty"}, "--port ../x=pty: " NAMES},
    {{"run", "--port", "a/b=pty"}, "--port a/b=pty: " NAMES},
    {{"run", "--port", "a b=pty"},
     "--port a b=pty: a port's name has no spaces or control characters"},
    {{"run", "--port", LONG "=pty"}, "--port " LONG "=pty: a port's name has at most 63 bytes"},
    {{"run", "--port", "a=pty", "--port", "a=unix:x"},
     "--port a=unix:x: there is a port 'a' already"},
    {{"run", "--console", "virtio,tty"},
     "--console virtio,tty: must be stdio, pty, file:PATH, unix:PATH or none, or virtio,KIND"},
    {{"run", "--console", "virtio:pty"},
     "--console virtio:pty: must be stdio, pty, file:PATH, unix:PATH or none, or virtio,KIND"},
};

START_TEST(a_refusal_says_what_would_be_right)
{
    struct options options;
    struct error error = {0};

    ck_assert(!parse(&options, &error, refusals[_i].arguments));
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_str_eq(error.message, refusals[_i].message);
}
END_TEST

START_TEST(there_are_so_many_ports)
{
    static char names[OPTIONS_MOST_PORTS + 1][32];
    char *arguments[OPTIONS_MOST_PORTS + 3] = {(char[]){"armlet"}, (char[]){"run"}};
    struct options options;
    struct error error = {0};

    for (int i = 0; i <= OPTIONS_MOST_PORTS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "--port=p%d=pty", i);
        arguments[i + 2] = names[i];
    }
    ck_assert(options_parse(OPTIONS_MOST_PORTS + 2, arguments, &options, &error));
    options_finish(&options);
    ck_assert(!options_parse(OPTIONS_MOST_PORTS + 3, arguments, &options, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "there are at most 14 ports"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("options_console");
    TCase *tests = tcase_create("console");

    tcase_add_test(tests, virtio_comes_before_the_kind);
    tcase_add_test(tests, the_parameters_of_the_operator_win);
    tcase_add_test(tests, ports_have_names);
    tcase_add_loop_test(tests, a_refusal_says_what_would_be_right, 0,
                        (int)(sizeof(refusals) / sizeof(refusals[0])));
    tcase_add_test(tests, there_are_so_many_ports);
    suite_add_tcase(suite, tests);
    return suite;
}
