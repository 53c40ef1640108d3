/* What a request for a state asks for. */
#include "fake_past.h"

#include "common/codec/json.h"
#include "gateway/session/state_query.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct grants *everything;
static struct arena arena;

static void setup(void)
{
	fake_start();
	everything = fake_grants();
	fake_past_start();
	struct exchange_settings settings = past_settings();
	exchange = exchange_new(&settings);
	arena_init(&arena, 1 << 20);
}

static void teardown(void)
{
	arena_fini(&arena);
	exchange_free(exchange);
	grants_unref(everything);
	fake_past_end();
	fake_end();
}

static enum err read_body(const char *body, struct question **ret_question, struct history_error *ret_error)
{
	struct value *map;
	ck_assert_int_eq(json_decode(&arena, slice_of(body), &map, NULL), OK);
	return state_query_of(exchange, everything, map, ret_question, ret_error);
}

static struct question *question_of(const char *body)
{
	struct question *question = NULL;
	struct history_error error;
	ck_assert_int_eq(read_body(body, &question, &error), OK);
	ck_assert_int_eq(question->kind, QUESTION_STATE);
	return question;
}

static void expect_refusal(const char *body, const char *message)
{
	struct question *question = NULL;
	struct history_error error;
	ck_assert_int_eq(read_body(body, &question, &error), ERR_INVALID);
	ck_assert_str_eq(error.code, "bad_request");
	ck_assert_msg(strncmp(error.message, message, strlen(message)) == 0, "%s", error.message);
}

START_TEST(a_moment_is_now_unless_it_is_given)
{
	struct question *question = question_of("{\"session\":\"s1\"}");
	ck_assert(slice_is(question->session, "s1"));
	ck_assert_int_eq(record_id_compare(question->at, RECORD_ID_MAX), 0);
	ck_assert(!question->has_diff);
	question_free(question);
	question = question_of("{\"session\":\"s1\",\"at\":\"5-7\",\"diffFrom\":9}");
	ck_assert_uint_eq(question->at.ms, 5);
	ck_assert_uint_eq(question->at.seq, 7);
	ck_assert(question->has_diff);
	ck_assert_uint_eq(question->diff_from.ms, 9);
	ck_assert_uint_eq(question->diff_from.seq, UINT64_MAX); /* a millisecond: all its events */
	question_free(question);
	question = question_of("{\"session\":\"s1\",\"at\":\"earliest\",\"diffFrom\":\"now\"}");
	ck_assert(record_id_is_zero(question->at));
	ck_assert_int_eq(record_id_compare(question->diff_from, RECORD_ID_MAX), 0);
	question_free(question);
}
END_TEST

START_TEST(names_the_field_that_is_wrong)
{
	expect_refusal("{}", "session: missing");
	expect_refusal("{\"session\":5}", "session: ");
	expect_refusal("{\"session\":\"\"}", "session: ");
	expect_refusal("{\"session\":\"s\",\"at\":\"yesterday\"}", "at: ");
	expect_refusal("{\"session\":\"s\",\"diffFrom\":[]}", "diffFrom: ");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state_query");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_moment_is_now_unless_it_is_given);
	tcase_add_test(tests, names_the_field_that_is_wrong);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
