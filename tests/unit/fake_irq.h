// SPDX-License-Identifier: Apache-2.0
/* An interrupt line that records what is driven onto it. */
#ifndef TESTS_FAKE_IRQ_H
#define TESTS_FAKE_IRQ_H

#include "armlet/irq.h"

struct fake_irq {
    struct irq_line line;
    bool level;
    unsigned rises;
    unsigned redundant; /* calls that changed nothing */
    int event_fd;       /* IRQ_NO_EVENT, unless the test says something else */
};

void fake_irq_init(struct fake_irq *irq);

#endif
