#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/protocol/record.h"
#include "gateway/feed/intake.h"
#include "tests/support/suite.h"

static struct record *make(uint64_t ts_ms)
{
	struct record *record =
	    intake_record(&intake_fields_default, slice_of("trace:s1"), slice_of("{\"agentId\":\"a1\"}"), ts_ms, 5);
	ck_assert_ptr_nonnull(record);
	return record;
}

static void assert_element(const struct record *record, const char *expected)
{
	ck_assert_msg(slice_is(record->element, expected), "%.*s", (int)record->element.len, record->element.ptr);
	ck_assert(slice_is(record->channel, "trace:s1"));
	ck_assert(slice_is(record->payload, "{\"agentId\":\"a1\"}"));
	ck_assert(slice_is(record->session, "s1"));
	ck_assert(slice_is(record->agent, "a1"));
}

START_TEST(a_stamp_puts_the_id_in_front_and_its_time_in_place)
{
	struct record *record = make(1764031200123);
	assert_element(record, "{\"channel\":\"trace:s1\",\"ts\":1764031200123,\"data\":{\"agentId\":\"a1\"}}");
	ck_assert(record->ts_ms == 1764031200123 && record->id.ms == 0);
	record_stamp(record, (struct record_id){1764031200456, 0});
	assert_element(
	    record,
	    "{\"id\":\"1764031200456-0\",\"channel\":\"trace:s1\",\"ts\":1764031200456,\"data\":{\"agentId\":\"a1\"}}");
	ck_assert(record->ts_ms == 1764031200456 && record->id.ms == 1764031200456 && record->id.seq == 0);
	record_unref(record);
}
END_TEST

START_TEST(a_stamp_of_any_size_fits)
{
	struct record *record = make(UINT64_MAX);
	record_stamp(record, (struct record_id){UINT64_MAX, UINT64_MAX});
	assert_element(record, "{\"id\":\"18446744073709551615-18446744073709551615\",\"channel\":\"trace:s1\","
	                       "\"ts\":18446744073709551615,\"data\":{\"agentId\":\"a1\"}}");
	record_unref(record);
	record = make(1764031200123);
	record_stamp(record, (struct record_id){UINT64_MAX, UINT64_MAX});
	assert_element(record, "{\"id\":\"18446744073709551615-18446744073709551615\",\"channel\":\"trace:s1\","
	                       "\"ts\":18446744073709551615,\"data\":{\"agentId\":\"a1\"}}");
	record_unref(record);
}
END_TEST

START_TEST(a_short_time_is_padded_with_space)
{
	struct record *record = make(0);
	assert_element(record, "{\"channel\":\"trace:s1\",\"ts\":            0,\"data\":{\"agentId\":\"a1\"}}");
	record_stamp(record, (struct record_id){7, 12});
	assert_element(record,
	               "{\"id\":\"7-12\",\"channel\":\"trace:s1\",\"ts\":            7,\"data\":{\"agentId\":\"a1\"}}");
	record_unref(record);
}
END_TEST

START_TEST(lives_until_its_last_reference_goes)
{
	struct record *record = make(1764031200123);
	ck_assert_ptr_eq(record_ref(record), record);
	record_unref(record);
	assert_element(record, "{\"channel\":\"trace:s1\",\"ts\":1764031200123,\"data\":{\"agentId\":\"a1\"}}");
	record_unref(record);
	record_unref(NULL);
}
END_TEST

START_TEST(a_batch_owns_its_records)
{
	struct record *record = make(1764031200123);
	struct record_batch *batch = record_batch_new(2);
	ck_assert_ptr_nonnull(batch);
	record_batch_add(batch, record_ref(record));
	record_batch_add(batch, make(1764031200124));
	ck_assert_uint_eq(batch->count, 2);
	ck_assert_uint_eq(batch->capacity, 2);
	ck_assert_ptr_eq(record_batch_ref(batch), batch);
	record_batch_unref(batch);
	ck_assert_ptr_eq(batch->records[0], record);
	record_batch_unref(batch);
	assert_element(record, "{\"channel\":\"trace:s1\",\"ts\":1764031200123,\"data\":{\"agentId\":\"a1\"}}");
	record_unref(record);
	record_batch_unref(NULL);
	ck_assert_ptr_null(record_batch_new(SIZE_MAX));
}
END_TEST

START_TEST(takes_the_kind_from_before_the_first_colon)
{
	ck_assert_int_eq(record_kind_of(slice_of("trace:s1")), RECORD_TRACE);
	ck_assert_int_eq(record_kind_of(slice_of("agent:")), RECORD_AGENT);
	ck_assert_int_eq(record_kind_of(slice_of("swarm:a:b")), RECORD_SWARM);
	ck_assert_int_eq(record_kind_of(slice_of("performance:x")), RECORD_PERFORMANCE);
	ck_assert_int_eq(record_kind_of(slice_of("system:n1")), RECORD_SYSTEM);
	static const char *const others[] = {"",       ":",        "trace",          "TRACE:1", "traces:1",
	                                     "trac:1", " trace:1", "systems:node.up", ":trace:"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ck_assert_msg(record_kind_of(slice_of(others[i])) == RECORD_OTHER, "%s", others[i]);
	ck_assert_int_eq(record_kind_of(SLICE_NONE), RECORD_OTHER);
	for (enum record_kind kind = RECORD_TRACE; kind < RECORD_OTHER; kind++) {
		char channel[32];
		snprintf(channel, sizeof channel, "%s:x", record_kind_name(kind));
		ck_assert_int_eq(record_kind_of(slice_of(channel)), kind);
	}
	ck_assert_str_eq(record_kind_name(RECORD_OTHER), "other");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("record");
	TCase *cases = tcase_create("record");
	tcase_add_test(cases, a_stamp_puts_the_id_in_front_and_its_time_in_place);
	tcase_add_test(cases, a_stamp_of_any_size_fits);
	tcase_add_test(cases, a_short_time_is_padded_with_space);
	tcase_add_test(cases, lives_until_its_last_reference_goes);
	tcase_add_test(cases, a_batch_owns_its_records);
	tcase_add_test(cases, takes_the_kind_from_before_the_first_colon);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
