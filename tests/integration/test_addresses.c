/* What the log says of a client's connection: with its address, whatever carried it here, and with nothing that it asked. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/redis_server.h"
#include "tests/support/sse_client.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define SECRET "a secret of more than thirty-two bytes"

static struct redis_server *redis;
static struct gateway *gateway;
static size_t at; /* how far its log was read */

static void open_with(const char *const *flags)
{
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	at = 0;
}

static void start(void)
{
	redis = redis_server_start(NULL);
}

static void stop(void)
{
	gateway_end(gateway);
	redis_server_free(redis);
}

/* The next line of that message must have these fields and the address. fields: "" or "\"cause\":\"peer\"". */
static void expect_line(const char *message, const char *fields, const char *address)
{
	char wanted[128], field[128];
	snprintf(wanted, sizeof wanted, "\"message\":\"%s\"", message);
	snprintf(field, sizeof field, "\"address\":\"%s\"", address);
	char *line = process_wait_line(gateway_process(gateway), PROCESS_ERROR, wanted, &at, deadline_in(DEADLINE_MS));
	ck_assert_msg(line && strstr(line, fields) && strstr(line, field), "%s %s %s: %s", message, fields, field, line ? line : "no such line");
	free(line);
}

static void open_stream(struct raw *raw, const char *headers)
{
	raw_connect(raw, gateway_port(gateway));
	ck_assert_int_eq(raw_handshake(raw, "/v1/stream", headers), 101);
	raw_expect_text(raw, "\"op\":\"welcome\"", NULL);
}

static void ask(const char *request, int status)
{
	struct http_answer answer;
	http_ask_once(gateway_port(gateway), request, NULL, &answer);
	ck_assert_int_eq(answer.status, status);
	http_answer_free(&answer);
}

#define DEBUG "--log.level", "info,wire=debug"
#define PROXIED DEBUG, "--trusted_proxies", "127.0.0.1"

START_TEST(a_websocket_opens_and_closes_in_the_name_of_its_client)
{
	static const char *const flags[] = {PROXIED, NULL};
	struct raw raw;
	open_with(flags);
	open_stream(&raw, "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n");
	expect_line("connection opened", "\"session\":", "192.0.2.7");
	raw_close(&raw);
	expect_line("connection closed", "\"cause\":\"peer\",\"closeCode\":0", "192.0.2.7");
}
END_TEST

START_TEST(nobody_but_a_trusted_proxy_gives_an_address)
{
	static const char *const flags[] = {DEBUG, "--trusted_proxies", "10.0.0.0/8", NULL};
	struct raw raw;
	open_with(flags);
	open_stream(&raw, "X-Forwarded-For: 192.0.2.7\r\n");
	expect_line("connection opened", "", "127.0.0.1");
	raw_close(&raw);
	expect_line("connection closed", "", "127.0.0.1");
}
END_TEST

static void authenticate(struct raw *raw, const char *token)
{
	char message[1200];
	snprintf(message, sizeof message, "{\"id\":1,\"op\":\"auth\",\"token\":\"%s\"}", token);
	raw_send_frame(raw, 0x81, slice_of(message));
}

START_TEST(a_client_that_is_ended_for_cause_can_be_found)
{
	static const char *const flags[] = {PROXIED, "--limits.commands_per_second", "2", "--auth.jwt_secret", SECRET, NULL};
	struct raw raw;
	open_with(flags);
	open_stream(&raw, "X-Forwarded-For: 2001:db8::7\r\n");
	authenticate(&raw, "S3CRET.no.token");
	raw_expect_close(&raw, 4401);
	raw_close(&raw);
	expect_line("connection closed", "\"cause\":\"bad_credentials\",\"closeCode\":4401", "2001:db8::7");
	open_stream(&raw, "X-Forwarded-For: 192.0.2.8\r\n");
	struct buf flood;
	buf_init(&flood);
	for (int i = 0; i < 100; i++)
		raw_frame_append(&flood, 0x81, SLICE_LITERAL("{\"id\":42,\"op\":\"ping\"}"));
	(void)raw_try_send(&raw, buf_slice(&flood));
	buf_fini(&flood);
	raw_expect_close(&raw, 4429);
	raw_close(&raw);
	expect_line("connection closed", "\"cause\":\"command_flood\",\"closeCode\":4429", "192.0.2.8");
}
END_TEST

START_TEST(who_is_refused_can_be_found_but_not_what_he_asked)
{
	static const char *const flags[] = {PROXIED, "--auth.jwt_secret", SECRET, "--auth.required", "yes", "--limits.connections_per_address", "1",
					    NULL};
	struct raw raw, second;
	open_with(flags);
	raw_connect(&raw, gateway_port(gateway));
	ck_assert_int_eq(raw_handshake(&raw, "/v1/stream?access_token=S3CRET", "X-Forwarded-For: 192.0.2.7\r\n"), 401);
	raw_close(&raw);
	expect_line("handshake refused", "\"status\":401,\"code\":\"bad_credentials\"", "192.0.2.7");
	ask("GET /v1/history?api_key=S3CRET HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.8\r\n", 401);
	expect_line("request refused", "\"status\":401,\"code\":\"bad_credentials\"", "192.0.2.8");
	ask("GET /S3CRET HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.9\r\n", 404);
	expect_line("handshake refused", "\"status\":404", "192.0.2.9");
	open_stream(&raw, "X-Forwarded-For: 192.0.2.10\r\n");
	raw_connect(&second, gateway_port(gateway));
	ck_assert_int_eq(raw_handshake(&second, "/v1/stream", "X-Forwarded-For: 192.0.2.10\r\n"), 429);
	expect_line("handshake refused", "\"code\":\"too_many_connections\"", "192.0.2.10");
	raw_close(&second);
	raw_close(&raw);
	char *text = process_text(gateway_process(gateway), PROCESS_ERROR);
	ck_assert(strstr(text, "192.0.2.10") && !strstr(text, "S3CRET"));
	free(text);
}
END_TEST

