#include "gateway/history/shelf.h"

#include <check.h>
#include <stdlib.h>

#include "gateway/history/page_make.h"
#include "tests/support/suite.h"

static struct shelf shelf;
static bool was_read;

/* A page of one entry that reaches from one id to another. */
static void put(const char *session, uint64_t from, uint64_t reached, uint64_t now_ns)
{
	const struct log_entry entry = {
	    .id = {reached, 0}, .channel = SLICE_LITERAL("trace:a"), .payload = SLICE_LITERAL("{}")};
	const struct scope scope = {
	    .from = {from, 0}, .to = RECORD_ID_MAX, .reached = {reached, 0}, .solid = {from, 0}};
	struct page *page = page_make(&intake_fields_default, &entry, 1, SLICE_NONE);
	ck_assert_ptr_nonnull(page);
	shelf_put(&shelf, slice_of(session), &scope, page, now_ns);
	page_unref(page);
}

static struct page *find(const char *session, uint64_t from, uint64_t now_ns)
{
	const struct page_query query = {.session = slice_of(session), .from = {from, 0}, .to = RECORD_ID_MAX};
	return shelf_find(&shelf, &query, now_ns, &was_read);
}

START_TEST(finds_what_serves_the_query)
{
	shelf_init(&shelf, 1 << 20, 1000);
	put("", 10, 20, 0);
	put("s", 30, 40, 0);
	ck_assert_ptr_nonnull(find("", 15, 0));
	ck_assert_ptr_null(find("", 25, 0));
	ck_assert_ptr_null(find("", 35, 0)); /* another stream */
	ck_assert_ptr_nonnull(find("s", 35, 0));
	const struct page_query reverse = {.is_reverse = true, .from = {15, 0}};
	ck_assert_ptr_null(shelf_find(&shelf, &reverse, 0, &was_read));
	shelf_clear(&shelf);
	ck_assert_ptr_null(find("", 15, 0));
	ck_assert_uint_eq(shelf.bytes, 0);
}
END_TEST

START_TEST(forgets_what_is_old)
{
	shelf_init(&shelf, 1 << 20, 1000);
	put("", 10, 20, 0);
	put("", 20, 30, 500);
	ck_assert_uint_eq(shelf_tick(&shelf, 999), 1000);
	ck_assert_ptr_null(find("", 10, 1000)); /* also before the tick */
	ck_assert_uint_eq(shelf_tick(&shelf, 1000), 1500);
	ck_assert_ptr_nonnull(find("", 20, 1000));
	ck_assert_uint_eq(shelf_tick(&shelf, 1500), UINT64_MAX);
	ck_assert_uint_eq(shelf.bytes, 0);
}
END_TEST

START_TEST(the_oldest_make_room)
{
	shelf_init(&shelf, 1 << 20, 1000);
	put("", 10, 20, 0);
	size_t one = shelf.bytes;
	shelf_clear(&shelf);
	shelf_init(&shelf, 2 * one, 1000);
	put("", 10, 20, 0);
	put("", 20, 30, 0);
	put("", 30, 40, 0);
	ck_assert_uint_le(shelf.bytes, 2 * one);
	ck_assert_ptr_null(find("", 10, 0));
	ck_assert_ptr_nonnull(find("", 20, 0));
	ck_assert_ptr_nonnull(find("", 30, 0));
	shelf_clear(&shelf);
	shelf_init(&shelf, one - 1, 1000);
	put("", 10, 20, 0);
	ck_assert_uint_eq(shelf.bytes, 0);
}
END_TEST

START_TEST(remembers_what_was_read_without_its_page)
{
	const struct scope scope = {.from = {10, 0}, .to = RECORD_ID_MAX, .reached = {20, 0}, .solid = {10, 0}};
	shelf_init(&shelf, 1 << 20, 1000);
	shelf_put(&shelf, SLICE_NONE, &scope, NULL, 0);
	was_read = false;
	ck_assert_ptr_null(find("", 25, 0));
	ck_assert(!was_read);
	ck_assert_ptr_null(find("", 15, 0));
	ck_assert(was_read);
	put("", 10, 20, 0);
	ck_assert_ptr_nonnull(find("", 15, 0));
	shelf_clear(&shelf);
}
END_TEST

START_TEST(holds_a_bounded_number)
{
	shelf_init(&shelf, 1 << 20, 1000);
	for (uint64_t i = 0; i < 2000; i++)
		put("", 10 * i, 10 * i + 1, 0);
	ck_assert_uint_le(shelf.count, 512);
	ck_assert_ptr_nonnull(find("", 19990, 0));
	ck_assert_ptr_null(find("", 0, 0));
	shelf_clear(&shelf);
	ck_assert_uint_eq(shelf.count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shelf");
	TCase *tests = tcase_create("shelf");
	tcase_add_test(tests, finds_what_serves_the_query);
	tcase_add_test(tests, forgets_what_is_old);
	tcase_add_test(tests, the_oldest_make_room);
	tcase_add_test(tests, remembers_what_was_read_without_its_page);
	tcase_add_test(tests, holds_a_bounded_number);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
