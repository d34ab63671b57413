// SPDX-License-Identifier: Apache-2.0
/*
 * The registers of armlet's test device, "armlet,testdev", for the device and for guests alike;
 * armlet-testdev(7) is their manual. Offsets in bytes.
 */
#ifndef ARMLET_TESTDEV_H
#define ARMLET_TESTDEV_H

/* Registers of 32 bits. */
#define TESTDEV_ID              0x0000 /* R: TESTDEV_ID_VALUE */
#define TESTDEV_VERSION         0x0004 /* R: 1 */
#define TESTDEV_ABILITIES       0x0008 /* R: what happens without an exit from now on */
#define TESTDEV_EXIT            0x0010 /* W: ends the machine with this status */
#define TESTDEV_DOORBELL        0x0020 /* W: wakes the device's thread, which counts */
#define TESTDEV_DOORBELL_COUNT  0x0024 /* R */
#define TESTDEV_MUTE            0x0028 /* W: a doorbell that nobody waits for */
#define TESTDEV_MUTE_COUNT      0x002c /* R */
#define TESTDEV_COALESCED       0x0030 /* W: 8 bytes, any width: arrives at the next exit */
#define TESTDEV_COALESCED_COUNT 0x0038 /* R */
#define TESTDEV_COALESCED_LAST  0x003c /* R: the low 32 bits of the last one */
#define TESTDEV_LOOPBACK        0x0040 /* W: raises the interrupt */
#define TESTDEV_ECHO            0x0044 /* W: the device's thread raises the interrupt */
#define TESTDEV_RAISE           0x0048 /* W: raises the interrupt, after an exit */

/* Pages of 4 KiB. */
#define TESTDEV_SCRATCH    0x1000 /* memory that nobody else uses: any aligned access exits */
#define TESTDEV_PAGE       0x2000 /* reads as TESTDEV_PAGE_WORD(offset) */
#define TESTDEV_PAGE_BYTES 0x1000
#define TESTDEV_BYTES      0x4000

#define TESTDEV_ID_VALUE      0x544d5241U /* "ARMT" */
#define TESTDEV_VERSION_VALUE 1U
/* The 32-bit word at an offset from TESTDEV_PAGE, a multiple of 4. */
#define TESTDEV_PAGE_WORD(offset) (0xa5000000U | (offset))

/* TESTDEV_ABILITIES */
#define TESTDEV_CAN_DOORBELL (1U << 0)
#define TESTDEV_CAN_COALESCE (1U << 1)
#define TESTDEV_CAN_LOOPBACK (1U << 2)
#define TESTDEV_CAN_PAGE     (1U << 3)

#endif
