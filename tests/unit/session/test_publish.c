#include "fake_log.h"

#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;

static void begin(void (*ask)(void *context, struct question *question), size_t requests_max)
{
	struct exchange_settings settings = fake_settings();
	settings.past = (struct exchange_past){ask, NULL};
	settings.past_timeout_ns = NS_PER_S;
	settings.past_requests_max = requests_max;
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
	begin(log_ask, 2);
}

static void setup_without_history(void)
{
	begin(NULL, 2);
}

static void teardown(void)
{
	if (peer.session)
		peer_leave(&peer);
	exchange_free(exchange);
	log_end();
	fake_end();
}

static void publish_op(const char *members)
{
	char request[4096];
	snprintf(request, sizeof request, "{\"id\":3,\"op\":\"publish\",%s}", members);
	peer_says(&peer, request);
}

START_TEST(answers_with_the_id_once_it_is_stored)
{
	publish_op("\"channel\":\"trace:s1\",\"data\":{\"n\":1}");
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(fake_log.waiting, 1);
	const struct question *question = fake_log.questions[0];
	ck_assert_int_eq(question->kind, QUESTION_PUBLISH);
	ck_assert_uint_eq(question->deadline_ns, clock_mono_ns() + NS_PER_S);
	ck_assert(slice_is(question->channel, "trace:s1"));
	ck_assert(slice_is(question->session, "s1"));
	log_answer_with(exchange, OK, NULL);
	peer_expect(&peer, "{\"id\":3,\"ok\":{\"id\":\"1764031200123-7\"}}");
	ck_assert_uint_eq(metric_read(METRIC_PUBLISHED), 1);
}
END_TEST

/* Byte for byte as they stand in the request; the session is taken from them as from what is PUBLISHed. */
static const struct {
	const char *data, *session;
} payloads[] = {
	{"{\"z\": 1.00,\t\"a\":12345678901234567890123,\"sessionId\":\"s\\u0037\"}", "s7"},
	{"{\"session\":42,\"x\":\"\\ud800\"}", "42"},
	{"1e400", "c1"},
	{"-0", "c1"},
	{"\"a\\u0000b\"", "c1"},
	{"null", "c1"},
	{"[ ]", "c1"},
	{"{}", "c1"},
};

START_TEST(publishes_the_bytes_that_were_sent)
{
	char members[512];
	snprintf(members, sizeof members, "\"data\" : %s , \"channel\":\"agent:c1\"", payloads[_i].data);
	publish_op(members);
	ck_assert_uint_eq(fake_log.waiting, 1);
	const struct question *question = fake_log.questions[0];
	ck_assert_msg(slice_is(question->payload, payloads[_i].data), "%.*s", (int)question->payload.len, question->payload.ptr);
	ck_assert_msg(slice_is(question->session, payloads[_i].session), "%.*s", (int)question->session.len, question->session.ptr);
}
END_TEST

static const struct {
	const char *members, *code, *message_part;
} refused[] = {
	{"\"data\":1", "bad_request", "channel: missing"},
	{"\"channel\":\"trace:a\"", "bad_request", "data: missing"},
	{"\"channel\":5,\"data\":1", "bad_request", "channel: a string is needed"},
	{"\"channel\":\"\",\"data\":1", "bad_request", "channel: a string of 1 to 1024 bytes"},
	{"\"channel\":\"cats:a\",\"data\":1", "channel_not_served", "channel: "},
	{"\"channel\":\"*\",\"data\":1", "channel_not_served", "channel: "},
	{"\"channel\":\"[t]race:a\",\"data\":1", "channel_not_served", "channel: "},
	{"\"channel\":\"tg:live\",\"data\":1", "channel_not_served", "channel: "},
};

