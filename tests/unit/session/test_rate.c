/* limits.events_per_second: what is above it comes later, or as the client's policy says. */
#include "fake_past.h"

#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;

static void setup(void)
{
	fake_start();
	fake_past_start();
	struct exchange_settings settings = past_settings();
	settings.events_per_second = 20;
	settings.heartbeat_ns = 1000 * NS_PER_S;
	settings.ring_records_max = 1000;
	exchange = exchange_new(&settings);
	peer_connect(&peer, exchange);
	peer_next(&peer);
	tell_feed(exchange, true);
}

static void teardown(void)
{
	peer_leave(&peer);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
	ck_assert_uint_eq(metric_read(METRIC_LAGGING), 0);
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

/* The events that the peer got since it was looked at last, notices left out. */
static unsigned take_events(void)
{
	unsigned count = 0;
	for (const char *at; (at = peer_next(&peer));)
		while ((at = strstr(at, "\"n\":"))) {
			at += 4;
			count++;
		}
	return count;
}

/* Lets the time pass, turn by turn as the exchange wants. */
static void pass(uint64_t ms)
{
	uint64_t end_ns = clock_mono_ns() + ms * NS_PER_MS;
	for (;;) {
		uint64_t next_ns = exchange_end_turn(exchange), now_ns = clock_mono_ns();
		if (now_ns >= end_ns)
			return;
		if (next_ns > end_ns)
			next_ns = end_ns;
		clock_fake_advance_ms(next_ns > now_ns ? (next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0);
	}
}

START_TEST(what_is_over_the_rate_comes_later_and_nothing_is_lost)
{
	peer_subscribes(&peer, "");
	record_events(exchange, 0, 15);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(), 15);
	record_events(exchange, 0, 45);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(), 5);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 1);
	pass(500);
	ck_assert_uint_eq(take_events(), 10);
	pass(1500);
	ck_assert_uint_eq(take_events(), 30);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
	ck_assert_uint_eq(metric_read(METRIC_GAPS), 0);
	pass(1000);
	record_events(exchange, 0, 20);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(), 20);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
}
END_TEST

START_TEST(subscriptions_of_one_session_share_its_rate)
{
	char key[64];
	snprintf(key, sizeof key, "%s", peer_subscribes(&peer, "\"channels\":[\"trace:*\"]"));
	peer_subscribes(&peer, "");
	record_events(exchange, 0, 100);
	exchange_end_turn(exchange);
	take_events();
	pass(2000);
	unsigned first = 0, all = 0;
	for (const char *at; (at = peer_next(&peer));) {
		bool is_first = strstr(at, key) != NULL;
		while ((at = strstr(at, "\"n\":"))) {
			at += 4;
			all++;
			first += is_first;
		}
	}
	ck_assert_uint_eq(all, 40);
	ck_assert_uint_ge(first, 15);
	ck_assert_uint_le(first, 25);
	pass(10000);
	take_events();
}
END_TEST

START_TEST(since_is_paced_too)
{
	record_events(exchange, 0, 60);
	exchange_end_turn(exchange);
	peer_says(&peer, "{\"id\":1,\"op\":\"subscribe\",\"since\":\"earliest\",\"slow\":\"drop\"}");
	peer_expect_part(&peer, "\"recovered\":true");
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(), 20);
	pass(2000);
	ck_assert_uint_eq(take_events(), 40);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
}
END_TEST

START_TEST(drop_keeps_the_newest_that_the_rate_allows_and_tells_the_rest)
{
	peer_subscribes(&peer, "\"slow\":\"drop\"");
	record_events(exchange, 0, 50);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "\"after\":null,\"before\":\"31-0\",\"dropped\":30,\"reason\":\"rate\"}");
	ck_assert_uint_eq(take_events(), 20);
	ck_assert_uint_eq(metric_read(METRIC_DROPPED_RATE), 30);
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(), 0);
	pass(1000);
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "\"after\":\"50-0\",\"before\":\"52-0\",\"dropped\":1,\"reason\":\"rate\"}");
	ck_assert_uint_eq(take_events(), 1);
}
END_TEST

START_TEST(without_ids_what_is_over_the_rate_is_lost_and_told)
{
	peer_subscribes(&peer, "");
	tell_feed(exchange, false);
	take_events();
	for (int i = 0; i < 25; i++)
		publish(exchange, "trace:s0", "{\"n\":1}");
	ck_assert_uint_eq(take_events(), 20);
	pass(1000);
	publish(exchange, "trace:s0", "{\"n\":2}");
	peer_expect_part(&peer, "\"dropped\":5,\"reason\":\"rate\"}");
	ck_assert_uint_eq(take_events(), 1);
}
END_TEST

START_TEST(conflate_keeps_the_newest_of_each_key_until_the_rate_allows_it)
{
	peer_subscribes(&peer, "\"slow\":\"conflate\"");
	for (int i = 0; i < 20; i++)
		record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(), 20);
	record_events(exchange, 0, 3);
	record_events(exchange, 1, 2);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(), 0);
	pass(200);
	peer_expect_part(&peer, "\"after\":\"20-0\",\"before\":null,\"dropped\":3,\"reason\":\"slow\"}");
	ck_assert_uint_eq(take_events(), 2);
}
END_TEST

START_TEST(disconnect_closes_with_4502)
{
	peer_subscribes(&peer, "\"slow\":\"disconnect\"");
	record_events(exchange, 0, 20);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(peer.close_code, 0);
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(peer.close_code, 4502);
}
END_TEST

START_TEST(the_past_has_a_rate_of_its_own_and_live_events_do_not_wait_for_it)
{
	peer_leave(&peer);
	exchange_free(exchange);
	struct exchange_settings settings = past_settings();
	settings.events_per_second = 1000;
	settings.history_events_per_second = 20;
	settings.heartbeat_ns = 1000 * NS_PER_S;
	settings.ring_records_max = 1000;
	exchange = exchange_new(&settings);
	peer_connect(&peer, exchange);
	peer_next(&peer);
	tell_feed(exchange, true);
	record_events(exchange, 0, 60);
	exchange_end_turn(exchange);
	peer_subscribes(&peer, "");
	peer_says(&peer, "{\"id\":7,\"op\":\"history\",\"channels\":[\"*\"],\"limit\":60}");
	settle(exchange);
	ck_assert_uint_eq(take_events(), 20);
	pass(500);
	ck_assert_uint_eq(take_events(), 10);
	record_events(exchange, 0, 50);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(), 50);
	pass(1600);
	ck_assert_uint_eq(take_events(), 30);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rate");
	TCase *tests = tcase_create("rate");
	tcase_add_test(tests, the_past_has_a_rate_of_its_own_and_live_events_do_not_wait_for_it);
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, what_is_over_the_rate_comes_later_and_nothing_is_lost);
	tcase_add_test(tests, subscriptions_of_one_session_share_its_rate);
	tcase_add_test(tests, since_is_paced_too);
	tcase_add_test(tests, drop_keeps_the_newest_that_the_rate_allows_and_tells_the_rest);
	tcase_add_test(tests, without_ids_what_is_over_the_rate_is_lost_and_told);
	tcase_add_test(tests, conflate_keeps_the_newest_of_each_key_until_the_rate_allows_it);
	tcase_add_test(tests, disconnect_closes_with_4502);
	return suite_run(suite);
}
