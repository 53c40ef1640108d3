#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/codec.h"
#include "common/codec/msgpack.h"
#include "gateway/feed/intake.h"
#include "tests/support/suite.h"

#define TS_MS UINT64_C(1764031200123)

static struct buf out;
static struct arena arena;

static void start(void)
{
	buf_init(&out);
	arena_init(&arena, (size_t)1 << 20);
}

static void stop(void)
{
	buf_fini(&out);
	arena_fini(&arena);
}

static struct record *make(struct slice channel, struct slice payload, bool has_id)
{
	struct record *record = intake_record(&intake_fields_default, channel, payload, TS_MS, 0);
	ck_assert_ptr_nonnull(record);
	if (has_id)
		record_stamp(record, (struct record_id){TS_MS, 7});
	return record;
}

/* What is written, in JSON: strictly readable, one message and nothing behind it. */
static const char *read_out(void)
{
	struct value *value = NULL;
	struct msgpack_error problem = {0, ""};
	enum err error = msgpack_decode(&arena, buf_slice(&out), &value, &problem);
	ck_assert_msg(error == OK, "%s at %zu", problem.message, problem.at);
	buf_clear(&out);
	json_encode(&out, value);
	buf_append_char(&out, '\0');
	return out.bytes;
}

static void expect_event(struct slice channel, struct slice payload, bool has_id, const char *json)
{
	struct record *record = make(channel, payload, has_id);
	buf_clear(&out);
	codec_msgpack.events_add(&out, record, true);
	ck_assert_str_eq(read_out(), json);
	record_unref(record);
}

#define CHANNEL SLICE_LITERAL("trace:s1")
#define ID "{\"id\":\"1764031200123-7\","
#define HEAD "\"channel\":\"trace:s1\",\"ts\":1764031200123,"

START_TEST(writes_events_as_the_maps_of_the_protocol)
{
	expect_event(CHANNEL, SLICE_LITERAL(" {\"a\": [1, 0.5, \"\\u00e9\"]} "), true, ID HEAD "\"data\":{\"a\":[1,0.5,\"\xc3\xa9\"]}}");
	expect_event(CHANNEL, SLICE_LITERAL("null"), false, "{" HEAD "\"data\":null}");
	expect_event(CHANNEL, SLICE_LITERAL("plain \"words\""), true, ID HEAD "\"data\":\"plain \\\"words\\\"\",\"format\":\"text\"}");
	expect_event(CHANNEL, SLICE_NONE, true, ID HEAD "\"data\":\"\",\"format\":\"text\"}");
	expect_event(CHANNEL, SLICE_LITERAL("\xff\xfe"), true, ID HEAD "\"data\":\"//4=\",\"format\":\"base64\"}");
	expect_event(SLICE_LITERAL("trace:\xff"), SLICE_LITERAL("1"), false,
		     "{\"channel\":\"trace:\xef\xbf\xbd\",\"ts\":1764031200123,\"data\":1}");
}
END_TEST

START_TEST(gives_the_text_of_json_whose_numbers_do_not_fit)
{
	expect_event(CHANNEL, SLICE_LITERAL("{\"id\":9007199254740993,\"u\":18446744073709551615,\"f\":1.5,\"z\":-0,\"d\":0.1}"), true,
		     ID HEAD "\"data\":{\"id\":9007199254740993,\"u\":18446744073709551615,\"f\":1.5,\"z\":-0.0,\"d\":0.1}}");
	expect_event(CHANNEL, SLICE_LITERAL("{ \"b\":123456789012345678901234567890}"), true,
		     ID HEAD "\"json\":\"{ \\\"b\\\":123456789012345678901234567890}\"}");
	expect_event(CHANNEL, SLICE_LITERAL("[1E400]"), false, "{" HEAD "\"json\":\"[1E400]\"}");
}
END_TEST

START_TEST(writes_a_batch_of_events)
{
	enum { EVENTS = 20 };
	struct buf head;
	buf_init(&head);
	struct record *record = make(CHANNEL, SLICE_LITERAL("7"), true);
	for (size_t i = 0; i < EVENTS; i++)
		codec_msgpack.events_add(&out, record, i == 0);
	codec_msgpack.events_tail(&out);
	codec_msgpack.events_head(&head, SLICE_LITERAL("s-1"), SLICE_LITERAL("1764031200123-7.00c0ffee"), EVENTS);
	buf_append_slice(&head, buf_slice(&out));
	buf_clear(&out);
	buf_append_slice(&out, buf_slice(&head));
	struct value *message = NULL;
	ck_assert_int_eq(codec_msgpack.decode(&arena, buf_slice(&out), &message, NULL), OK);
	ck_assert(slice_is(value_get(message, "op")->text, "events"));
	ck_assert(slice_is(value_get(message, "sub")->text, "s-1"));
	ck_assert(slice_is(value_get(message, "cursor")->text, "1764031200123-7.00c0ffee"));
	const struct value *events = value_get(message, "events");
	ck_assert_uint_eq(events->list.count, EVENTS);
	ck_assert_uint_eq(value_get(events->list.last, "data")->uint, 7);
	record_unref(record);
	buf_fini(&head);
}
END_TEST

