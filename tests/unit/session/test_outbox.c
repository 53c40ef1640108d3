#include <check.h>
#include <stdlib.h>

#include "gateway/session/outbox.h"
#include "tests/support/suite.h"

/* The outbox only compares the pointer. */
static char one_place, other_place;
static struct subscription *const one = (struct subscription *)&one_place;
static struct subscription *const other = (struct subscription *)&other_place;

static void push(struct outbox *outbox, const char *text, struct subscription *subscription, size_t events)
{
	struct blob *frame = blob_new(text, strlen(text));
	ck_assert_ptr_nonnull(frame);
	ck_assert_int_eq(outbox_push(outbox, frame, subscription, events), OK);
	blob_unref(frame);
}

static void expect_first(struct outbox *outbox, const char *text)
{
	struct parcel *parcel = outbox_first(outbox);
	ck_assert_ptr_nonnull(parcel);
	ck_assert_uint_eq(parcel->frame->len, strlen(text));
	ck_assert_mem_eq(parcel->frame->bytes, text, strlen(text));
	outbox_drop(outbox, parcel);
}

START_TEST(gives_parcels_in_the_order_they_came)
{
	struct outbox outbox;
	outbox_init(&outbox);
	ck_assert(outbox_is_empty(&outbox));
	push(&outbox, "a", one, 1);
	push(&outbox, "bb", NULL, 0);
	push(&outbox, "ccc", other, 3);
	ck_assert_uint_eq(outbox.event_bytes, 4);
	ck_assert_uint_eq(outbox.control_bytes, 2);
	expect_first(&outbox, "a");
	expect_first(&outbox, "bb");
	expect_first(&outbox, "ccc");
	ck_assert_ptr_null(outbox_first(&outbox));
	ck_assert_uint_eq(outbox.event_bytes + outbox.control_bytes, 0);
	outbox_fini(&outbox);
}
END_TEST

START_TEST(puts_a_heartbeat_ahead_of_what_waits)
{
	struct outbox outbox;
	outbox_init(&outbox);
	push(&outbox, "events", one, 1);
	struct blob *ping = blob_new("ping", 4);
	ck_assert_int_eq(outbox_push_first(&outbox, ping), OK);
	blob_unref(ping);
	expect_first(&outbox, "ping");
	expect_first(&outbox, "events");
	outbox_fini(&outbox);
}
END_TEST

START_TEST(drops_the_oldest_of_one_subscription_only)
{
	struct outbox outbox;
	outbox_init(&outbox);
	push(&outbox, "other 1", other, 1);
	push(&outbox, "one 1", one, 5);
	push(&outbox, "one 2", one, 7);
	ck_assert_uint_eq(outbox_drop_oldest(&outbox, one), 5);
	expect_first(&outbox, "other 1");
	expect_first(&outbox, "one 2");
	ck_assert_uint_eq(outbox_drop_oldest(&outbox, one), 0);
	outbox_fini(&outbox);
}
END_TEST

START_TEST(shares_the_frame_and_lets_go_of_it)
{
	struct outbox outbox;
	outbox_init(&outbox);
	struct blob *frame = blob_new("x", 1);
	ck_assert_int_eq(outbox_push(&outbox, frame, one, 1), OK);
	ck_assert_int_eq(outbox_push(&outbox, frame, other, 1), OK);
	ck_assert_uint_eq(frame->refs.count, 3);
	outbox_fini(&outbox);
	ck_assert_uint_eq(frame->refs.count, 1);
	blob_unref(frame);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outbox");
	TCase *tests = tcase_create("outbox");
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, gives_parcels_in_the_order_they_came);
	tcase_add_test(tests, puts_a_heartbeat_ahead_of_what_waits);
	tcase_add_test(tests, drops_the_oldest_of_one_subscription_only);
	tcase_add_test(tests, shares_the_frame_and_lets_go_of_it);
	return suite_run(suite);
}
