// SPDX-License-Identifier: Apache-2.0
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "options_internal.h"
#include "parse_options.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MIB             (UINT64_C(1) << 20)
#define GIB             (UINT64_C(1) << 30)
#define SECOND_NS       UINT64_C(1000000000)

START_TEST(defaults_are_a_small_machine)
{
    struct options options;

    ASSERT_PARSES(&options, "run");
    ck_assert_int_eq(options.command, COMMAND_RUN);
    ck_assert_ptr_null(options.kernel_path);
    ck_assert_ptr_null(options.initrd_path);
    ck_assert_str_eq(options.append, "");
    ck_assert_uint_eq(options.vcpu_count, 1);
    ck_assert_uint_eq(options.memory_bytes, 512 * MIB);
    ck_assert_int_eq(options.gic, GIC_AUTO);
    ck_assert_int_eq(options.its, FEATURE_AUTO);
    ck_assert_int_eq(options.pmu, FEATURE_AUTO);
    ck_assert_int_eq(options.console.kind, CONSOLE_STDIO);
    ck_assert_int_eq(options.backing, BACKING_DEFAULT);
    ck_assert_ptr_null(options.pin_cpus);
    ck_assert_uint_eq(options.timeout_ns, 0);
    ck_assert_uint_eq(options.shutdown_timeout_ns, 30 * SECOND_NS);
    ck_assert(!options.no_reboot && !options.dry_run && !options.quiet && !options.verbose);
    options_finish(&options);
}
END_TEST

START_TEST(boot_options_in_every_spelling)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "--kernel=Image", "--initrd", "initrd.img", "-a", "quiet",
                  "--append=console=ttyAMA0", "-aro", "--dtb=a.dtb", "--dump-dtb", "b.dtb");
    ck_assert_str_eq(options.kernel_path, "Image");
    ck_assert_str_eq(options.initrd_path, "initrd.img");
    ck_assert_str_eq(options.append, "quiet console=ttyAMA0 ro");
    ck_assert_str_eq(options.dtb_path, "a.dtb");
    ck_assert_str_eq(options.dump_dtb_path, "b.dtb");
    options_finish(&options);

    ASSERT_PARSES(&options, "-kImage", "-i", "initrd.img", "--dtbo", "1.dtbo", "--dtbo=2.dtbo",
                  "-qc4");
    ck_assert_int_eq(options.command, COMMAND_RUN);
    ck_assert_str_eq(options.kernel_path, "Image");
    ck_assert_uint_eq(options.overlay_count, 2);
    ck_assert_str_eq(options.overlay_paths[0], "1.dtbo");
    ck_assert_str_eq(options.overlay_paths[1], "2.dtbo");
    ck_assert(options.quiet);
    ck_assert_uint_eq(options.vcpu_count, 4);
    options_finish(&options);
}
END_TEST

START_TEST(append_may_be_empty)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "--append", "", "-a", "a", "--append=", "-a", "b");
    ck_assert_str_eq(options.append, "a b");
    options_finish(&options);
}
END_TEST

START_TEST(one_argument_is_the_kernel)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "-c2", "Image", "--quiet");
    ck_assert_str_eq(options.kernel_path, "Image");
    ck_assert_uint_eq(options.vcpu_count, 2);
    ck_assert(options.quiet);
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--", "--kernel");
    ck_assert_str_eq(options.kernel_path, "--kernel");
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--", "@Image");
    ck_assert_str_eq(options.kernel_path, "@Image");
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "-");
    ck_assert_str_eq(options.kernel_path, "-");
    options_finish(&options);
}
END_TEST

