/* On every path by which events leave a node, a client with a restricted token and a witness with all rights: what the first may not
 * see never appears in its bytes, in whatever form, while the witness has it. */
#define _GNU_SOURCE
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/raw.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define SECRET "a secret of more than thirty-two bytes"
#define MARK "MARKOFTHEHIDDEN" /* in every payload that a restricted client may not see */
#define EVENTS 30
#define LAST "\"number\":30"
#define FIRST_FRAME_TEXT 0x81
#define FIRST_FRAME_BINARY 0x82

static const char *const restrictions[] = {
    "\"channels\":[\"trace:open*\"]",
    "\"sessions\":[\"open\"]",
    "\"agents\":[\"ann\"]",
    "\"channels\":[\"trace:*\"],\"sessions\":[\"open\",\"hidden\"],\"agents\":[\"ann\"]",
};
#define RESTRICTIONS (int)(sizeof restrictions / sizeof restrictions[0])

static struct redis_server *redis;
static struct gateway *node;
static char *restricted, *witness; /* header lines */
static struct buf heard;

static char *header_of(const char *restriction)
{
	char claims[512], *header = NULL;
	snprintf(claims, sizeof claims, "{\"sub\":\"who\",\"exp\":4102444800,\"tracegate\":{%s}}", restriction);
	char *token = test_token_hs256(claims, SECRET);
	ck_assert_int_gt(asprintf(&header, "Authorization: Bearer %s\r\n", token), 0);
	free(token);
	return header;
}

static void publish_pair(unsigned number)
{
	char text[256];
	snprintf(text, sizeof text, "{\"sessionId\":\"open\",\"agentId\":\"ann\",\"number\":%u,\"state\":{\"a\":%u}}", number, number);
	char hidden[256];
	snprintf(hidden, sizeof hidden,
	         "{\"sessionId\":\"hidden\",\"agentId\":\"bob\",\"number\":%u,\"state\":{\"a\":%u,\"what\":\"" MARK "\"}}", number, number);
	redis_server_publish(redis, slice_of("trace:secret"), slice_of(hidden));
	redis_server_publish(redis, slice_of("trace:open1"), slice_of(text));
}

static void publish_all(void)
{
	for (unsigned number = 1; number <= EVENTS; number++)
		publish_pair(number);
	gateway_wait_metric_at_least(node, "records_total", "", 2 * EVENTS);
}

static void set_up(int which)
{
	const char *flags[] = {"--auth.required", "yes", "--auth.jwt_secret", SECRET, "--workers", "1", NULL};
	redis = redis_server_start(NULL);
	node = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	restricted = header_of(restrictions[which]);
	witness = header_of("\"ops\":[\"subscribe\",\"history\",\"state\",\"replay\",\"publish\"]");
	buf_init(&heard);
}

static void tear_down(void)
{
	free(restricted);
	free(witness);
	buf_fini(&heard);
	gateway_end(node);
	redis_server_free(redis);
}

static bool holds(struct slice text, const char *part)
{
	return text.len && memmem(text.ptr, text.len, part, strlen(part));
}

/* Keeps all that comes until something holds that. */
static void hear_until(struct raw *raw, const char *part)
{
	struct raw_frame frame;
	struct deadline deadline = deadline_in(DEADLINE_MS);
	do {
		ck_assert_msg(raw_try_frame(raw, &frame, deadline) == RAW_FRAME, "no %s in %.*s", part, (int)heard.len, heard.bytes);
		buf_append_slice(&heard, frame.payload);
	} while (!holds(frame.payload, part));
}

static void must_be_hidden(void)
{
	ck_assert_msg(!holds(buf_slice(&heard), MARK) && !holds(buf_slice(&heard), "trace:secret"), "%.*s", (int)heard.len, heard.bytes);
	buf_clear(&heard);
}

static void must_be_there(void)
{
	ck_assert_msg(holds(buf_slice(&heard), MARK), "%.*s", (int)heard.len, heard.bytes);
	buf_clear(&heard);
}

static void open_as(struct raw *raw, const char *header, const char *protocol)
{
	char headers[2048];
	snprintf(headers, sizeof headers, "%s%s", header, protocol);
	raw_connect(raw, gateway_port(node));
	ck_assert_int_eq(raw_handshake(raw, "/v1/stream", headers), 101);
}

static void say(struct raw *raw, const char *request)
{
	raw_send_frame(raw, FIRST_FRAME_TEXT, slice_of(request));
}

/* One question over the WebSocket, asked by both. end: what ends the answer. */
static void compare(const char *request, const char *end)
{
	struct raw mine, theirs;
	open_as(&mine, restricted, "");
	open_as(&theirs, witness, "");
	say(&mine, request);
	hear_until(&mine, end);
	must_be_hidden();
	say(&theirs, request);
	hear_until(&theirs, end);
	must_be_there();
	raw_close(&mine);
	raw_close(&theirs);
}

