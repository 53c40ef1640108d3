#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/fossil_delta.h"
#include "common/codec/json.h"
#include "tests/support/suite.h"

#define ROUNDS 4000
#define LIMIT ((size_t)1 << 20)

static uint64_t seed = 88172645463325252u;

/* xorshift64 (Marsaglia, 2003): the same on every run. */
static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static size_t below(size_t limit)
{
	return (size_t)(next_random() % limit);
}

/* Bytes in memory of their own size, so that a sanitizer sees a read beyond them. */
static struct slice keep(struct slice bytes)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);
	ck_assert_ptr_nonnull(copy);
	if (bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	return (struct slice){copy, bytes.len};
}

static void forget(struct slice bytes)
{
	free((char *)(uintptr_t)bytes.ptr);
}

static enum err apply(const char *base, const char *delta, struct buf *out)
{
	struct slice own_base = keep(slice_of(base)), own_delta = keep(slice_of(delta));
	buf_clear(out);
	enum err error = fossil_apply(own_base, own_delta, LIMIT, out);
	forget(own_base);
	forget(own_delta);
	return error;
}

START_TEST(applies_what_the_format_describes)
{
	/* The checksum of "abcdXY": 0x61626364 + 0x58590000 = 0xB9BB6364. */
	struct buf out;
	buf_init(&out);
	ck_assert_uint_eq(fossil_checksum(SLICE_LITERAL("abcdXY")), 0xB9BB6364);
	ck_assert_int_eq(apply("__abcd__", "6\n4@2,2:XY2ujrD_;", &out), OK);
	ck_assert(slice_is(buf_slice(&out), "abcdXY"));
	ck_assert_int_eq(apply("__abcd__", "6\n2@2,0:2@4,0@8,2:XY2ujrD_;", &out), OK);
	ck_assert(slice_is(buf_slice(&out), "abcdXY"));
	ck_assert_int_eq(apply("", "0\n0;", &out), OK);
	ck_assert_uint_eq(out.len, 0);
	buf_fini(&out);
}
END_TEST

START_TEST(refuses_what_is_no_delta_against_this_base)
{
	static const char *const deltas[] = {
		"", "\n", "0", "0\n", ";", "0\n;", "0\n0", "0\n1;", "0\n0;0", "0\n0;\n", "0 0;", "00000000000000\n0,",
		"6\n4@2,2:XY2ujrD_",     /* ends in the checksum */
		"6\n4@2,2:XY2ujrD_;x",   /* goes on behind it */
		"6\n4@5,2:XY2ujrD_;",    /* the base ends before the copy */
		"6\n4@8,2:XY2ujrD_;",    /* begins at its end */
		"6\n4@3~~~~~,2:XY2ujrD_;", /* offset and count are more than 32 bits together */
		"6\n4@~~~~~~,2:XY2ujrD_;", /* more than 32 bits */
		"6\n4@2;2:XY2ujrD_;", "6\n4@2,2:X", "6\n4@2,~~:XY2ujrD_;", "6\n4@,2:XY2ujrD_;", "6\n@2,2:XY2ujrD_;",
		"5\n4@2,2:XY2ujrD_;",    /* makes more than it says */
		"7\n4@2,2:XY2ujrD_;",    /* less */
		"6\n4@2,2:XZ2ujrD_;",    /* other bytes */
		"6\n4@2,2,XY2ujrD_;", "6\n4@2,2 XY2ujrD_;", "-1\n0;", "6\n4@2,2:XY;",
	};
	struct buf out;
	buf_init(&out);
	for (size_t i = 0; i < sizeof deltas / sizeof deltas[0]; i++) {
		ck_assert_msg(apply("__abcd__", deltas[i], &out) == ERR_INVALID, "%zu: %s", i, deltas[i]);
		ck_assert_uint_eq(out.len, 0);
		ck_assert(!out.failed);
	}
	buf_fini(&out);
}
END_TEST

START_TEST(makes_nothing_beyond_the_limit)
{
	struct buf out;
	buf_init(&out);
	buf_append_text(&out, "before");
	ck_assert_int_eq(fossil_apply(SLICE_NONE, SLICE_LITERAL("3~~~~~\n0;"), LIMIT, &out), ERR_LIMIT);
	ck_assert_int_eq(fossil_apply(SLICE_LITERAL("__abcd__"), SLICE_LITERAL("6\n4@2,2:XY2ujrD_;"), 5, &out), ERR_LIMIT);
	ck_assert_int_eq(fossil_apply(SLICE_LITERAL("__abcd__"), SLICE_LITERAL("6\n4@2,2:XY2ujrD_;"), 6, &out), OK);
	ck_assert(slice_is(buf_slice(&out), "beforeabcdXY"));
	buf_fini(&out);
}
END_TEST

