/* How often a client may ask over HTTP: by its identity or address, whatever connections it does it by. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define SECRET "a secret of thirty-two bytes, and more"
#define RATE 2
#define SESSIONS "GET /v1/sessions HTTP/1.1\r\nHost: x\r\n"

static struct redis_server *redis;
static struct gateway *gateway;
static struct http_answer answer;

static void start(void)
{
	static const char *const flags[] = {"--auth.jwt_secret", SECRET, "--trusted_proxies", "127.0.0.1", "--limits.commands_per_second", "2", NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void stop(void)
{
	gateway_end(gateway);
	redis_server_free(redis);
}

static const char *bearer(const char *identity, const char *limits)
{
	return test_bearer_limited(identity, limits, SECRET);
}

/* kept: NULL: a connection of its own. Gives the status, and leaves the answer to be freed. */
static int ask(struct raw *kept, const char *line, const char *fields)
{
	char head[2048];
	snprintf(head, sizeof head, "%s%s", line, fields);
	if (kept)
		http_ask(kept, head, NULL, &answer);
	else
		http_ask_once(gateway_port(gateway), head, NULL, &answer);
	return answer.status;
}

static int status_of(const char *fields)
{
	int status = ask(NULL, SESSIONS, fields);
	http_answer_free(&answer);
	return status;
}

/* Asks without a pause until it is too often, and as long as it should take to be so: there is one second's worth to begin with, and
 * what time gives. */
static void ask_until_limited(struct raw *kept, const char *fields, unsigned rate)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	uint64_t start_ms = clock_mono_ms();
	unsigned answered = 0;
	while (ask(kept, SESSIONS, fields) != 429) {
		http_expect(&answer, 200, NULL);
		http_answer_free(&answer);
		answered++;
		ck_assert(!deadline_has_passed(deadline));
	}
	uint64_t elapsed_ms = clock_mono_ms() - start_ms;
	ck_assert_uint_le(answered, rate + rate * (elapsed_ms + 1) / 1000 + 1);
}

START_TEST(a_connection_for_each_request_gets_round_nothing)
{
	char ann[1024];
	struct raw raw;
	snprintf(ann, sizeof ann, "%s", bearer("ann", ""));
	ask_until_limited(NULL, ann, RATE);
	http_expect(&answer, 429, "{\"error\":{\"code\":\"rate_limited\",\"message\":\"too many requests in a second\",\"retryAfterMs\":");
	ck_assert(http_has_field(&answer, "Retry-After: 1"));
	http_answer_free(&answer);
	gateway_wait_metric(gateway, "commands_rate_limited_total", "", 1);
	/* Neither from another address, nor with another token of the same identity. */
	struct deadline deadline = deadline_in(DEADLINE_MS);
	snprintf(ann + strlen(ann), sizeof ann - strlen(ann), "X-Forwarded-For: 192.0.2.1\r\n");
	while (status_of(ann) != 429)
		ck_assert(deadline_next_look(deadline));
	while (status_of(bearer("ann", "\"connections\":9")) != 429)
		ck_assert(deadline_next_look(deadline));
	ck_assert_int_eq(status_of(bearer("bob", "")), 200);
	/* A WebSocket has a rate of its own. */
	raw_connect(&raw, gateway_port(gateway));
	ck_assert_int_eq(raw_handshake(&raw, "/v1/stream", ann), 101);
	raw_close(&raw);
}
END_TEST

START_TEST(on_a_kept_connection_it_is_the_same_and_it_stays_open)
{
	char ann[1024];
	struct raw kept;
	snprintf(ann, sizeof ann, "%s", bearer("ann", ""));
	raw_connect(&kept, gateway_port(gateway));
	ask_until_limited(&kept, ann, RATE);
	http_answer_free(&answer);
	ck_assert_int_eq(ask(&kept, SESSIONS, bearer("bob", "")), 200);
	http_answer_free(&answer);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (ask(&kept, SESSIONS, ann) != 200) {
		http_answer_free(&answer);
		ck_assert(deadline_next_look(deadline));
	}
	http_answer_free(&answer);
	raw_close(&kept);
}
END_TEST

