#include "fake_log.h"

#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;

/* What the node knows of its log; the ring stays empty, so that everything is asked for. */
static void know_log(void)
{
	struct feed_state state = {
		.log = {.epoch = FAKE_LOG_EPOCH, .base = {50, 0}, .last = {100000, 0}},
		.is_recorded = true,
	};
	exchange_feed_state(exchange, &state);
}

static struct exchange_settings settings_of(size_t requests_max)
{
	struct exchange_settings settings = fake_settings();
	settings.past = (struct exchange_past){log_ask, NULL};
	settings.past_timeout_ns = NS_PER_S;
	settings.past_requests_max = requests_max;
	settings.ring_records_max = 16;
	settings.ring_bytes_max = 4096;
	return settings;
}

static void begin(const struct exchange_settings *settings)
{
	fake_start();
	log_start(4);
	exchange = exchange_new(settings);
	ck_assert_ptr_nonnull(exchange);
	know_log();
	peer_connect(&peer, exchange);
	peer_expect_part(&peer, "\"op\":\"welcome\"");
}

static void setup(void)
{
	struct exchange_settings settings = settings_of(2);
	begin(&settings);
}

static void teardown(void)
{
	peer_leave(&peer);
	exchange_free(exchange);
	log_end();
	fake_end();
}

/* Entries 1 to count: <n>000-0 on trace:a where n is odd, else on trace:b. */
static void write_entries(int count)
{
	for (int n = 1; n <= count; n++) {
		char payload[64];
		snprintf(payload, sizeof payload, "{\"n\":%d}", n);
		log_write((uint64_t)n * 1000, 0, n % 2 ? "trace:a" : "trace:b", payload);
	}
}

static void ask(const char *members)
{
	char request[2048];
	snprintf(request, sizeof request, "{\"id\":5,\"op\":\"history\"%s%s}", *members ? "," : "", members);
	peer_says(&peer, request);
	exchange_end_turn(exchange);
}

/* The numbers n of a chunk's events, as "1 2 3". */
static const char *numbers_of(const char *message)
{
	static char numbers[4096];
	size_t len = 0;
	numbers[0] = '\0';
	for (const char *at = message; (at = strstr(at, "{\"n\":")); at++) {
		int n = atoi(at + 5);
		len += (size_t)snprintf(numbers + len, sizeof numbers - len, "%s%d", len ? " " : "", n);
	}
	return numbers;
}

static void expect_chunk(unsigned seq, const char *numbers)
{
	char start[64];
	const char *message = peer_next(&peer);
	snprintf(start, sizeof start, "{\"op\":\"chunk\",\"id\":5,\"seq\":%u,\"events\":[{\"id\":\"", seq);
	ck_assert_msg(message && strncmp(message, start, strlen(start)) == 0, "expected %s, got %s", start,
		      message ? message : "nothing");
	ck_assert_str_eq(numbers_of(message), numbers);
	ck_assert_str_eq(message + strlen(message) - 3, "}]}");
}

static void expect_end(int events, const char *next)
{
	char reply[256];
	snprintf(reply, sizeof reply, "{\"id\":5,\"ok\":{\"events\":%d,\"next\":%s}}", events, next);
	peer_expect(&peer, reply);
	peer_expect(&peer, NULL);
}

/* One request, all its chunks as one. */
static void expect_history(const char *members, const char *numbers, int events, const char *next)
{
	ask(members);
	log_answer_all(exchange);
	if (events)
		expect_chunk(0, numbers);
	expect_end(events, next);
}

START_TEST(gives_everything_in_chunks_then_the_reply)
{
	write_entries(10);
	ask("\"chunk\":3");
	log_answer_all(exchange);
	expect_chunk(0, "1 2 3");
	expect_chunk(1, "4 5 6");
	expect_chunk(2, "7 8 9");
	expect_chunk(3, "10");
	expect_end(10, "null");
}
END_TEST

