// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../doctor_internal.h"
#include "exit_status.h"
#include "facts.h"
#include "print.h"
#include "session.h"

enum { REPORT_MOST_BYTES = 64 << 20, NEW_FILE_MODE = 0666 };

static int finish_output(int status, struct error *error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    (void)error_set(error, ERROR_HOST, errno, "cannot write to standard output");
    return exit_status_of_error(error->code);
}

/* ---- two reports ---- */

/* The whole file, as a string from malloc. */
static char *read_file(const char *path, struct error *error)
{
    struct stat about;
    FILE *file = fopen(path, "re");
    char *text = NULL;

    if (!file || fstat(fileno(file), &about) != 0) {
        (void)error_set(error, ERROR_FILE, errno, "cannot read '%s'", path);
    } else if (!S_ISREG(about.st_mode) || about.st_size > REPORT_MOST_BYTES) {
        (void)error_set(error, ERROR_FILE, 0, "'%s' is no report of 'armlet bench'", path);
    } else {
        size_t size = (size_t)about.st_size;

        text = calloc(size + 1, 1);
        if (!text || fread(text, 1, size, file) != size) {
            (void)error_set(error, ERROR_FILE, errno, "cannot read '%s'", path);
            free(text);
            text = NULL;
        }
    }
    if (file)
        (void)fclose(file);
    return text;
}

static struct bench_report *read_report(const char *path, struct error *error)
{
    char *text = read_file(path, error);
    struct bench_report *report = text ? bench_read_json(path, text, error) : NULL;

    free(text);
    return report;
}

static int compare(const struct options *options, struct error *error)
{
    struct bench_report *before = read_report(options->bench.compare_path, error);
    struct bench_report *after = before ? read_report(options->bench.compare_with, error) : NULL;
    int status = EXIT_STATUS_OK;

    if (after && bench_print_comparison(stdout, before, after) > 0)
        status = EXIT_STATUS_WORSE;
    bench_report_destroy(before);
    bench_report_destroy(after);
    return error->code ? exit_status_of_error(error->code) : finish_output(status, error);
}

/* ---- a new one ---- */

static bool add_facts(struct bench_report *report, struct error *error)
{
    struct doctor_host host = {0};

    if (!doctor_describe_host(&host, error))
        return false;
    struct report *examined = calloc(1, sizeof(*examined));
    if (!examined)
        return error_set(error, ERROR_HOST, errno, "no memory for the report");
    doctor_examine(&host, examined);
    bench_collect_facts(report, &host, examined);
    bool good = report_can_run(examined) ||
                error_set(error, ERROR_HOST, 0, "this host can't run guests: %s", examined->reason);
    free(examined);
    return good;
}

/* Before anything is measured: a file that is there already is somebody's. */
static bool open_new(const char *path, FILE **file, struct error *error)
{
    *file = NULL;
    if (!path)
        return true;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, NEW_FILE_MODE);
    if (fd >= 0)
        *file = fdopen(fd, "w");
    return *file || error_set(error, ERROR_FILE, errno, "cannot make '%s'", path);
}

static bool close_new(const char *path, FILE *file, struct error *error)
{
    if (!file)
        return true;
    bool good = !ferror(file);
    good &= fclose(file) == 0;
    return good || error_set(error, ERROR_FILE, errno, "cannot write '%s'", path);
}

/* The files that were asked for. */
struct outputs {
    FILE *json, *svg;
};

static bool write_outputs(const struct outputs *outputs, const struct bench_report *report,
                          bool json, struct error *error)
{
    if (outputs->json)
        bench_print_json(outputs->json, report);
    if (outputs->svg && !bench_write_picture(outputs->svg, report, error))
        return false;
    if (json)
        bench_print_json(stdout, report);
    else
        bench_print_table(stdout, report);
    return true;
}

/* Those that this process made and that stayed empty. */
static void remove_outputs(const struct outputs *outputs, const struct options *options)
{
    if (outputs->json)
        (void)unlink(options->bench.save_path);
    if (outputs->svg)
        (void)unlink(options->bench.svg_path);
}

/* What tells one report from another. */
static const char *vmm_name(const struct options *options)
{
    if (options->bench.vmm)
        return options->bench.vmm;
    if (options->irqchip == IRQCHIP_USER)
        return "armlet " ARMLET_VERSION ", --irqchip user";
    if (options->irq_delivery == IRQ_DELIVERY_IRQFD)
        return "armlet " ARMLET_VERSION ", --irq-delivery irqfd";
    return "armlet " ARMLET_VERSION;
}

static bool measure(struct bench_report *report, const struct options *options, struct error *error)
{
    struct outputs outputs = {0};
    struct error late = {0};

    report->vmm = vmm_name(options);
    report->runs = options->bench.runs;
    bool good = session_choose(report, options->bench.filter, error) && add_facts(report, error) &&
                open_new(options->bench.save_path, &outputs.json, error) &&
                open_new(options->bench.svg_path, &outputs.svg, error) &&
                session_measure(report, options, error) &&
                write_outputs(&outputs, report, options->json, error);
    if (!good)
        remove_outputs(&outputs, options);
    bool closed = close_new(options->bench.save_path, outputs.json, &late);
    closed &= close_new(options->bench.svg_path, outputs.svg, &late);
    if (good && !closed)
        *error = late;
    return good && closed;
}

int bench(const struct options *options, struct error *error)
{
    if (options->bench.list) {
        bench_print_list(stdout);
        return finish_output(EXIT_STATUS_OK, error);
    }
    if (options->bench.compare_path)
        return compare(options, error);
    struct bench_report *report = bench_report_create(error);
    bool good = report && measure(report, options, error);
    bench_report_destroy(report);
    return good ? finish_output(EXIT_STATUS_OK, error) : exit_status_of_error(error->code);
}