START_TEST(the_last_value_wins)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "-c", "2", "--cpus=3", "-m1G", "-m", "2G", "--console=file:log",
                  "--console=pty", "--pin=1", "--pin=2,3");
    ck_assert_uint_eq(options.vcpu_count, 3);
    ck_assert_uint_eq(options.memory_bytes, 2 * GIB);
    ck_assert_int_eq(options.console.kind, CONSOLE_PTY);
    ck_assert_ptr_null(options.console.path);
    ck_assert_uint_eq(options.pin_count, 2);
    ck_assert_int_eq(options.pin_cpus[1], 3);
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--memory-backing=hugetlb:2M", "--memory-backing", "file:ram");
    ck_assert_int_eq(options.backing, BACKING_SHARED_FILE);
    ck_assert_str_eq(options.memory_path, "ram");
    ck_assert_uint_eq(options.huge_page_bytes, 0);
    options_finish(&options);
}
END_TEST

START_TEST(machine_options)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "--gic=3", "--its", "on", "--cpus=512", "--prefault",
                  "--lock-memory", "--no-reboot", "--dry-run", "-v", "--timeout=90",
                  "--shutdown-timeout=500ms");
    ck_assert_int_eq(options.gic, GIC_V3);
    ck_assert_int_eq(options.its, FEATURE_ON);
    ck_assert_uint_eq(options.vcpu_count, MAX_VCPUS);
    ck_assert(options.prefault && options.locked && options.no_reboot && options.dry_run);
    ck_assert(options.verbose && !options.quiet);
    ck_assert_uint_eq(options.timeout_ns, 90 * SECOND_NS);
    ck_assert_uint_eq(options.shutdown_timeout_ns, SECOND_NS / 2);
    ck_assert(!options.slow_console);
    ck_assert_int_eq(options.hypercalls, FEATURE_OFF);
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--fast-console=off", "--hypercalls=on");
    ck_assert(options.slow_console);
    ck_assert_int_eq(options.hypercalls, FEATURE_ON);
    options_finish(&options);
    ASSERT_PARSES(&options, "run", "--fast-console=off", "--fast-console", "on");
    ck_assert(!options.slow_console);
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--gic=2", "--its=off");
    ck_assert_int_eq(options.gic, GIC_V2);
    ck_assert_int_eq(options.its, FEATURE_OFF);
    ck_assert_int_eq(options.msi, MSI_AUTO);
    ck_assert_int_eq(options.watchdog, WATCHDOG_NONE);
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--irqchip=user", "--gic=2", "-c", "8");
    ck_assert_int_eq(options.irqchip, IRQCHIP_USER);
    options_finish(&options);
    ASSERT_PARSES(&options, "run", "--irqchip=user", "--irqchip=kernel", "-c", "9");
    ck_assert_int_eq(options.irqchip, IRQCHIP_KERNEL);
    ck_assert_int_eq(options.irq_delivery, IRQ_DELIVERY_LINE);
    ASSERT_PARSES(&options, "run", "--irq-delivery", "irqfd");
    ck_assert_int_eq(options.irq_delivery, IRQ_DELIVERY_IRQFD);
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--gic=3", "--gic=auto", "--its=on", "--its=auto",
                  "--msi=gicv2m", "--msi=off", "--watchdog=reset", "--watchdog", "exit");
    ck_assert_int_eq(options.msi, MSI_OFF);
    ck_assert_int_eq(options.watchdog, WATCHDOG_EXIT);
    ck_assert_int_eq(options.gic, GIC_AUTO);
    ck_assert_int_eq(options.its, FEATURE_AUTO);
    options_finish(&options);
}
END_TEST

START_TEST(cpu_features)
{
    struct options options;

    ASSERT_PARSES(&options, "run", "--cpu", "pmu=off,sve=on,pauth=auto,aarch32=on", "--cpu=+mte",
                  "--cpu", "-steal-time");
    ck_assert_int_eq(options.pmu, FEATURE_OFF);
    ck_assert_int_eq(options.sve, FEATURE_ON);
    ck_assert_int_eq(options.pauth, FEATURE_AUTO);
    ck_assert_int_eq(options.mte, FEATURE_ON);
    ck_assert_int_eq(options.aarch32_el1, FEATURE_ON);
    ck_assert_int_eq(options.steal_time, FEATURE_OFF);
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--cpu=+sve,-pmu,sve=auto");
    ck_assert_int_eq(options.sve, FEATURE_AUTO);
    ck_assert_int_eq(options.pmu, FEATURE_OFF);
    options_finish(&options);
}
END_TEST

