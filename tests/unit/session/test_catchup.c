#include "fake_past.h"

#include "gateway/session/catchup.h"
#include "gateway/session/position.h"
#include "gateway/session/session_inside.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer, other;

static void begin(struct exchange_settings settings)
{
	exchange = exchange_new(&settings);
	peer_connect(&peer, exchange);
	peer_connect(&other, exchange);
	peer_next(&peer);
	peer_next(&other);
	tell_feed(exchange, true);
}

static void setup(void)
{
	fake_start();
	fake_past_start();
	begin(past_settings());
}

static void teardown(void)
{
	peer_leave(&peer);
	peer_leave(&other);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
	ck_assert_uint_eq(past.waiting_count, 0);
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

static void restart(struct exchange_settings settings)
{
	teardown();
	fake_start();
	fake_past_start();
	begin(settings);
}

/* The events that came next, as they are numbered; counts the frames. */
static unsigned expect_events(struct peer *who, unsigned from, unsigned to)
{
	unsigned next = from, frames = 0;
	while (next <= to) {
		const char *at = peer_next(who);
		ck_assert_msg(at && strstr(at, "\"op\":\"events\""), "expected event %u, got %s", next, at ? at : "nothing");
		frames++;
		while ((at = strstr(at, "\"n\":"))) {
			ck_assert_uint_eq(strtoul(at + 4, NULL, 10), next++);
			at += 4;
		}
	}
	ck_assert_uint_eq(next, to + 1);
	return frames;
}

START_TEST(a_slow_client_loses_nothing_and_is_told_nothing)
{
	peer_subscribes(&peer, "");
	peer.is_stuck = true;
	for (int i = 0; i < 10; i++) {
		record_events(exchange, 0, 1);
		settle(exchange);
	}
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 1);
	peer_unstick(&peer);
	settle(exchange);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
	ck_assert_uint_eq(metric_read(METRIC_EVENTS_CAUGHT_UP), 9);
	record_events(exchange, 0, 1);
	settle(exchange);
	expect_events(&peer, 1, 11);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(metric_read(METRIC_GAPS), 0);
	ck_assert_uint_eq(past.asked, 0);
}
END_TEST

START_TEST(reads_the_log_in_pages_while_the_ring_does_not_reach_back)
{
	peer_subscribes(&peer, "");
	peer.is_stuck = true;
	for (int i = 0; i < 100; i++) {
		record_events(exchange, 0, 1);
		exchange_end_turn(exchange);
	}
	ck_assert_uint_eq(past.asked, 0);
	peer_unstick(&peer);
	settle(exchange);
	expect_events(&peer, 1, 100);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(past.asked, 9); /* the last 16 are in the ring */
}
END_TEST

