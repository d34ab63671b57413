// SPDX-License-Identifier: Apache-2.0
/* The common main of the unit tests: each program is one Suite. */
#include <check.h>
#include <stdlib.h>

Suite *unit_suite(void);

int main(void)
{
    SRunner *runner = srunner_create(unit_suite());

    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
