#include <check.h>
#include <stdlib.h>

#include "common/codec/wsframe.h"
#include "tests/support/suite.h"

static const struct {
	uint64_t payload;
	size_t header;
} sizes[] = {
    {0, 2},
    {1, 2},
    {125, 2},
    {126, 4},
    {127, 4},
    {32767, 4},
    {32768, 4},
    {65535, 4},
    {65536, 10},
    {65537, 10},
    {UINT64_C(1) << 32, 10},
    {INT64_MAX, 10},
};

static enum err read_bytes(const void *bytes, size_t len, struct wsframe *ret_frame)
{
	void *exact = malloc(len + !len); /* so that a sanitizer sees a read past the end */
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, bytes, len);
	enum err error = wsframe_read((struct slice){exact, len}, ret_frame);
	free(exact);
	return error;
}

START_TEST(writes_the_shortest_form_and_reads_it_back)
{
	static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
	for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
		uint8_t header[WSFRAME_HEADER_MAX];
		struct wsframe frame;
		bool masked = i & 1;
		size_t size = masked ? wsframe_header_masked(header, WSFRAME_BINARY, sizes[i / 2].payload, mask)
		                     : wsframe_header(header, WSFRAME_BINARY, sizes[i / 2].payload);
		ck_assert_uint_eq(size, sizes[i / 2].header + (masked ? 4 : 0));
		for (size_t len = 0; len < size; len++)
			ck_assert_int_eq(read_bytes(header, len, &frame), ERR_AGAIN);
		ck_assert_int_eq(read_bytes(header, size, &frame), OK);
		ck_assert_int_eq(frame.op, WSFRAME_BINARY);
		ck_assert(frame.final && frame.masked == masked && frame.rsv == 0);
		ck_assert_uint_eq(frame.header_len, size);
		ck_assert(frame.payload_len == sizes[i / 2].payload);
		if (masked)
			ck_assert_mem_eq(frame.mask, mask, 4);
	}
}
END_TEST

