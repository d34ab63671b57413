// SPDX-License-Identifier: Apache-2.0
/*
 * Accesses that the hardware describes without a syndrome (ESR_EL2.ISV = 0): register pairs,
 * write-back, SIMD registers. The instruction is fetched, decoded and carried out on the bus.
 * On the vCPU's own thread.
 */
#ifndef ARMLET_SRC_NO_SYNDROME_H
#define ARMLET_SRC_NO_SYNDROME_H

#include <stdint.h>

#include "armlet/error.h"
#include "armlet/gpa.h"
#include "vcpu.h"

/*
 * Carries out the access that KVM reported at fault_ipa. What can't be done (exclusives, atomics)
 * is logged with its reason and answered with an external abort in the guest. Fails, with the
 * reason, only when the host can't even do that.
 */
bool no_syndrome_handle(struct vcpu *vcpu, gpa_t fault_ipa, uint64_t esr_iss,
                        struct error *error) WARN_UNUSED;

#endif