START_TEST(consoles_and_backings)
{
    static const struct {
        const char *value;
        enum console_kind console;
        const char *path;
    } consoles[] = {
        {"stdio", CONSOLE_STDIO, NULL},
        {"pty", CONSOLE_PTY, NULL},
        {"none", CONSOLE_NONE, NULL},
        {"file:log:1", CONSOLE_FILE, "log:1"},
        {"unix:/run/c", CONSOLE_UNIX, "/run/c"},
    };
    static const struct {
        const char *value;
        enum memory_backing backing;
        uint64_t huge_page_bytes;
    } backings[] = {
        {"default", BACKING_DEFAULT, 0},           {"thp", BACKING_TRANSPARENT, 0},
        {"hugetlb", BACKING_HUGETLB, 0},           {"hugetlb:64K", BACKING_HUGETLB, 65536},
        {"hugetlb:32", BACKING_HUGETLB, 32 * MIB},
    };
    struct options options;

    for (size_t i = 0; i < COUNT_OF(consoles); i++) {
        ASSERT_PARSES(&options, "run", "--console", consoles[i].value);
        ck_assert_int_eq(options.console.kind, consoles[i].console);
        ck_assert_pstr_eq(options.console.path, consoles[i].path);
        options_finish(&options);
    }
    for (size_t i = 0; i < COUNT_OF(backings); i++) {
        ASSERT_PARSES(&options, "run", "--memory-backing", backings[i].value);
        ck_assert_int_eq(options.backing, backings[i].backing);
        ck_assert_uint_eq(options.huge_page_bytes, backings[i].huge_page_bytes);
        ck_assert_ptr_null(options.memory_path);
        options_finish(&options);
    }
}
END_TEST

START_TEST(commands_and_help)
{
    static const struct {
        const char *arguments[4];
        enum command command;
        enum command help_for;
    } cases[] = {
        {{"--help"}, COMMAND_HELP, COMMAND_HELP},
        {{"-h"}, COMMAND_HELP, COMMAND_HELP},
        {{"help"}, COMMAND_HELP, COMMAND_HELP},
        {{"help", "run"}, COMMAND_HELP, COMMAND_RUN},
        {{"help", "doctor"}, COMMAND_HELP, COMMAND_DOCTOR},
        {{"help", "bench"}, COMMAND_HELP, COMMAND_BENCH},
        {{"help", "help"}, COMMAND_HELP, COMMAND_HELP},
        {{"run", "--help", "--nonsense"}, COMMAND_HELP, COMMAND_RUN},
        {{"run", "-qh", "--nonsense"}, COMMAND_HELP, COMMAND_RUN},
        {{"-q", "-v", "-h"}, COMMAND_HELP, COMMAND_RUN},
        {{"doctor", "-h"}, COMMAND_HELP, COMMAND_DOCTOR},
        {{"--version"}, COMMAND_VERSION, COMMAND_RUN},
        {{"-V"}, COMMAND_VERSION, COMMAND_RUN},
        {{"doctor", "--version"}, COMMAND_VERSION, COMMAND_DOCTOR},
    };
    struct options options;
    struct error error;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_msg(parse(&options, &error, cases[i].arguments), "%s", error.message);
        ck_assert_int_eq(options.command, cases[i].command);
        ck_assert_int_eq(options.help_for, cases[i].help_for);
        options_finish(&options);
    }
    ASSERT_PARSES(&options, "run", "--help-all", "--nonsense");
    ck_assert_int_eq(options.command, COMMAND_HELP);
    ck_assert_int_eq(options.help_for, COMMAND_RUN);
    ck_assert(options.help_all);
    options_finish(&options);
    ASSERT_PARSES(&options, "doctor", "--json", "--map");
    ck_assert_int_eq(options.command, COMMAND_DOCTOR);
    ck_assert(options.json && options.map);
    options_finish(&options);
}
END_TEST

