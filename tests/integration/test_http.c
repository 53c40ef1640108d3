/* HTTP on the client port: connections, bodies, refusals. The node keeps no history, so that whatever gets through is answered by
 * no_history. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/suite.h"

#define HOST "Host: 127.0.0.1\r\n"
#define HISTORY "GET /v1/history?session=s1 HTTP/1.1\r\n" HOST
#define PUBLISH "POST /v1/publish HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
#define EVENT "{\"channel\":\"trace:s1\",\"data\":{\"n\":1}}"

static struct redis_server *redis;
static struct gateway *gateway;
static struct raw raw;
static struct http_answer answer;

static void start(void)
{
	static const char *const flags[] = {"--history.enabled=no", "--limits.message_bytes=4k", NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void stop(void)
{
	gateway_end(gateway);
	redis_server_free(redis);
}

/* For tests that need a node of their own. */
static struct gateway *other_gateway(const char *flag, const char *another)
{
	const char *const flags[] = {"--history.enabled=no", flag, another, NULL};
	return gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

START_TEST(answers_one_request_after_the_other_on_one_connection)
{
	raw_connect(&raw, gateway_port(gateway));
	for (unsigned i = 0; i < 3; i++) {
		http_ask(&raw, HISTORY, NULL, &answer);
		http_expect(&answer, 501, "{\"error\":{\"code\":\"no_history\",\"message\":\"");
		ck_assert(answer.has_length);
		ck_assert(http_has_field(&answer, "Content-Type: application/json"));
		ck_assert(http_has_field(&answer, "Cache-Control: no-store"));
		ck_assert(!http_has_field(&answer, "Connection: close"));
		http_answer_free(&answer);
		http_ask(&raw, PUBLISH, EVENT, &answer);
		http_expect(&answer, 501, "no_history");
		http_answer_free(&answer);
		http_ask(&raw, "HEAD /v1/sessions?limit=0 HTTP/1.1\r\n" HOST, NULL, &answer);
		http_expect(&answer, 400, NULL);
		http_ask(&raw, "DELETE /v1/publish HTTP/1.1\r\n" HOST, NULL, &answer);
		http_expect(&answer, 405, "method_not_allowed");
		ck_assert(http_has_field(&answer, "Allow: POST, OPTIONS"));
		http_answer_free(&answer);
	}
	http_ask(&raw, HISTORY "Connection: close\r\n", NULL, &answer);
	http_expect(&answer, 501, "no_history");
	ck_assert(http_has_field(&answer, "Connection: close"));
	http_answer_free(&answer);
	raw_expect_end(&raw);
	raw_close(&raw);
}
END_TEST

START_TEST(answers_requests_that_were_sent_at_once_in_their_order)
{
	struct buf requests;
	buf_init(&requests);
	for (unsigned i = 0; i < 3000; i++)
		buf_append_text(&requests, i % 3 ? "GET /v1/sessions?limit=0 HTTP/1.1\r\n" HOST "\r\n" : HISTORY "\r\n");
	raw_connect(&raw, gateway_port(gateway));
	raw_send(&raw, buf_slice(&requests));
	for (unsigned i = 0; i < 3000; i++) {
		http_read(&raw, &answer);
		http_expect(&answer, i % 3 ? 400 : 501, NULL);
		http_answer_free(&answer);
	}
	raw_close(&raw);
	buf_fini(&requests);
}
END_TEST

START_TEST(a_connection_can_become_a_websocket_after_requests)
{
	struct raw_frame frame;
	raw_connect(&raw, gateway_port(gateway));
	http_ask(&raw, HISTORY, NULL, &answer);
	http_expect(&answer, 501, NULL);
	http_answer_free(&answer);
	ck_assert_int_eq(raw_handshake(&raw, "/v1/stream", ""), 101);
	raw_expect_text(&raw, "\"welcome\"", &frame);
	raw_close(&raw);
}
END_TEST

#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
static const char chunked[] = PUBLISH CHUNKED "5;x=\"y\"\r\n{\"cha\r\n20\r\nnnel\":\"trace:s1\",\"data\":{\"n\":1}}\r\n0\r\nTrailer: x\r\n\r\n";

START_TEST(a_request_may_be_cut_anywhere)
{
	size_t len = strlen(chunked);
	raw_connect(&raw, gateway_port(gateway));
	for (size_t cut = 1; cut < len; cut++) {
		raw_send(&raw, (struct slice){chunked, cut});
		raw_send(&raw, (struct slice){chunked + cut, len - cut});
		http_read(&raw, &answer);
		http_expect(&answer, 501, "no_history");
		http_answer_free(&answer);
	}
	for (size_t at = 0; at < len; at++)
		raw_send(&raw, (struct slice){chunked + at, 1});
	http_read(&raw, &answer);
	http_expect(&answer, 501, "no_history");
	http_answer_free(&answer);
	raw_close(&raw);
}
END_TEST

START_TEST(asks_for_the_body_of_who_waits_for_that)
{
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, PUBLISH "Expect: 100-continue\r\nContent-Length: 38\r\n\r\n");
	http_read_head_only(&raw, &answer);
	ck_assert_int_eq(answer.status, 100);
	raw_send_text(&raw, "{\"channel\":\"trace:s1\",\"data\":{\"n\":1}} ");
	http_read(&raw, &answer);
	http_expect(&answer, 501, "no_history");
	http_answer_free(&answer);
	/* Who is refused is not asked. */
	raw_send_text(&raw, PUBLISH "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
	http_read(&raw, &answer);
	http_expect(&answer, 413, "message_too_big");
	ck_assert(http_has_field(&answer, "Connection: close"));
	http_answer_free(&answer);
	raw_expect_end(&raw);
	raw_close(&raw);
}
END_TEST

static const struct {
	const char *request;
	int status;
	const char *code;
} refused[] = {
	{PUBLISH "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"},
	{PUBLISH "Content-Length: 3\r\nContent-Length: 3\r\n\r\n{} ", 400, "bad_request"},
	{PUBLISH "Transfer-Encoding: gzip\r\n\r\n", 501, "unsupported_coding"},
	{PUBLISH CHUNKED "5\r\nhello5\r\n", 400, "bad_request"},
	{PUBLISH CHUNKED "zz\r\n", 400, "bad_request"},
	{PUBLISH CHUNKED "-1\r\n", 400, "bad_request"},
	{PUBLISH "Content-Length: 4097\r\n\r\n", 413, "message_too_big"},
	{"POST /v1/publish HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 415, "unsupported_media_type"},
	{"GET /v1/sessions HTTP/1.1\r\n\r\n", 400, "bad_request"},
	{"GET /v1/other HTTP/1.1\r\n" HOST "\r\n", 404, "not_found"},
	{"GET /v1/history HTTP/2.0\r\n" HOST "\r\n", 505, "http_version"},
};

START_TEST(refuses_and_says_why)
{
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, refused[_i].request);
	http_read(&raw, &answer);
	http_expect(&answer, refused[_i].status, refused[_i].code);
	http_answer_free(&answer);
	raw_close(&raw);
}
END_TEST

START_TEST(what_a_client_sends_of_a_refused_body_does_not_reset_its_answer)
{
	struct buf body;
	buf_init(&body);
	ck_assert_ptr_nonnull(buf_extend(&body, 512 * 1024));
	memset(body.bytes, 'x', body.len);
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, PUBLISH "Content-Length: 524288\r\n\r\n");
	(void)!raw_try_send(&raw, buf_slice(&body));
	http_read(&raw, &answer);
	http_expect(&answer, 413, "message_too_big");
	http_answer_free(&answer);
	raw_close(&raw);
	buf_fini(&body);
}
END_TEST

