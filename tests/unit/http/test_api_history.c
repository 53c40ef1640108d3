#include "gateway/http/history_request.h"
#include "tests/support/suite.h"
#include "tests/unit/http/fake_client.h"

#define NDJSON "Accept: application/x-ndjson\r\n"

static struct client client;

static void set_up(void)
{
	past_start(true);
}

static void tear_down(void)
{
	client_leaves(&client);
	past_end();
}

static void get(const char *query, const char *fields)
{
	char line[HEAD_TARGET_MAX];
	snprintf(line, sizeof line, "GET /v1/history%s", query);
	client_leaves(&client);
	client_asks(&client, line, fields);
}

/* The elements hold ts with all its digits, so ids of the tests have as many. */
#define A UINT64_C(1764031200001)
#define B UINT64_C(1764031200002)
#define C UINT64_C(1764031200003)
#define EVENT_A EVENT_OF("1764031200001")
#define EVENT_B EVENT_OF("1764031200002")
#define EVENT_C EVENT_OF("1764031200003")
#define EVENT_OF(ms) "{\"id\":\"" ms "-0\",\"channel\":\"trace:s1\",\"ts\":" ms ",\"data\":{\"n\":"

static void check_holds(const char *text)
{
	buf_append_char(&client.body, '\0');
	client.body.len--;
	ck_assert_msg(strstr(client.body.bytes, text) != NULL, "%s is not in %s", text, client.body.bytes);
}

START_TEST(gives_events_as_one_object)
{
	const uint64_t ms[] = {A, B};
	get("?session=s1", "");
	ck_assert_uint_eq(question_count, 1);
	ck_assert_uint_eq(client.status, 0);
	past_gives(0, ms, 2, true);
	client_turn(&client);
	client_expect(&client, 200, NULL);
	ck_assert_str_eq(client.response.content_type, "application/json");
	check_holds("{\"events\":[" EVENT_A);
	check_holds("}}," EVENT_B);
	check_holds("}}],\"next\":null}\n");
	ck_assert_uint_eq(client.writes, 1);
	ck_assert_uint_ne(client.response.length, RESPONSE_STREAMED);
}
END_TEST

START_TEST(gives_events_as_lines)
{
	const uint64_t ms[] = {A, B, C};
	get("?session=s1", NDJSON);
	past_gives(0, ms, 2, false);
	ck_assert_uint_eq(client.status, 200);
	ck_assert(!client.is_finished);
	ck_assert_uint_eq(question_count, 2);
	past_gives(1, ms + 2, 1, true);
	client_turn(&client);
	client_expect(&client, 200, NULL);
	ck_assert_str_eq(client.response.content_type, "application/x-ndjson");
	check_holds("}}\n" EVENT_B);
	check_holds("}}\n" EVENT_C);
	ck_assert_int_eq(client.body.bytes[client.body.len - 1], '\n');
	ck_assert_int_eq(client.body.bytes[0], '{');
}
END_TEST

START_TEST(an_empty_past_is_an_empty_answer)
{
	get("?session=none", "");
	past_gives(0, NULL, 0, true);
	client_turn(&client);
	client_expect(&client, 200, "{\"events\":[],\"next\":null}\n");
	get("?session=none", NDJSON);
	past_gives(1, NULL, 0, true);
	client_turn(&client);
	client_expect(&client, 200, "");
}
END_TEST

START_TEST(says_where_to_go_on_when_the_limit_is_reached)
{
	const uint64_t ms[] = {A, B, C};
	get("?session=s1&limit=2", "");
	past_gives(0, ms, 3, true);
	client_turn(&client);
	client_expect(&client, 200, NULL);
	check_holds("],\"next\":\"1764031200002-0.12345678\"}\n");
	ck_assert_ptr_null(strstr(client.body.bytes, EVENT_C));
	get("?session=s1&limit=3", "");
	past_gives(1, ms, 3, true);
	client_turn(&client);
	client_expect(&client, 200, NULL);
	check_holds("],\"next\":null}\n");
}
END_TEST

