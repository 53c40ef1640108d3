#include "fake_replay.h"

#include "tests/support/suite.h"

static void setup(void)
{
	replay_test_begin(past_settings());
}

static void restart(struct exchange_settings settings)
{
	replay_test_end();
	replay_test_begin(settings);
}

static unsigned live_seen;

/* What came of a replay that goes live: first its own batches, the end, then the subscription's; each event once. */
static void expect_seam(unsigned from, unsigned to)
{
	unsigned numbers[4096], next = from;
	bool is_live = false;
	for (const char *message; (message = peer_next(&peer));) {
		if (strstr(message, "\"op\":\"replayEnd\"")) {
			ck_assert(!is_live && strstr(message, "\"sub\":\""));
			is_live = true;
		} else if (strstr(message, "\"op\":\"events\"")) {
			ck_assert_int_eq(strstr(message, "\"sub\":\"") != NULL, is_live);
			size_t count = numbers_of(message, numbers);
			for (size_t i = 0; i < count; i++)
				ck_assert_uint_eq(numbers[i], next++);
			live_seen += is_live ? (unsigned)count : 0;
		}
	}
	ck_assert(is_live);
	ck_assert_uint_eq(next, to + 1);
}

START_TEST(goes_live_without_a_gap_or_a_double_while_events_arrive)
{
	for (int turn = 0; turn < 40; turn++) {
		restart(past_settings());
		record_events(exchange, 0, 100);
		replays("\"session\":\"s0\",\"speed\":\"max\",\"then\":\"live\"");
		peer_next(&peer);
		live_seen = 0;
		for (int i = 0; i < 60; i++) {
			if (i % 3 == turn % 3)
				record_events(exchange, 0, 1 + (unsigned)turn % 4);
			exchange_end_turn(exchange);
			if (past.waiting_count && i % (turn / 8 + 1) == 0)
				fake_answer(exchange, 0, OK);
			clock_fake_advance_ms(20);
		}
		settle(exchange);
		record_events(exchange, 0, 3);
		clock_fake_advance_ms(100);
		settle(exchange);
		expect_seam(1, (unsigned)past.count);
		ck_assert_uint_gt(live_seen, 0);
		ck_assert_int_eq(metric_read(METRIC_REPLAYS), 0);
		ck_assert_int_eq(metric_read(METRIC_SUBSCRIPTIONS), 1);
		ck_assert_int_eq(metric_read(METRIC_CATCHING_UP), 0);
	}
}
END_TEST

START_TEST(goes_on_behind_the_end_of_its_range)
{
	record_events(exchange, 0, 100);
	exchange_end_turn(exchange);
	replays("\"to\":\"60-0\",\"speed\":\"max\",\"then\":\"live\"");
	settle(exchange);
	record_events(exchange, 0, 1);
	clock_fake_advance_ms(100);
	settle(exchange);
	peer_next(&peer);
	expect_seam(1, 101);
	controls("\"play\"");
	peer_expect_part(&peer, "\"code\":\"no_such_replay\"");
}
END_TEST

START_TEST(a_range_that_ends_in_the_future_goes_live_at_the_head)
{
	record_events(exchange, 0, 10);
	exchange_end_turn(exchange);
	replays("\"from\":\"2030-01-01T00:00:00Z\",\"to\":\"2031-01-01T00:00:00Z\",\"then\":\"live\"");
	settle(exchange);
	record_events(exchange, 0, 1);
	clock_fake_advance_ms(100);
	settle(exchange);
	peer_next(&peer);
	expect_seam(11, 11);
}
END_TEST

START_TEST(a_subscription_that_there_is_stays_where_it_is)
{
	char sub[64];
	snprintf(sub, sizeof sub, "%s", peer_subscribes(&peer, ""));
	record_events(exchange, 0, 10);
	clock_fake_advance_ms(100);
	settle(exchange);
	peer_expect_part(&peer, "\"n\":10");
	replays("\"speed\":\"max\",\"then\":\"live\"");
	settle(exchange);
	peer_next(&peer);
	expect_replayed(1, 10);
	char end[160];
	snprintf(end, sizeof end, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"10-0\",\"sub\":\"%s\"}", sub);
	peer_expect(&peer, end);
	record_events(exchange, 0, 1);
	clock_fake_advance_ms(100);
	settle(exchange);
	peer_expect_part(&peer, "\"n\":11");
	peer_expect(&peer, NULL);
	ck_assert_int_eq(metric_read(METRIC_SUBSCRIPTIONS), 1);
}
END_TEST

START_TEST(says_so_where_there_is_no_room_for_a_subscription)
{
	struct exchange_settings settings = past_settings();
	settings.subscriptions_max = 1;
	restart(settings);
	peer_subscribes(&peer, "\"channels\":[\"agent:*\"]");
	record_events(exchange, 0, 1);
	replays("\"speed\":\"max\",\"then\":\"live\"");
	settle(exchange);
	peer_next(&peer);
	expect_replayed(1, 1);
	peer_expect_part(&peer, "\"at\":\"1-0\",\"error\":{\"code\":\"too_many_subscriptions\"");
	controls("\"pause\"");
	peer_expect(&peer, "{\"id\":2,\"ok\":{\"at\":\"1-0\",\"state\":\"ended\"}}");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("replay_live");
	tcase_add_checked_fixture(tests, setup, replay_test_end);
	tcase_add_test(tests, goes_live_without_a_gap_or_a_double_while_events_arrive);
	tcase_add_test(tests, goes_on_behind_the_end_of_its_range);
	tcase_add_test(tests, a_range_that_ends_in_the_future_goes_live_at_the_head);
	tcase_add_test(tests, a_subscription_that_there_is_stays_where_it_is);
	tcase_add_test(tests, says_so_where_there_is_no_room_for_a_subscription);
	Suite *suite = suite_create("replay_live");
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
