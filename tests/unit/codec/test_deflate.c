#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/deflate.h"
#include "tests/support/suite.h"

#define LIMIT 65536

static struct deflater *deflater;
static struct inflater *inflater;
static struct buf packed, plain;

static void set_up(void)
{
	deflater = deflater_new(6);
	inflater = inflater_new();
	ck_assert(deflater && inflater);
	buf_init(&packed);
	buf_init(&plain);
}

static void tear_down(void)
{
	deflater_free(deflater);
	inflater_free(inflater);
	buf_fini(&packed);
	buf_fini(&plain);
}

static struct slice text_of(size_t len)
{
	static char text[2 * LIMIT];
	for (size_t i = 0; i < len; i++)
		text[i] = "{\"agentId\":\"a17\",\"type\":\"tool.call\"}"[(i + i / 97) % 36];
	return (struct slice){text, len};
}

static enum err inflate_bytes(struct slice bytes, size_t limit)
{
	buf_clear(&plain);
	return inflater_run(inflater, bytes, limit, &plain);
}

START_TEST(gives_back_what_was_compressed_with_every_window)
{
	static const size_t sizes[] = {1, 2, 4095, 4096, 4097, 32767, 32768, LIMIT};
	for (unsigned bits = DEFLATE_BITS_MIN; bits <= DEFLATE_BITS_MAX; bits++) {
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			struct slice text = text_of(sizes[i]);
			buf_clear(&packed);
			ck_assert_int_eq(deflater_run(deflater, bits, text, text.len + 64, &packed), OK);
			ck_assert_int_eq(inflate_bytes(buf_slice(&packed), LIMIT), OK);
			ck_assert(slice_equal(buf_slice(&plain), text));
		}
	}
}
END_TEST

/* RFC 7692 section 7.2.3: the same message in the ways that a peer may write it. */
START_TEST(reads_the_examples_of_the_standard)
{
	static const struct slice examples[] = {
		{"\xF2\x48\xCD\xC9\xC9\x07\x00", 7},                                 /* one block */
		{"\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00", 11},                /* not compressed */
		{"\xF3\x48\xCD\xC9\xC9\x07\x00\x00", 8},                             /* a last block, and the byte behind it */
		{"\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00", 13},        /* two blocks */
		{"\xF3\x48\xCD\xC9\xC9\x07\x00", 7},                                 /* a last block alone */
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		ck_assert_int_eq(inflate_bytes(examples[i], LIMIT), OK);
		ck_assert(slice_is(buf_slice(&plain), "Hello"));
	}
	ck_assert_int_eq(deflater_run(deflater, 15, SLICE_LITERAL("Hello"), 64, &packed), OK);
	ck_assert(slice_equal(buf_slice(&packed), examples[0]));
}
END_TEST

START_TEST(reads_an_empty_message)
{
	ck_assert_int_eq(inflate_bytes((struct slice){"\x00", 1}, LIMIT), OK);
	ck_assert_uint_eq(plain.len, 0);
	ck_assert_int_eq(inflate_bytes(SLICE_NONE, LIMIT), OK);
	ck_assert_uint_eq(plain.len, 0);
	ck_assert_int_eq(inflate_bytes((struct slice){"\x00", 1}, 0), OK);
}
END_TEST

START_TEST(stops_one_byte_beyond_the_limit)
{
	struct slice text = text_of(5000);
	ck_assert_int_eq(deflater_run(deflater, 15, text, text.len, &packed), OK);
	ck_assert_int_eq(inflate_bytes(buf_slice(&packed), 5000), OK);
	ck_assert_int_eq(inflate_bytes(buf_slice(&packed), 4999), ERR_LIMIT);
	ck_assert_uint_eq(plain.len, 5000);
	ck_assert_int_eq(inflate_bytes(buf_slice(&packed), 0), ERR_LIMIT);
	ck_assert_uint_eq(plain.len, 1);
}
END_TEST

