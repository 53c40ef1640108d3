#include "gateway/history/archive.h"

#include "gateway/metrics/metrics.h"
#include "tests/support/suite.h"
#include "tests/unit/history/fake_redis.h"

static int workers[3]; /* askers are known by their address */
static uint64_t tickets;

static struct question *prepare(struct question *question, int worker)
{
	ck_assert_ptr_nonnull(question);
	question->asker = &workers[worker];
	question->deadline_ns = clock_mono_ns() + 5 * NS_PER_S;
	return question;
}

static uint64_t ask_of(int worker, const char *session, struct record_id from, struct record_id to)
{
	const struct page_query query = {.session = slice_of(session), .from = from, .to = to};
	archive_ask(fake.archive, prepare(question_new_page(++tickets, &query), worker));
	return tickets;
}

static uint64_t ask(size_t from, size_t to)
{
	return ask_of(0, "", fake_id(from), fake_id(to));
}

static uint64_t ask_reverse(struct record_id from)
{
	const struct page_query query = {.is_reverse = true, .from = from};
	archive_ask(fake.archive, prepare(question_new_page(++tickets, &query), 0));
	return tickets;
}

static const struct answer *answer_to(uint64_t ticket)
{
	const struct answer *found = NULL;
	for (size_t i = 0; i < fake.answer_count; i++) {
		if (fake.answers[i]->ticket == ticket) {
			ck_assert_ptr_null(found); /* one answer a question */
			found = fake.answers[i];
		}
	}
	return found;
}

static const struct page *page_of(uint64_t ticket)
{
	fake_redis_answer();
	const struct answer *answer = answer_to(ticket);
	ck_assert_ptr_nonnull(answer);
	ck_assert_int_eq(answer->error, OK);
	ck_assert_ptr_nonnull(answer->page);
	return answer->page;
}

static void assert_id(struct record_id id, size_t n)
{
	ck_assert_uint_eq(id.ms, 10 * n);
}

static void assert_error(uint64_t ticket, enum err error)
{
	const struct answer *answer = answer_to(ticket);
	ck_assert_ptr_nonnull(answer);
	ck_assert_int_eq(answer->error, error);
	ck_assert_ptr_null(answer->page);
}

START_TEST(reads_page_after_page_up_to_the_end)
{
	fake_redis_start(250);
	const struct page *page = page_of(ask(0, 250));
	ck_assert_uint_eq(page->count, 100);
	assert_id(page->records[0]->id, 1);
	assert_id(page->reached, 100);
	ck_assert(!page->is_last && !page->is_trimmed);
	ck_assert(slice_equal(page->records[0]->session, SLICE_LITERAL("a")));
	page = page_of(ask(100, 250));
	assert_id(page->records[0]->id, 101);
	page = page_of(ask(200, 250));
	ck_assert_uint_eq(page->count, 50);
	assert_id(page->reached, 250);
	ck_assert(page->is_last);
	ck_assert_uint_eq(page->log.epoch, 1);
	assert_id(page->log.last, 250);
	ck_assert_uint_eq(fake.inspections, 0);
	fake_redis_stop();
}
END_TEST

START_TEST(reads_backwards_from_the_newest)
{
	fake_redis_start(250);
	const struct page *page = page_of(ask_reverse(RECORD_ID_MAX));
	assert_id(page->records[0]->id, 250);
	assert_id(page->reached, 151);
	page = page_of(ask_reverse(page->reached));
	assert_id(page->records[0]->id, 150);
	assert_id(page->reached, 51);
	page = page_of(ask_reverse(page->reached));
	ck_assert_uint_eq(page->count, 50);
	ck_assert(page->is_last);
	fake_redis_stop();
}
END_TEST

START_TEST(an_element_has_its_id_and_the_time_of_the_id)
{
	fake_redis_start(1);
	const struct record *record = page_of(ask(0, 1))->records[0];
	ck_assert(
	    slice_equal(record->element, SLICE_LITERAL("{\"id\":\"10-0\",\"channel\":\"trace:a\",\"ts\":           10,"
	                                               "\"data\":{\"type\":\"t\"}}")));
	fake_redis_stop();
}
END_TEST

