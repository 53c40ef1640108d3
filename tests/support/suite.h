/* Runs a Check suite as a whole program. Takes the suite over and gives the exit status for main. */
#ifndef TESTS_SUPPORT_SUITE_H
#define TESTS_SUPPORT_SUITE_H

#include <check.h>

int suite_run(Suite *suite);
int suite_run_in_process(Suite *suite); /* all tests in this process, in order: where fixtures are shared by tests */

#endif