START_TEST(an_empty_range_asks_nobody)
{
	get("?session=s1&reverse=true&after=0-0", "");
	client_expect(&client, 200, "{\"events\":[],\"next\":null}\n");
	ck_assert_uint_eq(question_count, 0);
}
END_TEST

static const struct {
	const char *query, *fields, *code;
	unsigned status;
} refused[] = {
	{"?session=", "", "bad_request", 400},
	{"?session=s1&limit=0", "", "bad_request", 400},
	{"?session=s1&limit=100001", "", "bad_request", 400},
	{"?session=s1&limit=x", NDJSON, "bad_request", 400},
	{"?session=s1&from=yesterday", "", "bad_request", 400},
	{"?session=s1&reverse=maybe", "", "bad_request", 400},
	{"?session=s1&where=%5B", "", "bad_request", 400},
	{"?session=s1&where=%7B%7D", "", "bad_filter", 400},
	{"?session=s1&type=a,,b", "", "bad_filter", 400},
	{"?channels=cats:*", "", "bad_filter", 400},
	{"?session=s1&session=s2", "", "bad_request", 400},
	{"?session=s1", "Accept: text/html\r\n", "not_acceptable", 406},
};

START_TEST(refuses_what_it_cannot_ask)
{
	get(refused[_i].query, refused[_i].fields);
	client_expect_error(&client, refused[_i].status, refused[_i].code);
	ck_assert_uint_eq(question_count, 0);
}
END_TEST

START_TEST(asks_for_what_the_query_says)
{
	get("?session=s%2C1&from=1764031200001&to=1764031200003-7&reverse&type=tool.*,x&agent=a&where="
	    "%5B%7B%22path%22:%22/n%22,%22op%22:%22%3E%22,%22value%22:1%7D%5D",
	    "");
	ck_assert_uint_eq(question_count, 1);
	const struct page_query *query = &questions[0]->page;
	ck_assert(slice_is(query->session, "s,1"));
	ck_assert(query->is_reverse);
	ck_assert_uint_eq(query->from.ms, C);
	ck_assert_uint_eq(query->from.seq, 8);
	ck_assert_uint_eq(query->to.ms, A);
	ck_assert_uint_eq(query->to.seq, 0);
}
END_TEST

START_TEST(what_fails_before_the_answer_is_an_error_and_later_a_cut)
{
	const uint64_t ms[] = {A};
	get("?session=s1", NDJSON);
	past_fails(0, ERR_TIMEOUT);
	client_turn(&client);
	client_expect_error(&client, 504, "timeout");
	get("?session=s1", NDJSON);
	past_gives(1, ms, 1, false);
	ck_assert_uint_eq(client.status, 200);
	past_fails(2, ERR_CLOSED);
	client_turn(&client);
	ck_assert(client.is_cut && !client.is_finished);
}
END_TEST

START_TEST(reads_no_further_than_the_client_takes)
{
	static uint64_t ms[3000];
	for (size_t i = 0; i < 3000; i++)
		ms[i] = A + i;
	get("?session=s1", NDJSON);
	client.is_stuck = true;
	past_gives(0, ms, 3000, false);
	client_turn(&client);
	ck_assert_uint_eq(client.writes, 1);
	ck_assert_uint_lt(client.longest, 66 * 1024);
	ck_assert_uint_eq(question_count, 1);
	size_t before = client.body.len;
	client_turn(&client);
	ck_assert_uint_eq(client.body.len, before);
	client_reads(&client);
	ck_assert_uint_gt(client.writes, 2);
	ck_assert_uint_eq(question_count, 2);
}
END_TEST

