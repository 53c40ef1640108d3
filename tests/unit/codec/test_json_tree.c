#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "tests/support/suite.h"

#define LIMIT_BYTES ((size_t)16 << 20)

static struct arena arena;
static struct buf out;

static void set_up(void)
{
	arena_init(&arena, LIMIT_BYTES);
	buf_init(&out);
}

static void tear_down(void)
{
	arena_fini(&arena);
	buf_fini(&out);
}

static struct value *decode(const char *text)
{
	struct value *value = NULL;
	struct json_error error = {0, ""};
	ck_assert_msg(json_decode(&arena, slice_of(text), &value, &error) == OK, "%s: %s", text, error.message);
	return value;
}

static const char *encode(const struct value *value)
{
	buf_clear(&out);
	json_encode(&out, value);
	buf_append_char(&out, '\0');
	ck_assert(!buf_has_failed(&out));
	return out.bytes;
}

static const char *refusal(const char *text)
{
	static char why[128];
	struct value *value = NULL;
	struct json_error error = {0, ""};
	ck_assert_msg(json_decode(&arena, slice_of(text), &value, &error) == ERR_INVALID, "%s", text);
	ck_assert_ptr_null(value);
	snprintf(why, sizeof why, "%s at %zu", error.message, error.at);
	return why;
}

START_TEST(encodes_what_it_decoded)
{
	static const char *const texts[] = {
	    "null",
	    "true",
	    "false",
	    "0",
	    "-0",
	    "1.0",
	    "1E400",
	    "18446744073709551615",
	    "-9223372036854775808",
	    "18446744073709551616",
	    "-9223372036854775809",
	    "\"\"",
	    "\"a\\\"b\\\\c\\n\\u0000\"",
	    "[]",
	    "{}",
	    "[[],{},[[]]]",
	    "{\"op\":\"subscribe\",\"id\":7,\"channels\":[\"trace:*\"],\"filter\":{\"where\":[{\"path\":\"/a\",\"value\":0.10}]}}",
	    "{\"\":{\"\":{\"\":null}}}",
	    "\"\xF0\x9F\x98\x80\"",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ck_assert_str_eq(encode(decode(texts[i])), texts[i]);
}
END_TEST

START_TEST(keeps_integers_exact_and_other_numbers_as_spelled)
{
	ck_assert_int_eq(decode("18446744073709551615")->kind, VALUE_UINT);
	ck_assert(decode("18446744073709551615")->uint == UINT64_MAX);
	ck_assert_int_eq(decode("-9223372036854775808")->kind, VALUE_INT);
	ck_assert(decode("-9223372036854775808")->sint == INT64_MIN);
	ck_assert(decode("-1")->sint == -1);
	static const char *const spelled[] = {"18446744073709551616",      "-9223372036854775809", "1.0", "1e2", "-0",
	                                      "99999999999999999999999999"};
	for (size_t i = 0; i < sizeof spelled / sizeof *spelled; i++) {
		const struct value *value = decode(spelled[i]);
		ck_assert_int_eq(value->kind, VALUE_NUMBER);
		ck_assert(slice_is(value->text, spelled[i]));
	}
}
END_TEST

START_TEST(unescapes_strings_and_keys)
{
	const struct value *value = decode("{\"\\u0061\\n\":\"\\ud83d\\ude00\\u0000x\"}");
	const struct value *member = value_get(value, "a\n");
	ck_assert_ptr_nonnull(member);
	ck_assert(slice_equal(member->text, SLICE_LITERAL("\xF0\x9F\x98\x80\0x")));
}
END_TEST

START_TEST(owns_its_text)
{
	char text[] = "{\"key\":[\"text\",1.5]}";
	struct value *value = NULL;
	ck_assert_int_eq(json_decode(&arena, slice_of(text), &value, NULL), OK);
	memset(text, '!', sizeof text - 1);
	ck_assert_str_eq(encode(value), "{\"key\":[\"text\",1.5]}");
}
END_TEST

START_TEST(refuses_what_is_not_json_and_says_where)
{
	ck_assert_str_eq(refusal("{\"a\":1,}"), "expected a key in double quotes at 7");
	ck_assert_str_eq(refusal("[1 2]"), "expected ',' or ']' at 3");
	ck_assert_str_eq(refusal("{} x"), "more text behind the value at 3");
	ck_assert_str_eq(refusal(""), "no value at 0");
	ck_assert_str_eq(refusal("{\"a\":NaN}"), "expected a value at 5");
}
END_TEST

START_TEST(refuses_keys_that_readers_disagree_about)
{
	ck_assert_str_eq(refusal("{\"a\":1,\"a\":2}"), "duplicate key at 11");
	ck_assert_str_eq(refusal("{\"a\":1,\"\\u0061\":2}"), "duplicate key at 16");
	ck_assert_str_eq(refusal("{\"agent_id\\u0000x\":1}"), "NUL in a key at 19");
	ck_assert_str_eq(refusal("[{\"b\":{\"\":1,\"\":2}}]"), "duplicate key at 15");
	ck_assert_str_eq(encode(decode("{\"a\":{\"a\":1},\"b\":{\"a\":1}}")), "{\"a\":{\"a\":1},\"b\":{\"a\":1}}");
}
END_TEST

static void append_many_keys(size_t count, const char *last)
{
	buf_clear(&out);
	buf_append_char(&out, '{');
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "\"k%zu\":%zu,", i, i);
	buf_printf(&out, "\"%s\":null}", last);
}