START_TEST(a_thousand_that_resume_at_once_cost_few_reads)
{
	fake_redis_start(3000);
	for (int round = 0; round < 3; round++) {
		size_t reads = fake.reads;
		for (size_t i = 0; i < 1000; i++) {
			/* Slightly different cursors: ascending, descending, shuffled. */
			size_t place = round == 0 ? i : round == 1 ? 999 - i : i * 617 % 1000;
			ask_of((int)(i % 3), "", fake_id(1000 * (size_t)round + 1 + place % 90), fake_id(3000));
		}
		fake_redis_answer();
		ck_assert_uint_eq(fake.answer_count, 1000);
		for (size_t i = 0; i < 1000; i++)
			ck_assert_int_eq(fake.answers[i]->error, OK);
		ck_assert_uint_le(fake.reads - reads, 8);
		fake_redis_forget_answers();
		clock_fake_advance_ms(5000);
	}
	fake_redis_stop();
}
END_TEST

START_TEST(a_thousand_spread_over_many_pages_cost_little_more_than_the_pages)
{
	fake_redis_start(4000);
	for (size_t i = 0; i < 1000; i++)
		ask_of((int)(i % 3), "", fake_id(1 + i * 617 % 3000), fake_id(4000));
	fake_redis_answer();
	ck_assert_uint_eq(fake.answer_count, 1000);
	ck_assert_uint_le(fake.reads, 75);
	fake_redis_stop();
}
END_TEST

START_TEST(a_thousand_at_the_head_cost_few_reads)
{
	fake_redis_start(1000);
	for (size_t i = 0; i < 1000; i++)
		ask_of((int)(i % 3), "", fake_id(990 + i % 10), fake_id(1000));
	fake_redis_answer();
	ck_assert_uint_eq(fake.answer_count, 1000);
	for (size_t i = 0; i < 1000; i++)
		ck_assert(fake.answers[i]->page->is_last);
	ck_assert_uint_le(fake.reads, 5);
	fake_redis_stop();
}
END_TEST

START_TEST(a_page_is_kept_for_who_asks_next_but_not_for_long)
{
	fake_redis_start(300);
	ck_assert_int_eq(metrics_join(), OK);
	fake.first = 3;
	page_of(ask(0, 300));
	page_of(ask(0, 300)); /* from the second on it is worth it */
	ck_assert_uint_eq(fake.reads, 2);
	page_of(ask(0, 300));
	page_of(ask(20, 300));
	ck_assert_uint_eq(fake.reads, 2);
	/* From the start nobody has lost anything: that says nothing to this one. */
	ck_assert(page_of(ask(1, 300))->is_trimmed);
	ck_assert_uint_eq(fake.reads, 3);
	page_of(ask(30, 200));
	ck_assert_uint_eq(fake.reads, 3);
	ck_assert_uint_eq(metric_read(METRIC_PAGES_SHARED), 3);
	clock_fake_advance_ms(1001);
	page_of(ask(20, 300));
	ck_assert_uint_eq(fake.reads, 4);
	fake_redis_stop();
	metrics_reset();
}
END_TEST

START_TEST(a_page_that_ended_at_the_head_says_nothing_of_what_came_since)
{
	fake_redis_start(50);
	page_of(ask_of(0, "", fake_id(10), RECORD_ID_MAX));
	fake.last = 60;
	const struct page *page = page_of(ask_of(0, "", fake_id(10), RECORD_ID_MAX));
	assert_id(page->reached, 60);
	page = page_of(ask_reverse(RECORD_ID_MAX));
	fake.last = 70;
	page = page_of(ask_reverse(RECORD_ID_MAX));
	assert_id(page->records[0]->id, 70);
	fake_redis_stop();
}
END_TEST

START_TEST(who_asks_after_the_read_was_sent_sees_what_came_since)
{
	fake_redis_start(50);
	uint64_t first = ask_of(0, "", fake_id(10), RECORD_ID_MAX);
	uint64_t second = ask_of(1, "", fake_id(20), RECORD_ID_MAX);
	ck_assert(fake_redis_answer_one());
	ck_assert_ptr_nonnull(answer_to(first));
	ck_assert_ptr_null(answer_to(second)); /* joined, but the stream had ended for it */
	fake.last = 51;
	assert_id(page_of(second)->reached, 51);
	ck_assert_uint_eq(fake.reads, 2);
	fake_redis_stop();
}
END_TEST