START_TEST(splices_the_events_as_they_were_published)
{
	log_write(1764031200123, 4, "trace:a", "{\"z\":1.00,\"a\":12345678901234567890123}");
	ask("");
	log_answer_all(exchange);
	peer_expect(&peer, "{\"op\":\"chunk\",\"id\":5,\"seq\":0,\"events\":[{\"id\":\"1764031200123-4\",\"channel\":\"trace:a\","
			   "\"ts\":1764031200123,\"data\":{\"z\":1.00,\"a\":12345678901234567890123}}]}");
	expect_end(1, "null");
}
END_TEST

START_TEST(an_empty_log_gives_the_reply_alone)
{
	expect_history("", "", 0, "null");
	expect_history("\"session\":\"nobody\"", "", 0, "null");
}
END_TEST

/* The numbers of the events, of 10. */
static const struct {
	const char *members, *numbers;
	int events;
	const char *next;
} ranges[] = {
	{"\"from\":3000", "3 4 5 6 7 8 9 10", 8, "null"},
	{"\"from\":3001", "4 5 6 7 8 9 10", 7, "null"},
	{"\"from\":\"3000-0\",\"to\":\"5000-0\"", "3 4 5", 3, "null"},
	{"\"from\":\"3000-1\",\"to\":\"4999-9\"", "4", 1, "null"},
	{"\"from\":3000,\"to\":3000", "3", 1, "null"},
	{"\"from\":3001,\"to\":3001", "", 0, "null"},
	{"\"from\":\"earliest\",\"to\":2000", "1 2", 2, "null"},
	{"\"to\":\"earliest\"", "", 0, "null"},
	{"\"from\":0,\"to\":0", "", 0, "null"},
	{"\"from\":\"9\",\"to\":\"now\"", "1 2 3 4 5 6 7 8 9 10", 10, "null"},
	{"\"from\":9007199254740993", "", 0, "null"},
	{"\"from\":18446744073709551615", "", 0, "null"},
	{"\"to\":18446744073709551615,\"from\":10000", "10", 1, "null"},
	{"\"from\":\"1970-01-01T00:00:08Z\"", "8 9 10", 3, "null"},
	{"\"after\":\"8000-0\"", "9 10", 2, "null"},
	{"\"after\":8000", "9 10", 2, "null"},
	{"\"after\":\"8000-0.00c0ffee\"", "9 10", 2, "null"},
	{"\"after\":\"8000-0\",\"from\":1000", "9 10", 2, "null"},
	{"\"after\":\"1000-0\",\"from\":9000", "9 10", 2, "null"},
	{"\"after\":\"10000-0\",\"to\":\"10000-0\"", "", 0, "null"},
	{"\"after\":\"10000-0\",\"to\":\"5000-0\"", "", 0, "null"},
	{"\"after\":\"now\"", "", 0, "null"},
	{"\"after\":\"18446744073709551615-18446744073709551615\"", "", 0, "null"},
	{"\"limit\":2", "1 2", 2, "\"2000-0.00c0ffee\""},
	{"\"limit\":2,\"after\":\"2000-0.00c0ffee\"", "3 4", 2, "\"4000-0.00c0ffee\""},
	{"\"reverse\":true", "10 9 8 7 6 5 4 3 2 1", 10, "null"},
	{"\"reverse\":false,\"from\":10000", "10", 1, "null"},
	{"\"reverse\":true,\"limit\":3", "10 9 8", 3, "\"8000-0.00c0ffee\""},
	{"\"reverse\":true,\"limit\":3,\"after\":\"8000-0.00c0ffee\"", "7 6 5", 3, "\"5000-0.00c0ffee\""},
	{"\"reverse\":true,\"from\":4000,\"to\":6000", "6 5 4", 3, "null"},
	{"\"reverse\":true,\"after\":3000", "2 1", 2, "null"},
	{"\"reverse\":true,\"after\":\"earliest\"", "", 0, "null"},
	{"\"reverse\":true,\"after\":\"1000-0\"", "", 0, "null"},
	{"\"session\":\"a\"", "1 3 5 7 9", 5, "null"},
	{"\"session\":\"a\",\"limit\":2", "1 3", 2, "\"3000-0.00c0ffee\""},
	{"\"session\":\"a\",\"filter\":{\"session\":[\"b\",\"a\"]}", "1 3 5 7 9", 5, "null"},
	{"\"session\":\"a\",\"filter\":{\"session\":[\"b\"]}", "", 0, "null"},
	{"\"session\":\"a\",\"filter\":{\"where\":[{\"path\":\"/n\",\"op\":\">\",\"value\":4}]}", "5 7 9", 3, "null"},
	{"\"channels\":[\"trace:b\"]", "2 4 6 8 10", 5, "null"},
	{"\"channels\":[\"trace:b\"],\"session\":\"a\"", "", 0, "null"},
	{"\"filter\":{\"session\":[\"b\"]}", "2 4 6 8 10", 5, "null"},
};

