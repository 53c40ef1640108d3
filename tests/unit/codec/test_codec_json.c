#include <check.h>
#include <stdlib.h>

#include "common/codec/codec.h"
#include "common/codec/json.h"
#include "tests/support/suite.h"

static const char *batch(struct buf *out, struct slice cursor, size_t count)
{
	struct record record = {.element =
	                            SLICE_LITERAL("{\"channel\":\"trace:s1\",\"ts\":1764031200123,\"data\":1.0}")};
	codec_json.events_head(out, SLICE_LITERAL("s-1"), cursor, count);
	for (size_t i = 0; i < count; i++)
		codec_json.events_add(out, &record, i == 0);
	codec_json.events_tail(out);
	ck_assert(json_is_valid(buf_slice(out), NULL, NULL));
	buf_append_char(out, '\0');
	return out->bytes;
}

START_TEST(writes_a_batch_of_events)
{
	struct buf out;
	buf_init(&out);
	ck_assert_str_eq(batch(&out, SLICE_LITERAL("1764031200123-0"), 2),
	                 "{\"op\":\"events\",\"sub\":\"s-1\",\"cursor\":\"1764031200123-0\",\"events\":["
	                 "{\"channel\":\"trace:s1\",\"ts\":1764031200123,\"data\":1.0},"
	                 "{\"channel\":\"trace:s1\",\"ts\":1764031200123,\"data\":1.0}]}");
	buf_fini(&out);
}
END_TEST

START_TEST(leaves_an_empty_cursor_out)
{
	struct buf out;
	buf_init(&out);
	ck_assert_str_eq(batch(&out, SLICE_NONE, 0), "{\"op\":\"events\",\"sub\":\"s-1\",\"events\":[]}");
	buf_fini(&out);
}
END_TEST

START_TEST(begins_a_batch_of_a_replay_with_its_key)
{
	struct buf out;
	buf_init(&out);
	codec_json.replay_head(&out, SLICE_LITERAL("r1"), SLICE_LITERAL("5-0.00c0ffee"), 1);
	codec_json.events_tail(&out);
	buf_append_char(&out, '\0');
	ck_assert_str_eq(out.bytes, "{\"op\":\"events\",\"replay\":\"r1\",\"cursor\":\"5-0.00c0ffee\",\"events\":[]}");
	buf_fini(&out);
}
END_TEST

START_TEST(begins_a_chunk_with_the_id_of_its_request)
{
	struct value number = {.kind = VALUE_NUMBER, .text = SLICE_LITERAL("1e3")};
	struct value string = {.kind = VALUE_STRING, .text = SLICE_LITERAL("a\"b")};
	struct buf out;
	buf_init(&out);
	codec_json.chunk_head(&out, &number, 0, 1);
	codec_json.events_tail(&out);
	codec_json.chunk_head(&out, &string, UINT64_MAX, 1);
	codec_json.events_tail(&out);
	buf_append_char(&out, '\0');
	ck_assert_str_eq(out.bytes, "{\"op\":\"chunk\",\"id\":1e3,\"seq\":0,\"events\":[]}"
				    "{\"op\":\"chunk\",\"id\":\"a\\\"b\",\"seq\":18446744073709551615,\"events\":[]}");
	buf_fini(&out);
}
END_TEST

START_TEST(gives_a_member_as_it_was_sent)
{
	static const char message[] = " {\"x\":[{\"data\":1}] , \"da\\u0074a\" :\t{\"b\": 1.00,\"a\":12345678901234567890123} }";
	struct arena arena;
	struct slice json;
	arena_init(&arena, 4096);
	ck_assert(codec_json.member(&arena, slice_of(message), "data", &json));
	ck_assert(slice_is(json, "{\"b\": 1.00,\"a\":12345678901234567890123}"));
	ck_assert(!codec_json.member(&arena, slice_of(message), "b", &json));
	arena_fini(&arena);
}
END_TEST

START_TEST(says_why_a_message_cannot_be_read)
{
	struct arena arena;
	struct value *value = NULL;
	char why[128] = "";
	arena_init(&arena, 4096);
	ck_assert_int_eq(codec_json.decode(&arena, slice_of("{\"op\":ping}"), &value, why), ERR_INVALID);
	ck_assert_str_eq(why, "not valid JSON: expected a value at byte 6");
	ck_assert_int_eq(codec_json.decode(&arena, slice_of("{\"op\":\"ping\"}"), &value, why), OK);
	ck_assert(slice_is(value_get(value, "op")->text, "ping"));
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec_json");
	TCase *cases = tcase_create("codec_json");
	tcase_add_test(cases, writes_a_batch_of_events);
	tcase_add_test(cases, leaves_an_empty_cursor_out);
	tcase_add_test(cases, begins_a_batch_of_a_replay_with_its_key);
	tcase_add_test(cases, begins_a_chunk_with_the_id_of_its_request);
	tcase_add_test(cases, gives_a_member_as_it_was_sent);
	tcase_add_test(cases, says_why_a_message_cannot_be_read);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
