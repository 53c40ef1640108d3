#include <check.h>
#include <stdlib.h>

#include "common/codec/json_text.h"
#include "common/codec/utf8.h"
#include "tests/support/suite.h"

#define TEXT(literal)                                                                                                  \
	{                                                                                                              \
		(literal), sizeof(literal) - 1                                                                         \
	}

static const struct {
	struct slice raw, text;
} pairs[] = {
    {TEXT(""), TEXT("")},
    {TEXT("plain"), TEXT("plain")},
    {TEXT("\\\"\\\\\\/\\b\\f\\n\\r\\t"), TEXT("\"\\/\b\f\n\r\t")},
    {TEXT("\\u0041\\u00e9\\u20AC"), TEXT("A\xC3\xA9\xE2\x82\xAC")},
    {TEXT("a\\u0000b"), TEXT("a\0b")},
    {TEXT("\\ud83d\\ude00!"), TEXT("\xF0\x9F\x98\x80!")},
    {TEXT("\\ud800"), TEXT(UTF8_REPLACEMENT)},
    {TEXT("\\udc00\\ud800"), TEXT(UTF8_REPLACEMENT UTF8_REPLACEMENT)},
    {TEXT("\\ud800x"), TEXT(UTF8_REPLACEMENT "x")},
    {TEXT("\\ud800\\n"), TEXT(UTF8_REPLACEMENT "\n")},
    {TEXT("\\ud800\\u0041"), TEXT(UTF8_REPLACEMENT "A")},
    {TEXT("\\ud800\\ud83d\\ude00"), TEXT(UTF8_REPLACEMENT "\xF0\x9F\x98\x80")},
    {TEXT("\\uDBFF\\uDFFF"), TEXT("\xF4\x8F\xBF\xBF")},
    {TEXT("\\uD7FF\\uE000"), TEXT("\xED\x9F\xBF\xEE\x80\x80")},
    {TEXT("\\\\u0041"), TEXT("\\u0041")},
};

START_TEST(unescapes_as_clients_do)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char text[64];
		size_t len = json_unescape(pairs[i].raw, text);
		ck_assert_msg(slice_equal((struct slice){text, len}, pairs[i].text), "%s", pairs[i].raw.ptr);
		ck_assert_uint_le(len, pairs[i].raw.len);
	}
}
END_TEST

START_TEST(unescapes_in_place)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char text[64];
		memcpy(text, pairs[i].raw.ptr, pairs[i].raw.len);
		size_t len = json_unescape((struct slice){text, pairs[i].raw.len}, text);
		ck_assert(slice_equal((struct slice){text, len}, pairs[i].text));
	}
}
END_TEST

START_TEST(compares_strings_by_what_they_mean)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		for (size_t j = 0; j < sizeof pairs / sizeof *pairs; j++)
			ck_assert(json_string_is(pairs[i].raw, pairs[j].text) ==
			          slice_equal(pairs[i].text, pairs[j].text));
	}
	ck_assert(json_string_is(slice_of("agent\\u0049d"), slice_of("agentId")));
	ck_assert(!json_string_is(slice_of("agentId\\u0000x"), slice_of("agentId")));
	ck_assert(!json_string_is(slice_of("agentId"), slice_of("agentId\\u0000x")));
	ck_assert(!json_string_is(slice_of("\\n"), SLICE_NONE));
	ck_assert(!json_string_is(slice_of("a\\n"), slice_of("a")));
}
END_TEST

START_TEST(finds_escapes)
{
	ck_assert(!json_has_escapes(SLICE_NONE));
	ck_assert(!json_has_escapes(slice_of("plain")));
	ck_assert(json_has_escapes(slice_of("pl\\u0061in")));
}
END_TEST

static const struct {
	struct slice text, inside;
} escapes[] = {
    {TEXT(""), TEXT("")},
    {TEXT("plain text / ok"), TEXT("plain text / ok")},
    {TEXT("\"\\"), TEXT("\\\"\\\\")},
    {TEXT("\b\t\n\f\r"), TEXT("\\b\\t\\n\\f\\r")},
    {TEXT("\0\x01\x1F\x7F"), TEXT("\\u0000\\u0001\\u001f\x7F")},
    {TEXT("x\r\nid: 9"), TEXT("x\\r\\nid: 9")},
    {TEXT("\xE2\x80\xA8\xF0\x9F\x98\x80"), TEXT("\xE2\x80\xA8\xF0\x9F\x98\x80")},
    {TEXT("a\xFFz"), TEXT("a" UTF8_REPLACEMENT "z")},
    {TEXT("\xED\xA0\x80"), TEXT(UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT)},
    {TEXT("12345678\xC3"), TEXT("12345678" UTF8_REPLACEMENT)},
    {TEXT("1234567\n12345678\""), TEXT("1234567\\n12345678\\\"")},
};

