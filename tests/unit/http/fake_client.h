/* Both ends of the HTTP API without a socket: a client whose responder keeps what it is given and can be made to take nothing, and a
 * past that keeps the questions until the test answers them. On a fake clock. */
#ifndef TESTS_UNIT_HTTP_FAKE_CLIENT_H
#define TESTS_UNIT_HTTP_FAKE_CLIENT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/auth.h"
#include "gateway/history/page_make.h"
#include "gateway/history/question.h"
#include "gateway/http/api.h"
#include "gateway/http/response.h"
#include "gateway/limiter/rates.h"
#include "tests/unit/session/fake_peer.h"

#define QUESTIONS_MAX 256

struct client {
	struct responder responder;
	struct api api;
	char request[HEAD_TARGET_MAX + 4096];
	struct head head;
	struct body length;
	struct buf unread; /* of the body */
	struct call *call;
	struct response response;
	unsigned status;
	struct buf body; /* that was written */
	unsigned writes;
	size_t longest; /* of them, in bytes */
	bool is_stuck;  /* the next write is buffered */
	bool is_blocked, is_finished, is_cut, is_due, has_ended;
};

static struct question *questions[QUESTIONS_MAX];
static size_t question_count, cancel_count;
static struct exchange *exchange;
static struct auth *fake_auth; /* of the API */
static struct rates *fake_rates;
static struct admission *fake_admission; /* of the clients; NULL: they have no address */

static inline struct client *client_of(const struct responder *responder)
{
	return (struct client *)(uintptr_t)responder;
}

static inline void fake_begin(struct responder *responder, const struct response *response)
{
	struct client *client = client_of(responder);
	ck_assert_uint_eq(client->status, 0);
	client->response = *response;
	client->status = response->status;
}

static inline enum responder_result fake_write(struct responder *responder, struct slice bytes)
{
	struct client *client = client_of(responder);
	ck_assert(client->status && !client->is_blocked && !client->is_finished && !client->is_cut);
	if (!responder->is_head_only)
		buf_append_slice(&client->body, bytes);
	client->writes++;
	client->longest = bytes.len > client->longest ? bytes.len : client->longest;
	client->is_blocked = client->is_stuck;
	return client->is_stuck ? RESPONDER_BUFFERED : RESPONDER_SENT;
}

static inline bool fake_clear(const struct responder *responder)
{
	const struct client *client = client_of(responder);
	return !client->is_blocked && !client->is_finished && !client->is_cut;
}

static inline void fake_again(struct responder *responder)
{
	client_of(responder)->is_due = true;
}

static inline void fake_finish(struct responder *responder)
{
	struct client *client = client_of(responder);
	ck_assert(client->status && !client->is_finished && !client->is_cut);
	if (client->response.content_type && client->response.length != RESPONSE_STREAMED && !responder->is_head_only)
		ck_assert_uint_eq(client->response.length, client->body.len);
	client->is_finished = true;
}

static inline void fake_cut(struct responder *responder, const char *why)
{
	ck_assert_ptr_nonnull(why);
	client_of(responder)->is_cut = true;
}

static const struct responder_ops fake_responder_ops = {
	.begin = fake_begin,
	.write = fake_write,
	.is_clear = fake_clear,
	.again = fake_again,
	.finish = fake_finish,
	.cut = fake_cut,
};

static inline void fake_ask(void *context, struct question *question)
{
	(void)context;
	if (question->kind != QUESTION_CANCEL) {
		ck_assert_uint_lt(question_count, QUESTIONS_MAX);
		questions[question_count++] = question;
		return;
	}
	cancel_count++;
	question_free(question);
}

/* From here on the API judges credentials so. */
static UNUSED void auth_start(const struct auth_settings *settings)
{
	char why[256] = "";
	auth_free(fake_auth);
	ck_assert_msg(auth_new(settings, &fake_auth, why) == OK, "%s", why);
}

static inline void past_start_paced(bool has_history, uint64_t events_per_second)
{
	fake_start();
	auth_start(&(struct auth_settings){.served = {fake_patterns, 4}});
	question_count = cancel_count = 0;
	struct exchange_settings settings = fake_settings();
	settings.past_timeout_ns = NS_PER_S;
	settings.events_per_second = events_per_second;
	settings.ring_records_max = 16;
	settings.ring_bytes_max = 65536;
	if (has_history)
		settings.past.ask = fake_ask;
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
}

/* Requests have that limit. */
static UNUSED void past_start_rated(uint64_t commands_per_second)
{
	fake_start();
	auth_start(&(struct auth_settings){.served = {fake_patterns, 4}});
	question_count = cancel_count = 0;
	struct exchange_settings settings = fake_settings();
	settings.past_timeout_ns = NS_PER_S;
	settings.commands_per_second = commands_per_second;
	settings.past.ask = fake_ask;
	settings.request_rates = fake_rates = rates_new();
	ck_assert_ptr_nonnull(fake_rates);
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
}

static inline void past_start(bool has_history)
{
	past_start_paced(has_history, 0);
}

static inline void past_end(void)
{
	for (size_t i = 0; i < question_count; i++)
		question_free(questions[i]);
	exchange_free(exchange);
	auth_free(fake_auth);
	rates_free(fake_rates);
	fake_auth = NULL;
	fake_rates = NULL;
	fake_end();
}

