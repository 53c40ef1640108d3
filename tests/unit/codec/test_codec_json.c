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
	tcase_add_test(cases, says_why_a_message_cannot_be_read);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