START_TEST(a_reader_far_behind_does_not_hold_up_one_that_is_not)
{
	fake_redis_start(4000);
	uint64_t far = ask(1, 4000);
	uint64_t near = ask_of(1, "", fake_id(3900), fake_id(4000));
	ck_assert(fake_redis_answer_one());
	ck_assert_ptr_nonnull(answer_to(far));
	ask(150, 4000); /* it goes on */
	page_of(near);
	ck_assert_uint_eq(fake.reads, 3);
	fake_redis_stop();
}
END_TEST

START_TEST(reads_never_ask_for_more_than_a_page_and_adapt_to_its_bytes)
{
	fake_redis_start(4000);
	archive_free(fake.archive);
	const struct archive_settings settings = {.fields = intake_fields_default,
	                                          .page_entries = 1000,
	                                          .page_bytes = 19 * 60, /* of sixty entries */
	                                          .reads_in_flight_max = 1,
	                                          .waiting_max = 10};
	fake.archive = archive_new(&settings, &fake_ops, NULL);
	archive_link(fake.archive, true);
	ck_assert_uint_lt(page_of(ask(1, 4000))->count, 1000);
	ck_assert_uint_eq(page_of(ask(500, 4000))->count, 60);
	fake_redis_stop();
}
END_TEST

START_TEST(tells_what_was_trimmed_from_what_was_deleted)
{
	fake_redis_start(300);
	fake.first = 101;
	ck_assert(!page_of(ask(0, 300))->is_trimmed);   /* who starts at the beginning misses nothing */
	ck_assert(!page_of(ask(100, 300))->is_trimmed); /* the cursor is the last that was trimmed */
	ck_assert(!page_of(ask(101, 300))->is_trimmed); /* or the first that is left */
	ck_assert_uint_eq(fake.inspections, 0);
	ck_assert(page_of(ask(99, 300))->is_trimmed);
	ck_assert(page_of(ask(50, 300))->is_trimmed);
	ck_assert(page_of(ask(20, 40))->is_trimmed); /* the whole range is gone */
	fake_redis_stop();
}
END_TEST

START_TEST(an_entry_deleted_by_hand_is_no_loss)
{
	fake_redis_start(300);
	fake.deleted = 51;
	const struct page *page = page_of(ask(50, 300));
	ck_assert(!page->is_trimmed);
	assert_id(page->records[0]->id, 52);
	ck_assert_uint_eq(fake.inspections, 1);
	ck_assert(!page_of(ask(51, 300))->is_trimmed); /* the cursor's own entry */
	fake_redis_stop();
}
END_TEST

START_TEST(one_readers_loss_is_not_told_to_another)
{
	fake_redis_start(300);
	fake.first = 101;
	uint64_t lost = ask(50, 300), more = ask_of(1, "", fake_id(60), fake_id(300)),
	         none = ask_of(2, "", fake_id(100), fake_id(300));
	ck_assert(page_of(lost)->is_trimmed);
	ck_assert(page_of(more)->is_trimmed);
	ck_assert(!page_of(none)->is_trimmed);
	fake_redis_stop();
}
END_TEST

START_TEST(a_log_that_was_trimmed_to_nothing_has_lost_all)
{
	fake_redis_start(300);
	fake.first = 301;
	ck_assert(page_of(ask(50, 300))->is_trimmed);
	ck_assert(!page_of(ask(300, 310))->is_trimmed);
	fake_redis_stop();
}
END_TEST

START_TEST(a_session_comes_from_its_own_stream)
{
	fake_redis_start(300);
	const struct page *page = page_of(ask_of(0, "a", fake_id(0), fake_id(300)));
	ck_assert_uint_eq(page->count, 100);
	assert_id(page->records[1]->id, 3);
	assert_id(page->reached, 199);
	page = page_of(ask_of(0, "a", page->reached, fake_id(300)));
	ck_assert_uint_eq(page->count, 50);
	ck_assert(page->is_last && !page->is_trimmed);
	ck_assert_uint_eq(fake.reads, 0);
	fake_redis_stop();
}
END_TEST

