/* RFC 6455 from section 5 to 8, a row for each thing that it asks of a server, and RFC 7692 section 6, beside a healthy client; what
 * test_wire_frames.c has is not here again. Behind each row stands a request: it is answered where the connection goes on, and never
 * where it ends. Rows that compress nothing go to a connection with permessage-deflate as well. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/suite.h"

static struct redis_server *redis;
static struct gateway *gateway;
static struct bystander bystander;
static unsigned descriptors;

static void start(void)
{
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	bystander_join(&bystander, gateway_port(gateway), redis);
	descriptors = process_descriptors(gateway_process(gateway));
}

static void expect_descriptors(void)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (process_descriptors(gateway_process(gateway)) > descriptors)
		ck_assert_msg(deadline_next_look(deadline), "descriptors are left over");
}

static void stop(void)
{
	expect_descriptors();
	bystander_leave(&bystander);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_end(gateway);
	redis_server_free(redis);
}

enum outcome {
	ANSWERS, /* the request behind is answered, and before that comes the pong of text, if there is one */
	CLOSES,  /* with the code, and nothing before it */
	ECHOES,  /* a close frame is answered by one with the bytes of text */
};

struct row {
	const char *section, *name;
	const char *bytes;
	size_t len;
	enum outcome outcome;
	uint16_t code;
	const char *text;
	size_t text_len;
};

#define BYTES(text) text, sizeof(text) - 1
#define MASK "\0\0\0\0"
#define GOES_ON ANSWERS, 0, NULL, 0
#define PONGS(text) ANSWERS, 0, BYTES(text)
#define ECHO(text) ECHOES, 0, BYTES(text)
#define CLOSE(code) CLOSES, code, NULL, 0
#define X25 "xxxxxxxxxxxxxxxxxxxxxxxxx"
#define X123 X25 X25 X25 X25 "xxxxxxxxxxxxxxxxxxxxxxx"

#define DEFLATE "permessage-deflate"

