#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/data/table.h"
#include "tests/support/suite.h"

#define MANY 5000

static struct table table;

START_TEST(finds_what_was_put_and_nothing_else)
{
	int one = 1, two = 2;
	table_init(&table);
	ck_assert_ptr_null(table_get(&table, SLICE_LITERAL("a")));
	ck_assert_int_eq(table_put(&table, SLICE_LITERAL("a"), &one), OK);
	ck_assert_int_eq(table_put(&table, SLICE_LITERAL("a\0b"), &two), OK);
	ck_assert_ptr_eq(table_get(&table, SLICE_LITERAL("a")), &one);
	ck_assert_ptr_eq(table_get(&table, SLICE_LITERAL("a\0b")), &two);
	ck_assert_ptr_null(table_get(&table, SLICE_LITERAL("a\0c")));
	ck_assert_uint_eq(table_count(&table), 2);
	table_fini(&table);
}
END_TEST

START_TEST(keeps_the_first_of_two_equal_keys)
{
	int one = 1, two = 2;
	table_init(&table);
	ck_assert_int_eq(table_put(&table, SLICE_LITERAL("k"), &one), OK);
	ck_assert_int_eq(table_put(&table, SLICE_LITERAL("k"), &two), ERR_EXISTS);
	ck_assert_ptr_eq(table_remove(&table, SLICE_LITERAL("k")), &one);
	ck_assert_ptr_null(table_remove(&table, SLICE_LITERAL("k")));
	ck_assert_int_eq(table_put(&table, SLICE_LITERAL("k"), &two), OK);
	ck_assert_ptr_eq(table_get(&table, SLICE_LITERAL("k")), &two);
	table_fini(&table);
}
END_TEST

START_TEST(holds_many_and_forgets_all_at_its_end)
{
	static char keys[MANY][8];
	table_init(&table);
	for (int i = 0; i < MANY; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		ck_assert_int_eq(table_put(&table, slice_of(keys[i]), keys[i]), OK);
	}
	for (int i = 0; i < MANY; i += 2)
		ck_assert_ptr_eq(table_remove(&table, slice_of(keys[i])), keys[i]);
	ck_assert_uint_eq(table_count(&table), MANY / 2);
	for (int i = 0; i < MANY; i++)
		ck_assert_ptr_eq(table_get(&table, slice_of(keys[i])), i % 2 ? keys[i] : NULL);
	table_fini(&table);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *cases = tcase_create("table");
	tcase_add_test(cases, finds_what_was_put_and_nothing_else);
	tcase_add_test(cases, keeps_the_first_of_two_equal_keys);
	tcase_add_test(cases, holds_many_and_forgets_all_at_its_end);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