START_TEST(names_the_field_that_is_wrong)
{
	char start[96];
	publish_op(refused[_i].members);
	const char *reply = peer_next(&peer);
	snprintf(start, sizeof start, "{\"id\":3,\"error\":{\"code\":\"%s\",\"message\":\"%s", refused[_i].code, refused[_i].message_part);
	ck_assert_msg(reply && strncmp(reply, start, strlen(start)) == 0, "%s", reply ? reply : "nothing");
	ck_assert_uint_eq(fake_log.asked, 0);
}
END_TEST

static const struct {
	enum err error;
	const char *why, *reply_part;
} failures[] = {
	{ERR_TIMEOUT, NULL, "\"code\":\"timeout\",\"message\":\"Redis did not answer within history.timeout\",\"temporary\":true"},
	{ERR_CLOSED, NULL, "\"code\":\"unavailable\",\"message\":\"the node has no connection to Redis\",\"temporary\":true"},
	{ERR_LIMIT, NULL, "\"code\":\"too_many_requests\""},
	{ERR_IO, "Redis is out of memory", "\"code\":\"refused\",\"message\":\"Redis is out of memory\",\"temporary\":false"},
};

START_TEST(says_why_it_was_not_published)
{
	publish_op("\"channel\":\"trace:a\",\"data\":1");
	log_answer_with(exchange, failures[_i].error, failures[_i].why);
	peer_expect_part(&peer, failures[_i].reply_part);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(metric_read(METRIC_PUBLISHED), 0);
}
END_TEST

START_TEST(refuses_more_under_way_than_allowed)
{
	for (int i = 0; i < 3; i++)
		publish_op("\"channel\":\"trace:a\",\"data\":1");
	peer_expect_part(&peer, "\"code\":\"too_many_requests\"");
	ck_assert_uint_eq(fake_log.waiting, 2);
	log_answer_all(exchange);
	publish_op("\"channel\":\"trace:a\",\"data\":1");
	ck_assert_uint_eq(fake_log.waiting, 1);
}
END_TEST

START_TEST(without_an_id_it_is_done_and_not_answered)
{
	peer_says(&peer, "{\"op\":\"publish\",\"channel\":\"trace:a\",\"data\":1}");
	log_answer_all(exchange);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(metric_read(METRIC_PUBLISHED), 1);
}
END_TEST

START_TEST(is_done_although_the_client_left)
{
	publish_op("\"channel\":\"trace:a\",\"data\":1");
	peer_leave(&peer);
	peer.session = NULL;
	ck_assert_uint_eq(fake_log.cancelled, 0);
	log_answer_all(exchange);
	ck_assert_uint_eq(metric_read(METRIC_PUBLISHED), 1);
}
END_TEST

START_TEST(what_was_never_answered_is_freed_with_the_exchange)
{
	publish_op("\"channel\":\"trace:a\",\"data\":1");
	peer_leave(&peer);
	peer.session = NULL;
}
END_TEST

START_TEST(without_history_says_how_to_publish)
{
	publish_op("\"channel\":\"trace:a\",\"data\":1");
	peer_expect_part(&peer, "\"code\":\"unsupported\",\"message\":\"this gateway keeps no history (history.enabled) and takes no "
				"events from clients: PUBLISH them in Redis\",\"temporary\":false");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("publish");
	TCase *tests = tcase_create("publish"), *none = tcase_create("none");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_checked_fixture(none, setup_without_history, teardown);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, none);
	tcase_add_test(tests, answers_with_the_id_once_it_is_stored);
	tcase_add_loop_test(tests, publishes_the_bytes_that_were_sent, 0, sizeof payloads / sizeof payloads[0]);
	tcase_add_loop_test(tests, names_the_field_that_is_wrong, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(tests, says_why_it_was_not_published, 0, sizeof failures / sizeof failures[0]);
	tcase_add_test(tests, refuses_more_under_way_than_allowed);
	tcase_add_test(tests, without_an_id_it_is_done_and_not_answered);
	tcase_add_test(tests, is_done_although_the_client_left);
	tcase_add_test(tests, what_was_never_answered_is_freed_with_the_exchange);
	tcase_add_test(none, without_history_says_how_to_publish);
	return suite_run(suite);
}
