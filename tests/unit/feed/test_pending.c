#include <check.h>
#include <stdio.h>

#include "gateway/feed/intake.h"
#include "gateway/feed/pending.h"
#include "gateway/feed/stamps.h"
#include "tests/support/suite.h"

#define EPOCH UINT64_C(0x1122334455667788)

static struct pending pending;

static struct hash128 hash_of(const char *payload)
{
	return stamp_hash(EPOCH, slice_of("trace:s1"), slice_of(payload));
}

static struct pending_record *add(const char *payload)
{
	struct record *record = intake_record(&intake_fields_default, slice_of("trace:s1"), slice_of(payload), 1, 1);
	ck_assert_ptr_nonnull(record);
	struct pending_record *at = pending_add(&pending, record, hash_of(payload), 1);
	ck_assert_ptr_nonnull(at);
	return at;
}

static void take(struct pending_record *at)
{
	record_unref(pending_take(&pending, at));
}

static void open_pending(void)
{
	ck_assert_int_eq(pending_init(&pending), OK);
}

START_TEST(finds_the_oldest_of_those_alike)
{
	open_pending();
	struct pending_record *first = add("1"), *other = add("2"), *second = add("1"), *third = add("1");
	ck_assert_ptr_eq(pending_find(&pending, hash_of("1")), first);
	ck_assert_ptr_eq(pending_next_same(&pending, first), second);
	ck_assert_ptr_eq(pending_next_same(&pending, second), third);
	ck_assert_ptr_null(pending_next_same(&pending, third));
	take(first);
	ck_assert_ptr_eq(pending_find(&pending, hash_of("1")), second);
	take(third);
	ck_assert_ptr_eq(pending_find(&pending, hash_of("1")), second);
	ck_assert_ptr_null(pending_next_same(&pending, second));
	take(second);
	ck_assert_ptr_null(pending_find(&pending, hash_of("1")));
	ck_assert_ptr_eq(pending_find(&pending, hash_of("2")), other);
	ck_assert_ptr_eq(pending_oldest(&pending), other);
	pending_fini(&pending);
}
END_TEST

START_TEST(finds_each_of_very_many_and_counts_their_bytes)
{
	static struct pending_record *all[3000];
	open_pending();
	for (int i = 0; i < 3000; i++) {
		char payload[16];
		snprintf(payload, sizeof payload, "%d", i / 2);
		all[i] = add(payload);
	}
	ck_assert_uint_eq(pending.count, 3000);
	ck_assert_uint_gt(pending.bytes, 3000 * sizeof(struct record));
	for (int i = 0; i < 3000; i++) {
		char payload[16];
		snprintf(payload, sizeof payload, "%d", i / 2);
		ck_assert_ptr_eq(pending_find(&pending, hash_of(payload)), all[i]);
		take(all[i]);
	}
	ck_assert_uint_eq(pending.count, 0);
	ck_assert_uint_eq(pending.bytes, 0);
	pending_fini(&pending);
}
END_TEST

START_TEST(hands_out_what_no_call_took_in_order_and_again_when_it_failed)
{
	static char call;
	struct record_call *taken = (struct record_call *)(void *)&call;
	open_pending();
	struct pending_record *first = add("1"), *own = add("2"), *third = add("3");
	own->is_announced = true;
	ck_assert_ptr_eq(pending_next_unsent(&pending), first);
	first->call = taken;
	ck_assert_ptr_eq(pending_next_unsent(&pending), third);
	third->call = taken;
	ck_assert_ptr_null(pending_next_unsent(&pending));
	struct pending_record *fourth = add("4");
	ck_assert_ptr_eq(pending_next_unsent(&pending), fourth);
	pending_unsend(&pending, taken);
	ck_assert_ptr_eq(pending_next_unsent(&pending), first);
	take(first);
	ck_assert_ptr_eq(pending_next_unsent(&pending), third);
	pending_fini(&pending);
}
END_TEST

START_TEST(hands_out_what_is_undelivered_in_order)
{
	open_pending();
	struct pending_record *first = add("1"), *second = add("2");
	first->is_delivered = true;
	ck_assert_ptr_eq(pending_next_undelivered(&pending), second);
	second->is_delivered = true;
	ck_assert_ptr_null(pending_next_undelivered(&pending));
	struct pending_record *third = add("3");
	ck_assert_ptr_eq(pending_next_undelivered(&pending), third);
	take(third);
	ck_assert_ptr_null(pending_next_undelivered(&pending));
	pending_fini(&pending);
}
END_TEST

START_TEST(files_all_anew_for_another_epoch)
{
	open_pending();
	struct pending_record *first = add("1"), *second = add("1");
	pending_rehash(&pending, EPOCH + 1);
	ck_assert_ptr_null(pending_find(&pending, hash_of("1")));
	ck_assert_ptr_eq(pending_find(&pending, stamp_hash(EPOCH + 1, slice_of("trace:s1"), slice_of("1"))), first);
	ck_assert_ptr_eq(pending_next_same(&pending, first), second);
	pending_fini(&pending);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pending");
	TCase *cases = tcase_create("pending");
	tcase_add_test(cases, finds_the_oldest_of_those_alike);
	tcase_add_test(cases, finds_each_of_very_many_and_counts_their_bytes);
	tcase_add_test(cases, hands_out_what_no_call_took_in_order_and_again_when_it_failed);
	tcase_add_test(cases, hands_out_what_is_undelivered_in_order);
	tcase_add_test(cases, files_all_anew_for_another_epoch);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
