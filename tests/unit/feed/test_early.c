#include <check.h>

#include "gateway/feed/early.h"
#include "tests/support/suite.h"

static struct record_id id(uint64_t seq)
{
	return (struct record_id){7, seq};
}

static struct hash128 hash(uint8_t first)
{
	return (struct hash128){{first}};
}

static void push(struct early *early, uint64_t seq)
{
	ck_assert_int_eq(early_push(early, id(seq), hash((uint8_t)seq)), OK);
}

START_TEST(gives_what_its_stamp_reaches_and_forgets_what_is_older)
{
	struct early early;
	struct hash128 found = hash(0);
	early_init(&early);
	ck_assert(!early_reach(&early, id(1), &found));
	push(&early, 3);
	push(&early, 5);
	push(&early, 9);
	ck_assert(!early_reach(&early, id(2), &found));
	ck_assert(early_reach(&early, id(3), &found));
	ck_assert_uint_eq(found.bytes[0], 3);
	ck_assert(!early_reach(&early, id(3), &found));
	ck_assert(early_reach(&early, id(9), &found));
	ck_assert_uint_eq(found.bytes[0], 9);
	ck_assert_ptr_null(early_first(&early));
	early_fini(&early);
}
END_TEST

START_TEST(what_was_found_otherwise_waits_no_more)
{
	struct early early;
	struct hash128 found;
	early_init(&early);
	push(&early, 3);
	push(&early, 4);
	ck_assert(early_take(&early, hash(4)));
	ck_assert(!early_take(&early, hash(4)));
	ck_assert(!early_take(&early, hash(5)));
	ck_assert(early_reach(&early, id(3), &found));
	ck_assert(!early_reach(&early, id(4), &found));
	ck_assert_ptr_null(early_first(&early));
	early_fini(&early);
}
END_TEST

START_TEST(keeps_order_while_it_grows_around_its_end)
{
	struct early early;
	uint64_t next_in = 1, next_out = 1;
	early_init(&early);
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 7; i++)
			push(&early, next_in++);
		for (int i = 0; i < 5; i++, early_pop(&early))
			ck_assert_uint_eq(early_first(&early)->id.seq, next_out++);
	}
	ck_assert_uint_eq(early.count, 400);
	early_clear(&early);
	ck_assert_ptr_null(early_first(&early));
	early_fini(&early);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("early");
	TCase *cases = tcase_create("early");
	tcase_add_test(cases, gives_what_its_stamp_reaches_and_forgets_what_is_older);
	tcase_add_test(cases, what_was_found_otherwise_waits_no_more);
	tcase_add_test(cases, keeps_order_while_it_grows_around_its_end);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