START_TEST(finds_a_duplicate_among_many_keys)
{
	for (size_t count = 14; count < 20; count++) {
		struct value *value = NULL;
		append_many_keys(count, "k3");
		ck_assert_int_eq(json_decode(&arena, buf_slice(&out), &value, NULL), ERR_INVALID);
		append_many_keys(count, "other");
		ck_assert_int_eq(json_decode(&arena, buf_slice(&out), &value, NULL), OK);
	}
	struct value *value = NULL;
	append_many_keys(50000, "k49999");
	ck_assert_int_eq(json_decode(&arena, buf_slice(&out), &value, NULL), ERR_INVALID);
	append_many_keys(50000, "k50000");
	ck_assert_int_eq(json_decode(&arena, buf_slice(&out), &value, NULL), OK);
	ck_assert_uint_eq(value->list.count, 50001);
}
END_TEST

START_TEST(nests_as_deep_as_is_valid)
{
	char text[2 * (JSON_DEPTH_MAX + 1) + 1] = "";
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	text[(size_t)2 * JSON_DEPTH_MAX] = '\0';
	ck_assert_str_eq(encode(decode(text)), text);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	ck_assert_str_eq(refusal(text), "nested too deeply at 128");
}
END_TEST

START_TEST(stops_at_every_limit_of_memory)
{
	static const char text[] = "{\"a\":[\"text\",1.5,{\"b\":null}],\"c\":-7}";
	size_t limit = 0;
	enum err error = ERR_NOMEM;
	for (; error; limit += 16) {
		struct arena small;
		struct value *value = NULL;
		arena_init(&small, limit);
		error = json_decode(&small, slice_of(text), &value, NULL);
		ck_assert(error == OK || error == ERR_NOMEM);
		ck_assert((error == OK) == (value != NULL));
		if (value)
			ck_assert_str_eq(encode(value), text);
		arena_fini(&small);
	}
	ck_assert_uint_gt(limit, 512);
}
END_TEST

START_TEST(puts_ready_json_in_as_it_is)
{
	struct value *map = value_map(&arena);
	map = value_put(map, "raw", value_raw(&arena, slice_of("{ \"x\" : 1.0 }")));
	map = value_put(map, "n\"", value_int(&arena, -5));
	ck_assert_str_eq(encode(map), "{\"raw\":{ \"x\" : 1.0 },\"n\\\"\":-5}");
}
END_TEST

START_TEST(marks_the_output_when_a_tree_is_too_deep)
{
	struct value *value = value_array(&arena);
	for (size_t i = 0; i < (size_t)4 * JSON_DEPTH_MAX; i++)
		value = value_push(value_array(&arena), value);
	json_encode(&out, value);
	ck_assert(buf_has_failed(&out));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_tree");
	TCase *cases = tcase_create("json_tree");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, encodes_what_it_decoded);
	tcase_add_test(cases, keeps_integers_exact_and_other_numbers_as_spelled);
	tcase_add_test(cases, unescapes_strings_and_keys);
	tcase_add_test(cases, owns_its_text);
	tcase_add_test(cases, refuses_what_is_not_json_and_says_where);
	tcase_add_test(cases, refuses_keys_that_readers_disagree_about);
	tcase_add_test(cases, finds_a_duplicate_among_many_keys);
	tcase_add_test(cases, nests_as_deep_as_is_valid);
	tcase_add_test(cases, stops_at_every_limit_of_memory);
	tcase_add_test(cases, puts_ready_json_in_as_it_is);
	tcase_add_test(cases, marks_the_output_when_a_tree_is_too_deep);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
