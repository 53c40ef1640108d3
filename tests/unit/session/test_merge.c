/* Streams of several sessions read as one: against a model of the log, in pages of any size, answered in any order, while more
 * is recorded. */
#include "fake_past.h"

#include "common/base/random.h"
#include "common/codec/json.h"
#include "gateway/session/merge.h"
#include "gateway/session/reader.h"
#include "tests/support/suite.h"

#define ROUNDS 400
#define EVENTS 200

static struct exchange *exchange;
static struct arena arena;
static struct random chance;
static struct filter *two, *three;

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

static void begin(void)
{
	fake_past_start();
	struct exchange_settings settings = past_settings();
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
	tell_feed(exchange, true);
}

static void end(void)
{
	exchange_free(exchange);
	ck_assert_uint_eq(past.waiting_count, 0);
	fake_past_end();
}

static void setup(void)
{
	fake_start();
	arena_init(&arena, 1 << 16);
	random_init(&chance);
	two = filter_of("{\"session\":[\"s1\",\"s2\"]}");
	three = filter_of("{\"session\":[\"s0\",\"s1\",\"s3\"]}");
	begin();
}

static void teardown(void)
{
	end();
	filter_unref(two);
	filter_unref(three);
	arena_fini(&arena);
	fake_end();
}

static unsigned below(unsigned bound)
{
	return (unsigned)random_below(&chance, bound);
}

static void on_ready(struct reader *reader, void *context)
{
	(void)reader;
	(void)context;
}

static struct reader *open(struct filter *filter, struct reader_range range)
{
	struct reader *reader = reader_open(exchange, filter, range, on_ready, NULL);
	ck_assert_ptr_nonnull(reader);
	return reader;
}

/* In bursts: a session has much of its own, then another. */
static void record_some(unsigned count)
{
	for (unsigned burst; count; count -= burst) {
		burst = 1 + below(count < 20 ? count : 20);
		record_events(exchange, (int)below(FAKE_SESSIONS), burst);
	}
}

static bool wants_three(int session)
{
	return session != 2;
}

/* What a reader of three gives, next to what the log has. */
struct check {
	struct reader *reader;
	struct reader_range range;
	size_t at; /* in the log: what was looked for already, from its end in reverse */
	size_t given;
};

static const struct fake_event *next_wanted(struct check *check)
{
	while (check->at < past.count) {
		const struct fake_event *event = &past.events[check->range.is_reverse ? past.count - 1 - check->at : check->at];
		struct page_query query = {
			.is_reverse = check->range.is_reverse, .from = check->range.from, .to = check->range.to};
		check->at++;
		if (wants_three(event->session) && fake_is_in(&query, event->id))
			return event;
	}
	return NULL;
}

static void expect_next(struct check *check, const struct record *record)
{
	const struct fake_event *event = next_wanted(check);
	ck_assert_ptr_nonnull(event);
	ck_assert_uint_eq(record->id.ms, event->id.ms);
	check->given++;
}

/* Reads to the end, records more now and then where it may. */
static void read_all(struct check *check, bool may_record)
{
	for (;;) {
		const struct record *record;
		enum reader_step step = reader_next(check->reader, &record);
		if (step == READER_WAIT) {
			ck_assert_uint_gt(past.waiting_count, 0);
			fake_answer(exchange, below((unsigned)past.waiting_count), OK);
		} else if (step == READER_RECORD) {
			expect_next(check, record);
		} else {
			ck_assert_int_ne(step, READER_GAP);
			ck_assert_msg(step != READER_FAILED, "%s", reader_why(check->reader));
			if (step == READER_END)
				return;
		}
		if (may_record && below(20) == 0 && past.count < EVENTS)
			record_some(1 + below(30));
		if (below(30) == 0)
			reader_let_go(check->reader);
	}
}

static void go(struct reader_range range, bool may_record)
{
	struct check check = {.reader = open(three, range), .range = range};
	read_all(&check, may_record);
	ck_assert_ptr_null(next_wanted(&check));
	reader_close(check.reader);
	end();
	begin();
}

START_TEST(gives_what_the_log_has_in_its_order_up_to_the_head)
{
	for (int i = 0; i < ROUNDS; i++) {
		past.page_entries = 1 + below(20);
		record_some(below(100));
		go((struct reader_range){.from = fake_id(below((unsigned)past.count + 1), 0), .to = RECORD_ID_MAX}, true);
	}
}
END_TEST

START_TEST(gives_a_range_forwards_and_backwards)
{
	for (int i = 0; i < ROUNDS; i++) {
		past.page_entries = 1 + below(20);
		record_some(100);
		uint64_t a = below(110), b = below(110);
		struct record_id low = fake_id(a < b ? a : b, 0), high = fake_id(a < b ? b : a, 0);
		if (below(2))
			go((struct reader_range){.from = low, .to = high}, false);
		else
			go((struct reader_range){.from = high, .to = low, .is_reverse = true}, false);
	}
}
END_TEST

