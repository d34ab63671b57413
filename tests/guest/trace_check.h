// SPDX-License-Identifier: Apache-2.0
/*
 * Judges a trace by the published format (Trace Event Format, JSON Array Format) and by what is
 * promised beyond it:
 *
 *   - it is one JSON array (RFC 8259), each element an object with the members of its phase;
 *   - every group and every track that is used has a name;
 *   - the slices of a track nest or follow each other, and none overlaps another in part;
 *   - the times of a vCPU's track never go back from one record to the next.
 */
#ifndef ARMLET_TESTS_TRACE_CHECK_H
#define ARMLET_TESTS_TRACE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum { TRACE_CHECK_WHY_BYTES = 256 };

struct trace_summary {
    size_t records, slices, instants, tracks; /* tracks: those with a slice or an instant */
    size_t vcpu_tracks;                       /* of those, with slices, in the group of vCPUs */
    size_t interrupts;                        /* instants that tell of one */
    size_t gaps;                              /* instants that tell of dropped events */
    unsigned long long dropped;               /* how many events those tell of */
    char why[TRACE_CHECK_WHY_BYTES];          /* what is wrong */
};

bool trace_check(const char *text, size_t bytes, struct trace_summary *summary);

#endif