START_TEST(what_a_sessions_stream_lost_comes_from_the_log)
{
	fake_redis_start(300);
	fake.a_first = 201;
	const struct page *page = page_of(ask_of(0, "a", fake_id(10), fake_id(300)));
	ck_assert(!page->is_trimmed && !page->is_last);
	assert_id(page->records[0]->id, 11);
	for (size_t i = 0; i < page->count; i++)
		ck_assert(slice_equal(page->records[i]->session, SLICE_LITERAL("a")));
	page = page_of(ask_of(0, "a", page->reached, fake_id(300)));
	assert_id(page->reached, 201); /* from here on the stream itself has all */
	ck_assert(!page->is_last);
	page = page_of(ask_of(0, "a", page->reached, fake_id(300)));
	ck_assert(page->is_last && !page->is_trimmed);
	assert_id(page->records[0]->id, 203);
	fake_redis_stop();
}
END_TEST

START_TEST(what_neither_stream_nor_log_holds_is_trimmed)
{
	fake_redis_start(300);
	fake.a_first = 201;
	fake.first = 101;
	const struct page *page = page_of(ask_of(0, "a", fake_id(10), fake_id(300)));
	ck_assert(page->is_trimmed);
	assert_id(page->records[0]->id, 201);
	fake_redis_stop();
}
END_TEST

START_TEST(a_session_that_may_have_expired_is_looked_for_in_the_log)
{
	fake_redis_start(300);
	fake.has_a = false;
	const struct page *page = page_of(ask_of(0, "a", fake_id(290), fake_id(300))); /* older than the expiry */
	ck_assert_uint_eq(page->count, 5);
	ck_assert(page->is_last);
	fake.reads = 0;
	page = page_of(ask_of(0, "a", (struct record_id){FAKE_WALL_MS - 4999, 0}, (struct record_id){FAKE_WALL_MS, 0}));
	ck_assert(page->is_last && !page->is_trimmed);
	ck_assert_uint_eq(page->count + fake.reads, 0);
	fake_redis_stop();
}
END_TEST

START_TEST(what_was_cancelled_is_not_asked)
{
	fake_redis_start(4000);
	for (size_t i = 0; i < 4; i++)
		ask_of(0, "a", fake_id(3000 - 500 * i), fake_id(3001 - 500 * i)); /* all that may be under way */
	uint64_t ticket = ask_of(0, "b", fake_id(10), fake_id(20));
	size_t asked = fake.asked;
	archive_ask(fake.archive, prepare(question_new_cancel(ticket), 1)); /* another worker's ticket */
	archive_ask(fake.archive, prepare(question_new_cancel(ticket + 1), 0));
	archive_ask(fake.archive, prepare(question_new_cancel(ticket), 0));
	fake_redis_answer();
	ck_assert_uint_eq(fake.answer_count, 4);
	ck_assert_uint_eq(fake.asked, asked);
	uint64_t under_way = ask(10, 20);
	archive_ask(fake.archive, prepare(question_new_cancel(under_way), 0));
	fake_redis_answer();
	ck_assert_ptr_null(answer_to(under_way));
	fake_redis_stop();
}
END_TEST

START_TEST(a_deadline_is_kept_whether_in_line_or_under_way)
{
	fake_redis_start(4000);
	for (size_t i = 0; i < 6; i++)
		ask_of(0, "", fake_id(3000 - 500 * i), fake_id(3001 - 500 * i));
	uint64_t now_ns = clock_mono_ns();
	ck_assert_uint_eq(archive_tick(fake.archive, now_ns), now_ns + 5 * NS_PER_S);
	clock_fake_advance_ms(5000);
	ck_assert_uint_eq(archive_tick(fake.archive, clock_mono_ns()), UINT64_MAX);
	ck_assert_uint_eq(fake.answer_count, 6);
	for (size_t i = 0; i < 6; i++)
		ck_assert_int_eq(fake.answers[i]->error, ERR_TIMEOUT);
	fake_redis_answer(); /* late answers are for nobody */
	ck_assert_uint_eq(fake.answer_count, 6);
	ck_assert_uint_eq(page_of(ask(10, 20))->count, 10);
	fake_redis_stop();
}
END_TEST

