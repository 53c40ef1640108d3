#include "fake_replay.h"

#include "gateway/session/exchange_inside.h"
#include "gateway/session/step.h"
#include "tests/support/suite.h"

/* 20 events of s0, one each second, their ids <1000 to 20000>-0. */
static void setup(void)
{
	struct exchange_settings settings = past_settings();
	settings.past_requests_max = 16;
	replay_test_begin(settings);
	for (unsigned i = 1; i <= 20; i++)
		record_at(1000 * i, 0, 0);
	exchange_end_turn(exchange);
}

static void begin(const char *members)
{
	replays(members);
	settle(exchange);
	peer_expect(&peer, "{\"id\":1,\"ok\":{\"replay\":\"r1\"}}");
}

static void expect_reply(const char *at, const char *state)
{
	char reply[160];
	snprintf(reply, sizeof reply, "{\"id\":2,\"ok\":{\"at\":\"%s\",\"state\":\"%s\"}}", at, state);
	peer_expect(&peer, reply);
}

static void expect_stepped(const char *at, const char *state, unsigned events)
{
	char reply[160];
	snprintf(reply, sizeof reply, "{\"id\":2,\"ok\":{\"at\":\"%s\",\"state\":\"%s\",\"events\":%u}}", at, state,
	         events);
	peer_expect(&peer, reply);
}

static void steps(int count)
{
	char members[32];
	snprintf(members, sizeof members, "\"step\",\"count\":%d", count);
	controls(members);
	settle(exchange);
}

static void pass(uint64_t ms)
{
	uint64_t until_ns = clock_mono_ns() + ms * NS_PER_MS;
	uint64_t next_ns;
	settle(exchange);
	while ((next_ns = exchange_end_turn(exchange)) <= until_ns) {
		clock_fake(next_ns, WALL_MS);
		settle(exchange);
	}
	clock_fake(until_ns, WALL_MS);
	settle(exchange);
}

START_TEST(pauses_and_plays_on_with_the_rest_of_the_silence)
{
	begin("");
	pass(2400);
	expect_replayed(1, 3);
	controls("\"pause\"");
	expect_reply("3000-0", "paused");
	pass(60000);
	peer_expect(&peer, NULL);
	controls("\"pause\"");
	expect_reply("3000-0", "paused");
	controls("\"play\"");
	expect_reply("3000-0", "playing");
	pass(599);
	peer_expect(&peer, NULL);
	pass(1);
	expect_replayed(4, 4);
	controls("\"play\"");
	expect_reply("4000-0", "playing");
}
END_TEST

START_TEST(seeks_back_and_forth_and_goes_on_from_there)
{
	begin("");
	pass(1000);
	expect_replayed(1, 2);
	controls("\"seek\",\"to\":\"10000-0\"");
	expect_reply("9999-18446744073709551615", "playing");
	pass(1000);
	expect_replayed(10, 11);
	controls("\"seek\",\"to\":5500");
	expect_reply("5499-18446744073709551615", "playing");
	pass(0);
	expect_replayed(6, 6);
	controls("\"seek\",\"to\":\"earliest\"");
	expect_reply("0-0", "playing");
	pass(2000);
	expect_replayed(1, 3);
	controls("\"seek\",\"to\":\"now\"");
	expect_reply("19999-18446744073709551615", "playing");
	pass(0);
	expect_replayed(20, 20);
	peer_expect(&peer, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"20000-0\"}");
	controls("\"seek\",\"to\":\"3000-0\"");
	expect_reply("2999-18446744073709551615", "paused");
	pass(10000);
	peer_expect(&peer, NULL);
	controls("\"play\"");
	expect_reply("2999-18446744073709551615", "playing");
	pass(1000);
	expect_replayed(3, 4);
}
END_TEST

START_TEST(a_seek_beyond_the_range_is_to_its_end_and_before_it_is_allowed)
{
	begin("\"from\":\"5000-0\",\"to\":\"10000-0\",\"speed\":\"max\"");
	pass(0);
	expect_replayed(5, 10);
	peer_expect_part(&peer, "replayEnd");
	controls("\"seek\",\"to\":\"15000-0\"");
	expect_reply("10000-0", "paused");
	controls("\"play\"");
	expect_reply("10000-0", "playing");
	pass(0);
	peer_expect(&peer, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"10000-0\"}");
	controls("\"seek\",\"to\":\"2000-0\"");
	peer_expect_part(&peer, "\"ok\"");
	controls("\"play\"");
	peer_expect_part(&peer, "\"ok\"");
	pass(0);
	expect_replayed(2, 10);
	peer_expect_part(&peer, "replayEnd");
	controls("\"seek\",\"to\":\"2040-01-01\"");
	expect_reply("10000-0", "paused");
}
END_TEST

