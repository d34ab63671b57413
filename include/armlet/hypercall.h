// SPDX-License-Identifier: Apache-2.0
/*
 * The calls that armlet answers itself with --hypercalls, for armlet and for guests alike:
 * fast calls of the vendor-specific hypervisor service (Arm DEN0028, SMCCC 1.2, 2.5), made with the
 * PSCI conduit. armlet-testdev(7) is their manual.
 */
#ifndef ARMLET_HYPERCALL_H
#define ARMLET_HYPERCALL_H

/* Function identifiers: a base and one of the functions. */
#define HYPERCALL_BASE_32 0x8600a100U /* 32-bit arguments and results: for AArch32 */
#define HYPERCALL_BASE_64 0xc600a100U
#define HYPERCALL_COUNT   16U

#define HYPERCALL_VERSION 0U /* -> HYPERCALL_VERSION_VALUE */
#define HYPERCALL_PUT     1U /* X1: a character -> how many were taken, 0 or 1 */
#define HYPERCALL_WRITE   2U /* X1: guest physical address, X2: bytes -> how many were taken */
#define HYPERCALL_EXIT    3U /* X1: the status to end with -> 0, soon after which it ends */

#define HYPERCALL_VERSION_VALUE   1
#define HYPERCALL_WRITE_MAX_BYTES 4096U /* more aren't taken at once */

/* Results, as the SMCCC has them (7.1). */
#define HYPERCALL_NOT_SUPPORTED     (-1)
#define HYPERCALL_INVALID_PARAMETER (-3)

#endif
