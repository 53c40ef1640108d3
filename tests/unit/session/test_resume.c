#include "fake_past.h"

#include "gateway/session/resume.h"
#include "gateway/session/session_inside.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;

static void begin(struct exchange_settings settings)
{
	exchange = exchange_new(&settings);
	peer_connect(&peer, exchange);
	peer_next(&peer);
}

static void setup(void)
{
	fake_start();
	fake_past_start();
	begin(past_settings());
	tell_feed(exchange, true);
	record_events(exchange, 0, 50);
	exchange_end_turn(exchange);
}

static void teardown(void)
{
	peer_leave(&peer);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
	ck_assert_uint_eq(past.waiting_count, 0);
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

static void ask_since(const char *since)
{
	char request[160];
	snprintf(request, sizeof request, "{\"id\":1,\"op\":\"subscribe\",\"since\":%s}", since);
	peer_says(&peer, request);
}

static void expect_ok(const char *cursor, bool is_recovered)
{
	char part[128];
	snprintf(part, sizeof part, "\"cursor\":\"%s.11223344\",\"recorded\":true,\"recovered\":%s}}", cursor,
		 is_recovered ? "true" : "false");
	peer_expect_part(&peer, part);
}

static void expect_events(unsigned from, unsigned to)
{
	unsigned next = from;
	while (next <= to) {
		const char *at = peer_next(&peer);
		ck_assert_msg(at && strstr(at, "\"op\":\"events\""), "expected event %u, got %s", next, at ? at : "nothing");
		while ((at = strstr(at, "\"n\":"))) {
			ck_assert_uint_eq(strtoul(at + 4, NULL, 10), next++);
			at += 4;
		}
	}
	ck_assert_uint_eq(next, to + 1);
	peer_expect(&peer, NULL);
}

static void expect_live_from(unsigned next)
{
	record_events(exchange, 0, 2);
	settle(exchange);
	expect_events(next, next + 1);
}

START_TEST(a_cursor_at_the_head_is_live_at_once)
{
	ask_since("\"50-0.11223344\"");
	expect_ok("50-0", true);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
	expect_live_from(51);
	ck_assert_uint_eq(past.asked, 0);
}
END_TEST

START_TEST(what_the_ring_holds_is_recovered_at_once_and_comes_before_what_is_live)
{
	ask_since("\"40-0.11223344\"");
	expect_ok("40-0", true);
	record_events(exchange, 0, 2);
	settle(exchange);
	expect_events(41, 52);
	expect_live_from(53);
	ck_assert_uint_eq(past.asked, 0);
}
END_TEST

START_TEST(the_reply_waits_for_the_first_page_and_comes_before_the_events)
{
	ask_since("\"5-0\"");
	exchange_end_turn(exchange);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(past.last_deadline_ns, clock_mono_ns() + 5 * NS_PER_S);
	settle(exchange);
	expect_ok("5-0", true);
	expect_events(6, 50);
	expect_live_from(51);
}
END_TEST

START_TEST(what_was_trimmed_is_told_between_the_reply_and_the_events)
{
	past.trimmed = fake_id(20, 0);
	ask_since("\"5-0.11223344\"");
	settle(exchange);
	expect_ok("5-0", false);
	peer_expect_part(&peer, "\"after\":\"5-0\",\"before\":\"21-0\",\"dropped\":null,\"reason\":\"trimmed\"}");
	expect_events(21, 50);
	expect_live_from(51);
}
END_TEST

START_TEST(the_last_id_that_was_trimmed_is_a_cursor_without_a_gap)
{
	past.trimmed = fake_id(20, 0);
	ask_since("\"20-0.11223344\"");
	settle(exchange);
	expect_ok("20-0", true);
	expect_events(21, 50);
}
END_TEST

START_TEST(a_cursor_of_another_log_starts_where_both_are_the_same)
{
	past.base = fake_id(30, 0);
	past.epoch += UINT64_C(1) << 32;
	tell_feed(exchange, true);
	ask_since("\"45-0.11223344\"");
	peer_expect_part(&peer, "\"cursor\":\"30-0.11223345\",\"recorded\":true,\"recovered\":false}}");
	peer_expect_part(&peer, "\"after\":\"45-0\",\"before\":null,\"dropped\":null,\"reason\":\"reset\"}");
	settle(exchange);
	expect_events(31, 50);
	ask_since("\"10-0.11223344\"");
	peer_expect_part(&peer, "\"cursor\":\"10-0.11223345\",\"recorded\":true,\"recovered\":false}}");
	peer_expect_part(&peer, "\"after\":\"10-0\",\"before\":null,\"dropped\":null,\"reason\":\"reset\"}");
	settle(exchange);
	expect_events(11, 50);
}
END_TEST

START_TEST(a_cursor_that_another_node_has_given_already_waits_until_this_one_is_there)
{
	ask_since("\"52-0.11223344\"");
	settle(exchange);
	peer_expect(&peer, NULL);
	record_events(exchange, 0, 1);
	settle(exchange);
	peer_expect(&peer, NULL);
	record_events(exchange, 0, 2);
	settle(exchange);
	expect_ok("52-0", true);
	expect_events(53, 53);
	expect_live_from(54);
}
END_TEST

START_TEST(a_cursor_that_the_node_never_gets_to_is_reset)
{
	ask_since("\"60-0.11223344\"");
	settle(exchange);
	clock_fake_advance_ms(999);
	settle(exchange);
	peer_expect(&peer, NULL);
	clock_fake_advance_ms(1);
	settle(exchange);
	expect_ok("0-0", false);
	peer_expect_part(&peer, "\"after\":\"60-0\",\"before\":null,\"dropped\":null,\"reason\":\"reset\"}");
	expect_events(1, 50);
}
END_TEST

START_TEST(a_cursor_from_the_far_future_is_reset_at_once)
{
	ask_since("\"99999999999999-0.11223344\"");
	expect_ok("0-0", false);
	peer_expect_part(&peer, "\"after\":\"99999999999999-0\",\"before\":null,\"dropped\":null,\"reason\":\"reset\"}");
	settle(exchange);
	expect_events(1, 50);
}
END_TEST

START_TEST(without_redis_a_cursor_ahead_is_not_taken_for_a_wrong_one)
{
	exchange_notice(exchange, NOTICE_REDIS_DOWN);
	peer_next(&peer);
	ask_since("\"60-0.11223344\"");
	exchange_end_turn(exchange);
	clock_fake_advance_ms(1000);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "{\"id\":1,\"error\":{\"code\":\"unavailable\",\"message\":\"the node has no connection to Redis\","
				"\"temporary\":true,\"retryAfterMs\":1000}}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(earliest_is_all_there_is_and_misses_nothing)
{
	past.trimmed = fake_id(20, 0);
	ask_since("\"earliest\"");
	settle(exchange);
	expect_ok("0-0", true);
	expect_events(21, 50);
	expect_live_from(51);
}
END_TEST

START_TEST(now_is_live_at_once_also_for_who_was_behind)
{
	ask_since("\"40-0\"");
	expect_ok("40-0", true);
	ask_since("\"now\"");
	expect_ok("50-0", true);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
	expect_live_from(51);
}
END_TEST

START_TEST(a_time_excludes_what_it_names)
{
	ask_since("45");
	expect_ok("45-18446744073709551615", true);
	settle(exchange);
	expect_events(46, 50);
	ask_since("\"1970-01-01T00:00:00.047Z\"");
	expect_ok("47-18446744073709551615", true);
	settle(exchange);
	expect_events(48, 50);
	ask_since("\"-5m\"");
	expect_ok("50-0", true);
	ask_since("99999999999999");
	expect_ok("50-0", true);
	expect_live_from(51);
}
END_TEST

START_TEST(refuses_what_is_no_time)
{
	ask_since("\"yesterday\"");
	peer_expect_part(&peer, "{\"id\":1,\"error\":{\"code\":\"bad_request\",\"message\":\"since: ");
	ask_since("true");
	peer_expect_part(&peer, "{\"id\":1,\"error\":{\"code\":\"bad_request\",\"message\":\"since: ");
	ck_assert_uint_eq(peer.session->subscription_count, 0);
}
END_TEST

START_TEST(a_page_that_fails_refuses_the_request_for_now_and_leaves_no_subscription)
{
	ask_since("\"5-0\"");
	exchange_end_turn(exchange);
	fake_answer(exchange, 0, ERR_TIMEOUT);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "{\"id\":1,\"error\":{\"code\":\"unavailable\",\"message\":\"Redis did not answer within history.timeout\","
				"\"temporary\":true,\"retryAfterMs\":1000}}");
	ck_assert_uint_eq(peer.session->subscription_count, 0);
	record_events(exchange, 0, 1);
	settle(exchange);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(a_move_that_fails_leaves_the_subscription_where_it_was)
{
	peer_subscribes(&peer, "");
	ask_since("\"5-0\"");
	exchange_end_turn(exchange);
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	fake_answer(exchange, 0, ERR_CLOSED);
	settle(exchange);
	peer_expect_part(&peer, "\"code\":\"unavailable\"");
	expect_events(51, 51);
	expect_live_from(52);
}
END_TEST

START_TEST(subscribing_again_with_since_moves_the_subscription_there)
{
	peer_subscribes(&peer, "");
	record_events(exchange, 0, 1);
	settle(exchange);
	expect_events(51, 51);
	ask_since("\"48-0\"");
	expect_ok("48-0", true);
	settle(exchange);
	expect_events(49, 51);
	ck_assert_uint_eq(peer.session->subscription_count, 1);
}
END_TEST

START_TEST(a_later_request_for_the_same_comes_before_an_earlier_one_that_waits)
{
	ask_since("\"5-0\"");
	exchange_end_turn(exchange);
	ask_since("\"45-0\"");
	peer_expect_part(&peer, "{\"id\":1,\"error\":{\"code\":\"superseded\"");
	expect_ok("45-0", true);
	settle(exchange);
	expect_events(46, 50);
}
END_TEST

START_TEST(to_unsubscribe_before_the_reply_gives_both_replies)
{
	char request[128];
	snprintf(request, sizeof request, "{\"id\":2,\"op\":\"unsubscribe\",\"sub\":\"%s\"}", peer_subscribes(&peer, ""));
	ask_since("\"5-0\"");
	exchange_end_turn(exchange);
	peer_says(&peer, request);
	peer_expect_part(&peer, "{\"id\":1,\"error\":{\"code\":\"superseded\"");
	peer_expect(&peer, "{\"id\":2,\"ok\":{}}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(a_plain_subscribe_keeps_what_a_failing_one_began)
{
	ask_since("\"5-0\"");
	exchange_end_turn(exchange);
	peer_subscribes(&peer, "");
	fake_answer(exchange, 0, ERR_CLOSED);
	settle(exchange);
	peer_expect_part(&peer, "\"code\":\"unavailable\"");
	expect_events(6, 50);
	expect_live_from(51);
}
END_TEST

START_TEST(a_client_that_leaves_before_the_reply_cancels_it)
{
	ask_since("\"5-0\"");
	exchange_end_turn(exchange);
	ck_assert_uint_eq(past.waiting_count, 1);
	session_close(peer.session, CLOSE_INTERNAL);
	peer_leave(&peer);
	ck_assert_uint_eq(past.waiting_count, 0);
	peer_connect(&peer, exchange);
}
END_TEST

START_TEST(the_log_that_is_replaced_before_the_reply_resets)
{
	ask_since("\"5-0\"");
	exchange_end_turn(exchange);
	past.base = fake_id(3, 0);
	past.epoch += UINT64_C(1) << 32;
	tell_feed(exchange, true);
	settle(exchange);
	peer_expect_part(&peer, "\"cursor\":\"3-0.11223345\",\"recorded\":true,\"recovered\":false}}");
	peer_expect_part(&peer, "\"after\":\"5-0\",\"before\":null,\"dropped\":null,\"reason\":\"reset\"}");
	expect_events(4, 50);
}
END_TEST

START_TEST(who_asks_before_the_node_knows_the_log_is_refused_for_now)
{
	teardown();
	fake_start();
	fake_past_start();
	begin(past_settings());
	ask_since("\"5-0\"");
	peer_expect_part(&peer, "{\"id\":1,\"error\":{\"code\":\"unavailable\",\"message\":\"the node does not know the log yet\","
				"\"temporary\":true,\"retryAfterMs\":1000}}");
	peer_says(&peer, "{\"id\":2,\"op\":\"subscribe\"}");
	peer_expect_part(&peer, "\"cursor\":null,\"recorded\":false}}");
}
END_TEST

START_TEST(without_history_nothing_before_now_can_be_had)
{
	teardown();
	fake_start();
	fake_past_start();
	begin(fake_settings());
	ask_since("\"5-0\"");
	peer_expect_part(&peer, "\"cursor\":null,\"recorded\":false,\"recovered\":false}}");
	peer_expect_part(&peer, "\"after\":\"5-0\",\"before\":null,\"dropped\":null,\"reason\":\"unrecorded\"}");
}
END_TEST

START_TEST(a_quiet_log_resumes_from_its_very_beginning)
{
	teardown();
	fake_start();
	fake_past_start();
	begin(past_settings());
	tell_feed(exchange, true);
	ask_since("\"0-0.11223344\"");
	expect_ok("0-0", true);
	expect_live_from(1);
	record_events(exchange, 0, 40);
	settle(exchange);
	past.trimmed = fake_id(10, 0);
	while (peer_next(&peer))
		continue;
	ask_since("\"0-0.11223344\"");
	settle(exchange);
	expect_ok("0-1", false);
	peer_expect_part(&peer, "\"before\":\"11-0\",\"dropped\":null,\"reason\":\"trimmed\"}");
}
END_TEST

START_TEST(a_thousand_clients_resume_at_once)
{
	enum { CLIENTS = 1000 };
	static struct peer peers[CLIENTS];
	for (int i = 0; i < CLIENTS; i++) {
		peer_connect(&peers[i], exchange);
		peer_next(&peers[i]);
		peer_says(&peers[i], "{\"id\":1,\"op\":\"subscribe\",\"since\":\"20-0.11223344\"}");
	}
	record_events(exchange, 0, 1);
	settle(exchange);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
	ck_assert_uint_eq(metric_read(METRIC_EVENTS_CAUGHT_UP), 31 * CLIENTS);
	record_events(exchange, 0, 1);
	settle(exchange);
	for (int i = 0; i < CLIENTS; i++) {
		unsigned next = 21;
		peer_expect_part(&peers[i], "\"recovered\":true");
		for (const char *at; (at = peer_next(&peers[i]));)
			while ((at = strstr(at, "\"n\":")))
				ck_assert_uint_eq(strtoul((at += 4), NULL, 10), next++);
		ck_assert_uint_eq(next, 53);
		peer_leave(&peers[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resume");
	TCase *tests = tcase_create("resume");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_cursor_at_the_head_is_live_at_once);
	tcase_add_test(tests, what_the_ring_holds_is_recovered_at_once_and_comes_before_what_is_live);
	tcase_add_test(tests, the_reply_waits_for_the_first_page_and_comes_before_the_events);
	tcase_add_test(tests, what_was_trimmed_is_told_between_the_reply_and_the_events);
	tcase_add_test(tests, the_last_id_that_was_trimmed_is_a_cursor_without_a_gap);
	tcase_add_test(tests, a_cursor_of_another_log_starts_where_both_are_the_same);
	tcase_add_test(tests, a_cursor_that_another_node_has_given_already_waits_until_this_one_is_there);
	tcase_add_test(tests, a_cursor_that_the_node_never_gets_to_is_reset);
	tcase_add_test(tests, a_cursor_from_the_far_future_is_reset_at_once);
	tcase_add_test(tests, without_redis_a_cursor_ahead_is_not_taken_for_a_wrong_one);
	tcase_add_test(tests, earliest_is_all_there_is_and_misses_nothing);
	tcase_add_test(tests, now_is_live_at_once_also_for_who_was_behind);
	tcase_add_test(tests, a_time_excludes_what_it_names);
	tcase_add_test(tests, refuses_what_is_no_time);
	tcase_add_test(tests, a_page_that_fails_refuses_the_request_for_now_and_leaves_no_subscription);
	tcase_add_test(tests, a_move_that_fails_leaves_the_subscription_where_it_was);
	tcase_add_test(tests, subscribing_again_with_since_moves_the_subscription_there);
	tcase_add_test(tests, a_later_request_for_the_same_comes_before_an_earlier_one_that_waits);
	tcase_add_test(tests, to_unsubscribe_before_the_reply_gives_both_replies);
	tcase_add_test(tests, a_plain_subscribe_keeps_what_a_failing_one_began);
	tcase_add_test(tests, a_client_that_leaves_before_the_reply_cancels_it);
	tcase_add_test(tests, the_log_that_is_replaced_before_the_reply_resets);
	tcase_add_test(tests, who_asks_before_the_node_knows_the_log_is_refused_for_now);
	tcase_add_test(tests, without_history_nothing_before_now_can_be_had);
	tcase_add_test(tests, a_quiet_log_resumes_from_its_very_beginning);
	tcase_add_test(tests, a_thousand_clients_resume_at_once);
	return suite_run(suite);
}
