/* What upgraded clients send, right and wrong, byte for byte: each message is answered exactly once however it is cut;
 * each violation gets its close code, at once, and nothing behind it is executed. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/suite.h"

#define MESSAGE_BYTES_MAX 65536

static struct redis_server *redis;
static struct gateway *gateway;
static struct bystander bystander;

static void start(void)
{
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	bystander_join(&bystander, gateway_port(gateway), redis);
}

static void stop(void)
{
	bystander_leave(&bystander);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_wait_metric(gateway, "subscriptions", "", 0);
	gateway_end(gateway);
	redis_server_free(redis);
}

static struct slice part(struct slice whole, size_t from, size_t len)
{
	return (struct slice){whole.ptr + from, len};
}

/* A request of exactly that many bytes. */
static void write_request(struct buf *out, unsigned id, size_t bytes)
{
	buf_clear(out);
	buf_printf(out, "{\"id\":%u,\"op\":\"ping\",\"padding\":\"\xE2\x82\xAC\xF0\x9F\x98\x80", id);
	ck_assert_uint_ge(bytes, out->len + 2);
	while (out->len < bytes - 2)
		buf_append_char(out, 'x');
	buf_append_text(out, "\"}");
}

/* The next text frames answer exactly these requests, in order. */
static void expect_replies(struct raw *raw, unsigned first, unsigned last)
{
	for (unsigned id = first; id <= last; id++) {
		struct raw_frame frame;
		char expected[48];
		snprintf(expected, sizeof expected, "{\"id\":%u,\"ok\":{\"now\":", id);
		raw_read_frame(raw, &frame);
		ck_assert_uint_eq(frame.first, 0x81);
		ck_assert_msg(!frame.masked && strncmp(frame.payload.ptr, expected, strlen(expected)) == 0,
			      "not %s but %.*s", expected, (int)frame.payload.len, frame.payload.ptr);
	}
}

/* In pieces of that size, the last with FIN; a ping between the first and the second. */
static void append_fragments(struct buf *out, struct slice message, size_t piece)
{
	for (size_t at = 0; at < message.len; at += piece) {
		size_t len = message.len - at < piece ? message.len - at : piece;
		uint8_t fin = at + len == message.len ? 0x80 : 0;
		raw_frame_append(out, fin | (at ? 0x0 : 0x1), part(message, at, len));
	}
}

static const size_t request_bytes[] = {100, 125, 126, 127, 4095, 4096, 4097, 28000, 32767, 32768, 65535, 65536};

START_TEST(answers_once_however_a_message_is_cut)
{
	struct raw raw;
	struct buf request, frames;
	buf_init(&request);
	buf_init(&frames);
	raw_open(&raw, gateway_port(gateway));
	size_t bytes = request_bytes[_i];
	write_request(&request, 1, bytes);
	raw_frame_append(&frames, 0x81, buf_slice(&request));
	write_request(&request, 2, bytes);
	append_fragments(&frames, buf_slice(&request), bytes / 3);
	write_request(&request, 3, bytes);
	append_fragments(&frames, buf_slice(&request), 1);
	write_request(&request, 4, 100);
	raw_frame_append(&frames, 0x81, buf_slice(&request));
	raw_send(&raw, buf_slice(&frames));
	expect_replies(&raw, 1, 4);
	buf_fini(&request);
	buf_fini(&frames);
	raw_close(&raw);
}
END_TEST

START_TEST(answers_once_a_message_that_comes_byte_by_byte)
{
	struct raw raw;
	struct buf request, frame;
	buf_init(&request);
	buf_init(&frame);
	raw_open(&raw, gateway_port(gateway));
	write_request(&request, 1, 4097);
	raw_frame_append(&frame, 0x81, buf_slice(&request));
	for (size_t i = 0; i < frame.len; i++)
		raw_send(&raw, part(buf_slice(&frame), i, 1));
	expect_replies(&raw, 1, 1);
	buf_fini(&request);
	buf_fini(&frame);
	raw_close(&raw);
}
END_TEST

START_TEST(takes_lengths_that_are_written_longer_than_needed)
{
	/* Masked with zero, so that the payload reads as it is. */
	static const char medium[] = "\x81\xFE\0\x14\0\0\0\0{\"id\":1,\"op\":\"ping\"}";
	static const char longest[] = "\x81\xFF\0\0\0\0\0\0\0\x14\0\0\0\0{\"id\":2,\"op\":\"ping\"}";
	struct raw raw;
	raw_open(&raw, gateway_port(gateway));
	raw_send(&raw, (struct slice){medium, sizeof medium - 1});
	raw_send(&raw, (struct slice){longest, sizeof longest - 1});
	expect_replies(&raw, 1, 2);
	raw_close(&raw);
}
END_TEST

