// SPDX-License-Identifier: Apache-2.0
/*
 * Values as people write them: numbers, sizes, times, CPU lists.
 *
 * Each function judges a whole string, without blanks around it, and fails with ERROR_USAGE and a
 * message that tells what would be right but not which option it was about. Any thread.
 */
#ifndef ARMLET_SRC_OPTIONS_VALUE_H
#define ARMLET_SRC_OPTIONS_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "armlet/error.h"

enum {
    HOST_CPU_MAX = 4095,       /* the highest host CPU number that a list may hold */
    CPU_LIST_COUNT_MAX = 4096, /* CPUs in one list */
    SIZE_TEXT_BYTES = 32,      /* for options_format_size() */
};

/* A decimal number of minimum..maximum. */
bool options_parse_number(const char *text, uint32_t minimum, uint32_t maximum, uint32_t *number,
                          struct error *error) WARN_UNUSED;

/*
 * A size: a decimal number, with a fraction of up to six digits if need be, and one of the
 * suffixes K, M, G, T, KiB ... or KB ..., in any case and all powers of 1024. A bare number is
 * MiB. Parts of a byte are rounded up.
 */
bool options_parse_size(const char *text, uint64_t *bytes, struct error *error) WARN_UNUSED;

/* A time: a number as for sizes and ns, us, ms, s, m or h; a bare number is seconds. */
bool options_parse_duration(const char *text, uint64_t *duration_ns,
                            struct error *error) WARN_UNUSED;

/*
 * CPUs such as "0,2-5", in the order given and repeated if repeated. *cpus is then the caller's,
 * from malloc.
 */
bool options_parse_cpu_list(const char *text, int **cpus, size_t *count,
                            struct error *error) WARN_UNUSED;

/* Writes `bytes` in the largest unit that needs no fraction: "1536M", "2G". */
void options_format_size(uint64_t bytes, char text[SIZE_TEXT_BYTES]);

#endif
