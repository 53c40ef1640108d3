#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/wsframe.h"
#include "gateway/session/close.h"
#include "tests/support/suite.h"

START_TEST(every_cause_has_a_name_and_a_reason_that_fits_a_close_frame)
{
	ck_assert_uint_gt(strlen(close_name(_i)), 0);
	ck_assert_uint_le(strlen(close_reason(_i)), WSFRAME_REASON_MAX);
	if (_i != CLOSE_PEER)
		ck_assert_uint_gt(strlen(close_reason(_i)), 0);
}
END_TEST

/* 44xx: change something first; everything else but 1000 and 1002 to 1009: reconnect. */
START_TEST(codes_say_by_their_range_what_to_do)
{
	ck_assert_uint_eq(close_code(CLOSE_NOT_JSON), 4400);
	ck_assert_uint_eq(close_code(CLOSE_COMMAND_FLOOD), 4429);
	ck_assert_uint_eq(close_code(CLOSE_STALE), 4501);
	ck_assert_uint_eq(close_code(CLOSE_TOO_SLOW), 4502);
	ck_assert_uint_eq(close_code(CLOSE_DRAINING), 1012);
	ck_assert_uint_eq(close_code(CLOSE_TOO_BIG), 1009);
	ck_assert_uint_eq(close_code(CLOSE_PEER), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("close");
	TCase *tests = tcase_create("close");
	suite_add_tcase(suite, tests);
	tcase_add_loop_test(tests, every_cause_has_a_name_and_a_reason_that_fits_a_close_frame, 0, CLOSE_CAUSES);
	tcase_add_test(tests, codes_say_by_their_range_what_to_do);
	return suite_run(suite);
}
