// SPDX-License-Identifier: Apache-2.0
/* The dual timer at random: beside a model that does nothing but count, tick by tick, and alone. */
#include <check.h>

#include "devices/tick_scale.h"
#include "sp804_fixture.h"
#include "timer_fixture.h"

Suite *unit_suite(void);

static struct timer_fixture t;

static uint32_t get(uint64_t offset)
{
    return timer_get(&t, offset);
}

static void put(uint64_t offset, uint32_t value)
{
    timer_put(&t, offset, value);
}

static void skip_ticks(uint64_t ticks)
{
    timer_fixture_skip_to(&t, ticks_to_ns(ticks_of_ns(t.now_ns, HZ) + ticks, HZ));
}

static void setup(void)
{
    timer_fixture_init(&t, "sp804");
}

static void teardown(void)
{
    timer_fixture_finish(&t);
}

struct model {
    uint32_t load, control, ris, value;
    bool at_zero;
    uint32_t divider;
};

static uint32_t model_mask(const struct model *m)
{
    return (m->control & SIZE_32) != 0 ? UINT32_MAX : UINT16_MAX;
}

static uint32_t model_period(const struct model *m)
{
    uint32_t period = m->load & model_mask(m);

    return period != 0 ? period : 1;
}

/* Zero is reached: by a step, or by a load. */
static void model_zero(struct model *m)
{
    if (m->value == 0 && !m->at_zero) {
        m->ris = 1;
        m->at_zero = true;
    }
    if (m->value == 0 && (m->control & (ONE_SHOT | PERIODIC)) == PERIODIC) {
        m->value = model_period(m);
        m->at_zero = false;
    }
}

static void model_tick(struct model *m)
{
    static const uint32_t divisors[] = {1, 16, 256, 256};

    if ((m->control & ENABLE) == 0 || ++m->divider < divisors[m->control >> 2 & 3]) {
        return;
    }
    m->divider = 0;
    if ((m->control & ONE_SHOT) != 0 && m->value == 0) {
        return;
    }
    m->value = (m->value - 1) & model_mask(m);
    m->at_zero = false;
    model_zero(m);
}

static void model_write(struct model *m, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case LOAD:
        m->load = value;
        m->value = value & model_mask(m);
        m->at_zero = false;
        m->divider = 0;
        break;
    case BG_LOAD:
        m->load = value;
        break;
    case CONTROL:
        if (((m->control ^ value) & (ENABLE | PRE_16 | PRE_256)) != 0) {
            m->divider = 0;
        }
        m->control = value;
        m->value &= model_mask(m);
        break;
    default:
        m->ris = 0;
        break;
    }
    if ((m->control & ENABLE) != 0) {
        model_zero(m);
    }
}

static void compare(uint64_t timer, const struct model *m, unsigned step)
{
    if (get(timer + VALUE) != m->value || get(timer + RIS) != m->ris ||
        get(timer + LOAD) != m->load) {
        ck_abort_msg("step %u: value %x, RIS %x; the model has value %x, RIS %x, control %x", step,
                     get(timer + VALUE), get(timer + RIS), m->value, m->ris, m->control);
    }
}

START_TEST(it_does_what_the_model_does)
{
    static const uint64_t offsets[] = {LOAD, BG_LOAD, CONTROL, INT_CLR};
    static const uint32_t loads[] = {0, 1, 2, 3, 17, 100, 0x10000, 0x10002, UINT32_MAX};
    struct model models[2] = {{.control = INT_ENABLE, .value = UINT32_MAX},
                              {.control = INT_ENABLE, .value = UINT32_MAX}};
    uint64_t state = 0x804804;

    for (unsigned step = 0; step < 150000; step++) {
        uint64_t choice = random_next(&state);
        unsigned which = choice & 1;
        uint64_t offset = offsets[choice >> 1 & 3];
        uint32_t value = loads[(choice >> 8 & 0xffff) % (sizeof(loads) / sizeof(loads[0]))];

        if (offset == CONTROL) {
            value = (choice >> 8 & 0xef) | (choice >> 32 & ENABLE);
        }
        put(which * TIMER2 + offset, value);
        model_write(&models[which], offset, value);
        uint64_t ticks = (choice & 1 << 30) != 0 ? choice >> 40 & 7 : choice >> 40 & 0x1ff;
        for (uint64_t i = 0; i < ticks; i++) {
            model_tick(&models[0]);
            model_tick(&models[1]);
        }
        skip_ticks(ticks);
        if ((choice & 1 << 29) != 0) {
            timer_fixture_fire(&t);
        }
        compare(0, &models[0], step);
        compare(TIMER2, &models[1], step);
    }
    ck_assert_uint_gt(t.irqs[0].rises, 1000);
}
END_TEST

static void check_invariants(void)
{
    bool level = (get(MIS) | get(TIMER2 + MIS)) != 0;

    for (uint64_t timer = 0; timer <= TIMER2; timer += TIMER2) {
        uint32_t control = get(timer + CONTROL);
        uint32_t enabled = (control & INT_ENABLE) != 0;
        bool counts = (control & (ENABLE | INT_ENABLE)) == (ENABLE | INT_ENABLE) &&
                      get(timer + RIS) == 0 &&
                      ((control & ONE_SHOT) == 0 || get(timer + VALUE) != 0);

        ck_assert_uint_eq(get(timer + MIS), get(timer + RIS) & enabled);
        if (counts && !t.loop.armed) {
            ck_abort_msg("a counter that will interrupt has no alarm");
        }
    }
    if (get(ITCR) == 0 && t.irqs[0].level != level) {
        ck_abort_msg("line %d, status %d", t.irqs[0].level, level);
    }
}

START_TEST(random_accesses_keep_the_invariants)
{
    uint64_t state = 0xc010000;

    for (unsigned i = 0; i < 400000; i++) {
        uint64_t choice = random_next(&state);

        random_access(t.device, (choice & 1 << 20) != 0 ? 0xf00 : 0, &state);
        if (choice % 4 == 0) {
            timer_fixture_run_to(&t, t.now_ns + (choice >> 44));
        }
        if (choice % 10007 == 0) {
            t.device->ops->reset(t.device);
        }
        check_invariants();
    }
    ck_assert_uint_gt(t.irqs[0].rises, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sp804_random");
    TCase *tcase = tcase_create("random");

    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_does_what_the_model_does);
    tcase_add_test(tcase, random_accesses_keep_the_invariants);
    suite_add_tcase(suite, tcase);
    return suite;
}
