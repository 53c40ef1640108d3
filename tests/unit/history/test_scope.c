#include "gateway/history/scope.h"

#include <check.h>
#include <stdlib.h>

#include "tests/support/suite.h"

static struct record_id at(uint64_t ms)
{
	return (struct record_id){ms, 0};
}

static bool serves(const struct scope *scope, uint64_t from, uint64_t to, bool was_asked_before)
{
	const struct page_query query = {.is_reverse = scope->is_reverse, .from = at(from), .to = at(to)};
	return scope_serves(scope, &query, was_asked_before);
}

START_TEST(a_full_page_serves_who_stands_inside)
{
	const struct scope scope = {.from = at(10), .to = at(100), .reached = at(50), .solid = at(10)};
	ck_assert(serves(&scope, 10, 100, false));
	ck_assert(serves(&scope, 49, 900, false));
	ck_assert(!serves(&scope, 50, 100, true)); /* nothing is behind it here */
	ck_assert(!serves(&scope, 9, 100, true));
}
END_TEST

START_TEST(the_end_of_the_stream_serves_who_asked_before_it_was_read)
{
	const struct scope scope = {
	    .from = at(10), .to = at(100), .reached = at(100), .solid = at(10), .is_exhausted = true};
	ck_assert(serves(&scope, 99, 100, true));
	ck_assert(!serves(&scope, 99, 100, false));
	ck_assert(!serves(&scope, 99, 101, true));
}
END_TEST

START_TEST(a_range_into_which_nothing_can_come_serves_later_askers_too)
{
	const struct scope scope = {.from = at(10),
	                            .to = at(100),
	                            .reached = at(100),
	                            .solid = at(10),
	                            .is_exhausted = true,
	                            .is_settled = true};
	ck_assert(serves(&scope, 60, 100, false));
	ck_assert(!serves(&scope, 60, 101, false));
}
END_TEST

START_TEST(backwards_nothing_newer_may_have_come_between)
{
	const struct scope scope = {
	    .is_reverse = true, .from = RECORD_ID_MAX, .to = at(0), .reached = at(50), .newest = at(90)};
	ck_assert(serves(&scope, 95, 0, true));
	ck_assert(!serves(&scope, 95, 0, false));
	ck_assert(serves(&scope, 90, 0, false));
	ck_assert(serves(&scope, 51, 0, false));
	ck_assert(!serves(&scope, 50, 0, false));
}
END_TEST

START_TEST(losses_hold_only_for_who_stands_where_they_are)
{
	struct scope scope = {
	    .from = at(10), .to = at(100), .reached = at(50), .solid = at(10), .is_trimmed = true, .lost = at(30)};
	ck_assert(serves(&scope, 10, 100, false));
	ck_assert(serves(&scope, 29, 100, false));
	ck_assert(!serves(&scope, 30, 100, false));
	scope = (struct scope){.from = at(0), .to = at(100), .reached = at(50), .solid = at(30)};
	ck_assert(serves(&scope, 0, 100, false));
	ck_assert(!serves(&scope, 29, 100, false));
	ck_assert(serves(&scope, 30, 100, false));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scope");
	TCase *tests = tcase_create("scope");
	tcase_add_test(tests, a_full_page_serves_who_stands_inside);
	tcase_add_test(tests, the_end_of_the_stream_serves_who_asked_before_it_was_read);
	tcase_add_test(tests, a_range_into_which_nothing_can_come_serves_later_askers_too);
	tcase_add_test(tests, backwards_nothing_newer_may_have_come_between);
	tcase_add_test(tests, losses_hold_only_for_who_stands_where_they_are);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
