#include "fake_peer.h"

#include "gateway/session/session_inside.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;

static void setup(void)
{
	fake_start();
	struct exchange_settings settings = fake_settings();
	exchange = exchange_new(&settings);
	peer_connect(&peer, exchange);
	peer_expect_part(&peer, "\"op\":\"welcome\"");
}

static void teardown(void)
{
	peer_leave(&peer);
	ck_assert_uint_eq(exchange_session_count(exchange), 0);
	ck_assert_uint_eq(metric_read(METRIC_COHORTS), 0);
	ck_assert_uint_eq(metric_read(METRIC_SUBSCRIPTIONS), 0);
	exchange_free(exchange);
	fake_end();
}

/* The peer says the message and gets the reply, a part of it, or nothing. */
static const struct {
	const char *says, *reply_part;
} table[] = {
	{"{\"id\":7,\"op\":\"ping\"}", "{\"id\":7,\"ok\":{\"now\":1764031200123}}"},
	{"{\"id\":\"a\\\"b\",\"op\":\"ping\"}", "{\"id\":\"a\\\"b\",\"ok\":"},
	{"{\"id\":18446744073709551615,\"op\":\"ping\"}", "{\"id\":18446744073709551615,\"ok\":"},
	{"{\"id\":-1,\"op\":\"ping\",\"unknown\":[1,{}]}", "{\"id\":-1,\"ok\":"},
	{"{\"op\":\"ping\"}", NULL},
	{"{\"op\":\"nonsense\"}", NULL},
	{"{\"id\":1,\"op\":\"nonsense\"}", "\"code\":\"unknown_op\",\"message\":\"op: unknown \\\"nonsense\\\"; there are subscribe,"},
	{"{\"id\":1}", "\"code\":\"bad_request\",\"message\":\"op: missing, a string is needed\""},
	{"{\"id\":1,\"op\":5}", "\"message\":\"op: a string is needed, this is a number\""},
	{"{\"id\":{},\"op\":\"ping\"}", "{\"id\":null,\"error\":{\"code\":\"bad_request\""},
	{"{\"id\":1,\"op\":\"subscribe\",\"slow\":\"never\"}", "\"code\":\"bad_request\",\"message\":\"slow: "},
	{"{\"id\":1,\"op\":\"subscribe\",\"slow\":[]}", "slow: a string is needed, this is a"},
	{"{\"id\":1,\"op\":\"subscribe\",\"since\":{}}", "since: a cursor or a time is needed"},
	{"{\"id\":1,\"op\":\"subscribe\",\"delta\":\"xdelta\"}", "\"code\":\"bad_request\",\"message\":\"delta: "},
	{"{\"id\":1,\"op\":\"subscribe\",\"delta\":true}", "\"code\":\"bad_request\",\"message\":\"delta: "},
	{"{\"id\":1,\"op\":\"subscribe\",\"delta\":null}", "\"code\":\"bad_request\",\"message\":\"delta: "},
	{"{\"id\":1,\"op\":\"resync\"}", "\"code\":\"bad_request\",\"message\":\"sub: "},
	{"{\"id\":1,\"op\":\"resync\",\"sub\":\"none\"}", "\"code\":\"no_such_subscription\""},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"where\":[{\"path\":\"/a\",\"op\":\"=~\"}]}}", "\"code\":\"bad_filter\",\"message\":\"filter.where[0].op"},
	{"{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"secret:*\"]}", "\"code\":\"bad_filter\",\"message\":\"channels[0]"},
	{"{\"id\":1,\"op\":\"unsubscribe\"}", "sub: missing"},
	{"{\"id\":1,\"op\":\"unsubscribe\",\"sub\":\"x\"}", "\"code\":\"no_such_subscription\""},
	{"{\"id\":1,\"op\":\"history\",\"session\":\"s\",\"delta\":\"fossil\"}", "\"code\":\"unsupported\""},
	{"{\"id\":1,\"op\":\"replay\",\"session\":\"s\",\"delta\":\"fossil\"}", "\"code\":\"unsupported\""},
	{"{\"id\":1,\"op\":\"history\"}", "\"code\":\"no_history\""},
	{"{\"id\":1,\"op\":\"state\"}", "\"code\":\"no_history\""},
	{"{\"id\":1,\"op\":\"publish\",\"channel\":\"trace:a\",\"data\":1}", "\"code\":\"unsupported\""},
	{"{\"id\":1,\"op\":\"auth\"}", "token: missing"},
	{"not json", "{\"id\":null,\"error\":{\"code\":\"bad_message\""},
	{"[1]", "a request is an object, this is a"},
	{"{\"op\":\"ping\",\"id\":1,\"id\":2}", "\"code\":\"bad_message\""},
	{"{\"op\\u0000x\":\"evil\",\"op\":\"ping\",\"id\":1}", "\"code\":\"bad_message\""},
};

