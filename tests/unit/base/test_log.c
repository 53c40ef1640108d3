#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/ip.h"
#include "common/base/log.h"
#include "common/thread/thread.h"
#include "tests/support/suite.h"

#define AT_MS UINT64_C(1795581325123) /* 2026-11-25T04:35:25.123Z */
#define THREADS 4
#define LINES_EACH 200

static char captured[16384];
static size_t captured_len;
static _Atomic unsigned captured_lines;

static void on_line(const char *line, size_t len, void *context)
{
	(void)context;
	ck_assert_uint_lt(captured_len + len, sizeof captured);
	memcpy(captured + captured_len, line, len);
	captured_len += len;
	captured[captured_len] = '\0';
}

static void on_line_count(const char *line, size_t len, void *context)
{
	(void)context;
	if (len && line[len - 1] == '\n' && !memchr(line, '\n', len - 1))
		captured_lines++;
}

static void begin(const char *levels, bool as_json)
{
	captured_len = 0;
	captured[0] = '\0';
	clock_fake(5 * NS_PER_S, AT_MS);
	ck_assert_int_eq(log_setup(levels, as_json, "n\"1"), OK);
	log_capture(on_line, NULL);
}

START_TEST(writes_text_with_fields)
{
	begin("info", false);
	log_info("redis", "connected", log_text("host", "127.0.0.1"), log_int("port", 6379));
	ck_assert_str_eq(captured, "2026-11-25T04:35:25.123Z info  redis    connected  host=127.0.0.1 port=6379\n");
}
END_TEST

START_TEST(writes_addresses_in_their_short_form)
{
	struct ip v4, v6, none = {.is_known = false};
	ck_assert(ip_read(SLICE_LITERAL("::ffff:192.0.2.1"), &v4));
	ck_assert(ip_read(SLICE_LITERAL("2001:DB8:0::1"), &v6));
	begin("info", false);
	log_info("wire", "gone", log_ip("address", &v4), log_ip("other", &v6), log_ip("none", &none));
	ck_assert_str_eq(captured, "2026-11-25T04:35:25.123Z info  wire     gone  address=192.0.2.1 other=2001:db8::1 none=-\n");
	begin("info", true);
	log_info("wire", "gone", log_ip("address", &v6));
	ck_assert_ptr_nonnull(strstr(captured, ",\"address\":\"2001:db8::1\"}\n"));
}
END_TEST

START_TEST(writes_a_message_alone)
{
	begin("info", false);
	log_error("wire", "gone");
	ck_assert_str_eq(captured, "2026-11-25T04:35:25.123Z error wire     gone\n");
}
END_TEST

START_TEST(writes_json_with_node_and_fields)
{
	begin("info", true);
	log_warn("redis", "lost", log_text("cause", "a b"), log_int("attempt", -3));
	ck_assert_str_eq(
	    captured,
	    "{\"time\":\"2026-11-25T04:35:25.123Z\",\"level\":\"warn\",\"room\":\"redis\",\"message\":\"lost\","
	    "\"node\":\"n\\\"1\",\"cause\":\"a b\",\"attempt\":-3}\n");
}
END_TEST

static const struct {
	const char *value, *text;
} values[] = {
    {"plain", "plain"},
    {"", "\"\""},
    {"two words", "\"two words\""},
    {"a=b", "\"a=b\""},
    {"say \"x\"", "\"say \\\"x\\\"\""},
    {"back\\slash", "\"back\\\\slash\""},
    {"x\ninfo forged", "\"x\\ninfo forged\""},
    {"\r\t", "\"\\r\\t\""},
    {"\x1b[31m", "\"\\u001b[31m\""},
    {"\x7f", "\"\\u007f\""},
    {"\xC2\x9B", "\"\\u009b\""},
    {"\xE2\x80\xA8", "\"\\u2028\""},
    {"\xC3\xA9", "\"\xC3\xA9\""},
    {"\xF0\x9F\x98\x80", "\"\xF0\x9F\x98\x80\""},
    {"\xFF\xFE", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\xC0\x8A", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"cut\xE2\x82", "\"cut\xEF\xBF\xBD\xEF\xBF\xBD\""},
};

START_TEST(keeps_a_hostile_value_on_its_line)
{
	char expected[256];
	begin("info", false);
	log_info("wire", "m", log_text("v", values[_i].value));
	snprintf(expected, sizeof expected, "2026-11-25T04:35:25.123Z info  wire     m  v=%s\n", values[_i].text);
	ck_assert_str_eq(captured, expected);
}
END_TEST