struct refusal {
    const char *arguments[6];
    const char *message;
};

static const struct refusal refusals[] = {
    {{NULL}, "no command: 'armlet run' boots a guest, 'armlet --help' tells more"},
    {{"rnu"}, "unknown command 'rnu': did you mean 'run'?"},
    {{"Image"},
     "unknown command 'Image': 'armlet run FILE' boots a file, 'armlet --help' tells more"},
    {{"help", "docter"}, "unknown command 'docter': did you mean 'doctor'?"},
    {{"run", "--memroy", "1G"}, "unknown option '--memroy': did you mean '--memory'?"},
    {{"run", "--mem=1G"}, "unknown option '--mem': did you mean '--memory'?"},
    {{"run", "--KERNEL=x"}, "unknown option '--KERNEL': did you mean '--kernel'?"},
    {{"run", "--frobnicate"}, "unknown option '--frobnicate': see 'armlet run --help'"},
    {{"--verison"}, "unknown option '--verison': did you mean '--version'?"},
    {{"run", "-kernel", "Image"}, "unknown option '-kernel': did you mean '--kernel'?"},
    {{"run", "-append=x"}, "unknown option '-append': did you mean '--append'?"},
    {{"run", "-qz"}, "unknown option '-z': see 'armlet run --help'"},
    {{"run", "--=x"}, "unknown option '--': see 'armlet run --help'"},
    {{"doctor", "--jsno"}, "unknown option '--jsno': did you mean '--json'?"},
    {{"doctor", "-z"}, "unknown option '-z': see 'armlet doctor --help'"},
    {{"doctor", "now"}, "unexpected 'now': 'armlet doctor' takes only options"},
    {{"doctor", "@file"}, "unexpected '@file': 'armlet doctor' takes only options"},

    {{"run", "--kernel"}, "--kernel needs a value: the kernel's file"},
    {{"run", "-k"}, "--kernel needs a value: the kernel's file"},
    {{"run", "--kernel="}, "--kernel needs a value: the kernel's file"},
    {{"run", "--kernel", "--memory", "1G"}, "--kernel needs a value: the kernel's file"},
    {{"run", "-k", "--memory=1G"}, "--kernel needs a value: the kernel's file"},
    {{"run", "--append"}, "--append needs a value: kernel parameters"},
    {{"run", "@"}, "--config needs a value: an options file"},
    {{"run", "--quiet=yes"}, "--quiet takes no value"},
    {{"run", "a", "b"}, "unexpected 'b': the kernel is 'a', and its parameters go into --append"},
    {{"run", "-k", "a", "b"}, "unexpected 'b': --kernel gives 'a' already"},
    {{"run", ""}, "an empty argument is no kernel's file"},

    {{"run", "--memory", "10X"}, "--memory 10X: not a size: write it like 512M or 2G"},
    {{"run", "-m8M"}, "--memory 8M: must be at least 16M"},
    {{"run", "-m", "8192T"}, "--memory 8192T: must be at most 4096T"},
    {{"run", "-m", "99999999T"}, "--memory 99999999T: too large for a size"},
    {{"run", "-m", "513M"},
     "--memory 513M: must be a multiple of 2M: the nearest are 512M and 514M"},
    {{"run", "-m", "1025M"},
     "--memory 1025M: must be a multiple of 2M: the nearest are 1G and 1026M"},
    {{"run", "--cpus", "0"}, "--cpus 0: must be 1 to 512"},
    {{"run", "--cpus", "513"}, "--cpus 513: must be 1 to 512"},
    {{"run", "-c", "-1"}, "--cpus -1: not a number: must be 1 to 512"},
    {{"run", "-c=4"}, "--cpus =4: not a number: must be 1 to 512"},
    {{"run", "--cpus", "99999999999999999999"}, "--cpus 99999999999999999999: must be 1 to 512"},
    {{"run", "--gic", "4"}, "--gic 4: must be auto, 2 or 3"},
    {{"run", "--fast-console", "auto"}, "--fast-console auto: must be on or off"},
    {{"run", "--hypercalls", "yes"}, "--hypercalls yes: must be auto, on or off"},
    {{"run", "--its", "yes"}, "--its yes: must be auto, on or off"},
    {{"run", "--msi", "its"}, "--msi its: must be auto, off or gicv2m"},
    {{"run", "--watchdog", "bite"}, "--watchdog bite: must be reset or exit"},
    {{"run", "--console", "stdoi"},
     "--console stdoi: must be stdio, pty, file:PATH, unix:PATH or none, or virtio,KIND"},
    {{"run", "--console", "file"},
     "--console file: must be stdio, pty, file:PATH, unix:PATH or none, or virtio,KIND"},
    {{"run", "--console", "file:"}, "--console 'file:': the path after the colon is missing"},
    {{"run", "--console", "unix:"}, "--console 'unix:': the path after the colon is missing"},
    {{"run", "--console", "pty:"},
     "--console 'pty:': must be stdio, pty, file:PATH, unix:PATH or none, or virtio,KIND"},
    {{"run", "--console="},
     "--console needs a value: stdio, pty, file:PATH, unix:PATH or none, or virtio,KIND"},
    {{"run", "--console", "pty:0"},
     "--console pty:0: must be stdio, pty, file:PATH, unix:PATH or none, or virtio,KIND"},
    {{"run", "--memory-backing", "huge"},
     "--memory-backing huge: must be default, thp, hugetlb[:SIZE] or file:PATH"},
    {{"run", "--memory-backing", "file"},
     "--memory-backing file: must be default, thp, hugetlb[:SIZE] or file:PATH"},
    {{"run", "--memory-backing", "file:"},
     "--memory-backing 'file:': the path after the colon is missing"},
    {{"run", "--memory-backing", "hugetlb:"},
     "--memory-backing 'hugetlb:': the size after the colon is missing"},
    {{"run", "--memory-backing", "hugetlb:x"},
     "--memory-backing hugetlb:x: not a size: write it like 512M or 2G"},
    {{"run", "--memory-backing", "hugetlb:3M"},
     "--memory-backing hugetlb:3M: no size of a huge page: they are powers of two, like 2M or "
     "1G"},
    {{"run", "--memory-backing", "hugetlb:0"},
     "--memory-backing hugetlb:0: no size of a huge page: they are powers of two, like 2M or 1G"},
    {{"run", "--cpu", "svee=on"}, "--cpu svee=on: unknown CPU feature 'svee': did you mean 'sve'?"},
    {{"run", "--cpu", "avx512"},
     "--cpu avx512: unknown CPU feature 'avx512': there are pmu, sve, pauth, mte, aarch32 and "
     "steal-time"},
    {{"run", "--cpu", "pmu"}, "--cpu pmu: write pmu=on, pmu=off or pmu=auto"},
    {{"run", "--cpu", "pmu=maybe"}, "--cpu pmu=maybe: write pmu=on, pmu=off or pmu=auto"},
    {{"run", "--cpu", "+pmu=on"},
     "--cpu +pmu=on: unknown CPU feature 'pmu=on': there are pmu, sve, pauth, mte, aarch32 and "
     "steal-time"},
    {{"run", "--cpu", "pmu=on,"},
     "--cpu pmu=on,: unknown CPU feature '': there are pmu, sve, pauth, mte, aarch32 and "
     "steal-time"},
    {{"run", "--pin", "0,a"}, "--pin 0,a: not a list of CPUs: write it like 0,2-5"},
    {{"run", "--pin", "5-2"}, "--pin 5-2: a range runs upwards: write 2-5"},
    {{"run", "--timeout", "soon"},
     "--timeout soon: not a time: write it like 30s, 500ms, 2m or 1h"},
    {{"run", "-q", "-v"}, "--quiet and --verbose exclude each other"},
    {{"run", "--irqchip=user", "--gic=3"},
     "--irqchip user is a GICv2, and --gic 3 asks for a GICv3"},
    {{"run", "--irqchip=user", "--its=on"},
     "--irqchip user is a GICv2, and --its on needs a GICv3"},
    {{"run", "--irqchip=user", "-c9"}, "--irqchip user is a GICv2, for 8 vCPUs at most, not 9"},
    {{"run", "--irqchip=user", "--irq-delivery=irqfd"},
     "--irq-delivery irqfd is for the kernel's GIC, and --irqchip user is another"},
    {{"run", "--irq-delivery=msi"}, "--irq-delivery msi: must be line or irqfd"},
    {{"run", "--irqchip=host"}, "--irqchip host: must be kernel or user"},
    {{"run", "--gic=2", "--its=on"}, "--its on needs a GICv3, and --gic 2 asks for a GICv2"},
    {{"run", "--memory-backing=hugetlb:1G"},
     "--memory 512M is no multiple of the huge page of 1G that --memory-backing asks for"},
};