START_TEST(escapes_what_a_string_cannot_hold_and_nothing_else)
{
	for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
		char inside[64];
		size_t len = json_escape(escapes[i].text, inside);
		ck_assert_msg(slice_equal((struct slice){inside, len}, escapes[i].inside), "%zu: %.*s", i, (int)len,
		              inside);
		ck_assert_uint_eq(json_escape(escapes[i].text, NULL), len);
	}
}
END_TEST

START_TEST(appends_a_valid_string_whatever_the_bytes)
{
	uint32_t state = 1;
	struct buf out;
	buf_init(&out);
	for (size_t round = 0; round < 5000; round++) {
		char bytes[48];
		size_t len = round % sizeof bytes;
		for (size_t i = 0; i < len; i++) {
			state = state * 1664525 + 1013904223;
			bytes[i] = round & 1 ? (char)(state >> 24) : "\"\\\n\xE2\x82\xAC\xF0\x9F x"[(state >> 24) % 10];
		}
		buf_clear(&out);
		json_append_string(&out, (struct slice){bytes, len});
		ck_assert(json_is_valid(buf_slice(&out), NULL, NULL));
		ck_assert(json_is_utf8(buf_slice(&out)));
		if (json_is_utf8((struct slice){bytes, len}))
			ck_assert(
			    json_string_is((struct slice){out.bytes + 1, out.len - 2}, (struct slice){bytes, len}));
	}
	buf_fini(&out);
}
END_TEST

/* The definition, read from the table in RFC 3629 section 4, without any of the tricks. */
static bool is_character(const unsigned char *b, size_t len)
{
	static const struct {
		size_t len;
		unsigned char first[2], second[2];
	} rows[] = {{1, {0x00, 0x7F}, {0, 0}},       {2, {0xC2, 0xDF}, {0x80, 0xBF}}, {3, {0xE0, 0xE0}, {0xA0, 0xBF}},
	            {3, {0xE1, 0xEC}, {0x80, 0xBF}}, {3, {0xED, 0xED}, {0x80, 0x9F}}, {3, {0xEE, 0xEF}, {0x80, 0xBF}},
	            {4, {0xF0, 0xF0}, {0x90, 0xBF}}, {4, {0xF1, 0xF3}, {0x80, 0xBF}}, {4, {0xF4, 0xF4}, {0x80, 0x8F}}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool fits = len == rows[i].len && b[0] >= rows[i].first[0] && b[0] <= rows[i].first[1] &&
		            (len < 2 || (b[1] >= rows[i].second[0] && b[1] <= rows[i].second[1]));
		for (size_t k = 2; k < len; k++)
			fits = fits && b[k] >= 0x80 && b[k] <= 0xBF;
		if (fits)
			return true;
	}
	return false;
}

START_TEST(knows_every_character_of_utf8)
{
	static const unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
	for (unsigned first = 0; first < 256; first++) {
		for (size_t i = 0; i < sizeof edges * sizeof edges * sizeof edges; i++) {
			const unsigned char bytes[] = {(unsigned char)first, edges[i % 10], edges[i / 10 % 10],
			                               edges[i / 100]};
			for (size_t len = 1; len <= 4; len++) {
				size_t size = utf8_character(bytes, bytes + len);
				ck_assert_msg(size == 0 ? !is_character(bytes, len) : is_character(bytes, size),
				              "%02x %02x %02x %02x", bytes[0], bytes[1], bytes[2], bytes[3]);
			}
		}
	}
}
END_TEST

START_TEST(checks_utf8_across_words)
{
	char text[32];
	ck_assert(json_is_utf8(SLICE_NONE));
	for (size_t at = 0; at + 2 < sizeof text; at++) {
		memset(text, 'x', sizeof text);
		memcpy(text + at, "\xE2\x82\xAC", 3);
		ck_assert(json_is_utf8((struct slice){text, sizeof text}));
		ck_assert(!json_is_utf8((struct slice){text, at + 1}));
		ck_assert(!json_is_utf8((struct slice){text, at + 2}));
		text[at] = 'x';
		ck_assert(!json_is_utf8((struct slice){text, sizeof text}));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_text");
	TCase *cases = tcase_create("json_text");
	tcase_add_test(cases, unescapes_as_clients_do);
	tcase_add_test(cases, unescapes_in_place);
	tcase_add_test(cases, compares_strings_by_what_they_mean);
	tcase_add_test(cases, finds_escapes);
	tcase_add_test(cases, escapes_what_a_string_cannot_hold_and_nothing_else);
	tcase_add_test(cases, appends_a_valid_string_whatever_the_bytes);
	tcase_add_test(cases, knows_every_character_of_utf8);
	tcase_add_test(cases, checks_utf8_across_words);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
