#include "fake_past.h"

#include "common/codec/json.h"
#include "gateway/session/reader.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct arena arena;
static struct filter *all, *one, *several;
static int ready;

static struct filter *filter_of(const char *json)
{
	struct value *value;
	struct json_error error;
	struct filter_error refused;
	struct filter *filter;
	ck_assert_int_eq(json_decode(&arena, slice_of(json), &value, &error), OK);
	ck_assert_int_eq(filter_compile(NULL, value, (struct filter_patterns){fake_patterns, 4}, &filter, &refused), OK);
	return filter;
}

static void on_ready(struct reader *reader, void *context)
{
	(void)reader;
	ck_assert_ptr_eq(context, &ready);
	ready++;
}

static void setup(void)
{
	fake_start();
	fake_past_start();
	arena_init(&arena, 1 << 16);
	all = filter_of("{}");
	one = filter_of("{\"session\":[\"s1\"]}");
	several = filter_of("{\"session\":[\"s1\",\"s2\"]}");
	struct exchange_settings settings = past_settings();
	exchange = exchange_new(&settings);
	tell_feed(exchange, true);
	for (int i = 0; i < 50; i++)
		record_events(exchange, i % 2, 1);
	ready = 0;
}

static void teardown(void)
{
	filter_unref(all);
	filter_unref(one);
	filter_unref(several);
	arena_fini(&arena);
	exchange_free(exchange);
	ck_assert_uint_eq(past.waiting_count, 0);
	fake_past_end();
	fake_end();
}

static struct reader *open_from(struct filter *filter, uint64_t from, struct record_id to)
{
	struct reader *reader = reader_open(exchange, filter, (struct reader_range){.from = fake_id(from, 0), .to = to}, on_ready, &ready);
	ck_assert_ptr_nonnull(reader);
	return reader;
}

/* Reads, answering what is asked, until there is no record; gives their number. */
static unsigned read_all(struct reader *reader, uint64_t first, uint64_t stride, enum reader_step *ret_step)
{
	unsigned count = 0;
	const struct record *record;
	for (;;) {
		enum reader_step step = reader_next(reader, &record);
		if (step == READER_WAIT) {
			fake_answer(exchange, 0, OK);
		} else if (step == READER_RECORD) {
			ck_assert_uint_eq(record->id.ms, first + stride * count++);
			ck_assert_int_eq(record_id_compare(reader_place(reader), record->id), 0);
		} else if (step != READER_MORE) {
			*ret_step = step;
			return count;
		}
	}
}

START_TEST(reads_pages_then_the_ring_up_to_the_head)
{
	struct reader *reader = open_from(all, 0, RECORD_ID_MAX);
	enum reader_step step;
	ck_assert_uint_eq(read_all(reader, 1, 1, &step), 50);
	ck_assert_int_eq(step, READER_END);
	ck_assert_uint_eq(past.asked, 4); /* 34 in pages of 10, 16 in the ring */
	ck_assert_int_eq(ready, 4);
	record_events(exchange, 0, 2);
	ck_assert_uint_eq(read_all(reader, 51, 1, &step), 2);
	ck_assert_uint_eq(past.asked, 4);
	reader_close(reader);
}
END_TEST

START_TEST(the_place_moves_over_what_the_filter_keeps_out)
{
	struct reader *reader = open_from(several, 40, RECORD_ID_MAX);
	enum reader_step step;
	record_events(exchange, 0, 3);
	ck_assert_uint_eq(read_all(reader, 42, 2, &step), 5);
	ck_assert_uint_eq(reader_place(reader).ms, 53);
	reader_close(reader);
}
END_TEST

/* The sessions whose streams a reader asks for, one character each; "log": it asks for the log. */
static const char *sources_of(struct filter *filter)
{
	static char names[64];
	size_t count = 0;
	struct reader *reader = open_from(filter, 5, RECORD_ID_MAX);
	const struct record *record;
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	for (size_t i = 0; i < past.waiting_count; i++) {
		struct slice session = past.waiting[i]->page.session;
		names[count++] = session.len ? session.ptr[session.len - 1] : 'l';
	}
	names[count] = '\0';
	reader_close(reader);
	ck_assert_uint_eq(past.waiting_count, 0);
	return names;
}