START_TEST(gives_what_the_range_names)
{
	write_entries(10);
	expect_history(ranges[_i].members, ranges[_i].numbers, ranges[_i].events, ranges[_i].next);
}
END_TEST

static const struct {
	const char *members, *code, *message_part;
} refused[] = {
	{"\"from\":-1", "bad_request", "from: negative"},
	{"\"from\":1.5", "bad_request", "from: milliseconds are a whole number"},
	{"\"to\":1e12", "bad_request", "to: milliseconds are a whole number"},
	{"\"from\":18446744073709551616", "bad_request", "from: beyond 64 bits"},
	{"\"after\":\"\"", "bad_request", "after: empty"},
	{"\"to\":[1]", "bad_request", "to: a cursor, milliseconds"},
	{"\"from\":\"yesterday\"", "bad_request", "from: a cursor, milliseconds"},
	{"\"from\":5000,\"to\":4999", "bad_request", "from: later than to"},
	{"\"from\":\"5000-1\",\"to\":\"5000-0\"", "bad_request", "from: later than to"},
	{"\"from\":\"now\",\"to\":\"earliest\"", "bad_request", "from: later than to"},
	{"\"limit\":0", "bad_request", "limit: a whole number from 1 to 100000 is needed"},
	{"\"limit\":-1", "bad_request", "limit: a whole number from 1 to 100000 is needed"},
	{"\"limit\":1000000000", "bad_request", "limit: a whole number from 1 to 100000 is needed"},
	{"\"limit\":\"5\"", "bad_request", "limit: a whole number from 1 to 100000 is needed"},
	{"\"chunk\":0", "bad_request", "chunk: a whole number from 1 to 1000 is needed"},
	{"\"chunk\":1001", "bad_request", "chunk: a whole number from 1 to 1000 is needed"},
	{"\"reverse\":1", "bad_request", "reverse: true or false is needed, this is a number"},
	{"\"session\":5", "bad_request", "session: a string is needed, this is a number"},
	{"\"session\":\"\"", "bad_request", "session: a string of 1 to 1024 bytes is needed"},
	{"\"session\":\"a\",\"filter\":{\"session\":5}", "bad_filter", "filter.session"},
	{"\"filter\":[]", "bad_filter", "filter"},
	{"\"channels\":[\"cats:*\"]", "bad_filter", "channels[0]"},
};

START_TEST(names_the_field_that_is_wrong)
{
	char start[96];
	ask(refused[_i].members);
	const char *reply = peer_next(&peer);
	snprintf(start, sizeof start, "{\"id\":5,\"error\":{\"code\":\"%s\",\"message\":\"", refused[_i].code);
	ck_assert_msg(reply && strncmp(reply, start, strlen(start)) == 0, "%s", reply ? reply : "nothing");
	ck_assert_msg(strncmp(reply + strlen(start), refused[_i].message_part, strlen(refused[_i].message_part)) == 0, "%s", reply);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(fake_log.asked, 0);
}
END_TEST

START_TEST(reads_the_stream_of_the_one_session_it_is_asked_for)
{
	ask("\"session\":\"a\",\"filter\":{\"type\":[\"tool.*\"]}");
	ck_assert_uint_eq(fake_log.waiting, 1);
	ck_assert(slice_is(fake_log.questions[0]->page.session, "a"));
	log_answer_all(exchange);
	expect_end(0, "null");
}
END_TEST

