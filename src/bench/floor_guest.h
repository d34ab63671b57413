// SPDX-License-Identifier: Apache-2.0
/*
 * The guest of the floor: floor_guest.S, code that runs wherever it is put, with the MMU off.
 *
 * It tells how many ticks a second of CNTVCT_EL0 has, by an 8-byte write to FLOOR_FREQUENCY. Then
 * it reads MMIO FLOOR_BATCH times, and tells the ticks that it took by one to FLOOR_READ_RESULT;
 * the same with writes; and so on without end. Macros alone, since the assembler reads them too.
 */
#ifndef ARMLET_SRC_BENCH_FLOOR_GUEST_H
#define ARMLET_SRC_BENCH_FLOOR_GUEST_H

#define FLOOR_BATCH        100
#define FLOOR_MMIO         0x0d000000 /* where armlet's machines have nothing */
#define FLOOR_READ_RESULT  8          /* from FLOOR_MMIO */
#define FLOOR_WRITE_RESULT 16
#define FLOOR_FREQUENCY    24

#ifndef __ASSEMBLER__
#include <stdint.h>
extern const uint8_t floor_guest[];
extern const uint32_t floor_guest_bytes;
#endif

#endif
