#include "common/codec/json_flat.h"

#include "tests/support/suite.h"

static struct json_flat flat;
static struct buf text;

static void start(void)
{
	json_flat_init(&flat, 1);
	buf_init(&text);
}

static void stop(void)
{
	json_flat_fini(&flat);
	buf_fini(&text);
}

static void expect(const char *from, const char *to)
{
	buf_clear(&text);
	ck_assert_int_eq(json_flat_read(&flat, slice_of(from), JSON_DEPTH_MAX), OK);
	json_flat_write(&flat, 0, &text);
	ck_assert_msg(slice_is(buf_slice(&text), to), "%.*s", (int)text.len, text.bytes);
}

START_TEST(writes_what_it_read_without_white_space)
{
	expect("5", "5");
	expect(" [ ] ", "[]");
	expect("{ }", "{}");
	expect(" { \"a\" : [ 1.0 , -0e1,\n{} , [ [ ] ] ] , \"\" : \"\\u0041 b\" } ", "{\"a\":[1.0,-0e1,{},[[]]],\"\":\"\\u0041 b\"}");
}
END_TEST

START_TEST(of_doubled_keys_only_the_last_is_alive)
{
	expect("{\"a\":1,\"b\":{\"c\":1,\"c\":2},\"a\":{\"x\":[1]},\"\\u0061\":3}", "{\"b\":{\"c\":2},\"a\":3}");
	expect("[{\"a\":{\"b\":1},\"a\":2}]", "[{\"a\":2}]");
}
END_TEST

START_TEST(finds_doubles_among_many)
{
	struct buf many;
	buf_init(&many);
	for (unsigned i = 0; i < 5000; i++)
		buf_printf(&many, "%s\"k%u\":%u", i ? "," : "{", i % 2500, i);
	buf_append_char(&many, '}');
	ck_assert_int_eq(json_flat_read(&flat, buf_slice(&many), JSON_DEPTH_MAX), OK);
	ck_assert_uint_eq(flat.count, 5001);
	for (unsigned i = 0; i < 5000; i++)
		ck_assert_int_eq(flat.nodes[1 + i].is_dead, i < 2500);
	buf_fini(&many);
}
END_TEST

START_TEST(spells_keys_in_one_way)
{
	ck_assert_int_eq(json_flat_read(&flat, SLICE_LITERAL("{\"\\u002f\\\"\\u0000\\n\\ud83d\\ude00\":1,\"/\":2}"), JSON_DEPTH_MAX), OK);
	ck_assert(slice_is(flat.nodes[1].key, "/\\\"\\u0000\\n\xf0\x9f\x98\x80"));
	ck_assert(slice_is(flat.nodes[2].key, "/"));
	ck_assert_uint_eq(flat.nodes[2].hash, json_key_hash(SLICE_LITERAL("/"), 1));
}
END_TEST

START_TEST(refuses_what_is_no_json_or_too_deep)
{
	ck_assert_int_eq(json_flat_read(&flat, SLICE_LITERAL("{\"a\":}"), JSON_DEPTH_MAX), ERR_INVALID);
	ck_assert_int_eq(json_flat_read(&flat, SLICE_LITERAL(""), JSON_DEPTH_MAX), ERR_INVALID);
	ck_assert_int_eq(json_flat_read(&flat, SLICE_LITERAL("[[[]]]"), 2), ERR_INVALID);
	ck_assert_int_eq(json_flat_read(&flat, SLICE_LITERAL("[[[]]]"), 3), OK);
	ck_assert_uint_eq(flat.count, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_flat");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, writes_what_it_read_without_white_space);
	tcase_add_test(tests, of_doubled_keys_only_the_last_is_alive);
	tcase_add_test(tests, finds_doubles_among_many);
	tcase_add_test(tests, spells_keys_in_one_way);
	tcase_add_test(tests, refuses_what_is_no_json_or_too_deep);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
