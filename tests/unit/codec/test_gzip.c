#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/deflate.h"
#include "common/codec/gzip.h"
#include "tests/support/suite.h"

#define HEADER_BYTES 10 /* RFC 1952 section 2.3: without a name, a comment or the like */
#define TRAILER_BYTES 8
#define FLUSH_BYTES 4 /* that the inflater adds by itself */

static struct gzip *gzip;
static struct buf packed, plain;

static void set_up(void)
{
	gzip = gzip_new(6);
	ck_assert_ptr_nonnull(gzip);
	buf_init(&packed);
	buf_init(&plain);
}

static void tear_down(void)
{
	gzip_free(gzip);
	buf_fini(&packed);
	buf_fini(&plain);
}

/* What a reader has of the stream by now, whose last bytes are left out. */
static void unpack(size_t without)
{
	struct inflater *inflater = inflater_new();
	struct slice body = {packed.bytes + HEADER_BYTES, packed.len - HEADER_BYTES - without};
	ck_assert_ptr_nonnull(inflater);
	ck_assert_int_eq(memcmp(packed.bytes, "\x1F\x8B\x08\x00", 4), 0);
	buf_clear(&plain);
	ck_assert_int_eq(inflater_run(inflater, body, 1 << 20, &plain), OK);
	inflater_free(inflater);
}

START_TEST(each_piece_can_be_read_at_once)
{
	gzip_write(gzip, SLICE_LITERAL("first line\n"), &packed);
	unpack(FLUSH_BYTES);
	ck_assert(slice_is(buf_slice(&plain), "first line\n"));
	gzip_write(gzip, SLICE_LITERAL("second line\n"), &packed);
	unpack(FLUSH_BYTES);
	ck_assert(slice_is(buf_slice(&plain), "first line\nsecond line\n"));
	gzip_finish(gzip, &packed);
	unpack(TRAILER_BYTES);
	ck_assert(slice_is(buf_slice(&plain), "first line\nsecond line\n"));
	ck_assert_int_eq(packed.bytes[packed.len - 4], 23); /* the length, little endian */
	ck_assert(!buf_has_failed(&packed));
}
END_TEST

START_TEST(an_empty_piece_writes_nothing)
{
	gzip_write(gzip, SLICE_NONE, &packed);
	ck_assert_uint_eq(packed.len, 0);
	gzip_finish(gzip, &packed);
	unpack(TRAILER_BYTES);
	ck_assert_uint_eq(plain.len, 0);
}
END_TEST

START_TEST(a_long_piece_is_written_whole)
{
	size_t len = 300000;
	char *text = malloc(len);
	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)rand();
	gzip_write(gzip, (struct slice){text, len}, &packed);
	unpack(FLUSH_BYTES);
	ck_assert(slice_equal(buf_slice(&plain), (struct slice){text, len}));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gzip");
	TCase *tests = tcase_create("gzip");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, each_piece_can_be_read_at_once);
	tcase_add_test(tests, an_empty_piece_writes_nothing);
	tcase_add_test(tests, a_long_piece_is_written_whole);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