/* --- Both ways ------------------------------------------------------------------------------------------------------ */

static struct fossil_encoder encoder;

static void set_up(void)
{
	fossil_encoder_init(&encoder);
}

static void tear_down(void)
{
	fossil_encoder_fini(&encoder);
}

/* The size of the delta; 0: there is none. Whatever there is makes the target again. */
static size_t check_pair(struct slice base, struct slice target, bool keeps_characters)
{
	struct slice own_base = keep(base), own_target = keep(target);
	struct buf delta, again;
	buf_init(&delta);
	buf_init(&again);
	buf_append_text(&delta, "in front");
	bool is_made = fossil_encode(&encoder, own_base, own_target, keeps_characters, &delta);
	ck_assert(!delta.failed && memcmp(delta.bytes, "in front", 8) == 0);
	size_t len = delta.len - 8;
	ck_assert(is_made ? len > 0 && len < target.len : len == 0);
	if (is_made) {
		struct slice own_delta = keep((struct slice){delta.bytes + 8, len});
		ck_assert_int_eq(fossil_apply(own_base, own_delta, target.len, &again), OK);
		ck_assert(slice_equal(buf_slice(&again), target));
		ck_assert(!keeps_characters || !json_is_utf8(target) || json_is_utf8(own_delta));
		forget(own_delta);
	}
	buf_fini(&delta);
	buf_fini(&again);
	forget(own_base);
	forget(own_target);
	return len;
}

static const char state[] =
	"{\"type\":\"agent.state\",\"sessionId\":\"5f0c1b52-7a6b-4d0e-9a53-0f1f6d4b7a11\",\"agentId\":\"planner-17\","
	"\"seq\":%d,\"state\":{\"status\":\"%s\",\"step\":%d,\"tool\":\"search\",\"tokens\":{\"in\":%d,\"out\":%d},"
	"\"plan\":[\"read the brief\",\"ask for what is missing\",\"write the report\"],\"note\":\"%s\","
	"\"model\":\"large-2\",\"temperature\":0.2,\"retries\":0,\"queue\":\"default\"},\"at\":\"2026-11-25T12:00:%02dZ\"}";

static size_t write_state(char text[1024], int step)
{
	static const char *const words[] = {"thinking", "acting", "waiting for the tool", "résumé prêt", "完了しました"};
	return (size_t)snprintf(text, 1024, state, step, words[step % 3], step / 4, 1200 + step * 37, 310 + step * 5,
				words[step % 5], step % 60);
}

START_TEST(says_little_where_little_changes)
{
	char before[1024], after[1024];
	size_t plain = 0, coded = 0, len = write_state(before, 99);
	for (int step = 100; step < 160; step++) {
		size_t next = write_state(after, step);
		size_t delta = check_pair((struct slice){before, len}, (struct slice){after, next}, true);
		ck_assert_uint_gt(delta, 0);
		plain += next;
		coded += delta;
		memcpy(before, after, len = next);
	}
	ck_assert_msg(coded * 4 < plain, "%zu of %zu bytes", coded, plain);
}
END_TEST

