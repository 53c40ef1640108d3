#include "gateway/http/publish_call.h"
#include "tests/support/suite.h"
#include "tests/unit/http/fake_client.h"

#define JSON_TYPE "Content-Type: application/json\r\n"
#define LINES_TYPE "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
#define POST "POST /v1/publish"

static struct client client;

static void set_up(void)
{
	past_start(true);
}

static void tear_down(void)
{
	client_leaves(&client);
	past_end();
}

static void post(const char *body)
{
	char fields[128];
	snprintf(fields, sizeof fields, JSON_TYPE "Content-Length: %zu\r\n", strlen(body));
	client_asks(&client, POST, fields);
	client_sends(&client, body);
}

/* A chunk of the body; "" ends it. */
static void send_chunk(const char *text)
{
	char size[32];
	snprintf(size, sizeof size, "%zx\r\n", strlen(text));
	buf_append_text(&client.unread, size);
	buf_append_text(&client.unread, text);
	client_sends(&client, "\r\n");
}

static void check_question(size_t at, const char *channel, const char *payload)
{
	ck_assert_uint_lt(at, question_count);
	ck_assert_int_eq(questions[at]->kind, QUESTION_PUBLISH);
	ck_assert(slice_is(questions[at]->channel, channel));
	ck_assert_msg(slice_is(questions[at]->payload, payload), "%.*s", (int)questions[at]->payload.len, questions[at]->payload.ptr);
}

START_TEST(publishes_the_bytes_of_data_as_they_were_sent)
{
	post("{ \"more\":1, \"channel\" : \"trace:\\u0073\\ud83d\\ude00\", \"data\" : { \"b\":1.0 , \"a\": 12345678901234567890 } }");
	check_question(0, "trace:s\xF0\x9F\x98\x80", "{ \"b\":1.0 , \"a\": 12345678901234567890 }");
	ck_assert_uint_eq(client.status, 0);
	past_published(0, 7);
	client_expect(&client, 200, "{\"id\":\"7-0\"}\n");
	ck_assert_uint_eq(metric_read(METRIC_PUBLISHED), 1);
}
END_TEST

static const struct {
	const char *body;
	unsigned status;
	const char *code;
} bad[] = {
	{"{", 400, "bad_message"},
	{"[]", 400, "bad_message"},
	{"{\"channel\":\"trace:1\",\"data\":NaN}", 400, "bad_message"},
	{"{\"channel\":\"trace:1\",\"data\":1}{}", 400, "bad_message"},
	{"{\"channel\":\"trace:1\"}", 400, "bad_request"},
	{"{\"data\":1}", 400, "bad_request"},
	{"{\"channel\":7,\"data\":1}", 400, "bad_request"},
	{"{\"channel\":\"\",\"data\":1}", 400, "bad_request"},
	{"{\"channel\":\"trace:1\",\"channel\":\"trace:2\",\"data\":1}", 400, "bad_request"},
	{"{\"channel\":\"trace:1\",\"data\":1,\"d\\u0061ta\":2}", 400, "bad_request"},
	{"{\"channel\":\"cats:1\",\"data\":1}", 400, "channel_not_served"},
};

START_TEST(refuses_what_is_no_event)
{
	post(bad[_i].body);
	client_expect_error(&client, bad[_i].status, bad[_i].code);
	ck_assert_uint_eq(question_count, 0);
}
END_TEST

static const struct {
	enum err error;
	unsigned status;
	const char *code;
	bool retries;
} failures[] = {
	{ERR_TIMEOUT, 504, "timeout", true}, {ERR_CLOSED, 503, "unavailable", true}, {ERR_LIMIT, 503, "too_many_requests", true},
	{ERR_IO, 500, "refused", false},      {ERR_NOMEM, 500, "internal", false},
};

START_TEST(says_why_it_could_not)
{
	post("{\"channel\":\"trace:1\",\"data\":1}");
	past_fails(0, failures[_i].error);
	client_expect_error(&client, failures[_i].status, failures[_i].code);
	ck_assert_int_eq(client.response.retry_after_s != 0, failures[_i].retries);
}
END_TEST

START_TEST(refuses_a_body_that_is_too_long_as_soon_as_that_is_known)
{
	char text[600] = "";
	client_asks(&client, POST, JSON_TYPE "Content-Length: 257\r\n");
	client_expect_error(&client, 413, "message_too_big");
	client_leaves(&client);
	client_asks(&client, POST, JSON_TYPE "Transfer-Encoding: chunked\r\n");
	memset(text, ' ', 256);
	send_chunk(text);
	ck_assert(!client.is_finished);
	send_chunk(" ");
	client_expect_error(&client, 413, "message_too_big");
}
END_TEST

START_TEST(refuses_types_that_it_does_not_take_or_give)
{
	static const struct {
		const char *fields;
		unsigned status;
		const char *code;
	} types[] = {
		{"", 415, "unsupported_media_type"},
		{"Content-Type: text/plain\r\n", 415, "unsupported_media_type"},
		{"Content-Type: application/x-www-form-urlencoded\r\n", 415, "unsupported_media_type"},
		{JSON_TYPE "Accept: text/html\r\n", 406, "not_acceptable"},
		{JSON_TYPE "Accept: application/x-ndjson\r\n", 406, "not_acceptable"},
	};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		client_leaves(&client);
		client_asks(&client, POST, types[i].fields);
		client_expect_error(&client, types[i].status, types[i].code);
	}
}
END_TEST