START_TEST(a_lost_link_answers_all_and_the_next_one_serves)
{
	fake_redis_start(4000);
	uint64_t first = 0, last = 0;
	for (size_t i = 0; i < 6; i++) {
		last = ask_of(0, "", fake_id(3000 - 500 * i), fake_id(3001 - 500 * i));
		first = first ? first : last;
	}
	archive_ask(
	    fake.archive,
	    prepare(question_new_publish(++tickets, SLICE_LITERAL("trace:a"), SLICE_LITERAL("{}"), SLICE_NONE), 0));
	archive_link(fake.archive, false);
	assert_error(first, ERR_CLOSED);
	assert_error(last, ERR_CLOSED);
	assert_error(tickets, ERR_CLOSED);
	assert_error(ask(1, 2), ERR_CLOSED);
	archive_link(fake.archive, true);
	fake.answered = fake.asked; /* the old link's answers never come */
	ck_assert_uint_eq(page_of(ask(10, 20))->count, 10);
	fake_redis_stop();
}
END_TEST

START_TEST(another_epoch_is_another_log)
{
	fake_redis_start(300);
	page_of(ask(10, 300));
	archive_position(fake.archive, &(struct log_position){.epoch = 2, .last = fake_id(5)});
	const struct page *page = page_of(ask(10, 300));
	ck_assert_uint_eq(fake.reads, 2);
	ck_assert_uint_eq(page->log.epoch, 2);
	fake_redis_stop();
}
END_TEST

START_TEST(an_asker_that_knows_more_of_the_log_tells_it_and_one_that_is_late_does_not)
{
	fake_redis_start(300);
	const struct page_query query = {.from = fake_id(290), .to = RECORD_ID_MAX};
	struct question *question = prepare(question_new_page(++tickets, &query), 0);
	question->known = (struct log_position){.epoch = 1, .last = fake_id(310)};
	archive_ask(fake.archive, question);
	assert_id(page_of(tickets)->log.last, 310);
	question = prepare(question_new_page(++tickets, &query), 0);
	question->known = (struct log_position){.epoch = 7, .last = fake_id(999)};
	archive_ask(fake.archive, question);
	ck_assert_uint_eq(page_of(tickets)->log.epoch, 1);
	fake_redis_stop();
}
END_TEST

START_TEST(what_redis_refuses_is_said_to_all_who_asked)
{
	fake_redis_start(300);
	fake.why = "NOPERM this user has no permissions";
	uint64_t first = ask(10, 300), second = ask_of(1, "", fake_id(20), fake_id(300));
	fake_redis_answer();
	assert_error(first, ERR_IO);
	assert_error(second, ERR_IO);
	ck_assert_str_eq(answer_to(first)->why, "the gateway's user in Redis has no right to this");
	fake.why = NULL;
	fake.fails = ERR_CLOSED;
	assert_error(ask(10, 300), ERR_CLOSED);
	fake_redis_stop();
}
END_TEST

START_TEST(too_many_in_line_are_refused_and_askers_take_turns)
{
	fake_redis_start(4000);
	for (size_t i = 0; i < 3010; i++)
		ask_of(0, i % 2 ? "x" : "y", fake_id(10 * i + 20), fake_id(10 * i + 21));
	assert_error(tickets, ERR_LIMIT);
	fake_redis_forget_answers();
	fake_redis_stop();

	fake_redis_start(4000);
	for (size_t i = 0; i < 100; i++)
		ask_of(0, "b", fake_id(20 * (100 - i)), fake_id(20 * (100 - i) + 1));
	uint64_t other = ask_of(1, "b", fake_id(3000), fake_id(3001));
	for (size_t i = 0; i < 16 && !answer_to(other); i++)
		ck_assert(fake_redis_answer_one());
	ck_assert_ptr_nonnull(answer_to(other)); /* it did not wait for the hundred */
	fake_redis_stop();
}
END_TEST

