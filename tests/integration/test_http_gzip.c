/* Compressed answers of the HTTP API on a real node: what is asked for is given, HEAD says the same as GET, and nothing is held
 * back. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/deflate.h"
#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define HISTORY " /v1/history?channels=trace:gzip&limit=100000 HTTP/1.1\r\nHost: a\r\n"
#define NDJSON "Accept: application/x-ndjson\r\n"
#define GZIP "Accept-Encoding: gzip, deflate, br\r\n"
#define EVENTS 2000

static struct redis_server *redis;
static struct gateway *gateway;
static struct http_answer answer, plain_answer;
static struct buf plain;

static void start_with(const char *const *flags)
{
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	gateway_wait_metric(gateway, "recorded", "", 1);
	for (unsigned i = 0; i < EVENTS; i++) {
		char payload[400];
		snprintf(payload, sizeof payload,
			 "{\"sessionId\":\"s1\",\"type\":\"tool.call\",\"number\":%u,\"tool\":\"search\",\"input\":\"what is the number %u?\"}", i, i * i);
		redis_server_publish(redis, SLICE_LITERAL("trace:gzip"), slice_of(payload));
	}
	gateway_wait_metric_at_least(gateway, "records_total", "", EVENTS);
	buf_init(&plain);
}

static void start(void)
{
	start_with(NULL);
}

static void start_without(void)
{
	static const char *const flags[] = {"--http.gzip=no", NULL};
	start_with(flags);
}

static void stop(void)
{
	gateway_end(gateway);
	redis_server_free(redis);
	buf_fini(&plain);
}

/* RFC 1952: the header of ten bytes, DEFLATE, and the check and length, of which the length is compared. */
static struct slice unpack(const struct buf *body)
{
	struct inflater *inflater = inflater_new();
	ck_assert_uint_gt(body->len, 18);
	ck_assert_int_eq(memcmp(body->bytes, "\x1F\x8B\x08\x00", 4), 0);
	buf_clear(&plain);
	ck_assert_int_eq(inflater_run(inflater, (struct slice){body->bytes + 10, body->len - 18}, (size_t)64 << 20, &plain), OK);
	inflater_free(inflater);
	uint32_t len;
	memcpy(&len, body->bytes + body->len - 4, 4);
	ck_assert_uint_eq(len, (uint32_t)plain.len);
	return buf_slice(&plain);
}

static void ask(const char *head, struct http_answer *ret_answer)
{
	http_ask_once(gateway_port(gateway), head, NULL, ret_answer);
	ck_assert_int_eq(ret_answer->status, 200);
	ck_assert(ret_answer->is_whole);
}

static const char *const forms[] = {"", NDJSON};

START_TEST(gives_history_compressed_to_who_asks_for_it)
{
	char head[512];
	snprintf(head, sizeof head, "GET%s%s", HISTORY, forms[_i]);
	ask(head, &plain_answer);
	ck_assert(!strstr(plain_answer.head, "Content-Encoding") && http_has_field(&plain_answer, "Vary: Origin, Accept-Encoding"));
	snprintf(head, sizeof head, "GET%s%s%s", HISTORY, forms[_i], GZIP);
	ask(head, &answer);
	ck_assert(http_has_field(&answer, "Content-Encoding: gzip") && http_has_field(&answer, "Vary: Origin, Accept-Encoding"));
	ck_assert(slice_equal(unpack(&answer.body), buf_slice(&plain_answer.body)));
	ck_assert_uint_lt(answer.body.len, plain_answer.body.len / 4);
	http_answer_free(&answer);
	http_answer_free(&plain_answer);
}
END_TEST

START_TEST(head_says_what_get_does)
{
	struct raw raw;
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, "HEAD" HISTORY NDJSON GZIP "\r\nHEAD" HISTORY NDJSON "Accept-Encoding: gzip;q=0\r\n\r\nGET" HISTORY GZIP "\r\n");
	http_read_head_only(&raw, &answer);
	ck_assert(answer.status == 200 && http_has_field(&answer, "Content-Encoding: gzip"));
	http_answer_free(&answer);
	http_read_head_only(&raw, &answer);
	ck_assert(answer.status == 200 && !strstr(answer.head, "Content-Encoding"));
	http_answer_free(&answer);
	http_read(&raw, &answer); /* nothing of a body came before */
	ck_assert(memmem(unpack(&answer.body).ptr, plain.len, "\"number\":1999,", 14) != NULL);
	http_answer_free(&answer);
	raw_close(&raw);
}
END_TEST

START_TEST(an_old_client_gets_it_up_to_the_end_of_the_connection)
{
	ask("GET /v1/history?channels=trace:gzip&limit=50 HTTP/1.0\r\n" GZIP, &answer);
	ck_assert(!answer.is_chunked && http_has_field(&answer, "Content-Encoding: gzip"));
	ck_assert(memmem(unpack(&answer.body).ptr, plain.len, "\"number\":49,", 12) != NULL);
	http_answer_free(&answer);
}
END_TEST

START_TEST(errors_and_short_answers_are_plain)
{
	http_ask_once(gateway_port(gateway), "GET /v1/history?limit=x HTTP/1.1\r\nHost: a\r\n" GZIP, NULL, &answer);
	http_expect(&answer, 400, "\"error\"");
	ck_assert_ptr_null(strstr(answer.head, "Content-Encoding"));
	http_answer_free(&answer);
	ask("GET /v1/sessions HTTP/1.1\r\nHost: a\r\n" GZIP, &answer);
	http_expect(&answer, 200, "\"sessions\"");
	ck_assert(!strstr(answer.head, "Content-Encoding") && http_has_field(&answer, "Vary: Origin, Accept-Encoding"));
	http_answer_free(&answer);
}
END_TEST

START_TEST(can_be_switched_off)
{
	ask("GET" HISTORY GZIP, &answer);
	ck_assert(!strstr(answer.head, "Content-Encoding") && http_has_field(&answer, "Vary: Origin"));
	http_expect(&answer, 200, "\"number\":1999,");
	http_answer_free(&answer);
}
END_TEST

static TCase *add(Suite *suite, const char *name, SFun begin)
{
	TCase *tests = tcase_create(name);
	tcase_add_unchecked_fixture(tests, begin, stop);
	suite_add_tcase(suite, tests);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("http gzip");
	TCase *tests = add(suite, "on", start);
	tcase_add_loop_test(tests, gives_history_compressed_to_who_asks_for_it, 0, sizeof forms / sizeof forms[0]);
	tcase_add_test(tests, head_says_what_get_does);
	tcase_add_test(tests, an_old_client_gets_it_up_to_the_end_of_the_connection);
	tcase_add_test(tests, errors_and_short_answers_are_plain);
	tcase_add_test(add(suite, "off", start_without), can_be_switched_off);
	return suite_run_in_process(suite);
}