START_TEST(a_refusal_says_what_would_be_right)
{
    const struct refusal *refusal = &refusals[_i];
    struct options options;
    struct error error;

    ck_assert(!parse(&options, &error, refusal->arguments));
    ck_assert_str_eq(error.message, refusal->message);
    ck_assert_int_eq(error.code, ERROR_USAGE);
    ck_assert_ptr_null(options.owned);
    ck_assert_ptr_null(options.append_memory);
    options_finish(&options);
}
END_TEST

START_TEST(a_message_is_one_short_line)
{
    char lengthy[2000];
    struct options options;
    struct error error;

    memset(lengthy, 'x', sizeof(lengthy) - 1);
    lengthy[sizeof(lengthy) - 1] = '\0';
    ck_assert(!PARSE(&options, &error, "run", "-m", lengthy));
    ck_assert_ptr_nonnull(strstr(error.message, "xxx...: not a size: write it like"));

    lengthy[0] = lengthy[1] = '-';
    ck_assert(!PARSE(&options, &error, "run", lengthy));
    ck_assert_ptr_nonnull(strstr(error.message, "xxx...': see"));

    ck_assert(!PARSE(&options, &error, "run", "-m", "1\n2\x7f"));
    ck_assert_str_eq(error.message, "--memory 1?2?: not a size: write it like 512M or 2G");
}
END_TEST

