/* What is JSON and what is not: a table over the grammar of RFC 8259 and the byte sequences of RFC 3629. Every document
 * is checked in memory of exactly its size, so that a sanitizer sees a read past its end. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json_reader.h"
#include "tests/support/suite.h"

#define TEXT(literal)                                                                                                  \
	{                                                                                                              \
		(literal), sizeof(literal) - 1                                                                         \
	}

static const struct slice valid[] = {
    TEXT("null"),
    TEXT("true"),
    TEXT("false"),
    TEXT("42"),
    TEXT("\"text\""),
    TEXT("[1,2]"),
    TEXT("{}"),
    TEXT("[]"),
    TEXT(" \t\r\n{ } \n"),
    TEXT("[ ]"),
    TEXT("{\"a\":1}\n"),
    TEXT("{\"a\" : [ 1 , 2 ] , \"b\" : { } }"),
    TEXT("\r\n[\r\n1\r\n,\r\n2\r\n]\r\n"),
    TEXT("{\"a\":1,\"a\":2}"),
    TEXT("{\"\":0}"),
    TEXT("\"\""),
    /* numbers */
    TEXT("0"),
    TEXT("-0"),
    TEXT("-1"),
    TEXT("0.0"),
    TEXT("1.0"),
    TEXT("10"),
    TEXT("1e5"),
    TEXT("1E+5"),
    TEXT("1e-5"),
    TEXT("0e0"),
    TEXT("-0.0e-0"),
    TEXT("1E400"),
    TEXT("1e999999999999"),
    TEXT("1e00"),
    TEXT("9007199254740993"),
    TEXT("18446744073709551615"),
    TEXT("123456789012345678901234567890"),
    TEXT("0.1"),
    TEXT("[-0,1.5e3]"),
    /* strings */
    TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    TEXT("\"\\u0000\""),
    TEXT("\"\\uABCD\\uabcd\""),
    TEXT("\"\x7F\""),
    TEXT("{\"agent_id\\u0000x\":\"evil\",\"agent_id\":\"me\"}"),
    TEXT("\"a\\\\\""),
    TEXT("\"\\ud800\""),
    TEXT("\"\\udc00\\ud800\""),
    TEXT("\"\\ud83d\\ude00\""),
    TEXT("{\"\\ud800\":1}"),
    /* the first and the last character of each length of UTF-8, and both sides of the surrogates */
    TEXT("\"\xC2\x80\""),
    TEXT("\"\xDF\xBF\""),
    TEXT("\"\xE0\xA0\x80\""),
    TEXT("\"\xED\x9F\xBF\""),
    TEXT("\"\xEE\x80\x80\""),
    TEXT("\"\xEF\xBF\xBF\""),
    TEXT("\"\xF0\x90\x80\x80\""),
    TEXT("\"\xF4\x8F\xBF\xBF\""),
    TEXT("\"\xE2\x80\xA8\""),
    TEXT("\"\xEF\xBB\xBF\""),
    TEXT("{\"\xE2\x82\xAC\":\"\xF0\x9F\x98\x80\"}"),
};

