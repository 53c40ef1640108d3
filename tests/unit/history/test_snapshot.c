#include "gateway/history/snapshot.h"

#include "gateway/history/fold.h"
#include "tests/support/suite.h"

#define SESSION SLICE_LITERAL("s")

static struct snapshot good(void)
{
	struct snapshot snapshot = {
	    .at = {10, 1}, .version = FOLD_RULES_VERSION, .epoch = 5, .skipped = 3, .state = SLICE_LITERAL("{\"a\":1}")};
	snapshot.sum = snapshot_sum(&snapshot, SESSION);
	return snapshot;
}

START_TEST(a_sum_holds_for_all_that_it_says)
{
	struct snapshot snapshot = good();
	ck_assert_int_eq(snapshot_judge(&snapshot, SESSION), SNAPSHOT_GOOD);
	ck_assert_int_eq(snapshot_judge(&snapshot, SLICE_LITERAL("t")), SNAPSHOT_DAMAGED);
	snapshot.at.seq++;
	ck_assert_int_eq(snapshot_judge(&snapshot, SESSION), SNAPSHOT_DAMAGED);
	snapshot = good();
	snapshot.epoch++;
	ck_assert_int_eq(snapshot_judge(&snapshot, SESSION), SNAPSHOT_DAMAGED);
	snapshot = good();
	snapshot.skipped++;
	ck_assert_int_eq(snapshot_judge(&snapshot, SESSION), SNAPSHOT_DAMAGED);
	snapshot = good();
	snapshot.state = SLICE_LITERAL("{\"a\":2}");
	ck_assert_int_eq(snapshot_judge(&snapshot, SESSION), SNAPSHOT_DAMAGED);
}
END_TEST

/* What is stored today must be good tomorrow, on another machine too. */
START_TEST(a_sum_is_the_same_everywhere)
{
	struct snapshot snapshot = good();
	snapshot.version = 1;
	ck_assert_uint_eq(snapshot_sum(&snapshot, SESSION), UINT64_C(10711785154153463200));
}
END_TEST

START_TEST(tells_older_rules_from_newer_ones)
{
	struct snapshot snapshot = good();
	snapshot.version = FOLD_RULES_VERSION + 1;
	ck_assert_int_eq(snapshot_judge(&snapshot, SESSION), SNAPSHOT_NEWER);
	snapshot.version = FOLD_RULES_VERSION - 1;
	ck_assert_int_eq(snapshot_judge(&snapshot, SESSION), SNAPSHOT_OLDER);
}
END_TEST

START_TEST(is_of_this_log_or_of_what_it_took_over)
{
	const struct log_position log = {.epoch = 5, .base = {100, 0}, .last = {300, 0}};
	const struct stream_facts facts = {.exists = true, .length = 1, .first = {1, 0}, .last = {200, 0}}, none = {.exists = false};
	ck_assert(snapshot_is_of((struct record_id){150, 0}, 5, &log, &facts));
	ck_assert(!snapshot_is_of((struct record_id){150, 0}, 4, &log, &facts));
	ck_assert(snapshot_is_of((struct record_id){100, 0}, 4, &log, &facts));
	ck_assert(snapshot_is_of((struct record_id){200, 0}, 5, &log, &facts));
	ck_assert(!snapshot_is_of((struct record_id){200, 1}, 5, &log, &facts));
	ck_assert(!snapshot_is_of((struct record_id){100, 0}, 5, &log, &none));
}
END_TEST

START_TEST(is_joined_to_the_stream_only_without_a_hole)
{
	struct stream_facts facts = {.exists = true, .length = 10, .entries_added = 15, .first = {100, 0}, .last = {200, 0}};
	ck_assert(snapshot_is_joined((struct record_id){100, 0}, 6, &facts, 0, 1000));
	ck_assert(snapshot_is_joined((struct record_id){90, 0}, 5, &facts, 0, 1000));
	ck_assert(!snapshot_is_joined((struct record_id){90, 0}, 4, &facts, 0, 1000));
	/* The stream may have gone and come again in so long a silence. */
	ck_assert(!snapshot_is_joined((struct record_id){40, 0}, 5, &facts, 50, 1000));
	facts.length = 0;
	ck_assert(snapshot_is_joined((struct record_id){200, 0}, 15, &facts, 0, 1000));
	ck_assert(!snapshot_is_joined((struct record_id){190, 0}, 14, &facts, 0, 1000));
	facts.exists = false;
	ck_assert(!snapshot_is_joined((struct record_id){200, 0}, 15, &facts, 0, 1000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *tests = tcase_create("all");
	tcase_add_test(tests, a_sum_holds_for_all_that_it_says);
	tcase_add_test(tests, a_sum_is_the_same_everywhere);
	tcase_add_test(tests, tells_older_rules_from_newer_ones);
	tcase_add_test(tests, is_of_this_log_or_of_what_it_took_over);
	tcase_add_test(tests, is_joined_to_the_stream_only_without_a_hole);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
