/* What strangers send before there is a WebSocket: every request is answered as it deserves, within one total deadline,
 * and a healthy client beside them notices nothing. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE "Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define GOOD "GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY "\r\n"
#define HANDSHAKE_MS 400
#define STRANGERS 300

static struct redis_server *redis;
static struct gateway *gateway;
static struct bystander bystander;

#define SECRET "thirty-two bytes, or a few more of them"

/* A good token whose claims are so long that it has about that many characters. */
static char *token_of(size_t chars)
{
	struct buf claims;
	buf_init(&claims);
	buf_append_text(&claims, "{\"sub\":\"u1\",\"exp\":32503680000,\"pad\":\"");
	while (claims.len < chars * 3 / 4)
		buf_append_char(&claims, 'a');
	buf_append(&claims, "\"}", 3);
	char *token = test_token_hs256(claims.bytes, SECRET);
	buf_fini(&claims);
	return token;
}

static void start(void)
{
	const char *flags[] = {"--handshake.timeout", "400ms", "--close.timeout", "500ms", "--auth.jwt_secret", SECRET, NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	bystander_join(&bystander, gateway_port(gateway), redis);
}

static void stop(void)
{
	bystander_leave(&bystander);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_wait_metric(gateway, "handshakes", "", 0);
	gateway_end(gateway);
	redis_server_free(redis);
}

static void expect_welcome(struct raw *raw)
{
	char *head = raw_read_head(raw);
	ck_assert_msg(raw_head_status(head) == 101, "not upgraded: %s", head ? head : "closed");
	free(head);
	raw_expect_text(raw, "\"welcome\"", NULL);
}

static void send_bytewise(struct raw *raw, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		raw_send(raw, (struct slice){bytes.ptr + i, 1});
}

static void append_request(struct buf *out, const char *request)
{
	raw_frame_append(out, 0x81, slice_of(request));
}

START_TEST(takes_a_request_and_its_first_frame_byte_by_byte)
{
	struct raw raw;
	struct buf bytes;
	buf_init(&bytes);
	buf_append_text(&bytes, GOOD);
	append_request(&bytes, "{\"id\":7,\"op\":\"ping\"}");
	raw_connect(&raw, gateway_port(gateway));
	send_bytewise(&raw, buf_slice(&bytes));
	expect_welcome(&raw);
	raw_expect_text(&raw, "\"id\":7", NULL);
	buf_fini(&bytes);
	raw_close(&raw);
}
END_TEST

START_TEST(answers_frames_glued_to_the_request)
{
	static const size_t cuts[] = {0, 1, 5, 20, 4096};
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		struct raw raw;
		struct buf bytes;
		buf_init(&bytes);
		buf_append_text(&bytes, GOOD);
		size_t head_len = bytes.len;
		append_request(&bytes, "{\"id\":7,\"op\":\"ping\"}");
		append_request(&bytes, "{\"id\":8,\"op\":\"subscribe\"}");
		size_t first = head_len + cuts[i] < bytes.len ? head_len + cuts[i] : bytes.len;
		raw_connect(&raw, gateway_port(gateway));
		raw_send(&raw, (struct slice){bytes.bytes, first});
		expect_welcome(&raw);
		raw_send(&raw, (struct slice){bytes.bytes + first, bytes.len - first});
		raw_expect_text(&raw, "\"id\":7", NULL);
		raw_expect_text(&raw, "\"id\":8", NULL);
		buf_fini(&bytes);
		raw_close(&raw);
	}
}
END_TEST

START_TEST(answers_a_long_message_glued_to_the_request)
{
	struct raw raw;
	struct buf bytes, message;
	buf_init(&bytes);
	buf_init(&message);
	buf_printf(&message, "{\"id\":7,\"op\":\"ping\",\"padding\":\"%*s\"}", 20000, "");
	buf_append_text(&bytes, GOOD);
	raw_frame_append(&bytes, 0x81, buf_slice(&message));
	raw_connect(&raw, gateway_port(gateway));
	raw_send(&raw, buf_slice(&bytes));
	expect_welcome(&raw);
	raw_expect_text(&raw, "\"id\":7", NULL);
	buf_fini(&bytes);
	buf_fini(&message);
	raw_close(&raw);
}
END_TEST

