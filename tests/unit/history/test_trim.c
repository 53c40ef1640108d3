#include "gateway/history/trim.h"

#include <check.h>
#include <stdlib.h>

#include "tests/support/suite.h"

static struct record_id at(uint64_t ms)
{
	return (struct record_id){ms, 0};
}

/* A stream that holds 100 to 200; of what came before some was trimmed. */
static const struct stream_facts cut = {
    .exists = true, .length = 10, .entries_added = 20, .first = {100, 0}, .last = {200, 0}};
static const struct stream_facts whole = {
    .exists = true, .length = 10, .entries_added = 10, .first = {100, 0}, .last = {200, 0}};
static const struct stream_facts emptied = {.exists = true, .entries_added = 20, .last = {200, 0}};
static const struct stream_facts none = {0};

START_TEST(the_id_before_mostly_tells_all)
{
	const struct log_entry next = {.id = {110, 0}, .before = {90, 0}};
	const struct log_entry first = {.id = {110, 0}};
	ck_assert_int_eq(trim_of_log(at(90), &next, NULL), TRIM_NONE);
	ck_assert_int_eq(trim_of_log(at(95), &next, NULL), TRIM_NONE);
	ck_assert_int_eq(trim_of_log(at(0), &next, NULL), TRIM_NONE);
	ck_assert_int_eq(trim_of_log(at(5), &first, NULL), TRIM_NONE);
	ck_assert_int_eq(trim_of_log(at(89), &next, NULL), TRIM_ASK);
	ck_assert_int_eq(trim_of_log(at(89), NULL, NULL), TRIM_ASK);
}
END_TEST

START_TEST(facts_tell_trimmed_from_deleted)
{
	const struct log_entry next = {.id = {110, 0}, .before = {90, 0}};
	ck_assert_int_eq(trim_of_log(at(89), &next, &cut), TRIM_LOST);
	ck_assert_int_eq(trim_of_log(at(100), &(struct log_entry){.id = {110, 0}, .before = {105, 0}}, &cut),
	                 TRIM_NONE);
	ck_assert_int_eq(trim_of_log(at(89), &next, &whole), TRIM_NONE);
	ck_assert_int_eq(trim_of_log(at(89), NULL, &cut), TRIM_LOST);
	ck_assert_int_eq(trim_of_log(at(200), NULL, &cut), TRIM_NONE);
	ck_assert_int_eq(trim_of_log(at(199), NULL, &emptied), TRIM_LOST);
	ck_assert_int_eq(trim_of_log(at(200), NULL, &emptied), TRIM_NONE);
	ck_assert_int_eq(trim_of_log(at(89), NULL, &none), TRIM_NONE);
}
END_TEST

START_TEST(a_session_that_was_never_cut_has_all)
{
	ck_assert_int_eq(trim_of_session(at(0), &cut, 50, 300), TRIM_NONE);
	ck_assert_int_eq(trim_of_session(at(100), &cut, 50, 300), TRIM_NONE);
	ck_assert_int_eq(trim_of_session(at(99), &cut, 50, 300), TRIM_LOST);
	ck_assert_int_eq(trim_of_session(at(51), &whole, 50, 300), TRIM_NONE);
}
END_TEST

START_TEST(a_session_that_may_have_gone_and_come_again_may_have_lost_something)
{
	ck_assert_int_eq(trim_of_session(at(50), &whole, 50, 300), TRIM_LOST);
	ck_assert_int_eq(trim_of_session(at(50), &whole, 0, 300), TRIM_NONE); /* it never goes */
	ck_assert_int_eq(trim_of_session(at(251), &none, 50, 300), TRIM_NONE);
	ck_assert_int_eq(trim_of_session(at(250), &none, 50, 300), TRIM_LOST);
	ck_assert_int_eq(trim_of_session(at(400), &none, 50, 300), TRIM_NONE);
	ck_assert_int_eq(trim_of_session(at(199), &emptied, 50, 300), TRIM_LOST);
	ck_assert_int_eq(trim_of_session(at(200), &emptied, 50, 300), TRIM_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trim");
	TCase *tests = tcase_create("trim");
	tcase_add_test(tests, the_id_before_mostly_tells_all);
	tcase_add_test(tests, facts_tell_trimmed_from_deleted);
	tcase_add_test(tests, a_session_that_was_never_cut_has_all);
	tcase_add_test(tests, a_session_that_may_have_gone_and_come_again_may_have_lost_something);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
