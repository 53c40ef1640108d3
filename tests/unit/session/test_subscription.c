#include "fake_peer.h"

#include "gateway/session/session_inside.h"
#include "gateway/session/subscription.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer, witness;

static void setup(void)
{
	fake_start();
	struct exchange_settings settings = fake_settings();
	exchange = exchange_new(&settings);
	peer_connect(&peer, exchange);
	peer_connect(&witness, exchange);
	peer_next(&peer);
	peer_next(&witness);
	peer_subscribes(&witness, "");
}

static void teardown(void)
{
	peer_leave(&peer);
	peer_leave(&witness);
	ck_assert_uint_eq(metric_read(METRIC_LAGGING), 0);
	exchange_free(exchange);
	fake_end();
}

/* Publishes {"n":from} to {"n":to}, each padded so that about three batches fit under the slow threshold of 4096. */
static void publish_numbers(int from, int to)
{
	static char payload[1200];
	for (int i = from; i <= to; i++) {
		snprintf(payload, sizeof payload, "{\"n\":%d,\"pad\":\"%0*d\"}", i, 1000, 0);
		publish(exchange, "trace:a", payload);
	}
}

static void expect_number(struct peer *who, int number)
{
	char part[32];
	snprintf(part, sizeof part, "\"data\":{\"n\":%d,", number);
	peer_expect_part(who, part);
}

static void expect_witness_saw_all(int from, int to)
{
	for (int i = from; i <= to; i++)
		expect_number(&witness, i);
	peer_expect(&witness, NULL);
}

START_TEST(catchup_counts_what_a_slow_client_misses_and_tells_it_when_it_reads_again)
{
	peer_subscribes(&peer, "");
	peer.is_stuck = true;
	publish_numbers(1, 10);
	ck_assert_uint_eq(metric_read(METRIC_LAGGING), 1);
	peer_unstick(&peer);
	for (int i = 1; i <= 4; i++)
		expect_number(&peer, i);
	peer_expect_part(&peer, "\"after\":null,\"before\":null,\"dropped\":6,\"reason\":\"slow\"}");
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(metric_read(METRIC_DROPPED_SLOW), 6);
	publish_numbers(11, 11);
	expect_number(&peer, 11);
	expect_witness_saw_all(1, 11);
}
END_TEST