static const struct row rows[] = {
	/* Masking: each frame of a client, with whatever key. */
	{"5.1", "text without a mask", BYTES("\x81\x02{}"), CLOSE(1002)},
	{"5.1", "request without a mask", BYTES("\x81\x14{\"id\":9,\"op\":\"ping\"}"), CLOSE(1002)},
	{"5.1", "empty text without a mask", BYTES("\x81\x00"), CLOSE(1002)},
	{"5.1", "ping without a mask", BYTES("\x89\x01p"), CLOSE(1002)},
	{"5.1", "pong without a mask", BYTES("\x8A\x00"), CLOSE(1002)},
	{"5.1", "close without a mask", BYTES("\x88\x02\x03\xE8"), CLOSE(1002)},
	{"5.1", "length of two bytes without a mask", BYTES("\x81\x7E\0\x02{}"), CLOSE(1002)},
	{"5.1", "length of eight bytes without a mask", BYTES("\x81\x7F\0\0\0\0\0\0\0\x02{}"), CLOSE(1002)},
	{"5.1", "continuation without a mask", BYTES("\x01\x81" MASK "{\x80\x01}"), CLOSE(1002)},
	{"5.1", "ping without a mask inside of a message", BYTES("\x01\x81" MASK "{\x89\x00\x80\x81" MASK "}"), CLOSE(1002)},
	{"5.3", "mask of ones", BYTES("\x89\x82\xFF\xFF\xFF\xFF\x8F\x8E"), PONGS("pq")},
	{"5.3", "mask that is the payload", BYTES("\x89\x84pppppppp"), PONGS("\0\0\0\0")},
	{"5.3", "another mask in each fragment",
	 BYTES("\x01\x83\x01\x02\x03\x04z\x20j\x80\x8E\xFF\0\xFF\0\x9B\x22\xC5\x31\xD3\x22\x90\x70\xDD\x3A\xDD\x78\xDD\x7D"), GOES_ON},
	/* Fragments, with control frames between them. */
	{"5.4", "empty fragments around the message", BYTES("\x01\x80" MASK "\x00\x82" MASK "[]\x80\x80" MASK), GOES_ON},
	{"5.4", "message of nothing in fragments", BYTES("\x01\x80" MASK "\x80\x80" MASK), GOES_ON},
	{"5.4", "ping between fragments", BYTES("\x01\x81" MASK "[\x89\x82" MASK "hi\x80\x81" MASK "]"), PONGS("hi")},
	{"5.4", "pong between fragments", BYTES("\x01\x81" MASK "[\x8A\x82" MASK "hi\x80\x81" MASK "]"), GOES_ON},
	{"5.4", "close between fragments", BYTES("\x01\x81" MASK "[\x88\x82" MASK "\x03\xE8"), ECHO("\x03\xE8")},
	{"5.4", "binary inside of a message", BYTES("\x01\x81" MASK "[\x82\x81" MASK "]"), CLOSE(1002)},
	{"5.4", "continuation behind a whole message", BYTES("\x81\x82" MASK "[]\x80\x80" MASK), CLOSE(1002)},
	{"5.4", "continuation without end, of nothing", BYTES("\x00\x81" MASK "a"), CLOSE(1002)},
	{"5.2", "RSV1 in a continuation", BYTES("\x01\x81" MASK "[\xC0\x81" MASK "]"), CLOSE(1002)},
	{"5.2", "RSV1 in a ping", BYTES("\xC9\x80" MASK), CLOSE(1002)},
	{"5.2", "RSV2 in a pong", BYTES("\xAA\x80" MASK), CLOSE(1002)},
	{"5.2", "RSV3 in a close", BYTES("\x98\x80" MASK), CLOSE(1002)},
	{"5.2", "all RSV bits", BYTES("\xF1\x81" MASK "a"), CLOSE(1002)},
	/* Control frames. */
	{"5.5", "ping with a length of two bytes", BYTES("\x89\xFE\0\x01" MASK "p"), CLOSE(1002)},
	{"5.5", "pong with a length of eight bytes", BYTES("\x8A\xFF\0\0\0\0\0\0\0\x01" MASK "p"), CLOSE(1002)},
	{"5.5", "pong of 126 bytes", BYTES("\x8A\xFE\0\x7E" MASK X123 "xxx"), CLOSE(1002)},
	{"5.5", "close of 126 bytes", BYTES("\x88\xFE\0\x7E" MASK "\x03\xE8" X123 "x"), CLOSE(1002)},
	{"5.5", "close without FIN", BYTES("\x08\x82" MASK "\x03\xE8"), CLOSE(1002)},
	{"5.5", "pong without FIN", BYTES("\x0A\x80" MASK), CLOSE(1002)},
	{"5.5.1", "close of nothing", BYTES("\x88\x80" MASK), ECHO("")},
	{"5.5.1", "close with a code", BYTES("\x88\x82" MASK "\x03\xE8"), ECHO("\x03\xE8")},
	{"5.5.1", "close with a code and a reason", BYTES("\x88\x85" MASK "\x03\xE9" "bye"), ECHO("\x03\xE9")},
	{"5.5.1", "close with the longest reason", BYTES("\x88\xFD" MASK "\x03\xE8" X123), ECHO("\x03\xE8")},
	{"5.5.1", "text behind a close", BYTES("\x88\x82" MASK "\x03\xE8\x81\x81" MASK "a"), ECHO("\x03\xE8")},
	{"5.5.1", "two closes", BYTES("\x88\x82" MASK "\x03\xE8\x88\x82" MASK "\x03\xEA"), ECHO("\x03\xE8")},
	{"5.5.2", "ping of nothing", BYTES("\x89\x80" MASK), PONGS("")},
	{"5.5.2", "ping of any bytes", BYTES("\x89\x84" MASK "\0\xFF\xC0\x80"), PONGS("\0\xFF\xC0\x80")},
	{"5.5.3", "pong that nobody asked for", BYTES("\x8A\x83" MASK "abc"), GOES_ON},
	{"5.5.3", "pong of nothing", BYTES("\x8A\x80" MASK), GOES_ON},
	/* Data. */
	{"5.6", "text of nothing", BYTES("\x81\x80" MASK), GOES_ON},
	{"5.6", "text that is no JSON", BYTES("\x81\x81" MASK "a"), GOES_ON},
	{"5.6", "binary of nothing", BYTES("\x82\x80" MASK), CLOSE(1003)},
	{"5.6", "binary without FIN", BYTES("\x02\x81" MASK "a"), CLOSE(1003)},
	/* Codes. */
	{"7.4.1", "close 1001", BYTES("\x88\x82" MASK "\x03\xE9"), ECHO("\x03\xE9")},
	{"7.4.1", "close 1002", BYTES("\x88\x82" MASK "\x03\xEA"), ECHO("\x03\xEA")},
	{"7.4.1", "close 1003", BYTES("\x88\x82" MASK "\x03\xEB"), ECHO("\x03\xEB")},
	{"7.4.1", "close 1007", BYTES("\x88\x82" MASK "\x03\xEF"), ECHO("\x03\xEF")},
	{"7.4.1", "close 1011", BYTES("\x88\x82" MASK "\x03\xF3"), ECHO("\x03\xF3")},
	{"7.4.1", "close 1004", BYTES("\x88\x82" MASK "\x03\xEC"), CLOSE(1002)},
	{"7.4.1", "close 1006", BYTES("\x88\x82" MASK "\x03\xEE"), CLOSE(1002)},
	{"7.4.1", "close 1015", BYTES("\x88\x82" MASK "\x03\xF7"), CLOSE(1002)},
	{"7.4.2", "close 999", BYTES("\x88\x82" MASK "\x03\xE7"), CLOSE(1002)},
	{"7.4.2", "close 1016", BYTES("\x88\x82" MASK "\x03\xF8"), CLOSE(1002)},
	{"7.4.2", "close 2999", BYTES("\x88\x82" MASK "\x0B\xB7"), CLOSE(1002)},
	{"7.4.2", "close 3000", BYTES("\x88\x82" MASK "\x0B\xB8"), ECHO("\x0B\xB8")},
	{"7.4.2", "close 4999", BYTES("\x88\x82" MASK "\x13\x87"), ECHO("\x13\x87")},
	{"7.4.2", "close 5000", BYTES("\x88\x82" MASK "\x13\x88"), CLOSE(1002)},
	{"7.4.2", "close 65535", BYTES("\x88\x82" MASK "\xFF\xFF"), CLOSE(1002)},
	/* RSV1 with permessage-deflate, for the first frame of a message; "[]" stands in a stored block. */
	{DEFLATE, "RSV1 in a text", BYTES("\xC1\x88" MASK "\0\2\0\xFD\xFF[]\0"), GOES_ON},
	{DEFLATE, "RSV1 in the first of two fragments", BYTES("\x41\x85" MASK "\0\2\0\xFD\xFF\x80\x83" MASK "[]\0"), GOES_ON},
	{DEFLATE, "ping inside of a compressed message", BYTES("\x41\x85" MASK "\0\2\0\xFD\xFF\x89\x81" MASK "p\x80\x83" MASK "[]\0"), PONGS("p")},
	{DEFLATE, "RSV1 in a binary", BYTES("\xC2\x88" MASK "\0\2\0\xFD\xFF[]\0"), CLOSE(1003)},
	{DEFLATE, "RSV1 in a continuation of a compressed message", BYTES("\x41\x85" MASK "\0\2\0\xFD\xFF\xC0\x83" MASK "[]\0"), CLOSE(1002)},
	{DEFLATE, "RSV1 in a continuation that is not the last", BYTES("\x41\x85" MASK "\0\2\0\xFD\xFF\x40\x82" MASK "[]"), CLOSE(1002)},
	{DEFLATE, "RSV1 in a continuation of nothing", BYTES("\xC0\x80" MASK), CLOSE(1002)},
	{DEFLATE, "RSV1 in a ping inside of a message", BYTES("\x01\x81" MASK "[\xC9\x80" MASK "\x80\x81" MASK "]"), CLOSE(1002)},
	{DEFLATE, "RSV1 in a pong", BYTES("\xCA\x81" MASK "p"), CLOSE(1002)},
	{DEFLATE, "RSV1 in a close", BYTES("\xC8\x82" MASK "\x03\xE8"), CLOSE(1002)},
	{DEFLATE, "RSV1 in opcode 3", BYTES("\xC3\x80" MASK), CLOSE(1002)},
	/* UTF-8. */
	{"8.1", "character over two fragments", BYTES("\x01\x83" MASK "\"\xE2\x82\x80\x82" MASK "\xAC\""), GOES_ON},
	{"8.1", "character with a ping inside", BYTES("\x01\x82" MASK "\"\xC3\x89\x80" MASK "\x80\x82" MASK "\xA9\""), PONGS("")},
	{"8.1", "wrong byte in a later fragment", BYTES("\x01\x82" MASK "\"a\x80\x82" MASK "\xFE\""), CLOSE(1007)},
	{"8.1", "character that never ends", BYTES("\x01\x82" MASK "\"\xC3\x80\x80" MASK), CLOSE(1007)},
	{"8.1", "above the last code point", BYTES("\x81\x84" MASK "\xF4\x90\x80\x80"), CLOSE(1007)},
	{"8.1", "byte that begins nothing", BYTES("\x81\x81" MASK "\x80"), CLOSE(1007)},
};
#define ROWS (sizeof rows / sizeof rows[0])

