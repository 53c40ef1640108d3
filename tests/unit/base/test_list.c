#include <check.h>
#include <stdlib.h>

#include "common/base/list.h"
#include "tests/support/suite.h"

struct member {
	int number;
	struct list link;
};

static struct list head;
static struct member members[3] = {{.number = 1}, {.number = 2}, {.number = 3}};

static void fill(void)
{
	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_append(&head, &members[i].link);
}

static int read_digits(void)
{
	int digits = 0;
	LIST_FOREACH(&head, at, following)
	{
		digits = digits * 10 + LIST_ENTRY(at, struct member, link)->number;
	}
	return digits;
}

START_TEST(keeps_the_order_of_joining)
{
	list_init(&head);
	ck_assert(list_is_empty(&head));
	ck_assert_int_eq(read_digits(), 0);
	fill();
	ck_assert(!list_is_empty(&head));
	ck_assert_int_eq(read_digits(), 123);
}
END_TEST

START_TEST(removing_twice_is_harmless)
{
	fill();
	list_remove(&members[1].link);
	list_remove(&members[1].link);
	ck_assert_int_eq(read_digits(), 13);
	list_append(&head, &members[1].link);
	ck_assert_int_eq(read_digits(), 132);
}
END_TEST

START_TEST(the_current_member_may_leave_inside_the_loop)
{
	fill();
	LIST_FOREACH(&head, at, following)
	{
		list_remove(at);
	}
	ck_assert(list_is_empty(&head));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("list");
	TCase *cases = tcase_create("list");
	tcase_add_test(cases, keeps_the_order_of_joining);
	tcase_add_test(cases, removing_twice_is_harmless);
	tcase_add_test(cases, the_current_member_may_leave_inside_the_loop);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
