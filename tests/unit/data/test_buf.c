#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/data/buf.h"
#include "tests/support/suite.h"

static struct buf buf;

static void assert_holds(const char *text)
{
	ck_assert_msg(slice_is(buf_slice(&buf), text), "%.*s", (int)buf.len, buf.bytes);
	ck_assert(!buf_has_failed(&buf));
}

START_TEST(appends_everything_at_its_end)
{
	buf_init(&buf);
	buf_append(&buf, NULL, 0);
	assert_holds("");
	buf_append_text(&buf, "a");
	buf_append_char(&buf, 'b');
	buf_append_slice(&buf, SLICE_NONE);
	buf_append_slice(&buf, SLICE_LITERAL("c"));
	buf_append_u64(&buf, 0);
	buf_append_u64(&buf, UINT64_MAX);
	buf_append_char(&buf, ' ');
	buf_append_i64(&buf, INT64_MIN);
	buf_append_i64(&buf, 5);
	buf_printf(&buf, "%s%03d", "<", 7);
	buf_printf(&buf, "%s", "");
	assert_holds("abc018446744073709551615 -92233720368547758085<007");
	buf_fini(&buf);
}
END_TEST

START_TEST(grows_over_many_sizes)
{
	buf_init(&buf);
	for (size_t i = 0; i < 20000; i++)
		buf_append_char(&buf, (char)('a' + i % 26));
	for (size_t i = 0; i < 20000; i++)
		ck_assert_int_eq(buf.bytes[i], (char)('a' + i % 26));
	ck_assert_uint_le(buf.len, buf.capacity);
	buf_fini(&buf);
}
END_TEST

START_TEST(a_failed_append_leaves_what_is_there_and_marks_it)
{
	buf_init(&buf);
	buf_append_text(&buf, "kept");
	ck_assert_ptr_null(buf_extend(&buf, SIZE_MAX - 8));
	ck_assert(buf_has_failed(&buf));
	ck_assert(slice_is(buf_slice(&buf), "kept"));
	buf_append_text(&buf, "!");
	ck_assert(buf_has_failed(&buf));
	buf_clear(&buf);
	ck_assert(!buf_has_failed(&buf));
	ck_assert_uint_eq(buf.len, 0);
	buf_fini(&buf);
}
END_TEST

START_TEST(extends_by_nothing_without_failing)
{
	buf_init(&buf);
	ck_assert_ptr_nonnull(buf_extend(&buf, 0));
	assert_holds("");
	buf_fini(&buf);
}
END_TEST

START_TEST(drops_from_its_front)
{
	buf_init(&buf);
	buf_drop_front(&buf, 3);
	buf_append_text(&buf, "abcdef");
	buf_drop_front(&buf, 2);
	assert_holds("cdef");
	buf_drop_front(&buf, 0);
	buf_drop_front(&buf, 9);
	assert_holds("");
	buf_fini(&buf);
}
END_TEST

START_TEST(gives_memory_back_above_what_is_kept)
{
	buf_init(&buf);
	ck_assert_ptr_nonnull(buf_extend(&buf, 5000));
	buf_shrink(&buf, 10000);
	ck_assert_uint_ge(buf.capacity, 5000);
	ck_assert_uint_eq(buf.len, 0);
	buf_shrink(&buf, 1000);
	ck_assert_uint_eq(buf.capacity, 0);
	buf_append_text(&buf, "again");
	assert_holds("again");
	buf_fini(&buf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("buf");
	TCase *cases = tcase_create("buf");
	tcase_add_test(cases, appends_everything_at_its_end);
	tcase_add_test(cases, grows_over_many_sizes);
	tcase_add_test(cases, a_failed_append_leaves_what_is_there_and_marks_it);
	tcase_add_test(cases, extends_by_nothing_without_failing);
	tcase_add_test(cases, drops_from_its_front);
	tcase_add_test(cases, gives_memory_back_above_what_is_kept);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