START_TEST(takes_a_second_request_for_a_broken_frame)
{
	struct raw raw;
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, GOOD GOOD);
	expect_welcome(&raw);
	raw_expect_close(&raw, 1002);
	raw_close(&raw);
}
END_TEST

struct refusal_case {
	const char *request;
	int status;
	const char *header; /* must be in the response; NULL: nothing special */
};

static const struct refusal_case refusals[] = {
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE KEY "\r\n", 426, "Sec-WebSocket-Version: 13"},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426,
	 "Sec-WebSocket-Version: 13"},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE KEY "Sec-WebSocket-Version: 12\r\n\r\n", 426,
	 "Sec-WebSocket-Version: 13"},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE KEY "Sec-WebSocket-Version: 13a\r\n\r\n", 426,
	 "Sec-WebSocket-Version: 13"},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION "\r\n", 400, NULL},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION "Sec-WebSocket-Key: abc\r\n\r\n", 400, NULL},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!!!\r\n\r\n", 400,
	 NULL},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY KEY "\r\n", 400, NULL},
	{"GET /v1/stream HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" VERSION KEY "\r\n", 400, NULL},
	{"POST /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY "\r\n", 405, "Allow: "},
	{"GET /v1/stream HTTP/1.0\r\n" UPGRADE VERSION KEY "\r\n", 426, NULL},
	{"GET /elsewhere HTTP/1.1\r\n" UPGRADE VERSION KEY "\r\n", 404, NULL},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY "Folded: a\r\n b\r\n\r\n", 400, NULL},
	{"GET /v1/stream HTTP/1.1\nHost: 127.0.0.1\n\n", 400, NULL},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY "no colon\r\n\r\n", 400, NULL},
	{"GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY "Space : a\r\n\r\n", 400, NULL},
};

/* Reads until the gateway closes, in good order: a reset would have taken the answer away from the client. */
static void read_rest(struct raw *raw)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	char bytes[4096];
	ssize_t got;
	do {
		ck_assert_msg(deadline_wait_fd(raw->fd, POLLIN, deadline), "the gateway does not close");
		got = recv(raw->fd, bytes, sizeof bytes, 0);
		if (got > 0)
			buf_append(&raw->in, bytes, (size_t)got);
	} while (got > 0);
	ck_assert_msg(got == 0, "reset: %s", strerror(errno));
}

static void expect_refusal(struct raw *raw, int status, const char *header)
{
	char *head = raw_read_head(raw);
	ck_assert_msg(raw_head_status(head) == status, "not %d but: %s", status, head ? head : "closed");
	if (header)
		ck_assert_msg(strstr(head, header) != NULL, "no %s in: %s", header, head);
	free(head);
	read_rest(raw);
	ck_assert_ptr_nonnull(memmem(raw->in.bytes, raw->in.len, "{\"error\":{\"code\":\"", 18));
	raw_close(raw);
}

START_TEST(refuses_what_is_no_websocket_handshake)
{
	const struct refusal_case *wrong = &refusals[_i];
	struct raw raw;
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, wrong->request);
	expect_refusal(&raw, wrong->status, wrong->header);
}
END_TEST

START_TEST(refuses_a_nul_in_a_header)
{
	static const char request[] = "GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY "A: b\0c\r\n\r\n";
	struct raw raw;
	raw_connect(&raw, gateway_port(gateway));
	raw_send(&raw, (struct slice){request, sizeof request - 1});
	expect_refusal(&raw, 400, NULL);
}
END_TEST