START_TEST(begins_batches_without_a_cursor_replays_and_chunks)
{
	struct value number = {.kind = VALUE_NUMBER, .text = SLICE_LITERAL("1.5")};
	codec_msgpack.events_head(&out, SLICE_LITERAL("s-1"), SLICE_NONE, 0);
	ck_assert_str_eq(read_out(), "{\"op\":\"events\",\"sub\":\"s-1\",\"events\":[]}");
	buf_clear(&out);
	codec_msgpack.replay_head(&out, SLICE_LITERAL("r-1"), SLICE_LITERAL("1-0"), 0);
	ck_assert_str_eq(read_out(), "{\"op\":\"events\",\"replay\":\"r-1\",\"cursor\":\"1-0\",\"events\":[]}");
	buf_clear(&out);
	codec_msgpack.chunk_head(&out, &number, 3, 0);
	ck_assert_str_eq(read_out(), "{\"op\":\"chunk\",\"id\":1.5,\"seq\":3,\"events\":[]}");
	buf_clear(&out);
	codec_msgpack.chunk_head(&out, &number, UINT64_MAX, SIZE_MAX);
	ck_assert(!buf_has_failed(&out));
	size_t longest = out.len;
	buf_clear(&out);
	codec_msgpack.chunk_head(&out, &number, 1000000, 70000);
	ck_assert_uint_lt(out.len, longest);
}
END_TEST

START_TEST(gives_a_member_as_json_text)
{
	struct slice json;
	struct slice message = SLICE_LITERAL("\x82\xa2op\xa7publish\xa4" "data\x81\xa1" "f\xcb\x40\x00\x00\x00\x00\x00\x00\x00");
	ck_assert(codec_msgpack.member(&arena, message, "data", &json));
	ck_assert(slice_is(json, "{\"f\":2.0}"));
	ck_assert(!codec_msgpack.member(&arena, message, "date", &json));
}
END_TEST

START_TEST(says_why_a_message_cannot_be_read)
{
	struct value *value = NULL;
	char why[128] = "";
	ck_assert_int_eq(codec_msgpack.decode(&arena, SLICE_LITERAL("\x81\xa2op\xc1"), &value, why), ERR_INVALID);
	ck_assert_str_eq(why, "not MessagePack as a request may be: the byte c1, which is never used at byte 4");
}
END_TEST

#define PACKERS 4
#define RECORDS 500

static struct record *shared[RECORDS];

static void *pack_all(void *unused)
{
	struct buf elements;
	(void)unused;
	buf_init(&elements);
	for (size_t i = 0; i < RECORDS; i++)
		codec_msgpack.events_add(&elements, shared[i], false);
	char *bytes = buf_has_failed(&elements) ? NULL : elements.bytes;
	return bytes;
}

START_TEST(packs_a_record_once_for_all_threads)
{
	pthread_t threads[PACKERS];
	void *bytes[PACKERS];
	const struct blob *packed[RECORDS];
	size_t len = 0;
	for (size_t i = 0; i < RECORDS; i++)
		shared[i] = make(CHANNEL, SLICE_LITERAL("{\"sessionId\":\"s1\",\"list\":[1,2,3]}"), true);
	for (size_t i = 0; i < PACKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, pack_all, NULL), 0);
	for (size_t i = 0; i < PACKERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], &bytes[i]), 0);
	for (size_t i = 0; i < RECORDS; i++) {
		packed[i] = record_packed(shared[i]);
		ck_assert_ptr_nonnull(packed[i]);
		len += packed[i]->len;
		codec_msgpack.events_add(&out, shared[i], false);
		ck_assert_ptr_eq(record_packed(shared[i]), packed[i]);
		record_unref(shared[i]);
	}
	for (size_t i = 0; i < PACKERS; i++) {
		ck_assert_ptr_nonnull(bytes[i]);
		ck_assert(slice_equal((struct slice){bytes[i], len}, buf_slice(&out)));
		free(bytes[i]);
	}
}
END_TEST

static size_t read_hex(const char *line, char *ret_bytes)
{
	size_t len = 0;
	unsigned byte;
	for (; sscanf(line, "%2x", &byte) == 1; line += 2)
		ret_bytes[len++] = (char)byte;
	return len;
}

/* The block of docs/protocol.md: a line of bytes, then a line of the JSON that says the same, and so on. */
START_TEST(means_what_the_examples_of_the_documentation_say)
{
	char hex[1024], json[1024], bytes[512];
	size_t examples = 0;
	FILE *page = fopen(TEST_SOURCE_DIR "/docs/protocol.md", "r");
	ck_assert_ptr_nonnull(page);
	while (fgets(hex, sizeof hex, page) && strcmp(hex, "```msgpack\n") != 0)
		;
	while (fgets(hex, sizeof hex, page) && hex[0] != '`' && fgets(json, sizeof json, page)) {
		struct slice packed = {bytes, read_hex(hex, bytes)};
		buf_clear(&out);
		ck_assert_int_eq(msgpack_append_json(&out, slice_of(json)), OK);
		ck_assert_msg(slice_equal(buf_slice(&out), packed), "%s", json);
		json[strcspn(json, "\n")] = '\0';
		ck_assert_str_eq(read_out(), json);
		examples++;
	}
	fclose(page);
	ck_assert_uint_ge(examples, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec_msgpack");
	TCase *cases = tcase_create("codec_msgpack");
	tcase_add_checked_fixture(cases, start, stop);
	tcase_add_test(cases, writes_events_as_the_maps_of_the_protocol);
	tcase_add_test(cases, gives_the_text_of_json_whose_numbers_do_not_fit);
	tcase_add_test(cases, writes_a_batch_of_events);
	tcase_add_test(cases, begins_batches_without_a_cursor_replays_and_chunks);
	tcase_add_test(cases, gives_a_member_as_json_text);
	tcase_add_test(cases, says_why_a_message_cannot_be_read);
	tcase_add_test(cases, means_what_the_examples_of_the_documentation_say);
	tcase_add_test(cases, packs_a_record_once_for_all_threads);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