START_TEST(escapes_a_nul_byte_in_a_slice)
{
	begin("info", true);
	log_info("wire", "m", log_slice("v", SLICE_LITERAL("a\0b")));
	ck_assert_ptr_nonnull(strstr(captured, "\"v\":\"a\\u0000b\"}\n"));
}
END_TEST

START_TEST(cuts_long_values_and_leaves_out_what_does_not_fit)
{
	char *longest = calloc(1, 5001);
	ck_assert_ptr_nonnull(longest);
	memset(longest, '\x01', 5000); /* six bytes each when escaped */
	begin("info", true);
	log_info("wire", "m", log_text("a", longest), log_text("b", longest), log_int("c", 1));
	ck_assert_ptr_nonnull(strstr(captured, "\"a\":\"\\u0001"));
	ck_assert_ptr_null(strstr(captured, "\"b\""));
	ck_assert_ptr_nonnull(strstr(captured, "...\",\"c\":1}\n"));
	free(longest);
}
END_TEST

START_TEST(obeys_the_level_of_each_room)
{
	begin("warn,redis=debug,wire=off", false);
	ck_assert(log_is_on(LOG_LEVEL_WARN, "hub"));
	ck_assert(!log_is_on(LOG_LEVEL_INFO, "hub"));
	ck_assert(log_is_on(LOG_LEVEL_DEBUG, "redis"));
	ck_assert(!log_is_on(LOG_LEVEL_ERROR, "wire"));
	log_info("hub", "no");
	log_error("wire", "no");
	ck_assert_str_eq(captured, "");
}
END_TEST

START_TEST(refuses_bad_levels_and_changes_nothing)
{
	static const char *const bad[] = {
	    "", "loud", "info,", "info,redis", "info,=debug", "info,redis=", "redis=debug=info"};
	begin("error", false);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_msg(!log_is_valid_levels(bad[i]), "%s", bad[i]);
		ck_assert_int_eq(log_setup(bad[i], true, "other"), ERR_INVALID);
	}
	ck_assert(log_is_valid_levels("info, redis=debug , wire=off"));
	ck_assert(!log_is_on(LOG_LEVEL_WARN, "redis"));
}
END_TEST

static void log_one(void)
{
	log_info("hub", "again");
}

START_TEST(holds_repeats_back_and_tells_how_many)
{
	begin("info", false);
	uint64_t before = log_suppressed();
	for (int i = 0; i < LOG_BURST + 7; i++)
		log_one();
	size_t lines = 0;
	for (const char *at = captured; *at; at++)
		lines += *at == '\n';
	ck_assert_uint_eq(lines, LOG_BURST);
	ck_assert_uint_eq(log_suppressed() - before, 7);
	log_info("hub", "another place is not held back");
	ck_assert_ptr_nonnull(strstr(captured, "another place"));
	clock_fake_advance_ms(LOG_WINDOW_MS);
	captured_len = 0;
	log_one();
	ck_assert_ptr_nonnull(strstr(captured, "again  suppressed=7\n"));
	captured_len = 0;
	log_one();
	ck_assert_ptr_null(strstr(captured, "suppressed"));
}
END_TEST

static void *log_many(void *argument)
{
	for (int i = 0; i < LINES_EACH; i++)
		log_info("hub", "shared", log_text("who", argument), log_int("i", i));
	return NULL;
}

START_TEST(loses_no_line_uncounted_between_threads)
{
	struct thread threads[THREADS];
	static char who[] = "peer";
	clock_real();
	ck_assert_int_eq(log_setup("info", false, "n"), OK);
	log_capture(on_line_count, NULL);
	uint64_t before = log_suppressed();
	captured_lines = 0;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(thread_start(&threads[i], "logger", log_many, who), OK);
	for (int i = 0; i < THREADS; i++)
		thread_join(&threads[i]);
	ck_assert_uint_eq(captured_lines + (log_suppressed() - before), THREADS * LINES_EACH);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *cases = tcase_create("log");
	tcase_add_test(cases, writes_text_with_fields);
	tcase_add_test(cases, writes_addresses_in_their_short_form);
	tcase_add_test(cases, writes_a_message_alone);
	tcase_add_test(cases, writes_json_with_node_and_fields);
	tcase_add_loop_test(cases, keeps_a_hostile_value_on_its_line, 0, sizeof values / sizeof values[0]);
	tcase_add_test(cases, escapes_a_nul_byte_in_a_slice);
	tcase_add_test(cases, cuts_long_values_and_leaves_out_what_does_not_fit);
	tcase_add_test(cases, obeys_the_level_of_each_room);
	tcase_add_test(cases, refuses_bad_levels_and_changes_nothing);
	tcase_add_test(cases, holds_repeats_back_and_tells_how_many);
	tcase_add_test(cases, loses_no_line_uncounted_between_threads);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