START_TEST(ignores_extensions_that_it_does_not_know_or_cannot_read)
{
	struct buf many;
	buf_init(&many);
	buf_append_text(&many, "Sec-WebSocket-Extensions: x0");
	for (int i = 1; i < 200; i++)
		buf_printf(&many, ", x%d; a=\"b,c;d\"", i);
	buf_append(&many, "\r\n", 3);
	const char *const offers[] = {
		"Sec-WebSocket-Extensions: ,;constructor=;;\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\"\r\n",
		"Sec-WebSocket-Extensions:\r\n",
		many.bytes,
	};
	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
		struct raw raw;
		raw_connect(&raw, gateway_port(gateway));
		raw_send_text(&raw, "GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY);
		raw_send_text(&raw, offers[i]);
		raw_send_text(&raw, "\r\n");
		expect_welcome(&raw);
		raw_close(&raw);
	}
	buf_fini(&many);
}
END_TEST

START_TEST(names_the_subprotocol_only_to_who_offered_it)
{
	char *token = token_of(0);
	for (size_t i = 0; i < 2; i++) {
		struct raw raw;
		raw_connect(&raw, gateway_port(gateway));
		raw_send_text(&raw, "GET /v1/stream HTTP/1.1\r\n" UPGRADE VERSION KEY);
		if (i == 1) {
			raw_send_text(&raw, "Sec-WebSocket-Protocol: bearer.");
			raw_send_text(&raw, token);
			raw_send_text(&raw, ", tracegate.v1.json\r\n");
		}
		raw_send_text(&raw, "\r\n");
		char *head = raw_read_head(&raw);
		ck_assert_int_eq(raw_head_status(head), 101);
		ck_assert_ptr_nonnull(strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
		ck_assert_int_eq(strstr(head, "Sec-WebSocket-Protocol: tracegate.v1.json\r\n") != NULL, i == 1);
		free(head);
		raw_close(&raw);
	}
	free(token);
}
END_TEST

enum place { IN_AUTHORIZATION, IN_COOKIE, IN_QUERY };

/* Sends a handshake with a token of about that many bytes there, or as many in a cookie. */
static void send_long_head(struct raw *raw, size_t bytes, enum place place)
{
	struct buf request;
	char *token = token_of(bytes);
	buf_init(&request);
	buf_append_text(&request, "GET /v1/stream");
	if (place == IN_QUERY)
		buf_printf(&request, "?access_token=%s", token);
	buf_append_text(&request, " HTTP/1.1\r\n" UPGRADE VERSION KEY);
	if (place != IN_QUERY)
		buf_printf(&request, "%s%s\r\n", place == IN_COOKIE ? "Cookie: a=" : "Authorization: Bearer ", token);
	buf_append(&request, "\r\n", 3);
	raw_connect(raw, gateway_port(gateway));
	raw_try_send(raw, (struct slice){request.bytes, request.len - 1});
	buf_fini(&request);
	free(token);
}

START_TEST(takes_tokens_and_cookies_up_to_the_limit_and_says_431_or_414_above)
{
	static const size_t bytes[] = {1500, 3900, 4096, 4200, 6000, 8000, 15500};
	static const size_t counts[] = {[IN_AUTHORIZATION] = 7, [IN_COOKIE] = 7, [IN_QUERY] = 6};
	struct raw raw;
	for (size_t i = 0; i < counts[_i]; i++) {
		send_long_head(&raw, bytes[i], (enum place)_i);
		expect_welcome(&raw);
		raw_close(&raw);
	}
	send_long_head(&raw, 17000, (enum place)_i);
	expect_refusal(&raw, _i == IN_QUERY ? 414 : 431, NULL);
}
END_TEST

START_TEST(refuses_thousands_of_fields_and_lines_without_end)
{
	struct raw raw;
	struct buf request;
	buf_init(&request);
	buf_append_text(&request, "GET /v1/stream HTTP/1.1\r\n");
	for (int i = 0; i < 2000; i++)
		buf_printf(&request, "x-%d: y\r\n", i);
	raw_connect(&raw, gateway_port(gateway));
	raw_try_send(&raw, buf_slice(&request));
	expect_refusal(&raw, 431, NULL);
	buf_clear(&request);
	buf_printf(&request, "GET /v1/stream HTTP/1.1\r\nx: %*s", 1000000, "");
	raw_connect(&raw, gateway_port(gateway));
	raw_try_send(&raw, buf_slice(&request));
	expect_refusal(&raw, 431, NULL);
	buf_clear(&request);
	buf_printf(&request, "GET /%0*d HTTP/1.1\r\n", 65536, 0);
	raw_connect(&raw, gateway_port(gateway));
	raw_try_send(&raw, buf_slice(&request));
	expect_refusal(&raw, 414, NULL);
	buf_fini(&request);
}
END_TEST

/* Feeds a byte to each slow stranger at every look, so that only a deadline that no byte resets can end them. */
static void feed_until_gone(struct raw *slow, size_t count)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (gateway_metric(gateway, "handshakes", "") > 0) {
		for (size_t i = 0; i < count; i++)
			(void)!send(slow[i].fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		ck_assert_msg(deadline_next_look(deadline), "slow handshakes are still open");
	}
}

START_TEST(ends_silent_and_slow_handshakes_by_one_total_deadline)
{
	static struct raw silent[STRANGERS], slow[STRANGERS];
	double refused = gateway_metric(gateway, "connections_refused_total", "reason=\"timeout\"");
	for (size_t i = 0; i < STRANGERS; i++) {
		raw_connect(&silent[i], gateway_port(gateway));
		raw_connect(&slow[i], gateway_port(gateway));
		raw_send_text(&slow[i], "GET /v1/stre");
	}
	struct deadline prompt = deadline_in(1000);
	struct raw good;
	raw_open(&good, gateway_port(gateway));
	bystander_check(&bystander);
	ck_assert_msg(!deadline_has_passed(prompt), "new clients have to wait for slow ones");
	feed_until_gone(slow, STRANGERS);
	gateway_wait_metric(gateway, "connections_refused_total", "reason=\"timeout\"", refused + 2 * STRANGERS);
	ck_assert_msg(raw_read_head(&silent[0]) == NULL, "who said nothing is told nothing");
	char *head = raw_read_head(&slow[0]);
	ck_assert_int_eq(raw_head_status(head), 408);
	free(head);
	for (size_t i = 0; i < STRANGERS; i++) {
		raw_close(&silent[i]);
		raw_close(&slow[i]);
	}
	/* An upgraded client that only listens outlives three of these deadlines. */
	raw_expect_silence(&good, 3 * HANDSHAKE_MS);
	raw_close(&good);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tests = tcase_create(name);
	tcase_add_unchecked_fixture(tests, start, stop);
	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("wire handshake");
	TCase *tests = add(suite, "handshake");
	tcase_add_test(tests, takes_a_request_and_its_first_frame_byte_by_byte);
	tcase_add_test(tests, answers_frames_glued_to_the_request);
	tcase_add_test(tests, answers_a_long_message_glued_to_the_request);
	tcase_add_test(tests, takes_a_second_request_for_a_broken_frame);
	tcase_add_loop_test(tests, refuses_what_is_no_websocket_handshake, 0,
			    (int)(sizeof refusals / sizeof refusals[0]));
	tcase_add_test(tests, refuses_a_nul_in_a_header);
	tcase_add_test(tests, ignores_extensions_that_it_does_not_know_or_cannot_read);
	tcase_add_test(tests, names_the_subprotocol_only_to_who_offered_it);
	tcase_add_loop_test(tests, takes_tokens_and_cookies_up_to_the_limit_and_says_431_or_414_above, 0, 3);
	tcase_add_test(tests, refuses_thousands_of_fields_and_lines_without_end);
	tcase_add_test(tests, ends_silent_and_slow_handshakes_by_one_total_deadline);
	return suite_run_in_process(suite);
}
