#include "gateway/history/page.h"

#include <check.h>
#include <stdlib.h>

#include "gateway/history/page_make.h"
#include "tests/support/suite.h"

static const struct log_entry entries[] = {
    {.id = {10, 0}, .channel = {"trace:a", 7}, .payload = {"{\"sessionId\":\"a\",\"type\":\"t\"}", 28}},
    {.id = {10, 1}, .channel = {"trace:b", 7}, .payload = {"not json", 8}},
    {.id = {11, 0}, .channel = {"agent:x", 7}, .payload = {"{\"session\":\"a\"}", 15}},
};

START_TEST(records_have_their_ids_and_keys)
{
	struct page *page = page_make(&intake_fields_default, entries, 3, SLICE_NONE);
	ck_assert_ptr_nonnull(page);
	ck_assert_uint_eq(page->count, 3);
	ck_assert_uint_eq(page->records[1]->id.seq, 1);
	ck_assert_uint_eq(page->records[1]->ts_ms, 10);
	ck_assert_int_eq(page->records[1]->format, RECORD_TEXT);
	ck_assert(slice_is(page->records[0]->type, "t"));
	ck_assert(slice_is(page->records[1]->session, "b"));
	ck_assert_uint_ge(page_bytes(page), 3 * sizeof(struct record));
	page_unref(page);
}
END_TEST

START_TEST(one_session_can_be_taken_out_of_the_log)
{
	struct page *page = page_make(&intake_fields_default, entries, 3, SLICE_LITERAL("a"));
	ck_assert_uint_eq(page->count, 2);
	ck_assert_uint_eq(page->records[1]->id.ms, 11);
	page_unref(page);
}
END_TEST

START_TEST(an_empty_page_is_a_page)
{
	struct page *page = page_make(&intake_fields_default, NULL, 0, SLICE_NONE);
	ck_assert_ptr_nonnull(page);
	ck_assert_uint_eq(page->count, 0);
	page_unref(page);
	page_unref(NULL);
}
END_TEST

START_TEST(lives_until_its_last_holder_lets_go)
{
	struct page *page = page_make(&intake_fields_default, entries, 1, SLICE_NONE);
	ck_assert_ptr_eq(page_ref(page), page);
	page_unref(page);
	ck_assert(slice_is(page->records[0]->channel, "trace:a"));
	page_unref(page);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page");
	TCase *tests = tcase_create("page");
	tcase_add_test(tests, records_have_their_ids_and_keys);
	tcase_add_test(tests, one_session_can_be_taken_out_of_the_log);
	tcase_add_test(tests, an_empty_page_is_a_page);
	tcase_add_test(tests, lives_until_its_last_holder_lets_go);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
