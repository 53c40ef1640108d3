/* Credentials on real nodes: what lets in and what does not, how long it lasts, and who ends it. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/file.h"
#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/raw.h"
#include "tests/support/redis_server.h"
#include "tests/support/sse_client.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define SECRET "a secret of more than thirty-two bytes"
#define KEY "dashboard-key-0123456789abcdef"
#define NODES 2
#define CROWD 300

static struct redis_server *redis;
static struct gateway *nodes[NODES];
static char keys_path[] = "/tmp/tracegate-keys-XXXXXX";

static void start_with(const char *required, const char *timeout)
{
	const char *flags[] = {"--auth.required", required, "--auth.jwt_secret", SECRET, "--auth.timeout", timeout, "--auth.api_keys_file",
	                       keys_path, "--workers", "2", "--close.timeout", "2s", "--log.level", "debug", "--system.events", "yes",
	                       "--limits.connections_per_address", "0", NULL};
	file_make(keys_path);
	file_replace(keys_path, "{\"keys\":[{\"id\":\"dashboard\",\"key\":\"" KEY "\"}]}");
	redis = redis_server_start(NULL);
	for (int i = 0; i < NODES; i++)
		nodes[i] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void start(void)
{
	start_with("yes", "10s");
}

static void start_impatient(void)
{
	start_with("yes", "300ms");
}

static void start_open(void)
{
	start_with("no", "10s");
}

static void stop(void)
{
	for (int i = 0; i < NODES; i++)
		gateway_end(nodes[i]);
	redis_server_free(redis);
	unlink(keys_path);
}

static char *token_for(const char *subject, long lives_s)
{
	char claims[256];
	snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":%ld}", subject, (long)time(NULL) + lives_s);
	return test_token_hs256(claims, SECRET);
}

static char *header_for(const char *subject, long lives_s)
{
	char *token = token_for(subject, lives_s), *header = NULL;
	ck_assert_int_gt(asprintf(&header, "Authorization: Bearer %s\r\n", token), 0);
	free(token);
	return header;
}

/* The status of a handshake on the first node. */
static int shake(const char *target, const char *headers)
{
	struct raw raw;
	raw_connect(&raw, gateway_port(nodes[0]));
	int status = raw_handshake(&raw, target, headers);
	raw_close(&raw);
	return status;
}

static int ask(const char *target, const char *headers, const char *part)
{
	struct http_answer answer;
	char request[4096];
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s", target, headers);
	http_ask_once(gateway_port(nodes[0]), request, NULL, &answer);
	int status = answer.status;
	ck_assert_msg(strstr(answer.head, part) || strstr(answer.body.bytes ? answer.body.bytes : "", part), "%s%.*s", answer.head,
	              (int)answer.body.len, answer.body.bytes);
	http_answer_free(&answer);
	return status;
}

static void say(struct raw *raw, const char *request)
{
	raw_send_frame(raw, 0x81, slice_of(request));
}

static void authenticate(struct raw *raw, const char *token)
{
	char request[2048];
	snprintf(request, sizeof request, "{\"id\":1,\"op\":\"auth\",\"token\":\"%s\"}", token);
	say(raw, request);
}

static void open_with(struct raw *raw, struct gateway *node, const char *headers)
{
	struct raw_frame frame;
	raw_connect(raw, gateway_port(node));
	ck_assert_int_eq(raw_handshake(raw, "/v1/stream", headers), 101);
	raw_expect_text(raw, "\"op\":\"welcome\"", &frame);
}