START_TEST(speaks_http_1_0_and_closes)
{
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, "GET /v1/history?session=s1 HTTP/1.0\r\n\r\n");
	http_read(&raw, &answer);
	http_expect(&answer, 501, "no_history");
	ck_assert(http_has_field(&answer, "Connection: close"));
	http_answer_free(&answer);
	raw_expect_end(&raw);
	raw_close(&raw);
}
END_TEST

START_TEST(a_body_that_nobody_reads_ends_the_connection)
{
	raw_connect(&raw, gateway_port(gateway));
	http_ask(&raw, HISTORY, "GET /v1/history HTTP/1.1", &answer);
	http_expect(&answer, 501, "no_history");
	ck_assert(http_has_field(&answer, "Connection: close"));
	http_answer_free(&answer);
	raw_expect_end(&raw);
	raw_close(&raw);
}
END_TEST

START_TEST(who_has_said_all_still_gets_an_answer)
{
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, PUBLISH "Content-Length: 37\r\n\r\n" EVENT);
	shutdown(raw.fd, SHUT_WR);
	http_read(&raw, &answer);
	http_expect(&answer, 501, "no_history");
	http_answer_free(&answer);
	raw_expect_end(&raw);
	raw_close(&raw);
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, PUBLISH "Content-Length: 37\r\n\r\n{\"chan");
	shutdown(raw.fd, SHUT_WR);
	http_read(&raw, &answer);
	http_expect(&answer, 400, "the connection ended inside the body");
	http_answer_free(&answer);
	raw_close(&raw);
}
END_TEST

