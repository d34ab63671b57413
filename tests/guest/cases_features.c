// SPDX-License-Identifier: Apache-2.0
/* Optional features of the CPU, each where the host has it. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness.h"

#define A32_PATH "/tmp/a32.bin"

#define KERNEL_6_12 "-k", "@kernel-6.12/vmlinuz"
#define REPORT      "-i", "@guest.cpio", "-m", "512M", "-a", REPORT_LINE
#define REPORT_LINE "console=ttyAMA0 quiet panic=-1 armlet.test=report armlet.memory=512"
#define ALL_ON      "sve=on,pauth=on,mte=on"

/* ---- what the host has ---- */

static bool host_has(long capability)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    bool has = kvm >= 0 && ioctl(kvm, KVM_CHECK_EXTENSION, capability) > 0;

    if (kvm >= 0)
        (void)close(kvm);
    return has;
}

static int has_aarch32(void)
{
    return host_has(KVM_CAP_ARM_EL1_32BIT);
}

static int has_pmu(void)
{
    return host_has(KVM_CAP_ARM_PMU_V3);
}

static int has_sve(void)
{
    return host_has(KVM_CAP_ARM_SVE);
}

static int has_pauth(void)
{
    return host_has(KVM_CAP_ARM_PTRAUTH_ADDRESS) && host_has(KVM_CAP_ARM_PTRAUTH_GENERIC);
}

static int has_mte(void)
{
    return host_has(KVM_CAP_ARM_MTE);
}

static int has_all(void)
{
    return has_sve() && has_pauth() && has_mte();
}

/* ---- a 32-bit guest ---- */

/* Tells whether it was entered by the boot protocol, and powers off. */
static const uint32_t a32_program[] = {
    0xe3a04409, /*        mov    r4, #0x09000000    the PL011's data register */
    0xe28f503c, /*        adr    r5, bad */
    0xe3710001, /*        cmn    r1, #1             r1 is the machine type, ~0 */
    0x1a000004, /*        bne    print */
    0xe5920000, /*        ldr    r0, [r2]           r2 is the device tree */
    0xe59f6024, /*        ldr    r6, magic */
    0xe1500006, /*        cmp    r0, r6 */
    0x1a000000, /*        bne    print */
    0xe28f5028, /*        adr    r5, good */
    0xe4d50001, /* print: ldrb   r0, [r5], #1 */
    0xe3500000, /*        cmp    r0, #0 */
    0x15c40000, /*        strbne r0, [r4] */
    0x1afffffb, /*        bne    print */
    0xe59f0008, /*        ldr    r0, off */
    0xe1400070, /*        hvc    #0 */
    0xeafffffe, /* stop:  b      stop */
    0xedfe0dd0, /* magic: .word  0xedfe0dd0         FDT_MAGIC, which is big endian */
    0x84000008, /* off:   .word  0x84000008         PSCI SYSTEM_OFF */
    0x0a444142, /* bad:   .asciz "BAD\n" */
    0x00000000, /**/
    0x0a323341, /* good:  .asciz "A32\n" */
    0x00000000, /**/
};

/* Linux, arch/arm/boot/compressed/head.S; without the table, that is as before Linux 4.15. */
static const uint32_t zimage_header[] = {
    0xe1a00000, /* 8 x mov r0, r0 */
    0xe1a00000,
    0xe1a00000,
    0xe1a00000,
    0xe1a00000,
    0xe1a00000,
    0xe1a00000,
    0xe1a00000,
    0xea000006,                                 /* b 0x40 */
    0x016f2818,                                 /* magic */
    0,                                          /* start */
    sizeof(uint32_t[16]) + sizeof(a32_program), /* end */
    0x04030201,                                 /* byte order */
    0,
    0,
    0,
};
_Static_assert(sizeof(zimage_header) == 0x40, "the program is where the branch goes");

static int write_a32(const uint32_t *header, size_t header_bytes)
{
    FILE *file = fopen(A32_PATH, "w");

    if (!file)
        return 0;
    bool good = fwrite(header, 1, header_bytes, file) == header_bytes &&
                fwrite(a32_program, sizeof(a32_program), 1, file) == 1;

    return fclose(file) == 0 && good;
}

static int write_flat(void)
{
    return write_a32(zimage_header, 0);
}

