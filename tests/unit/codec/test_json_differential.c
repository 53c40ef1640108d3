/* Our reader beside json-c's: random valid documents, made here, must be valid to both and mean the same. */
#include <check.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "tests/support/suite.h"

#define DOCUMENTS 3000
#define DEPTH 6

static uint32_t state;
static struct buf text;

static uint32_t pick(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

static void append_space(void)
{
	static const char *const spaces[] = {"", "", "", " ", "\n", "\t \r\n"};
	buf_append_text(&text, spaces[pick(6)]);
}

static void append_digits(uint32_t most)
{
	for (uint32_t i = pick(most) + 1; i > 0; i--)
		buf_append_char(&text, (char)('0' + pick(10)));
}

static void append_number(void)
{
	if (pick(2))
		buf_append_char(&text, '-');
	if (pick(4)) {
		buf_append_char(&text, (char)('1' + pick(9)));
		append_digits(15);
	} else {
		buf_append_char(&text, '0');
	}
	if (pick(3) == 0) {
		buf_append_char(&text, '.');
		append_digits(6);
	}
	if (pick(4) == 0) {
		static const char *const exponents[] = {"e", "E", "e+", "E-"};
		buf_append_text(&text, exponents[pick(4)]);
		append_digits(2);
	}
}

static void append_string(const char *prefix)
{
	static const char *const pieces[] = {"a",
	                                     "Z",
	                                     " ",
	                                     "/",
	                                     "~",
	                                     "longer text without anything special",
	                                     "\\\"",
	                                     "\\\\",
	                                     "\\/",
	                                     "\\b\\f\\n\\r\\t",
	                                     "\\u0041",
	                                     "\\u00e9",
	                                     "\\u20AC",
	                                     "\\ud83d\\ude00",
	                                     "\xC3\xA9",
	                                     "\xE2\x82\xAC",
	                                     "\xF0\x9F\x98\x80",
	                                     "\x7F"};
	buf_append_char(&text, '"');
	buf_append_text(&text, prefix);
	for (uint32_t i = pick(7); i > 0; i--)
		buf_append_text(&text, pieces[pick(sizeof pieces / sizeof *pieces)]);
	buf_append_char(&text, '"');
}

static void append_scalar(void)
{
	static const char *const literals[] = {"null", "true", "false"};
	switch (pick(3)) {
	case 0:
		append_number();
		break;
	case 1:
		append_string("");
		break;
	default:
		buf_append_text(&text, literals[pick(3)]);
		break;
	}
}

static void append_value(unsigned depth)
{
	uint32_t kind = depth ? pick(4) : 3;
	if (kind > 1) {
		append_scalar();
		return;
	}
	buf_append_char(&text, kind ? '{' : '[');
	append_space();
	for (uint32_t i = 0, count = pick(6); i < count; i++) {
		char prefix[] = {(char)('A' + i), '\0'}; /* keys are unique */
		if (i)
			buf_append_char(&text, ',');
		append_space();
		if (kind) {
			append_string(prefix);
			append_space();
			buf_append_char(&text, ':');
		}
		append_space();
		append_value(depth - 1);
		append_space();
	}
	buf_append_char(&text, kind ? '}' : ']');
}

static struct json_object *parse(struct slice json)
{
	struct json_tokener *tokener = json_tokener_new();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *object = json_tokener_parse_ex(tokener, json.ptr, (int)json.len);
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		object = json_tokener_parse_ex(tokener, "", 1); /* a bare number ends with the text */
	ck_assert_msg(json_tokener_get_error(tokener) == json_tokener_success, "%.*s", (int)json.len, json.ptr);
	json_tokener_free(tokener);
	return object;
}

/* json-c's own spelling of both is compared, so that what counts is what a reader understands. */
START_TEST(agrees_with_json_c_on_valid_documents)
{
	struct arena arena;
	struct buf again;
	buf_init(&text);
	buf_init(&again);
	arena_init(&arena, (size_t)1 << 24);
	for (state = 1; state <= DOCUMENTS; state++) {
		uint32_t seed = state;
		struct value *value = NULL;
		buf_clear(&text);
		buf_clear(&again);
		append_space();
		append_value(DEPTH);
		ck_assert_msg(json_decode(&arena, buf_slice(&text), &value, NULL) == OK, "%.*s", (int)text.len,
		              text.bytes);
		ck_assert(json_is_valid(buf_slice(&text), NULL, NULL));
		json_encode(&again, value);
		struct json_object *first = parse(buf_slice(&text)), *second = parse(buf_slice(&again));
		ck_assert_str_eq(json_object_to_json_string(first), json_object_to_json_string(second));
		json_object_put(first);
		json_object_put(second);
		arena_reset(&arena);
		state = seed;
	}
	arena_fini(&arena);
	buf_fini(&again);
	buf_fini(&text);
}
END_TEST

/* Every byte of a valid document replaced: whatever we take, json-c takes too. */
START_TEST(takes_nothing_that_json_c_refuses)
{
	size_t taken = 0;
	buf_init(&text);
	for (state = 1; state <= 200; state++) {
		uint32_t seed = state;
		buf_clear(&text);
		append_value(3);
		for (size_t i = 0; i < text.len; i++) {
			char old = text.bytes[i];
			text.bytes[i] = "\"\\{}[]:,0eE.-+ tn\x80\xE2\n"[pick(21)];
			if (json_is_valid(buf_slice(&text), NULL, NULL)) {
				json_object_put(parse(buf_slice(&text)));
				taken++;
			}
			text.bytes[i] = old;
		}
		state = seed;
	}
	buf_fini(&text);
	ck_assert_uint_gt(taken, 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_differential");
	TCase *cases = tcase_create("json_differential");
	tcase_add_test(cases, agrees_with_json_c_on_valid_documents);
	tcase_add_test(cases, takes_nothing_that_json_c_refuses);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
