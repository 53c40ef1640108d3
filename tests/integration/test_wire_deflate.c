/* permessage-deflate on real sockets: what is agreed on, what is sent compressed and what not, and every way in which a client can
 * send compressed messages, right and wrong. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/deflate.h"
#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/suite.h"

#define MESSAGE_BYTES_MAX 65536
#define OFFER "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
#define TAKEN "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#define RSV1 0x40
#define TEXT (0x81 | RSV1)

static struct redis_server *redis;
static struct gateway *gateway;
static struct bystander bystander;
static struct deflater *deflater;
static struct inflater *inflater;
static struct buf plain, packed;

static void start_with(const char *const *flags)
{
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	bystander_join(&bystander, gateway_port(gateway), redis);
	deflater = deflater_new(6);
	inflater = inflater_new();
	buf_init(&plain);
	buf_init(&packed);
}

static void start(void)
{
	start_with(NULL);
}

static void start_without(void)
{
	static const char *const flags[] = {"--deflate.enabled=no", NULL};
	start_with(flags);
}

static void stop(void)
{
	bystander_leave(&bystander);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_wait_metric(gateway, "subscriptions", "", 0);
	gateway_end(gateway);
	redis_server_free(redis);
	deflater_free(deflater);
	inflater_free(inflater);
	buf_fini(&plain);
	buf_fini(&packed);
}

/* The head of the answer to a handshake with these header lines; the caller's. */
static char *ask(struct raw *raw, const char *lines)
{
	struct buf request;
	buf_init(&request);
	buf_printf(&request,
		   "GET /v1/stream HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
		   lines);
	raw_connect(raw, gateway_port(gateway));
	raw_send(raw, buf_slice(&request));
	buf_fini(&request);
	char *head = raw_read_head(raw);
	ck_assert_int_eq(raw_head_status(head), 101);
	return head;
}

/* The next message, read whether it is compressed or not; ret_was_packed may be NULL. */
static struct slice next_message(struct raw *raw, bool *ret_was_packed)
{
	struct raw_frame frame;
	raw_read_frame(raw, &frame);
	ck_assert_uint_eq(frame.first & ~RSV1, 0x81);
	bool was_packed = frame.first & RSV1;
	if (ret_was_packed)
		*ret_was_packed = was_packed;
	if (!was_packed)
		return frame.payload;
	buf_clear(&plain);
	ck_assert_int_eq(inflater_run(inflater, frame.payload, (size_t)16 << 20, &plain), OK);
	return buf_slice(&plain);
}

