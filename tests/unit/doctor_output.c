// SPDX-License-Identifier: Apache-2.0
/* What the doctor prints: text, colours, JSON, the map; and the command as a whole. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "doctor_fixture.h"
#include "exit_status.h"
#include "memory_map.h"

enum { COLUMNS = 100 };

/* ---- the report ---- */

typedef void print_report(FILE *out);

static void print_plain(FILE *out)
{
    doctor_print_text(out, &fixture.report, false);
}

static void print_coloured(FILE *out)
{
    doctor_print_text(out, &fixture.report, true);
}

static void print_json(FILE *out)
{
    doctor_print_json(out, &fixture.report);
}

static const char *output_of(print_report *print)
{
    FILE *out = fmemopen(fixture.output, sizeof(fixture.output), "w");

    ck_assert_ptr_nonnull(out);
    print(out);
    ck_assert_int_eq(fclose(out), 0);
    return fixture.output;
}

static void assert_narrow(const char *text)
{
    for (; *text; text += strcspn(text, "\n") + 1)
        ck_assert_msg(strcspn(text, "\n") <= COLUMNS, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Nothing is as it should be, so that every hint is printed. */
static void examine_poor_host(void)
{
    fixture.kvm.device_types = 0;
    fixture.kvm.capability_count = 0;
    fixture.host.memory_lock.rlim_cur = 1;
    fixture.host.open_files.rlim_cur = 1;
    put("/proc/interrupts", TIMER("27"));
    put("/proc/cpuinfo", CPU("0", "0xf0", "0x001") CPU("1", "0xf0", "0x002")
                             CPU("2", "0xf0", "0x003") CPU("3", "0xf0", "0x004"));
    doctor_examine(&fixture.host, &fixture.report);
}

START_TEST(text_fits_and_ends_in_the_verdict)
{
    doctor_examine(&fixture.host, &fixture.report);
    assert_narrow(output_of(print_plain));
    assert_contains(fixture.output, "This host can run guests.\n");
    ck_assert_ptr_null(strchr(fixture.output, '\033'));
    fixture.host.open_files.rlim_cur = 1;
    doctor_examine(&fixture.host, &fixture.report);
    assert_contains(output_of(print_plain), "can run guests. See the 1 warning above.\n");
    examine_poor_host();
    assert_narrow(output_of(print_plain));
    assert_contains(fixture.output, "This host cannot run guests: its KVM has neither");
}
END_TEST

START_TEST(colours_are_put_and_taken_back)
{
    examine_poor_host();
    const char *text = output_of(print_coloured);
    assert_contains(text, "\033[31mfatal\033[0m");
    assert_contains(text, "\033[33mwarning\033[0m");
    assert_contains(text, "\033[32mok\033[0m");
}
END_TEST

START_TEST(colours_are_for_terminals)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    FILE *terminal = fopen(ptsname(master), "r+e");
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(terminal);
    ck_assert_ptr_nonnull(file);

    ck_assert_int_eq(setenv("TERM", "xterm", 1) | unsetenv("NO_COLOR"), 0);
    ck_assert(doctor_wants_colour(terminal));
    ck_assert(!doctor_wants_colour(file));
    ck_assert_int_eq(setenv("NO_COLOR", "1", 1), 0);
    ck_assert(!doctor_wants_colour(terminal));
    /* By the convention an empty one doesn't count. */
    ck_assert_int_eq(setenv("NO_COLOR", "", 1), 0);
    ck_assert(doctor_wants_colour(terminal));
    ck_assert_int_eq(setenv("TERM", "dumb", 1), 0);
    ck_assert(!doctor_wants_colour(terminal));
    ck_assert_int_eq(unsetenv("TERM"), 0);
    ck_assert(!doctor_wants_colour(terminal));
    (void)fclose(file);
    (void)fclose(terminal);
    (void)close(master);
}
END_TEST

/* ---- JSON ---- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \n");
}

static const char *skip_string(const char *at)
{
    ck_assert_int_eq(*at, '"');
    for (at++; *at != '"'; at++) {
        ck_assert_msg(*at >= ' ' && *at <= '~', "byte %d in a string", *at);
        if (*at == '\\')
            at++;
    }
    return at + 1;
}

/* Checks one value of JSON (RFC 8259) and returns what follows it. */
static const char *skip_value(const char *at)
{
    static const char *const words[] = {"true", "false", "null"};
    bool object = *at == '{';

    if (*at == '"')
        return skip_string(at);
    for (size_t i = 0; i < COUNT(words); i++)
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    if (!object && *at != '[') {
        size_t digits = strspn(at, "0123456789");
        ck_assert_msg(digits > 0, "no value: %.20s", at);
        return at + digits;
    }
    for (at = skip_blanks(at + 1);; at = skip_blanks(at + 1)) {
        if (object) {
            at = skip_string(at);
            ck_assert_int_eq(*at, ':');
            at = skip_blanks(at + 1);
        }
        at = skip_blanks(skip_value(at));
        if (*at != ',')
            break;
    }
    ck_assert_int_eq(*at, object ? '}' : ']');
    return at + 1;
}

static void assert_json(const char *text)
{
    ck_assert_int_eq(*text, '{');
    ck_assert_str_eq(skip_value(text), "\n");
}

START_TEST(json_is_json)
{
    doctor_examine(&fixture.host, &fixture.report);
    assert_json(output_of(print_json));
    assert_contains(fixture.output, "\"version\": 1,\n");
    assert_contains(fixture.output, "\"verdict\": {\"can_run\": true, \"reason\": null}");
    assert_contains(fixture.output, "{\"group\": \"host\", \"name\": \"architecture\", "
                                    "\"status\": \"ok\", \"value\": \"aarch64\", "
                                    "\"purpose\": null, \"hint\": null}");
    examine_poor_host();
    assert_json(output_of(print_json));
    assert_contains(fixture.output, "\"can_run\": false, \"reason\": \"its KVM");
}
END_TEST

START_TEST(json_takes_any_bytes)
{
    put("/sys/class/dmi/id/sys_vendor", "QEMU \"\\\t\x7f\xc3\xa9\n");
    doctor_examine(&fixture.host, &fixture.report);
    assert_json(output_of(print_json));
    assert_contains(fixture.output, "QEMU \\\"\\\\\\u0009\\u007f\\ufffd\\ufffd");
}
END_TEST

/* ---- the map, and the command ---- */

START_TEST(map_shows_every_region)
{
    char base[32];

    assert_narrow(output_of(doctor_print_map_text));
    for (int id = 0; id < REGION_COUNT; id++) {
        const struct region *region = memory_map_region((enum region_id)id);

        (void)snprintf(base, sizeof(base), "0x%08llx ", (unsigned long long)region->base.value);
        assert_contains(fixture.output, base);
        assert_contains(fixture.output, region->purpose);
    }
    assert_contains(fixture.output, "48-111   80-143  gicv2m");
    assert_contains(fixture.output, "27  virtual-timer");
    assert_contains(fixture.output, "     33  level    pl011         PL011 UART");
    assert_contains(fixture.output, "  48-79  edge     virtio-*      virtio devices");
    assert_contains(fixture.output, "    148  level    timer-mmio    memory-mapped");
    assert_contains(fixture.output, "152-159  its own  (a plugin's)  devices of plugins");
    assert_json(output_of(doctor_print_map_json));
    assert_contains(fixture.output, "{\"name\": \"uart\", \"purpose\": \"PL011 UART\", \"base\": "
                                    "\"0x09000000\", \"size_bytes\": 4096, \"spi\": 1, "
                                    "\"intid\": 33, \"spi_count\": 1}");
    assert_contains(fixture.output, "{\"spi\": 116, \"intid\": 148, \"region\": \"timer-mmio\", "
                                    "\"device\": \"timer-mmio\", \"trigger\": \"level\"}");
    assert_contains(fixture.output, "{\"spi\": 127, \"intid\": 159, \"region\": \"devices\", "
                                    "\"device\": null, \"trigger\": null}");
    assert_contains(fixture.output, "\"name\": \"ram\", \"purpose\": \"RAM\", \"base\": "
                                    "\"0x40000000\", \"size_bytes\": null");
}
END_TEST

/* Runs the command on this machine, with its output in fixture.output. Its process is its own. */
static int run_doctor(bool map, bool json, struct error *error)
{
    struct options options = {.command = COMMAND_DOCTOR, .map = map, .json = json};
    FILE *out = tmpfile();

    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(fflush(stdout), 0);
    int saved = dup(STDOUT_FILENO);
    ck_assert_int_ge(dup2(fileno(out), STDOUT_FILENO), 0);
    int status = doctor(&options, error);
    ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
    (void)close(saved);
    rewind(out);
    size_t length = fread(fixture.output, 1, sizeof(fixture.output) - 1, out);
    fixture.output[length] = '\0';
    (void)fclose(out);
    return status;
}

START_TEST(exit_status_is_the_verdict)
{
    struct error error = {0};

    int status = run_doctor(false, false, &error);
    bool can_run = strstr(fixture.output, "This host can run guests.") != NULL;
    ck_assert_int_eq(status, can_run ? EXIT_STATUS_OK : EXIT_STATUS_HOST);
    ck_assert_int_eq(run_doctor(false, true, &error), status);
    assert_json(fixture.output);
    fake_kvm_install(NULL);
    ck_assert_int_eq(run_doctor(false, false, &error), EXIT_STATUS_HOST);
    assert_contains(fixture.output, "cannot run guests: ");
    ck_assert_int_eq(run_doctor(true, false, &error), EXIT_STATUS_OK);
    assert_contains(fixture.output, "0x08000000");
    ck_assert_int_eq(run_doctor(true, true, &error), EXIT_STATUS_OK);
    assert_json(fixture.output);
    ck_assert_int_eq(error.code, ERROR_NONE);
}
END_TEST

START_TEST(output_that_fails_is_an_error)
{
    struct options options = {.command = COMMAND_DOCTOR, .map = true};
    struct error error = {0};
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(full, 0);
    ck_assert_int_eq(fflush(stdout), 0);
    int saved = dup(STDOUT_FILENO);
    ck_assert_int_ge(dup2(full, STDOUT_FILENO), 0);
    int status = doctor(&options, &error);
    ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
    clearerr(stdout);
    (void)close(saved);
    (void)close(full);
    ck_assert_int_eq(status, EXIT_STATUS_HOST);
    assert_contains(error.message, "standard output");
}
END_TEST

void doctor_add_output_tests(TCase *tests)
{
    tcase_add_test(tests, text_fits_and_ends_in_the_verdict);
    tcase_add_test(tests, colours_are_put_and_taken_back);
    tcase_add_test(tests, colours_are_for_terminals);
    tcase_add_test(tests, json_is_json);
    tcase_add_test(tests, json_takes_any_bytes);
    tcase_add_test(tests, map_shows_every_region);
    tcase_add_test(tests, exit_status_is_the_verdict);
    tcase_add_test(tests, output_that_fails_is_an_error);
}
