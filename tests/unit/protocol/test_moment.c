#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/protocol/log.h"
#include "common/protocol/value.h"
#include "tests/support/suite.h"

#define NOW_MS UINT64_C(1764064800000) /* 2025-11-25T10:00:00Z */

static struct moment parse(const char *text)
{
	struct moment moment;
	char why[128] = "";
	ck_assert_msg(moment_parse_text(slice_of(text), NOW_MS, &moment, why) == OK, "%s: %s", text, why);
	return moment;
}

static void assert_ms(const char *text, uint64_t ms)
{
	struct moment moment = parse(text);
	ck_assert_msg(moment.kind == MOMENT_MS && moment.ms == ms, "%s is %llu", text, (unsigned long long)moment.ms);
}

/* The reason must hold the word. */
static void assert_refused(const char *text, enum err error, const char *word)
{
	struct moment moment = {.ms = 77};
	char why[128] = "";
	enum err got = moment_parse_text(slice_of(text), NOW_MS, &moment, why);
	ck_assert_msg(got == error, "%s: %s, %s", text, err_name(got), why);
	ck_assert_msg(strstr(why, word), "%s: %s", text, why);
	ck_assert_uint_eq(moment.ms, 77);
}

static void assert_value_refused(const struct value *value, enum err error, const char *word)
{
	struct moment moment;
	char why[128] = "";
	ck_assert_int_eq(moment_parse(value, NOW_MS, &moment, why), error);
	ck_assert_msg(strstr(why, word), "%s", why);
}

START_TEST(takes_ids_and_cursors)
{
	struct moment moment = parse("1764031200123-7");
	ck_assert_int_eq(moment.kind, MOMENT_ID);
	ck_assert(moment.cursor.id.ms == UINT64_C(1764031200123) && moment.cursor.id.seq == 7 &&
	          !moment.cursor.has_epoch);
	moment = parse("1764031200123-0.00c0ffee");
	ck_assert_int_eq(moment.kind, MOMENT_ID);
	ck_assert(moment.cursor.has_epoch && moment.cursor.epoch == 0xc0ffee);
	ck_assert_int_eq(parse("18446744073709551615-18446744073709551615").kind, MOMENT_ID);
}
END_TEST

START_TEST(takes_milliseconds_of_64_bits)
{
	assert_ms("0", 0);
	assert_ms("1764031200123", UINT64_C(1764031200123));
	assert_ms("9007199254740993", UINT64_C(9007199254740993));
	assert_ms("18446744073709551615", UINT64_MAX);
	assert_refused("18446744073709551616", ERR_RANGE, "64 bits");
	assert_refused("99999999999999999999999", ERR_RANGE, "64 bits");
}
END_TEST

START_TEST(takes_the_words)
{
	ck_assert_int_eq(parse("earliest").kind, MOMENT_EARLIEST);
	ck_assert_int_eq(parse("now").kind, MOMENT_NOW);
	assert_refused("Now", ERR_INVALID, "\"now\"");
	assert_refused("latest", ERR_INVALID, "\"earliest\"");
}
END_TEST

START_TEST(takes_times_before_now)
{
	assert_ms("-250ms", NOW_MS - 250);
	assert_ms("-30s", NOW_MS - 30000);
	assert_ms("-5m", NOW_MS - 300000);
	assert_ms("-2h", NOW_MS - 7200000);
	assert_ms("-1d", NOW_MS - 86400000);
	assert_ms("-0s", NOW_MS);
	assert_ms("-99999999d", 0);
	assert_refused("-213503982335d", ERR_RANGE, "64 bits");
	assert_refused("-99999999999999999999ms", ERR_RANGE, "64 bits");
	assert_refused("-1h30m", ERR_INVALID, "one unit");
	assert_refused("-1.5h", ERR_INVALID, "whole number");
	assert_refused("-5y", ERR_INVALID, "one unit");
	assert_refused("-m", ERR_INVALID, "\"-5m\"");
	assert_refused("--5m", ERR_INVALID, "\"-5m\"");
	assert_refused("-", ERR_INVALID, "\"-5m\"");
	assert_refused("+5m", ERR_INVALID, "\"-5m\"");
	assert_refused("-1", ERR_RANGE, "negative");
}
END_TEST