START_TEST(reads_and_writes_only_as_the_client_takes)
{
	write_entries(12);
	peer.is_stuck = true;
	ask("\"chunk\":2");
	log_answer_with(exchange, OK, NULL);
	expect_chunk(0, "1 2");
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(fake_log.asked, 1);
	exchange_end_turn(exchange);
	peer_expect(&peer, NULL);
	peer.is_buffering = false;
	session_writable(peer.session);
	exchange_end_turn(exchange);
	expect_chunk(1, "3 4");
	ck_assert_uint_eq(fake_log.asked, 1);
	peer.is_buffering = false;
	session_writable(peer.session);
	exchange_end_turn(exchange);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(fake_log.asked, 2);
	peer_unstick(&peer);
	log_answer_all(exchange);
	expect_chunk(2, "5 6");
	expect_chunk(3, "7 8");
	expect_chunk(4, "9 10");
	expect_chunk(5, "11 12");
	expect_end(12, "null");
}
END_TEST

START_TEST(paging_by_next_gives_the_whole_once)
{
	char members[128] = "\"limit\":3", seen[512] = "";
	size_t len = 0;
	write_entries(10);
	for (int pages = 0; *members; pages++) {
		ck_assert_int_lt(pages, 6);
		ask(members);
		log_answer_all(exchange);
		const char *message = peer_next(&peer), *next;
		if (strstr(message, "\"chunk\"")) {
			len += (size_t)snprintf(seen + len, sizeof seen - len, "%s ", numbers_of(message));
			message = peer_next(&peer);
		}
		ck_assert_ptr_nonnull(next = strstr(message, "\"next\":"));
		char cursor[64] = "";
		members[0] = '\0';
		if (sscanf(next, "\"next\":\"%63[^\"]", cursor) == 1)
			snprintf(members, sizeof members, "\"limit\":3,\"after\":\"%s\"", cursor);
	}
	ck_assert_str_eq(seen, "1 2 3 4 5 6 7 8 9 10 ");
}
END_TEST

START_TEST(two_requests_take_turns)
{
	write_entries(8);
	ask("\"chunk\":2,\"channels\":[\"trace:a\"]");
	peer_says(&peer, "{\"id\":\"second\",\"op\":\"history\",\"chunk\":2,\"channels\":[\"trace:b\"]}");
	log_answer_all(exchange);
	int firsts = 0, seconds = 0, replies = 0;
	for (const char *message; (message = peer_next(&peer));) {
		firsts += strstr(message, "\"op\":\"chunk\",\"id\":5,") != NULL;
		seconds += strstr(message, "\"op\":\"chunk\",\"id\":\"second\",") != NULL;
		replies += strstr(message, "\"ok\":{\"events\":4,\"next\":null}") != NULL;
		ck_assert_int_le(firsts, seconds + 1);
		ck_assert_int_le(seconds, firsts + 1);
	}
	ck_assert_int_eq(firsts, 2);
	ck_assert_int_eq(seconds, 2);
	ck_assert_int_eq(replies, 2);
}
END_TEST

START_TEST(refuses_more_requests_under_way_than_allowed)
{
	write_entries(1);
	ask("");
	ask("");
	ask("");
	peer_expect(&peer, "{\"id\":5,\"error\":{\"code\":\"too_many_requests\",\"message\":\"this connection has as many requests "
			   "under way as it may have (welcome.limits.requests)\",\"temporary\":true,\"retryAfterMs\":1000}}");
	log_answer_all(exchange);
	for (int i = 0; i < 2; i++) {
		peer_expect_part(&peer, "\"op\":\"chunk\"");
		peer_expect_part(&peer, "\"ok\":{\"events\":1");
	}
	ask("");
	log_answer_all(exchange);
	expect_chunk(0, "1");
	expect_end(1, "null");
}
END_TEST

