/* The life of a credential in a session: the first one, another one, its end. */
#include "fake_past.h"

#include <stdlib.h>

#include "gateway/auth/auth.h"
#include "gateway/session/session_inside.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define SECRET "a secret of more than thirty-two bytes"
#define WALL_S (WALL_MS / 1000)

static struct exchange *exchange;
static struct auth *auth;
static struct peer peer;

static void set_up_as(bool is_required)
{
	char why[256];
	fake_start();
	fake_past_start();
	const struct auth_settings keys = {.is_required = is_required, .jwt_secret = SECRET, .served = {fake_patterns, 4}};
	ck_assert_msg(auth_new(&keys, &auth, why) == OK, "%s", why);
	struct exchange_settings settings = past_settings();
	settings.auth = auth;
	settings.auth_timeout_ns = 10 * NS_PER_S;
	settings.heartbeat_ns = 86400 * NS_PER_S;
	exchange = exchange_new(&settings);
	struct grants *anonymous = auth_anonymous(auth);
	peer_connect_as(&peer, exchange, anonymous);
	grants_unref(anonymous);
}

static void set_up(void)
{
	set_up_as(true);
	peer_expect_part(&peer, "\"auth\":false");
}

static void set_up_open(void)
{
	set_up_as(false);
	peer_expect_part(&peer, "\"auth\":true");
}

static void tear_down(void)
{
	peer_leave(&peer);
	exchange_free(exchange);
	auth_free(auth);
	fake_past_end();
	fake_end();
}

/* Sends op auth with a token of these claims; more: ",\"tracegate\":{...}" or "". */
static void authenticate(const char *subject, uint64_t lives_s, const char *more)
{
	char claims[512];
	snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":%llu%s}", subject,
		 (unsigned long long)(clock_wall_ms() / 1000 + lives_s), more);
	char *token = test_token_hs256(claims, SECRET);
	char request[2048];
	snprintf(request, sizeof request, "{\"id\":9,\"op\":\"auth\",\"token\":\"%s\"}", token);
	free(token);
	peer_says(&peer, request);
}

static void pass(uint64_t ms)
{
	clock_fake_advance_ms(ms);
	exchange_end_turn(exchange);
}

