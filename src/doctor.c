// SPDX-License-Identifier: Apache-2.0
#include "doctor.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor_internal.h"
#include "exit_status.h"

struct check *report_add(struct report *report, const char *group, const char *name,
                         enum check_status status, const char *format, ...)
{
    va_list arguments;

    assert(report->count < CHECKS_MAX);
    struct check *check = &report->checks[report->count++];
    *check = (struct check){.group = group, .status = status};
    (void)snprintf(check->name, sizeof(check->name), "%s", name);
    va_start(arguments, format);
    (void)vsnprintf(check->value, sizeof(check->value), format, arguments);
    va_end(arguments);
    return check;
}

void check_hint(struct check *check, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(check->hint, sizeof(check->hint), format, arguments);
    va_end(arguments);
}

void report_fail(struct report *report, struct check *check, const char *format, ...)
{
    va_list arguments;

    check->status = CHECK_FATAL;
    if (!report_can_run(report))
        return;
    va_start(arguments, format);
    (void)vsnprintf(report->reason, sizeof(report->reason), format, arguments);
    va_end(arguments);
}

bool report_can_run(const struct report *report)
{
    return report->reason[0] == '\0';
}

void doctor_examine(const struct doctor_host *host, struct report *report)
{
    report->count = 0;
    report->reason[0] = '\0';
    doctor_check_host(host, report);
    doctor_check_network(host, report);
    doctor_check_kvm(host, report);
    doctor_check_memory(host, report);
    doctor_check_limits(host, report);
}

static int try_uring(void)
{
    struct io_uring ring;
    int code = -io_uring_queue_init(1, &ring, 0);

    if (code == 0)
        io_uring_queue_exit(&ring);
    return code;
}

bool doctor_describe_host(struct doctor_host *host, struct error *error)
{
    host->root = "";
    host->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    host->uring_errno = try_uring();
    if (uname(&host->name) < 0 || getrlimit(RLIMIT_MEMLOCK, &host->memory_lock) < 0 ||
        getrlimit(RLIMIT_NOFILE, &host->open_files) < 0)
        return error_set(error, ERROR_HOST, errno, "cannot ask the host what it is");
    return true;
}

static bool print_report(bool json, bool *can_run, struct error *error)
{
    struct doctor_host host = {0};

    if (!doctor_describe_host(&host, error))
        return false;
    struct report *report = calloc(1, sizeof(*report));
    if (!report)
        return error_set(error, ERROR_HOST, errno, "no memory for the report");
    doctor_examine(&host, report);
    *can_run = report_can_run(report);
    if (json)
        doctor_print_json(stdout, report);
    else
        doctor_print_text(stdout, report, doctor_wants_colour(stdout));
    free(report);
    return true;
}

int doctor(const struct options *options, struct error *error)
{
    bool can_run = true;

    if (options->map && options->json)
        doctor_print_map_json(stdout);
    else if (options->map)
        doctor_print_map_text(stdout);
    else if (!print_report(options->json, &can_run, error))
        return exit_status_of_error(error->code);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)error_set(error, ERROR_HOST, errno, "cannot write to standard output");
        return exit_status_of_error(error->code);
    }
    return can_run ? EXIT_STATUS_OK : EXIT_STATUS_HOST;
}
