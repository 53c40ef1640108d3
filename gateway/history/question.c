#include "gateway/history/question.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/filter/filter.h"

static struct question *make(enum question_kind kind, uint64_t ticket, size_t bytes)
{
	struct question *question = calloc(1, sizeof *question + bytes);
	if (!question)
		return NULL;
	question->kind = kind;
	question->ticket = ticket;
	return question;
}

static struct slice copy(char **at, struct slice text)
{
	struct slice copied = {*at, text.len};
	if (text.len)
		memcpy(*at, text.ptr, text.len);
	*at += text.len;
	return copied;
}

struct question *question_new_page(uint64_t ticket, const struct page_query *query)
{
	struct question *question = make(QUESTION_PAGE, ticket, query->session.len);
	if (!question)
		return NULL;
	char *at = question->bytes;
	question->page = *query;
	question->page.session = copy(&at, query->session);
	return question;
}

struct question *question_new_publish(uint64_t ticket, struct slice channel, struct slice payload, struct slice session)
{
	struct question *question = make(QUESTION_PUBLISH, ticket, channel.len + payload.len + session.len);
	if (!question)
		return NULL;
	char *at = question->bytes;
	question->channel = copy(&at, channel);
	question->payload = copy(&at, payload);
	question->session = copy(&at, session);
	return question;
}

struct question *question_new_sessions(uint64_t ticket, uint64_t cursor, size_t limit)
{
	struct question *question = make(QUESTION_SESSIONS, ticket, 0);
	if (!question)
		return NULL;
	question->cursor = cursor;
	question->limit = limit;
	return question;
}

struct question *question_new_state(uint64_t ticket, struct slice session, struct record_id at,
                                    const struct record_id *diff_from, struct filter *filter)
{
	struct question *question = make(QUESTION_STATE, ticket, session.len);
	if (!question)
		return NULL;
	char *text = question->bytes;
	question->session = copy(&text, session);
	question->at = at;
	question->has_diff = diff_from != NULL;
	if (diff_from)
		question->diff_from = *diff_from;
	if (filter)
		question->filter = filter_ref(filter);
	return question;
}

struct question *question_new_cancel(uint64_t ticket)
{
	return make(QUESTION_CANCEL, ticket, 0);
}

void question_free(struct question *question)
{
	if (question)
		filter_unref(question->filter);
	free(question);
}

struct session_list *session_list_new(uint64_t cursor, const struct session_summary *sessions, size_t count)
{
	/* The summaries go first behind the list, where they are aligned, the names behind them. */
	size_t start = (sizeof(struct session_list) + _Alignof(struct session_summary) - 1) &
	               ~(_Alignof(struct session_summary) - 1);
	size_t bytes = start + count * sizeof *sessions;
	for (size_t i = 0; i < count; i++)
		bytes += sessions[i].session.len;
	struct session_list *list = calloc(1, bytes);
	if (!list)
		return NULL;
	list->cursor = cursor;
	list->count = count;
	list->sessions = (struct session_summary *)(void *)((char *)list + start);
	char *at = (char *)(list->sessions + count);
	for (size_t i = 0; i < count; i++) {
		list->sessions[i] = sessions[i];
		list->sessions[i].session = copy(&at, sessions[i].session);
	}
	return list;
}

void session_list_free(struct session_list *list)
{
	free(list);
}

struct answer *answer_new(const struct question *question, enum err error, const char *why)
{
	struct answer *answer = calloc(1, sizeof *answer);
	if (!answer)
		return NULL;
	answer->ticket = question->ticket;
	answer->asker = question->asker;
	answer->kind = question->kind;
	answer->error = error;
	snprintf(answer->why, sizeof answer->why, "%s", why ? why : "");
	return answer;
}

void answer_free(struct answer *answer)
{
	if (!answer)
		return;
	page_unref(answer->page);
	session_list_free(answer->sessions);
	blob_unref(answer->state);
	blob_unref(answer->patch);
	free(answer);
}
