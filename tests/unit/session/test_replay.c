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

/* 1,000 events of s0 with silences from nothing to some seconds. */
static void record_a_story(void)
{
	uint64_t ms = 1000;
	for (unsigned i = 0; i < 1000; i++) {
		record_at(ms, i, 0);
		ms += i % 10 == 0 ? 0 : i % 100 == 99 ? 3000 : i % 7;
	}
	exchange_end_turn(exchange);
}

/* Replays and compares the moment of each event with the one that it is due at. */
static void expect_pace(const char *members, double speed, uint64_t max_gap_ms)
{
	uint64_t start_ns = clock_mono_ns(), recorded_ms = 0;
	unsigned numbers[4096], seen = 0;
	bool has_ended = false;
	replays(members);
	peer_expect(&peer, "{\"id\":1,\"ok\":{\"replay\":\"r1\"}}");
	while (!has_ended) {
		settle(exchange);
		const char *message = peer_next(&peer);
		if (!message) {
			ck_assert(go_on());
			continue;
		}
		has_ended = strstr(message, "\"op\":\"replayEnd\"") != NULL;
		size_t count = numbers_of(message, numbers);
		for (size_t i = 0; i < count; i++) {
			uint64_t gap_ms = seen ? past.events[seen].id.ms - past.events[seen - 1].id.ms : 0;
			recorded_ms += gap_ms < max_gap_ms ? gap_ms : max_gap_ms;
			uint64_t due_ns =
			    start_ns + (speed > 0 ? (uint64_t)((double)(recorded_ms * NS_PER_MS) / speed) : 0);
			ck_assert_uint_eq(numbers[i], ++seen);
			ck_assert_uint_ge(clock_mono_ns(), due_ns);
			ck_assert_uint_le(clock_mono_ns(), due_ns + 5 * NS_PER_MS);
		}
	}
	ck_assert_uint_eq(seen, past.count);
}

START_TEST(keeps_the_recorded_pace)
{
	record_a_story();
	expect_pace("\"session\":\"s0\"", 1, UINT64_MAX);
}
END_TEST

START_TEST(keeps_any_speed)
{
	static const struct {
		const char *members;
		double speed;
	} cases[] = {{"\"speed\":0.1", 0.1},
	             {"\"speed\":4", 4},
	             {"\"speed\":2.5e1", 25},
	             {"\"speed\":1000", 1000},
	             {"\"speed\":\"max\"", 0}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		restart(past_settings());
		record_a_story();
		expect_pace(cases[i].members, cases[i].speed, UINT64_MAX);
	}
}
END_TEST

START_TEST(cuts_silences)
{
	record_a_story();
	expect_pace("\"speed\":2,\"maxGapMs\":100", 2, 100);
}
END_TEST

START_TEST(a_lone_event_is_given_exactly_when_it_is_due)
{
	record_at(1000, 0, 0);
	record_at(1333, 0, 0);
	exchange_end_turn(exchange);
	replays("\"speed\":4");
	settle(exchange);
	peer_next(&peer);
	expect_replayed(1, 1);
	ck_assert(go_on());
	settle(exchange);
	expect_replayed(2, 2);
	ck_assert_uint_eq(clock_mono_ns(), NS_PER_S + 333 * NS_PER_MS / 4);
}
END_TEST

START_TEST(gives_a_session_or_channels_or_what_a_filter_wants)
{
	for (unsigned i = 1; i <= 30; i++)
		record_at(i, 0, i % 3 == 0);
	replays("\"session\":\"s1\",\"speed\":\"max\"");
	settle(exchange);
	peer_expect(&peer, "{\"id\":1,\"ok\":{\"replay\":\"r1\"}}");
	const char *message = peer_next(&peer);
	unsigned numbers[4096];
	ck_assert_uint_eq(numbers_of(message, numbers), 10);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_uint_eq(numbers[i], 3 * (i + 1));
	ck_assert_ptr_nonnull(strstr(
	    message, "{\"op\":\"events\",\"replay\":\"r1\",\"cursor\":\"30-0.11223344\",\"events\":[{\"id\":\"3-0\","
	             "\"channel\":\"trace:s1\","));
	peer_expect(&peer, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"30-0\"}");
	replays("\"channels\":[\"trace:s0\"],\"from\":\"5-0\",\"to\":7,\"speed\":\"max\"");
	settle(exchange);
	peer_expect(&peer, "{\"id\":1,\"ok\":{\"replay\":\"r2\"}}");
	ck_assert_uint_eq(numbers_of(peer_next(&peer), numbers), 2);
	ck_assert(numbers[0] == 5 && numbers[1] == 7);
	peer_expect(&peer, "{\"op\":\"replayEnd\",\"replay\":\"r2\",\"at\":\"7-0\"}");
}
END_TEST

