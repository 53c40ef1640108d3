#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/msgpack.h"
#include "tests/support/suite.h"

#define ARENA_BYTES ((size_t)1 << 20)

static struct arena arena;
static struct buf out;

static void start(void)
{
	arena_init(&arena, ARENA_BYTES);
	buf_init(&out);
}

static void stop(void)
{
	arena_fini(&arena);
	buf_fini(&out);
}

#define BYTES(text) SLICE_LITERAL(text)

/* Requests, and the JSON that says the same. */
static const struct {
	struct slice bytes;
	const char *json;
} readable[] = {
    {BYTES("\xc0"), "null"},
    {BYTES("\xc2"), "false"},
    {BYTES("\xc3"), "true"},
    {BYTES("\x00"), "0"},
    {BYTES("\x7f"), "127"},
    {BYTES("\xff"), "-1"},
    {BYTES("\xe0"), "-32"},
    {BYTES("\xcc\x00"), "0"},
    {BYTES("\xcc\xff"), "255"},
    {BYTES("\xcd\x01\x00"), "256"},
    {BYTES("\xcd\xff\xff"), "65535"},
    {BYTES("\xce\x00\x01\x00\x00"), "65536"},
    {BYTES("\xce\xff\xff\xff\xff"), "4294967295"},
    {BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), "4294967296"},
    {BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615"},
    {BYTES("\xd0\x7f"), "127"},
    {BYTES("\xd0\x80"), "-128"},
    {BYTES("\xd1\x7f\xff"), "32767"},
    {BYTES("\xd1\x80\x00"), "-32768"},
    {BYTES("\xd2\x7f\xff\xff\xff"), "2147483647"},
    {BYTES("\xd2\x80\x00\x00\x00"), "-2147483648"},
    {BYTES("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"), "9223372036854775807"},
    {BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), "-9223372036854775808"},
    {BYTES("\xca\x3f\xc0\x00\x00"), "1.5"},
    {BYTES("\xca\x3f\x80\x00\x00"), "1"},
    {BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1"},
    {BYTES("\xcb\xc0\x45\x00\x00\x00\x00\x00\x00"), "-42"},
    {BYTES("\xcb\x42\x79\xab\xb4\x8d\xb0\xb0\x00"), "1764078705419"},
    {BYTES("\xcb\x43\x40\x00\x00\x00\x00\x00\x00"), "9007199254740992"},
    {BYTES("\xcb\x43\x50\x00\x00\x00\x00\x00\x00"), "18014398509481984.0"},
    {BYTES("\xcb\x80\x00\x00\x00\x00\x00\x00\x00"), "-0.0"},
    {BYTES("\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c"), "1e+300"},
    {BYTES("\xa0"), "\"\""},
    {BYTES("\xa3" "a\0b"), "\"a\\u0000b\""},
    {BYTES("\xa2\xc3\xa9"), "\"\xc3\xa9\""},
    {BYTES("\xd9\x01x"), "\"x\""},
    {BYTES("\xda\x00\x01x"), "\"x\""},
    {BYTES("\xdb\x00\x00\x00\x01x"), "\"x\""},
    {BYTES("\x90"), "[]"},
    {BYTES("\x93\x01\x90\xc0"), "[1,[],null]"},
    {BYTES("\xdc\x00\x01\x01"), "[1]"},
    {BYTES("\xdd\x00\x00\x00\x01\x01"), "[1]"},
    {BYTES("\x80"), "{}"},
    {BYTES("\x82\xa2op\xa4ping\xa2id\x81\xa0\x91\xc0"), "{\"op\":\"ping\",\"id\":{\"\":[null]}}"},
    {BYTES("\xde\x00\x01\xa1k\x01"), "{\"k\":1}"},
    {BYTES("\xdf\x00\x00\x00\x01\xa1k\x80"), "{\"k\":{}}"},
};

START_TEST(reads_every_format_that_has_a_meaning_in_json)
{
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
		struct value *value = NULL;
		struct msgpack_error problem = {0, ""};
		enum err error = msgpack_decode(&arena, readable[i].bytes, &value, &problem);
		ck_assert_msg(error == OK, "%s: %s at %zu", readable[i].json, problem.message, problem.at);
		buf_clear(&out);
		json_encode(&out, value);
		ck_assert_msg(slice_is(buf_slice(&out), readable[i].json), "%.*s is not %s", (int)out.len, out.bytes, readable[i].json);
	}
}
END_TEST