static const struct {
	enum err error;
	const char *why, *reply_part;
} failures[] = {
	{ERR_TIMEOUT, NULL, "\"error\":{\"code\":\"timeout\",\"message\":\"Redis did not answer within history.timeout\",\"temporary\":true,"
			    "\"retryAfterMs\":1000}"},
	{ERR_CLOSED, NULL, "\"error\":{\"code\":\"unavailable\",\"message\":\"the node has no connection to Redis\",\"temporary\":true"},
	{ERR_LIMIT, NULL, "\"error\":{\"code\":\"too_many_requests\""},
	{ERR_NOMEM, NULL, "\"error\":{\"code\":\"internal\""},
	{ERR_IO, "the stream is no stream", "\"error\":{\"code\":\"refused\",\"message\":\"the stream is no stream\",\"temporary\":false}"},
};

START_TEST(what_was_read_before_a_failure_goes_out_then_the_error)
{
	write_entries(10);
	ask("");
	log_answer_with(exchange, OK, NULL);
	peer_expect(&peer, NULL);
	log_answer_with(exchange, failures[_i].error, failures[_i].why);
	expect_chunk(0, "1 2 3 4");
	peer_expect_part(&peer, failures[_i].reply_part);
	peer_expect(&peer, NULL);
	ck_assert_uint_eq(fake_log.waiting, 0);
}
END_TEST

