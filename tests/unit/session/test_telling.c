/* What the gateway tells its clients unasked: many of them in one turn, with memory for one message. */
#include "fake_past.h"

#include <stdlib.h>

#include "gateway/session/exchange_inside.h"
#include "gateway/session/telling.h"
#include "tests/support/suite.h"

#define PEERS 3000

static struct exchange *exchange;
static struct peer *peers;

static void set_up(void)
{
	fake_start();
	fake_past_start();
	struct exchange_settings settings = past_settings();
	settings.message_bytes_max = 1; /* the arena has what it has at least */
	settings.heartbeat_ns = 86400 * NS_PER_S;
	exchange = exchange_new(&settings);
	tell_feed(exchange, true);
	peers = calloc(PEERS, sizeof *peers);
	ck_assert_ptr_nonnull(peers);
	for (size_t i = 0; i < PEERS; i++)
		peer_connect(&peers[i], exchange);
}

static void tear_down(void)
{
	for (size_t i = 0; i < PEERS; i++)
		peer_leave(&peers[i]);
	free(peers);
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

/* Each got the message; nobody was closed for it. */
static void expect_all(const char *part)
{
	for (size_t i = 0; i < PEERS; i++) {
		ck_assert_msg(peers[i].close_code == 0, "client %zu was closed with %u %s", i, peers[i].close_code, peers[i].close_reason);
		peer_expect_part(&peers[i], part);
	}
}

static void subscribe_all(const char *request)
{
	expect_all("\"welcome\"");
	for (size_t i = 0; i < PEERS; i++)
		peer_says(&peers[i], request);
	expect_all("\"ok\"");
	exchange_end_turn(exchange);
}

START_TEST(tellings_nest_and_give_their_memory_back)
{
	struct arena_mark before = arena_mark(&exchange->arena);
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(peer_next(&peers[i]));
	struct telling outer = telling_begin_gap(peers[0].session, "sub", "k1"), inner = telling_begin_notice(peers[1].session, "news");
	telling_put_id(&inner, "id", fake_id(7, 1));
	telling_send(&inner);
	telling_put_id(&outer, "after", fake_id(0, 0));
	telling_end_gap(&outer, fake_id(9, 0), 3, "slow");
	telling_send(&outer);
	peer_expect(&peers[1], "{\"op\":\"notice\",\"code\":\"news\",\"id\":\"7-1\"}");
	peer_expect(&peers[0], "{\"op\":\"gap\",\"sub\":\"k1\",\"after\":null,\"before\":\"9-0\",\"dropped\":3,\"reason\":\"slow\"}");
	ck_assert_uint_eq(exchange->arena.used_bytes, before.used_bytes);
}
END_TEST

START_TEST(all_who_come_in_one_turn_are_welcomed)
{
	expect_all("\"op\":\"welcome\"");
}
END_TEST

START_TEST(all_are_told_that_redis_is_gone)
{
	expect_all("\"welcome\"");
	exchange_notice(exchange, NOTICE_REDIS_DOWN);
	expect_all("{\"op\":\"notice\",\"code\":\"redisDown\"}");
	struct peer late;
	peer_connect(&late, exchange);
	peer_expect_part(&late, "\"welcome\"");
	peer_expect(&late, "{\"op\":\"notice\",\"code\":\"redisDown\"}");
	peer_leave(&late);
}
END_TEST

START_TEST(all_are_told_that_the_node_drains)
{
	expect_all("\"welcome\"");
	exchange_drain(exchange, 60 * NS_PER_S);
	expect_all("\"code\":\"draining\"");
}
END_TEST

START_TEST(all_are_told_of_a_gap)
{
	subscribe_all("{\"id\":1,\"op\":\"subscribe\"}");
	tell_feed(exchange, false);
	expect_all("\"reason\":\"unrecorded\"");
}
END_TEST

START_TEST(all_who_catch_up_are_told_so)
{
	record_events(exchange, 1, 100);
	subscribe_all("{\"id\":1,\"op\":\"subscribe\"}");
	for (size_t i = 0; i < PEERS; i++)
		peers[i].is_stuck = true;
	for (int i = 0; i < 2; i++) { /* the first batch fills the port, so each falls behind by the second */
		record_events(exchange, 1, 2);
		clock_fake_advance_ms(100);
		exchange_end_turn(exchange);
	}
	clock_fake_advance_ms(1000);
	exchange_end_turn(exchange);
	for (size_t i = 0; i < PEERS; i++) {
		peer_expect_part(&peers[i], "\"events\"");
		peer_unstick(&peers[i]);
	}
	expect_all("\"code\":\"catchup\"");
}
END_TEST

START_TEST(all_get_their_error_when_the_past_is_gone)
{
	enum { ASKERS = 2000 };
	expect_all("\"welcome\"");
	for (size_t i = 0; i < ASKERS; i++)
		peer_says(&peers[i], "{\"id\":1,\"op\":\"state\",\"session\":\"s1\"}");
	while (exchange_end_turn(exchange) <= clock_mono_ns())
		continue;
	ck_assert_uint_eq(past.waiting_count, ASKERS);
	while (past.waiting_count)
		fake_answer(exchange, 0, ERR_CLOSED);
	for (size_t i = 0; i < ASKERS; i++) {
		ck_assert_uint_eq(peers[i].close_code, 0);
		peer_expect_part(&peers[i], "\"code\":\"unavailable\"");
	}
}
END_TEST

START_TEST(all_whom_an_operator_ends_are_told_why)
{
	const struct exchange_culprit culprit = {.identity = slice_of("anonymous"), .reason = "out"};
	expect_all("\"welcome\"");
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), PEERS);
	for (size_t i = 0; i < PEERS; i++) {
		peer_expect_part(&peers[i], "\"reason\":\"out\"");
		ck_assert_uint_eq(peers[i].close_code, 4403);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("telling");
	TCase *tests = tcase_create("telling");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, tellings_nest_and_give_their_memory_back);
	tcase_add_test(tests, all_who_come_in_one_turn_are_welcomed);
	tcase_add_test(tests, all_are_told_that_redis_is_gone);
	tcase_add_test(tests, all_are_told_that_the_node_drains);
	tcase_add_test(tests, all_are_told_of_a_gap);
	tcase_add_test(tests, all_who_catch_up_are_told_so);
	tcase_add_test(tests, all_get_their_error_when_the_past_is_gone);
	tcase_add_test(tests, all_whom_an_operator_ends_are_told_why);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