static bool holds(struct slice text, const char *part)
{
	return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void expect_message(struct raw *raw, const char *part)
{
	struct slice message = next_message(raw, NULL);
	ck_assert_msg(holds(message, part), "not %s but %.*s", part, (int)message.len, message.ptr);
}

static void open_with(struct raw *raw, const char *lines)
{
	free(ask(raw, lines));
	expect_message(raw, "\"welcome\"");
}

static void open_deflated(struct raw *raw)
{
	open_with(raw, OFFER);
}

static struct slice pack(struct slice message)
{
	buf_clear(&packed);
	ck_assert_int_eq(deflater_run(deflater, 15, message, message.len + message.len / 64 + 64, &packed), OK);
	return buf_slice(&packed);
}

/* A request of that length, of text that shrinks or not. */
static void write_request(struct buf *out, unsigned id, size_t bytes, bool shrinks)
{
	buf_clear(out);
	buf_printf(out, "{\"id\":%u,\"op\":\"ping\",\"padding\":\"\xE2\x82\xAC\xF0\x9F\x98\x80", id);
	while (out->len < bytes - 2)
		buf_append_char(out, shrinks ? 'x' : (char)('0' + rand() % 64 % 43));
	for (size_t i = 0; i < out->len; i++)
		if (i > 40 && (out->bytes[i] == '\\' || out->bytes[i] == '"'))
			out->bytes[i] = 'x';
	buf_append_text(out, "\"}");
}

static void expect_reply(struct raw *raw, unsigned id)
{
	char expected[48];
	snprintf(expected, sizeof expected, "{\"id\":%u,\"ok\":", id);
	expect_message(raw, expected);
}

static void expect_closed(struct raw *raw, uint16_t code)
{
	raw_expect_close(raw, code);
	raw_close(raw);
	bystander_check(&bystander);
}

static const struct {
	const char *lines, *answer; /* NULL: no extension */
} handshakes[] = {
	{"", NULL},
	{OFFER, TAKEN "\r\n"},
	{"Sec-WebSocket-Protocol: tracegate.v1.json\r\n" OFFER, TAKEN "\r\n"},
	{"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10; client_max_window_bits=9\r\n",
	 TAKEN "; server_max_window_bits=10\r\n"},
	{"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n", NULL},
	{"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8, permessage-deflate\r\n", TAKEN "\r\n"},
	{"Sec-WebSocket-Extensions: ,;constructor=;;\r\n", NULL},
	{"Sec-WebSocket-Extensions: ,;constructor=;;\r\nSec-WebSocket-Extensions: foo; bar=\",\", permessage-deflate\r\n", TAKEN "\r\n"},
};

START_TEST(agrees_on_exactly_what_it_can_do)
{
	struct raw raw;
	char *head = ask(&raw, handshakes[_i].lines);
	const char *named = strcasestr(head, "\r\nSec-WebSocket-Extensions:");
	if (!handshakes[_i].answer)
		ck_assert_msg(!named, "%s", head);
	else
		ck_assert_msg(named && strncmp(named, handshakes[_i].answer, strlen(handshakes[_i].answer)) == 0, "%s", head);
	ck_assert(!named || !strcasestr(named + 3, "Sec-WebSocket-Extensions:"));
	free(head);
	expect_message(&raw, "\"welcome\"");
	raw_close(&raw);
}
END_TEST

START_TEST(takes_two_hundred_offers)
{
	struct buf lines;
	struct raw raw;
	buf_init(&lines);
	buf_append_text(&lines, "Sec-WebSocket-Extensions: ");
	for (int i = 0; i < 200; i++)
		buf_printf(&lines, "permessage-deflate; server_max_window_bits=%d, ", i % 9);
	buf_append_text(&lines, "permessage-deflate; server_max_window_bits=\"9\"\r\n");
	buf_append_char(&lines, '\0');
	char *head = ask(&raw, lines.bytes);
	ck_assert_ptr_nonnull(strstr(head, TAKEN "; server_max_window_bits=9\r\n"));
	free(head);
	raw_close(&raw);
	buf_fini(&lines);
}
END_TEST

START_TEST(can_be_switched_off)
{
	struct raw raw;
	char *head = ask(&raw, OFFER);
	ck_assert_ptr_null(strcasestr(head, "Sec-WebSocket-Extensions"));
	free(head);
	expect_message(&raw, "\"welcome\"");
	raw_send_frame(&raw, TEXT, pack(SLICE_LITERAL("{\"id\":1,\"op\":\"ping\"}")));
	expect_closed(&raw, 1002);
}
END_TEST

/* --- What is received ---------------------------------------------------------------------------------------------- */

static const size_t request_bytes[] = {80, 126, 4095, 4096, 4097, 32768, MESSAGE_BYTES_MAX};

static void append_fragments(struct buf *out, struct slice message, size_t piece)
{
	for (size_t at = 0; at < message.len; at += piece) {
		size_t len = message.len - at < piece ? message.len - at : piece;
		uint8_t fin = at + len == message.len ? 0x80 : 0;
		raw_frame_append(out, (uint8_t)(fin | (at ? 0x0 : 0x1 | RSV1)), (struct slice){message.ptr + at, len});
	}
}

START_TEST(answers_once_however_a_compressed_message_is_cut)
{
	struct raw raw;
	struct buf request, frames;
	buf_init(&request);
	buf_init(&frames);
	open_deflated(&raw);
	for (int shrinks = 0; shrinks < 2; shrinks++) {
		size_t bytes = request_bytes[_i];
		buf_clear(&frames);
		write_request(&request, 1, bytes, shrinks);
		raw_frame_append(&frames, TEXT, pack(buf_slice(&request)));
		raw_frame_append(&frames, 0x81, buf_slice(&request));
		write_request(&request, 2, bytes, shrinks);
		append_fragments(&frames, pack(buf_slice(&request)), packed.len / 3 + 1);
		write_request(&request, 3, bytes, shrinks);
		append_fragments(&frames, pack(buf_slice(&request)), 1);
		size_t piece = _i ? frames.len : 1; /* the shortest come byte by byte */
		for (size_t at = 0; at < frames.len; at += piece)
			raw_send(&raw, (struct slice){frames.bytes + at, piece});
		expect_reply(&raw, 1);
		expect_reply(&raw, 1);
		expect_reply(&raw, 2);
		expect_reply(&raw, 3);
	}
	raw_close(&raw);
	buf_fini(&request);
	buf_fini(&frames);
}
END_TEST

START_TEST(reads_what_any_window_wrote)
{
	struct raw raw;
	struct buf request;
	buf_init(&request);
	open_deflated(&raw);
	for (unsigned bits = DEFLATE_BITS_MIN; bits <= DEFLATE_BITS_MAX; bits++) {
		write_request(&request, bits, 40000, bits % 2);
		buf_clear(&packed);
		ck_assert_int_eq(deflater_run(deflater, bits, buf_slice(&request), request.len + 1000, &packed), OK);
		raw_send_frame(&raw, TEXT, buf_slice(&packed));
		expect_reply(&raw, bits);
	}
	raw_close(&raw);
	buf_fini(&request);
}
END_TEST

START_TEST(control_frames_and_empty_fragments_disturb_no_compressed_message)
{
	struct raw raw;
	struct buf frames;
	struct raw_frame pong;
	buf_init(&frames);
	open_deflated(&raw);
	struct slice request = pack(SLICE_LITERAL("{\"id\":3,\"op\":\"ping\",\"padding\":\"xxxxxxxxxxxxxxxx\"}"));
	raw_frame_append(&frames, 0x01 | RSV1, SLICE_NONE);
	raw_frame_append(&frames, 0x8A, SLICE_LITERAL("unasked"));
	raw_frame_append(&frames, 0x00, (struct slice){request.ptr, 5});
	raw_frame_append(&frames, 0x89, SLICE_LITERAL("ping"));
	raw_frame_append(&frames, 0x00, SLICE_NONE);
	raw_frame_append(&frames, 0x00, (struct slice){request.ptr + 5, request.len - 5});
	raw_frame_append(&frames, 0x80, SLICE_NONE);
	raw_frame_append(&frames, 0x81, SLICE_LITERAL("{\"id\":4,\"op\":\"ping\"}"));
	raw_send(&raw, buf_slice(&frames));
	for (bool has_pong = false, has_reply = false; !has_pong || !has_reply;) {
		raw_read_frame(&raw, &pong);
		has_pong = has_pong || (pong.first == 0x8A && slice_is(pong.payload, "ping"));
		has_reply = has_reply || holds(pong.payload, "{\"id\":4,\"ok\"");
	}
	raw_close(&raw);
	buf_fini(&frames);
}
END_TEST

START_TEST(an_empty_compressed_message_is_no_request)
{
	struct raw raw;
	open_deflated(&raw);
	raw_send_frame(&raw, TEXT, (struct slice){"\0", 1});
	expect_message(&raw, "bad_message");
	raw_send_frame(&raw, TEXT, SLICE_NONE);
	expect_message(&raw, "bad_message");
	raw_send_frame(&raw, TEXT, pack(SLICE_LITERAL("{\"id\":1,\"op\":\"ping\"}")));
	expect_reply(&raw, 1);
	raw_close(&raw);
}
END_TEST

START_TEST(a_message_may_be_as_long_as_the_limit_and_no_byte_longer)
{
	struct raw raw;
	struct buf request;
	buf_init(&request);
	open_deflated(&raw);
	for (int shrinks = 0; shrinks < 2; shrinks++) {
		write_request(&request, 5, MESSAGE_BYTES_MAX, shrinks);
		ck_assert_uint_eq(request.len, MESSAGE_BYTES_MAX);
		raw_send_frame(&raw, TEXT, pack(buf_slice(&request)));
		expect_reply(&raw, 5);
	}
	write_request(&request, 6, MESSAGE_BYTES_MAX + 1, true);
	raw_send_frame(&raw, TEXT, pack(buf_slice(&request)));
	expect_closed(&raw, 1009);
	buf_fini(&request);
}
END_TEST

/* 64 KB that become 64 MB, from many clients, whole and in fragments. */
START_TEST(a_bomb_costs_nothing)
{
	size_t len = (size_t)64 << 20;
	char *zeros = calloc(1, len);
	struct buf bomb;
	buf_init(&bomb);
	struct slice whole = pack((struct slice){zeros, len});
	buf_append_slice(&bomb, whole);
	free(zeros);
	uint64_t before = process_resident_bytes(gateway_process(gateway));
	for (int i = 0; i < 20; i++) {
		struct raw raw;
		struct buf frames;
		buf_init(&frames);
		open_deflated(&raw);
		append_fragments(&frames, buf_slice(&bomb), i % 2 ? bomb.len : bomb.len / 10);
		raw_try_send(&raw, buf_slice(&frames));
		buf_fini(&frames);
		expect_closed(&raw, 1009);
	}
	ck_assert_uint_lt(process_resident_bytes(gateway_process(gateway)), before + (4 << 20));
	buf_fini(&bomb);
}
END_TEST

#define BYTES(text) {text, sizeof text - 1}
#define REQUEST "{\"id\":1,\"op\":\"ping\"}"

static const struct {
	const char *name;
	uint16_t code;
	uint8_t first;
	struct slice payload;
	uint8_t second; /* 0: no other frame */
	struct slice second_payload;
} violations[] = {
	{"no deflate", 1007, TEXT, BYTES("\xFF\xFF\xFF\xFF"), 0, BYTES("")},
	{"plain text that says it is compressed", 1007, TEXT, BYTES(REQUEST), 0, BYTES("")},
	{"deflate that ends too early", 1007, TEXT, BYTES("\xF2\x48\xCD"), 0, BYTES("")},
	/* An offer of no takeover was made to it: nothing of the message before is known any more. */
	{"a look back into the message before", 1007, TEXT, BYTES("\x4A\x04\x12\x00"), 0, BYTES("")},
	{"what is no UTF-8 when inflated", 1007, TEXT, BYTES("\x00\x02\x00\xFD\xFF\xC0\xAF\x00"), 0, BYTES("")},
	{"RSV1 on a continuation", 1002, 0x01 | RSV1, BYTES("\xF2\x48"), 0x80 | RSV1, BYTES("\xCD\xC9\xC9\x07\x00")},
	{"RSV1 on a continuation of a plain message", 1002, 0x01, BYTES("{\"id\":1,"), 0x80 | RSV1, BYTES("\"op\":\"ping\"}")},
	{"RSV1 on a continuation behind an empty fragment", 1002, 0x01, BYTES(""), 0x80 | RSV1, BYTES(REQUEST)},
	{"RSV1 on a ping", 1002, 0x89 | RSV1, BYTES("a"), 0, BYTES("")},
	{"RSV1 on a pong", 1002, 0x8A | RSV1, BYTES("a"), 0, BYTES("")},
	{"RSV1 on a close", 1002, 0x88 | RSV1, BYTES("\x03\xE8"), 0, BYTES("")},
	{"RSV2", 1002, 0x81 | 0x20, BYTES(REQUEST), 0, BYTES("")},
	{"RSV3", 1002, 0x81 | 0x10, BYTES(REQUEST), 0, BYTES("")},
	{"RSV1 and RSV2", 1002, TEXT | 0x20, BYTES("\xF2\x48\xCD\xC9\xC9\x07\x00"), 0, BYTES("")},
	{"a binary one", 1003, 0x82 | RSV1, BYTES("\xF2\x48\xCD\xC9\xC9\x07\x00"), 0, BYTES("")},
};

START_TEST(closes_for_a_violation_and_executes_nothing_behind_it)
{
	for (int has_more = 0; has_more < 2; has_more++) {
		struct raw raw;
		struct buf frames;
		struct raw_frame frame;
		buf_init(&frames);
		raw_frame_append(&frames, violations[_i].first, violations[_i].payload);
		if (violations[_i].second)
			raw_frame_append(&frames, violations[_i].second, violations[_i].second_payload);
		if (has_more)
			raw_frame_append(&frames, TEXT, pack(SLICE_LITERAL("{\"id\":1,\"op\":\"ping\"}")));
		open_deflated(&raw);
		raw_send(&raw, buf_slice(&frames));
		raw_read_frame(&raw, &frame);
		ck_assert_msg(frame.first == 0x88, "%s: answered by %.*s", violations[_i].name, (int)frame.payload.len, frame.payload.ptr);
		unsigned code = (unsigned)((uint8_t)frame.payload.ptr[0] << 8 | (uint8_t)frame.payload.ptr[1]);
		ck_assert_msg(code == violations[_i].code, "%s: code %u", violations[_i].name, code);
		raw_expect_end(&raw);
		raw_close(&raw);
		buf_fini(&frames);
	}
	bystander_check(&bystander);
}
END_TEST

/* --- What is sent -------------------------------------------------------------------------------------------------- */

static void subscribe(struct raw *raw)
{
	raw_send_frame(raw, 0x81, SLICE_LITERAL("{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"trace:packed\"]}"));
	expect_reply(raw, 1);
}

/* Payloads that name their number and shrink well. */
static void publish(unsigned first, unsigned count, size_t padding)
{
	static char payload[200000];
	for (unsigned i = 0; i < count; i++) {
		int len = snprintf(payload, sizeof payload, "{\"number\":%u,\"padding\":\"", first + i);
		for (size_t at = 0; at < padding; at++)
			payload[len++] = "abcdefgh01234567"[(at + at / 7) % 16];
		len += snprintf(payload + len, sizeof payload - (size_t)len, "\"}");
		redis_server_publish(redis, SLICE_LITERAL("trace:packed"), (struct slice){payload, (size_t)len});
	}
}

/* Gives how many of the frames that brought these events, in order, were compressed. */
static unsigned expect_events(struct raw *raw, unsigned first, unsigned count)
{
	unsigned packed_frames = 0;
	for (unsigned number = first; number < first + count;) {
		bool was_packed;
		char part[32];
		struct slice batch = next_message(raw, &was_packed);
		unsigned before = number;
		for (; number < first + count; number++) {
			snprintf(part, sizeof part, "{\"number\":%u,", number);
			if (!holds(batch, part))
				break;
		}
		ck_assert_msg(number > before, "not %u in %.*s", number, (int)(batch.len < 300 ? batch.len : 300), batch.ptr);
		packed_frames += was_packed;
	}
	return packed_frames;
}

START_TEST(respects_every_window)
{
	char offer[96];
	struct raw raw;
	snprintf(offer, sizeof offer, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=%d\r\n", _i);
	open_with(&raw, offer);
	subscribe(&raw);
	double before = gateway_metric(gateway, "deflate_bytes_total", "side=\"before\"");
	publish(1, 1, 100000);
	ck_assert_uint_eq(expect_events(&raw, 1, 1), 1);
	ck_assert(gateway_metric(gateway, "deflate_bytes_total", "side=\"before\"") >= before + 100000);
	raw_close(&raw);
}
END_TEST

START_TEST(members_of_all_kinds_get_the_same_events)
{
	static const char *const lines[] = {"", OFFER, OFFER, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n"};
	struct raw raw[4];
	for (int i = 0; i < 4; i++) {
		open_with(&raw[i], lines[i]);
		subscribe(&raw[i]);
	}
	double before = gateway_metric(gateway, "deflate_bytes_total", "side=\"before\"");
	publish(1, 1, 10000);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(expect_events(&raw[i], 1, 1), i > 0);
	/* Once for both of the same window, once for the other. */
	double compressed = gateway_metric(gateway, "deflate_bytes_total", "side=\"before\"") - before;
	ck_assert_msg(compressed > 20000 && compressed < 22000, "%f bytes", compressed);
	publish(2, 200, 300);
	for (int i = 0; i < 4; i++)
		expect_events(&raw[i], 2, 200);
	for (int i = 0; i < 4; i++)
		raw_close(&raw[i]);
}
END_TEST

START_TEST(sends_as_it_is_what_is_short_or_does_not_shrink)
{
	struct raw raw;
	open_deflated(&raw);
	subscribe(&raw);
	publish(1, 1, 10);
	ck_assert_uint_eq(expect_events(&raw, 1, 1), 0);
	static char noise[40000];
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)(rand() % 256);
	noise[0] = (char)0xFF;
	redis_server_publish(redis, SLICE_LITERAL("trace:packed"), (struct slice){noise, sizeof noise});
	expect_message(&raw, "\"base64\"");
	publish(2, 1, 1000);
	ck_assert_uint_eq(expect_events(&raw, 2, 1), 1);
	raw_close(&raw);
}
END_TEST

START_TEST(history_and_catching_up_are_compressed_too)
{
	struct raw raw;
	gateway_wait_metric(gateway, "recorded", "", 1);
	publish(1, 50, 1000);
	bystander_check(&bystander);
	open_deflated(&raw);
	raw_send_frame(&raw, 0x81, SLICE_LITERAL("{\"id\":2,\"op\":\"history\",\"channels\":[\"trace:packed\"],\"reverse\":true,\"limit\":50}"));
	bool was_packed;
	struct slice chunk = next_message(&raw, &was_packed);
	ck_assert(was_packed && holds(chunk, "\"chunk\"") && holds(chunk, "{\"number\":50,"));
	expect_reply(&raw, 2);
	raw_send_frame(&raw, 0x81,
		       SLICE_LITERAL("{\"id\":3,\"op\":\"subscribe\",\"channels\":[\"trace:packed\"],\"since\":\"earliest\"}"));
	expect_reply(&raw, 3);
	chunk = next_message(&raw, &was_packed);
	ck_assert(was_packed && holds(chunk, "\"events\""));
	raw_close(&raw);
}
END_TEST

/* --- What it costs ------------------------------------------------------------------------------------------------- */

#define IDLE_CLIENTS 400

static uint64_t bytes_for(struct raw *clients, const char *lines)
{
	uint64_t before = process_resident_bytes(gateway_process(gateway));
	for (size_t i = 0; i < IDLE_CLIENTS; i++) {
		open_with(&clients[i], lines);
		if (i % 2)
			subscribe(&clients[i]);
	}
	return process_resident_bytes(gateway_process(gateway)) - before;
}

/* The first of each kind pay for what all share. */
START_TEST(an_idle_client_takes_no_more_than_a_plain_one)
{
	static struct raw warm, former[IDLE_CLIENTS], plain_ones[IDLE_CLIENTS], packed_ones[IDLE_CLIENTS];
	open_deflated(&warm);
	raw_send_frame(&warm, TEXT, pack(SLICE_LITERAL("{\"id\":1,\"op\":\"ping\"}")));
	expect_reply(&warm, 1);
	subscribe(&warm);
	publish(1, 1, 1000);
	expect_events(&warm, 1, 1);
	bytes_for(former, ""); /* they take what the tests before have left */
	uint64_t bytes = bytes_for(plain_ones, ""), packed_bytes = bytes_for(packed_ones, OFFER);
	ck_assert_msg(packed_bytes <= bytes + IDLE_CLIENTS * 1024, "%ld bytes more for each",
		      ((long)packed_bytes - (long)bytes) / IDLE_CLIENTS);
	raw_close(&warm);
	for (size_t i = 0; i < IDLE_CLIENTS; i++) {
		raw_close(&former[i]);
		raw_close(&plain_ones[i]);
		raw_close(&packed_ones[i]);
	}
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
	Suite *suite = suite_create("wire deflate");
	TCase *tests = add(suite, "on", start);
	tcase_add_loop_test(tests, agrees_on_exactly_what_it_can_do, 0, (int)(sizeof handshakes / sizeof handshakes[0]));
	tcase_add_test(tests, takes_two_hundred_offers);
	tcase_add_loop_test(tests, answers_once_however_a_compressed_message_is_cut, 0,
			    (int)(sizeof request_bytes / sizeof request_bytes[0]));
	tcase_add_test(tests, reads_what_any_window_wrote);
	tcase_add_test(tests, control_frames_and_empty_fragments_disturb_no_compressed_message);
	tcase_add_test(tests, an_empty_compressed_message_is_no_request);
	tcase_add_test(tests, a_message_may_be_as_long_as_the_limit_and_no_byte_longer);
	tcase_add_test(tests, a_bomb_costs_nothing);
	tcase_add_loop_test(tests, closes_for_a_violation_and_executes_nothing_behind_it, 0,
			    (int)(sizeof violations / sizeof violations[0]));
	tcase_add_loop_test(tests, respects_every_window, DEFLATE_BITS_MIN, DEFLATE_BITS_MAX + 1);
	tcase_add_test(tests, members_of_all_kinds_get_the_same_events);
	tcase_add_test(tests, sends_as_it_is_what_is_short_or_does_not_shrink);
	tcase_add_test(tests, history_and_catching_up_are_compressed_too);
	tcase_add_test(tests, an_idle_client_takes_no_more_than_a_plain_one);
	tcase_add_test(add(suite, "off", start_without), can_be_switched_off);
	return suite_run_in_process(suite);
}