START_TEST(closing_cancels_the_read)
{
	write_entries(10);
	ask("");
	ck_assert_uint_eq(fake_log.waiting, 1);
	session_close(peer.session, CLOSE_INTERNAL);
	ck_assert_uint_eq(fake_log.cancelled, 1);
	log_answer_with(exchange, OK, NULL);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(a_client_that_leaves_cancels_the_read)
{
	struct peer second;
	peer_connect(&second, exchange);
	write_entries(10);
	peer_says(&second, "{\"id\":1,\"op\":\"history\"}");
	exchange_end_turn(exchange);
	peer_leave(&second);
	ck_assert_uint_eq(fake_log.cancelled, 1);
	log_answer_with(exchange, OK, NULL);
}
END_TEST

START_TEST(tells_what_the_log_has_lost_of_the_range)
{
	write_entries(10);
	fake_log.first = 4;
	ask("\"from\":2000,\"limit\":2");
	log_answer_all(exchange);
	expect_chunk(0, "5 6");
	peer_expect(&peer, "{\"id\":5,\"ok\":{\"events\":2,\"next\":\"6000-0.00c0ffee\",\"trimmed\":{\"after\":"
			   "\"1999-18446744073709551615.00c0ffee\",\"before\":\"5000-0.00c0ffee\"}}}");
	ask("\"after\":\"4000-0\"");
	log_answer_all(exchange);
	expect_chunk(0, "5 6 7 8 9 10");
	expect_end(6, "null");
}
END_TEST

START_TEST(whoever_asks_for_the_earliest_misses_nothing)
{
	write_entries(10);
	fake_log.first = 8;
	expect_history("", "9 10", 2, "null");
	expect_history("\"from\":\"earliest\"", "9 10", 2, "null");
}
END_TEST

START_TEST(a_cursor_of_another_log_goes_on_where_this_one_begins)
{
	log_write(40, 0, "trace:a", "{\"n\":1}");
	log_write(60, 0, "trace:a", "{\"n\":2}");
	ask("\"after\":\"70-0.12345678\"");
	log_answer_all(exchange);
	expect_chunk(0, "2");
	peer_expect(&peer, "{\"id\":5,\"ok\":{\"events\":1,\"next\":null,\"reset\":true}}");
}
END_TEST

START_TEST(needs_an_id)
{
	peer_says(&peer, "{\"op\":\"history\"}");
	peer_expect_part(&peer, "{\"id\":null,\"error\":{\"code\":\"bad_request\",\"message\":\"id: missing");
}
END_TEST

START_TEST(repeats_a_long_id_in_every_chunk)
{
	char id[1500], request[2048], start[1600];
	memset(id, 'x', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	write_entries(2);
	snprintf(request, sizeof request, "{\"id\":\"%s\",\"op\":\"history\",\"chunk\":1}", id);
	peer_says(&peer, request);
	log_answer_all(exchange);
	for (int seq = 0; seq < 2; seq++) {
		snprintf(start, sizeof start, "{\"op\":\"chunk\",\"id\":\"%s\",\"seq\":%d,\"events\":[{", id, seq);
		peer_expect_part(&peer, start);
	}
	peer_expect_part(&peer, "\"ok\":{\"events\":2");
}
END_TEST

START_TEST(chunks_are_bounded_in_bytes_too)
{
	char payload[40000];
	memset(payload, '1', sizeof payload - 1);
	payload[sizeof payload - 1] = '\0';
	for (uint64_t n = 1; n <= 4; n++)
		log_write(n * 1000, 0, "trace:a", payload);
	ask("");
	log_answer_all(exchange);
	for (int chunk = 0; chunk < 2; chunk++)
		ck_assert_uint_lt(strlen(peer_next(&peer)), 64 * 1024 + 41000);
	expect_end(4, "null");
}
END_TEST

static void setup_without_history(void)
{
	struct exchange_settings settings = settings_of(2);
	settings.past.ask = NULL;
	begin(&settings);
}

START_TEST(says_clearly_that_there_is_no_history)
{
	ask("");
	peer_expect_part(&peer, "\"error\":{\"code\":\"no_history\",\"message\":\"this gateway keeps no history (history.enabled)");
}
END_TEST

static void setup_paced(void)
{
	struct exchange_settings settings = settings_of(2);
	settings.events_per_second = 10;
	begin(&settings);
	fake_log.page_entries = 100;
}

START_TEST(keeps_to_the_rate_of_events)
{
	write_entries(15);
	ask("");
	log_answer_all(exchange);
	expect_chunk(0, "1 2 3 4 5 6 7 8 9 10");
	peer_expect(&peer, NULL);
	int given = 10;
	for (int step = 0; step < 20 && given < 15; step++) {
		clock_fake_advance_ms(100);
		exchange_end_turn(exchange);
		const char *chunk = peer_next(&peer);
		for (; chunk && (chunk = strstr(chunk, "{\"n\":")); chunk++)
			given++;
		ck_assert_int_le(given, 10 + step + 1);
	}
	ck_assert_int_eq(given, 15);
	clock_fake_advance_ms(200);
	exchange_end_turn(exchange);
	expect_end(15, "null");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("history");
	TCase *tests = tcase_create("history"), *none = tcase_create("none"), *paced = tcase_create("paced");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_checked_fixture(none, setup_without_history, teardown);
	tcase_add_checked_fixture(paced, setup_paced, teardown);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, none);
	suite_add_tcase(suite, paced);
	tcase_add_test(tests, gives_everything_in_chunks_then_the_reply);
	tcase_add_test(tests, splices_the_events_as_they_were_published);
	tcase_add_test(tests, an_empty_log_gives_the_reply_alone);
	tcase_add_loop_test(tests, gives_what_the_range_names, 0, sizeof ranges / sizeof ranges[0]);
	tcase_add_loop_test(tests, names_the_field_that_is_wrong, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tests, reads_the_stream_of_the_one_session_it_is_asked_for);
	tcase_add_test(tests, reads_and_writes_only_as_the_client_takes);
	tcase_add_test(tests, paging_by_next_gives_the_whole_once);
	tcase_add_test(tests, two_requests_take_turns);
	tcase_add_test(tests, refuses_more_requests_under_way_than_allowed);
	tcase_add_loop_test(tests, what_was_read_before_a_failure_goes_out_then_the_error, 0, sizeof failures / sizeof failures[0]);
	tcase_add_test(tests, closing_cancels_the_read);
	tcase_add_test(tests, a_client_that_leaves_cancels_the_read);
	tcase_add_test(tests, tells_what_the_log_has_lost_of_the_range);
	tcase_add_test(tests, whoever_asks_for_the_earliest_misses_nothing);
	tcase_add_test(tests, a_cursor_of_another_log_goes_on_where_this_one_begins);
	tcase_add_test(tests, needs_an_id);
	tcase_add_test(tests, repeats_a_long_id_in_every_chunk);
	tcase_add_test(tests, chunks_are_bounded_in_bytes_too);
	tcase_add_test(none, says_clearly_that_there_is_no_history);
	tcase_add_test(paced, keeps_to_the_rate_of_events);
	return suite_run(suite);
}
