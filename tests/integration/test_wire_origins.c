/* Which pages may connect: each spelling of an origin gets the same verdict from the WebSocket, from event streams and from the HTTP
 * API, asked directly or by the OPTIONS of a browser; and those that may are told so in the fields of CORS. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/suite.h"

static struct redis_server *redis;
static struct gateway *gateway;
static struct bystander bystander;

static void start(void)
{
	const char *flags[] = {"--cors.origins", "https://app.example.com,https://*.swarm.example.com,http://localhost:3000", NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	bystander_join(&bystander, gateway_port(gateway), redis);
}

static void stop(void)
{
	bystander_leave(&bystander);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_end(gateway);
	redis_server_free(redis);
}

#define ORIGIN(text) "Origin: " text "\r\n"

static const struct row {
	const char *fields;
	bool may_connect;
} rows[] = {
	{"", true}, /* no browser */
	{ORIGIN("https://app.example.com"), true},
	{ORIGIN("http://localhost:3000"), true},
	{ORIGIN("https://one.swarm.example.com"), true},
	{ORIGIN("https://a.b.swarm.example.com"), true},
	{ORIGIN("http://app.example.com"), false},
	{ORIGIN("https://app.example.com:443"), false},
	{ORIGIN("https://app.example.com:8443"), false},
	{ORIGIN("https://app.example.com.evil.io"), false},
	{ORIGIN("https://evilapp.example.com"), false},
	{ORIGIN("https://APP.example.com"), false},
	{ORIGIN("https://app.example.com/"), false},
	{ORIGIN("https://app.example.com."), false},
	{ORIGIN("null"), false},
	{ORIGIN(""), false},
	{ORIGIN("https://app.example.com") ORIGIN("https://app.example.com"), false},
	{ORIGIN("https://app.example.com, https://evil.io"), false},
	{ORIGIN("https://swarm.example.com"), false},
	{ORIGIN("https://evilswarm.example.com"), false},
	{ORIGIN("https://one.swarm.example.com.evil.io"), false},
	{ORIGIN("https://one.swarm.example.com:8443"), false},
	{ORIGIN("http://one.swarm.example.com"), false},
	{ORIGIN("https://evil.io/.swarm.example.com"), false},
	{ORIGIN("http://localhost"), false},
	{ORIGIN("http://localhost:30000"), false},
};
#define ROWS ((int)(sizeof rows / sizeof rows[0]))

static void expect_fields(const struct row *row, const struct http_answer *answer, const char *what)
{
	char wanted[256] = "";
	if (row->may_connect && row->fields[0])
		snprintf(wanted, sizeof wanted, "Access-Control-Allow-%.*s", (int)strcspn(row->fields, "\r"), row->fields);
	if (*wanted)
		ck_assert_msg(http_has_field(answer, wanted), "%s %s: %s", what, row->fields, answer->head);
	else
		ck_assert_msg(!strstr(answer->head, "Access-Control-Allow-Origin"), "%s %s: %s", what, row->fields, answer->head);
}

START_TEST(judges_the_handshake_of_a_websocket)
{
	struct raw raw;
	raw_connect(&raw, gateway_port(gateway));
	ck_assert_msg(raw_handshake(&raw, "/v1/stream", rows[_i].fields) == (rows[_i].may_connect ? 101 : 403), "%s", rows[_i].fields);
	raw_close(&raw);
}
END_TEST

START_TEST(judges_requests_and_event_streams_and_what_browsers_ask_before)
{
	static const char *const requests[] = {"GET /v1/history", "GET /v1/events", "OPTIONS /v1/history", "OPTIONS /v1/events",
					       "OPTIONS /v1/publish"};
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct http_answer answer = {0};
		struct raw raw;
		char head[512];
		bool is_preflight = requests[i][0] == 'O';
		snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s\r\n", requests[i], rows[_i].fields,
			 is_preflight ? "Access-Control-Request-Method: GET\r\n" : "");
		raw_connect(&raw, gateway_port(gateway));
		raw_send_text(&raw, head);
		http_read_head_only(&raw, &answer);
		int wanted = !rows[_i].may_connect ? 403 : is_preflight ? 204 : 200;
		ck_assert_msg(answer.status == wanted, "%s %s: %d", requests[i], rows[_i].fields, answer.status);
		expect_fields(&rows[_i], &answer, requests[i]);
		http_answer_free(&answer);
		raw_close(&raw);
	}
}
END_TEST

#define ALLOWED ORIGIN("https://app.example.com")
#define STREAM "GET /v1/stream HTTP/1.1\r\nHost: h\r\n"