START_TEST(publishes_go_through_in_order_past_reads_that_wait)
{
	fake_redis_start(100);
	const char *const channels[] = {"trace:1", "trace:2", "trace:3"};
	for (size_t i = 0; i < 5; i++)
		ask_of(0, "", fake_id(90 - 20 * i), fake_id(91 - 20 * i));
	size_t before = fake.asked;
	for (size_t i = 0; i < 3; i++)
		archive_ask(fake.archive, prepare(question_new_publish(++tickets, slice_of(channels[i]),
		                                                       SLICE_LITERAL("{}"), SLICE_NONE),
		                                  0));
	ck_assert_uint_eq(fake.asked, before + 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(fake.calls[before + i].channel, channels[i]);
	fake_redis_answer();
	assert_id(answer_to(tickets - 2)->id, 101);
	assert_id(answer_to(tickets)->id, 103);
	fake_redis_stop();
}
END_TEST

START_TEST(lists_sessions)
{
	fake_redis_start(1);
	archive_ask(fake.archive, prepare(question_new_sessions(++tickets, 0, 10), 0));
	uint64_t gone = ++tickets;
	archive_ask(fake.archive, prepare(question_new_sessions(gone, 0, 10), 0));
	archive_ask(fake.archive, prepare(question_new_cancel(gone), 0));
	fake_redis_answer();
	ck_assert_ptr_nonnull(answer_to(gone - 1)->sessions);
	ck_assert_ptr_null(answer_to(gone));
	fake_redis_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("archive");
	TCase *tests = tcase_create("archive");
	tcase_add_test(tests, reads_page_after_page_up_to_the_end);
	tcase_add_test(tests, reads_backwards_from_the_newest);
	tcase_add_test(tests, an_element_has_its_id_and_the_time_of_the_id);
	tcase_add_test(tests, a_thousand_that_resume_at_once_cost_few_reads);
	tcase_add_test(tests, a_thousand_spread_over_many_pages_cost_little_more_than_the_pages);
	tcase_add_test(tests, a_thousand_at_the_head_cost_few_reads);
	tcase_add_test(tests, a_page_is_kept_for_who_asks_next_but_not_for_long);
	tcase_add_test(tests, a_page_that_ended_at_the_head_says_nothing_of_what_came_since);
	tcase_add_test(tests, who_asks_after_the_read_was_sent_sees_what_came_since);
	tcase_add_test(tests, a_reader_far_behind_does_not_hold_up_one_that_is_not);
	tcase_add_test(tests, reads_never_ask_for_more_than_a_page_and_adapt_to_its_bytes);
	tcase_add_test(tests, tells_what_was_trimmed_from_what_was_deleted);
	tcase_add_test(tests, an_entry_deleted_by_hand_is_no_loss);
	tcase_add_test(tests, one_readers_loss_is_not_told_to_another);
	tcase_add_test(tests, a_log_that_was_trimmed_to_nothing_has_lost_all);
	tcase_add_test(tests, a_session_comes_from_its_own_stream);
	tcase_add_test(tests, what_a_sessions_stream_lost_comes_from_the_log);
	tcase_add_test(tests, what_neither_stream_nor_log_holds_is_trimmed);
	tcase_add_test(tests, a_session_that_may_have_expired_is_looked_for_in_the_log);
	tcase_add_test(tests, what_was_cancelled_is_not_asked);
	tcase_add_test(tests, a_deadline_is_kept_whether_in_line_or_under_way);
	tcase_add_test(tests, a_lost_link_answers_all_and_the_next_one_serves);
	tcase_add_test(tests, another_epoch_is_another_log);
	tcase_add_test(tests, an_asker_that_knows_more_of_the_log_tells_it_and_one_that_is_late_does_not);
	tcase_add_test(tests, what_redis_refuses_is_said_to_all_who_asked);
	tcase_add_test(tests, too_many_in_line_are_refused_and_askers_take_turns);
	tcase_add_test(tests, publishes_go_through_in_order_past_reads_that_wait);
	tcase_add_test(tests, lists_sessions);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
