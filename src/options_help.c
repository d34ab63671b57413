// SPDX-License-Identifier: Apache-2.0
#include "options.h"

/* Where the right column of --help begins, not counting the indent of two. */
enum { HELP_COLUMN = 28 };

#define OPTION_GROUP(heading)
#define OPTION_VALUE(letter, name, argument, padding, setter, field, wanted, help)                 \
    _Static_assert(sizeof(letter "--" name argument padding) - 1 == HELP_COLUMN, name);
#define OPTION_MAYBE OPTION_VALUE
#define OPTION_FLAG(letter, name, padding, setter, field, help)                                    \
    OPTION_VALUE(letter, name, "", padding, setter, field, "", help)
#define OPTION_NOTE(line)
#include "options_run.def"

#define OPTION_GROUP(heading)
#define OPTION_FLAG(letter, name, padding, setter, field, help)                                    \
    _Static_assert(sizeof(letter "--" name padding) - 1 == HELP_COLUMN, name);
#include "options_doctor.def"

#define OPTION_GROUP(heading)
#define OPTION_VALUE(letter, name, argument, padding, setter, field, wanted, help)                 \
    _Static_assert(sizeof(letter "--" name argument padding) - 1 == HELP_COLUMN, name);
#define OPTION_FLAG(letter, name, padding, setter, field, help)                                    \
    OPTION_VALUE(letter, name, "", padding, setter, field, "", help)
#define OPTION_NOTE(line)
#include "options_bench.def"

static const char armlet_help[] =
    "Usage: armlet COMMAND [OPTION]...\n"
    "A virtual machine monitor for KVM on arm64 Linux: one process, one machine.\n"
    "\n"
    "Commands:\n"
    "  run      boot a guest; with no kernel named, one that shows its machine\n"
    "  doctor   tell whether this host can run guests, and how well\n"
    "  bench    measure what leaving the guest costs on this host\n"
    "  help     explain a command: armlet help run\n"
    "\n"
    "Options:\n"
    "  -h, --help      this help; after a command, that command's\n"
    "  -V, --version   armlet's version\n"
    "\n"
    "Examples:\n"
    "  armlet run\n"
    "  armlet run -k Image -i initrd.img -a 'console=ttyAMA0 quiet' -c 4 -m 2G\n"
    "\n"
    "armlet(1) has the rest, the exit statuses too.\n";

#define OPTION_GROUP(heading) heading ":\n"
#define OPTION_VALUE(letter, name, argument, padding, setter, field, wanted, help)                 \
    "  " letter "--" name argument padding help "\n"
#define OPTION_MAYBE OPTION_VALUE
#define OPTION_FLAG(letter, name, padding, setter, field, help)                                    \
    "  " letter "--" name padding help "\n"
#define OPTION_NOTE(line) line "\n"

#define RUN_USAGE                                                                                  \
    "Usage: armlet run [OPTION]... [KERNEL]\n"                                                     \
    "Boots KERNEL or, without one, a guest that shows its machine.\n"

static const char run_help[] = RUN_USAGE
#define OPTIONS_FIRST
#include "options_run.def"
#undef OPTIONS_FIRST
    ;

#define OPTION_GROUP(heading) heading ":\n"
#define OPTION_VALUE(letter, name, argument, padding, setter, field, wanted, help)                 \
    "  " letter "--" name argument padding help "\n"
#define OPTION_MAYBE OPTION_VALUE
#define OPTION_FLAG(letter, name, padding, setter, field, help)                                    \
    "  " letter "--" name padding help "\n"
#define OPTION_NOTE(line) line "\n"

static const char run_help_all[] = RUN_USAGE
#include "options_run.def"
    ;

#define OPTION_GROUP(heading) heading ":\n"
#define OPTION_FLAG(letter, name, padding, setter, field, help)                                    \
    "  " letter "--" name padding help "\n"

static const char doctor_help[] = "Usage: armlet doctor [OPTION]...\n"
                                  "Tells whether this host can run guests, and how well.\n"
#include "options_doctor.def"
    ;

#define OPTION_GROUP(heading) heading ":\n"
#define OPTION_VALUE(letter, name, argument, padding, setter, field, wanted, help)                 \
    "  " letter "--" name argument padding help "\n"
#define OPTION_FLAG(letter, name, padding, setter, field, help)                                    \
    "  " letter "--" name padding help "\n"
#define OPTION_NOTE(line) line "\n"

static const char bench_help[] =
    "Usage: armlet bench [OPTION]...\n"
    "       armlet bench --compare FILE FILE\n"
    "Measures what leaving the guest costs, under armlet or another VMM.\n"
#include "options_bench.def"
    ;

const char *options_help(enum command command, bool all)
{
    switch (command) {
    case COMMAND_RUN:
        return all ? run_help_all : run_help;
    case COMMAND_DOCTOR:
        return doctor_help;
    case COMMAND_BENCH:
        return bench_help;
    case COMMAND_HELP:
    case COMMAND_VERSION:
        break;
    }
    return armlet_help;
}
