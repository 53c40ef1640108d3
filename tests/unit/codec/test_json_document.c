#include "common/codec/json_document.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json_merge.h"
#include "tests/support/suite.h"

static struct json_document document;
static struct json_flat flat;
static struct buf text;

static void start(void)
{
	json_document_init(&document, SIZE_MAX, 1);
	json_flat_init(&flat, 1);
	buf_init(&text);
}

static void stop(void)
{
	json_document_fini(&document);
	json_flat_fini(&flat);
	buf_fini(&text);
}

static void merge(const char *patch)
{
	ck_assert_int_eq(json_flat_read(&flat, slice_of(patch), JSON_DEPTH_MAX), OK);
	ck_assert(json_merge(&document, &document.root, &flat, 0));
}

static void expect(const char *wanted)
{
	buf_clear(&text);
	json_object_write(&document.root, &text);
	ck_assert_msg(slice_is(buf_slice(&text), wanted), "%.*s", (int)text.len, text.bytes);
}

/* The examples of RFC 7396, appendix A, that have objects on both sides. */
START_TEST(merges_as_the_standard_says)
{
	static const char *const cases[][3] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"{\"a\":\"foo\"}", "{\"a\":{\"x\":{\"bb\":{\"ccc\":null}}}}", "{\"a\":{\"x\":{\"bb\":{}}}}"},
		{"{\"a\":{\"b\":1}}", "{\"a\":5}", "{\"a\":5}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		json_document_clear(&document, &document.root);
		merge(cases[i][0]);
		merge(cases[i][1]);
		expect(cases[i][2]);
	}
}
END_TEST

START_TEST(members_keep_their_place_and_come_back_last)
{
	merge("{\"a\":1,\"b\":{\"x\":1},\"c\":3}");
	merge("{\"b\":2,\"c\":null,\"d\":4}");
	merge("{\"c\":{\"z\":0}}");
	expect("{\"a\":1,\"b\":2,\"d\":4,\"c\":{\"z\":0}}");
}
END_TEST

/* Against a list that is searched one by one. */
START_TEST(finds_members_of_large_objects_through_all_changes)
{
	enum { KEYS = 3000 };
	static bool is_there[KEYS];
	size_t count = 0;
	srand(7);
	for (unsigned i = 0; i < 40000; i++) {
		char key[16];
		unsigned n = (unsigned)rand() % KEYS;
		struct slice name = {key, (size_t)snprintf(key, sizeof key, "k%u", n)};
		uint32_t hash = json_key_hash(name, 1);
		struct json_member *member = json_object_find(&document.root, name, hash, document.root.first);
		ck_assert_int_eq(member != NULL, is_there[n]);
		if (member && rand() % 2) {
			json_document_remove(&document, &document.root, member);
			is_there[n] = false;
			count--;
		} else if (!member) {
			member = json_document_add(&document, &document.root, name, hash);
			ck_assert(member && json_document_set_text(&document, member, name));
			is_there[n] = true;
			count++;
		}
		ck_assert_uint_eq(document.root.count, count);
	}
}
END_TEST

START_TEST(uses_memory_again)
{
	merge("{\"text\":\"0123456789\",\"inner\":{\"a\":[1,2,3]}}");
	size_t bytes = document.pool.bytes;
	for (unsigned i = 0; i < 1000; i++) {
		merge("{\"text\":{\"a\":1},\"inner\":null}");
		merge("{\"text\":\"012345678901234567890123456789\",\"inner\":{\"a\":[1,2,3]}}");
	}
	ck_assert_uint_le(document.pool.bytes, bytes + 4096);
}
END_TEST

START_TEST(tells_a_document_that_is_too_large)
{
	struct json_document small;
	json_document_init(&small, 2000, 1);
	bool is_merged = true;
	for (unsigned i = 0; i < 100 && is_merged; i++) {
		char patch[64];
		snprintf(patch, sizeof patch, "{\"key%u\":{\"a\":\"0123456789\"}}", i);
		ck_assert_int_eq(json_flat_read(&flat, slice_of(patch), JSON_DEPTH_MAX), OK);
		is_merged = json_merge(&small, &small.root, &flat, 0);
	}
	ck_assert(!is_merged && small.pool.was_full);
	ck_assert_uint_le(small.pool.bytes, 2000);
	json_document_fini(&small);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_document");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, merges_as_the_standard_says);
	tcase_add_test(tests, members_keep_their_place_and_come_back_last);
	tcase_add_test(tests, finds_members_of_large_objects_through_all_changes);
	tcase_add_test(tests, uses_memory_again);
	tcase_add_test(tests, tells_a_document_that_is_too_large);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