START_TEST(asks_again_only_for_the_stream_that_is_used_up)
{
	record_events(exchange, 1, 5);
	record_events(exchange, 2, 40);
	record_events(exchange, 0, 16); /* all that the ring holds */
	struct reader *reader = open(two, (struct reader_range){.to = RECORD_ID_MAX});
	const struct record *record;
	unsigned given = 0;
	for (enum reader_step step; (step = reader_next(reader, &record)) != READER_END;) {
		if (step == READER_WAIT)
			fake_answer(exchange, 0, OK);
		given += step == READER_RECORD;
	}
	ck_assert_uint_eq(given, 45);
	ck_assert_uint_eq(past.asked, 1 + 4);
	reader_close(reader);
}
END_TEST

START_TEST(leaves_out_backwards_what_came_while_the_streams_were_read)
{
	record_events(exchange, 1, 3);
	record_events(exchange, 2, 3);
	struct reader *reader = open(two, (struct reader_range){.from = RECORD_ID_MAX, .is_reverse = true});
	const struct record *record;
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	fake_answer(exchange, 0, OK);
	record_events(exchange, 1, 1);
	record_events(exchange, 2, 1);
	fake_answer(exchange, 0, OK);
	for (unsigned expected = 6; expected > 0; expected--) {
		ck_assert_int_eq(reader_next(reader, &record), READER_RECORD);
		ck_assert_uint_eq(record->id.ms, expected);
	}
	ck_assert_int_eq(reader_next(reader, &record), READER_END);
	reader_close(reader);
}
END_TEST

START_TEST(reaches_back_further_than_the_log)
{
	for (int i = 0; i < 50; i++)
		record_events(exchange, 1 + i % 2, 1);
	past.trimmed = fake_id(30, 0);
	struct reader *reader = open(two, (struct reader_range){.from = fake_id(5, 0), .to = RECORD_ID_MAX});
	const struct record *record;
	uint64_t next = 6;
	for (enum reader_step step; (step = reader_next(reader, &record)) != READER_END;) {
		ck_assert_int_ne(step, READER_GAP);
		if (step == READER_WAIT)
			fake_answer(exchange, 0, OK);
		if (step == READER_RECORD)
			ck_assert_uint_eq(record->id.ms, next++);
	}
	ck_assert_uint_eq(next, 51);
	reader_close(reader);
}
END_TEST

START_TEST(tells_once_what_one_of_the_streams_has_lost)
{
	for (int i = 0; i < 50; i++)
		record_events(exchange, 1 + i % 2, 1);
	past.session_trimmed[2] = fake_id(20, 0);
	struct reader *reader = open(two, (struct reader_range){.from = fake_id(5, 0), .to = RECORD_ID_MAX});
	const struct record *record;
	unsigned gaps = 0, given = 0;
	for (enum reader_step step; (step = reader_next(reader, &record)) != READER_END;) {
		if (step == READER_WAIT)
			fake_answer(exchange, 0, OK);
		given += step == READER_RECORD;
		if (step != READER_GAP)
			continue;
		gaps++;
		ck_assert_uint_eq(given, 0);
		ck_assert_uint_eq(reader_gap_after(reader).ms, 5);
		ck_assert_uint_eq(reader_gap_before(reader).ms, 22);
	}
	ck_assert_uint_eq(gaps, 1);
	ck_assert_uint_eq(given, 45 - 8); /* those of s2 have even ids: 6 to 20 are gone */
	reader_close(reader);
}
END_TEST

START_TEST(fails_as_a_whole_when_one_stream_cannot_be_read)
{
	record_events(exchange, 1, 30);
	struct reader *reader = open(two, (struct reader_range){.to = RECORD_ID_MAX});
	const struct record *record;
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	ck_assert_uint_eq(past.waiting_count, 2);
	fake_answer(exchange, 1, ERR_CLOSED);
	ck_assert_uint_eq(past.waiting_count, 0);
	ck_assert_int_eq(reader_next(reader, &record), READER_FAILED);
	ck_assert_int_eq(reader_error(reader), ERR_CLOSED);
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	ck_assert_uint_eq(past.waiting_count, 2);
	reader_close(reader);
}
END_TEST

START_TEST(pages_of_two_logs_are_not_put_together)
{
	record_events(exchange, 1, 30);
	struct reader *reader = open(two, (struct reader_range){.to = RECORD_ID_MAX});
	const struct record *record;
	ck_assert_int_eq(reader_next(reader, &record), READER_WAIT);
	fake_answer(exchange, 0, OK);
	past.epoch++;
	fake_answer(exchange, 0, OK);
	ck_assert_int_eq(reader_next(reader, &record), READER_FAILED);
	ck_assert_int_eq(reader_error(reader), ERR_AGAIN);
	reader_close(reader);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merge");
	TCase *tests = tcase_create("merge");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, gives_what_the_log_has_in_its_order_up_to_the_head);
	tcase_add_test(tests, gives_a_range_forwards_and_backwards);
	tcase_add_test(tests, asks_again_only_for_the_stream_that_is_used_up);
	tcase_add_test(tests, leaves_out_backwards_what_came_while_the_streams_were_read);
	tcase_add_test(tests, reaches_back_further_than_the_log);
	tcase_add_test(tests, tells_once_what_one_of_the_streams_has_lost);
	tcase_add_test(tests, fails_as_a_whole_when_one_stream_cannot_be_read);
	tcase_add_test(tests, pages_of_two_logs_are_not_put_together);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