START_TEST(makes_none_that_is_not_smaller)
{
	static const char *const pairs[][2] = {
		{"", ""}, {"", "a long text that nothing is known of"}, {"a long text that nothing is known of", ""},
		{"12345678", "abcdefghijklmnopqrstuvwxyzabcd"}, {"same", "same"},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		ck_assert_uint_eq(check_pair(slice_of(pairs[i][0]), slice_of(pairs[i][1]), i % 2), 0);
	ck_assert_uint_gt(check_pair(slice_of("the same text twice"), slice_of("the same text twice"), true), 0);
}
END_TEST

START_TEST(never_cuts_a_character)
{
	/* They share their first bytes, and their last ones. */
	static const char *const words[] = {"é", "è", "ê", "ά", "α", "β", "€", "₭", "𝄞", "𝄟", "😀", "😁", "x", "\\u00e9", "ab"};
	for (int round = 0; round < ROUNDS; round++) {
		struct buf base, target;
		buf_init(&base);
		buf_init(&target);
		size_t count = 20 + below(100);
		for (size_t i = 0; i < count; i++) {
			const char *word = words[below(sizeof words / sizeof words[0])];
			buf_append_text(&base, word);
			buf_append_text(&target, below(12) ? word : words[below(sizeof words / sizeof words[0])]);
		}
		check_pair(buf_slice(&base), buf_slice(&target), true);
		check_pair(buf_slice(&base), buf_slice(&target), false);
		buf_fini(&base);
		buf_fini(&target);
	}
}
END_TEST

static void fill(struct buf *out, size_t len, size_t letters)
{
	for (size_t i = 0; i < len; i++)
		buf_append_char(out, (char)(letters > 64 ? below(letters) : 'a' + below(letters)));
}

/* A target of pieces of the base and of new bytes. */
static void mix(struct buf *target, struct slice base, size_t letters)
{
	size_t pieces = below(8);
	for (size_t i = 0; i < pieces; i++) {
		size_t from = base.len ? below(base.len) : 0, len = base.len ? below(base.len - from + 1) : 0;
		if (len && below(3))
			buf_append(target, base.ptr + from, len);
		else
			fill(target, below(40), letters);
	}
}

START_TEST(brings_whatever_bytes_back)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct buf base, target;
		size_t letters = (size_t[]){1, 2, 4, 20, 256}[below(5)];
		buf_init(&base);
		buf_init(&target);
		fill(&base, below(round % 100 ? 600 : 200000), letters);
		mix(&target, buf_slice(&base), letters);
		check_pair(buf_slice(&base), buf_slice(&target), below(2));
		check_pair(buf_slice(&target), buf_slice(&base), below(2));
		buf_fini(&base);
		buf_fini(&target);
	}
}
END_TEST

/* Turns one byte, and applies: the checksum or the bounds refuse it, or nothing changed that matters. */
START_TEST(refuses_or_repeats_what_was_damaged)
{
	char before[1024], after[1024];
	struct slice base = {before, write_state(before, 7)}, target = {after, write_state(after, 8)};
	struct buf delta, again;
	buf_init(&delta);
	buf_init(&again);
	ck_assert(fossil_encode(&encoder, base, target, true, &delta));
	for (size_t at = 0; at < delta.len; at++) {
		char kept = delta.bytes[at];
		for (int turned = 0; turned < 256; turned++) {
			delta.bytes[at] = (char)turned;
			struct slice own = keep(buf_slice(&delta));
			buf_clear(&again);
			if (fossil_apply(base, own, LIMIT, &again) == OK)
				ck_assert_uint_eq(fossil_checksum(buf_slice(&again)), fossil_checksum(target));
			forget(own);
		}
		delta.bytes[at] = kept;
	}
	buf_fini(&delta);
	buf_fini(&again);
}
END_TEST

START_TEST(keeps_little_memory_behind_a_long_text)
{
	struct buf base;
	buf_init(&base);
	fill(&base, (size_t)8 << 20, 256);
	base.bytes[100] ^= 1;
	struct slice target = keep(buf_slice(&base));
	base.bytes[100] ^= 1;
	base.bytes[base.len - 100] ^= 1;
	ck_assert_uint_gt(check_pair(buf_slice(&base), target, false), 0);
	ck_assert_uint_gt(check_pair(slice_of("{\"one\":1,\"two\":2,\"three\":3,\"four\":4}"),
				     slice_of("{\"one\":0,\"two\":2,\"three\":3,\"four\":5}"), false), 0);
	ck_assert_uint_le(encoder.capacity, 64 * 1024);
	forget(target);
	buf_fini(&base);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fossil_delta");
	TCase *format = tcase_create("format");
	tcase_add_test(format, applies_what_the_format_describes);
	tcase_add_test(format, refuses_what_is_no_delta_against_this_base);
	tcase_add_test(format, makes_nothing_beyond_the_limit);
	suite_add_tcase(suite, format);
	TCase *both = tcase_create("both ways");
	tcase_add_checked_fixture(both, set_up, tear_down);
	tcase_add_test(both, says_little_where_little_changes);
	tcase_add_test(both, makes_none_that_is_not_smaller);
	tcase_add_test(both, never_cuts_a_character);
	tcase_add_test(both, brings_whatever_bytes_back);
	tcase_add_test(both, refuses_or_repeats_what_was_damaged);
	tcase_add_test(both, keeps_little_memory_behind_a_long_text);
	suite_add_tcase(suite, both);
	return suite_run(suite);
}