START_TEST(a_bomb_costs_no_more_than_the_limit)
{
	size_t len = (size_t)64 << 20;
	char *zeros = calloc(1, len);
	ck_assert_ptr_nonnull(zeros);
	ck_assert_int_eq(deflater_run(deflater, 15, (struct slice){zeros, len}, len, &packed), OK);
	free(zeros);
	ck_assert_int_eq(inflate_bytes(buf_slice(&packed), LIMIT), ERR_LIMIT);
	ck_assert_uint_eq(plain.len, LIMIT + 1);
	ck_assert_uint_le(plain.capacity, 4 * LIMIT);
}
END_TEST

START_TEST(refuses_what_is_no_deflate)
{
	static const struct slice examples[] = {
		{"\xFF", 1},                        /* a block of the reserved kind */
		{"\x00\x05\x00\x00\x00Hello", 10},  /* a stored length that its complement denies */
		{"\xF2\x48\xCD\xC9", 4},            /* ends in the middle of a block */
		{"\x00\x05\x00\xFA\xFFHel", 8},     /* and of a stored one */
		{"\x4A\x04\x12\x00", 4},        /* looks back before its start */
		{"hello, world", 12},
	};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
		ck_assert_msg(inflate_bytes(examples[i], LIMIT) == ERR_INVALID, "example %zu", i);
	ck_assert_int_eq(inflate_bytes((struct slice){"\xF2\x48\xCD\xC9\xC9\x07\x00", 7}, LIMIT), OK);
}
END_TEST

START_TEST(keeps_nothing_from_one_message_to_the_next)
{
	struct slice text = text_of(3000);
	struct buf second;
	buf_init(&second);
	ck_assert_int_eq(deflater_run(deflater, 15, text, text.len, &packed), OK);
	ck_assert_int_eq(deflater_run(deflater, 15, text, text.len, &second), OK);
	ck_assert(slice_equal(buf_slice(&packed), buf_slice(&second)));
	buf_fini(&second);
}
END_TEST

/* An inflater of that window alone cannot read what looks back further; ours could, so the bytes themselves are looked at. */
START_TEST(looks_back_no_further_than_the_window)
{
	static char text[4096];
	for (size_t i = 0; i < sizeof text / 2; i++)
		text[i] = text[i + sizeof text / 2] = (char)(33 + rand() % 90);
	struct slice all = {text, sizeof text};
	ck_assert_int_eq(deflater_run(deflater, 15, all, 2 * sizeof text, &packed), OK);
	size_t far = packed.len;
	buf_clear(&packed);
	ck_assert_int_eq(deflater_run(deflater, 9, all, 2 * sizeof text, &packed), OK);
	ck_assert_uint_gt(packed.len, far + far / 2);
}
END_TEST

START_TEST(gives_up_what_does_not_shrink)
{
	char text[2000];
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)rand();
	buf_append_text(&packed, "before");
	ck_assert_int_eq(deflater_run(deflater, 15, (struct slice){text, sizeof text}, sizeof text, &packed), ERR_LIMIT);
	ck_assert(slice_is(buf_slice(&packed), "before"));
	ck_assert_int_eq(deflater_run(deflater, 15, text_of(2000), 2000, &packed), OK);
	ck_assert_uint_gt(packed.len, 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deflate");
	TCase *tests = tcase_create("deflate");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, gives_back_what_was_compressed_with_every_window);
	tcase_add_test(tests, reads_the_examples_of_the_standard);
	tcase_add_test(tests, reads_an_empty_message);
	tcase_add_test(tests, stops_one_byte_beyond_the_limit);
	tcase_add_test(tests, a_bomb_costs_no_more_than_the_limit);
	tcase_add_test(tests, refuses_what_is_no_deflate);
	tcase_add_test(tests, keeps_nothing_from_one_message_to_the_next);
	tcase_add_test(tests, looks_back_no_further_than_the_window);
	tcase_add_test(tests, gives_up_what_does_not_shrink);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