START_TEST(steps_forwards_at_once_and_stands)
{
	begin("");
	expect_replayed(1, 1);
	steps(1);
	expect_replayed(2, 2);
	expect_stepped("2000-0", "paused", 1);
	steps(5);
	expect_replayed(3, 7);
	expect_stepped("7000-0", "paused", 5);
	pass(60000);
	peer_expect(&peer, NULL);
	steps(STEP_EVENTS_MAX);
	expect_replayed(8, 20);
	expect_stepped("20000-0", "ended", 13);
	steps(1);
	expect_stepped("20000-0", "ended", 0);
	record_at(21000, 0, 0);
	steps(1);
	expect_replayed(21, 21);
	expect_stepped("21000-0", "paused", 1);
}
END_TEST

START_TEST(steps_back_onto_the_event_before)
{
	begin("\"from\":\"10000-0\"");
	expect_replayed(10, 10);
	steps(-1);
	expect_replayed(9, 9);
	expect_stepped("9000-0", "paused", 1);
	steps(-1);
	expect_replayed(8, 8);
	expect_stepped("8000-0", "paused", 1);
	steps(1);
	expect_replayed(9, 9);
	expect_stepped("9000-0", "paused", 1);
	steps(-4);
	expect_replayed(5, 5);
	expect_stepped("5000-0", "paused", 4);
	steps(-10);
	expect_replayed(1, 1);
	expect_stepped("1000-0", "paused", 4);
	steps(-1);
	expect_stepped("1000-0", "paused", 0);
	controls("\"play\"");
	expect_reply("1000-0", "playing");
	pass(999);
	peer_expect(&peer, NULL);
	pass(1);
	expect_replayed(2, 2);
}
END_TEST

START_TEST(between_two_events_a_step_goes_to_either_of_them)
{
	begin("");
	expect_replayed(1, 1);
	for (int i = 0; i < 2; i++) {
		controls("\"seek\",\"to\":5500");
		peer_expect_part(&peer, "5499-18446744073709551615");
		steps(i ? 1 : -1);
		expect_replayed(i ? 6 : 5, i ? 6 : 5);
		expect_stepped(i ? "6000-0" : "5000-0", "paused", 1);
	}
	controls("\"seek\",\"to\":\"5000-0\"");
	peer_expect_part(&peer, "\"ok\"");
	steps(-1);
	expect_replayed(4, 4);
	expect_stepped("4000-0", "paused", 1);
}
END_TEST

START_TEST(after_the_end_it_walks_back)
{
	begin("\"speed\":\"max\"");
	expect_replayed(1, 20);
	peer_expect_part(&peer, "replayEnd");
	steps(-1);
	expect_replayed(19, 19);
	expect_stepped("19000-0", "paused", 1);
	controls("\"play\"");
	expect_reply("19000-0", "playing");
	pass(0);
	expect_replayed(20, 20);
	peer_expect_part(&peer, "replayEnd");
	record_at(30000, 0, 0);
	controls("\"play\"");
	expect_reply("20000-0", "playing");
	pass(0);
	expect_replayed(21, 21);
	peer_expect(&peer, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"30000-0\"}");
}
END_TEST

START_TEST(steps_without_waiting_for_the_replies_are_done_one_by_one)
{
	begin("");
	expect_replayed(1, 1);
	for (int i = 0; i < 10; i++)
		controls("\"step\"");
	controls("\"step\",\"count\":-3");
	controls("\"step\",\"count\":2");
	settle(exchange);
	for (unsigned i = 2; i <= 11; i++) {
		char at[32];
		snprintf(at, sizeof at, "%u-0", 1000 * i);
		expect_replayed(i, i);
		expect_stepped(at, "paused", 1);
	}
	expect_replayed(8, 8);
	expect_stepped("8000-0", "paused", 3);
	expect_replayed(9, 10);
	expect_stepped("10000-0", "paused", 2);
}
END_TEST

START_TEST(whatever_else_moves_it_ends_the_steps_that_wait)
{
	begin("");
	expect_replayed(1, 1);
	peer.is_buffering = true;
	controls("\"step\",\"count\":5");
	controls("\"step\",\"count\":-5");
	controls("\"seek\",\"to\":\"10000-0\"");
	peer_unstick(&peer);
	settle(exchange);
	expect_stepped("1000-0", "paused", 0);
	expect_stepped("1000-0", "paused", 0);
	expect_reply("9999-18446744073709551615", "paused");
	steps(1);
	expect_replayed(10, 10);
	expect_stepped("10000-0", "paused", 1);
}
END_TEST

START_TEST(too_many_steps_at_once_are_refused)
{
	begin("");
	expect_replayed(1, 1);
	peer.is_buffering = true;
	for (int i = 0; i < 17; i++)
		controls("\"step\"");
	peer_unstick(&peer);
	peer_expect_part(&peer, "\"code\":\"too_many_requests\"");
	settle(exchange);
}
END_TEST

START_TEST(a_step_that_cannot_be_read_is_refused_and_moves_nothing)
{
	begin("\"from\":\"4000-0\",\"to\":\"18000-0\"");
	expect_replayed(4, 4);
	controls("\"seek\",\"to\":\"3000-0\"");
	peer_expect_part(&peer, "\"ok\"");
	controls("\"step\"");
	exchange_end_turn(exchange);
	fake_answer(exchange, 0, ERR_TIMEOUT);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "\"code\":\"timeout\"");
	controls("\"step\",\"count\":-1");
	exchange_end_turn(exchange);
	fake_answer(exchange, 0, ERR_CLOSED);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "\"code\":\"unavailable\"");
	steps(1);
	expect_replayed(3, 3);
	expect_stepped("3000-0", "paused", 1);
}
END_TEST

