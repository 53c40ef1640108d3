/* While the node is over limits.memory: what waits for clients is read again later, new work is refused, the ring keeps little. */
#include "fake_past.h"

#include "gateway/feed/ring.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/relief.h"
#include "gateway/session/session_inside.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer slow, healthy;

static void setup(void)
{
	fake_start();
	fake_past_start();
	struct exchange_settings settings = past_settings();
	settings.heartbeat_ns = 1000 * NS_PER_S;
	settings.ring_records_max = 1000;
	settings.slow_threshold_bytes = 1 << 20;
	exchange = exchange_new(&settings);
	peer_connect(&slow, exchange);
	peer_connect(&healthy, exchange);
	peer_next(&slow);
	peer_next(&healthy);
	tell_feed(exchange, true);
}

static void teardown(void)
{
	peer_leave(&slow);
	peer_leave(&healthy);
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

static unsigned take_events(struct peer *peer)
{
	unsigned count = 0;
	for (const char *at; (at = peer_next(peer));)
		while ((at = strstr(at, "\"n\":"))) {
			at += 4;
			count++;
		}
	return count;
}

static void run_for(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 10) {
		settle(exchange);
		clock_fake_advance_ms(10);
	}
}

/* Batches wait for the slow peer, the first of them in its socket. */
static void fall_behind(const char *policy)
{
	char members[64];
	snprintf(members, sizeof members, "\"slow\":\"%s\"", policy);
	peer_subscribes(&slow, members);
	peer_subscribes(&healthy, "");
	slow.is_stuck = true;
	for (int i = 0; i < 5; i++) {
		record_events(exchange, 0, 10);
		exchange_end_turn(exchange);
	}
}

START_TEST(who_holds_most_gives_it_up_and_loses_nothing)
{
	fall_behind("drop");
	ck_assert_uint_gt(slow.session->outbox.event_bytes, 0);
	exchange_memory(exchange, true);
	ck_assert_uint_eq(slow.session->outbox.event_bytes, 0);
	ck_assert_uint_eq(metric_read(METRIC_MEMORY_RELIEVED), 1);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 1);
	peer_unstick(&slow);
	run_for(100);
	ck_assert_uint_eq(take_events(&slow), 50);
	ck_assert_uint_eq(take_events(&healthy), 50);
	ck_assert_uint_eq(metric_read(METRIC_GAPS), 0);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
}
END_TEST

START_TEST(even_one_that_would_be_disconnected_for_being_slow)
{
	fall_behind("disconnect");
	exchange_memory(exchange, true);
	peer_unstick(&slow);
	run_for(100);
	ck_assert_uint_eq(take_events(&slow), 50);
	ck_assert_uint_eq(slow.close_code, 0);
}
END_TEST

START_TEST(what_cannot_be_read_again_stays)
{
	tell_feed(exchange, false);
	peer_subscribes(&slow, "\"slow\":\"drop\"");
	slow.is_stuck = true;
	publish(exchange, "trace:s1", "{\"n\":1}");
	publish(exchange, "trace:s1", "{\"n\":2}");
	size_t waiting = slow.session->outbox.event_bytes;
	ck_assert_uint_gt(waiting, 0);
	exchange_memory(exchange, true);
	ck_assert_uint_eq(slow.session->outbox.event_bytes, waiting);
	peer_unstick(&slow);
	ck_assert_uint_eq(take_events(&slow), 2);
}
END_TEST

/* What was sent only the end of the connection gives back. */
START_TEST(who_does_not_take_a_long_answer_is_cut_off)
{
	static char request[3100];
	exchange->settings.slow_threshold_bytes = 1000;
	snprintf(request, sizeof request, "{\"op\":\"ping\",\"id\":\"%03000d\"}", 0);
	slow.is_stuck = true;
	peer_says(&slow, request);
	peer_says(&healthy, request);
	exchange_memory(exchange, true);
	ck_assert_uint_eq(slow.close_code, 0);
	clock_fake_advance_ms(5000);
	exchange_memory(exchange, true);
	ck_assert_uint_eq(slow.close_code, 4502);
	ck_assert_uint_eq(healthy.close_code, 0);
}
END_TEST

START_TEST(new_work_is_refused_for_now_and_the_rest_goes_on)
{
	static const char *const refused[] = {"subscribe", "history", "state", "replay"};
	peer_subscribes(&healthy, "");
	exchange_memory(exchange, true);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		char request[100];
		snprintf(request, sizeof request, "{\"id\":%zu,\"op\":\"%s\",\"session\":\"s1\"}", i, refused[i]);
		peer_says(&healthy, request);
		const char *reply = peer_next(&healthy);
		ck_assert_ptr_nonnull(strstr(reply, "\"code\":\"over_memory\""));
		ck_assert_ptr_nonnull(strstr(reply, "\"temporary\":true,\"retryAfterMs\":"));
	}
	peer_says(&healthy, "{\"id\":9,\"op\":\"ping\"}");
	peer_expect_part(&healthy, "\"now\":");
	record_events(exchange, 0, 3);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(take_events(&healthy), 3);
	exchange_memory(exchange, false);
	ck_assert(!exchange_is_over_memory(exchange));
	peer_says(&healthy, "{\"id\":10,\"op\":\"subscribe\",\"channels\":[\"trace:x\"]}");
	peer_expect_part(&healthy, "\"ok\":");
}
END_TEST

START_TEST(the_ring_keeps_little_and_then_what_it_did)
{
	size_t bytes = exchange->settings.ring_bytes_max;
	record_events(exchange, 0, 500);
	size_t before = ring_count(exchange->ring);
	exchange->settings.ring_bytes_max = 8 * 1000;
	exchange_memory(exchange, true);
	ck_assert_uint_lt(ring_count(exchange->ring), before / 4);
	exchange->settings.ring_bytes_max = bytes;
	exchange_memory(exchange, false);
	record_events(exchange, 0, 500);
	ck_assert_uint_ge(ring_count(exchange->ring), 500);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("relief");
	TCase *tests = tcase_create("relief");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, who_holds_most_gives_it_up_and_loses_nothing);
	tcase_add_test(tests, even_one_that_would_be_disconnected_for_being_slow);
	tcase_add_test(tests, what_cannot_be_read_again_stays);
	tcase_add_test(tests, who_does_not_take_a_long_answer_is_cut_off);
	tcase_add_test(tests, new_work_is_refused_for_now_and_the_rest_goes_on);
	tcase_add_test(tests, the_ring_keeps_little_and_then_what_it_did);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
