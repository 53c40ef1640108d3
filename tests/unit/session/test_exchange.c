#include "fake_peer.h"

#include "gateway/session/cohort.h"
#include "gateway/session/front.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer a, b;

static void begin(struct exchange_settings settings)
{
	exchange = exchange_new(&settings);
	peer_connect(&a, exchange);
	peer_connect(&b, exchange);
	peer_next(&a);
	peer_next(&b);
}

static void setup(void)
{
	fake_start();
	begin(fake_settings());
}

static void teardown(void)
{
	peer_leave(&a);
	peer_leave(&b);
	exchange_free(exchange);
	fake_end();
}

START_TEST(sends_the_event_as_it_was_published)
{
	peer_subscribes(&a, "");
	publish(exchange, "trace:s1", "{\"big\":123456789012345678901234567890,\"f\":1.0, \"z\":-0}");
	peer_expect_part(&a, "\"events\":[{\"channel\":\"trace:s1\",\"ts\":1764031200123,"
			     "\"data\":{\"big\":123456789012345678901234567890,\"f\":1.0, \"z\":-0}}]}");
	peer_expect(&b, NULL);
}
END_TEST

START_TEST(members_of_a_cohort_get_the_same_frame_that_is_made_once)
{
	peer_subscribes(&a, "\"filter\":{\"type\":[\"tool.*\"]}");
	peer_subscribes(&b, "\"filter\":{\"type\":[\"tool.*\"]}");
	ck_assert_uint_eq(metric_read(METRIC_COHORTS), 1);
	publish(exchange, "trace:s1", "{\"type\":\"tool.call\"}");
	publish(exchange, "trace:s1", "{\"type\":\"other\"}");
	ck_assert_uint_eq(metric_read(METRIC_BATCHES), 1);
	ck_assert_uint_eq(metric_read(METRIC_EVENTS_OUT), 2);
	ck_assert_uint_eq(a.received.len, b.received.len);
	peer_expect_part(&a, "tool.call");
	peer_expect_part(&b, "tool.call");
}
END_TEST

START_TEST(joins_all_events_of_a_turn_into_one_batch_in_order)
{
	peer_subscribes(&a, "");
	for (int i = 0; i < 3; i++)
		deliver(exchange, "trace:s1", i == 0 ? "10" : i == 1 ? "11" : "12");
	peer_expect(&a, NULL);
	exchange_end_turn(exchange);
	const char *batch = peer_next(&a);
	const char *first = strstr(batch, ":10}"), *second = strstr(batch, ":11}"), *third = strstr(batch, ":12}");
	ck_assert(first && second && third && first < second && second < third);
	peer_expect(&a, NULL);
}
END_TEST

START_TEST(closes_a_batch_that_is_long_enough)
{
	peer_subscribes(&a, "");
	for (int i = 0; i < 2500; i++)
		deliver(exchange, "trace:s1", "1");
	exchange_end_turn(exchange);
	int batches = 0;
	while (peer_next(&a))
		batches++;
	ck_assert_int_ge(batches, 3);
	ck_assert_uint_eq(metric_read(METRIC_EVENTS_OUT), 2500);
}
END_TEST

START_TEST(sends_an_event_longer_than_a_batch_alone)
{
	peer_subscribes(&a, "");
	static char payload[200 * 1024];
	memset(payload, 'x', sizeof payload - 1);
	deliver(exchange, "trace:s1", "1");
	deliver(exchange, "trace:s1", payload);
	deliver(exchange, "trace:s1", "2");
	exchange_end_turn(exchange);
	peer_expect_part(&a, "\"data\":1}]}");
	peer_expect_part(&a, "xxx\",\"format\":\"text\"}]}");
	peer_expect_part(&a, "\"data\":2}]}");
	peer_expect(&a, NULL);
}
END_TEST

START_TEST(a_newcomer_gets_nothing_from_before_it_came)
{
	peer_subscribes(&a, "");
	deliver(exchange, "trace:s1", "1");
	peer_subscribes(&b, "");
	deliver(exchange, "trace:s1", "2");
	exchange_end_turn(exchange);
	peer_expect_part(&b, "\"data\":2}]}");
	peer_expect(&b, NULL);
	peer_expect_part(&a, "\"data\":1}]}");
	peer_expect_part(&a, "\"data\":2}]}");
}
END_TEST

START_TEST(a_session_with_two_subscriptions_gets_each_with_its_key)
{
	char all[64], one[64];
	snprintf(all, sizeof all, "%s", peer_subscribes(&a, ""));
	snprintf(one, sizeof one, "%s", peer_subscribes(&a, "\"channels\":[\"agent:*\"]"));
	publish(exchange, "agent:x", "1");
	const char *parts[2] = {all, one};
	for (int i = 0; i < 2; i++) {
		const char *got = peer_next(&a);
		ck_assert_msg(got && (strstr(got, parts[0]) || strstr(got, parts[1])), "got %s", got ? got : "nothing");
	}
	peer_expect(&a, NULL);
}
END_TEST

START_TEST(waits_for_the_interval_between_batches_but_not_for_a_lone_event)
{
	teardown();
	fake_start();
	struct exchange_settings settings = fake_settings();
	settings.batch_interval_ns = 10 * NS_PER_MS;
	begin(settings);
	peer_subscribes(&a, "");
	publish(exchange, "trace:s", "1");
	peer_expect_part(&a, "\"data\":1}");
	deliver(exchange, "trace:s", "2");
	ck_assert_uint_eq(exchange_end_turn(exchange), clock_mono_ns() + 10 * NS_PER_MS);
	peer_expect(&a, NULL);
	clock_fake_advance_ms(10);
	exchange_end_turn(exchange);
	peer_expect_part(&a, "\"data\":2}");
}
END_TEST

