#include "tests/support/suite.h"
#include "tests/unit/http/fake_client.h"

static struct client client;

static void set_up(void)
{
	past_start(true);
}

static void set_up_without(void)
{
	past_start(false);
}

static void tear_down(void)
{
	client_leaves(&client);
	past_end();
}

static void get(const char *query, const char *fields)
{
	char line[1024];
	snprintf(line, sizeof line, "GET /v1/state%s", query);
	client_leaves(&client);
	client_asks(&client, line, fields);
}

static void give(size_t at, const char *state, const char *patch)
{
	struct answer *answer = answer_to(at, OK);
	answer->id = (struct record_id){7, 1};
	answer->state = blob_new(state, strlen(state));
	answer->patch = patch ? blob_new(patch, strlen(patch)) : NULL;
	exchange_answer(exchange, answer);
	client_turn(&client);
}

START_TEST(gives_what_the_op_gives)
{
	get("?session=s%31&at=5-0", "");
	ck_assert_uint_eq(question_count, 1);
	ck_assert(slice_is(questions[0]->session, "s1"));
	ck_assert_uint_eq(questions[0]->at.ms, 5);
	ck_assert(!questions[0]->has_diff);
	give(0, "{\"a\":1.0}", NULL);
	client_expect(&client, 200, "{\"at\":\"7-1\",\"state\":{\"a\":1.0}}\n");
	ck_assert_str_eq(client.response.content_type, "application/json");
	get("?session=s1&diffFrom=earliest", "");
	ck_assert(questions[1]->has_diff);
	give(1, "{}", "{\"b\":null}");
	client_expect(&client, 200, "{\"at\":\"7-1\",\"state\":{},\"patch\":{\"b\":null}}\n");
}
END_TEST

START_TEST(refuses_what_it_cannot_read)
{
	get("", "");
	client_expect_error(&client, 400, "bad_request");
	get("?session=s1&at=yesterday", "");
	client_expect_error(&client, 400, "bad_request");
	get("?session=s1", "Accept: text/html\r\n");
	client_expect_error(&client, 406, "not_acceptable");
	ck_assert_uint_eq(question_count, 0);
}
END_TEST

START_TEST(says_why_there_is_none)
{
	static const struct {
		enum err error;
		unsigned status;
		const char *code;
	} cases[] = {{ERR_TIMEOUT, 504, "timeout"}, {ERR_CLOSED, 503, "unavailable"}, {ERR_RANGE, 500, "refused"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		get("?session=s1", "");
		exchange_answer(exchange, answer_to(i, cases[i].error));
		client_turn(&client);
		client_expect_error(&client, cases[i].status, cases[i].code);
	}
}
END_TEST

START_TEST(who_leaves_takes_the_question_back)
{
	get("?session=s1", "");
	client_leaves(&client);
	client.call = NULL;
	ck_assert_uint_eq(cancel_count, 1);
}
END_TEST

START_TEST(without_history_there_is_none)
{
	get("?session=s1", "");
	client_expect_error(&client, 501, "no_history");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_state");
	TCase *tests = tcase_create("all"), *without = tcase_create("without history");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, gives_what_the_op_gives);
	tcase_add_test(tests, refuses_what_it_cannot_read);
	tcase_add_test(tests, says_why_there_is_none);
	tcase_add_test(tests, who_leaves_takes_the_question_back);
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(without, set_up_without, tear_down);
	tcase_add_test(without, without_history_there_is_none);
	suite_add_tcase(suite, without);
	return suite_run(suite);
}