START_TEST(reads_the_streams_of_the_sessions_that_are_named_and_else_the_log)
{
	char many[32 * 17], longest[600] = "{\"session\":[\"s1\",\"";
	strcpy(many, "{\"session\":[\"s0\"");
	for (int i = 1; i < 17; i++)
		sprintf(many + strlen(many), ",\"s%d\"", i);
	strcat(many, "]}");
	memset(longest + strlen(longest), 'x', 513);
	strcat(longest, "\"]}");
	struct filter *too_many = filter_of(many), *too_long = filter_of(longest);
	ck_assert_str_eq(sources_of(one), "1");
	ck_assert_str_eq(sources_of(several), "12");
	ck_assert_str_eq(sources_of(too_many), "l");
	ck_assert_str_eq(sources_of(too_long), "l");
	ck_assert_str_eq(sources_of(all), "l");
	filter_unref(too_many);
	filter_unref(too_long);
}
END_TEST

START_TEST(never_reads_ahead_of_who_pulls)
{
	struct reader *reader = open_from(all, 0, RECORD_ID_MAX);
	const struct record *record;
	ck_assert_uint_eq(past.asked, 0);
	ck_assert_int_eq(reader_peek(reader), READER_WAIT);
	ck_assert_int_eq(reader_peek(reader), READER_WAIT);
	ck_assert_uint_eq(past.asked, 1);
	fake_answer(exchange, 0, OK);
	ck_assert_int_eq(reader_peek(reader), READER_MORE);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(reader_next(reader, &record), READER_RECORD);
	ck_assert_uint_eq(past.asked, 1);
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	ck_assert_uint_eq(past.asked, 2);
	reader_close(reader);
}
END_TEST

START_TEST(a_range_ends_where_it_was_asked_to)
{
	struct reader *reader = open_from(all, 3, fake_id(30, 0));
	enum reader_step step;
	ck_assert_uint_eq(read_all(reader, 4, 1, &step), 27);
	ck_assert_int_eq(step, READER_END);
	ck_assert_uint_eq(read_all(reader, 0, 0, &step), 0);
	ck_assert_int_eq(step, READER_END);
	reader_close(reader);
}
END_TEST

START_TEST(says_a_gap_once_where_the_log_lost_something)
{
	past.trimmed = fake_id(20, 0);
	struct reader *reader = open_from(all, 3, RECORD_ID_MAX);
	enum reader_step step;
	ck_assert_int_eq(reader_peek(reader), READER_WAIT);
	fake_answer(exchange, 0, OK);
	ck_assert_int_eq(reader_peek(reader), READER_GAP);
	ck_assert_uint_eq(read_all(reader, 0, 0, &step), 0);
	ck_assert_int_eq(step, READER_GAP);
	ck_assert_uint_eq(reader_gap_after(reader).ms, 3);
	ck_assert_uint_eq(reader_gap_before(reader).ms, 21);
	ck_assert_uint_eq(read_all(reader, 21, 1, &step), 30);
	ck_assert_int_eq(step, READER_END);
	reader_close(reader);
}
END_TEST

/* What the session's stream has lost up to the id, to who is granted this. */
static struct record_id gap_before_for(const char *grant)
{
	struct filter *scope = filter_of(grant), *both = filter_within(one, scope);
	struct reader *reader = open_from(both, 3, RECORD_ID_MAX);
	enum reader_step step;
	ck_assert_uint_eq(read_all(reader, 0, 0, &step), 0);
	ck_assert_int_eq(step, READER_GAP);
	struct record_id before = reader_gap_before(reader);
	reader_close(reader);
	filter_unref(both);
	filter_unref(scope);
	return before;
}

START_TEST(a_gap_names_no_event_that_who_asks_does_not_get)
{
	past.session_trimmed[1] = fake_id(20, 0);
	ck_assert_uint_eq(gap_before_for("{\"session\":[\"s1\"]}").ms, 22);
	ck_assert_uint_eq(gap_before_for("{\"type\":[\"other\"]}").ms, 0);
}
END_TEST

