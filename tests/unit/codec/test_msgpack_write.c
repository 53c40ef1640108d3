#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/msgpack.h"
#include "tests/support/suite.h"

static struct buf out;

static void start(void)
{
	buf_init(&out);
}

static void stop(void)
{
	buf_fini(&out);
}

#define BYTES(text) SLICE_LITERAL(text)

static void expect_bytes(struct slice bytes, const char *what)
{
	ck_assert_msg(slice_equal(buf_slice(&out), bytes), "%s: %zu bytes, the first %02x, not %zu and %02x", what, out.len,
		      out.len ? (unsigned char)out.bytes[0] : 0, bytes.len, (unsigned char)bytes.ptr[0]);
}

/* JSON, and the bytes of what it says: the shortest, by the table of the specification. */
static const struct {
	const char *json;
	struct slice bytes;
} written[] = {
    {"null", BYTES("\xc0")},
    {" false ", BYTES("\xc2")},
    {"true", BYTES("\xc3")},
    {"0", BYTES("\x00")},
    {"127", BYTES("\x7f")},
    {"128", BYTES("\xcc\x80")},
    {"255", BYTES("\xcc\xff")},
    {"256", BYTES("\xcd\x01\x00")},
    {"65535", BYTES("\xcd\xff\xff")},
    {"65536", BYTES("\xce\x00\x01\x00\x00")},
    {"4294967295", BYTES("\xce\xff\xff\xff\xff")},
    {"4294967296", BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00")},
    {"9007199254740993", BYTES("\xcf\x00\x20\x00\x00\x00\x00\x00\x01")},
    {"18446744073709551615", BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff")},
    {"-1", BYTES("\xff")},
    {"-32", BYTES("\xe0")},
    {"-33", BYTES("\xd0\xdf")},
    {"-128", BYTES("\xd0\x80")},
    {"-129", BYTES("\xd1\xff\x7f")},
    {"-32768", BYTES("\xd1\x80\x00")},
    {"-32769", BYTES("\xd2\xff\xff\x7f\xff")},
    {"-2147483648", BYTES("\xd2\x80\x00\x00\x00")},
    {"-2147483649", BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff")},
    {"-9223372036854775808", BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00")},
    {"1.0", BYTES("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00")},
    {"0.1", BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a")},
    {"-0", BYTES("\xcb\x80\x00\x00\x00\x00\x00\x00\x00")},
    {"1e300", BYTES("\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c")},
    {"\"\"", BYTES("\xa0")},
    {"\"1234567890123456789012345678901\"", BYTES("\xbf" "1234567890123456789012345678901")},
    {"\"12345678901234567890123456789012\"", BYTES("\xd9\x20" "12345678901234567890123456789012")},
    {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\xe2\x82\xac\"", BYTES("\xaf" "a\"\\/\b\f\n\r\t\0\xc3\xa9\xe2\x82\xac")},
    {"\"\\ud83d\\ude00\"", BYTES("\xa4\xf0\x9f\x98\x80")},
    {"\"\\ud800\"", BYTES("\xa3\xef\xbf\xbd")},
    {"[]", BYTES("\x90")},
    {"{}", BYTES("\x80")},
    {"[1,[2,[]],{\"a\":{}}]", BYTES("\x93\x01\x92\x02\x90\x81\xa1" "a\x80")},
    {"{\"a\" : 1 , \"\\u0062\":[null]}", BYTES("\x82\xa1" "a\x01\xa1" "b\x91\xc0")},
    {"{\"a\":1,\"a\":2}", BYTES("\x82\xa1" "a\x01\xa1" "a\x02")},
    {"[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14]", BYTES("\x9f\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e")},
    {"[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]",
     BYTES("\xdc\x00\x10\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f")},
};

START_TEST(writes_json_in_the_shortest_form)
{
	for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
		buf_clear(&out);
		ck_assert_msg(msgpack_append_json(&out, slice_of(written[i].json)) == OK, "%s", written[i].json);
		expect_bytes(written[i].bytes, written[i].json);
	}
}
END_TEST

START_TEST(appends_nothing_where_a_number_would_be_rounded)
{
	static const char *const texts[] = {"[1,123456789012345678901234567890]", "{\"e\":1E400}", "9007199254740993.0", "[[[5e-324]]]"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ck_assert_int_eq(msgpack_append_json(&out, slice_of(texts[i])), ERR_RANGE);
	ck_assert_int_eq(msgpack_append_json(&out, slice_of("[1,]")), ERR_INVALID);
	ck_assert_int_eq(msgpack_append_json(&out, SLICE_NONE), ERR_INVALID);
	ck_assert_uint_eq(out.len, 0);
	ck_assert(!buf_has_failed(&out));
}
END_TEST

static void expect_head(size_t len, struct slice head)
{
	ck_assert_uint_eq(out.len, head.len + len);
	out.len = head.len;
	expect_bytes(head, "a head");
	buf_clear(&out);
}

START_TEST(changes_the_form_of_strings_at_their_lengths)
{
	static const struct {
		size_t len;
		struct slice head;
	} cases[] = {
	    {31, BYTES("\xbf")}, {32, BYTES("\xd9\x20")}, {255, BYTES("\xd9\xff")}, {256, BYTES("\xda\x01\x00")},
	    {65535, BYTES("\xda\xff\xff")}, {65536, BYTES("\xdb\x00\x01\x00\x00")},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf text;
		buf_init(&text);
		memset(buf_extend(&text, cases[i].len), 'x', cases[i].len);
		msgpack_append_string(&out, buf_slice(&text));
		expect_head(cases[i].len, cases[i].head);
		/* With an escape in front the length of the raw text says nothing. */
		buf_clear(&text);
		buf_append_text(&text, "\"\\u0078");
		memset(buf_extend(&text, cases[i].len - 1), 'x', cases[i].len - 1);
		buf_append_char(&text, '"');
		ck_assert_int_eq(msgpack_append_json(&out, buf_slice(&text)), OK);
		expect_head(cases[i].len, cases[i].head);
		buf_fini(&text);
	}
}
END_TEST

START_TEST(changes_the_form_of_lists_at_their_counts)
{
	static const struct {
		size_t count;
		struct slice array, map;
	} cases[] = {
	    {15, BYTES("\x9f"), BYTES("\x8f")},
	    {16, BYTES("\xdc\x00\x10"), BYTES("\xde\x00\x10")},
	    {65535, BYTES("\xdc\xff\xff"), BYTES("\xde\xff\xff")},
	    {65536, BYTES("\xdd\x00\x01\x00\x00"), BYTES("\xdf\x00\x01\x00\x00")},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf text;
		buf_init(&text);
		buf_append_char(&text, '[');
		for (size_t at = 0; at < cases[i].count; at++)
			buf_append_text(&text, at ? ",7" : "7");
		buf_append_char(&text, ']');
		ck_assert_int_eq(msgpack_append_json(&out, buf_slice(&text)), OK);
		expect_head(cases[i].count, cases[i].array);
		msgpack_append_map(&out, cases[i].count);
		expect_head(0, cases[i].map);
		buf_fini(&text);
	}
}
END_TEST

START_TEST(writes_utf8_whatever_it_is_given)
{
	msgpack_append_string(&out, BYTES("a\xff\xc3\xa9\xed\xa0\x80z\xf0\x9f"));
	expect_bytes(BYTES("\xb6" "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd"), "mended");
}
END_TEST

START_TEST(encodes_a_reply)
{
	struct arena arena;
	arena_init(&arena, 65536);
	struct value *list = value_push(value_push(value_array(&arena), value_null(&arena)), value_bool(&arena, true));
	struct value *map = value_put(value_map(&arena), "id", value_int(&arena, -5));
	map = value_put(map, "none", value_map(&arena));
	map = value_put(map, "list", value_push(list, value_array(&arena)));
	map = value_put(map, "raw", value_raw(&arena, slice_of(" {\"x\":[1.5]} ")));
	map = value_put(map, "far", value_raw(&arena, slice_of("[1e999]")));
	map = value_put(map, "text", value_text(&arena, "\xff"));
	struct value *number = value_null(&arena), *large = value_null(&arena);
	ck_assert(map && number && large);
	number->kind = large->kind = VALUE_NUMBER;
	number->text = SLICE_LITERAL("1e3");
	large->text = SLICE_LITERAL("123456789012345678901234567890");
	map = value_put(value_put(map, "n", number), "big", large);
	msgpack_encode(&out, map);
	expect_bytes(BYTES("\x88\xa2id\xfb\xa4none\x80\xa4list\x93\xc0\xc3\x90\xa3raw\x81\xa1x\x91\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"
			   "\xa3" "far\xa7[1e999]\xa4text\xa3\xef\xbf\xbd\xa1n\xcb\x40\x8f\x40\x00\x00\x00\x00\x00"
			   "\xa3" "big\xbe" "123456789012345678901234567890"),
		     "a reply");
	arena_fini(&arena);
}
END_TEST

START_TEST(fails_on_a_reply_deeper_than_any_can_be)
{
	struct value levels[400];
	for (size_t i = 0; i < 400; i++) {
		levels[i] = (struct value){.kind = VALUE_ARRAY};
		if (i < 399)
			levels[i].list.first = levels[i].list.last = &levels[i + 1], levels[i].list.count = 1;
	}
	msgpack_encode(&out, levels);
	ck_assert(buf_has_failed(&out));
	buf_clear(&out);
	msgpack_encode(&out, levels + 400 - 2 * MSGPACK_DEPTH_MAX);
	ck_assert(!buf_has_failed(&out));
	ck_assert_uint_eq(out.len, 2 * MSGPACK_DEPTH_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("msgpack_write");
	TCase *cases = tcase_create("msgpack_write");
	tcase_add_checked_fixture(cases, start, stop);
	tcase_add_test(cases, writes_json_in_the_shortest_form);
	tcase_add_test(cases, appends_nothing_where_a_number_would_be_rounded);
	tcase_add_test(cases, changes_the_form_of_strings_at_their_lengths);
	tcase_add_test(cases, changes_the_form_of_lists_at_their_counts);
	tcase_add_test(cases, writes_utf8_whatever_it_is_given);
	tcase_add_test(cases, encodes_a_reply);
	tcase_add_test(cases, fails_on_a_reply_deeper_than_any_can_be);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