START_TEST(every_request_with_an_id_gets_exactly_one_reply)
{
	peer_says(&peer, table[_i].says);
	if (table[_i].reply_part)
		peer_expect_part(&peer, table[_i].reply_part);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(peer.close_code, 0);
}
END_TEST

START_TEST(says_welcome_with_all_that_a_client_needs)
{
	struct peer second;
	peer_connect(&second, exchange);
	const char *welcome = peer_next(&second);
	ck_assert_ptr_nonnull(strstr(welcome, "{\"op\":\"welcome\",\"node\":\"n1\",\"client\":\""));
	ck_assert_ptr_nonnull(strstr(welcome, "\"version\":\"test\",\"heartbeatMs\":20000,\"auth\":true,\"limits\":{\"messageBytes\":4096"));
	peer_leave(&second);
}
END_TEST

START_TEST(equal_subscriptions_have_equal_keys_and_are_one)
{
	char first[64];
	snprintf(first, sizeof first, "%s", peer_subscribes(&peer, "\"filter\":{\"session\":[\"a\",\"b\"]}"));
	ck_assert_str_eq(first, peer_subscribes(&peer, "\"filter\":{\"session\":[\"b\",\"a\",\"b\"]}"));
	ck_assert_str_ne(first, peer_subscribes(&peer, "\"filter\":{\"session\":[\"a\"]}"));
	ck_assert_uint_eq(metric_read(METRIC_SUBSCRIPTIONS), 2);
	publish(exchange, "trace:x", "{\"session\":\"b\"}");
	peer_expect_part(&peer, "\"data\":{\"session\":\"b\"}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(unsubscribing_stops_the_events_and_frees_the_cohort)
{
	char request[128];
	snprintf(request, sizeof request, "{\"id\":2,\"op\":\"unsubscribe\",\"sub\":\"%s\"}", peer_subscribes(&peer, ""));
	publish(exchange, "trace:x", "1");
	peer_expect_part(&peer, "\"data\":1}");
	peer_says(&peer, request);
	peer_expect(&peer, "{\"id\":2,\"ok\":{}}");
	publish(exchange, "trace:x", "2");
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(metric_read(METRIC_COHORTS), 0);
	peer_says(&peer, request);
	peer_expect_part(&peer, "no_such_subscription");
}
END_TEST

START_TEST(refuses_more_subscriptions_than_allowed)
{
	peer_subscribes(&peer, "\"channels\":[\"trace:1\"]");
	peer_subscribes(&peer, "\"channels\":[\"trace:2\"]");
	peer_subscribes(&peer, "\"channels\":[\"trace:3\"]");
	peer_says(&peer, "{\"id\":4,\"op\":\"subscribe\",\"channels\":[\"trace:4\"]}");
	peer_expect_part(&peer, "too_many_subscriptions");
	peer_subscribes(&peer, "\"channels\":[\"trace:3\"]");
}
END_TEST

START_TEST(tells_by_a_gap_that_nothing_is_recorded)
{
	peer_says(&peer, "{\"id\":1,\"op\":\"subscribe\",\"since\":\"1764031200000-0\"}");
	peer_expect_part(&peer, "\"cursor\":null,\"recorded\":false,\"recovered\":false}");
	peer_expect_part(&peer, "\"after\":\"1764031200000-0\",\"before\":null,\"dropped\":null,\"reason\":\"unrecorded\"}");
}
END_TEST

START_TEST(closes_after_a_few_messages_that_are_no_objects)
{
	for (int i = 0; i < SESSION_BAD_MESSAGES_MAX; i++) {
		peer_says(&peer, "{");
		peer_expect_part(&peer, "bad_message");
	}
	peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	peer_expect_part(&peer, "\"ok\"");
	for (int i = 0; i < SESSION_BAD_MESSAGES_MAX; i++)
		peer_says(&peer, "{");
	ck_assert_uint_eq(peer.close_code, 0);
	peer_says(&peer, "{");
	ck_assert_uint_eq(peer.close_code, 4400);
}
END_TEST

START_TEST(executes_nothing_after_it_closed)
{
	session_close(peer.session, CLOSE_INTERNAL);
	peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(peer.close_code, 1011);
	ck_assert_int_eq(session_cause(peer.session), CLOSE_INTERNAL);
}
END_TEST

static struct exchange *limited;
static struct peer hasty;

static void setup_limited(void)
{
	fake_start();
	struct exchange_settings settings = fake_settings();
	settings.commands_per_second = 10;
	limited = exchange_new(&settings);
	peer_connect(&hasty, limited);
	peer_next(&hasty);
}

static void teardown_limited(void)
{
	peer_leave(&hasty);
	exchange_free(limited);
	fake_end();
}

static int ask(int times)
{
	int refused = 0;
	for (int i = 0; i < times && !hasty.close_code; i++) {
		peer_says(&hasty, "{\"id\":1,\"op\":\"ping\"}");
		const char *reply = peer_next(&hasty);
		if (reply && strstr(reply, "rate_limited"))
			refused++;
	}
	return refused;
}

START_TEST(refuses_commands_over_the_rate_and_says_when_to_retry)
{
	ck_assert_int_eq(ask(10), 0);
	peer_says(&hasty, "{\"id\":1,\"op\":\"ping\"}");
	peer_expect(&hasty, "{\"id\":1,\"error\":{\"code\":\"rate_limited\",\"message\":\"too many requests in a second\","
			    "\"temporary\":true,\"retryAfterMs\":100}}");
	clock_fake_advance_ms(100);
	ck_assert_int_eq(ask(1), 0);
	ck_assert_int_eq(ask(1), 1);
	ck_assert_uint_eq(hasty.close_code, 0);
}
END_TEST

START_TEST(closes_whoever_is_ten_times_over_the_rate)
{
	ask(111);
	ck_assert_uint_eq(hasty.close_code, 4429);
}
END_TEST

START_TEST(closes_whoever_is_over_the_rate_on_and_on)
{
	int seconds = 0;
	for (; seconds < 60 && !hasty.close_code; seconds++) {
		ask(20);
		clock_fake_advance_ms(1000);
	}
	ck_assert_uint_eq(hasty.close_code, 4429);
	ck_assert_int_gt(seconds, 5);
}
END_TEST

START_TEST(a_little_over_the_rate_now_and_then_is_forgiven)
{
	for (int i = 0; i < 60; i++) {
		ask(14);
		clock_fake_advance_ms(1000);
	}
	ck_assert_uint_eq(hasty.close_code, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *tests = tcase_create("request"), *rate = tcase_create("rate");
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, rate);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, every_request_with_an_id_gets_exactly_one_reply, 0, sizeof table / sizeof table[0]);
	tcase_add_test(tests, says_welcome_with_all_that_a_client_needs);
	tcase_add_test(tests, equal_subscriptions_have_equal_keys_and_are_one);
	tcase_add_test(tests, unsubscribing_stops_the_events_and_frees_the_cohort);
	tcase_add_test(tests, refuses_more_subscriptions_than_allowed);
	tcase_add_test(tests, tells_by_a_gap_that_nothing_is_recorded);
	tcase_add_test(tests, closes_after_a_few_messages_that_are_no_objects);
	tcase_add_test(tests, executes_nothing_after_it_closed);
	tcase_add_checked_fixture(rate, setup_limited, teardown_limited);
	tcase_add_test(rate, refuses_commands_over_the_rate_and_says_when_to_retry);
	tcase_add_test(rate, closes_whoever_is_ten_times_over_the_rate);
	tcase_add_test(rate, closes_whoever_is_over_the_rate_on_and_on);
	tcase_add_test(rate, a_little_over_the_rate_now_and_then_is_forgiven);
	return suite_run(suite);
}