static const struct slice invalid[] = {
    TEXT(""),
    TEXT(" "),
    TEXT("\n"),
    TEXT("not json"),
    TEXT("{\"a\":1} x"),
    TEXT("{\"a\":1}{\"b\":2}"),
    TEXT("1 2"),
    TEXT("{"),
    TEXT("["),
    TEXT("}"),
    TEXT("]"),
    TEXT("[}"),
    TEXT("{]"),
    TEXT("[1"),
    TEXT("[1,"),
    TEXT("[1,]"),
    TEXT("[,1]"),
    TEXT("[1,,2]"),
    TEXT("[1 2]"),
    TEXT("[1]]"),
    TEXT("{\"a\"}"),
    TEXT("{\"a\":}"),
    TEXT("{\"a\":1,}"),
    TEXT("{,}"),
    TEXT("{\"a\" 1}"),
    TEXT("{\"a\":1 \"b\":2}"),
    TEXT("{a:1}"),
    TEXT("{1:1}"),
    TEXT("{'a':1}"),
    TEXT("{\"a\"::1}"),
    TEXT("{\"a\":1"),
    TEXT("{\"a\":"),
    TEXT("{\"a\""),
    TEXT("{\"a"),
    TEXT("[1:2]"),
    TEXT("{null:1}"),
    TEXT("{[]:1}"),
    TEXT("{\"a\",1}"),
    TEXT(","),
    TEXT(":"),
    TEXT("'a'"),
    /* literals */
    TEXT("nul"),
    TEXT("nulll"),
    TEXT("True"),
    TEXT("tru"),
    TEXT("NULL"),
    TEXT("nan"),
    TEXT("NaN"),
    TEXT("{\"v\":NaN}"),
    TEXT("{\"v\":-Infinity}"),
    TEXT("{\"v\":Infinity}"),
    TEXT("{\"v\":NaN.1}"),
    TEXT("undefined"),
    TEXT("truefalse"),
    /* numbers */
    TEXT("-"),
    TEXT("+1"),
    TEXT("01"),
    TEXT("-01"),
    TEXT("00"),
    TEXT("{\"a\":012}"),
    TEXT("1."),
    TEXT(".5"),
    TEXT("-.5"),
    TEXT("1.e5"),
    TEXT("1e"),
    TEXT("1e+"),
    TEXT("1E-"),
    TEXT("1.5.2"),
    TEXT("0x10"),
    TEXT("1_000"),
    TEXT("--1"),
    TEXT("1e5.5"),
    TEXT("1,5"),
    TEXT("1a"),
    /* comments, a byte order mark, other white space */
    TEXT("/*x*/{}"),
    TEXT("{}//x"),
    TEXT("#\n{}"),
    TEXT("\xEF\xBB\xBF{}"),
    TEXT("\v1"),
    TEXT("\f1"),
    TEXT("\xC2\xA0"
         "1"),
    /* NUL */
    TEXT("\0"),
    TEXT("{}\0"),
    TEXT("{\"a\":1}\0{"),
    TEXT("\"a\0b\""),
    TEXT("{\"a\0\":1}"),
    TEXT("1\0"),
    TEXT("tr\0e"),
    /* strings */
    TEXT("\""),
    TEXT("\"a"),
    TEXT("\"\\\""),
    TEXT("\"\\"),
    TEXT("\"\\x41\""),
    TEXT("\"\\'\""),
    TEXT("\"\\u\""),
    TEXT("\"\\u12\""),
    TEXT("\"\\u123\""),
    TEXT("\"\\u123G\""),
    TEXT("\"\\U0041\""),
    TEXT("\"\\u 123\""),
    TEXT("\"\\\0\""),
    TEXT("\"\\u123"),
    TEXT("\"\x1F\""),
    TEXT("\"a\nb\""),
    TEXT("\"\t\""),
    TEXT("\"\x01\""),
    TEXT("\"12345678\x1F\""),
    TEXT("\"1234567\n\""),
    /* not UTF-8: bytes that begin nothing, overlong forms, surrogates, too large, cut off */
    TEXT("\xFF\xFE"),
    TEXT("\"\x80\""),
    TEXT("\"\xBF\""),
    TEXT("\"\xC0\x80\""),
    TEXT("\"\xC1\xBF\""),
    TEXT("\"\xC2\""),
    TEXT("\"\xC2\xC2\""),
    TEXT("\"\xE0\x80\x80\""),
    TEXT("\"\xE0\x9F\xBF\""),
    TEXT("\"\xE2\x82\""),
    TEXT("\"\xE2\x28\xA1\""),
    TEXT("\"\xED\xA0\x80\""),
    TEXT("\"\xED\xBF\xBF\""),
    TEXT("{\"\xED\xA0\x80\":1}"),
    TEXT("\"\xF0\x80\x80\x80\""),
    TEXT("\"\xF0\x8F\xBF\xBF\""),
    TEXT("\"\xF0\x9F\x98\""),
    TEXT("\"\xF4\x90\x80\x80\""),
    TEXT("\"\xF5\x80\x80\x80\""),
    TEXT("\"\xFE\""),
    TEXT("\"\xFF\""),
    TEXT("\"12345678\xFF\""),
    TEXT("\"\xE2\x82"),
    TEXT("\x80"),
    TEXT("\"\xC2\x80\x80\""),
    TEXT("\x1F\x8B\x08\x00\x00\x00\x00\x00"),
};

static bool is_valid(struct slice text, struct json_error *ret_error)
{
	enum json_kind kind;
	char *exact = malloc(text.len + !text.len);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text.ptr, text.len);
	bool answer = json_is_valid((struct slice){exact, text.len}, &kind, ret_error);
	free(exact);
	return answer;
}

START_TEST(takes_every_valid_document)
{
	for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
		struct json_error error = {0, ""};
		ck_assert_msg(is_valid(valid[i], &error), "%.*s: %s at %zu", (int)valid[i].len, valid[i].ptr,
		              error.message, error.at);
	}
}
END_TEST

