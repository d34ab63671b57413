// SPDX-License-Identifier: Apache-2.0
/* The GICv2 against its model, by millions of random steps. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/gicv2_registers.h"
#include "gicv2_pair.h"

Suite *unit_suite(void);

enum {
    STEPS_A_CONFIGURATION = 400000,
    STEPS_A_LIFE = 4000,
    STEPS_A_SETTING_UP = 100,
    TIMEOUT_S = 900
};

static const struct {
    uint32_t cpu_count, intid_count;
    uint32_t steps;
} configurations[] = {{1, 64, 600000}, {2, 64, 600000},  {3, 96, 400000},
                      {8, 64, 300000}, {8, 192, 100000}, {4, 1020, 20000}};

enum { CONFIGURATION_COUNT = sizeof(configurations) / sizeof(configurations[0]) };

/* xorshift64*: the same on each machine. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dU;
}

static void set_up_cpu(struct gicv2_pair *pair, uint32_t cpu)
{
    static const struct {
        enum model_block block;
        uint32_t offset, value;
    } writes[] = {
        {MODEL_CPU_INTERFACE, GICC_CTLR, 3 | GICC_CTLR_ACKCTL},
        {MODEL_CPU_INTERFACE, GICC_PMR, 0xff},
        {MODEL_CPU_INTERFACE, GICC_APR0, 0},
        {MODEL_CPU_INTERFACE, GICC_NSAPR0, 0},
        {MODEL_DISTRIBUTOR, GICD_ISENABLER, UINT32_MAX},
        {MODEL_DISTRIBUTOR, GICD_ICACTIVER, UINT32_MAX},
    };

    ck_assert_msg(pair_end_all(pair, cpu), "%s", pair->difference);
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
        ck_assert_msg(pair_write(pair, cpu, writes[i].block, writes[i].offset, writes[i].value),
                      "%s", pair->difference);
}

/* Now and then all is as a kernel leaves it, for from chaos to there is a long way by chance. */
static void set_up(struct gicv2_pair *pair)
{
    bool good = pair_write(pair, 0, MODEL_DISTRIBUTOR, GICD_CTLR, 3);

    for (uint32_t cpu = 0; cpu < pair->model.cpu_count; cpu++)
        set_up_cpu(pair, cpu);
    good &= pair_write(pair, 0, MODEL_DISTRIBUTOR, GICD_ISENABLER + 4, UINT32_MAX);
    good &= pair_write(pair, 0, MODEL_DISTRIBUTOR, GICD_ICACTIVER + 4, UINT32_MAX);
    for (uint32_t intid = 32; intid < 64; intid += 4)
        good &= pair_write(pair, 0, MODEL_DISTRIBUTOR, GICD_ITARGETSR + intid, UINT32_MAX);
    ck_assert_msg(good, "%s", pair->difference);
}

/* Fields are small more often than chance has it, and so are INTIDs. */
static void shape(uint8_t bytes[PAIR_STEP_BYTES], uint64_t how)
{
    if (how & 1)
        bytes[2] |= 0x80;
    if ((how & 0x6) == 2)
        memset(&bytes[5], 0, 3);
    if ((how & 0x18) == 8)
        bytes[1] &= 0x1f;
}

START_TEST(random_steps_agree)
{
    static struct gicv2_pair pair;
    uint64_t state = 0x9e3779b97f4a7c15U + (uint64_t)_i;
    uint64_t taken = 0;

    for (unsigned done = 0; done < configurations[_i].steps; done += STEPS_A_LIFE) {
        ck_assert(pair_init(&pair, configurations[_i].cpu_count, configurations[_i].intid_count));
        for (unsigned i = 0; i < STEPS_A_LIFE; i++) {
            if (i % STEPS_A_SETTING_UP == 0)
                set_up(&pair);
            uint64_t random = next_random(&state);
            uint8_t bytes[PAIR_STEP_BYTES];

            memcpy(bytes, &random, sizeof(bytes));
            shape(bytes, next_random(&state) >> 32);
            ck_assert_msg(pair_step(&pair, bytes), "step %u of a life: %s", i, pair.difference);
        }
        taken += pair.taken;
        pair_finish(&pair);
    }
    /* Some steps got an interrupt through. */
    ck_assert_uint_gt(taken, configurations[_i].steps / 100);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("gicv2 model");
    TCase *tests = tcase_create("random");

    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_loop_test(tests, random_steps_agree, 0, CONFIGURATION_COUNT);
    suite_add_tcase(suite, tests);
    return suite;
}