START_TEST(takes_iso_times)
{
	assert_ms("2025-11-25T10:00:00Z", NOW_MS);
	assert_ms("2025-11-25t10:00:00z", NOW_MS);
	assert_ms("2025-11-25 10:00:00Z", NOW_MS);
	assert_ms("2025-11-25T10:00Z", NOW_MS);
	assert_ms("2025-11-25", NOW_MS - 36000000);
	assert_ms("2025-11-25T10:00:00", NOW_MS);
	assert_ms("2025-11-25T10:00:00.5Z", NOW_MS + 500);
	assert_ms("2025-11-25T10:00:00.12Z", NOW_MS + 120);
	assert_ms("2025-11-25T10:00:00.123Z", NOW_MS + 123);
	assert_ms("2025-11-25T10:00:00.123999999999", NOW_MS + 123);
	assert_ms("1970-01-01T00:00:00Z", 0);
	assert_ms("9999-12-31T23:59:59.999Z", UINT64_C(253402300799999));
}
END_TEST

START_TEST(counts_zones_and_leap_days)
{
	assert_ms("2025-11-25T12:00:00+02:00", NOW_MS);
	assert_ms("2025-11-25T12:00:00+0200", NOW_MS);
	assert_ms("2025-11-25T12:00+02", NOW_MS);
	assert_ms("2025-11-25T04:30:00-05:30", NOW_MS);
	assert_ms("2025-11-25T10:00:00-00:00", NOW_MS);
	assert_ms("2024-02-29T00:00:00Z", UINT64_C(1709164800000));
	assert_ms("2000-02-29", UINT64_C(951782400000));
	assert_ms("2000-03-01", UINT64_C(951868800000));
	assert_ms("1970-01-01T01:00:00+01:00", 0);
	assert_refused("1970-01-01T00:00:00+00:01", ERR_RANGE, "1970");
	assert_refused("1969-12-31T23:59:59.999Z", ERR_RANGE, "1970");
	assert_refused("0000-01-01", ERR_RANGE, "1970");
}
END_TEST

START_TEST(takes_a_leap_second_as_the_second_behind_it)
{
	assert_ms("2016-12-31T23:59:60Z", UINT64_C(1483228800000));
	assert_ms("2017-01-01T00:00:00Z", UINT64_C(1483228800000));
	assert_ms("2016-12-31T23:59:60.250Z", UINT64_C(1483228800250));
	assert_refused("2016-12-31T23:59:61Z", ERR_RANGE, "calendar");
}
END_TEST

START_TEST(refuses_what_no_calendar_has)
{
	static const char *const times[] = {"2025-02-29", "1900-02-29", "2025-13-01",       "2025-00-01",
	                                    "2025-04-31", "2025-01-00", "2025-01-01T24:00", "2025-01-01T00:60"};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		assert_refused(times[i], ERR_RANGE, "calendar");
}
END_TEST

START_TEST(refuses_other_spellings_of_times)
{
	static const char *const times[] = {
	    "2025-1-25",
	    "2025-11-25T",
	    "2025-11-25T10",
	    "2025-11-25T10:0",
	    "2025-11-25T10:00:",
	    "2025-11-25T10:00:00.",
	    "2025-11-25T10:00:00+",
	    "2025-11-25T10:00:00+1",
	    "2025-11-25T10:00:00+02:",
	    "2025-11-25T10:00:00+24:00",
	    "2025-11-25T10:00:00+02:60",
	    "2025-11-25T10:00:00ZZ",
	    "2025-11-25Z",
	    "2025-11-25T10:00:00 Z",
	    "2025-11-2501",
	    "2025-01",
	};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		assert_refused(times[i], ERR_INVALID, "ISO 8601");
}
END_TEST

START_TEST(refuses_what_is_no_time_and_says_what_is)
{
	assert_refused("", ERR_INVALID, "empty");
	assert_refused("yesterday", ERR_INVALID, "ISO 8601");
	assert_refused(" 5", ERR_INVALID, "a cursor");
	assert_refused("5 ", ERR_INVALID, "a cursor");
	assert_refused("1.5", ERR_INVALID, "milliseconds");
	assert_refused("1e12", ERR_INVALID, "milliseconds");
	assert_refused("1-2-3", ERR_INVALID, "a cursor");
	assert_refused("1764031200123-7.xyz", ERR_INVALID, "a cursor");
}
END_TEST