START_TEST(refuses_every_invalid_document_and_says_where)
{
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
		struct json_error error = {SIZE_MAX, NULL};
		ck_assert_msg(!is_valid(invalid[i], &error), "%zu: %.*s", i, (int)invalid[i].len, invalid[i].ptr);
		ck_assert_uint_le(error.at, invalid[i].len);
		ck_assert_ptr_nonnull(error.message);
	}
}
END_TEST

/* Documents that only numbers at the top can be cut short of and stay valid. */
START_TEST(refuses_every_cut_of_a_document)
{
	struct slice whole =
	    TEXT("{\"a\":[1.5e+3,true,null,{\"\\u20AC\":\"\xF0\x9F\x98\x80 \\\"\"},[]],\"long enough a key\":false}");
	ck_assert(is_valid(whole, NULL));
	for (size_t len = 0; len < whole.len; len++)
		ck_assert_msg(!is_valid((struct slice){whole.ptr, len}, NULL), "%zu", len);
}
END_TEST

START_TEST(finds_a_bad_byte_at_every_place_of_a_word)
{
	static const char bad[] = {'\x1F', '\n', '\0', '\x80', '\xFF', '\xC3'};
	for (size_t len = 1; len < 40; len++) {
		char text[64];
		memset(text, 'x', sizeof text);
		text[0] = text[len + 1] = '"';
		ck_assert(is_valid((struct slice){text, len + 2}, NULL));
		for (size_t i = 0; i < len * sizeof bad; i++) {
			struct json_error error;
			text[1 + i / sizeof bad] = bad[i % sizeof bad];
			ck_assert(!is_valid((struct slice){text, len + 2}, &error));
			ck_assert_uint_eq(error.at, 1 + i / sizeof bad);
			text[1 + i / sizeof bad] = 'x';
		}
	}
}
END_TEST

START_TEST(says_what_is_wrong_and_at_which_byte)
{
	struct json_error error;
	ck_assert(!json_is_valid(slice_of("{\"a\":1 \"b\":2}"), NULL, &error));
	ck_assert_uint_eq(error.at, 7);
	ck_assert_str_eq(error.message, "expected ',' or '}'");
	ck_assert(!json_is_valid(SLICE_NONE, NULL, &error));
	ck_assert_str_eq(error.message, "no value");
}
END_TEST

START_TEST(tells_the_kind_of_a_document)
{
	static const char *const texts[] = {"null", " false", "true ", "-1", "\"\"", "[{}]", "{\"a\":[]}"};
	for (enum json_kind kind = JSON_NULL; kind <= JSON_OBJECT; kind++) {
		enum json_kind found = JSON_NULL;
		ck_assert(json_is_valid(slice_of(texts[kind]), &found, NULL));
		ck_assert_int_eq(found, kind);
	}
}
END_TEST

/* depth brackets, objects at every place that the pattern's letters say, closed or not. */
static bool is_valid_nest(size_t depth, const char *pattern, bool closed)
{
	char *text = malloc(depth * 6 + 1), *at = text;
	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < depth; i++) {
		const char *open = pattern[i % strlen(pattern)] == 'o' ? "{\"\":" : "[";
		if (i + 1 == depth && *open == '{')
			open = "{";
		memcpy(at, open, strlen(open));
		at += strlen(open);
	}
	for (size_t i = depth; closed && i-- > 0;)
		*at++ = pattern[i % strlen(pattern)] == 'o' ? '}' : ']';
	bool answer = json_is_valid((struct slice){text, (size_t)(at - text)}, NULL, NULL);
	free(text);
	return answer;
}

START_TEST(nests_up_to_the_limit_and_no_further)
{
	static const size_t allowed[] = {1, 31, 32, 33, 63, 64, 65, 100, 127, JSON_DEPTH_MAX};
	static const char *const patterns[] = {"a", "o", "ao", "oa", "ooa", "aaaaooooa"};
	for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
		for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
			ck_assert_msg(is_valid_nest(allowed[i], patterns[p], true), "%zu %s", allowed[i], patterns[p]);
			ck_assert(!is_valid_nest(allowed[i], patterns[p], false));
		}
		ck_assert(!is_valid_nest(JSON_DEPTH_MAX + 1, patterns[p], true));
		ck_assert(!is_valid_nest(100000, patterns[p], true));
		ck_assert(!is_valid_nest(100000, patterns[p], false));
	}
}
END_TEST

START_TEST(remembers_which_bracket_closes_which)
{
	char text[2 * JSON_DEPTH_MAX];
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	for (size_t i = 0; i < JSON_DEPTH_MAX; i++) {
		text[JSON_DEPTH_MAX + i] = '}';
		ck_assert(!json_is_valid((struct slice){text, sizeof text}, NULL, NULL));
		text[JSON_DEPTH_MAX + i] = ']';
	}
	ck_assert(json_is_valid((struct slice){text, sizeof text}, NULL, NULL));
}
END_TEST