static void compare_live(const char *protocol, uint8_t first, struct slice request, const char *last)
{
	struct raw mine, theirs;
	open_as(&mine, restricted, protocol);
	open_as(&theirs, witness, protocol);
	raw_send_frame(&mine, first, request);
	raw_send_frame(&theirs, first, request);
	hear_until(&mine, "recorded");
	hear_until(&theirs, "recorded");
	publish_all();
	buf_clear(&heard);
	hear_until(&mine, last);
	must_be_hidden();
	hear_until(&theirs, last);
	must_be_there();
	raw_close(&mine);
	raw_close(&theirs);
}

START_TEST(live_in_json)
{
	set_up(_i);
	compare_live("", FIRST_FRAME_TEXT, slice_of("{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"*\"]}"), LAST);
	tear_down();
}
END_TEST

START_TEST(live_in_messagepack)
{
	set_up(_i);
	compare_live("Sec-WebSocket-Protocol: tracegate.v1.msgpack\r\n", FIRST_FRAME_BINARY,
	             SLICE_LITERAL("\x82\xa2id\x01\xa2op\xa9subscribe"), "number\x1e");
	tear_down();
}
END_TEST

START_TEST(catching_up)
{
	set_up(_i);
	publish_all();
	compare("{\"id\":1,\"op\":\"subscribe\",\"since\":\"earliest\"}", LAST);
	tear_down();
}
END_TEST

START_TEST(history_over_websocket)
{
	set_up(_i);
	publish_all();
	compare("{\"id\":7,\"op\":\"history\",\"from\":\"earliest\"}", "\"id\":7,\"ok\"");
	compare("{\"id\":7,\"op\":\"history\",\"reverse\":true,\"limit\":9}", "\"id\":7,\"ok\"");
	compare("{\"id\":7,\"op\":\"history\",\"session\":\"hidden\"}", "\"id\":7,\"ok\"");
	tear_down();
}
END_TEST

START_TEST(replay)
{
	set_up(_i);
	publish_all();
	compare("{\"id\":7,\"op\":\"replay\",\"channels\":[\"trace:*\"],\"from\":\"earliest\",\"speed\":\"max\"}", "replayEnd");
	compare("{\"id\":7,\"op\":\"replay\",\"session\":\"hidden\",\"speed\":\"max\"}", "replayEnd");
	tear_down();
}
END_TEST

START_TEST(state_over_websocket)
{
	set_up(_i);
	publish_all();
	/* The witness first, so that its states are kept, warm and as snapshots. */
	for (int i = 0; i < 2; i++) {
		compare("{\"id\":7,\"op\":\"state\",\"session\":\"hidden\"}", "\"id\":7,\"ok\"");
		compare("{\"id\":7,\"op\":\"state\",\"session\":\"hidden\",\"at\":\"now\",\"diffFrom\":\"earliest\"}", "\"id\":7,\"ok\"");
	}
	tear_down();
}
END_TEST

static void get_as(const char *header, const char *target, const char *fields, struct http_answer *answer)
{
	char request[4096];
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s", target, header, fields);
	http_ask_once(gateway_port(node), request, NULL, answer);
	buf_append(&heard, answer->head, strlen(answer->head));
	buf_append_slice(&heard, buf_slice(&answer->body));
}

static void compare_get(const char *target, const char *fields)
{
	struct http_answer answer;
	for (int i = 0; i < 2; i++) {
		get_as(restricted, target, fields, &answer);
		ck_assert_int_eq(answer.status, 200);
		must_be_hidden();
		http_answer_free(&answer);
		get_as(witness, target, fields, &answer);
		ck_assert_int_eq(answer.status, 200);
		must_be_there();
		http_answer_free(&answer);
	}
}

START_TEST(the_past_over_http)
{
	set_up(_i);
	publish_all();
	compare_get("/v1/history?from=earliest", "");
	compare_get("/v1/history?from=earliest", "Accept: application/x-ndjson\r\n");
	compare_get("/v1/history?session=hidden&reverse", "");
	compare_get("/v1/state?session=hidden", "");
	compare_get("/v1/state?session=hidden&at=now&diffFrom=earliest", "");
	tear_down();
}
END_TEST

static void hear_events(const char *header, const char *target)
{
	struct raw raw;
	char request[4096];
	struct deadline deadline = deadline_in(DEADLINE_MS);
	raw_connect(&raw, gateway_port(node));
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", target, header);
	raw_send_text(&raw, request);
	char *head = raw_read_head(&raw);
	ck_assert_int_eq(raw_head_status(head), 200);
	free(head);
	while (!holds(buf_slice(&raw.in), LAST)) {
		char bytes[4096];
		ck_assert(deadline_wait_fd(raw.fd, POLLIN, deadline));
		ssize_t got = recv(raw.fd, bytes, sizeof bytes, 0);
		ck_assert_int_gt(got, 0);
		buf_append(&raw.in, bytes, (size_t)got);
	}
	buf_append_slice(&heard, buf_slice(&raw.in));
	raw_close(&raw);
}