START_TEST(anonymous_clients_count_by_their_address_behind_a_proxy_too)
{
	ask_until_limited(NULL, "X-Forwarded-For: 2001:db8:1:2::1\r\n", RATE);
	http_answer_free(&answer);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (status_of("X-Forwarded-For: 2001:db8:1:2:ffff::9\r\n") != 429)
		ck_assert(deadline_next_look(deadline));
	ck_assert_int_eq(status_of("X-Forwarded-For: 2001:db8:1:3::1\r\n"), 200);
	ck_assert_int_eq(status_of("X-Forwarded-For: 192.0.2.1\r\n"), 200);
	/* The proxy's own requests are nobody's. */
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(status_of(""), 200);
}
END_TEST

START_TEST(every_path_is_held_to_it)
{
	static const char *const lines[] = {
		"GET /v1/history HTTP/1.1\r\nHost: x\r\n", "GET /v1/state?session=s1 HTTP/1.1\r\nHost: x\r\n", SESSIONS,
		"HEAD /v1/history HTTP/1.1\r\nHost: x\r\n",
		"POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\n",
		"GET /v1/events HTTP/1.1\r\nHost: x\r\n", "DELETE /v1/history HTTP/1.1\r\nHost: x\r\n",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		char identity[32];
		struct deadline deadline = deadline_in(DEADLINE_MS);
		int status = 0;
		snprintf(identity, sizeof identity, "client-%zu", i);
		while (status != 429) {
			struct raw raw;
			raw_connect(&raw, gateway_port(gateway));
			raw_send_text(&raw, lines[i]);
			raw_send_text(&raw, bearer(identity, ""));
			raw_send_text(&raw, "\r\n");
			char *response = raw_read_head(&raw);
			status = raw_head_status(response);
			free(response);
			raw_close(&raw);
			ck_assert_msg(!deadline_has_passed(deadline), "%s: %d", lines[i], status);
		}
	}
}
END_TEST

START_TEST(a_credential_says_another_rate_or_none)
{
	ask_until_limited(NULL, bearer("ann", "\"commandsPerSecond\":1"), 1);
	http_answer_free(&answer);
	for (unsigned i = 0; i < 50; i++)
		ck_assert_int_eq(status_of(bearer("bob", "\"commandsPerSecond\":0")), 200);
}
END_TEST

/* A POST of lines is one request, however many events it brings. */
START_TEST(a_post_of_lines_is_one_request)
{
	static const char lines[] = "{\"channel\":\"trace:s1\",\"data\":1}\n{\"channel\":\"trace:s1\",\"data\":2}\n";
	char request[1200];
	snprintf(request, sizeof request, "POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n%s",
		 bearer("ann", "\"commandsPerSecond\":1"));
	http_ask_once(gateway_port(gateway), request, lines, &answer);
	http_expect(&answer, 200, "{\"id\":");
	ck_assert_ptr_null(strstr(answer.body.bytes, "error"));
	http_answer_free(&answer);
	http_ask_once(gateway_port(gateway), request, lines, &answer);
	http_expect(&answer, 429, "rate_limited");
	http_answer_free(&answer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits_rates");
	TCase *tests = tcase_create("limits_rates");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, a_connection_for_each_request_gets_round_nothing);
	tcase_add_test(tests, on_a_kept_connection_it_is_the_same_and_it_stays_open);
	tcase_add_test(tests, anonymous_clients_count_by_their_address_behind_a_proxy_too);
	tcase_add_test(tests, every_path_is_held_to_it);
	tcase_add_test(tests, a_credential_says_another_rate_or_none);
	tcase_add_test(tests, a_post_of_lines_is_one_request);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
