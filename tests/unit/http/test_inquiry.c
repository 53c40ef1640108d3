#include "gateway/http/inquiry.h"
#include "gateway/http/handlers.h"
#include "tests/support/suite.h"
#include "tests/unit/http/fake_client.h"

static struct client client;

static void set_up(void)
{
	past_start(true);
	client_asks(&client, "GET /v1/sessions", "");
	client_leaves(&client);
	client.call = NULL;
	client.is_finished = false;
}

static void tear_down(void)
{
	client_leaves(&client);
	past_end();
}

static bool write_id(struct buf *out, const struct answer *answer, const struct grants *grants)
{
	(void)grants;
	buf_printf(out, "{\"ms\":%d}\n", (int)answer->id.ms);
	return answer->id.ms != 0;
}

static struct api_request request(void)
{
	return (struct api_request){.api = &client.api, .head = &client.head, .responder = &client.responder};
}

START_TEST(gives_what_the_writer_makes_of_the_answer)
{
	struct api_request asked = request();
	client.call = inquiry_open(&asked, question_new_sessions(0, 0, 1), write_id);
	ck_assert_ptr_nonnull(client.call);
	struct answer *answer = answer_to(question_count - 1, OK);
	answer->id.ms = 7;
	exchange_answer(exchange, answer);
	client_expect(&client, 200, "{\"ms\":7}\n");
}
END_TEST

START_TEST(an_answer_that_lacks_what_it_should_have_is_no_good_one)
{
	struct api_request asked = request();
	client.call = inquiry_open(&asked, question_new_sessions(0, 0, 1), write_id);
	exchange_answer(exchange, answer_to(question_count - 1, OK));
	client_expect_error(&client, 500, "internal");
}
END_TEST

START_TEST(a_question_that_memory_was_out_for_is_refused)
{
	struct api_request asked = request();
	ck_assert_ptr_null(inquiry_open(&asked, NULL, write_id));
	client_expect_error(&client, 500, "internal");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inquiry");
	TCase *tests = tcase_create("inquiry");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, gives_what_the_writer_makes_of_the_answer);
	tcase_add_test(tests, an_answer_that_lacks_what_it_should_have_is_no_good_one);
	tcase_add_test(tests, a_question_that_memory_was_out_for_is_refused);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