START_TEST(a_stranger_gets_no_answer_but_to_auth_and_ping)
{
	static const char *const asked[] = {"subscribe", "unsubscribe", "history", "state", "replay", "control", "publish"};
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		char request[64];
		snprintf(request, sizeof request, "{\"id\":1,\"op\":\"%s\"}", asked[i]);
		peer_says(&peer, request);
		peer_expect_part(&peer, "\"code\":\"unauthenticated\"");
	}
	peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	peer_expect_part(&peer, "\"now\":");
	publish(exchange, "trace:a", "{\"n\":1}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(a_stranger_is_closed_after_a_while)
{
	pass(9999);
	ck_assert_uint_eq(peer.close_code, 0);
	pass(2);
	ck_assert_uint_eq(peer.close_code, 4408);
}
END_TEST

START_TEST(who_says_who_it_is_may_stay)
{
	authenticate("ann", 3600, "");
	peer_expect_part(&peer, "{\"id\":9,\"ok\":{\"identity\":\"ann\",\"expiresAt\":1764034800000,\"limits\":{");
	pass(20000);
	ck_assert_uint_eq(peer.close_code, 0);
	peer_subscribes(&peer, "");
	publish(exchange, "trace:a", "{\"n\":1}");
	peer_expect_part(&peer, "{\"n\":1}");
}
END_TEST

START_TEST(the_reply_says_what_limits_hold_from_now_on)
{
	authenticate("ann", 3600, ",\"tracegate\":{\"limits\":{\"eventsPerSecond\":7,\"connections\":2}}");
	peer_expect_part(&peer, "\"limits\":{\"messageBytes\":4096,\"eventsPerSecond\":7,\"commandsPerSecond\":0,"
				"\"historyEventsPerSecond\":0,\"subscriptions\":0,\"requests\":4,\"connections\":2}}}");
	authenticate("ann", 3600, ",\"tracegate\":{\"limits\":{\"subscriptions\":5}}");
	peer_expect_part(&peer, "\"limits\":{\"messageBytes\":4096,\"eventsPerSecond\":0,\"commandsPerSecond\":0,"
				"\"historyEventsPerSecond\":0,\"subscriptions\":5,\"requests\":4,\"connections\":0}}}");
}
END_TEST

START_TEST(a_bad_token_is_answered_and_ends_the_session)
{
	authenticate("ann", 3600, "");
	peer_next(&peer);
	peer_says(&peer, "{\"id\":2,\"op\":\"auth\",\"token\":\"no.such.token\"}");
	peer_expect_part(&peer, "\"id\":2,\"error\":{\"code\":\"bad_credentials\"");
	ck_assert_uint_eq(peer.close_code, 4401);
}
END_TEST

START_TEST(another_identity_is_refused_and_the_first_one_stays)
{
	authenticate("ann", 3600, "");
	peer_next(&peer);
	authenticate("bob", 3600, "");
	peer_expect_part(&peer, "\"code\":\"identity_mismatch\"");
	ck_assert_uint_eq(peer.close_code, 0);
	peer_subscribes(&peer, "");
}
END_TEST

START_TEST(an_anonymous_client_may_say_who_it_is)
{
	peer_subscribes(&peer, "");
	authenticate("ann", 3600, ",\"tracegate\":{\"sessions\":[\"s1\"]}");
	peer_expect_part(&peer, "\"identity\":\"ann\"");
	publish(exchange, "trace:a", "{\"sessionId\":\"s2\"}");
	peer_expect(&peer, NULL);
	publish(exchange, "trace:a", "{\"sessionId\":\"s1\"}");
	peer_expect_part(&peer, "\"s1\"");
}
END_TEST

START_TEST(is_warned_a_tenth_before_the_end_and_ended_at_it)
{
	authenticate("ann", 100, "");
	peer_next(&peer);
	for (int i = 0; i < 89; i++)
		pass(1000);
	peer_expect(&peer, NULL);
	pass(1000);
	char notice[128];
	snprintf(notice, sizeof notice, "{\"op\":\"notice\",\"code\":\"tokenExpiring\",\"expiresAt\":%llu}",
		 (unsigned long long)(WALL_S + 100) * 1000);
	peer_expect(&peer, notice);
	for (int i = 0; i < 9; i++)
		pass(1000);
	ck_assert_uint_eq(peer.close_code, 0);
	peer_expect(&peer, NULL);
	pass(1000);
	ck_assert_uint_eq(peer.close_code, 4401);
}
END_TEST

START_TEST(is_warned_a_minute_before_where_a_tenth_is_longer)
{
	authenticate("ann", 7200, "");
	peer_next(&peer);
	for (int i = 0; i < 7200 - 65; i += 5)
		pass(5000);
	peer_expect(&peer, NULL);
	pass(5000);
	peer_expect_part(&peer, "tokenExpiring");
}
END_TEST

START_TEST(a_refreshed_token_lives_on_and_is_warned_of_again)
{
	authenticate("ann", 100, "");
	peer_next(&peer);
	pass(95000);
	peer_expect_part(&peer, "tokenExpiring");
	authenticate("ann", 100, "");
	peer_expect_part(&peer, "\"ok\"");
	for (int i = 0; i < 18; i++)
		pass(5000);
	ck_assert_uint_eq(peer.close_code, 0);
	peer_expect_part(&peer, "tokenExpiring");
	pass(11000);
	ck_assert_uint_eq(peer.close_code, 4401);
}
END_TEST

/* The wall clock is set back and forward; the session follows it within a look. */
START_TEST(a_clock_that_is_set_is_honoured)
{
	authenticate("ann", 100, "");
	peer_next(&peer);
	clock_fake(clock_mono_ns(), clock_wall_ms() - 3600000);
	for (int i = 0; i < 40; i++)
		pass(5000);
	ck_assert_uint_eq(peer.close_code, 0);
	clock_fake(clock_mono_ns(), clock_wall_ms() + 3600000);
	pass(5000);
	ck_assert_uint_eq(peer.close_code, 4401);
}
END_TEST

START_TEST(a_refresh_that_narrows_keeps_key_and_place)
{
	char key[64];
	authenticate("ann", 3600, "");
	peer_next(&peer);
	snprintf(key, sizeof key, "\"sub\":\"%s\"", peer_subscribes(&peer, ""));
	publish(exchange, "trace:a", "{\"sessionId\":\"s2\"}");
	peer_expect_part(&peer, key);
	authenticate("ann", 3600, ",\"tracegate\":{\"sessions\":[\"s1\"]}");
	peer_expect_part(&peer, "\"ok\"");
	publish(exchange, "trace:a", "{\"sessionId\":\"s2\"}");
	peer_expect(&peer, NULL);
	publish(exchange, "trace:a", "{\"sessionId\":\"s1\"}");
	peer_expect_part(&peer, key);
	authenticate("ann", 3600, "");
	peer_next(&peer);
	publish(exchange, "trace:a", "{\"sessionId\":\"s2\"}");
	peer_expect_part(&peer, key);
}
END_TEST

/* Reads on from its place, by what is left of its wish. */
START_TEST(a_refresh_that_narrows_meets_a_catch_up)
{
	authenticate("ann", 3600, "");
	peer_next(&peer);
	tell_feed(exchange, true);
	for (int session = 1; session <= 2; session++)
		record_events(exchange, session, 30);
	peer_says(&peer, "{\"id\":1,\"op\":\"subscribe\",\"since\":\"1-0\"}");
	authenticate("ann", 3600, ",\"tracegate\":{\"sessions\":[\"s2\"]}");
	settle(exchange);
	bool has_reply = false, has_other = false;
	for (const char *got = peer_next(&peer); got; got = peer_next(&peer)) {
		has_reply = has_reply || strstr(got, "\"id\":9,\"ok\"");
		ck_assert_msg(!has_reply || !strstr(got, "\"sessionId\":\"s1\""), "%s", got);
		has_other = has_other || strstr(got, "\"n\":60,\"sessionId\":\"s2\"");
	}
	ck_assert(has_reply && has_other);
}
END_TEST

START_TEST(what_may_not_go_on_is_ended_with_a_notice)
{
	authenticate("ann", 3600, "");
	peer_next(&peer);
	peer_subscribes(&peer, "");
	authenticate("ann", 3600, ",\"tracegate\":{\"ops\":[\"history\"]}");
	peer_expect_part(&peer, "\"code\":\"notAllowed\",\"sub\":\"");
	peer_expect_part(&peer, "\"ok\"");
	publish(exchange, "trace:a", "{\"n\":1}");
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(a_replay_goes_live_only_for_who_may_subscribe)
{
	static const char replay[] = "{\"id\":1,\"op\":\"replay\",\"session\":\"s1\",\"speed\":\"max\",\"then\":\"live\"}";
	tell_feed(exchange, true);
	record_events(exchange, 1, 3);
	authenticate("ann", 3600, ",\"tracegate\":{\"ops\":[\"replay\"]}");
	peer_next(&peer);
	peer_says(&peer, replay);
	peer_expect_part(&peer, "\"code\":\"not_allowed\"");
	authenticate("ann", 3600, "");
	peer_next(&peer);
	peer_says(&peer, replay);
	peer_expect_part(&peer, "\"replay\":\"r1\"");
	authenticate("ann", 3600, ",\"tracegate\":{\"ops\":[\"replay\"]}");
	peer_expect_part(&peer, "\"id\":9,\"ok\"");
	settle(exchange);
	bool has_ended = false;
	for (const char *got = peer_next(&peer); got; got = peer_next(&peer)) {
		if (strstr(got, "replayEnd"))
			has_ended = strstr(got, "\"error\":{\"code\":\"not_allowed\"") && !strstr(got, "\"sub\"");
	}
	ck_assert(has_ended);
	record_events(exchange, 1, 1);
	clock_fake_advance_ms(100);
	settle(exchange);
	peer_expect(&peer, NULL);
}
END_TEST

/* What was asked for in wider terms is not given any more. */
START_TEST(requests_under_way_end_with_the_grants_they_were_made_by)
{
	authenticate("ann", 3600, "");
	peer_next(&peer);
	tell_feed(exchange, true);
	record_events(exchange, 1, 30);
	peer_says(&peer, "{\"id\":1,\"op\":\"history\",\"from\":\"earliest\"}");
	peer_says(&peer, "{\"id\":2,\"op\":\"state\",\"session\":\"s1\"}");
	exchange_end_turn(exchange);
	authenticate("ann", 3600, ",\"tracegate\":{\"sessions\":[\"s2\"]}");
	peer_expect_part(&peer, "\"id\":1,\"error\":{\"code\":\"unavailable\"");
	peer_expect_part(&peer, "\"id\":2,\"error\":{\"code\":\"unavailable\"");
	peer_expect_part(&peer, "\"id\":9,\"ok\"");
	settle(exchange);
	peer_expect(&peer, NULL);
}
END_TEST

/* What it is told of one of them may be too much for a client that does not read: then all end with it. */
START_TEST(requests_under_way_may_end_with_the_session)
{
	enum { REQUESTS = 4, ID_BYTES = 3900 }; /* past_settings() lets so many be under way, and messages be so long */
	static char request[ID_BYTES + 128];
	authenticate("ann", 3600, "");
	tell_feed(exchange, true);
	record_events(exchange, 1, 30);
	for (int i = 0; i < REQUESTS; i++) {
		snprintf(request, sizeof request, "{\"op\":\"history\",\"from\":\"earliest\",\"id\":\"%0*d\"}", ID_BYTES, i);
		peer_says(&peer, request);
	}
	exchange_end_turn(exchange);
	peer.is_stuck = true;
	authenticate("ann", 3600, "");
	/* Replies wait for it until there is room for two more of those with the long ids. */
	snprintf(request, sizeof request, "{\"op\":\"ping\",\"id\":\"%0*d\"}", ID_BYTES, 0);
	for (size_t waits = 0; waits + 3 * (ID_BYTES + 128) < SESSION_CONTROL_BYTES_MAX; waits += ID_BYTES)
		peer_says(&peer, request);
	ck_assert_uint_eq(peer.close_code, 0);
	authenticate("ann", 3600, ",\"tracegate\":{\"sessions\":[\"s2\"]}");
	ck_assert_uint_eq(peer.close_code, 4502);
	exchange_end_turn(exchange);
}
END_TEST

START_TEST(an_operator_ends_an_identity_or_a_client)
{
	struct peer other;
	authenticate("ann", 3600, "");
	peer_next(&peer);
	peer_connect(&other, exchange);
	peer_next(&other);
	struct exchange_culprit culprit = {.identity = slice_of("bob")};
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 0);
	culprit = (struct exchange_culprit){.identity = slice_of("ann"), .reason = "gone fishing"};
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 1);
	peer_expect(&peer, "{\"op\":\"notice\",\"code\":\"closing\",\"closeCode\":4403,\"reason\":\"gone fishing\"}");
	ck_assert_uint_eq(peer.close_code, 4403);
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 0);
	session_close(other.session, CLOSE_TOO_SLOW);
	culprit.identity = slice_of("anonymous");
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 0); /* it is on its way */
	peer_leave(&other);
	peer_connect(&other, exchange);
	peer_next(&other);
	culprit = (struct exchange_culprit){.client = session_id(other.session)};
	ck_assert_uint_eq(exchange_disconnect(exchange, &culprit), 1);
	ck_assert_uint_eq(other.close_code, 4403);
	peer_leave(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("credentials");
	TCase *tests = tcase_create("credentials"), *open = tcase_create("not required");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_checked_fixture(open, set_up_open, tear_down);
	tcase_add_test(tests, a_stranger_gets_no_answer_but_to_auth_and_ping);
	tcase_add_test(tests, a_stranger_is_closed_after_a_while);
	tcase_add_test(tests, who_says_who_it_is_may_stay);
	tcase_add_test(tests, the_reply_says_what_limits_hold_from_now_on);
	tcase_add_test(tests, a_bad_token_is_answered_and_ends_the_session);
	tcase_add_test(tests, another_identity_is_refused_and_the_first_one_stays);
	tcase_add_test(open, an_anonymous_client_may_say_who_it_is);
	tcase_add_test(tests, is_warned_a_tenth_before_the_end_and_ended_at_it);
	tcase_add_test(tests, is_warned_a_minute_before_where_a_tenth_is_longer);
	tcase_add_test(tests, a_refreshed_token_lives_on_and_is_warned_of_again);
	tcase_add_test(tests, a_clock_that_is_set_is_honoured);
	tcase_add_test(tests, a_refresh_that_narrows_keeps_key_and_place);
	tcase_add_test(tests, a_refresh_that_narrows_meets_a_catch_up);
	tcase_add_test(tests, what_may_not_go_on_is_ended_with_a_notice);
	tcase_add_test(tests, a_replay_goes_live_only_for_who_may_subscribe);
	tcase_add_test(tests, requests_under_way_end_with_the_grants_they_were_made_by);
	tcase_add_test(tests, requests_under_way_may_end_with_the_session);
	tcase_add_test(tests, an_operator_ends_an_identity_or_a_client);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, open);
	return suite_run(suite);
}