START_TEST(now_is_the_last_event_that_there_is)
{
	record_events(exchange, 0, 10);
	replays("\"from\":\"now\",\"speed\":\"max\"");
	settle(exchange);
	peer_next(&peer);
	expect_replayed(10, 10);
	peer_expect_part(&peer, "replayEnd");
}
END_TEST

START_TEST(begins_behind_a_cursor)
{
	record_events(exchange, 0, 10);
	replays("\"after\":\"4-0.11223344\",\"speed\":\"max\"");
	settle(exchange);
	peer_next(&peer);
	expect_replayed(5, 10);
	replays("\"after\":\"4-0.99999999\",\"speed\":\"max\"");
	peer_expect_part(&peer, "replayEnd");
	peer_expect_part(&peer, "\"ok\":{\"replay\":\"r2\"}");
	peer_expect(
	    &peer,
	    "{\"op\":\"gap\",\"replay\":\"r2\",\"after\":null,\"before\":null,\"dropped\":null,\"reason\":\"reset\"}");
}
END_TEST

START_TEST(an_empty_range_ends_at_once)
{
	record_events(exchange, 0, 3);
	replays("\"session\":\"s3\"");
	settle(exchange);
	peer_next(&peer);
	peer_expect(&peer, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"0-0\"}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(nothing_queues_for_a_client_that_does_not_read)
{
	past.page_entries = 100;
	record_events(exchange, 0, 2000);
	exchange_end_turn(exchange);
	replays("\"speed\":\"max\"");
	peer_next(&peer);
	peer.is_stuck = true;
	for (int i = 0; i < 100; i++) {
		clock_fake_advance_ms(100);
		settle(exchange);
	}
	expect_replayed(1, 100); /* one batch, which the port has buffered */
	peer_expect(&peer, NULL);
	ck_assert_uint_le(past.asked, 2);
	ck_assert(outbox_is_empty(&peer.session->outbox));
	peer_unstick(&peer);
	settle(exchange);
	expect_replayed(101, 2000);
	peer_expect_part(&peer, "replayEnd");
}
END_TEST

START_TEST(a_slow_client_shifts_the_clock_and_goes_on_at_the_pace)
{
	for (unsigned i = 0; i < 100; i++)
		record_at(1000 + 100 * i, 0, 0);
	replays("");
	settle(exchange);
	peer_next(&peer);
	expect_replayed(1, 1);
	peer.is_buffering = true;
	clock_fake_advance_ms(4950);
	settle(exchange);
	peer_expect(&peer, NULL);
	peer_unstick(&peer);
	settle(exchange);
	expect_replayed(2, 2);
	for (unsigned next = 3; next < 10; next++) {
		clock_fake_advance_ms(99);
		settle(exchange);
		peer_expect(&peer, NULL);
		clock_fake_advance_ms(1);
		settle(exchange);
		expect_replayed(next, next);
	}
}
END_TEST

START_TEST(a_client_that_hesitates_is_given_at_once_what_was_due)
{
	for (unsigned i = 0; i < 100; i++)
		record_at(1000 + 10 * i, 0, 0);
	replays("");
	settle(exchange);
	peer_next(&peer);
	expect_replayed(1, 1);
	peer.is_buffering = true;
	clock_fake_advance_ms(200);
	settle(exchange);
	peer_unstick(&peer);
	settle(exchange);
	expect_replayed(2, 21);
	clock_fake_advance_ms(10);
	settle(exchange);
	expect_replayed(22, 22);
}
END_TEST

START_TEST(keeps_the_rate_of_the_client)
{
	struct exchange_settings settings = past_settings();
	settings.events_per_second = 100;
	restart(settings);
	record_events(exchange, 0, 1000);
	uint64_t start_ns = clock_mono_ns();
	replays("\"speed\":\"max\"");
	peer_next(&peer);
	unsigned numbers[4096], seen = 0;
	while (seen < 1000) {
		const char *message = peer_next(&peer);
		size_t count = message ? numbers_of(message, numbers) : 0;
		for (size_t i = 0; i < count; i++)
			ck_assert_uint_eq(numbers[i], ++seen);
		ck_assert_uint_le(seen, 101 + (clock_mono_ns() - start_ns) / (NS_PER_S / 100));
		if (!message)
			ck_assert(go_on());
	}
	ck_assert_uint_le(clock_mono_ns() - start_ns, 10 * NS_PER_S);
}
END_TEST

START_TEST(tells_what_the_log_has_lost_and_goes_on_behind_it)
{
	record_events(exchange, 0, 100);
	past.trimmed = fake_id(50, 0);
	replays("\"from\":\"10-0\",\"speed\":\"max\"");
	settle(exchange);
	peer_next(&peer);
	peer_expect(&peer, "{\"op\":\"gap\",\"replay\":\"r1\",\"after\":\"9-18446744073709551615\",\"before\":\"51-0\","
	                   "\"dropped\":null,"
	                   "\"reason\":\"trimmed\"}");
	expect_replayed(51, 100);
	peer_expect_part(&peer, "replayEnd");
	ck_assert_uint_eq(metric_read(METRIC_GAPS), 1);
}
END_TEST

START_TEST(what_is_trimmed_while_it_plays_is_told)
{
	record_events(exchange, 0, 200);
	replays("\"speed\":\"max\"");
	peer_next(&peer);
	exchange_end_turn(exchange);
	fake_answer(exchange, 0, OK);
	exchange_end_turn(exchange);
	expect_replayed(1, 10);
	past.trimmed = fake_id(100, 0);
	settle(exchange);
	peer_expect(&peer, "{\"op\":\"gap\",\"replay\":\"r1\",\"after\":\"10-0\",\"before\":\"101-0\",\"dropped\":null,"
	                   "\"reason\":\"trimmed\"}");
	expect_replayed(101, 200);
	peer_expect_part(&peer, "replayEnd");
}
END_TEST

START_TEST(whoever_begins_at_the_earliest_misses_nothing)
{
	record_events(exchange, 0, 100);
	past.trimmed = fake_id(50, 0);
	replays("\"speed\":\"max\"");
	settle(exchange);
	peer_next(&peer);
	expect_replayed(51, 100);
}
END_TEST

START_TEST(waits_for_redis_and_says_so_and_loses_nothing)
{
	past.page_entries = 10;
	record_events(exchange, 0, 100);
	replays("\"speed\":\"max\"");
	peer_next(&peer);
	exchange_end_turn(exchange);
	fake_answer(exchange, 0, OK);
	exchange_end_turn(exchange);
	expect_replayed(1, 10);
	uint64_t start_ns = clock_mono_ns();
	while (clock_mono_ns() - start_ns < 20 * NS_PER_S) {
		while (exchange_end_turn(exchange) <= clock_mono_ns())
			continue;
		if (past.waiting_count)
			fake_answer(exchange, 0, ERR_CLOSED);
		clock_fake_advance_ms(100);
	}
	ck_assert_uint_lt(past.asked, 25);
	peer_expect(&peer, "{\"op\":\"notice\",\"code\":\"replayWaiting\",\"replay\":\"r1\"}");
	clock_fake_advance_ms(2000);
	settle(exchange);
	expect_replayed(11, 100);
	peer_expect_part(&peer, "replayEnd");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(a_page_is_given_up_while_nothing_is_given)
{
	past.page_entries = 100;
	record_events(exchange, 0, 500);
	record_at(90000, 0, 0);
	replays("\"speed\":1000");
	peer_next(&peer);
	peer.is_stuck = true;
	settle(exchange);
	size_t asked = past.asked;
	clock_fake_advance_ms(1000);
	exchange_end_turn(exchange);
	clock_fake_advance_ms(1000);
	exchange_end_turn(exchange);
	peer_unstick(&peer);
	settle(exchange);
	ck_assert_uint_gt(past.asked, asked);
	while (go_on() && !(past.waiting_count == 0 && clock_mono_ns() > 10 * NS_PER_S))
		continue;
	expect_replayed(1, 501);
	peer_expect_part(&peer, "replayEnd");
}
END_TEST

START_TEST(many_replays_of_a_session_go_their_own_ways)
{
	struct exchange_settings settings = past_settings();
	settings.past_requests_max = 8;
	restart(settings);
	record_events(exchange, 0, 100);
	for (int i = 1; i <= 8; i++) {
		char members[64];
		snprintf(members, sizeof members, "\"session\":\"s0\",\"from\":%d,\"speed\":\"max\"", 10 * i);
		replays(members);
	}
	ck_assert_int_eq(metric_read(METRIC_REPLAYS), 8);
	replays("");
	settle(exchange);
	unsigned next[9] = {0, 10, 20, 30, 40, 50, 60, 70, 80}, numbers[4096];
	size_t ends = 0, refused = 0;
	for (const char *message; (message = peer_next(&peer));) {
		ends += strstr(message, "replayEnd") != NULL;
		refused += strstr(message, "\"code\":\"too_many_replays\"") != NULL;
		const char *key = strstr(message, "\"replay\":\"r");
		size_t count = key ? numbers_of(message, numbers) : 0, replay = key ? strtoul(key + 11, NULL, 10) : 0;
		for (size_t i = 0; i < count; i++)
			ck_assert_uint_eq(numbers[i], next[replay]++);
	}
	for (int i = 1; i <= 8; i++)
		ck_assert_uint_eq(next[i], 101);
	ck_assert_uint_eq(ends, 8);
	ck_assert_uint_eq(refused, 1);
}
END_TEST

START_TEST(ends_with_its_connection_at_any_moment)
{
	record_events(exchange, 0, 100);
	for (int moment = 0; moment < 4; moment++) {
		struct peer other;
		peer_connect(&other, exchange);
		peer_says(&other, "{\"id\":1,\"op\":\"replay\"}");
		if (moment > 0)
			exchange_end_turn(exchange);
		if (moment > 1)
			settle(exchange);
		peer_says(&other, "{\"id\":1,\"op\":\"control\",\"replay\":\"r1\",\"do\":\"step\",\"count\":-5}");
		if (moment > 2)
			session_close(other.session, CLOSE_TOO_SLOW);
		exchange_end_turn(exchange);
		peer_leave(&other);
		ck_assert_int_eq(metric_read(METRIC_REPLAYS), 0);
		settle(exchange);
	}
}
END_TEST

START_TEST(another_log_is_told_and_replayed_from_where_they_part)
{
	record_events(exchange, 0, 100);
	replays("\"speed\":\"max\"");
	peer_next(&peer);
	exchange_end_turn(exchange);
	fake_answer(exchange, 0, OK);
	exchange_end_turn(exchange);
	expect_replayed(1, 10);
	past.epoch += UINT64_C(1) << 40;
	past.base = fake_id(5, 0);
	past.count = 5;
	tell_feed(exchange, true);
	peer_expect(&peer, "{\"op\":\"gap\",\"replay\":\"r1\",\"after\":\"10-0\",\"before\":null,\"dropped\":null,"
	                   "\"reason\":\"reset\"}");
	record_at(200, 0, 0);
	record_at(201, 0, 0);
	settle(exchange);
	expect_replayed(6, 7);
	peer_expect_part(&peer, "replayEnd");
	peer_expect(&peer, NULL);
}
END_TEST

/* --- Refusals -------------------------------------------------------------------------------------------------------
 */

START_TEST(refuses_what_makes_no_sense)
{
	static const struct {
		const char *members, *error;
	} cases[] = {
	    {"\"speed\":0.09", "speed: a number from 0.1 to 1000, or \\\"max\\\", is needed"},
	    {"\"speed\":1001", "speed: a number"},
	    {"\"speed\":-1", "speed: a number"},
	    {"\"speed\":\"fast\"", "speed: a number"},
	    {"\"speed\":null", "speed: a number"},
	    {"\"speed\":0.1000000000000000000000000000000000000000000000000000000000000000001", "speed: a number"},
	    {"\"maxGapMs\":0", "maxGapMs: a whole number from 1 to 86400000 is needed"},
	    {"\"maxGapMs\":1.5", "maxGapMs: a whole number"},
	    {"\"then\":\"loop\"", "then: \\\"stop\\\" or \\\"live\\\" is needed"},
	    {"\"then\":1", "then: a string is needed"},
	    {"\"from\":5,\"to\":4", "from: later than to"},
	    {"\"from\":\"yesterday\"", "from: "},
	    {"\"session\":1", "session: a string is needed"},
	    {"\"channels\":[\"cats:*\"]", "\"code\":\"bad_filter\""},
	    {"\"session\":\"s1\",\"filter\":{\"session\":[\"s2\"]}", "filter.session: does not hold the session"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		replays(cases[i].members);
		peer_expect_part(&peer, cases[i].error);
	}
	ck_assert_int_eq(metric_read(METRIC_REPLAYS), 0);
}
END_TEST

START_TEST(without_history_or_a_log_there_is_nothing_to_replay)
{
	struct exchange_settings settings = past_settings();
	settings.past.ask = NULL;
	restart(settings);
	replays("");
	peer_expect_part(&peer, "\"code\":\"no_history\"");
	restart(past_settings());
	struct peer other;
	settings = past_settings();
	struct exchange *young = exchange_new(&settings);
	peer_connect(&other, young);
	peer_next(&other);
	peer_says(&other, "{\"id\":1,\"op\":\"replay\"}");
	peer_expect_part(&other, "\"code\":\"unavailable\"");
	peer_leave(&other);
	exchange_free(young);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("replay");
	tcase_add_checked_fixture(tests, setup, replay_test_end);
	tcase_add_test(tests, keeps_the_recorded_pace);
	tcase_add_test(tests, keeps_any_speed);
	tcase_add_test(tests, cuts_silences);
	tcase_add_test(tests, a_lone_event_is_given_exactly_when_it_is_due);
	tcase_add_test(tests, gives_a_session_or_channels_or_what_a_filter_wants);
	tcase_add_test(tests, now_is_the_last_event_that_there_is);
	tcase_add_test(tests, begins_behind_a_cursor);
	tcase_add_test(tests, an_empty_range_ends_at_once);
	tcase_add_test(tests, nothing_queues_for_a_client_that_does_not_read);
	tcase_add_test(tests, a_slow_client_shifts_the_clock_and_goes_on_at_the_pace);
	tcase_add_test(tests, a_client_that_hesitates_is_given_at_once_what_was_due);
	tcase_add_test(tests, keeps_the_rate_of_the_client);
	tcase_add_test(tests, tells_what_the_log_has_lost_and_goes_on_behind_it);
	tcase_add_test(tests, what_is_trimmed_while_it_plays_is_told);
	tcase_add_test(tests, whoever_begins_at_the_earliest_misses_nothing);
	tcase_add_test(tests, waits_for_redis_and_says_so_and_loses_nothing);
	tcase_add_test(tests, a_page_is_given_up_while_nothing_is_given);
	tcase_add_test(tests, many_replays_of_a_session_go_their_own_ways);
	tcase_add_test(tests, ends_with_its_connection_at_any_moment);
	tcase_add_test(tests, another_log_is_told_and_replayed_from_where_they_part);
	tcase_add_test(tests, refuses_what_makes_no_sense);
	tcase_add_test(tests, without_history_or_a_log_there_is_nothing_to_replay);
	Suite *suite = suite_create("replay");
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
