#include "gateway/history/line.h"

#include <check.h>
#include <stdlib.h>

#include "tests/support/suite.h"

static struct line line;
static struct line_item items[6];
static const int askers[2];

static void start(void)
{
	line_init(&line);
	for (size_t i = 0; i < 6; i++) {
		items[i] = (struct line_item){.lane = NULL};
		list_init(&items[i].link);
	}
}

static void join(size_t item, size_t asker)
{
	ck_assert_int_eq(line_join(&line, &askers[asker], &items[item]), OK);
}

START_TEST(askers_take_turns_and_each_keeps_its_order)
{
	static const size_t order[] = {0, 4, 1, 5, 2, 3};
	for (size_t i = 0; i < 6; i++)
		join(i, i >= 4);
	ck_assert_uint_eq(line.count, 6);
	for (size_t i = 0; i < 6; i++)
		ck_assert_ptr_eq(line_next(&line), &items[order[i]]);
	ck_assert_ptr_null(line_next(&line));
	ck_assert_uint_eq(line.count, 0);
}
END_TEST

START_TEST(who_joins_again_is_first_of_its_lane)
{
	join(0, 0);
	join(1, 0);
	ck_assert_int_eq(line_rejoin(&line, &askers[0], &items[2]), OK);
	ck_assert_ptr_eq(line_next(&line), &items[2]);
	ck_assert_ptr_eq(line_next(&line), &items[0]);
}
END_TEST

START_TEST(who_left_is_not_called)
{
	join(0, 0);
	join(1, 0);
	line_leave(&line, &items[0]);
	line_leave(&line, &items[0]);
	ck_assert_uint_eq(line.count, 1);
	ck_assert_ptr_eq(line_next(&line), &items[1]);
}
END_TEST

static void leave_even(struct line_item *item, void *context)
{
	size_t *visited = context;
	*visited += 1;
	if ((item - items) % 2 == 0)
		line_leave(&line, item);
}

START_TEST(a_walk_may_take_items_out)
{
	size_t visited = 0;
	for (size_t i = 0; i < 6; i++)
		join(i, i >= 3);
	line_each(&line, leave_even, &visited);
	ck_assert_uint_eq(visited, 6);
	ck_assert_uint_eq(line.count, 3);
	line_each(&line, leave_even, &visited);
	ck_assert_uint_eq(visited, 9);
}
END_TEST

static void finish(void)
{
	line_fini(&line);
}

int main(void)
{
	Suite *suite = suite_create("line");
	TCase *tests = tcase_create("line");
	tcase_add_checked_fixture(tests, start, finish);
	tcase_add_test(tests, askers_take_turns_and_each_keeps_its_order);
	tcase_add_test(tests, who_joins_again_is_first_of_its_lane);
	tcase_add_test(tests, who_left_is_not_called);
	tcase_add_test(tests, a_walk_may_take_items_out);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