START_TEST(a_good_credential_lets_in_wherever_it_stands)
{
	char *token = token_for("ann", 600), *header = header_for("ann", 600), text[2048];
	ck_assert_int_eq(shake("/v1/stream", header), 101);
	ck_assert_int_eq(shake("/v1/stream", "X-API-Key: " KEY "\r\n"), 101);
	ck_assert_int_eq(shake("/ws?api_key=" KEY, ""), 101);
	snprintf(text, sizeof text, "/ws?access_token=%s", token);
	ck_assert_int_eq(shake(text, ""), 101);
	snprintf(text, sizeof text, "/v1/history?access_token=%s", token);
	ck_assert_int_eq(ask(text, "", "\"events\""), 200);
	snprintf(text, sizeof text, "Sec-WebSocket-Protocol: bearer.%s, tracegate.v1.json\r\n", token);
	ck_assert_int_eq(shake("/ws", text), 101);
	ck_assert_int_eq(ask("/v1/history", header, "\"events\""), 200);
	free(token);
	free(header);
}
END_TEST

START_TEST(no_credential_waits_on_a_websocket_and_is_refused_over_http)
{
	struct raw raw;
	struct raw_frame frame;
	raw_connect(&raw, gateway_port(nodes[0]));
	ck_assert_int_eq(raw_handshake(&raw, "/v1/stream", ""), 101);
	raw_expect_text(&raw, "\"auth\":false", &frame);
	say(&raw, "{\"id\":1,\"op\":\"subscribe\"}");
	raw_expect_text(&raw, "\"code\":\"unauthenticated\"", &frame);
	char *token = token_for("ann", 600);
	authenticate(&raw, token);
	raw_expect_text(&raw, "\"identity\":\"ann\"", &frame);
	say(&raw, "{\"id\":1,\"op\":\"subscribe\"}");
	raw_expect_text(&raw, "\"ok\":{\"sub\"", &frame);
	raw_close(&raw);
	free(token);
	static const char *const targets[] = {"/v1/history", "/v1/state?session=a", "/v1/sessions", "/v1/events"};
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(ask(targets[i], "", "\"unauthenticated\""), 401);
		ck_assert_int_eq(ask(targets[i], "", "WWW-Authenticate: Bearer"), 401);
	}
}
END_TEST

/* Also where none is needed. */
START_TEST(a_bad_credential_is_refused_before_the_upgrade)
{
	char *expired = header_for("ann", -10), *good = header_for("ann", 600), text[4096];
	static const char *const malformed[] = {"Authorization: Bearer\r\n", "Authorization: x\r\n", "X-API-Key:\r\n"};
	ck_assert_int_eq(shake("/v1/stream", expired), 401);
	ck_assert_int_eq(shake("/v1/stream", "X-API-Key: other\r\n"), 401);
	ck_assert_int_eq(shake("/v1/stream?access_token=a.b.c", ""), 401);
	ck_assert_int_eq(ask("/v1/history", expired, "invalid_token"), 401);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(shake("/v1/stream", malformed[i]), 400);
	snprintf(text, sizeof text, "%s%s", good, good);
	ck_assert_int_eq(shake("/v1/stream", text), 400);
	ck_assert_int_eq(shake("/v1/stream?access_token=a&access_token=a", ""), 400);
	ck_assert_int_eq(shake("/v1/stream?access_token=a%00b", ""), 400);
	ck_assert_int_eq(shake("/v1/stream?api_key=", ""), 400);
	free(expired);
	free(good);
}
END_TEST

START_TEST(who_needs_none_is_anonymous)
{
	struct raw raw;
	struct raw_frame frame;
	raw_connect(&raw, gateway_port(nodes[0]));
	ck_assert_int_eq(raw_handshake(&raw, "/v1/stream", ""), 101);
	raw_expect_text(&raw, "\"auth\":true", &frame);
	raw_close(&raw);
	ck_assert_int_eq(ask("/v1/history", "", "\"events\""), 200);
}
END_TEST

START_TEST(a_stranger_is_closed_in_time)
{
	struct raw raws[20];
	char *header = header_for("ann", 600);
	struct raw good;
	open_with(&good, nodes[0], header);
	for (int i = 0; i < 20; i++)
		open_with(&raws[i], nodes[0], "");
	for (int i = 0; i < 20; i++) {
		raw_expect_close(&raws[i], 4408);
		raw_close(&raws[i]);
	}
	say(&good, "{\"id\":1,\"op\":\"ping\"}");
	struct raw_frame frame;
	raw_expect_text(&good, "\"now\"", &frame);
	raw_close(&good);
	free(header);
}
END_TEST