START_TEST(browsers_of_allowed_origins_only)
{
	struct gateway *own = other_gateway("--cors.origins=https://app.example.com", NULL);
	http_ask_once(gateway_port(own), HISTORY "Origin: https://app.example.com\r\n", NULL, &answer);
	http_expect(&answer, 501, "no_history");
	ck_assert(http_has_field(&answer, "Access-Control-Allow-Origin: https://app.example.com"));
	ck_assert(http_has_field(&answer, "Vary: Origin"));
	http_answer_free(&answer);
	http_ask_once(gateway_port(own), HISTORY "Origin: https://evil.example.com\r\n", NULL, &answer);
	http_expect(&answer, 403, "origin_not_allowed");
	ck_assert_ptr_null(strstr(answer.head, "Access-Control-Allow-Origin"));
	http_answer_free(&answer);
	http_ask_once(gateway_port(own),
		      "OPTIONS /v1/publish HTTP/1.1\r\n" HOST "Origin: https://app.example.com\r\n"
		      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n",
		      NULL, &answer);
	ck_assert_int_eq(answer.status, 204);
	ck_assert(http_has_field(&answer, "Access-Control-Allow-Methods: POST, OPTIONS"));
	ck_assert_ptr_nonnull(strstr(answer.head, "Access-Control-Allow-Headers: Authorization, Content-Type"));
	gateway_end(own);
}
END_TEST

START_TEST(a_body_that_stalls_is_given_up)
{
	struct gateway *own = other_gateway("--http.timeout=150ms", NULL);
	raw_connect(&raw, gateway_port(own));
	raw_send_text(&raw, PUBLISH "Content-Length: 37\r\n\r\n{\"chan");
	http_read(&raw, &answer);
	http_expect(&answer, 408, "request_timeout");
	http_answer_free(&answer);
	raw_expect_end(&raw);
	raw_close(&raw);
	gateway_wait_metric(own, "http_stalled_total", "", 1);
	gateway_wait_metric(own, "http_requests_under_way", "", 0);
	gateway_end(own);
}
END_TEST

START_TEST(a_connection_that_waits_for_no_request_is_closed_without_a_word)
{
	struct gateway *own = other_gateway("--handshake.timeout=150ms", NULL);
	raw_connect(&raw, gateway_port(own));
	http_ask(&raw, HISTORY, NULL, &answer);
	http_expect(&answer, 501, NULL);
	http_answer_free(&answer);
	ck_assert_ptr_null(raw_read_head(&raw));
	ck_assert_uint_eq(raw.in.len, 0);
	raw_close(&raw);
	ck_assert_int_eq((int)gateway_metric(own, "connections_refused_total", "reason=\"timeout\""), 0);
	gateway_end(own);
}
END_TEST

START_TEST(connections_count_against_the_limit_while_they_last)
{
	struct gateway *own = other_gateway("--limits.connections=1", NULL);
	struct raw second;
	raw_connect(&raw, gateway_port(own));
	http_ask(&raw, HISTORY, NULL, &answer);
	http_expect(&answer, 501, NULL);
	http_answer_free(&answer);
	http_ask_once(gateway_port(own), HISTORY, NULL, &answer);
	http_expect(&answer, 503, "node_full");
	http_answer_free(&answer);
	raw_close(&raw);
	gateway_wait_metric(own, "handshakes", "", 0);
	raw_connect(&second, gateway_port(own));
	http_ask(&second, HISTORY, NULL, &answer);
	http_expect(&answer, 501, NULL);
	http_answer_free(&answer);
	raw_close(&second);
	gateway_end(own);
}
END_TEST

