#include <check.h>
#include <stdlib.h>

#include "common/codec/wsframe.h"
#include "common/data/buf.h"
#include "gateway/wire/frame_walk.h"
#include "tests/support/suite.h"

static void append(struct buf *out, size_t payload_len, bool is_masked)
{
	static const uint8_t mask[4] = {1, 2, 3, 4};
	uint8_t head[WSFRAME_HEADER_MAX];
	size_t len = wsframe_header_masked(head, WSFRAME_TEXT, payload_len, mask);
	if (!is_masked)
		head[1] &= 0x7F, len -= 4;
	buf_append(out, head, len);
	for (size_t i = 0; i < payload_len; i++)
		buf_append_char(out, (char)0x81);
}

/* In pieces of that size. */
static size_t walk_deflated(const struct buf *bytes, size_t piece, bool is_deflated)
{
	struct frame_walk walk = {.is_deflated = is_deflated};
	size_t taken = 0;
	for (size_t at = 0; at < bytes->len; at += piece) {
		size_t len = bytes->len - at < piece ? bytes->len - at : piece;
		taken += frame_walk_take(&walk, bytes->bytes + at, len);
	}
	return taken;
}

static size_t walk_in_pieces(const struct buf *bytes, size_t piece)
{
	return walk_deflated(bytes, piece, false);
}

static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
#define LENGTHS (sizeof lengths / sizeof lengths[0])

START_TEST(passes_masked_frames_of_every_length_form)
{
	struct buf bytes;
	buf_init(&bytes);
	for (size_t i = 0; i < LENGTHS; i++)
		append(&bytes, lengths[i], true);
	for (size_t piece = 1; piece < 20; piece++)
		ck_assert_uint_eq(walk_in_pieces(&bytes, piece), bytes.len);
	ck_assert_uint_eq(walk_in_pieces(&bytes, bytes.len), bytes.len);
	buf_fini(&bytes);
}
END_TEST

START_TEST(stops_at_the_first_frame_without_a_mask)
{
	struct buf bytes;
	buf_init(&bytes);
	for (size_t i = 0; i < LENGTHS; i++)
		append(&bytes, lengths[i], true);
	size_t good = bytes.len;
	append(&bytes, lengths[_i], false);
	append(&bytes, 3, true);
	ck_assert_uint_eq(walk_in_pieces(&bytes, bytes.len), good);
	struct frame_walk walk = {0};
	frame_walk_take(&walk, bytes.bytes, bytes.len);
	ck_assert(walk.is_violated);
	ck_assert_uint_eq(frame_walk_take(&walk, bytes.bytes, 10), 0);
	/* A byte at a time the first byte of that frame is gone before its mask bit is seen; nothing of its payload is. */
	ck_assert_uint_eq(walk_in_pieces(&bytes, 1), good + 1);
	buf_fini(&bytes);
}
END_TEST

/* Every first byte that a frame may have, behind a whole frame and in front of another. */
START_TEST(stops_at_a_reserved_bit_wherever_none_may_be)
{
	for (unsigned first = 0; first < 256; first++) {
		unsigned op = first & 0x0F, rsv = first & 0x70;
		struct buf bytes;
		buf_init(&bytes);
		append(&bytes, 300, true);
		size_t good = bytes.len;
		append(&bytes, lengths[_i], true);
		bytes.bytes[good] = (char)first;
		append(&bytes, 3, true);
		for (size_t piece = 1; piece < 4; piece++) {
			bool is_compressed = rsv == WSFRAME_RSV1 && (op == WSFRAME_TEXT || op == WSFRAME_BINARY);
			ck_assert_uint_eq(walk_deflated(&bytes, piece, false), rsv ? good : bytes.len);
			ck_assert_uint_eq(walk_deflated(&bytes, piece, true), rsv && !is_compressed ? good : bytes.len);
		}
		buf_fini(&bytes);
	}
}
END_TEST

START_TEST(a_compressed_message_takes_its_bit_in_the_first_frame_only)
{
	static const char good[] = "\x41\x81\0\0\0\0a" "\x89\x80\0\0\0\0" "\x00\x81\0\0\0\0b" "\x80\x80\0\0\0\0" "\xC2\x81\0\0\0\0c";
	static const char wrong[] = "\x41\x81\0\0\0\0a" "\xC0\x81\0\0\0\0b";
	struct frame_walk walk = {.is_deflated = true};
	ck_assert_uint_eq(frame_walk_take(&walk, good, sizeof good - 1), sizeof good - 1);
	ck_assert_uint_eq(frame_walk_take(&walk, wrong, sizeof wrong - 1), 7);
	ck_assert(walk.is_violated);
}
END_TEST

START_TEST(a_length_that_wraps_never_comes_round)
{
	static const char longest[] = "\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0\x81\x01x";
	struct frame_walk walk = {0};
	ck_assert_uint_eq(frame_walk_take(&walk, longest, sizeof longest - 1), sizeof longest - 1);
	ck_assert(!walk.is_violated);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame walk");
	TCase *tests = tcase_create("frame walk");
	tcase_add_test(tests, passes_masked_frames_of_every_length_form);
	tcase_add_loop_test(tests, stops_at_the_first_frame_without_a_mask, 0, LENGTHS);
	tcase_add_loop_test(tests, stops_at_a_reserved_bit_wherever_none_may_be, 0, 5);
	tcase_add_test(tests, a_compressed_message_takes_its_bit_in_the_first_frame_only);
	tcase_add_test(tests, a_length_that_wraps_never_comes_round);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
