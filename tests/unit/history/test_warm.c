#include "gateway/history/warm.h"

#include <stdio.h>

#include "tests/support/suite.h"

#define LIMIT ((size_t)1 << 20)
#define SESSION SLICE_LITERAL("s")

static struct fold_rules *rules;
static struct warm *warm;

static void start(void)
{
	rules = fold_rules_new(&intake_fields_default, 1);
	warm = warm_new(LIMIT);
}

static void stop(void)
{
	warm_free(warm);
	fold_rules_free(rules);
}

/* A fold of one event with that id. */
static struct fold *fold_at(uint64_t ms)
{
	struct fold *fold = fold_new(rules, LIMIT, SESSION, (struct record_id){0}, 2);
	ck_assert_int_eq(fold_add(fold, (struct record_id){ms, 0}, SLICE_LITERAL("agent:a"), SLICE_LITERAL("{\"a\":1}")), OK);
	return fold;
}

static void put_state(uint64_t ms)
{
	struct fold *fold = fold_at(ms);
	struct buf text;
	buf_init(&text);
	fold_write(fold, &text);
	struct blob *state = blob_new(text.bytes, text.len);
	warm_put_state(warm, SESSION, fold, state);
	blob_unref(state);
	buf_fini(&text);
	fold_free(fold);
}

/* The ms of the nearest place; 0: there is none. */
static uint64_t nearest(uint64_t to_ms)
{
	struct warm_place place;
	return warm_find(warm, SESSION, (struct record_id){to_ms, 0}, &place) ? place.at.ms : 0;
}

START_TEST(gives_the_nearest_place_before_a_moment)
{
	ck_assert_uint_eq(nearest(100), 0);
	warm_put(warm, SESSION, fold_at(10));
	put_state(20);
	put_state(30);
	ck_assert_uint_eq(nearest(9), 0);
	ck_assert_uint_eq(nearest(10), 10);
	ck_assert_uint_eq(nearest(29), 20);
	ck_assert_uint_eq(nearest(1000), 30);
	struct warm_place place;
	ck_assert(!warm_find(warm, SLICE_LITERAL("t"), RECORD_ID_MAX, &place));
	ck_assert(warm_find(warm, SESSION, RECORD_ID_MAX, &place));
	ck_assert_uint_eq(place.entries, 3);
}
END_TEST

START_TEST(a_tree_is_taken_once_and_bytes_stay)
{
	warm_put(warm, SESSION, fold_at(10));
	struct fold *fold = warm_take(warm, rules, LIMIT, SESSION, (struct record_id){10, 0});
	ck_assert_uint_eq(fold->at.ms, 10);
	ck_assert_uint_eq(nearest(100), 0);
	fold_free(fold);
	put_state(20);
	for (unsigned i = 0; i < 2; i++) {
		fold = warm_take(warm, rules, LIMIT, SESSION, (struct record_id){20, 0});
		ck_assert_uint_eq(fold->at.ms, 20);
		ck_assert_uint_eq(fold->events, 1);
		ck_assert_uint_eq(fold->skipped, 2);
		fold_free(fold);
	}
}
END_TEST

START_TEST(keeps_few_trees_of_a_session)
{
	for (uint64_t ms = 10; ms <= 70; ms += 10)
		warm_put(warm, SESSION, fold_at(ms));
	ck_assert_uint_eq(nearest(39), 0);
	ck_assert_uint_eq(nearest(49), 40);
	ck_assert_uint_eq(nearest(1000), 70);
}
END_TEST

START_TEST(stays_within_its_memory_and_drops_the_longest_unused)
{
	for (uint64_t ms = 1; ms <= 20000; ms++) {
		put_state(ms);
		ck_assert_uint_le(warm_bytes(warm), LIMIT);
	}
	ck_assert_uint_eq(nearest(1), 0);
	ck_assert_uint_eq(nearest(30000), 20000);
	warm_fit(warm, LIMIT / 2);
	ck_assert_uint_le(warm_bytes(warm), LIMIT / 2);
	ck_assert_uint_eq(nearest(30000), 20000);
	warm_fit(warm, 0);
	ck_assert_uint_eq(warm_bytes(warm), 0);
}
END_TEST

START_TEST(drops_a_session_or_what_is_behind_a_place)
{
	warm_put(warm, SESSION, fold_at(10));
	put_state(20);
	put_state(30);
	warm_drop_behind(warm, (struct record_id){20, 0});
	ck_assert_uint_eq(nearest(1000), 20);
	warm_drop(warm, SLICE_LITERAL("t"));
	ck_assert_uint_eq(nearest(1000), 20);
	warm_drop(warm, SESSION);
	ck_assert_uint_eq(nearest(1000), 0);
	ck_assert_uint_eq(warm_bytes(warm), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("warm");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, gives_the_nearest_place_before_a_moment);
	tcase_add_test(tests, a_tree_is_taken_once_and_bytes_stay);
	tcase_add_test(tests, keeps_few_trees_of_a_session);
	tcase_add_test(tests, stays_within_its_memory_and_drops_the_longest_unused);
	tcase_add_test(tests, drops_a_session_or_what_is_behind_a_place);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