static int write_zimage(void)
{
    return write_a32(zimage_header, sizeof(zimage_header));
}

#define STATUS_FILE 4
#define NISV(features)                                                                             \
    {                                                                                              \
        "-k", "@bin/nisv", "--cpu", features                                                       \
    }
#define LINUX(features)                                                                            \
    {                                                                                              \
        KERNEL_6_12, REPORT, "--cpu", features                                                     \
    }
#define LINUX_BOOTS                                                                                \
    {                                                                                              \
        EXPECT("CHECK kernel 6.12"), EXPECT("CHECK memory good"), EXPECT("CHECK warnings 0")       \
    }

const struct guest_case feature_cases[] = {
    {.name = "a32 flat binary",
     .arguments = {"-k", A32_PATH, "--cpu", "aarch32=on"},
     .steps = {EXPECT("A32")},
     .needs = has_aarch32,
     .prepare = write_flat},
    {.name = "a32 zImage",
     .arguments = {"-k", A32_PATH, "--cpu", "aarch32=on"},
     .steps = {EXPECT("A32")},
     .needs = has_aarch32,
     .prepare = write_zimage},
    {.name = "a32 zImage in 16 MiB",
     .arguments = {"-k", A32_PATH, "--cpu", "aarch32=on", "-m", "16M"},
     .steps = {EXPECT("A32")},
     .needs = has_aarch32,
     .prepare = write_zimage},
    {.name = "a32 zImage without aarch32=on is refused",
     .arguments = {"-k", A32_PATH},
     .steps = {EXPECT("--cpu aarch32=on")},
     .prepare = write_zimage,
     .status = STATUS_FILE},
    {.name = "arm64 kernel with aarch32=on is refused",
     .arguments = {"-k", "@kernel-6.1/vmlinuz", "--cpu", "aarch32=on"},
     .steps = {EXPECT("leave out aarch32=on")},
     .status = STATUS_FILE},
    {.name = "builtin guest with aarch32=on is refused",
     .arguments = {"run", "--cpu", "aarch32=on"},
     .steps = {EXPECT("leave out aarch32=on")},
     .status = STATUS_FILE},
    {.name = "accesses without syndrome, with SVE",
     .arguments = NISV("sve=on"),
     .steps = {EXPECT("PASS nisv")},
     .forbidden = "FAIL",
     .needs = has_sve},
    {.name = "accesses without syndrome, with pointer authentication",
     .arguments = NISV("pauth=on"),
     .steps = {EXPECT("PASS nisv")},
     .forbidden = "FAIL",
     .needs = has_pauth},
    {.name = "accesses without syndrome, with MTE",
     .arguments = NISV("mte=on"),
     .steps = {EXPECT("PASS nisv")},
     .forbidden = "FAIL",
     .needs = has_mte},
    {.name = "accesses without syndrome, with SVE, pointer authentication, MTE",
     .arguments = NISV(ALL_ON),
     .steps = {EXPECT("PASS nisv")},
     .forbidden = "FAIL",
     .needs = has_all},
    {.name = "linux 6.12 with performance counters",
     .arguments = LINUX("pmu=on"),
     .steps = {EXPECT("CHECK memory good"), EXPECT("CHECK pmu 1"), EXPECT("CHECK warnings 0")},
     .needs = has_pmu,
     .timeout_s = 300},
    {.name = "linux 6.12 has no performance counters unless asked",
     .arguments = LINUX("pmu=auto"),
     .steps = {EXPECT("CHECK pmu 0")},
     .timeout_s = 300},
    {.name = "linux 6.12 with SVE",
     .arguments = LINUX("sve=on"),
     .steps = LINUX_BOOTS,
     .needs = has_sve,
     .timeout_s = 300},
    {.name = "linux 6.12 with pointer authentication",
     .arguments = LINUX("pauth=on"),
     .steps = LINUX_BOOTS,
     .needs = has_pauth,
     .timeout_s = 300},
    {.name = "linux 6.12 with MTE",
     .arguments = LINUX("mte=on"),
     .steps = LINUX_BOOTS,
     .needs = has_mte,
     .timeout_s = 300},
    {.name = "linux 6.12 with SVE, pointer authentication, MTE",
     .arguments = LINUX(ALL_ON),
     .steps = LINUX_BOOTS,
     .needs = has_all,
     .timeout_s = 300},
    {.name = 0},
};
