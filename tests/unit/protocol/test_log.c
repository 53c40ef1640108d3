#include <check.h>

#include "common/protocol/log.h"
#include "tests/support/suite.h"

static struct record_id id(uint64_t ms, uint64_t seq)
{
	return (struct record_id){ms, seq};
}

static void assert_same(struct record_id a, struct record_id b)
{
	ck_assert_msg(record_id_compare(a, b) == 0, "%llu-%llu is not %llu-%llu", (unsigned long long)a.ms,
	              (unsigned long long)a.seq, (unsigned long long)b.ms, (unsigned long long)b.seq);
}

START_TEST(orders_ids_by_time_then_by_number)
{
	ck_assert_int_lt(record_id_compare(id(1, 9), id(2, 0)), 0);
	ck_assert_int_gt(record_id_compare(id(2, 0), id(1, UINT64_MAX)), 0);
	ck_assert_int_lt(record_id_compare(id(1, 1), id(1, UINT64_MAX)), 0);
	ck_assert_int_eq(record_id_compare(id(5, 6), id(5, 6)), 0);
	ck_assert(record_id_is_zero(id(0, 0)));
	ck_assert(!record_id_is_zero(id(0, 1)));
	ck_assert(!record_id_is_zero(id(1, 0)));
}
END_TEST

START_TEST(steps_from_id_to_id_and_stops_at_the_ends)
{
	assert_same(record_id_next(id(1, 2)), id(1, 3));
	assert_same(record_id_next(id(1, UINT64_MAX)), id(2, 0));
	assert_same(record_id_next(RECORD_ID_MAX), RECORD_ID_MAX);
	assert_same(record_id_previous(id(1, 3)), id(1, 2));
	assert_same(record_id_previous(id(2, 0)), id(1, UINT64_MAX));
	assert_same(record_id_previous(id(0, 0)), id(0, 0));
}
END_TEST

START_TEST(reads_the_ids_that_it_writes)
{
	static const struct record_id ids[] = {{0, 0}, {1764031200123, 7}, {UINT64_MAX, UINT64_MAX}, {10, 100}};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		char text[RECORD_ID_TEXT];
		struct record_id back = {1, 1};
		size_t len = record_id_write(text, ids[i]);
		ck_assert_uint_eq(len, strlen(text));
		ck_assert_int_eq(record_id_parse(slice_of(text), &back), OK);
		assert_same(back, ids[i]);
	}
	char text[RECORD_ID_TEXT];
	record_id_write(text, RECORD_ID_MAX);
	ck_assert_str_eq(text, "18446744073709551615-18446744073709551615");
}
END_TEST

START_TEST(refuses_what_is_no_id)
{
	static const char *const texts[] = {
	    "",
	    "-",
	    "1",
	    "1-",
	    "-1",
	    "01-1",
	    "1-01",
	    "1-2-3",
	    "+1-1",
	    "1--1",
	    " 1-1",
	    "1-1 ",
	    "1.1",
	    "0x1-1",
	    "*",
	    "$",
	    "1-1.",
	    "18446744073709551616-0",
	    "0-18446744073709551616",
	    "99999999999999999999-0",
	    "1-1\n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct record_id untouched = {3, 4};
		ck_assert_msg(record_id_parse(slice_of(texts[i]), &untouched) == ERR_INVALID, "%s", texts[i]);
		assert_same(untouched, id(3, 4));
	}
	struct record_id untouched;
	ck_assert_int_eq(record_id_parse((struct slice){"1-1\0", 4}, &untouched), ERR_INVALID);
	ck_assert_int_eq(record_id_parse(SLICE_NONE, &untouched), ERR_INVALID);
}
END_TEST

START_TEST(a_cursor_names_the_upper_half_of_its_epoch)
{
	char text[CURSOR_TEXT];
	struct cursor cursor;
	size_t len = cursor_write(text, id(1764031200123, 7), UINT64_C(0x00ab12cd99999999));
	ck_assert_str_eq(text, "1764031200123-7.00ab12cd");
	ck_assert_uint_eq(len, strlen(text));
	ck_assert_int_eq(cursor_parse(slice_of(text), &cursor), OK);
	assert_same(cursor.id, id(1764031200123, 7));
	ck_assert(cursor.has_epoch);
	ck_assert_uint_eq(cursor.epoch, cursor_epoch(UINT64_C(0x00ab12cd99999999)));
}
END_TEST

START_TEST(the_longest_cursor_fits_its_room)
{
	char text[CURSOR_TEXT];
	ck_assert_uint_lt(cursor_write(text, RECORD_ID_MAX, UINT64_MAX), CURSOR_TEXT);
	ck_assert_str_eq(text, "18446744073709551615-18446744073709551615.ffffffff");
}
END_TEST

START_TEST(a_bare_id_is_a_cursor_of_whatever_epoch_there_is)
{
	struct cursor cursor = {.has_epoch = true};
	ck_assert_int_eq(cursor_parse(slice_of("5-6"), &cursor), OK);
	assert_same(cursor.id, id(5, 6));
	ck_assert(!cursor.has_epoch);
}
END_TEST

START_TEST(refuses_what_is_no_cursor)
{
	static const char *const texts[] = {
	    "",
	    ".",
	    "1-1.",
	    ".00ab12cd",
	    "1-1.00ab12c",
	    "1-1.00ab12cde",
	    "1-1.00AB12CD",
	    "1-1.00ab12cg",
	    "1.1-1",
	    "1-1.00ab12cd.",
	    "x-1.00ab12cd",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct cursor cursor;
		ck_assert_msg(cursor_parse(slice_of(texts[i]), &cursor) == ERR_INVALID, "%s", texts[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *cases = tcase_create("log");
	tcase_add_test(cases, orders_ids_by_time_then_by_number);
	tcase_add_test(cases, steps_from_id_to_id_and_stops_at_the_ends);
	tcase_add_test(cases, reads_the_ids_that_it_writes);
	tcase_add_test(cases, refuses_what_is_no_id);
	tcase_add_test(cases, a_cursor_names_the_upper_half_of_its_epoch);
	tcase_add_test(cases, the_longest_cursor_fits_its_room);
	tcase_add_test(cases, a_bare_id_is_a_cursor_of_whatever_epoch_there_is);
	tcase_add_test(cases, refuses_what_is_no_cursor);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
