// SPDX-License-Identifier: Apache-2.0
/*
 * The program: options in, exit status out. The only file that prints errors and ends the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "armlet/error.h"
#include "armlet/log.h"
#include "bench/bench.h"
#include "doctor.h"
#include "exit_status.h"
#include "guest_command.h"
#include "machine.h"
#include "options.h"
#include "plugin_loader.h"

static int finish(const struct options *options, const struct machine_result *result)
{
    if (result->outcome == MACHINE_RESET && !options->quiet)
        (void)fputs("armlet: the guest asked for a reset (--no-reboot)\n", stderr);
    return exit_status_of_result(result);
}

/* Whoever asks for statistics too early (SIGUSR1) gets them once there are some. */
static void hold_questions(void)
{
    sigset_t questions;

    (void)sigemptyset(&questions);
    (void)sigaddset(&questions, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &questions, NULL);
}

static int launch(const struct options *options, struct log *log, struct machine_result *result,
                  struct error *error)
{
    struct machine *machine = machine_create(options, log, error);

    if (!machine)
        return exit_status_of_error(error->code);
    bool good =
        options->dry_run ? machine_print_plan(machine, error) : machine_run(machine, result, error);
    machine_destroy(machine);
    return good ? EXIT_STATUS_OK : exit_status_of_error(error->code);
}

/* --run: the status is the command's, and armlet's own failures have one that is told apart. */
static int run_command(struct options *options, struct log *log, struct error *error)
{
    struct machine_result result = {.outcome = MACHINE_POWERED_OFF};
    struct guest_command command;
    int status = EXIT_STATUS_RUN_FAILED;

    if (guest_command_prepare(&command, options, error) &&
        launch(options, log, &result, error) == EXIT_STATUS_OK) {
        if (options->dry_run)
            status = EXIT_STATUS_OK;
        else if (result.outcome == MACHINE_TIMED_OUT)
            status = EXIT_STATUS_RUN_TIMEOUT;
        else if (result.outcome == MACHINE_SIGNALLED)
            status = exit_status_of_result(&result);
        else if (!guest_command_status(&command, &status, error))
            status = EXIT_STATUS_RUN_FAILED;
    }
    guest_command_finish(&command);
    return status;
}

static int run(struct options *options, char *const argv[], struct error *error)
{
    struct log log = {
        .fd = STDERR_FILENO,
        .threshold = options->quiet     ? LOG_ERROR
                     : options->verbose ? LOG_DEBUG
                                        : LOG_INFO,
    };
    struct machine_result result = {.outcome = MACHINE_POWERED_OFF};

    hold_questions();
    if (options->plugins.count > 0 && !plugin_loader_prepare(argv, error))
        return exit_status_of_error(error->code);
    if (options->list_devices)
        return machine_print_devices(options, &log, error) ? EXIT_STATUS_OK
                                                           : exit_status_of_error(error->code);
    if (options->run_command)
        return run_command(options, &log, error);
    int status = launch(options, &log, &result, error);
    return status == EXIT_STATUS_OK ? finish(options, &result) : status;
}

static int print(const char *text, struct error *error)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
        return EXIT_STATUS_OK;
    (void)error_set(error, ERROR_HOST, errno, "cannot write to standard output");
    return exit_status_of_error(error->code);
}

static int dispatch(struct options *options, char *const argv[], struct error *error)
{
    switch (options->command) {
    case COMMAND_RUN:
        return run(options, argv, error);
    case COMMAND_DOCTOR:
        return doctor(options, error);
    case COMMAND_BENCH:
        return bench(options, error);
    case COMMAND_HELP:
        return print(options_help(options->help_for, options->help_all), error);
    case COMMAND_VERSION:
        return print("armlet " ARMLET_VERSION "\n", error);
    }
    (void)error_set(error, ERROR_INTERNAL, 0, "unknown command");
    return exit_status_of_error(error->code);
}

/* A standard file that is closed would be the next one opened: /dev/kvm, say. */
static bool reserve_standard_files(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd >= 0 && close(fd) == 0;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct error error = {0};
    int status;

    if (!reserve_standard_files())
        return exit_status_of_error(ERROR_HOST);
    if (options_parse(argc, argv, &options, &error))
        status = dispatch(&options, argv, &error);
    else
        status = exit_status_of_error(error.code);
    if (error.code != ERROR_NONE)
        (void)fprintf(stderr, "armlet: %s\n", error.message);
    options_finish(&options);
    return status;
}