static void read_next(struct raw *raw, const struct row *row, struct raw_frame *ret_frame)
{
	ck_assert_msg(raw_try_frame(raw, ret_frame, deadline_in(DEADLINE_MS)) == RAW_FRAME, "%s %s: nothing comes", row->section,
		      row->name);
	ck_assert_msg(!ret_frame->masked, "5.1: a server masks no frame");
}

/* Errors about texts that are no requests may come too: those are of the protocol above. */
static void expect_answer(struct raw *raw, const struct row *row)
{
	struct raw_frame frame;
	bool has_pong = !row->text, has_answer = false;
	while (!has_pong || !has_answer) {
		read_next(raw, row, &frame);
		ck_assert_msg(frame.first == 0x81 || frame.first == 0x8A, "%s %s: frame %02x %.*s", row->section, row->name, frame.first,
			      (int)frame.payload.len, frame.payload.ptr);
		if (frame.first == 0x8A) {
			ck_assert_msg(row->text && slice_equal(frame.payload, (struct slice){row->text, row->text_len}),
				      "%s %s: a pong of something else", row->section, row->name);
			has_pong = true;
		} else if (memmem(frame.payload.ptr, frame.payload.len, "\"id\":77,\"ok\"", 12)) {
			has_answer = true;
		}
	}
}