START_TEST(clients_that_break_off_leave_nothing_behind)
{
	struct bystander bystander;
	unsigned before = process_descriptors(gateway_process(gateway));
	bystander_join(&bystander, gateway_port(gateway), redis);
	for (unsigned i = 0; i < 300; i++) {
		raw_connect(&raw, gateway_port(gateway));
		size_t len = strlen(chunked) * (i % 100) / 100;
		raw_send(&raw, (struct slice){chunked, len});
		if (i % 2)
			raw_reset(&raw);
		else
			raw_close(&raw);
	}
	bystander_check(&bystander);
	bystander_leave(&bystander);
	gateway_wait_metric(gateway, "http_requests_under_way", "", 0);
	gateway_wait_metric(gateway, "handshakes", "", 0);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (process_descriptors(gateway_process(gateway)) > before)
		ck_assert(deadline_next_look(deadline));
}
END_TEST

START_TEST(a_node_that_drains_lets_go_of_idle_connections)
{
	struct gateway *own = other_gateway("--drain.time=5s", NULL);
	struct raw busy;
	raw_connect(&raw, gateway_port(own));
	http_ask(&raw, HISTORY, NULL, &answer);
	http_expect(&answer, 501, NULL);
	http_answer_free(&answer);
	raw_connect(&busy, gateway_port(own));
	raw_send_text(&busy, PUBLISH "Content-Length: 37\r\n\r\n");
	gateway_wait_metric(own, "http_requests_under_way", "", 1);
	process_signal(gateway_process(own), 15);
	raw_expect_end(&raw);
	raw_send_text(&busy, EVENT);
	http_read(&busy, &answer);
	http_expect(&answer, 501, "no_history");
	ck_assert(http_has_field(&answer, "Connection: close"));
	http_answer_free(&answer);
	raw_expect_end(&busy);
	raw_close(&raw);
	raw_close(&busy);
	gateway_end(own);
}
END_TEST

START_TEST(counts_answers_by_their_class)
{
	double before = gateway_metric(gateway, "http_requests_total", "status=\"5xx\"");
	http_ask_once(gateway_port(gateway), HISTORY, NULL, &answer);
	http_answer_free(&answer);
	gateway_wait_metric(gateway, "http_requests_total", "status=\"5xx\"", before + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http");
	TCase *tests = tcase_create("http");
	tcase_add_unchecked_fixture(tests, start, stop);
	tcase_add_test(tests, answers_one_request_after_the_other_on_one_connection);
	tcase_add_test(tests, answers_requests_that_were_sent_at_once_in_their_order);
	tcase_add_test(tests, a_connection_can_become_a_websocket_after_requests);
	tcase_add_test(tests, a_request_may_be_cut_anywhere);
	tcase_add_test(tests, asks_for_the_body_of_who_waits_for_that);
	tcase_add_loop_test(tests, refuses_and_says_why, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tests, what_a_client_sends_of_a_refused_body_does_not_reset_its_answer);
	tcase_add_test(tests, speaks_http_1_0_and_closes);
	tcase_add_test(tests, a_body_that_nobody_reads_ends_the_connection);
	tcase_add_test(tests, who_has_said_all_still_gets_an_answer);
	tcase_add_test(tests, browsers_of_allowed_origins_only);
	tcase_add_test(tests, a_body_that_stalls_is_given_up);
	tcase_add_test(tests, a_connection_that_waits_for_no_request_is_closed_without_a_word);
	tcase_add_test(tests, connections_count_against_the_limit_while_they_last);
	tcase_add_test(tests, clients_that_break_off_leave_nothing_behind);
	tcase_add_test(tests, a_node_that_drains_lets_go_of_idle_connections);
	tcase_add_test(tests, counts_answers_by_their_class);
	suite_add_tcase(suite, tests);
	return suite_run_in_process(suite);
}
