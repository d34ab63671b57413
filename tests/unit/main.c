// SPDX-License-Identifier: Apache-2.0
/*
 * The common main of the unit tests: each program is one Suite. The bound on a test is for those
 * that hang; a slow or busy machine, sanitizers and counting lines must not fail one.
 */
#include <check.h>
#include <stdlib.h>

Suite *unit_suite(void);

#define SECONDS_MAX "120"

int main(void)
{
    if (setenv("CK_DEFAULT_TIMEOUT", SECONDS_MAX, 0) != 0)
        return EXIT_FAILURE;
    SRunner *runner = srunner_create(unit_suite());

    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