static void expect_close(struct raw *raw, const struct row *row)
{
	struct raw_frame frame;
	struct deadline prompt = deadline_in(1000);
	char code[2] = {(char)(row->code >> 8), (char)(row->code & 0xFF)};
	struct slice wanted = row->outcome == ECHOES ? (struct slice){row->text, row->text_len} : (struct slice){code, 2};
	do {
		read_next(raw, row, &frame); /* a message before the violation may be answered */
	} while (frame.first == 0x81 && memmem(frame.payload.ptr, frame.payload.len, "{\"id\":null,", 11));
	ck_assert_msg(frame.first == 0x88, "%s %s: answered by %02x %.*s", row->section, row->name, frame.first, (int)frame.payload.len,
		      frame.payload.ptr);
	size_t compared = row->outcome == ECHOES ? frame.payload.len : 2;
	ck_assert_msg(frame.payload.len >= compared && slice_equal((struct slice){frame.payload.ptr, compared}, wanted),
		      "%s %s: closed with %02x%02x", row->section, row->name, (uint8_t)frame.payload.ptr[0], (uint8_t)frame.payload.ptr[1]);
	ck_assert_msg(raw_try_frame(raw, &frame, deadline_in(DEADLINE_MS)) == RAW_END, "7.1.1 %s: more behind the close", row->name);
	ck_assert_msg(!deadline_has_passed(prompt), "7.1.1 %s: the end took too long", row->name);
}

static void open_connection(struct raw *raw, bool is_deflated)
{
	struct raw_frame frame;
	if (!is_deflated) {
		raw_open(raw, gateway_port(gateway));
		return;
	}
	raw_connect(raw, gateway_port(gateway));
	ck_assert_int_eq(raw_handshake(raw, "/v1/stream", "Sec-WebSocket-Extensions: " DEFLATE "\r\n"), 101);
	raw_expect_text(raw, "\"op\":\"welcome\"", &frame);
}

