/* GET /v1/sessions: the sessions that have a stream, page by page. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/list.h"
#include "common/codec/json.h"
#include "gateway/http/handlers.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/number.h"
#include "gateway/http/past_error.h"
#include "gateway/http/response.h"
#include "gateway/session/past.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

struct sessions_call {
	struct call call;
	struct asker asker;
	unsigned retry_after_s;
};

static void free_call(struct call *call)
{
	struct sessions_call *sessions = (struct sessions_call *)call;
	asker_cancel(&sessions->asker);
	free(sessions);
}

/* Everything that is written comes with the answer. */
static void go_on(struct call *call)
{
	(void)call;
}

static const struct call_ops sessions_ops = {.go_on = go_on, .free = free_call};

static void append_id(struct buf *out, const char *name, struct record_id id)
{
	char text[RECORD_ID_TEXT];
	record_id_write(text, id);
	buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

static void append_summary(struct buf *out, const struct session_summary *summary)
{
	buf_append_text(out, "{\"session\":");
	json_append_string(out, summary->session);
	append_id(out, "first", summary->first);
	append_id(out, "last", summary->last);
	buf_printf(out, ",\"length\":%" PRIu64 "}", summary->length);
}

static void append_list(struct buf *out, const struct session_list *list)
{
	buf_append_text(out, "{\"sessions\":[");
	for (size_t i = 0; i < list->count; i++) {
		if (i)
			buf_append_char(out, ',');
		append_summary(out, &list->sessions[i]);
	}
	if (list->cursor)
		buf_printf(out, "],\"next\":\"%" PRIu64 "\"}\n", list->cursor);
	else
		buf_append_text(out, "],\"next\":null}\n");
}

static void on_answer(struct asker *asker, struct answer *answer)
{
	struct sessions_call *sessions = LIST_ENTRY(asker, struct sessions_call, asker);
	struct responder *responder = sessions->call.responder;
	struct buf body;
	enum err error = answer->error;
	buf_init(&body);
	if (error == OK && answer->sessions)
		append_list(&body, answer->sessions);
	if (error == OK && (buf_has_failed(&body) || !answer->sessions))
		error = ERR_NOMEM;
	struct response response = {.status = 200, .content_type = RESPONSE_JSON, .length = body.len};
	struct refusal refusal = past_refusal(error, answer->why, sessions->retry_after_s);
	if (error == OK)
		responder_send(responder, &response, buf_slice(&body));
	else
		responder_refuse(responder, &refusal);
	buf_fini(&body);
}

static struct call *refuse_past(const struct api_request *request, enum err error)
{
	struct refusal refusal = past_refusal(error, NULL, request->api->retry_after_s);
	responder_refuse(request->responder, &refusal);
	return NULL;
}

struct call *sessions_open(const struct api_request *request)
{
	static const char *const offers[] = {RESPONSE_JSON};
	uint64_t limit = LIMIT_DEFAULT, cursor = 0;
	struct slice text;
	if (negotiate_accept(request->head, offers, 1) < 0)
		return api_refuse(request, 406, "not_acceptable", "this path gives application/json");
	if (query_get(&request->query, "limit", &text) && (!number_read(text, LIMIT_MAX, &limit) || limit == 0))
		return api_refuse(request, 400, "bad_request", "limit: a whole number from 1 to 1000 is needed");
	if (query_get(&request->query, "cursor", &text) && !number_read(text, UINT64_MAX, &cursor))
		return api_refuse(request, 400, "bad_request", "cursor: the next of an earlier answer is needed");
	struct sessions_call *sessions = calloc(1, sizeof *sessions);
	if (!sessions)
		return refuse_past(request, ERR_NOMEM);
	sessions->call = (struct call){.ops = &sessions_ops, .responder = request->responder};
	sessions->retry_after_s = request->api->retry_after_s;
	asker_init(&sessions->asker, request->api->exchange, on_answer);
	enum err error = asker_ask(&sessions->asker, question_new_sessions(0, cursor, (size_t)limit));
	if (error != OK) {
		free(sessions);
		return refuse_past(request, error);
	}
	return &sessions->call;
}
