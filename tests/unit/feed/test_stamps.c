#include <check.h>
#include <stdio.h>

#include "gateway/feed/stamps.h"
#include "tests/support/suite.h"

#define HASH_A "aaaaaaaaaaaaaaaa"
#define HASH_B "b\nbb\0bbbbbbbbbbb" /* a hash is any bytes */
#define HEAD "S 0123456789abcdef 5-1\n"

static struct slice text(const char *bytes, size_t len)
{
	return (struct slice){bytes, len};
}
#define TEXT(literal) text(literal, sizeof(literal) - 1)

static void assert_id(struct record_id id, uint64_t ms, uint64_t seq)
{
	ck_assert_uint_eq(id.ms, ms);
	ck_assert_uint_eq(id.seq, seq);
}

START_TEST(reads_stamps_of_the_recorder_in_order)
{
	struct stamps stamps;
	struct stamp stamp;
	enum err error;
	ck_assert_int_eq(stamps_read(TEXT(HEAD HASH_A "5-2\n" HASH_B "6-0\n"), &stamps), OK);
	ck_assert_int_eq(stamps.kind, STAMPS_RECORDED);
	ck_assert_uint_eq(stamps.epoch, UINT64_C(0x0123456789abcdef));
	assert_id(stamps.before, 5, 1);
	ck_assert(stamps_next(&stamps, &stamp, &error));
	assert_id(stamp.id, 5, 2);
	ck_assert_mem_eq(stamp.hash.bytes, HASH_A, 16);
	ck_assert(stamps_next(&stamps, &stamp, &error));
	assert_id(stamp.id, 6, 0);
	ck_assert_mem_eq(stamp.hash.bytes, HASH_B, 16);
	ck_assert(!stamps_next(&stamps, &stamp, &error));
	ck_assert_int_eq(error, OK);
}
END_TEST

START_TEST(reads_an_event_that_its_publisher_stored)
{
	struct stamps stamps;
	struct stamp stamp;
	enum err error;
	ck_assert_int_eq(stamps_read(TEXT("P 0123456789abcdef 0-0 9-0 9\ntrace:a b{\"x\":\n\0}"), &stamps), OK);
	ck_assert_int_eq(stamps.kind, STAMPS_PUBLISHED);
	ck_assert(slice_equal(stamps.channel, TEXT("trace:a b")));
	ck_assert(slice_equal(stamps.payload, TEXT("{\"x\":\n\0}")));
	ck_assert(stamps_next(&stamps, &stamp, &error));
	assert_id(stamp.id, 9, 0);
	struct hash128 hash = stamp_hash(UINT64_C(0x0123456789abcdef), stamps.channel, stamps.payload);
	ck_assert_mem_eq(stamp.hash.bytes, hash.bytes, sizeof hash.bytes);
	ck_assert(!stamps_next(&stamps, &stamp, &error));
	ck_assert_int_eq(error, OK);
	ck_assert_int_eq(stamps_read(TEXT("P 0123456789abcdef 0-0 9-0 0\n"), &stamps), OK);
	ck_assert_uint_eq(stamps.channel.len + stamps.payload.len, 0);
}
END_TEST

START_TEST(reads_a_fence)
{
	struct stamps stamps;
	ck_assert_int_eq(stamps_read(TEXT("F 0123456789abcdef 7-7 node-1.00ff\n"), &stamps), OK);
	ck_assert_int_eq(stamps.kind, STAMPS_FENCE);
	assert_id(stamps.before, 7, 7);
	ck_assert(slice_is(stamps.token, "node-1.00ff"));
}
END_TEST

START_TEST(reads_a_question)
{
	struct stamps stamps;
	struct stamp stamp;
	enum err error;
	char message[128], oldest[QUESTION_MAX];
	int len = snprintf(message, sizeof message, "Q 0123456789abcdef 7-7 node-1.00ff\n");
	ck_assert_int_eq(stamps_read(text(message, (size_t)len), &stamps), OK);
	ck_assert_int_eq(stamps.kind, STAMPS_QUESTION);
	ck_assert(slice_is(stamps.token, "node-1.00ff"));
	ck_assert_uint_eq(stamps.alike, 0);
	ck_assert(!stamps_next(&stamps, &stamp, &error));
	ck_assert_int_eq(error, OK);
	struct hash128 hash = stamp_hash(1, slice_of("trace:a"), slice_of("{}"));
	size_t oldest_len = stamps_write_oldest(oldest, hash, UINT64_MAX);
	memcpy(message + len, oldest, oldest_len);
	ck_assert_int_eq(stamps_read(text(message, (size_t)len + oldest_len), &stamps), OK);
	ck_assert_uint_eq(stamps.alike, UINT64_MAX);
	ck_assert_mem_eq(stamps.oldest.bytes, hash.bytes, sizeof hash.bytes);
}
END_TEST