static const struct {
	struct slice bytes;
	size_t at;
	const char *message;
} refused[] = {
    {{NULL, 0}, 0, "no value"},
    {BYTES("\xc1"), 0, "the byte c1, which is never used"},
    {BYTES("\x92\x01\xc1"), 2, "the byte c1, which is never used"},
    {BYTES("\xc4\x01x"), 0, "a bin; text is a str"},
    {BYTES("\xc5\x00\x01x"), 0, "a bin; text is a str"},
    {BYTES("\xc6\x00\x00\x00\x01x"), 0, "a bin; text is a str"},
    {BYTES("\xc7\x01\x05x"), 0, "an ext type"},
    {BYTES("\xc8\x00\x01\x05x"), 0, "an ext type"},
    {BYTES("\xc9\x00\x00\x00\x01\x05x"), 0, "an ext type"},
    {BYTES("\xd4\x05x"), 0, "an ext type"},
    {BYTES("\xd5\x05xx"), 0, "an ext type"},
    {BYTES("\xd6\xff\x00\x00\x00\x00"), 0, "an ext type"},
    {BYTES("\xd7\x05xxxxxxxx"), 0, "an ext type"},
    {BYTES("\xd8\x05xxxxxxxxxxxxxxxx"), 0, "an ext type"},
    {BYTES("\xca\x7f\xc0\x00\x00"), 0, "a float that is no number, or infinite"},
    {BYTES("\xca\xff\x80\x00\x00"), 0, "a float that is no number, or infinite"},
    {BYTES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), 0, "a float that is no number, or infinite"},
    {BYTES("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), 0, "a float that is no number, or infinite"},
    {BYTES("\x80\x80"), 1, "more bytes behind the value"},
    {BYTES("\xc0\xc1"), 1, "more bytes behind the value"},
    {BYTES("\xa1\xff"), 0, "a str that is not UTF-8"},
    {BYTES("\xa3\xed\xa0\x80"), 0, "a str that is not UTF-8"},
    {BYTES("\xa2\xc0\xaf"), 0, "a str that is not UTF-8"},
    {BYTES("\x81\xa1\xff\x01"), 1, "a str that is not UTF-8"},
    {BYTES("\x81\x01\x02"), 1, "a key that is no str"},
    {BYTES("\x81\xc0\x02"), 1, "a key that is no str"},
    {BYTES("\x81\xc4\x01k\x02"), 1, "a bin; text is a str"},
    {BYTES("\x82\xa1k\x01\x91\x01\x02"), 4, "a key that is no str"},
    {BYTES("\x81\xa2k\0\x01"), 4, "NUL in a key"},
    {BYTES("\x82\xa1k\x01\xa1k\x02"), 7, "duplicate key"},
    {BYTES("\x82\xa1k\x01\xd9\x01k\x02"), 8, "duplicate key"},
    {BYTES("\xa2x"), 2, "the message ends too early"},
    {BYTES("\xd9"), 1, "the message ends too early"},
    {BYTES("\xdb\xff\xff\xff\xff"), 5, "the message ends too early"},
    {BYTES("\xdb\xff\xff\xff\xffxxxx"), 9, "the message ends too early"},
    {BYTES("\x92\x01"), 2, "the message ends too early"},
    {BYTES("\xdd\xff\xff\xff\xff\x01"), 6, "the message ends too early"},
    {BYTES("\xdf\xff\xff\xff\xff\xa1k\x01"), 8, "the message ends too early"},
    {BYTES("\xcf\x01\x02"), 3, "the message ends too early"},
    {BYTES("\xcb\x01\x02"), 3, "the message ends too early"},
    {BYTES("\xde\x00"), 2, "the message ends too early"},
};

START_TEST(refuses_what_json_could_not_say_and_tells_where)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct value *value = NULL;
		struct msgpack_error problem = {0, ""};
		ck_assert_msg(msgpack_decode(&arena, refused[i].bytes, &value, &problem) == ERR_INVALID, "%zu: %s", i, refused[i].message);
		ck_assert_str_eq(problem.message, refused[i].message);
		ck_assert_msg(problem.at == refused[i].at, "%zu: at %zu", i, problem.at);
	}
}
END_TEST

static void append_nested(unsigned depth, char list)
{
	buf_clear(&out);
	for (unsigned i = 0; i < depth; i++)
		buf_append(&out, list == 'a' ? "\x91" : "\x81\xa1k", list == 'a' ? 1 : 3);
	buf_append_char(&out, '\0');
}