/* Calls go_on() while it is due, and offers the body that is left, as the wire does. */
static UNUSED void client_turn(struct client *client)
{
	for (unsigned i = 0; i < 1000 && client->call && !client->is_finished && !client->is_cut; i++) {
		bool is_due = client->is_due && !client->is_blocked;
		client->is_due = false;
		if (is_due)
			client->call->ops->go_on(client->call);
		struct slice input = buf_slice(&client->unread), piece;
		const char *why = NULL;
		enum body_step step = BODY_MORE;
		if (client->call->ops->body && !client->is_finished && !client->is_cut && !client->has_ended)
			step = body_next(&client->length, &input, &piece, &why);
		if (step == BODY_DATA)
			body_take(&client->length, &input, client->call->ops->body(client->call, piece));
		if (step == BODY_END) {
			client->has_ended = true;
			client->call->ops->body_end(client->call);
		}
		bool has_moved = input.len != client->unread.len || step == BODY_END;
		buf_drop_front(&client->unread, client->unread.len - input.len);
		if (!is_due && !has_moved && !client->is_due)
			return;
	}
}

/* "GET /v1/history?x HTTP/1.1\r\n..." without the empty line; "" may stand for more header lines. */
static UNUSED void client_asks(struct client *client, const char *line, const char *fields)
{
	*client = (struct client){.responder = {.ops = &fake_responder_ops, .admission = fake_admission}};
	client->api = (struct api){.exchange = exchange, .message_bytes_max = 256, .retry_after_s = 2, .auth = fake_auth};
	struct refusal refusal;
	int len = snprintf(client->request, sizeof client->request, "%s HTTP/1.1\r\nHost: h\r\n%s\r\n", line, fields);
	ck_assert_int_lt(len, (int)sizeof client->request);
	ck_assert_int_eq(head_read(slice_of(client->request), &client->head), HEAD_COMPLETE);
	ck_assert(body_open(&client->length, &client->head, &refusal));
	ck_assert(api_knows(client->head.path));
	api_meet(&client->api, &client->head, &client->responder);
	client->call = api_open(&client->api, &client->head, &client->length, &client->responder);
	client_turn(client);
}

static UNUSED void client_sends(struct client *client, const char *text)
{
	buf_append_text(&client->unread, text);
	client_turn(client);
}

/* What was buffered has gone. */
static UNUSED void client_reads(struct client *client)
{
	client->is_stuck = client->is_blocked = false;
	client->is_due = true;
	client_turn(client);
}

static UNUSED void client_leaves(struct client *client)
{
	if (client->call)
		client->call->ops->free(client->call);
	buf_fini(&client->body);
	buf_fini(&client->unread);
}

static UNUSED void client_expect(struct client *client, unsigned status, const char *body)
{
	ck_assert_msg(client->is_finished, "not finished: %.*s", (int)client->body.len, client->body.bytes ? client->body.bytes : "");
	ck_assert_msg(client->status == status, "status %u: %.*s", client->status, (int)client->body.len, client->body.bytes);
	if (body)
		ck_assert_msg(slice_is(buf_slice(&client->body), body), "%.*s", (int)client->body.len, client->body.bytes);
}

static UNUSED void client_expect_error(struct client *client, unsigned status, const char *code)
{
	char start[128];
	snprintf(start, sizeof start, "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
	client_expect(client, status, NULL);
	ck_assert_msg(client->body.len > strlen(start) && memcmp(client->body.bytes, start, strlen(start)) == 0, "%.*s",
		      (int)client->body.len, client->body.bytes);
	ck_assert_str_eq(client->response.content_type, "application/json");
}

static UNUSED struct answer *answer_to(size_t at, enum err error)
{
	ck_assert_uint_lt(at, question_count);
	struct answer *answer = answer_new(questions[at], error, error == ERR_IO ? "OOM" : NULL);
	ck_assert_ptr_nonnull(answer);
	return answer;
}

static UNUSED void past_fails(size_t at, enum err error)
{
	exchange_answer(exchange, answer_to(at, error));
}

static UNUSED void past_published(size_t at, uint64_t ms)
{
	struct answer *answer = answer_to(at, OK);
	answer->id = (struct record_id){ms, 0};
	exchange_answer(exchange, answer);
}

/* Answers a question for a page with entries of these ms, "trace:s1" and {"n":<ms>}, in that order. */
static UNUSED void past_gives(size_t at, const uint64_t *ms, size_t count, bool is_last)
{
	static char payloads[4096][32];
	struct log_entry *entries = calloc(count + 1, sizeof *entries);
	for (size_t i = 0; i < count; i++) {
		snprintf(payloads[i], sizeof payloads[i], "{\"n\":%d}", (int)ms[i]);
		entries[i] = (struct log_entry){{ms[i], 0}, {0}, SLICE_LITERAL("trace:s1"), slice_of(payloads[i])};
	}
	struct page *page = page_make(&intake_fields_default, entries, count, SLICE_NONE);
	free(entries);
	ck_assert_ptr_nonnull(page);
	page->is_reverse = questions[at]->page.is_reverse;
	page->from = questions[at]->page.from;
	page->reached = is_last || !count ? questions[at]->page.to : (struct record_id){ms[count - 1], 0};
	page->is_last = is_last;
	page->log = (struct log_position){.epoch = UINT64_C(0x1234567800000000), .last = {100, 0}};
	struct answer *answer = answer_to(at, OK);
	answer->page = page;
	exchange_answer(exchange, answer);
}

#endif