START_TEST(reads_the_stream_of_the_session_where_it_wants_one_session_only)
{
	peer_subscribes(&peer, "\"filter\":{\"session\":[\"s2\"]}");
	peer.is_stuck = true;
	record_events(exchange, 2, 2);
	exchange_end_turn(exchange);
	record_events(exchange, 2, 1);
	exchange_end_turn(exchange);
	record_events(exchange, 1, 50);
	peer_unstick(&peer);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(past.waiting_count, 1);
	ck_assert(slice_is(past.waiting[0]->page.session, "s2"));
	settle(exchange);
	ck_assert_uint_eq(past.asked, 1);
	expect_events(&peer, 1, 3);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(nothing_queues_for_a_client_that_is_far_behind)
{
	struct session *session = peer.session;
	peer_subscribes(&peer, "");
	peer.is_stuck = true;
	for (int i = 0; i < 200; i++) {
		record_events(exchange, 0, 100);
		exchange_end_turn(exchange);
		clock_fake_advance_ms(20);
	}
	ck_assert_uint_eq(session->outbox.event_bytes, 0);
	ck_assert_uint_eq(past.asked, 0);
	past.page_entries = 5000;
	/* Takes the notice, then one frame, and is stuck again: the page that was read is given up. */
	for (int i = 0; i < 2; i++) {
		peer.is_buffering = false;
		session_writable(peer.session);
		exchange_end_turn(exchange);
	}
	fake_answer(exchange, 0, OK);
	exchange_end_turn(exchange);
	ck_assert(peer.is_buffering);
	ck_assert_uint_eq(past.asked, 1);
	clock_fake_advance_ms(1000);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(session->outbox.event_bytes, 0);
	peer_unstick(&peer);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(past.asked, 2);
	settle(exchange);
	unsigned seen = 0;
	for (const char *at; (at = peer_next(&peer));)
		while ((at = strstr(at, "\"n\":")))
			ck_assert_uint_eq(strtoul((at += 4), NULL, 10), ++seen);
	ck_assert_uint_eq(seen, 20000);
}
END_TEST

START_TEST(subscriptions_of_one_session_take_turns_at_its_port)
{
	static const char *const wants[] = {"\"filter\":{\"session\":[\"s0\"]}", "\"filter\":{\"session\":[\"s0\",\"s9\"]}"};
	char keys[2][64];
	for (int i = 0; i < 2; i++)
		snprintf(keys[i], sizeof keys[i], "%s", peer_subscribes(&peer, wants[i]));
	past.page_entries = 1000;
	past.pad_bytes = 1000;
	peer.is_stuck = true;
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	record_events(exchange, 0, 1000);
	exchange_end_turn(exchange);
	int last = -1, turns = 0, counts[2] = {0, 0};
	peer_next(&peer);
	for (int i = 0; i < 20; i++) {
		peer.is_buffering = false;
		session_writable(peer.session);
		settle(exchange);
		const char *frame = peer_next(&peer);
		ck_assert_ptr_nonnull(frame);
		int who = strstr(frame, keys[1]) != NULL;
		turns += who != last;
		counts[last = who]++;
		peer_expect(&peer, NULL);
	}
	ck_assert_int_ge(turns, 18);
	ck_assert_int_ge(counts[0] < counts[1] ? counts[0] : counts[1], 8);
	peer_unstick(&peer);
	settle(exchange);
	while (peer_next(&peer))
		continue;
}
END_TEST

START_TEST(tells_the_client_when_it_has_been_behind_for_a_second_and_when_it_is_back)
{
	peer_subscribes(&peer, "");
	peer.is_stuck = true;
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	clock_fake_advance_ms(999);
	exchange_end_turn(exchange);
	clock_fake_advance_ms(1);
	exchange_end_turn(exchange);
	clock_fake_advance_ms(3000);
	exchange_end_turn(exchange);
	peer_unstick(&peer);
	settle(exchange);
	expect_events(&peer, 1, 1);
	peer_expect_part(&peer, "{\"op\":\"notice\",\"code\":\"catchup\",\"sub\":\"");
	expect_events(&peer, 2, 2);
	peer_expect_part(&peer, "{\"op\":\"notice\",\"code\":\"live\",\"sub\":\"");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(tells_nothing_to_who_is_back_within_a_second)
{
	peer_subscribes(&peer, "");
	peer.is_stuck = true;
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	clock_fake_advance_ms(900);
	peer_unstick(&peer);
	settle(exchange);
	clock_fake_advance_ms(900);
	settle(exchange);
	expect_events(&peer, 1, 2);
	peer_expect(&peer, NULL);
}
END_TEST

/* Puts the peer behind by more than the ring holds, and lets it read. */
static void fall_behind(unsigned count)
{
	peer.is_stuck = true;
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	record_events(exchange, 0, count);
	exchange_end_turn(exchange);
	peer_unstick(&peer);
	exchange_end_turn(exchange);
	expect_events(&peer, 1, 1);
}

START_TEST(tries_again_later_and_later_when_the_log_cannot_be_read)
{
	static const uint64_t waits_ms[] = {250, 500, 1000, 2000, 2000};
	peer_subscribes(&peer, "");
	fall_behind(50);
	for (size_t i = 0; i < sizeof waits_ms / sizeof waits_ms[0]; i++) {
		ck_assert_uint_eq(past.waiting_count, 1);
		fake_answer(exchange, 0, i % 2 ? ERR_TIMEOUT : ERR_CLOSED);
		exchange_end_turn(exchange);
		clock_fake_advance_ms(waits_ms[i] - 1);
		exchange_end_turn(exchange);
		ck_assert_uint_eq(past.waiting_count, 0);
		clock_fake_advance_ms(1);
		exchange_end_turn(exchange);
	}
	settle(exchange);
	peer_expect_part(&peer, "\"code\":\"catchup\"");
	expect_events(&peer, 2, 51);
	peer_expect_part(&peer, "\"code\":\"live\"");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(tells_what_the_log_has_lost_before_the_client_came_to_it)
{
	peer_subscribes(&peer, "");
	fall_behind(50);
	past.trimmed = fake_id(21, 0);
	settle(exchange);
	peer_expect_part(&peer, "\"after\":\"1-0\",\"before\":\"22-0\",\"dropped\":null,\"reason\":\"trimmed\"}");
	expect_events(&peer, 22, 51);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(goes_on_from_the_ring_where_that_reaches_back_further_than_the_log)
{
	peer_subscribes(&peer, "");
	fall_behind(50);
	past.trimmed = fake_id(51, 0);
	settle(exchange);
	peer_expect_part(&peer, "\"after\":\"1-0\",\"before\":\"36-0\",\"dropped\":null,\"reason\":\"trimmed\"}");
	expect_events(&peer, 36, 51);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(goes_on_in_the_new_log_when_the_old_one_is_replaced)
{
	peer_subscribes(&peer, "");
	fall_behind(50);
	ck_assert_uint_eq(past.waiting_count, 1);
	past.epoch++;
	past.base = fake_id(0, 0);
	past.count = 0;
	tell_feed(exchange, true);
	ck_assert_uint_eq(past.cancelled, 1);
	peer_expect_part(&peer, "\"after\":\"1-0\",\"before\":null,\"dropped\":null,\"reason\":\"reset\"}");
	record_events(exchange, 0, 3);
	settle(exchange);
	expect_events(&peer, 1, 3);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(tells_who_is_live_that_the_log_was_replaced)
{
	peer_subscribes(&peer, "");
	record_events(exchange, 0, 3);
	settle(exchange);
	expect_events(&peer, 1, 3);
	past.epoch++;
	past.base = fake_id(2, 0); /* the end was lost */
	past.count = 2;
	tell_feed(exchange, true);
	peer_expect_part(&peer, "\"after\":\"3-0\",\"before\":null,\"dropped\":null,\"reason\":\"reset\"}");
	record_events(exchange, 0, 2);
	settle(exchange);
	expect_events(&peer, 3, 4);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(does_not_take_a_page_of_another_log_for_its_own)
{
	peer_subscribes(&peer, "");
	fall_behind(50);
	past.epoch++;
	fake_answer(exchange, 0, OK);
	exchange_end_turn(exchange);
	peer_expect(&peer, NULL);
	past.epoch--;
	clock_fake_advance_ms(250);
	settle(exchange);
	expect_events(&peer, 2, 51);
}
END_TEST

/* The node's feed goes on behind a hole; whether the log has what is missing is for the log to say. */
static void deliver_behind_a_hole(const char *more)
{
	peer_subscribes(&peer, more);
	record_events(exchange, 0, 2);
	settle(exchange);
	fake_append((struct fake_event){.id = fake_id(9, 0), .number = 3});
	size_t first = past.count;
	fake_append((struct fake_event){.id = fake_id(10, 0), .number = 4});
	deliver_since(exchange, fake_id(9, 0), first);
	settle(exchange);
	expect_events(&peer, 1, 2);
}

START_TEST(what_the_node_missed_is_read_from_the_log)
{
	deliver_behind_a_hole("");
	expect_events(&peer, 3, 4);
}
END_TEST

START_TEST(what_the_node_missed_and_the_log_lost_is_told)
{
	past.trimmed = fake_id(9, 0);
	deliver_behind_a_hole("");
	peer_expect_part(&peer, "\"after\":\"2-0\",\"before\":\"10-0\",\"dropped\":null,\"reason\":\"trimmed\"}");
	expect_events(&peer, 4, 4);
}
END_TEST

START_TEST(who_does_not_catch_up_is_told_of_a_hole_in_what_the_node_got)
{
	deliver_behind_a_hole("\"slow\":\"drop\"");
	peer_expect_part(&peer, "\"after\":\"2-0\",\"before\":\"10-0\",\"dropped\":null,\"reason\":\"trimmed\"}");
	expect_events(&peer, 4, 4);
}
END_TEST

START_TEST(what_was_delivered_already_is_not_delivered_again)
{
	peer_subscribes(&peer, "");
	record_events(exchange, 0, 5);
	deliver_since(exchange, fake_id(2, 0), 2);
	settle(exchange);
	expect_events(&peer, 1, 5);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(tells_once_in_each_phase_that_events_have_no_ids)
{
	peer_subscribes(&peer, "");
	record_events(exchange, 0, 1);
	tell_feed(exchange, false);
	tell_feed(exchange, false);
	publish(exchange, "trace:s0", "{\"n\":2}");
	publish(exchange, "trace:s0", "{\"n\":3}");
	tell_feed(exchange, true);
	record_events(exchange, 0, 0);
	tell_feed(exchange, false);
	expect_events(&peer, 1, 1);
	peer_expect_part(&peer, "\"after\":\"1-0\",\"before\":null,\"dropped\":null,\"reason\":\"unrecorded\"}");
	expect_events(&peer, 2, 3);
	peer_expect_part(&peer, "\"after\":\"1-0\",\"before\":null,\"dropped\":null,\"reason\":\"unrecorded\"}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(counts_events_without_ids_that_came_while_the_client_was_behind)
{
	peer_subscribes(&peer, "");
	peer.is_stuck = true;
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	tell_feed(exchange, false);
	publish(exchange, "trace:s0", "{\"n\":7}");
	publish(exchange, "trace:s0", "{\"n\":8}");
	peer_unstick(&peer);
	settle(exchange);
	expect_events(&peer, 1, 2);
	peer_expect_part(&peer, "\"after\":\"2-0\",\"before\":null,\"dropped\":2,\"reason\":\"unrecorded\"}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(the_cursor_moves_over_what_the_filter_keeps_out)
{
	peer_subscribes(&peer, "\"filter\":{\"session\":[\"s1\"]}");
	record_events(exchange, 1, 1);
	record_events(exchange, 0, 3);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "\"cursor\":\"4-0.11223344\",\"events\":[{\"id\":\"1-0\",");
	peer.is_stuck = true;
	record_events(exchange, 1, 1);
	exchange_end_turn(exchange);
	record_events(exchange, 1, 1);
	record_events(exchange, 0, 1);
	exchange_end_turn(exchange);
	peer_unstick(&peer);
	settle(exchange);
	peer_expect_part(&peer, "\"cursor\":\"5-0.11223344\",\"events\":[{\"id\":\"5-0\",");
	peer_expect_part(&peer, "\"cursor\":\"7-0.11223344\",\"events\":[{\"id\":\"6-0\",");
}
END_TEST

START_TEST(a_full_batch_has_the_cursor_of_its_last_event)
{
	struct exchange_settings settings = past_settings();
	settings.batch_max_events = 2;
	restart(settings);
	peer_subscribes(&peer, "");
	record_events(exchange, 0, 3);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "\"cursor\":\"2-0.11223344\",\"events\":[{\"id\":\"1-0\",");
	peer_expect_part(&peer, "\"cursor\":\"3-0.11223344\",\"events\":[{\"id\":\"3-0\",");
}
END_TEST

START_TEST(a_session_that_closes_takes_its_questions_along)
{
	peer_subscribes(&peer, "");
	fall_behind(50);
	ck_assert_uint_eq(past.waiting_count, 1);
	peer_leave(&peer);
	ck_assert_uint_eq(past.waiting_count, 0);
	ck_assert_uint_eq(past.cancelled, 1);
	peer_connect(&peer, exchange);
}
END_TEST

START_TEST(drop_tells_between_which_ids_it_dropped)
{
	past.pad_bytes = 1500;
	peer_subscribes(&peer, "\"slow\":\"drop\"");
	peer.is_stuck = true;
	for (int i = 0; i < 6; i++) {
		record_events(exchange, 0, 1);
		exchange_end_turn(exchange);
	}
	peer_unstick(&peer);
	expect_events(&peer, 1, 1);
	peer_expect_part(&peer, "\"after\":\"1-0\",\"before\":\"5-0\",\"dropped\":3,\"reason\":\"slow\"}");
	expect_events(&peer, 5, 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("catchup");
	TCase *tests = tcase_create("catchup");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_slow_client_loses_nothing_and_is_told_nothing);
	tcase_add_test(tests, reads_the_log_in_pages_while_the_ring_does_not_reach_back);
	tcase_add_test(tests, reads_the_stream_of_the_session_where_it_wants_one_session_only);
	tcase_add_test(tests, nothing_queues_for_a_client_that_is_far_behind);
	tcase_add_test(tests, subscriptions_of_one_session_take_turns_at_its_port);
	tcase_add_test(tests, tells_the_client_when_it_has_been_behind_for_a_second_and_when_it_is_back);
	tcase_add_test(tests, tells_nothing_to_who_is_back_within_a_second);
	tcase_add_test(tests, tries_again_later_and_later_when_the_log_cannot_be_read);
	tcase_add_test(tests, tells_what_the_log_has_lost_before_the_client_came_to_it);
	tcase_add_test(tests, goes_on_from_the_ring_where_that_reaches_back_further_than_the_log);
	tcase_add_test(tests, goes_on_in_the_new_log_when_the_old_one_is_replaced);
	tcase_add_test(tests, tells_who_is_live_that_the_log_was_replaced);
	tcase_add_test(tests, does_not_take_a_page_of_another_log_for_its_own);
	tcase_add_test(tests, what_the_node_missed_is_read_from_the_log);
	tcase_add_test(tests, what_the_node_missed_and_the_log_lost_is_told);
	tcase_add_test(tests, who_does_not_catch_up_is_told_of_a_hole_in_what_the_node_got);
	tcase_add_test(tests, what_was_delivered_already_is_not_delivered_again);
	tcase_add_test(tests, tells_once_in_each_phase_that_events_have_no_ids);
	tcase_add_test(tests, counts_events_without_ids_that_came_while_the_client_was_behind);
	tcase_add_test(tests, the_cursor_moves_over_what_the_filter_keeps_out);
	tcase_add_test(tests, a_full_batch_has_the_cursor_of_its_last_event);
	tcase_add_test(tests, a_session_that_closes_takes_its_questions_along);
	tcase_add_test(tests, drop_tells_between_which_ids_it_dropped);
	return suite_run(suite);
}