START_TEST(reads_as_deep_as_json_and_no_deeper)
{
	static const char lists[] = "am";
	for (size_t i = 0; i < 2; i++) {
		struct value *value = NULL;
		struct msgpack_error problem;
		append_nested(MSGPACK_DEPTH_MAX, lists[i]);
		ck_assert_int_eq(msgpack_decode(&arena, buf_slice(&out), &value, NULL), OK);
		append_nested(MSGPACK_DEPTH_MAX + 1, lists[i]);
		ck_assert_int_eq(msgpack_decode(&arena, buf_slice(&out), &value, &problem), ERR_INVALID);
		ck_assert_str_eq(problem.message, "nested too deeply");
		append_nested(10000, lists[i]);
		ck_assert_int_eq(msgpack_decode(&arena, buf_slice(&out), &value, &problem), ERR_INVALID);
		ck_assert_str_eq(problem.message, "nested too deeply");
	}
}
END_TEST

START_TEST(takes_no_more_memory_than_it_may)
{
	struct value *value = NULL;
	struct msgpack_error problem;
	buf_append(&out, "\xdc\xff\xff", 3);
	memset(buf_extend(&out, 65535), 0xc0, 65535);
	ck_assert_int_eq(msgpack_decode(&arena, buf_slice(&out), &value, &problem), ERR_NOMEM);
	ck_assert_str_eq(problem.message, "too large");
	ck_assert_uint_le(arena.used_bytes, ARENA_BYTES);
}
END_TEST

START_TEST(finds_a_duplicate_among_many_keys)
{
	enum { KEYS = 1000 };
	for (size_t duplicate = 0; duplicate < 2; duplicate++) {
		struct value *value = NULL;
		struct msgpack_error problem = {0, ""};
		arena_reset(&arena);
		buf_clear(&out);
		msgpack_append_map(&out, KEYS);
		for (uint64_t i = 0; i < KEYS; i++) {
			char key[8];
			msgpack_append_string(&out, (struct slice){key, (size_t)snprintf(key, sizeof key, "k%zu", i == KEYS - 1 ? i - duplicate : i)});
			msgpack_append_uint(&out, i);
		}
		ck_assert_int_eq(msgpack_decode(&arena, buf_slice(&out), &value, &problem), duplicate ? ERR_INVALID : OK);
		ck_assert_str_eq(problem.message, duplicate ? "duplicate key" : "");
	}
}
END_TEST

START_TEST(reads_no_byte_behind_what_it_was_given)
{
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
		for (size_t len = 0; len < readable[i].bytes.len; len++) {
			struct value *value = NULL;
			char *cut = malloc(len + !len);
			ck_assert_ptr_nonnull(cut);
			memcpy(cut, readable[i].bytes.ptr, len);
			ck_assert_int_eq(msgpack_decode(&arena, (struct slice){cut, len}, &value, NULL), ERR_INVALID);
			free(cut);
		}
	}
}
END_TEST

static struct slice member_of(struct slice map, const char *name)
{
	buf_clear(&out);
	return msgpack_member(map, slice_of(name), &out) ? buf_slice(&out) : SLICE_NONE;
}

START_TEST(gives_a_member_as_json)
{
	struct slice map = BYTES("\x83\xa1x\x81\xa4" "data\x01\xa4" "data\x84\xa1"
				 "a\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xa1" "b\x93\x90\x80\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xa1"
				 "c\xc3\xa2\"\n\xc0\xa1y\xa1z");
	ck_assert(slice_is(member_of(map, "data"), "{\"a\":1.0,\"b\":[[],{},-9223372036854775808],\"c\":true,\"\\\"\\n\":null}"));
	ck_assert(slice_is(member_of(map, "y"), "\"z\""));
	ck_assert(slice_is(member_of(map, "x"), "{\"data\":1}"));
	ck_assert_uint_eq(member_of(map, "a").len, 0);
	ck_assert_uint_eq(member_of(BYTES("\x80"), "data").len, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("msgpack");
	TCase *cases = tcase_create("msgpack");
	tcase_add_checked_fixture(cases, start, stop);
	tcase_add_test(cases, reads_every_format_that_has_a_meaning_in_json);
	tcase_add_test(cases, refuses_what_json_could_not_say_and_tells_where);
	tcase_add_test(cases, reads_as_deep_as_json_and_no_deeper);
	tcase_add_test(cases, takes_no_more_memory_than_it_may);
	tcase_add_test(cases, finds_a_duplicate_among_many_keys);
	tcase_add_test(cases, reads_no_byte_behind_what_it_was_given);
	tcase_add_test(cases, gives_a_member_as_json);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