START_TEST(nothing_is_asked_for_who_is_granted_other_sessions)
{
	const struct record *record;
	struct filter *scope = filter_of("{\"session\":[\"s0\",\"s2\"]}"), *both = filter_within(one, scope);
	past.session_trimmed[1] = fake_id(20, 0);
	for (int i = 0; i < 2; i++) {
		struct reader *reader = open_from(both, 3, i ? RECORD_ID_MAX : fake_id(30, 0));
		ck_assert_int_eq(reader_peek(reader), READER_MORE);
		ck_assert_int_eq(reader_next(reader, &record), READER_END);
		ck_assert_int_eq(reader_next(reader, &record), READER_END);
		reader_close(reader);
	}
	ck_assert_uint_eq(past.asked, 0);
	filter_unref(both);
	both = filter_within(several, scope);
	ck_assert_str_eq(sources_of(both), "2");
	filter_unref(both);
	filter_unref(scope);
}
END_TEST

START_TEST(a_failure_is_said_once_and_asking_again_tries_again)
{
	struct reader *reader = open_from(all, 0, RECORD_ID_MAX);
	const struct record *record;
	enum reader_step step;
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	fake_answer(exchange, 0, ERR_CLOSED);
	ck_assert_int_eq(reader_next(reader, &record), READER_FAILED);
	ck_assert_int_eq(reader_error(reader), ERR_CLOSED);
	ck_assert_str_eq(reader_why(reader), "the test says so");
	ck_assert_uint_eq(read_all(reader, 1, 1, &step), 50);
	reader_close(reader);
}
END_TEST

START_TEST(the_ring_takes_over_while_a_page_is_on_its_way)
{
	struct exchange_settings settings = past_settings();
	exchange_free(exchange);
	settings.ring_records_max = 1000;
	exchange = exchange_new(&settings);
	tell_feed(exchange, true);
	struct reader *reader = open_from(all, 45, RECORD_ID_MAX);
	const struct record *record;
	enum reader_step step;
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	past.epoch++; /* the log is begun anew behind what it held */
	past.base = fake_id(45, 0);
	past.count = 45;
	tell_feed(exchange, true);
	record_events(exchange, 0, 3);
	ck_assert_uint_eq(read_all(reader, 46, 1, &step), 3);
	ck_assert_int_eq(step, READER_END);
	ck_assert_uint_eq(past.cancelled, 1);
	reader_close(reader);
}
END_TEST

START_TEST(what_the_node_has_not_delivered_yet_is_left_to_it)
{
	struct exchange_settings settings = past_settings();
	exchange_free(exchange);
	exchange = exchange_new(&settings);
	past.count = 21;
	tell_feed(exchange, true);
	past.count = 25;
	past.page_entries = 100;
	struct reader *reader = open_from(one, 5, RECORD_ID_MAX);
	enum reader_step step;
	ck_assert_uint_eq(read_all(reader, 6, 2, &step), 8);
	ck_assert_int_eq(step, READER_END);
	ck_assert_uint_eq(reader_place(reader).ms, 21);
	deliver_since(exchange, fake_id(21, 0), 21);
	ck_assert_uint_eq(read_all(reader, 22, 2, &step), 2);
	reader_close(reader);
}
END_TEST

START_TEST(a_page_that_is_let_go_is_asked_for_anew)
{
	struct reader *reader = open_from(all, 0, RECORD_ID_MAX);
	const struct record *record;
	enum reader_step step;
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	fake_answer(exchange, 0, OK);
	ck_assert_int_eq(reader_next(reader, &record), READER_RECORD);
	reader_let_go(reader);
	ck_assert_uint_eq(read_all(reader, 2, 1, &step), 49);
	reader_close(reader);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reader");
	TCase *tests = tcase_create("reader");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, reads_pages_then_the_ring_up_to_the_head);
	tcase_add_test(tests, the_place_moves_over_what_the_filter_keeps_out);
	tcase_add_test(tests, reads_the_streams_of_the_sessions_that_are_named_and_else_the_log);
	tcase_add_test(tests, never_reads_ahead_of_who_pulls);
	tcase_add_test(tests, a_range_ends_where_it_was_asked_to);
	tcase_add_test(tests, says_a_gap_once_where_the_log_lost_something);
	tcase_add_test(tests, a_gap_names_no_event_that_who_asks_does_not_get);
	tcase_add_test(tests, nothing_is_asked_for_who_is_granted_other_sessions);
	tcase_add_test(tests, a_failure_is_said_once_and_asking_again_tries_again);
	tcase_add_test(tests, the_ring_takes_over_while_a_page_is_on_its_way);
	tcase_add_test(tests, what_the_node_has_not_delivered_yet_is_left_to_it);
	tcase_add_test(tests, a_page_that_is_let_go_is_asked_for_anew);
	return suite_run(suite);
}