START_TEST(changes_the_speed_at_any_moment)
{
	begin("");
	expect_replayed(1, 1);
	pass(500);
	controls("\"speed\",\"speed\":10");
	expect_reply("1000-0", "playing");
	pass(49);
	peer_expect(&peer, NULL);
	pass(1);
	expect_replayed(2, 2);
	pass(200);
	expect_replayed(3, 4);
	controls("\"speed\",\"speed\":0.1");
	expect_reply("4000-0", "playing");
	pass(9999);
	peer_expect(&peer, NULL);
	pass(1);
	expect_replayed(5, 5);
	controls("\"speed\",\"speed\":\"max\"");
	expect_reply("5000-0", "playing");
	pass(0);
	expect_replayed(6, 20);
}
END_TEST

START_TEST(stops_for_good)
{
	begin("");
	expect_replayed(1, 1);
	controls("\"stop\"");
	expect_reply("1000-0", "stopped");
	pass(10000);
	controls("\"play\"");
	peer_expect(&peer, "{\"id\":2,\"error\":{\"code\":\"no_such_replay\",\"message\":\"replay: this connection has "
	                   "no replay of that "
	                   "key\",\"temporary\":false}}");
	ck_assert_int_eq(metric_read(METRIC_REPLAYS), 0);
	replays("");
	peer_expect(&peer, "{\"id\":1,\"ok\":{\"replay\":\"r2\"}}");
}
END_TEST

START_TEST(a_paused_replay_gives_its_pages_up)
{
	begin("\"from\":\"1000-0\",\"to\":\"18000-0\"");
	expect_replayed(1, 1);
	controls("\"pause\"");
	peer_expect_part(&peer, "\"ok\"");
	size_t asked = past.asked;
	pass(5000);
	ck_assert_uint_eq(alarms_next_ns(&exchange->alarms), UINT64_MAX);
	steps(3);
	expect_replayed(2, 4);
	expect_stepped("4000-0", "paused", 3);
	ck_assert_uint_gt(past.asked, asked);
}
END_TEST

START_TEST(refuses_what_makes_no_sense)
{
	static const struct {
		const char *members, *error;
	} cases[] = {
	    {"\"rewind\"", "do: one of \\\"pause\\\""},
	    {"1", "do: a string is needed"},
	    {"\"seek\"", "to: missing, a cursor or a time is needed"},
	    {"\"seek\",\"to\":-1", "to: "},
	    {"\"step\",\"count\":0",
	     "count: a whole number from 1 to 10000 is needed, or from -10000 to -1 to step back"},
	    {"\"step\",\"count\":10001", "count: "},
	    {"\"step\",\"count\":-10001", "count: "},
	    {"\"step\",\"count\":-9223372036854775808", "count: "},
	    {"\"step\",\"count\":1.5", "count: "},
	    {"\"step\",\"count\":\"1\"", "count: "},
	    {"\"speed\"", "speed: missing"},
	    {"\"speed\",\"speed\":0", "speed: a number from 0.1"},
	};
	begin("");
	expect_replayed(1, 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		controls(cases[i].members);
		peer_expect_part(&peer, cases[i].error);
	}
	peer_says(&peer, "{\"id\":2,\"op\":\"control\",\"do\":\"play\"}");
	peer_expect_part(&peer, "replay: missing, a string is needed");
	pass(1000);
	expect_replayed(2, 2);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("control");
	tcase_add_checked_fixture(tests, setup, replay_test_end);
	tcase_add_test(tests, pauses_and_plays_on_with_the_rest_of_the_silence);
	tcase_add_test(tests, seeks_back_and_forth_and_goes_on_from_there);
	tcase_add_test(tests, a_seek_beyond_the_range_is_to_its_end_and_before_it_is_allowed);
	tcase_add_test(tests, steps_forwards_at_once_and_stands);
	tcase_add_test(tests, steps_back_onto_the_event_before);
	tcase_add_test(tests, between_two_events_a_step_goes_to_either_of_them);
	tcase_add_test(tests, after_the_end_it_walks_back);
	tcase_add_test(tests, steps_without_waiting_for_the_replies_are_done_one_by_one);
	tcase_add_test(tests, whatever_else_moves_it_ends_the_steps_that_wait);
	tcase_add_test(tests, too_many_steps_at_once_are_refused);
	tcase_add_test(tests, a_step_that_cannot_be_read_is_refused_and_moves_nothing);
	tcase_add_test(tests, changes_the_speed_at_any_moment);
	tcase_add_test(tests, stops_for_good);
	tcase_add_test(tests, a_paused_replay_gives_its_pages_up);
	tcase_add_test(tests, refuses_what_makes_no_sense);
	Suite *suite = suite_create("control");
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