/* It ends just the one, which was told before. */
START_TEST(an_expired_token_ends_its_session_alone)
{
	struct raw shorter, longer, refreshed;
	struct raw_frame frame;
	struct sse_client events;
	char *soon = header_for("ann", 3), *late = header_for("ann", 600), *token = token_for("ann", 600);
	open_with(&shorter, nodes[0], soon);
	open_with(&longer, nodes[0], late);
	open_with(&refreshed, nodes[0], soon);
	sse_client_open(&events, gateway_port(nodes[0]), "/v1/events", soon);
	authenticate(&refreshed, token);
	raw_expect_text(&refreshed, "\"ok\"", &frame);
	raw_expect_text(&shorter, "\"code\":\"tokenExpiring\",\"expiresAt\":", &frame);
	raw_expect_close(&shorter, 4401);
	sse_client_expect(&events, "notice", "tokenExpiring");
	sse_client_expect(&events, "notice", "\"closeCode\":4401");
	struct sse_message message;
	ck_assert_int_eq(sse_client_next(&events, &message, deadline_in(DEADLINE_MS)), SSE_END);
	ck_assert(events.is_whole);
	say(&longer, "{\"id\":1,\"op\":\"ping\"}");
	raw_expect_text(&longer, "\"now\"", &frame);
	say(&refreshed, "{\"id\":1,\"op\":\"ping\"}");
	raw_expect_text(&refreshed, "\"now\"", &frame);
	raw_close(&shorter);
	raw_close(&longer);
	raw_close(&refreshed);
	sse_client_close(&events);
	free(soon);
	free(late);
	free(token);
}
END_TEST

static void wait_for_log(long long length)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	for (long long is = 0; is < length;) {
		redisReply *reply = redis_server_command(redis, "XLEN tg:log");
		ck_assert(reply && reply->type == REDIS_REPLY_INTEGER);
		is = reply->integer;
		freeReplyObject(reply);
		ck_assert_msg(is >= length || deadline_next_look(deadline), "the log holds %lld of %lld", is, length);
	}
}

/* A client that reads slowly does not outlive its token by that. */
START_TEST(an_expired_token_cuts_an_answer_under_way)
{
	struct raw raw;
	char fill[4096], payload[8192];
	memset(fill, 'x', sizeof fill - 1);
	fill[sizeof fill - 1] = '\0';
	for (int i = 0; i < 2000; i++) {
		snprintf(payload, sizeof payload, "{\"n\":%d,\"fill\":\"%s\"}", i, fill);
		redis_server_publish(redis, slice_of("trace:a"), slice_of(payload));
	}
	wait_for_log(2000);
	char *header = header_for("ann", 3), request[4096];
	raw_connect_small(&raw, gateway_port(nodes[0]), 4096);
	snprintf(request, sizeof request, "GET /v1/history?from=earliest HTTP/1.1\r\nHost: h\r\nAccept: application/x-ndjson\r\n%s\r\n", header);
	raw_send_text(&raw, request);
	char *head = raw_read_head(&raw);
	ck_assert_int_eq(raw_head_status(head), 200);
	free(head);
	gateway_wait_metric_at_least(nodes[0], "http_answers_cut_total", "", 1);
	raw_close(&raw);
	free(header);
}
END_TEST

/* POST to the admin port of a node. */
static void order(struct gateway *node, const char *body, int status, const char *part)
{
	struct http_answer answer;
	http_ask_once(gateway_admin_port(node), "POST /v1/admin/disconnect HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
	              "Content-Type: application/json\r\n", body, &answer);
	http_expect(&answer, status, part);
	http_answer_free(&answer);
}