START_TEST(writes_the_bytes_of_the_standard)
{
	uint8_t header[WSFRAME_HEADER_MAX];
	ck_assert_uint_eq(wsframe_header(header, WSFRAME_TEXT, 5), 2);
	ck_assert_mem_eq(header, "\x81\x05", 2);
	ck_assert_uint_eq(wsframe_header(header, WSFRAME_BINARY, 256), 4);
	ck_assert_mem_eq(header, "\x82\x7E\x01\x00", 4);
	ck_assert_uint_eq(wsframe_header(header, WSFRAME_BINARY, 65536), 10);
	ck_assert_mem_eq(header, "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 10);
	ck_assert_uint_eq(wsframe_header_masked(header, WSFRAME_TEXT, 5, (const uint8_t *)"\x37\xFA\x21\x3D"), 6);
	ck_assert_mem_eq(header, "\x81\x85\x37\xFA\x21\x3D", 6);
	uint8_t hello[] = {'H', 'e', 'l', 'l', 'o'};
	wsframe_mask(hello, sizeof hello, (const uint8_t *)"\x37\xFA\x21\x3D");
	ck_assert_mem_eq(hello, "\x7F\x9F\x4D\x51\x58", 5);
}
END_TEST

START_TEST(masks_any_length_and_back)
{
	static const uint8_t mask[4] = {0xA1, 0x02, 0xF3, 0x44};
	for (size_t len = 0; len < 70; len++) {
		uint8_t payload[70];
		for (size_t i = 0; i < len; i++)
			payload[i] = (uint8_t)(i * 3);
		wsframe_mask(payload, len, mask);
		for (size_t i = 0; i < len; i++)
			ck_assert_uint_eq(payload[i], (uint8_t)(i * 3) ^ mask[i % 4]);
	}
}
END_TEST

START_TEST(refuses_lengths_that_wrap_or_are_longer_than_needed)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
	    {"\x82\xFF\x80\0\0\0\0\0\0\0", 10},
	    {"\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10},
	    {"\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFC", 10},
	    {"\x82\x7E\0\0", 4},
	    {"\x82\x7E\0\x02", 4},
	    {"\x82\x7E\0\x7D", 4},
	    {"\x82\x7F\0\0\0\0\0\0\0\x02", 10},
	    {"\x82\x7F\0\0\0\0\0\0\xFF\xFF", 10},
	};
	struct wsframe frame;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(read_bytes(bad[i].bytes, bad[i].len, &frame) == ERR_INVALID, "%zu", i);
	ck_assert_int_eq(read_bytes("\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10, &frame), OK);
	ck_assert(frame.payload_len == INT64_MAX);
}
END_TEST

START_TEST(refuses_reserved_opcodes_and_broken_control_frames)
{
	struct wsframe frame;
	for (unsigned first = 0; first < 256; first++) {
		unsigned op = first & 0xF;
		bool final = first & 0x80, known = op <= 2 || (op >= 8 && op <= 10);
		uint8_t bytes[2] = {(uint8_t)first, 5};
		bool expected = known && (op < 8 || final);
		ck_assert_msg((read_bytes(bytes, 2, &frame) == OK) == expected, "%02x", first);
		if (expected) {
			ck_assert_uint_eq(frame.op, op);
			ck_assert_uint_eq(frame.rsv, first >> 4 & 7);
			ck_assert(frame.final == final);
		}
	}
	ck_assert_int_eq(read_bytes("\x89\x7D", 2, &frame), OK);
	ck_assert_int_eq(read_bytes("\x89\x7E", 2, &frame), ERR_INVALID);
	ck_assert_int_eq(read_bytes("\x88\x7F", 2, &frame), ERR_INVALID);
	ck_assert_int_eq(read_bytes("\x09", 1, &frame), ERR_INVALID);
}
END_TEST

START_TEST(writes_a_close_frame)
{
	uint8_t frame[2 + WSFRAME_CONTROL_MAX];
	ck_assert_uint_eq(wsframe_close(frame, 1001, SLICE_NONE), 4);
	ck_assert_mem_eq(frame, "\x88\x02\x03\xE9", 4);
	ck_assert_uint_eq(wsframe_close(frame, 4401, slice_of("bye")), 7);
	ck_assert_mem_eq(frame,
	                 "\x88\x05\x11\x31"
	                 "bye",
	                 7);
}
END_TEST

START_TEST(cuts_a_close_reason_between_characters)
{
	char reason[200];
	uint8_t frame[2 + WSFRAME_CONTROL_MAX];
	memset(reason, 'x', sizeof reason);
	ck_assert_uint_eq(wsframe_close(frame, 1000, (struct slice){reason, WSFRAME_REASON_MAX}),
	                  4 + WSFRAME_REASON_MAX);
	ck_assert_uint_eq(wsframe_close(frame, 1000, (struct slice){reason, sizeof reason}), 4 + WSFRAME_REASON_MAX);
	for (size_t at = WSFRAME_REASON_MAX - 3; at <= WSFRAME_REASON_MAX; at++) {
		memset(reason, 'x', sizeof reason);
		memcpy(reason + at, "\xF0\x9F\x98\x80", 4);
		ck_assert_uint_eq(wsframe_close(frame, 1000, (struct slice){reason, sizeof reason}), 4 + at);
	}
}
END_TEST

START_TEST(knows_the_close_codes_that_a_peer_may_send)
{
	static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
	                                1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
	static const unsigned bad[] = {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(wsframe_is_close_code(good[i]), "%u", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!wsframe_is_close_code(bad[i]), "%u", bad[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wsframe");
	TCase *cases = tcase_create("wsframe");
	tcase_add_test(cases, writes_the_shortest_form_and_reads_it_back);
	tcase_add_test(cases, writes_the_bytes_of_the_standard);
	tcase_add_test(cases, masks_any_length_and_back);
	tcase_add_test(cases, refuses_lengths_that_wrap_or_are_longer_than_needed);
	tcase_add_test(cases, refuses_reserved_opcodes_and_broken_control_frames);
	tcase_add_test(cases, writes_a_close_frame);
	tcase_add_test(cases, cuts_a_close_reason_between_characters);
	tcase_add_test(cases, knows_the_close_codes_that_a_peer_may_send);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
