#include <check.h>
#include <stdlib.h>

#include "gateway/feed/intake.h"
#include "gateway/session/conflation.h"
#include "tests/support/suite.h"

static struct record *make(const char *channel, const char *payload)
{
	struct record *record = intake_record(&intake_fields_default, slice_of(channel), slice_of(payload), 1, 1);
	ck_assert_ptr_nonnull(record);
	return record;
}

static size_t put(struct conflation *conflation, const char *channel, const char *payload)
{
	struct record *record = make(channel, payload);
	size_t gone = conflation_put(conflation, record);
	record_unref(record);
	return gone;
}

static void expect(struct conflation *conflation, const char *payload)
{
	struct record *record = conflation_take(conflation);
	ck_assert_ptr_nonnull(record);
	ck_assert_uint_eq(record->payload.len, strlen(payload));
	ck_assert_mem_eq(record->payload.ptr, payload, strlen(payload));
	record_unref(record);
}

START_TEST(keeps_the_newest_of_each_channel_and_agent)
{
	struct conflation *conflation = conflation_new(1 << 20);
	ck_assert_uint_eq(put(conflation, "trace:a", "{\"agent\":\"x\",\"n\":1}"), 0);
	ck_assert_uint_eq(put(conflation, "trace:a", "{\"agent\":\"y\",\"n\":2}"), 0);
	ck_assert_uint_eq(put(conflation, "trace:b", "{\"agent\":\"x\",\"n\":3}"), 0);
	ck_assert_uint_eq(put(conflation, "trace:a", "{\"agent\":\"x\",\"n\":4}"), 1);
	ck_assert_uint_eq(conflation_count(conflation), 3);
	expect(conflation, "{\"agent\":\"y\",\"n\":2}");
	expect(conflation, "{\"agent\":\"x\",\"n\":3}");
	expect(conflation, "{\"agent\":\"x\",\"n\":4}");
	ck_assert_ptr_null(conflation_take(conflation));
	conflation_free(conflation);
}
END_TEST

START_TEST(tells_channel_and_agent_apart_wherever_the_border_is)
{
	struct conflation *conflation = conflation_new(1 << 20);
	ck_assert_uint_eq(put(conflation, "trace:ab", "{\"agent\":\"c\"}"), 0);
	ck_assert_uint_eq(put(conflation, "trace:a", "{\"agent\":\"bc\"}"), 0);
	ck_assert_uint_eq(conflation_count(conflation), 2);
	conflation_free(conflation);
}
END_TEST

START_TEST(pushes_out_the_oldest_beyond_its_limit_but_keeps_one)
{
	struct conflation *conflation = conflation_new(150);
	ck_assert_uint_eq(put(conflation, "trace:1", "{\"text\":\"0123456789012345678901234567890123456789\"}"), 0);
	ck_assert_uint_eq(put(conflation, "trace:2", "{\"text\":\"0123456789012345678901234567890123456789\"}"), 1);
	ck_assert_uint_eq(conflation_count(conflation), 1);
	conflation_free(conflation);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conflation");
	TCase *tests = tcase_create("conflation");
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, keeps_the_newest_of_each_channel_and_agent);
	tcase_add_test(tests, tells_channel_and_agent_apart_wherever_the_border_is);
	tcase_add_test(tests, pushes_out_the_oldest_beyond_its_limit_but_keeps_one);
	return suite_run(suite);
}