START_TEST(an_operator_ends_an_identity_on_every_node)
{
	struct raw mine[NODES], others[NODES];
	struct raw_frame frame;
	char *ann = header_for("ann", 600), *bob = header_for("bob", 600);
	for (int i = 0; i < NODES; i++) {
		open_with(&mine[i], nodes[i], ann);
		open_with(&others[i], nodes[i], bob);
	}
	order(nodes[0], "{\"identity\":\"ann\",\"reason\":\"left the company\"}", 200, "\"disconnected\":1,\"told\":true");
	for (int i = 0; i < NODES; i++) {
		raw_expect_text(&mine[i], "left the company", &frame);
		raw_expect_close(&mine[i], 4403);
		say(&others[i], "{\"id\":1,\"op\":\"ping\"}");
		raw_expect_text(&others[i], "\"now\"", &frame);
		raw_close(&mine[i]);
		raw_close(&others[i]);
	}
	free(ann);
	free(bob);
}
END_TEST

static void copy_member(const struct raw_frame *frame, const char *name, char *ret_text, size_t room)
{
	char text[2048], pattern[32];
	snprintf(text, sizeof text, "%.*s", (int)frame->payload.len, frame->payload.ptr);
	snprintf(pattern, sizeof pattern, "\"%s\":\"", name);
	const char *at = strstr(text, pattern);
	ck_assert_ptr_nonnull(at);
	at += strlen(pattern);
	snprintf(ret_text, room, "%.*s", (int)strcspn(at, "\""), at);
}

START_TEST(an_operator_ends_one_client_from_any_node)
{
	struct raw mine, other;
	struct raw_frame frame;
	char *ann = header_for("ann", 600), body[512], client[32], name[128];
	raw_connect(&mine, gateway_port(nodes[1]));
	ck_assert_int_eq(raw_handshake(&mine, "/v1/stream", ann), 101);
	raw_expect_text(&mine, "welcome", &frame);
	copy_member(&frame, "client", client, sizeof client);
	copy_member(&frame, "node", name, sizeof name);
	open_with(&other, nodes[1], ann);
	snprintf(body, sizeof body, "{\"client\":\"%s\",\"node\":\"%s\"}", client, name);
	order(nodes[0], body, 200, "\"disconnected\":0,\"told\":true");
	raw_expect_close(&mine, 4403);
	say(&other, "{\"id\":1,\"op\":\"ping\"}");
	raw_expect_text(&other, "\"now\"", &frame);
	raw_close(&mine);
	raw_close(&other);
	free(ann);
}
END_TEST

START_TEST(without_redis_an_operator_is_told_that_nobody_else_was)
{
	struct raw mine;
	char *ann = header_for("ann", 600);
	open_with(&mine, nodes[0], ann);
	redis_server_stop(redis);
	gateway_wait_ready(nodes[0], false);
	order(nodes[0], "{\"identity\":\"ann\"}", 503, "\"disconnected\":1,\"told\":false");
	raw_expect_close(&mine, 4403);
	raw_close(&mine);
	redis_server_restart(redis);
	free(ann);
}
END_TEST

START_TEST(nonsense_on_the_control_channel_is_counted_and_ignored)
{
	static const char *const nonsense[] = {"", "x", "{}", "{\"from\":\"0123456789abcdef\",\"disconnect\":{}}",
	                                       "{\"disconnect\":{\"identity\":\"ann\"}}"};
	struct raw mine;
	struct raw_frame frame;
	char *ann = header_for("ann", 600);
	open_with(&mine, nodes[0], ann);
	for (int i = 0; i < 5; i++)
		redis_server_publish(redis, slice_of("tg:control"), slice_of(nonsense[i]));
	gateway_wait_metric(nodes[0], "control_messages_refused_total", "", 5);
	say(&mine, "{\"id\":1,\"op\":\"ping\"}");
	raw_expect_text(&mine, "\"now\"", &frame);
	raw_close(&mine);
	free(ann);
}
END_TEST