static void note_member(void *context, struct slice raw_key, struct slice raw_value, enum json_kind kind)
{
	char *notes = context;
	size_t len = strlen(notes);
	snprintf(notes + len, 256 - len, "%.*s=%.*s/%d;", (int)raw_key.len, raw_key.ptr, (int)raw_value.len,
	         raw_value.ptr, kind);
}

START_TEST(scans_the_members_of_the_outermost_object_only)
{
	char notes[256] = "";
	enum json_kind kind = JSON_NULL;
	ck_assert(json_scan(
	    slice_of(" { \"a\" : {\"x\":[1, 2]} , \"b\\n\":\"s\\\"\",\"a\":-1.5e3, \"c\":[{\"y\":0}],\"d\":null } "),
	    note_member, notes, &kind));
	ck_assert_str_eq(notes, "a={\"x\":[1, 2]}/6;b\\n=\"s\\\"\"/4;a=-1.5e3/3;c=[{\"y\":0}]/5;d=null/0;");
	ck_assert_int_eq(kind, JSON_OBJECT);
}
END_TEST

START_TEST(scans_only_down_to_the_depth_that_it_is_given)
{
	enum json_kind kind;
	struct slice nested = SLICE_LITERAL("[[[0]]]");
	ck_assert(json_scan_within(nested, 3, note_member, NULL, &kind));
	ck_assert(!json_scan_within(nested, 2, note_member, NULL, &kind));
}
END_TEST

START_TEST(scans_what_is_no_object_without_members)
{
	char notes[256] = "";
	enum json_kind kind = JSON_NULL;
	ck_assert(json_scan(slice_of("[{\"a\":1}]"), note_member, notes, &kind));
	ck_assert_int_eq(kind, JSON_ARRAY);
	ck_assert(json_scan(slice_of("\"a\""), note_member, notes, &kind));
	ck_assert_int_eq(kind, JSON_STRING);
	ck_assert_str_eq(notes, "");
}
END_TEST

START_TEST(scans_exactly_what_is_valid)
{
	char notes[256];
	for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
		notes[0] = '\0';
		ck_assert_msg(json_scan(valid[i], note_member, notes, NULL), "%.*s", (int)valid[i].len, valid[i].ptr);
	}
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
		notes[0] = '\0';
		ck_assert_msg(!json_scan(invalid[i], note_member, notes, NULL), "%.*s", (int)invalid[i].len,
		              invalid[i].ptr);
	}
}
END_TEST

START_TEST(gives_pieces_that_cover_the_text)
{
	struct json_reader reader;
	struct json_piece piece;
	struct slice raw;
	json_reader_init(&reader, slice_of("{\"k\":[1,{}]}"));
	ck_assert(json_reader_next(&reader, &piece) && piece.piece == JSON_PIECE_OPEN && piece.kind == JSON_OBJECT);
	ck_assert(json_reader_next(&reader, &piece) && piece.piece == JSON_PIECE_KEY && slice_is(piece.raw, "k"));
	ck_assert(json_reader_next(&reader, &piece) && piece.piece == JSON_PIECE_OPEN && piece.kind == JSON_ARRAY);
	ck_assert(json_reader_value(&reader, &piece, &raw) && slice_is(raw, "[1,{}]"));
	ck_assert(json_reader_next(&reader, &piece) && piece.piece == JSON_PIECE_CLOSE && piece.kind == JSON_OBJECT);
	ck_assert(!json_reader_next(&reader, &piece));
	ck_assert_ptr_null(reader.error);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_reader");
	TCase *cases = tcase_create("json_reader");
	tcase_add_test(cases, takes_every_valid_document);
	tcase_add_test(cases, refuses_every_invalid_document_and_says_where);
	tcase_add_test(cases, refuses_every_cut_of_a_document);
	tcase_add_test(cases, finds_a_bad_byte_at_every_place_of_a_word);
	tcase_add_test(cases, says_what_is_wrong_and_at_which_byte);
	tcase_add_test(cases, tells_the_kind_of_a_document);
	tcase_add_test(cases, nests_up_to_the_limit_and_no_further);
	tcase_add_test(cases, remembers_which_bracket_closes_which);
	tcase_add_test(cases, scans_the_members_of_the_outermost_object_only);
	tcase_add_test(cases, scans_only_down_to_the_depth_that_it_is_given);
	tcase_add_test(cases, scans_what_is_no_object_without_members);
	tcase_add_test(cases, scans_exactly_what_is_valid);
	tcase_add_test(cases, gives_pieces_that_cover_the_text);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