START_TEST(gives_no_more_events_a_second_than_are_allowed)
{
	static uint64_t ms[50];
	for (size_t i = 0; i < 50; i++)
		ms[i] = A + i;
	past_end();
	past_start_paced(true, 20);
	get("?session=s1", NDJSON);
	past_gives(0, ms, 50, true);
	client_turn(&client);
	size_t lines[2] = {0, 0};
	for (unsigned at = 0; at < 2; at++) {
		for (size_t i = 0; i < client.body.len; i++)
			lines[at] += client.body.bytes[i] == '\n';
		ck_assert(!client.is_finished);
		clock_fake_advance_ms(500);
		exchange_end_turn(exchange);
		client_turn(&client);
	}
	ck_assert_uint_eq(lines[0], 20);
	ck_assert_uint_eq(lines[1], 30);
	for (unsigned i = 0; i < 10 && !client.is_finished; i++) {
		clock_fake_advance_ms(500);
		exchange_end_turn(exchange);
		client_turn(&client);
	}
	client_expect(&client, 200, NULL);
}
END_TEST

START_TEST(who_leaves_cancels_the_read)
{
	get("?session=s1", "");
	client_leaves(&client);
	client.call = NULL;
	ck_assert_uint_eq(cancel_count, 1);
	past_gives(0, NULL, 0, true);
}
END_TEST

START_TEST(what_the_log_lost_is_told)
{
	const uint64_t ms[] = {B};
	for (unsigned is_ndjson = 0; is_ndjson < 2; is_ndjson++) {
		get("?session=s1&after=1764031200001-0", is_ndjson ? NDJSON : "");
		static struct log_entry entry = {.channel = {"trace:s1", 8}, .payload = {"{}", 2}};
		entry.id = (struct record_id){ms[0], 0};
		struct page *page = page_make(&intake_fields_default, &entry, 1, SLICE_NONE);
		page->from = questions[is_ndjson]->page.from;
		page->reached = questions[is_ndjson]->page.to;
		page->is_last = page->is_trimmed = true;
		page->log = (struct log_position){.epoch = UINT64_C(0x1234567800000000), .last = {B, 0}};
		struct answer *answer = answer_to(is_ndjson, OK);
		answer->page = page;
		exchange_answer(exchange, answer);
		client_turn(&client);
		client_expect(&client, 200, NULL);
		if (is_ndjson)
			check_holds("{\"gap\":{\"after\":\"1764031200001-0.12345678\",\"before\":\"1764031200002-0.12345678\","
				    "\"reason\":\"trimmed\"}}\n{\"id\":\"1764031200002-0\"");
		else
			check_holds("],\"next\":null,\"trimmed\":{\"after\":\"1764031200001-0.12345678\","
				    "\"before\":\"1764031200002-0.12345678\"}}\n");
	}
}
END_TEST

START_TEST(a_head_reads_nothing)
{
	client_asks(&client, "HEAD /v1/history?session=s1", NDJSON);
	client_expect(&client, 200, "");
	ck_assert_str_eq(client.response.content_type, "application/x-ndjson");
	ck_assert_uint_eq(question_count, 0);
}
END_TEST

START_TEST(without_history_there_is_none)
{
	past_end();
	past_start(false);
	get("?session=s1", "");
	client_expect_error(&client, 501, "no_history");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_history");
	TCase *tests = tcase_create("api_history");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, gives_events_as_one_object);
	tcase_add_test(tests, gives_events_as_lines);
	tcase_add_test(tests, an_empty_past_is_an_empty_answer);
	tcase_add_test(tests, says_where_to_go_on_when_the_limit_is_reached);
	tcase_add_test(tests, an_empty_range_asks_nobody);
	tcase_add_loop_test(tests, refuses_what_it_cannot_ask, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tests, asks_for_what_the_query_says);
	tcase_add_test(tests, what_fails_before_the_answer_is_an_error_and_later_a_cut);
	tcase_add_test(tests, reads_no_further_than_the_client_takes);
	tcase_add_test(tests, gives_no_more_events_a_second_than_are_allowed);
	tcase_add_test(tests, who_leaves_cancels_the_read);
	tcase_add_test(tests, what_the_log_lost_is_told);
	tcase_add_test(tests, a_head_reads_nothing);
	tcase_add_test(tests, without_history_there_is_none);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