START_TEST(a_key_that_is_gone_from_its_file_ends_what_it_granted)
{
	struct raw mine, other;
	struct raw_frame frame;
	char *ann = header_for("ann", 600);
	open_with(&mine, nodes[0], "X-API-Key: " KEY "\r\n");
	open_with(&other, nodes[0], ann);
	file_replace(keys_path, "{\"keys\":[{\"id\":\"another\",\"key\":\"another-key-0123456789abcdef\"}]}");
	raw_expect_close(&mine, 4401);
	say(&other, "{\"id\":1,\"op\":\"ping\"}");
	raw_expect_text(&other, "\"now\"", &frame);
	ck_assert_int_eq(shake("/v1/stream", "X-API-Key: " KEY "\r\n"), 401);
	ck_assert_int_eq(shake("/v1/stream", "X-API-Key: another-key-0123456789abcdef\r\n"), 101);
	raw_close(&mine);
	raw_close(&other);
	free(ann);
}
END_TEST

/* Clients that do not answer the close, and such that are half gone: all are let go of within close.timeout. */
START_TEST(closing_ends_whatever_the_client_does)
{
	static struct raw crowd[2 * CROWD];
	char *ann = header_for("ann", 600);
	for (int i = 0; i < 2 * CROWD; i++) {
		raw_connect(&crowd[i], gateway_port(nodes[0]));
		ck_assert_int_eq(raw_handshake(&crowd[i], "/v1/stream", ann), 101);
	}
	gateway_wait_metric(nodes[0], "connections", "", 2 * CROWD);
	for (int i = 0; i < 2 * CROWD; i++) {
		if (i < CROWD)
			authenticate(&crowd[i], "no.good.token");
		else
			ck_assert_int_eq(shutdown(crowd[i].fd, SHUT_WR), 0);
	}
	gateway_wait_metric(nodes[0], "connections", "", 0);
	for (int i = 0; i < 2 * CROWD; i++)
		raw_close(&crowd[i]);
	free(ann);
}
END_TEST

START_TEST(what_the_fleet_says_of_itself_is_for_those_who_name_it)
{
	struct raw plain, seeing;
	struct raw_frame frame;
	char *token = test_token_hs256("{\"sub\":\"op\",\"exp\":4102444800,\"tracegate\":{\"channels\":[\"trace:*\",\"system:*\"]}}", SECRET);
	char *ann = header_for("ann", 600), header[2048];
	snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
	open_with(&plain, nodes[0], ann);
	say(&plain, "{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"system:*\"]}");
	raw_expect_text(&plain, "\"code\":\"not_allowed\"", &frame);
	open_with(&seeing, nodes[0], header);
	say(&seeing, "{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"system:*\"],\"since\":\"earliest\"}");
	raw_expect_text(&seeing, "\"type\":\"node.up\"", &frame);
	gateway_end(nodes[1]);
	raw_expect_text(&seeing, "\"type\":\"node.down\"", &frame);
	nodes[1] = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	say(&plain, "{\"id\":2,\"op\":\"history\",\"channels\":[\"*\"],\"from\":\"earliest\"}");
	raw_expect_text(&plain, "\"id\":2,\"ok\":{\"events\":0", &frame);
	raw_close(&plain);
	raw_close(&seeing);
	free(token);
	free(ann);
}
END_TEST

START_TEST(tells_of_clients_where_it_is_asked_to)
{
	const char *flags[] = {"--system.events", "yes", "--system.clients", "yes", NULL};
	struct raw seeing, client;
	struct raw_frame frame;
	gateway_end(nodes[1]);
	nodes[1] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	raw_open(&seeing, gateway_port(nodes[1]));
	say(&seeing, "{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"system:*\"],\"filter\":{\"type\":[\"client.*\"]}}");
	raw_expect_text(&seeing, "\"id\":1,\"ok\"", &frame);
	raw_open(&client, gateway_port(nodes[1]));
	raw_expect_text(&seeing, "\"type\":\"client.connected\"", &frame);
	raw_close(&client);
	raw_expect_text(&seeing, "\"type\":\"client.disconnected\"", &frame);
	raw_close(&seeing);
}
END_TEST

