#include "gateway/history/question.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static char text[] = "trace:s1";

START_TEST(a_question_owns_its_texts)
{
	char session[] = "s1";
	const struct page_query query = {
	    .session = slice_of(session), .is_reverse = true, .from = RECORD_ID_MAX, .to = {5, 6}};
	struct question *page = question_new_page(7, &query);
	struct question *publish = question_new_publish(8, slice_of(text), SLICE_LITERAL("{}"), slice_of(session));
	memset(session, 'x', 2);
	ck_assert(page && publish);
	ck_assert(slice_is(page->page.session, "s1"));
	ck_assert(page->page.is_reverse);
	ck_assert_uint_eq(page->page.to.seq, 6);
	ck_assert_uint_eq(page->ticket, 7);
	ck_assert_int_eq(page->kind, QUESTION_PAGE);
	ck_assert(slice_is(publish->channel, "trace:s1"));
	ck_assert(slice_is(publish->payload, "{}"));
	ck_assert(slice_is(publish->session, "s1"));
	question_free(page);
	question_free(publish);
	question_free(NULL);
}
END_TEST

START_TEST(texts_may_be_empty)
{
	const struct page_query query = {.to = RECORD_ID_MAX};
	struct question *page = question_new_page(1, &query);
	struct question *publish = question_new_publish(2, slice_of(text), SLICE_NONE, SLICE_NONE);
	ck_assert(page && publish);
	ck_assert_uint_eq(page->page.session.len + publish->payload.len + publish->session.len, 0);
	question_free(page);
	question_free(publish);
}
END_TEST

START_TEST(an_answer_goes_where_the_question_came_from)
{
	int asker;
	struct question *question = question_new_sessions(9, 3, 100);
	ck_assert_ptr_nonnull(question);
	ck_assert_uint_eq(question->cursor, 3);
	ck_assert_uint_eq(question->limit, 100);
	question->asker = &asker;
	struct answer *answer = answer_new(question, ERR_IO, "no permission");
	ck_assert_ptr_nonnull(answer);
	ck_assert_ptr_eq(answer->asker, &asker);
	ck_assert_uint_eq(answer->ticket, 9);
	ck_assert_int_eq(answer->kind, QUESTION_SESSIONS);
	ck_assert_int_eq(answer->error, ERR_IO);
	ck_assert_str_eq(answer->why, "no permission");
	answer_free(answer);
	question_free(question);
	answer_free(NULL);
}
END_TEST

START_TEST(a_long_reason_is_cut)
{
	char why[300];
	memset(why, 'w', sizeof why);
	why[sizeof why - 1] = '\0';
	struct question *question = question_new_cancel(1);
	struct answer *answer = answer_new(question, ERR_IO, why);
	ck_assert_uint_eq(strlen(answer->why), sizeof answer->why - 1);
	answer_free(answer);
	question_free(question);
}
END_TEST

START_TEST(a_list_of_sessions_owns_their_names)
{
	char names[2][4] = {"one", "two"};
	const struct session_summary sessions[] = {
	    {.session = slice_of(names[0]), .first = {1, 0}, .last = {2, 0}, .length = 2},
	    {.session = slice_of(names[1]), .length = 3},
	};
	struct session_list *list = session_list_new(11, sessions, 2);
	memset(names, 'x', sizeof names);
	ck_assert_ptr_nonnull(list);
	ck_assert_uint_eq(list->cursor, 11);
	ck_assert_uint_eq(list->count, 2);
	ck_assert(slice_is(list->sessions[0].session, "one"));
	ck_assert_uint_eq(list->sessions[0].last.ms, 2);
	ck_assert(slice_is(list->sessions[1].session, "two"));
	ck_assert_uint_eq(list->sessions[1].length, 3);
	session_list_free(list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("question");
	TCase *tests = tcase_create("question");
	tcase_add_test(tests, a_question_owns_its_texts);
	tcase_add_test(tests, texts_may_be_empty);
	tcase_add_test(tests, an_answer_goes_where_the_question_came_from);
	tcase_add_test(tests, a_long_reason_is_cut);
	tcase_add_test(tests, a_list_of_sessions_owns_their_names);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