/* Before and behind the Origin field. */
static const struct refusal_row {
	const char *before, *behind;
	int status;
	bool is_readable; /* the page is let know why */
} refusals[] = {
	{"GET /nothing HTTP/1.1\r\nHost: h\r\n", "\r\n", 404, true},
	{"POST /v1/stream HTTP/1.1\r\nHost: h\r\n", "\r\n", 405, true},
	{STREAM, "\r\n", 426, true},
	{STREAM "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", "\r\n", 400, true},
	{STREAM "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer bad\r\n", "\r\n", 401, true},
	{STREAM, "a field without a colon\r\n\r\n", 400, true},
	{STREAM "a field without a colon\r\n", "\r\n", 400, false},
	{"GET /v1/stream HTTP/3.0\r\nHost: h\r\n", "\r\n", 505, true},
	{"GET no-path HTTP/1.1\r\nHost: h\r\n", "\r\n", 400, true},
	{"POST /v1/publish HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n", "\r\n", 400, true},
	{"POST /v1/publish HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: odd\r\n", "\r\n", 501, true},
};

static void expect_refusal(const char *request, size_t len, int status, bool is_readable)
{
	struct http_answer answer = {0};
	struct raw raw;
	raw_connect(&raw, gateway_port(gateway));
	raw_send(&raw, (struct slice){request, len});
	http_read(&raw, &answer);
	ck_assert_msg(answer.status == status, "%.200s: %d", request, answer.status);
	ck_assert_msg((strstr(answer.head, "Access-Control-Allow-Origin: https://app.example.com\r\n") != NULL) == is_readable, "%.200s: %s", request,
		      answer.head);
	ck_assert_msg((strstr(answer.head, "Access-Control-Expose-Headers: Retry-After") != NULL) == is_readable, "%.200s", request);
	http_answer_free(&answer);
	raw_close(&raw);
}

START_TEST(a_page_that_may_connect_may_read_why_it_was_refused)
{
	const struct refusal_row *row = &refusals[_i];
	char request[1024];
	int len = snprintf(request, sizeof request, "%s" ALLOWED "%s", row->before, row->behind);
	expect_refusal(request, (size_t)len, row->status, row->is_readable);
	len = snprintf(request, sizeof request, "%s" ORIGIN("https://evil.io") "%s", row->before, row->behind);
	expect_refusal(request, (size_t)len, row->status == 401 ? 403 : row->status, false);
}
END_TEST

static void append_many(struct buf *buf, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_append_text(buf, text);
}

/* What has come is looked at for an Origin, wherever it stands, although it is clear before that nobody reads the request. */
START_TEST(heads_that_are_too_long_say_so_to_pages_too)
{
	struct buf request;
	buf_init(&request);
	append_many(&request, "GET /v1/history?filter=", 1);
	append_many(&request, "x", 13000);
	append_many(&request, " HTTP/1.1\r\nHost: h\r\n" ALLOWED "\r\n", 1);
	expect_refusal(request.bytes, request.len, 414, true);
	buf_clear(&request);
	append_many(&request, "GET /v1/history?filter=", 1);
	append_many(&request, "x", 30000);
	append_many(&request, " HTTP/1.1\r\nHost: h\r\n" ALLOWED "\r\n", 1);
	expect_refusal(request.bytes, request.len, 414, true);
	buf_clear(&request);
	append_many(&request, "GET /v1/history HTTP/1.1\r\nHost: h\r\n" ALLOWED, 1);
	append_many(&request, "X: y\r\n", 200);
	append_many(&request, "\r\n", 1);
	expect_refusal(request.bytes, request.len, 431, true);
	buf_clear(&request);
	append_many(&request, "GET /v1/history HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ", 1);
	append_many(&request, "x", 20000);
	append_many(&request, "\r\n" ALLOWED "\r\n", 1);
	expect_refusal(request.bytes, request.len, 431, true);
	buf_clear(&request);
	append_many(&request, "x", 40000);
	expect_refusal(request.bytes, request.len, 414, false);
	buf_fini(&request);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire origins");
	TCase *tests = tcase_create("origins");
	tcase_add_unchecked_fixture(tests, start, stop);
	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, judges_the_handshake_of_a_websocket, 0, ROWS);
	tcase_add_loop_test(tests, judges_requests_and_event_streams_and_what_browsers_ask_before, 0, ROWS);
	tcase_add_loop_test(tests, a_page_that_may_connect_may_read_why_it_was_refused, 0, sizeof refusals / sizeof refusals[0]);
	tcase_add_test(tests, heads_that_are_too_long_say_so_to_pages_too);
	suite_add_tcase(suite, tests);
	return suite_run_in_process(suite);
}