/* In no log line, metric or error, however it came. */
START_TEST(a_credential_appears_nowhere)
{
	static const char *const queries[] = {"/ws?token=S3CRETKEY", "/ws?api_key=S3CRETKEY", "/ws?access_token=S3CRETKEY",
	                                      "/ws?api_key=S3CRETKEY&api_key=S3CRETKEY", "/ws?api_key=S3CRETKEY%00",
	                                      "/v1/history?api_key=S3CRETKEY", "/v1/events?access_token=S3CRETKEY+%2B",
	                                      "/nowhere?access_token=S3CRETKEY"};
	struct http_answer answer;
	char request[512];
	struct buf metrics;
	buf_init(&metrics);
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		shake(queries[i], "X-API-Key: S3CRETKEY\r\n");
		snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer S3CRETKEY\r\n", queries[i]);
		http_ask_once(gateway_port(nodes[0]), request, NULL, &answer);
		ck_assert_int_ge(answer.status, 400);
		ck_assert(!strstr(answer.head, "S3CRET") && !(answer.body.len && strstr(answer.body.bytes, "S3CRET")));
		http_answer_free(&answer);
	}
	struct raw raw;
	struct raw_frame frame;
	open_with(&raw, nodes[0], "X-API-Key: " KEY "\r\n");
	authenticate(&raw, "S3CRETKEY");
	raw_expect_text(&raw, "\"error\"", &frame);
	ck_assert_ptr_null(memmem(frame.payload.ptr, frame.payload.len, "S3CRET", 6));
	raw_close(&raw);
	gateway_get(nodes[0], "/metrics", &metrics);
	ck_assert_ptr_null(memmem(metrics.bytes, metrics.len, "S3CRET", 6));
	buf_fini(&metrics);
	for (int stream = PROCESS_OUTPUT; stream <= PROCESS_ERROR; stream++) {
		char *text = process_text(gateway_process(nodes[0]), (enum process_stream)stream);
		ck_assert(stream == PROCESS_OUTPUT || strlen(text) > 100);
		ck_assert(!strstr(text, "S3CRET") && !strstr(text, KEY) && !strstr(text, SECRET));
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_life");
	TCase *tests = tcase_create("required"), *open = tcase_create("not required"), *impatient = tcase_create("impatient");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_checked_fixture(open, start_open, stop);
	tcase_add_checked_fixture(impatient, start_impatient, stop);
	tcase_add_test(tests, a_good_credential_lets_in_wherever_it_stands);
	tcase_add_test(tests, no_credential_waits_on_a_websocket_and_is_refused_over_http);
	tcase_add_test(tests, a_bad_credential_is_refused_before_the_upgrade);
	tcase_add_test(open, a_bad_credential_is_refused_before_the_upgrade);
	tcase_add_test(open, who_needs_none_is_anonymous);
	tcase_add_test(impatient, a_stranger_is_closed_in_time);
	tcase_add_test(tests, an_expired_token_ends_its_session_alone);
	tcase_add_test(tests, an_expired_token_cuts_an_answer_under_way);
	tcase_add_test(tests, an_operator_ends_an_identity_on_every_node);
	tcase_add_test(tests, an_operator_ends_one_client_from_any_node);
	tcase_add_test(tests, without_redis_an_operator_is_told_that_nobody_else_was);
	tcase_add_test(tests, nonsense_on_the_control_channel_is_counted_and_ignored);
	tcase_add_test(tests, a_key_that_is_gone_from_its_file_ends_what_it_granted);
	tcase_add_test(tests, closing_ends_whatever_the_client_does);
	tcase_add_test(tests, what_the_fleet_says_of_itself_is_for_those_who_name_it);
	tcase_add_test(tests, tells_of_clients_where_it_is_asked_to);
	tcase_add_test(tests, a_credential_appears_nowhere);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, open);
	suite_add_tcase(suite, impatient);
	return suite_run(suite);
}
