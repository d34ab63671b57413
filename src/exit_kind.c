// SPDX-License-Identifier: Apache-2.0
#include "armlet/exit_kind.h"

const char *exit_kind_name(enum exit_kind kind)
{
    static const char *const names[EXIT_KIND_COUNT] = {
        [EXIT_KIND_MMIO] = "mmio",
        [EXIT_KIND_NO_SYNDROME] = "no-syndrome",
        [EXIT_KIND_HYPERCALL] = "hypercall",
        [EXIT_KIND_SYSTEM_EVENT] = "system-event",
        [EXIT_KIND_SIGNAL] = "signal",
        [EXIT_KIND_LEVEL] = "level",
        [EXIT_KIND_AGAIN] = "again",
        [EXIT_KIND_DEBUG] = "debug",
        [EXIT_KIND_FAIL_ENTRY] = "fail-entry",
        [EXIT_KIND_INTERNAL_ERROR] = "internal-error",
        [EXIT_KIND_RUN_FAILED] = "run-failed",
        [EXIT_KIND_OTHER] = "other",
    };
    return kind < EXIT_KIND_COUNT ? names[kind] : "unknown";
}
