#include "fake_log.h"

#include "common/codec/json.h"
#include "gateway/session/history_query.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct grants *everything;
static struct arena arena;
static struct history_query query;
static struct history_error error;

static void begin(struct exchange_past past)
{
	struct exchange_settings settings = fake_settings();
	settings.past = past;
	settings.ring_records_max = 16;
	settings.ring_bytes_max = 4096;
	settings.batch_max_events = 300;
	fake_start();
	everything = fake_grants();
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
	exchange_feed_state(exchange, &(struct feed_state){
					  .log = {.epoch = FAKE_LOG_EPOCH, .base = {50, 0}, .last = {9000, 3}}, .is_recorded = true});
	arena_init(&arena, 65536);
}

static void setup(void)
{
	begin((struct exchange_past){log_ask, NULL});
}

static void setup_without_history(void)
{
	begin((struct exchange_past){NULL, NULL});
}

static void teardown(void)
{
	arena_fini(&arena);
	exchange_free(exchange);
	grants_unref(everything);
	fake_end();
}

static enum err read_query(const char *text)
{
	struct value *body;
	ck_assert_int_eq(json_decode(&arena, slice_of(text), &body, NULL), OK);
	return history_query_of(exchange, everything, &arena, body, &query, &error);
}

static void assert_range(const char *text, struct record_id from, struct record_id to)
{
	ck_assert_msg(read_query(text) == OK, "%s", error.message);
	ck_assert_msg(record_id_compare(query.range.from, from) == 0 && record_id_compare(query.range.to, to) == 0,
		      "%s is %llu-%llu to %llu-%llu", text, (unsigned long long)query.range.from.ms,
		      (unsigned long long)query.range.from.seq, (unsigned long long)query.range.to.ms,
		      (unsigned long long)query.range.to.seq);
	filter_unref(query.filter);
}

#define ALL ((struct record_id){UINT64_MAX, UINT64_MAX - 1})

START_TEST(ranges_begin_behind_what_is_before_them)
{
	assert_range("{}", (struct record_id){0, 0}, ALL);
	ck_assert(query.is_from_start && !query.range.is_reverse && !query.is_empty && !query.is_reset);
	assert_range("{\"from\":1000}", (struct record_id){999, UINT64_MAX}, ALL);
	ck_assert(!query.is_from_start);
	assert_range("{\"from\":\"1000-5\",\"to\":\"1000-5\"}", (struct record_id){1000, 4}, (struct record_id){1000, 5});
	assert_range("{\"to\":1000}", (struct record_id){0, 0}, (struct record_id){1000, UINT64_MAX});
	assert_range("{\"from\":\"now\"}", (struct record_id){9000, 2}, ALL);
	assert_range("{\"from\":\"now\",\"to\":\"now\"}", (struct record_id){9000, 2}, ALL);
	assert_range("{\"after\":\"1000-5\"}", (struct record_id){1000, 5}, ALL);
	assert_range("{\"after\":1000}", (struct record_id){1000, UINT64_MAX}, ALL);
	assert_range("{\"after\":1000,\"from\":2000}", (struct record_id){1999, UINT64_MAX}, ALL);
}
END_TEST

START_TEST(in_reverse_they_begin_at_their_end)
{
	assert_range("{\"reverse\":true}", RECORD_ID_MAX, (struct record_id){0, 0});
	ck_assert(query.range.is_reverse);
	assert_range("{\"reverse\":true,\"from\":\"7-0\",\"to\":\"9-0\"}", (struct record_id){9, 1}, (struct record_id){7, 0});
	assert_range("{\"reverse\":true,\"to\":9}", (struct record_id){10, 0}, (struct record_id){0, 0});
	assert_range("{\"reverse\":true,\"after\":\"9-3\"}", (struct record_id){9, 3}, (struct record_id){0, 0});
	assert_range("{\"reverse\":true,\"after\":9}", (struct record_id){9, 0}, (struct record_id){0, 0});
}
END_TEST

static const char *const empty[] = {
	"{\"after\":\"9-0\",\"to\":\"9-0\"}",
	"{\"after\":\"18446744073709551615-18446744073709551615\"}",
	"{\"reverse\":true,\"after\":\"earliest\"}",
	"{\"reverse\":true,\"from\":\"9-0\",\"after\":\"9-0\"}",
};

