// SPDX-License-Identifier: Apache-2.0
/*
 * Why KVM_RUN returned, in armlet's own terms: what counters, latencies and events are kept by.
 * Every return is of exactly one kind.
 */
#ifndef ARMLET_EXIT_KIND_H
#define ARMLET_EXIT_KIND_H

enum exit_kind {
    EXIT_KIND_MMIO,         /* an access to where no memory is (KVM_EXIT_MMIO) */
    EXIT_KIND_NO_SYNDROME,  /* the same, not described by the hardware (KVM_EXIT_ARM_NISV) */
    EXIT_KIND_HYPERCALL,    /* an SMCCC call that KVM hands on (KVM_EXIT_HYPERCALL) */
    EXIT_KIND_SYSTEM_EVENT, /* PSCI: power-off, reset, crash (KVM_EXIT_SYSTEM_EVENT) */
    EXIT_KIND_SIGNAL,       /* a signal, nearly always vcpu_stop()'s kick (EINTR, KVM_EXIT_INTR) */
    EXIT_KIND_LEVEL,        /* a timer's or the PMU's level changed, with --irqchip user (EINTR) */
    EXIT_KIND_AGAIN,        /* KVM asks to be called again (EAGAIN) */
    EXIT_KIND_DEBUG,        /* a breakpoint, watchpoint or step (KVM_EXIT_DEBUG) */
    EXIT_KIND_FAIL_ENTRY,   /* the hardware refused to enter (KVM_EXIT_FAIL_ENTRY) */
    EXIT_KIND_INTERNAL_ERROR, /* KVM gave up (KVM_EXIT_INTERNAL_ERROR) */
    EXIT_KIND_RUN_FAILED,     /* KVM_RUN failed with another errno */
    EXIT_KIND_OTHER,          /* an exit reason that armlet doesn't know */
    EXIT_KIND_COUNT,
};

/* As in tables, JSON and traces: "mmio", "no-syndrome", ... Static. */
const char *exit_kind_name(enum exit_kind kind);

#endif