START_TEST(server_sent_events)
{
	set_up(_i);
	publish_all();
	hear_events(restricted, "/v1/events?since=earliest");
	must_be_hidden();
	hear_events(witness, "/v1/events?since=earliest");
	must_be_there();
	tear_down();
}
END_TEST

/* Sessions are listed for whoever may see whole ones; the others are told why not. */
START_TEST(the_list_of_sessions)
{
	struct http_answer answer;
	set_up(_i);
	publish_all();
	get_as(restricted, "/v1/sessions", "", &answer);
	if (strncmp(restrictions[_i], "\"sessions\"", 10) == 0) {
		ck_assert_int_eq(answer.status, 200);
		ck_assert(holds(buf_slice(&answer.body), "\"open\""));
	} else {
		http_expect(&answer, 403, "\"not_allowed\"");
	}
	ck_assert(!holds(buf_slice(&answer.body), "\"hidden\""));
	http_answer_free(&answer);
	get_as(witness, "/v1/sessions", "", &answer);
	ck_assert(holds(buf_slice(&answer.body), "\"hidden\"") && holds(buf_slice(&answer.body), "\"open\""));
	http_answer_free(&answer);
	tear_down();
}
END_TEST

#define HIDDEN_EVENT "\"channel\":\"trace:secret\",\"data\":{\"sessionId\":\"hidden\",\"agentId\":\"bob\"}"
#define OPEN_EVENT "\"channel\":\"trace:open1\",\"data\":{\"sessionId\":\"open\",\"agentId\":\"ann\"}"

static void post_as(const char *header, const char *body, int status, const char *part)
{
	struct http_answer answer;
	char request[4096];
	snprintf(request, sizeof request, "POST /v1/publish HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n%s", header);
	http_ask_once(gateway_port(node), request, body, &answer);
	http_expect(&answer, status, part);
	http_answer_free(&answer);
}

START_TEST(publishing)
{
	struct raw mine;
	set_up(_i);
	open_as(&mine, restricted, "");
	say(&mine, "{\"id\":1,\"op\":\"publish\"," HIDDEN_EVENT "}");
	hear_until(&mine, "\"id\":1,\"error\":{\"code\":\"not_allowed\"");
	say(&mine, "{\"id\":2,\"op\":\"publish\"," OPEN_EVENT "}");
	hear_until(&mine, "\"id\":2,\"ok\"");
	say(&mine, "{\"id\":3,\"op\":\"publish\",\"channel\":\"system:x\",\"data\":1}");
	hear_until(&mine, "\"id\":3,\"error\":{\"code\":\"not_allowed\"");
	raw_close(&mine);
	post_as(restricted, "{" HIDDEN_EVENT "}", 403, "\"not_allowed\"");
	post_as(restricted, "{" OPEN_EVENT "}", 200, "\"id\"");
	post_as(witness, "{" HIDDEN_EVENT "}", 200, "\"id\"");
	post_as(witness, "{\"channel\":\"system:x\",\"data\":1}", 403, "\"not_allowed\"");
	tear_down();
}
END_TEST

/* What is not granted as an op is refused whatever it asks for. */
START_TEST(ops_that_are_not_granted)
{
	static const char *const asked[] = {
	    "{\"id\":1,\"op\":\"subscribe\"}",
	    "{\"id\":1,\"op\":\"state\",\"session\":\"open\"}",
	    "{\"id\":1,\"op\":\"replay\",\"session\":\"open\"}",
	    "{\"id\":1,\"op\":\"control\",\"replay\":\"1\",\"do\":\"play\"}",
	    "{\"id\":1,\"op\":\"publish\"," OPEN_EVENT "}",
	};
	static const char *const targets[] = {"/v1/events", "/v1/state?session=open"};
	struct raw mine;
	struct http_answer answer;
	set_up(0);
	char *header = header_of("\"ops\":[\"history\"]");
	open_as(&mine, header, "");
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		say(&mine, asked[i]);
		hear_until(&mine, "\"error\":{\"code\":\"not_allowed\"");
	}
	say(&mine, "{\"id\":2,\"op\":\"history\"}");
	hear_until(&mine, "\"id\":2,\"ok\"");
	raw_close(&mine);
	for (size_t i = 0; i < 2; i++) {
		get_as(header, targets[i], "", &answer);
		http_expect(&answer, 403, "\"not_allowed\"");
		ck_assert(strstr(answer.head, "insufficient_scope"));
		http_answer_free(&answer);
	}
	get_as(header, "/v1/history", "", &answer);
	ck_assert_int_eq(answer.status, 200);
	http_answer_free(&answer);
	free(header);
	tear_down();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_paths");
	TCase *tests = tcase_create("auth_paths");
	tcase_add_loop_test(tests, live_in_json, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, live_in_messagepack, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, catching_up, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, history_over_websocket, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, replay, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, state_over_websocket, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, the_past_over_http, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, server_sent_events, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, the_list_of_sessions, 0, RESTRICTIONS);
	tcase_add_loop_test(tests, publishing, 0, RESTRICTIONS);
	tcase_add_test(tests, ops_that_are_not_granted);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