START_TEST(nothing_is_parsed_without_argv)
{
    char *argv[] = {NULL};
    struct options options;
    struct error error;

    ck_assert(!options_parse(0, argv, &options, &error));
    ck_assert_int_eq(error.code, ERROR_USAGE);
}
END_TEST

START_TEST(insight_options)
{
    struct options options;
    struct error error;

    ASSERT_PARSES(&options, "run", "--stats", "--latency", "kernel");
    ck_assert_int_eq(options.stats, STATS_TEXT);
    ck_assert_ptr_null(options.stats_path);
    ck_assert(options.latency && !options.latency_path && !options.explain);
    ck_assert_str_eq(options.kernel_path, "kernel"); /* and no value of --latency */
    options_finish(&options);

    ASSERT_PARSES(&options, "run", "--stats=json", "--stats-file", "s.json", "--latency=l.svg",
                  "--explain");
    ck_assert_int_eq(options.stats, STATS_JSON);
    ck_assert_str_eq(options.stats_path, "s.json");
    ck_assert_str_eq(options.latency_path, "l.svg");
    ck_assert(options.latency && options.explain);
    options_finish(&options);

    ck_assert(!PARSE(&options, &error, "run", "--stats=yaml"));
    ck_assert_str_eq(error.message, "--stats yaml: must be text or json");
    ck_assert(!PARSE(&options, &error, "run", "--latency="));
    ck_assert_str_eq(error.message, "--latency needs a value: the picture's file, as latency.svg");
}
END_TEST

