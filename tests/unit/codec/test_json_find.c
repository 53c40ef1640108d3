#include <check.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "tests/support/suite.h"

static const char document[] =
    " {\"foo\": [\"bar\", {\"x\":1}, []], \"\": 0, \"a/b\": 1, \"m~n\": 8, \"~1\": 9, \"k\\\"l\": 6,"
    "\"twice\": 1, \"\\u0074wice\": {\"a\":2}, \"\\ud83d\\ude00\": true, \"deep\": {\"er\": {\"0\": \"z\"}}}\n";

static void assert_found(const char *pointer, const char *expected, enum json_kind expected_kind)
{
	struct slice raw;
	enum json_kind kind;
	ck_assert_msg(json_find(slice_of(document), slice_of(pointer), &raw, &kind), "%s", pointer);
	ck_assert_msg(slice_is(raw, expected), "%s: %.*s", pointer, (int)raw.len, raw.ptr);
	ck_assert_int_eq(kind, expected_kind);
}

static bool is_there(const char *json, const char *pointer)
{
	struct slice raw;
	enum json_kind kind;
	return json_find(slice_of(json), slice_of(pointer), &raw, &kind);
}

START_TEST(finds_members_and_elements)
{
	assert_found("/foo", "[\"bar\", {\"x\":1}, []]", JSON_ARRAY);
	assert_found("/foo/0", "\"bar\"", JSON_STRING);
	assert_found("/foo/1/x", "1", JSON_NUMBER);
	assert_found("/foo/2", "[]", JSON_ARRAY);
	assert_found("/deep/er/0", "\"z\"", JSON_STRING);
	assert_found("/", "0", JSON_NUMBER);
}
END_TEST

START_TEST(finds_the_whole_document_without_the_space_around_it)
{
	struct slice raw;
	enum json_kind kind;
	ck_assert(json_find(slice_of(" [1] \n"), SLICE_NONE, &raw, &kind));
	ck_assert(slice_is(raw, "[1]"));
	ck_assert_int_eq(kind, JSON_ARRAY);
}
END_TEST

START_TEST(reads_the_escapes_of_pointers_and_of_keys)
{
	assert_found("/a~1b", "1", JSON_NUMBER);
	assert_found("/m~0n", "8", JSON_NUMBER);
	assert_found("/~01", "9", JSON_NUMBER);
	assert_found("/k\"l", "6", JSON_NUMBER);
	assert_found("/\xF0\x9F\x98\x80", "true", JSON_TRUE);
}
END_TEST

START_TEST(of_equal_keys_takes_the_last)
{
	assert_found("/twice", "{\"a\":2}", JSON_OBJECT);
	assert_found("/twice/a", "2", JSON_NUMBER);
}
END_TEST

START_TEST(finds_nothing_that_is_not_there)
{
	static const char *const absent[] = {"/nope",
	                                     "/foo/3",
	                                     "/foo/-",
	                                     "/foo/01",
	                                     "/foo/+1",
	                                     "/foo/x",
	                                     "/foo/",
	                                     "/foo/0/0",
	                                     "/a~1b/x",
	                                     "/fo",
	                                     "/fooo",
	                                     "/deep/er/1",
	                                     "/foo/18446744073709551616",
	                                     "/foo/18446744073709551615",
	                                     "/twice/a/b"};
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		ck_assert_msg(!is_there(document, absent[i]), "%s", absent[i]);
	ck_assert(!is_there("42", "/a"));
	ck_assert(!is_there("\"a\"", "/0"));
	ck_assert(!is_there("[]", "/0"));
	ck_assert(!is_there("{}", "/"));
	ck_assert(!is_there("{\"agentId\\u0000x\":1}", "/agentId"));
}
END_TEST

START_TEST(tells_pointers_from_other_text)
{
	static const char *const pointers[] = {"", "/", "/a/b", "/~0~1", "//", "/\xE2\x82\xAC"};
	static const char *const others[] = {"a", "a/b", "/~", "/~2", "/a~", "~0", " /a"};
	for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
		ck_assert_msg(json_is_pointer(slice_of(pointers[i])), "%s", pointers[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ck_assert_msg(!json_is_pointer(slice_of(others[i])), "%s", others[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_find");
	TCase *cases = tcase_create("json_find");
	tcase_add_test(cases, finds_members_and_elements);
	tcase_add_test(cases, finds_the_whole_document_without_the_space_around_it);
	tcase_add_test(cases, reads_the_escapes_of_pointers_and_of_keys);
	tcase_add_test(cases, of_equal_keys_takes_the_last);
	tcase_add_test(cases, finds_nothing_that_is_not_there);
	tcase_add_test(cases, tells_pointers_from_other_text);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