START_TEST(answers_lines_in_their_order)
{
	client_asks(&client, POST, LINES_TYPE);
	send_chunk("{\"channel\":\"trace:1\",\"data\":1}\n{\"channel\":\"trace:2\",\"da");
	send_chunk("ta\":2}\r\n\n\r\nno json\n{\"channel\":\"trace:3\",\"data\":\"3\"}");
	ck_assert_uint_eq(question_count, 2);
	send_chunk("");
	ck_assert_uint_eq(question_count, 3);
	check_question(0, "trace:1", "1");
	check_question(1, "trace:2", "2");
	check_question(2, "trace:3", "\"3\"");
	past_published(2, 30);
	past_published(1, 20);
	client_turn(&client);
	ck_assert_uint_eq(client.body.len, 0);
	past_published(0, 10);
	client_turn(&client);
	client_expect(&client, 200,
		      "{\"id\":\"10-0\"}\n{\"id\":\"20-0\"}\n"
		      "{\"error\":{\"code\":\"bad_message\",\"message\":\"a JSON object is needed: {\\\"channel\\\":...,\\\"data\\\":...}\"}}\n"
		      "{\"id\":\"30-0\"}\n");
	ck_assert_str_eq(client.response.content_type, "application/x-ndjson");
	ck_assert_uint_eq(client.writes, 1);
}
END_TEST

START_TEST(a_line_that_is_too_long_does_not_end_the_rest)
{
	char longest[400];
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	client_asks(&client, POST, LINES_TYPE);
	for (unsigned i = 0; i < 20; i++)
		send_chunk(longest);
	send_chunk("\n{\"channel\":\"trace:1\",\"data\":1}\n");
	/* A whole line that is too long by one byte, and one that is not. */
	char line[300];
	int room = snprintf(line, sizeof line, "{\"channel\":\"trace:1\",\"data\":\"%*s\"}", 256 - 32, "");
	ck_assert_int_lt(room, 258);
	send_chunk(line);
	send_chunk("\n");
	send_chunk("");
	ck_assert_uint_eq(question_count, 2);
	past_published(0, 1);
	past_fails(1, ERR_CLOSED);
	client_turn(&client);
	client_expect(&client, 200,
		      "{\"error\":{\"code\":\"message_too_big\",\"message\":\"the line is longer than limits.message_bytes\"}}\n"
		      "{\"id\":\"1-0\"}\n"
		      "{\"error\":{\"code\":\"unavailable\",\"message\":\"the node has no connection to Redis\"}}\n");
}
END_TEST

START_TEST(takes_no_more_lines_than_may_be_under_way)
{
	client_asks(&client, POST, LINES_TYPE);
	for (unsigned i = 0; i < 100; i++)
		send_chunk("{\"channel\":\"trace:1\",\"data\":1}\n");
	ck_assert_uint_eq(question_count, 64);
	past_published(1, 2);
	client_turn(&client);
	ck_assert_uint_eq(question_count, 64);
	past_published(0, 1);
	client_turn(&client);
	ck_assert_uint_eq(question_count, 66);
}
END_TEST

START_TEST(takes_no_more_lines_while_the_client_does_not_read)
{
	client_asks(&client, POST, LINES_TYPE);
	send_chunk("{\"channel\":\"trace:1\",\"data\":1}\n");
	client.is_stuck = true;
	past_published(0, 1);
	client_turn(&client);
	ck_assert(client.is_blocked);
	send_chunk("{\"channel\":\"trace:1\",\"data\":1}\n");
	ck_assert_uint_eq(question_count, 1);
	client_reads(&client);
	ck_assert_uint_eq(question_count, 2);
	send_chunk("");
	past_published(1, 2);
	client_turn(&client);
	client_expect(&client, 200, "{\"id\":\"1-0\"}\n{\"id\":\"2-0\"}\n");
}
END_TEST

START_TEST(who_leaves_cancels_what_is_under_way)
{
	client_asks(&client, POST, LINES_TYPE);
	send_chunk("{\"channel\":\"trace:1\",\"data\":1}\n{\"channel\":\"trace:1\",\"data\":1}\n{\"channel\":");
	client_leaves(&client);
	client.call = NULL;
	ck_assert_uint_eq(cancel_count, 2);
	past_published(0, 1);
}
END_TEST

START_TEST(without_history_nothing_can_be_published)
{
	past_end();
	past_start(false);
	post("{\"channel\":\"trace:1\",\"data\":1}");
	client_expect_error(&client, 501, "no_history");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_publish");
	TCase *tests = tcase_create("api_publish");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, publishes_the_bytes_of_data_as_they_were_sent);
	tcase_add_loop_test(tests, refuses_what_is_no_event, 0, sizeof bad / sizeof bad[0]);
	tcase_add_loop_test(tests, says_why_it_could_not, 0, sizeof failures / sizeof failures[0]);
	tcase_add_test(tests, refuses_a_body_that_is_too_long_as_soon_as_that_is_known);
	tcase_add_test(tests, refuses_types_that_it_does_not_take_or_give);
	tcase_add_test(tests, answers_lines_in_their_order);
	tcase_add_test(tests, a_line_that_is_too_long_does_not_end_the_rest);
	tcase_add_test(tests, takes_no_more_lines_than_may_be_under_way);
	tcase_add_test(tests, takes_no_more_lines_while_the_client_does_not_read);
	tcase_add_test(tests, who_leaves_cancels_what_is_under_way);
	tcase_add_test(tests, without_history_nothing_can_be_published);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
