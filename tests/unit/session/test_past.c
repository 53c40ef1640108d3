#include "fake_past.h"

#include "gateway/session/past.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct asker a, b;
static int answered;
static enum err last_error;

static void on_answer(struct asker *asker, struct answer *answer)
{
	ck_assert(!asker_is_waiting(asker));
	answered++;
	last_error = answer->error;
}

static void setup(void)
{
	fake_start();
	fake_past_start();
	struct exchange_settings settings = past_settings();
	exchange = exchange_new(&settings);
	asker_init(&a, exchange, on_answer);
	asker_init(&b, exchange, on_answer);
	answered = 0;
}

static void teardown(void)
{
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

static struct question *question(void)
{
	return question_new_page(0, &(struct page_query){.to = RECORD_ID_MAX});
}

START_TEST(each_question_is_answered_once_with_its_own_ticket_and_deadline)
{
	ck_assert_int_eq(asker_ask(&a, question()), OK);
	ck_assert_int_eq(asker_ask(&b, question()), OK);
	ck_assert_uint_eq(past.waiting_count, 2);
	ck_assert_uint_ne(past.waiting[0]->ticket, past.waiting[1]->ticket);
	ck_assert_uint_eq(past.waiting[0]->deadline_ns, clock_mono_ns() + 5 * NS_PER_S);
	fake_answer(exchange, 1, ERR_TIMEOUT);
	ck_assert(asker_is_waiting(&a) && !asker_is_waiting(&b));
	ck_assert_int_eq(last_error, ERR_TIMEOUT);
	fake_answer(exchange, 0, OK);
	ck_assert_int_eq(last_error, OK);
	ck_assert_int_eq(answered, 2);
}
END_TEST

START_TEST(what_is_under_way_renews_the_patience)
{
	ck_assert_int_eq(asker_ask(&a, question()), OK);
	for (int i = 0; i < 5; i++) {
		struct answer *progress = answer_new(past.waiting[0], OK, NULL);
		progress->is_under_way = true;
		clock_fake_advance_ms(5900);
		exchange_end_turn(exchange);
		exchange_answer(exchange, progress);
	}
	ck_assert(asker_is_waiting(&a));
	ck_assert_int_eq(answered, 0);
	clock_fake_advance_ms(6001);
	exchange_end_turn(exchange);
	ck_assert_int_eq(answered, 1);
	ck_assert_int_eq(last_error, ERR_TIMEOUT);
}
END_TEST

START_TEST(who_cancelled_is_told_nothing)
{
	ck_assert_int_eq(asker_ask(&a, question()), OK);
	struct answer *late = answer_new(past.waiting[0], OK, NULL);
	asker_cancel(&a);
	asker_cancel(&a);
	ck_assert_uint_eq(past.cancelled, 1);
	ck_assert_uint_eq(past.waiting_count, 0);
	ck_assert_int_eq(asker_ask(&a, question()), OK);
	exchange_answer(exchange, late);
	ck_assert_int_eq(answered, 0);
	asker_cancel(&a);
}
END_TEST

START_TEST(whom_nobody_answers_waits_no_longer_than_a_second_behind_the_deadline)
{
	ck_assert_int_eq(asker_ask(&a, question()), OK);
	struct answer *late = answer_new(past.waiting[0], OK, NULL);
	clock_fake_advance_ms(5999);
	ck_assert_uint_eq(exchange_end_turn(exchange), clock_mono_ns() + NS_PER_MS);
	ck_assert_int_eq(answered, 0);
	clock_fake_advance_ms(1);
	exchange_end_turn(exchange);
	ck_assert_int_eq(answered, 1);
	ck_assert_int_eq(last_error, ERR_TIMEOUT);
	ck_assert_uint_eq(past.cancelled, 1);
	exchange_answer(exchange, late);
	ck_assert_int_eq(answered, 1);
}
END_TEST

START_TEST(who_forgets_is_told_nothing_and_cancels_nothing)
{
	ck_assert_int_eq(asker_ask(&a, question()), OK);
	asker_forget(&a);
	asker_forget(&a);
	ck_assert(!asker_is_waiting(&a));
	fake_answer(exchange, 0, OK);
	clock_fake_advance_ms(10000);
	exchange_end_turn(exchange);
	ck_assert_int_eq(answered, 0);
	ck_assert_uint_eq(past.cancelled, 0);
}
END_TEST

START_TEST(what_cannot_be_asked_is_refused_at_once)
{
	ck_assert_int_eq(asker_ask(&a, NULL), ERR_NOMEM);
	teardown();
	fake_start();
	fake_past_start();
	struct exchange_settings settings = fake_settings();
	exchange = exchange_new(&settings);
	asker_init(&a, exchange, on_answer);
	ck_assert_int_eq(asker_ask(&a, question()), ERR_UNSUPPORTED);
	ck_assert(!asker_is_waiting(&a));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("past");
	TCase *tests = tcase_create("past");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, each_question_is_answered_once_with_its_own_ticket_and_deadline);
	tcase_add_test(tests, what_is_under_way_renews_the_patience);
	tcase_add_test(tests, who_cancelled_is_told_nothing);
	tcase_add_test(tests, whom_nobody_answers_waits_no_longer_than_a_second_behind_the_deadline);
	tcase_add_test(tests, who_forgets_is_told_nothing_and_cancels_nothing);
	tcase_add_test(tests, what_cannot_be_asked_is_refused_at_once);
	return suite_run(suite);
}