START_TEST(finish_accepts_zeroed_and_finished_options)
{
    struct options options;

    memset(&options, 0, sizeof(options));
    options_finish(&options);
    ASSERT_PARSES(&options, "run", "-a", "x", "--pin", "1", "--dtbo", "x");
    options_finish(&options);
    ck_assert_ptr_null(options.pin_cpus);
    options_finish(&options);
}
END_TEST

/* The number of lines, none of which is too wide. */
static unsigned count_lines(const char *help)
{
    unsigned lines = 0;

    for (const char *line = help; *line != '\0'; lines++) {
        size_t width = strcspn(line, "\n");

        ck_assert_uint_le(width, 80);
        line += width + 1;
    }
    return lines;
}

START_TEST(help_fits_a_screen_and_help_all_has_every_option)
{
    static const enum command commands[] = {COMMAND_RUN, COMMAND_DOCTOR, COMMAND_BENCH};

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const char *help = options_help(commands[i], true);
        size_t count = 0;
        const struct option_row *rows = options_rows(commands[i], &count);
        for (size_t row = 0; row < count; row++) {
            char shown[64];
            (void)snprintf(shown, sizeof(shown), "  %s--%s%s", rows[row].letter, rows[row].name,
                           rows[row].optional ? "[=" : " ");
            ck_assert_msg(strstr(help, shown) != NULL, "%s", shown);
        }
        (void)count_lines(help);
        ck_assert_uint_le(count_lines(options_help(commands[i], false)), 40);
    }
    ck_assert_ptr_nonnull(strstr(options_help(COMMAND_RUN, false), "--kernel FILE"));
    ck_assert_ptr_null(strstr(options_help(COMMAND_RUN, false), "--pin"));
    ck_assert_ptr_nonnull(strstr(options_help(COMMAND_HELP, false), "Usage: armlet COMMAND"));
    ck_assert_ptr_eq(options_help(COMMAND_VERSION, false), options_help(COMMAND_HELP, true));
}
END_TEST

START_TEST(no_two_options_share_a_name)
{
    size_t count = 0;
    const struct option_row *rows = options_rows(COMMAND_RUN, &count);

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(rows[i].name, rows[j].name);
            ck_assert(rows[i].letter[0] == ' ' || rows[i].letter[1] != rows[j].letter[1]);
        }
    }
}
END_TEST

Suite *unit_suite(void);

Suite *unit_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *lines = tcase_create("options");

    tcase_add_test(lines, defaults_are_a_small_machine);
    tcase_add_test(lines, boot_options_in_every_spelling);
    tcase_add_test(lines, append_may_be_empty);
    tcase_add_test(lines, one_argument_is_the_kernel);
    tcase_add_test(lines, the_last_value_wins);
    tcase_add_test(lines, machine_options);
    tcase_add_test(lines, cpu_features);
    tcase_add_test(lines, consoles_and_backings);
    tcase_add_test(lines, commands_and_help);
    tcase_add_loop_test(lines, a_refusal_says_what_would_be_right, 0, COUNT_OF(refusals));
    tcase_add_test(lines, a_message_is_one_short_line);
    tcase_add_test(lines, nothing_is_parsed_without_argv);
    tcase_add_test(lines, insight_options);
    tcase_add_test(lines, finish_accepts_zeroed_and_finished_options);
    tcase_add_test(lines, help_fits_a_screen_and_help_all_has_every_option);
    tcase_add_test(lines, no_two_options_share_a_name);
    suite_add_tcase(suite, lines);
    return suite;
}