START_TEST(says_when_nothing_can_lie_in_the_range)
{
	ck_assert_int_eq(read_query(empty[_i]), OK);
	ck_assert(query.is_empty);
	filter_unref(query.filter);
}
END_TEST

START_TEST(a_cursor_of_another_log_is_told_and_begins_at_the_base)
{
	assert_range("{\"after\":\"70-0.12345678\"}", (struct record_id){50, 0}, ALL);
	ck_assert(query.is_reset);
	assert_range("{\"after\":\"40-0.12345678\"}", (struct record_id){40, 0}, ALL);
	ck_assert(query.is_reset);
	assert_range("{\"after\":\"70-0.00c0ffee\"}", (struct record_id){70, 0}, ALL);
	ck_assert(!query.is_reset);
	assert_range("{\"from\":\"70-0.12345678\"}", (struct record_id){69, UINT64_MAX}, ALL);
	ck_assert(!query.is_reset);
}
END_TEST

START_TEST(has_its_bounds)
{
	assert_range("{}", (struct record_id){0, 0}, ALL);
	ck_assert_uint_eq(query.limit, HISTORY_LIMIT_DEFAULT);
	ck_assert_uint_eq(query.chunk, 300);
	assert_range("{\"limit\":100000,\"chunk\":1}", (struct record_id){0, 0}, ALL);
	ck_assert_uint_eq(query.limit, HISTORY_LIMIT_MAX);
	ck_assert_uint_eq(query.chunk, 1);
	ck_assert_int_eq(read_query("{\"chunk\":301}"), ERR_INVALID);
	ck_assert_str_eq(error.code, "bad_request");
	ck_assert_str_eq(error.message, "chunk: a whole number from 1 to 300 is needed");
}
END_TEST

START_TEST(a_session_narrows_the_filter)
{
	struct slice session;
	ck_assert_int_eq(read_query("{\"session\":\"s\",\"filter\":{\"session\":[\"r\",\"s\"],\"type\":[\"t\"]}}"), OK);
	ck_assert(filter_single_session(query.filter, &session) && slice_is(session, "s"));
	filter_unref(query.filter);
	ck_assert_int_eq(read_query("{\"session\":\"s\",\"filter\":{\"session\":[\"r\"]}}"), OK);
	ck_assert_ptr_null(query.filter);
	ck_assert_int_eq(read_query("{\"session\":\"s\",\"filter\":{\"session\":[]}}"), ERR_INVALID);
	ck_assert_str_eq(error.code, "bad_filter");
}
END_TEST

START_TEST(without_history_there_is_none)
{
	ck_assert_int_eq(read_query("{}"), ERR_UNSUPPORTED);
	ck_assert_str_eq(error.code, "no_history");
}
END_TEST

START_TEST(says_when_memory_is_out)
{
	struct arena small;
	struct value *body;
	ck_assert_int_eq(json_decode(&arena, slice_of("{\"session\":\"s\"}"), &body, NULL), OK);
	arena_init(&small, 0);
	ck_assert_int_eq(history_query_of(exchange, everything, &small, body, &query, &error), ERR_NOMEM);
	ck_assert_str_eq(error.code, "internal");
	arena_fini(&small);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("history_query");
	TCase *tests = tcase_create("history_query"), *none = tcase_create("none");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_checked_fixture(none, setup_without_history, teardown);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, none);
	tcase_add_test(tests, ranges_begin_behind_what_is_before_them);
	tcase_add_test(tests, in_reverse_they_begin_at_their_end);
	tcase_add_loop_test(tests, says_when_nothing_can_lie_in_the_range, 0, sizeof empty / sizeof empty[0]);
	tcase_add_test(tests, a_cursor_of_another_log_is_told_and_begins_at_the_base);
	tcase_add_test(tests, has_its_bounds);
	tcase_add_test(tests, a_session_narrows_the_filter);
	tcase_add_test(tests, says_when_memory_is_out);
	tcase_add_test(none, without_history_there_is_none);
	return suite_run(suite);
}