START_TEST(takes_numbers_and_texts_of_a_request)
{
	struct arena arena;
	struct moment moment;
	char why[128] = "";
	arena_init(&arena, 65536);
	ck_assert_int_eq(moment_parse(value_uint(&arena, NOW_MS), NOW_MS, &moment, why), OK);
	ck_assert(moment.kind == MOMENT_MS && moment.ms == NOW_MS);
	ck_assert_int_eq(moment_parse(value_text(&arena, "-1s"), NOW_MS, &moment, why), OK);
	ck_assert(moment.kind == MOMENT_MS && moment.ms == NOW_MS - 1000);
	assert_value_refused(value_int(&arena, -1), ERR_RANGE, "negative");
	assert_value_refused(value_null(&arena), ERR_INVALID, "no null");
	assert_value_refused(value_bool(&arena, true), ERR_INVALID, "no boolean");
	assert_value_refused(value_array(&arena), ERR_INVALID, "no array");
	assert_value_refused(value_map(&arena), ERR_INVALID, "no object");
	arena_fini(&arena);
}
END_TEST

START_TEST(says_what_is_wrong_with_a_number)
{
	struct value number = {.kind = VALUE_NUMBER, .text = SLICE_LITERAL("1.5")};
	assert_value_refused(&number, ERR_INVALID, "fraction");
	number.text = SLICE_LITERAL("1e12");
	assert_value_refused(&number, ERR_INVALID, "exponent");
	number.text = SLICE_LITERAL("18446744073709551616");
	assert_value_refused(&number, ERR_RANGE, "64 bits");
	number.text = SLICE_LITERAL("-9223372036854775809");
	assert_value_refused(&number, ERR_RANGE, "negative");
}
END_TEST

START_TEST(names_the_first_and_the_last_id_of_a_moment)
{
	const struct record_id last = {900, 4};
	struct moment moment = parse("1000");
	ck_assert(record_id_compare(moment_first(&moment, last), (struct record_id){1000, 0}) == 0);
	ck_assert(record_id_compare(moment_last(&moment, last), (struct record_id){1000, UINT64_MAX}) == 0);
	moment = parse("1000-5");
	ck_assert(record_id_compare(moment_first(&moment, last), (struct record_id){1000, 5}) == 0);
	ck_assert(record_id_compare(moment_last(&moment, last), (struct record_id){1000, 5}) == 0);
	moment = parse("now");
	ck_assert(record_id_compare(moment_first(&moment, last), last) == 0);
	ck_assert(record_id_compare(moment_last(&moment, last), last) == 0);
	moment = parse("earliest");
	ck_assert(record_id_is_zero(moment_first(&moment, last)) && record_id_is_zero(moment_last(&moment, last)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("moment");
	TCase *forms = tcase_create("forms");
	tcase_add_test(forms, takes_ids_and_cursors);
	tcase_add_test(forms, takes_milliseconds_of_64_bits);
	tcase_add_test(forms, takes_the_words);
	tcase_add_test(forms, takes_times_before_now);
	tcase_add_test(forms, takes_iso_times);
	tcase_add_test(forms, counts_zones_and_leap_days);
	tcase_add_test(forms, takes_a_leap_second_as_the_second_behind_it);
	tcase_add_test(forms, takes_numbers_and_texts_of_a_request);
	tcase_add_test(forms, names_the_first_and_the_last_id_of_a_moment);
	suite_add_tcase(suite, forms);
	TCase *refused = tcase_create("refused");
	tcase_add_test(refused, refuses_what_no_calendar_has);
	tcase_add_test(refused, refuses_other_spellings_of_times);
	tcase_add_test(refused, refuses_what_is_no_time_and_says_what_is);
	tcase_add_test(refused, says_what_is_wrong_with_a_number);
	suite_add_tcase(suite, refused);
	return suite_run(suite);
}