START_TEST(refuses_what_no_script_says)
{
	static const struct slice messages[] = {
	    SLICE_LITERAL(""),
	    SLICE_LITERAL("S"),
	    SLICE_LITERAL("S "),
	    SLICE_LITERAL("X 0123456789abcdef 5-1\n"),
	    SLICE_LITERAL(HEAD), /* of nothing */
	    SLICE_LITERAL("S 0123456789abcde 5-1\n" HASH_A "6-0\n"),
	    SLICE_LITERAL("S 0123456789ABCDEF 5-1\n" HASH_A "6-0\n"),
	    SLICE_LITERAL("S 0000000000000000 5-1\n" HASH_A "6-0\n"),
	    SLICE_LITERAL("S 0123456789abcdef 5-1 " HASH_A "6-0\n"),
	    SLICE_LITERAL("S 0123456789abcdef 5\n" HASH_A "6-0\n"),
	    SLICE_LITERAL("S  0123456789abcdef 5-1\n" HASH_A "6-0\n"),
	    SLICE_LITERAL("P 0123456789abcdef 0-0 9-0 10\ntrace:a{}"),
	    SLICE_LITERAL("P 0123456789abcdef 0-0 9-0 -1\ntrace:a{}"),
	    SLICE_LITERAL("P 0123456789abcdef 0-0 9-0 18446744073709551617\ntrace:a{}"),
	    SLICE_LITERAL("P 0123456789abcdef 0-0 9-0 \ntrace:a{}"),
	    SLICE_LITERAL("P 0123456789abcdef 0-0 9 7\ntrace:a{}"),
	    SLICE_LITERAL("F 0123456789abcdef 7-7 \n"),
	    SLICE_LITERAL("F 0123456789abcdef 7-7 token"),
	    SLICE_LITERAL("F 0123456789abcdef 7-7 token\nmore"),
	    SLICE_LITERAL("Q 0123456789abcdef 7-7 token"),
	    SLICE_LITERAL("Q 0123456789abcdef 7-7 \n"),
	    SLICE_LITERAL("Q 0123456789abcdef 7-7 token\naaaaaaaaaaaaaaa"),
	    SLICE_LITERAL("Q 0123456789abcdef 7-7 token\n" HASH_A),
	    SLICE_LITERAL("Q 0123456789abcdef 7-7 token\n" HASH_A "0"),
	    SLICE_LITERAL("Q 0123456789abcdef 7-7 token\n" HASH_A "-1"),
	    SLICE_LITERAL("Q 0123456789abcdef 7-7 token\n" HASH_A "18446744073709551616"),
	};
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		struct stamps stamps;
		ck_assert_msg(stamps_read(messages[i], &stamps) == ERR_INVALID, "%s", messages[i].ptr);
	}
	struct stamps stamps;
	ck_assert_int_eq(stamps_read(SLICE_NONE, &stamps), ERR_INVALID);
}
END_TEST

START_TEST(stops_at_an_entry_that_is_none)
{
	static const char *const rests[] = {
	    "a",
	    HASH_A,
	    HASH_A "6-0",
	    HASH_A "6\n",
	    HASH_A "5-1\n",
	    HASH_A "4-9\n",
	    HASH_A "6-0\n" HASH_A "6-0\n",
	    HASH_A "6-0\nb",
	};
	for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
		char message[128];
		struct stamps stamps;
		struct stamp stamp;
		enum err error = OK;
		snprintf(message, sizeof message, HEAD "%s", rests[i]);
		ck_assert_int_eq(stamps_read(slice_of(message), &stamps), OK);
		while (stamps_next(&stamps, &stamp, &error))
			assert_id(stamp.id, 6, 0);
		ck_assert_msg(error == ERR_INVALID, "%s", rests[i]);
	}
}
END_TEST

START_TEST(names_records_by_epoch_channel_and_payload)
{
	struct hash128 hash = stamp_hash(1, slice_of("trace:a"), slice_of("{}"));
	struct hash128 others[] = {
	    stamp_hash(2, slice_of("trace:a"), slice_of("{}")),
	    stamp_hash(1, slice_of("trace:b"), slice_of("{}")),
	    stamp_hash(1, slice_of("trace:a"), slice_of("{ }")),
	    stamp_hash(1, slice_of("trace:"), slice_of("a{}")),
	};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ck_assert_mem_ne(others[i].bytes, hash.bytes, sizeof hash.bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stamps");
	TCase *cases = tcase_create("stamps");
	tcase_add_test(cases, reads_stamps_of_the_recorder_in_order);
	tcase_add_test(cases, reads_an_event_that_its_publisher_stored);
	tcase_add_test(cases, reads_a_fence);
	tcase_add_test(cases, reads_a_question);
	tcase_add_test(cases, refuses_what_no_script_says);
	tcase_add_test(cases, stops_at_an_entry_that_is_none);
	tcase_add_test(cases, names_records_by_epoch_channel_and_payload);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