START_TEST(catchup_stays_behind_until_all_it_was_owed_is_gone)
{
	peer_subscribes(&peer, "");
	peer.is_stuck = true;
	publish_numbers(1, 6);
	peer.is_buffering = false; /* one frame goes, the next is buffered again */
	session_writable(peer.session);
	publish_numbers(7, 7);
	peer_unstick(&peer);
	for (int i = 1; i <= 4; i++)
		expect_number(&peer, i);
	peer_expect_part(&peer, "\"dropped\":3,");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(drop_loses_the_oldest_and_tells_it_in_their_place)
{
	peer_subscribes(&peer, "\"slow\":\"drop\"");
	peer.is_stuck = true;
	publish_numbers(1, 10);
	peer_unstick(&peer);
	expect_number(&peer, 1);
	peer_expect_part(&peer, "\"dropped\":6,\"reason\":\"slow\"}");
	for (int i = 8; i <= 10; i++)
		expect_number(&peer, i);
	peer_expect(&peer, NULL);
	expect_witness_saw_all(1, 10);
}
END_TEST

START_TEST(conflate_keeps_the_newest_of_each_channel_and_agent)
{
	peer_subscribes(&peer, "\"slow\":\"conflate\"");
	peer.is_stuck = true;
	publish(exchange, "trace:a", "{\"agent\":\"x\",\"n\":1}"); /* is buffered below */
	publish(exchange, "trace:a", "{\"agent\":\"x\",\"n\":2}");
	publish(exchange, "trace:a", "{\"agent\":\"y\",\"n\":3}");
	publish(exchange, "trace:b", "{\"agent\":\"x\",\"n\":4}");
	publish(exchange, "trace:a", "{\"agent\":\"x\",\"n\":5}");
	peer_unstick(&peer);
	peer_expect_part(&peer, "\"n\":1}");
	peer_expect_part(&peer, "\"dropped\":1,\"reason\":\"slow\"}");
	const char *batch = peer_next(&peer);
	ck_assert_ptr_nonnull(batch);
	ck_assert_ptr_null(strstr(batch, "\"n\":2}"));
	const char *third = strstr(batch, "\"n\":3}"), *fourth = strstr(batch, "\"n\":4}"), *fifth = strstr(batch, "\"n\":5}");
	ck_assert(third && fourth && fifth && third < fourth && fourth < fifth);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(metric_read(METRIC_DROPPED_CONFLATED), 1);
	publish(exchange, "trace:a", "{\"agent\":\"x\",\"n\":6}");
	peer_expect_part(&peer, "\"n\":6}");
}
END_TEST

START_TEST(disconnect_closes_with_4502)
{
	peer_subscribes(&peer, "\"slow\":\"disconnect\"");
	peer.is_stuck = true;
	publish_numbers(1, 4);
	ck_assert_uint_eq(peer.close_code, 0);
	publish_numbers(5, 6);
	ck_assert_uint_eq(peer.close_code, 4502);
	ck_assert_int_gt(strlen(peer.close_reason), 10);
	expect_witness_saw_all(1, 6);
}
END_TEST

START_TEST(replies_of_a_slow_client_keep_their_order_and_are_not_dropped)
{
	peer_subscribes(&peer, "\"slow\":\"drop\"");
	peer.is_stuck = true;
	publish_numbers(1, 1);
	peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	publish_numbers(2, 9);
	peer_says(&peer, "{\"id\":2,\"op\":\"ping\"}");
	peer_unstick(&peer);
	expect_number(&peer, 1);
	peer_expect_part(&peer, "{\"id\":1,");
	peer_expect_part(&peer, "\"dropped\":5,");
	for (int i = 7; i <= 9; i++)
		expect_number(&peer, i);
	peer_expect_part(&peer, "{\"id\":2,");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(a_client_that_never_reads_its_replies_is_closed)
{
	peer.is_stuck = true;
	for (size_t i = 0; i < SESSION_CONTROL_BYTES_MAX / 16 && !peer.close_code; i++)
		peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	ck_assert_uint_eq(peer.close_code, 4502);
}
END_TEST

START_TEST(closing_a_lagging_subscription_leaves_nothing_behind)
{
	char request[128];
	snprintf(request, sizeof request, "{\"id\":2,\"op\":\"unsubscribe\",\"sub\":\"%s\"}", peer_subscribes(&peer, ""));
	peer.is_stuck = true;
	publish_numbers(1, 10);
	peer_says(&peer, request);
	ck_assert_uint_eq(metric_read(METRIC_LAGGING), 0);
	peer_unstick(&peer);
	expect_number(&peer, 1);
	peer_expect(&peer, "{\"id\":2,\"ok\":{}}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(changing_the_policy_while_behind_loses_no_count)
{
	peer_subscribes(&peer, "\"slow\":\"conflate\"");
	peer.is_stuck = true;
	publish(exchange, "trace:a", "{\"agent\":\"x\",\"n\":1}");
	publish(exchange, "trace:a", "{\"agent\":\"x\",\"n\":2}");
	publish(exchange, "trace:a", "{\"agent\":\"x\",\"n\":3}");
	peer_says(&peer, "{\"id\":9,\"op\":\"subscribe\"}");
	peer_unstick(&peer);
	peer_expect_part(&peer, "\"n\":1}");
	peer_expect_part(&peer, "{\"id\":9,\"ok\"");
	peer_expect_part(&peer, "\"dropped\":2,");
	peer_expect(&peer, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("subscription");
	TCase *tests = tcase_create("subscription");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, catchup_counts_what_a_slow_client_misses_and_tells_it_when_it_reads_again);
	tcase_add_test(tests, catchup_stays_behind_until_all_it_was_owed_is_gone);
	tcase_add_test(tests, drop_loses_the_oldest_and_tells_it_in_their_place);
	tcase_add_test(tests, conflate_keeps_the_newest_of_each_channel_and_agent);
	tcase_add_test(tests, disconnect_closes_with_4502);
	tcase_add_test(tests, replies_of_a_slow_client_keep_their_order_and_are_not_dropped);
	tcase_add_test(tests, a_client_that_never_reads_its_replies_is_closed);
	tcase_add_test(tests, closing_a_lagging_subscription_leaves_nothing_behind);
	tcase_add_test(tests, changing_the_policy_while_behind_loses_no_count);
	return suite_run(suite);
}
