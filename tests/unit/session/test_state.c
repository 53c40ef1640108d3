/* The op "state", from the request to its reply. */
#include "fake_log.h"

#include "gateway/session/relief.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;

static void begin(void (*ask)(void *context, struct question *question))
{
	struct exchange_settings settings = fake_settings();
	settings.past = (struct exchange_past){ask, NULL};
	settings.past_timeout_ns = NS_PER_S;
	settings.past_requests_max = 2;
	settings.ring_records_max = 16;
	settings.ring_bytes_max = 4096;
	fake_start();
	log_start(10);
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
	peer_connect(&peer, exchange);
	peer_expect_part(&peer, "\"op\":\"welcome\"");
}

static void setup(void)
{
	begin(log_ask);
}

static void setup_without_history(void)
{
	begin(NULL);
}

static void teardown(void)
{
	if (peer.session)
		peer_leave(&peer);
	exchange_free(exchange);
	log_end();
	fake_end();
}

static void ask(const char *members)
{
	char request[512];
	snprintf(request, sizeof request, "{\"id\":4,\"op\":\"state\",%s}", members);
	peer_says(&peer, request);
	exchange_end_turn(exchange);
}

/* Answers the oldest question: the state, the patch where one is wanted. */
static void answer(const char *state, const char *patch)
{
	struct question *question = log_take();
	ck_assert_int_eq(question->kind, QUESTION_STATE);
	ck_assert_int_eq(question->has_diff, patch != NULL);
	struct answer *given = answer_new(question, OK, NULL);
	given->id = (struct record_id){7, 1};
	given->state = blob_new(state, strlen(state));
	given->patch = patch ? blob_new(patch, strlen(patch)) : NULL;
	question_free(question);
	exchange_answer(exchange, given);
	exchange_end_turn(exchange);
}

START_TEST(replies_with_the_state_as_it_came)
{
	ask("\"session\":\"s1\"");
	peer_expect(&peer, NULL);
	answer("{\"a\":1.0}", NULL);
	peer_expect(&peer, "{\"id\":4,\"ok\":{\"at\":\"7-1\",\"state\":{\"a\":1.0}}}");
	ask("\"session\":\"s1\",\"at\":\"now\",\"diffFrom\":\"5-0\"");
	answer("{}", "{\"b\":null}");
	peer_expect(&peer, "{\"id\":4,\"ok\":{\"at\":\"7-1\",\"state\":{},\"patch\":{\"b\":null}}}");
}
END_TEST

START_TEST(waits_until_the_client_takes_it)
{
	ask("\"session\":\"s1\"");
	peer.is_stuck = true;
	peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	answer("{\"a\":1}", NULL);
	peer_expect_part(&peer, "\"now\"");
	peer_expect(&peer, NULL);
	peer_unstick(&peer);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "\"state\":{\"a\":1}");
}
END_TEST

START_TEST(says_why_there_is_none)
{
	ask("\"session\":\"s1\"");
	log_answer_with(exchange, ERR_RANGE, "it is too large");
	peer_expect_part(&peer, "\"error\":{\"code\":\"refused\",\"message\":\"it is too large\"");
	ask("\"session\":\"s1\"");
	log_answer_with(exchange, ERR_CLOSED, NULL);
	peer_expect_part(&peer, "\"code\":\"unavailable\"");
	ask("\"at\":\"now\"");
	peer_expect_part(&peer, "\"code\":\"bad_request\",\"message\":\"session: ");
}
END_TEST

START_TEST(counts_with_the_other_requests_for_the_past)
{
	ask("\"session\":\"s1\"");
	ask("\"session\":\"s1\"");
	ask("\"session\":\"s1\"");
	peer_expect_part(&peer, "\"code\":\"too_many_requests\"");
	answer("{}", NULL);
	peer_expect_part(&peer, "\"state\":{}");
	ask("\"session\":\"s1\"");
	peer_expect(&peer, NULL);
}
END_TEST

/* However many are asked for, the memory is that of one. */
START_TEST(there_is_one_at_a_time)
{
	ask("\"session\":\"s1\"");
	ask("\"session\":\"s2\"");
	ck_assert_uint_eq(fake_log.waiting, 1);
	peer.is_stuck = true;
	answer("{\"a\":1}", NULL);
	peer_expect_part(&peer, "\"state\":{\"a\":1}");
	ck_assert_uint_eq(fake_log.waiting, 0);
	peer_unstick(&peer);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(fake_log.waiting, 1);
	answer("{\"a\":2}", NULL);
	peer_expect_part(&peer, "\"state\":{\"a\":2}");
}
END_TEST

START_TEST(over_its_memory_the_node_takes_back_what_waits)
{
	ask("\"session\":\"s1\"");
	ask("\"session\":\"s2\"");
	peer.is_stuck = true;
	peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	answer("{\"a\":1}", NULL);
	exchange_memory(exchange, true);
	peer_unstick(&peer);
	exchange_end_turn(exchange);
	peer_expect_part(&peer, "\"now\"");
	peer_expect_part(&peer, "\"code\":\"over_memory\"");
	answer("{\"a\":2}", NULL);
	peer_expect_part(&peer, "\"state\":{\"a\":2}");
}
END_TEST

START_TEST(who_leaves_takes_the_question_back)
{
	ask("\"session\":\"s1\"");
	ask("\"session\":\"s1\"");
	peer.is_stuck = true;
	peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	answer("{}", NULL); /* not written yet, so the other one was not asked for */
	peer_leave(&peer);
	peer.session = NULL;
	exchange_end_turn(exchange);
	ck_assert_uint_eq(fake_log.cancelled, 0);
	ck_assert_uint_eq(fake_log.waiting, 0);
}
END_TEST

START_TEST(without_history_there_is_none)
{
	ask("\"session\":\"s1\"");
	peer_expect_part(&peer, "\"code\":\"no_history\"");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *tests = tcase_create("all"), *without = tcase_create("without history");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, replies_with_the_state_as_it_came);
	tcase_add_test(tests, waits_until_the_client_takes_it);
	tcase_add_test(tests, says_why_there_is_none);
	tcase_add_test(tests, counts_with_the_other_requests_for_the_past);
	tcase_add_test(tests, there_is_one_at_a_time);
	tcase_add_test(tests, over_its_memory_the_node_takes_back_what_waits);
	tcase_add_test(tests, who_leaves_takes_the_question_back);
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(without, setup_without_history, teardown);
	tcase_add_test(without, without_history_there_is_none);
	suite_add_tcase(suite, without);
	return suite_run(suite);
}