START_TEST(an_event_waits_no_longer_than_the_longest_delay)
{
	teardown();
	fake_start();
	struct exchange_settings settings = fake_settings();
	settings.batch_interval_ns = 10 * NS_PER_S;
	begin(settings);
	peer_subscribes(&a, "");
	publish(exchange, "trace:s", "1");
	peer_expect_part(&a, "\"data\":1}");
	deliver(exchange, "trace:s", "2");
	ck_assert_uint_eq(exchange_end_turn(exchange), clock_mono_ns() + 50 * NS_PER_MS);
	clock_fake_advance_ms(50);
	exchange_end_turn(exchange);
	peer_expect_part(&a, "\"data\":2}");
}
END_TEST

START_TEST(pings_and_closes_who_gives_no_sign_of_life)
{
	clock_fake_advance_ms(10000);
	uint64_t next = exchange_end_turn(exchange);
	ck_assert_uint_eq(next, clock_mono_ns() + 10 * NS_PER_S);
	peer_expect(&a, "<ping>");
	peer_expect(&b, "<ping>");
	session_pong(a.session);
	clock_fake_advance_ms(10000);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(a.close_code, 0);
	ck_assert_uint_eq(b.close_code, 4501);
	clock_fake_advance_ms(10000);
	exchange_end_turn(exchange);
	peer_expect(&a, "<ping>");
	peer_expect(&b, NULL);
}
END_TEST

START_TEST(a_client_that_is_still_taking_what_it_was_sent_is_slow_not_stale)
{
	a.delivery = (struct port_delivery){.acked_bytes = 100, .has_unacked = true};
	clock_fake_advance_ms(10000);
	exchange_end_turn(exchange);
	a.delivery.acked_bytes = 200;
	clock_fake_advance_ms(10000);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(a.close_code, 0);
	clock_fake_advance_ms(10000);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(a.close_code, 4501);
}
END_TEST

START_TEST(tells_every_session_what_becomes_of_redis)
{
	exchange_notice(exchange, NOTICE_REDIS_DOWN);
	exchange_notice(exchange, NOTICE_REDIS_UP);
	peer_expect(&a, "{\"op\":\"notice\",\"code\":\"redisDown\"}");
	peer_expect(&a, "{\"op\":\"notice\",\"code\":\"redisUp\"}");
	peer_expect(&b, "{\"op\":\"notice\",\"code\":\"redisDown\"}");
}
END_TEST

START_TEST(drains_sessions_one_after_the_other_over_the_spread)
{
	exchange_drain(exchange, 1000 * NS_PER_MS);
	unsigned waits[2];
	struct peer *peers[2] = {&a, &b};
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(sscanf(peer_next(peers[i]), "{\"op\":\"notice\",\"code\":\"draining\",\"reconnectInMs\":%u}", &waits[i]), 1);
	ck_assert_uint_lt(waits[0], 500);
	ck_assert(waits[1] >= 500 && waits[1] < 1000);
	clock_fake_advance_ms(500);
	ck_assert_uint_le(exchange_end_turn(exchange), clock_mono_ns() + 500 * NS_PER_MS);
	ck_assert_uint_eq(a.close_code, 1012);
	clock_fake_advance_ms(500);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(b.close_code, 1012);
}
END_TEST

START_TEST(closing_from_within_a_turn_leaves_the_rest_of_the_turn_whole)
{
	peer_subscribes(&a, "");
	peer_subscribes(&b, "");
	session_close(a.session, CLOSE_INTERNAL);
	publish(exchange, "trace:s", "1");
	peer_expect(&a, NULL);
	peer_expect_part(&b, "\"data\":1}");
}
END_TEST

START_TEST(finds_the_front_of_a_subprotocol)
{
	ck_assert_ptr_eq(front_find(slice_of("tracegate.v1.json")), &front_json);
	ck_assert_ptr_eq(front_find(slice_of("tracegate.v1.msgpack")), &front_msgpack);
	ck_assert_ptr_null(front_find(slice_of("tracegate.v2.json")));
	ck_assert_ptr_null(front_find(SLICE_NONE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exchange");
	TCase *tests = tcase_create("exchange");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, sends_the_event_as_it_was_published);
	tcase_add_test(tests, members_of_a_cohort_get_the_same_frame_that_is_made_once);
	tcase_add_test(tests, joins_all_events_of_a_turn_into_one_batch_in_order);
	tcase_add_test(tests, closes_a_batch_that_is_long_enough);
	tcase_add_test(tests, sends_an_event_longer_than_a_batch_alone);
	tcase_add_test(tests, a_newcomer_gets_nothing_from_before_it_came);
	tcase_add_test(tests, a_session_with_two_subscriptions_gets_each_with_its_key);
	tcase_add_test(tests, waits_for_the_interval_between_batches_but_not_for_a_lone_event);
	tcase_add_test(tests, an_event_waits_no_longer_than_the_longest_delay);
	tcase_add_test(tests, pings_and_closes_who_gives_no_sign_of_life);
	tcase_add_test(tests, a_client_that_is_still_taking_what_it_was_sent_is_slow_not_stale);
	tcase_add_test(tests, tells_every_session_what_becomes_of_redis);
	tcase_add_test(tests, drains_sessions_one_after_the_other_over_the_spread);
	tcase_add_test(tests, closing_from_within_a_turn_leaves_the_rest_of_the_turn_whole);
	tcase_add_test(tests, finds_the_front_of_a_subprotocol);
	return suite_run(suite);
}