START_TEST(delivers_payloads_of_every_length_form_bit_by_bit)
{
	static const size_t bytes[] = {2, 3, 60, 61, 125, 126, 127, 32767, 32768, 65400, 65535, 65536, 65537, 300000};
	struct raw raw;
	struct buf payload;
	buf_init(&payload);
	raw_open(&raw, gateway_port(gateway));
	raw_send_frame(&raw, 0x81, SLICE_LITERAL("{\"id\":1,\"op\":\"subscribe\"}"));
	raw_expect_text(&raw, "\"ok\"", NULL);
	for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
		struct raw_frame frame;
		buf_clear(&payload);
		buf_append_char(&payload, '"');
		for (size_t at = 2; at < bytes[i]; at++)
			buf_append_char(&payload, (char)('a' + at % 23));
		buf_append_char(&payload, '"');
		redis_server_publish(redis, SLICE_LITERAL("trace:sizes"), buf_slice(&payload));
		raw_expect_text(&raw, "trace:sizes", &frame);
		ck_assert_ptr_nonnull(memmem(frame.payload.ptr, frame.payload.len, payload.bytes, payload.len));
	}
	buf_fini(&payload);
	raw_close(&raw);
}
END_TEST

START_TEST(answers_pings_also_between_fragments)
{
	struct raw raw;
	struct raw_frame frame;
	struct buf frames;
	char payload[125];
	memset(payload, 'p', sizeof payload);
	buf_init(&frames);
	raw_open(&raw, gateway_port(gateway));
	raw_frame_append(&frames, 0x01, SLICE_LITERAL("{\"id\":1,"));
	raw_frame_append(&frames, 0x89, (struct slice){payload, sizeof payload});
	raw_frame_append(&frames, 0x80, SLICE_LITERAL("\"op\":\"ping\"}"));
	raw_send(&raw, buf_slice(&frames));
	bool has_pong = false, has_reply = false;
	while (!has_pong || !has_reply) {
		raw_read_frame(&raw, &frame);
		if (frame.first == 0x8A)
			has_pong = frame.payload.len == sizeof payload &&
				   memcmp(frame.payload.ptr, payload, sizeof payload) == 0;
		else
			has_reply = frame.first == 0x81 && memmem(frame.payload.ptr, frame.payload.len, "\"now\"", 5);
	}
	buf_fini(&frames);
	raw_close(&raw);
}
END_TEST

/* Wrong frames as they are sent, after a whole mask of zeros where they have one; 0 bytes: made by make(). */
struct violation {
	const char *name;
	const char *bytes;
	size_t len;
	uint16_t code;
};
#define BYTES(text) text, sizeof(text) - 1
#define MASK "\0\0\0\0"
#define TEN "0123456789"

static const struct violation violations[] = {
	{"length with the top bit", BYTES("\x82\xFF\x80\0\0\0\0\0\0\0" MASK TEN), 1002},
	{"length of all ones", BYTES("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF" MASK TEN), 1002},
	{"length that wraps with a header", BYTES("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFC" MASK TEN), 1002},
	{"the longest length", BYTES("\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF" MASK TEN), 1009},
	{"one byte above the limit", BYTES("\x81\xFF\0\0\0\0\0\x01\0\x01" MASK TEN), 1009},
	{"continuation that wraps", BYTES("\x01\x81" MASK "a\x80\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF" MASK TEN), 1009},
	{"opcode 3", BYTES("\x83\x81" MASK "a"), 1002},
	{"opcode 4", BYTES("\x84\x81" MASK "a"), 1002},
	{"opcode 5", BYTES("\x85\x81" MASK "a"), 1002},
	{"opcode 6", BYTES("\x86\x81" MASK "a"), 1002},
	{"opcode 7", BYTES("\x87\x81" MASK "a"), 1002},
	{"opcode B", BYTES("\x8B\x81" MASK "a"), 1002},
	{"opcode C", BYTES("\x8C\x81" MASK "a"), 1002},
	{"opcode D", BYTES("\x8D\x81" MASK "a"), 1002},
	{"opcode E", BYTES("\x8E\x81" MASK "a"), 1002},
	{"opcode F", BYTES("\x8F\x81" MASK "a"), 1002},
	{"opcode 3 without FIN", BYTES("\x03\x81" MASK "a"), 1002},
	{"opcode B without FIN", BYTES("\x0B\x81" MASK "a"), 1002},
	{"RSV1", BYTES("\xC1\x81" MASK "a"), 1002},
	{"RSV2", BYTES("\xA1\x81" MASK "a"), 1002},
	{"RSV3", BYTES("\x91\x81" MASK "a"), 1002},
	{"ping of 126 bytes", BYTES("\x89\xFE\0\x7E" MASK TEN), 1002},
	{"ping without FIN", BYTES("\x09\x81" MASK "a"), 1002},
	{"continuation of nothing", BYTES("\x80\x81" MASK "a"), 1002},
	{"text inside of a message", BYTES("\x01\x81" MASK "a\x81\x81" MASK "b"), 1002},
	{"close of one byte", BYTES("\x88\x81" MASK "a"), 1002},
	{"close with a code that nobody sends", BYTES("\x88\x82" MASK "\x03\xED"), 1002},
	{"close with code 0", BYTES("\x88\x82" MASK "\0\0"), 1002},
	{"close with a reason that is not UTF-8", BYTES("\x88\x83" MASK "\x03\xE8\xFF"), 1002},
	{"binary", BYTES("\x82\x83" MASK "abc"), 1003},
	{"overlong UTF-8", BYTES("\x81\x82" MASK "\xC0\xAF"), 1007},
	{"UTF-8 of a surrogate", BYTES("\x81\x83" MASK "\xED\xA0\x80"), 1007},
	{"UTF-8 that ends too early", BYTES("\x81\x82" MASK "\xE2\x82"), 1007},
};