START_TEST(requests_and_event_streams_are_in_the_name_of_their_client)
{
	static const char *const flags[] = {PROXIED, NULL};
	struct sse_client stream;
	open_with(flags);
	ask("GET /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\n", 200);
	expect_line("answered", "\"status\":200", "192.0.2.7");
	sse_client_open(&stream, gateway_port(gateway), "/v1/events?channels=trace:*", "X-Forwarded-For: 192.0.2.8\r\n");
	expect_line("connection opened", "\"session\":", "192.0.2.8");
	sse_client_close(&stream);
	expect_line("connection closed", "\"cause\":\"peer\"", "192.0.2.8");
	ask("GET /v1/events?channels= HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.9\r\n", 400);
	expect_line("request refused", "\"status\":400,\"code\":\"bad_filter\"", "192.0.2.9");
}
END_TEST

/* An event stream that its client's token outlives not. */
START_TEST(an_event_stream_that_ends_for_cause_says_so)
{
	static const char *const flags[] = {PROXIED, "--auth.jwt_secret", SECRET, NULL};
	struct sse_client stream;
	char claims[128], fields[1200];
	open_with(flags);
	snprintf(claims, sizeof claims, "{\"sub\":\"ann\",\"exp\":%lld}", (long long)time(NULL) + 2);
	char *token = test_token_hs256(claims, SECRET);
	snprintf(fields, sizeof fields, "Authorization: Bearer %s\r\nX-Forwarded-For: 192.0.2.8\r\n", token);
	free(token);
	sse_client_open(&stream, gateway_port(gateway), "/v1/events?channels=trace:*", fields);
	expect_line("connection closed", "\"cause\":\"expired\",\"closeCode\":4401", "192.0.2.8");
	sse_client_close(&stream);
}
END_TEST

START_TEST(the_proxy_protocol_names_the_client)
{
	static const char *const flags[] = {PROXIED, "--proxy_protocol", "yes", "--limits.connections_per_address", "1", "--handshake.timeout", "1s",
					    NULL};
	static const char header[] = "PROXY TCP6 2001:db8::9 ::1 4711 80\r\n";
	struct raw raw, second;
	open_with(flags);
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, header);
	ck_assert_int_eq(raw_handshake(&raw, "/v1/stream", ""), 101);
	expect_line("connection opened", "", "2001:db8::9");
	raw_connect(&second, gateway_port(gateway));
	raw_send_text(&second, header);
	expect_line("connection refused", "\"status\":429,\"code\":\"too_many_connections\"", "2001:db8::9");
	raw_close(&second);
	raw_close(&raw);
	expect_line("connection closed", "", "2001:db8::9");
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, "PROXY TCP6 2001:db8::10 ::1 4711 80\r\nGET ");
	expect_line("handshake refused", "\"status\":408", "2001:db8::10");
	raw_close(&raw);
	raw_connect(&raw, gateway_port(gateway));
	expect_line("a trusted proxy sent no PROXY header in time", "", "127.0.0.1");
	raw_close(&raw);
}
END_TEST

/* Lines that repeat themselves are held back still, and say how many were. */
START_TEST(a_storm_of_refusals_is_not_a_storm_of_lines)
{
	static const char *const flags[] = {PROXIED, NULL};
	unsigned refusals = 0, lines = 0;
	open_with(flags);
	struct deadline storm = deadline_in(1500), deadline = deadline_in(DEADLINE_MS);
	char *text = NULL;
	do {
		ask("GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\n", 404);
		refusals++;
		free(text);
		text = process_text(gateway_process(gateway), PROCESS_ERROR);
	} while (!deadline_has_passed(storm) || (!strstr(text, "\"suppressed\":") && deadline_next_look(deadline)));
	for (const char *line = text; (line = strstr(line, "handshake refused")); line++)
		lines++;
	ck_assert_ptr_nonnull(strstr(text, "\"suppressed\":"));
	ck_assert_uint_lt(lines, refusals);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("addresses");
	TCase *tests = tcase_create("addresses");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, a_websocket_opens_and_closes_in_the_name_of_its_client);
	tcase_add_test(tests, nobody_but_a_trusted_proxy_gives_an_address);
	tcase_add_test(tests, a_client_that_is_ended_for_cause_can_be_found);
	tcase_add_test(tests, who_is_refused_can_be_found_but_not_what_he_asked);
	tcase_add_test(tests, requests_and_event_streams_are_in_the_name_of_their_client);
	tcase_add_test(tests, an_event_stream_that_ends_for_cause_says_so);
	tcase_add_test(tests, the_proxy_protocol_names_the_client);
	tcase_add_test(tests, a_storm_of_refusals_is_not_a_storm_of_lines);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