/* All in one piece, or a byte at a time. */
static void run(const struct row *row, bool is_bytewise, bool is_deflated)
{
	struct raw raw;
	struct buf bytes;
	buf_init(&bytes);
	buf_append(&bytes, row->bytes, row->len);
	raw_frame_append(&bytes, 0x81, SLICE_LITERAL("{\"id\":77,\"op\":\"ping\"}"));
	open_connection(&raw, is_deflated);
	for (size_t i = 0; is_bytewise && i < bytes.len; i++)
		if (!raw_try_send(&raw, (struct slice){bytes.bytes + i, 1}))
			break;
	if (!is_bytewise)
		raw_send(&raw, buf_slice(&bytes));
	if (row->outcome == ANSWERS)
		expect_answer(&raw, row);
	else
		expect_close(&raw, row);
	buf_fini(&bytes);
	raw_close(&raw);
}

START_TEST(each_row_in_one_piece_and_byte_by_byte)
{
	bool compresses = strcmp(rows[_i].section, DEFLATE) == 0;
	for (int is_deflated = compresses; is_deflated < 2; is_deflated++) {
		run(&rows[_i], false, is_deflated);
		run(&rows[_i], true, is_deflated);
	}
	if (_i % 8 == 0)
		bystander_check(&bystander);
}
END_TEST

START_TEST(a_frame_without_a_mask_glued_to_the_handshake_is_refused)
{
	struct raw raw;
	raw_connect(&raw, gateway_port(gateway));
	raw_send(&raw, SLICE_LITERAL("GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
				     "\x81\x94\0\0\0\0{\"id\":1,\"op\":\"ping\"}\x81\x14{\"id\":2,\"op\":\"ping\"}"));
	char *head = raw_read_head(&raw);
	ck_assert_int_eq(raw_head_status(head), 101);
	free(head);
	struct raw_frame frame;
	raw_expect_text(&raw, "\"id\":1,\"ok\"", NULL);
	raw_read_frame(&raw, &frame);
	ck_assert_uint_eq(frame.first, 0x88);
	ck_assert(frame.payload.len >= 2 && memcmp(frame.payload.ptr, "\x03\xEA", 2) == 0);
	raw_expect_end(&raw);
	raw_close(&raw);
}
END_TEST

START_TEST(what_comes_before_a_frame_without_a_mask_is_answered)
{
	struct raw raw;
	struct raw_frame frame;
	struct buf bytes;
	buf_init(&bytes);
	for (int i = 0; i < 50; i++)
		raw_frame_append(&bytes, 0x81, SLICE_LITERAL("{\"id\":5,\"op\":\"ping\",\"padding\":\"" X123 X123 X123 "\"}"));
	buf_append(&bytes, "\x81\x14{\"id\":6,\"op\":\"ping\"}", 22);
	raw_open(&raw, gateway_port(gateway));
	raw_send(&raw, buf_slice(&bytes));
	for (int i = 0; i < 50; i++) {
		raw_read_frame(&raw, &frame);
		ck_assert_ptr_nonnull(memmem(frame.payload.ptr, frame.payload.len, "\"id\":5,\"ok\"", 11));
	}
	raw_expect_close(&raw, 1002);
	buf_fini(&bytes);
	raw_close(&raw);
}
END_TEST

/* Section 7.1.1: the server closes its side first. */
START_TEST(hundreds_of_violations_leave_nothing)
{
	struct raw clients[100];
	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < 100; i++) {
			raw_open(&clients[i], gateway_port(gateway));
			raw_send(&clients[i], SLICE_LITERAL("\x81\x02{}"));
		}
		for (size_t i = 0; i < 100; i++) {
			raw_expect_close(&clients[i], 1002);
			raw_close(&clients[i]);
		}
		bystander_check(&bystander);
	}
	expect_descriptors();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire rfc6455");
	TCase *tests = tcase_create("rfc6455");
	tcase_add_unchecked_fixture(tests, start, stop);
	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, each_row_in_one_piece_and_byte_by_byte, 0, (int)ROWS);
	tcase_add_test(tests, a_frame_without_a_mask_glued_to_the_handshake_is_refused);
	tcase_add_test(tests, what_comes_before_a_frame_without_a_mask_is_answered);
	tcase_add_test(tests, hundreds_of_violations_leave_nothing);
	suite_add_tcase(suite, tests);
	return suite_run_in_process(suite);
}