/* A close frame with that code comes, nothing before it, and the end of the connection within a second. */
static void expect_violation(struct raw *raw, const char *name, uint16_t code)
{
	struct deadline prompt = deadline_in(1000);
	struct raw_frame frame;
	ck_assert_msg(raw_try_frame(raw, &frame, deadline_in(DEADLINE_MS)) == RAW_FRAME, "%s: no close frame", name);
	ck_assert_msg(frame.first == 0x88 && frame.payload.len >= 2, "%s: answered by %.*s", name,
		      (int)frame.payload.len, frame.payload.ptr);
	unsigned got = (unsigned)((uint8_t)frame.payload.ptr[0] << 8 | (uint8_t)frame.payload.ptr[1]);
	ck_assert_msg(got == code, "%s: code %u, not %u", name, got, code);
	ck_assert_msg(raw_try_frame(raw, &frame, deadline_in(DEADLINE_MS)) == RAW_END, "%s: more behind the close",
		      name);
	ck_assert_msg(!deadline_has_passed(prompt), "%s: the end took too long", name);
	raw_close(raw);
}

START_TEST(closes_for_a_violation_and_executes_nothing_behind_it)
{
	const struct violation *wrong = &violations[_i];
	for (int has_more = 0; has_more < 2; has_more++) {
		struct raw raw;
		struct buf bytes;
		buf_init(&bytes);
		buf_append(&bytes, wrong->bytes, wrong->len);
		if (has_more)
			raw_frame_append(&bytes, 0x81, SLICE_LITERAL("{\"id\":1,\"op\":\"ping\"}"));
		raw_open(&raw, gateway_port(gateway));
		raw_send(&raw, buf_slice(&bytes));
		if (!has_more || wrong->code != 1009) /* the request would be payload of the long message */
			expect_violation(&raw, wrong->name, wrong->code);
		else
			raw_close(&raw);
		buf_fini(&bytes);
	}
}
END_TEST

START_TEST(counts_the_limit_over_all_fragments)
{
	static char quarter[MESSAGE_BYTES_MAX / 4];
	struct raw raw;
	struct buf frames;
	memset(quarter, 'a', sizeof quarter);
	buf_init(&frames);
	for (int i = 0; i < 8; i++)
		raw_frame_append(&frames, i ? 0x00 : 0x01, (struct slice){quarter, sizeof quarter});
	raw_open(&raw, gateway_port(gateway));
	raw_try_send(&raw, buf_slice(&frames));
	expect_violation(&raw, "fragments above the limit", 1009);
	buf_fini(&frames);
}
END_TEST

START_TEST(ends_a_flood_of_empty_fragments)
{
	struct raw raw;
	struct buf frames;
	buf_init(&frames);
	raw_frame_append(&frames, 0x01, SLICE_NONE);
	for (int i = 0; i < 100000; i++)
		raw_frame_append(&frames, 0x00, SLICE_NONE);
	raw_open(&raw, gateway_port(gateway));
	raw_try_send(&raw, buf_slice(&frames));
	expect_violation(&raw, "empty fragments", 1009);
	bystander_check(&bystander);
	buf_fini(&frames);
}
END_TEST

START_TEST(allocates_nothing_for_announced_lengths)
{
	static struct raw clients[200];
	uint64_t before = process_resident_bytes(gateway_process(gateway));
	for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
		raw_open(&clients[i], gateway_port(gateway));
		raw_send(&clients[i], (struct slice){"\x81\xFF\0\0\0\0\0\0\xFF\xFF" MASK "{", 15});
	}
	bystander_check(&bystander);
	uint64_t after = process_resident_bytes(gateway_process(gateway));
	ck_assert_uint_lt(after, before + (4 << 20));
	for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++)
		raw_close(&clients[i]);
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
	Suite *suite = suite_create("wire frames");
	TCase *tests = add(suite, "frames");
	tcase_add_loop_test(tests, answers_once_however_a_message_is_cut, 0,
			    (int)(sizeof request_bytes / sizeof request_bytes[0]));
	tcase_add_test(tests, answers_once_a_message_that_comes_byte_by_byte);
	tcase_add_test(tests, takes_lengths_that_are_written_longer_than_needed);
	tcase_add_test(tests, delivers_payloads_of_every_length_form_bit_by_bit);
	tcase_add_test(tests, answers_pings_also_between_fragments);
	tcase_add_loop_test(tests, closes_for_a_violation_and_executes_nothing_behind_it, 0,
			    (int)(sizeof violations / sizeof violations[0]));
	tcase_add_test(tests, counts_the_limit_over_all_fragments);
	tcase_add_test(tests, ends_a_flood_of_empty_fragments);
	tcase_add_test(tests, allocates_nothing_for_announced_lengths);
	return suite_run_in_process(suite);
}
