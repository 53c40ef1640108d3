/* GET /v1/state: what the state of a session was at a moment, in one piece. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/list.h"
#include "gateway/http/handlers.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/past_error.h"
#include "gateway/http/response.h"
#include "gateway/session/past.h"
#include "gateway/session/state_query.h"

#define WISH_BYTES_MAX ((size_t)64 * 1024)

struct state_call {
	struct call call;
	struct asker asker;
	unsigned retry_after_s;
};

static void free_call(struct call *call)
{
	struct state_call *state = (struct state_call *)call;
	asker_cancel(&state->asker);
	free(state);
}

/* Everything that is written comes with the answer. */
static void go_on(struct call *call)
{
	(void)call;
}

static const struct call_ops state_ops = {.go_on = go_on, .free = free_call};

static void append_blob(struct buf *out, const struct blob *blob)
{
	buf_append(out, blob->bytes, blob->len);
}

static void append_body(struct buf *out, const struct answer *answer)
{
	char at[RECORD_ID_TEXT];
	record_id_write(at, answer->id);
	buf_printf(out, "{\"at\":\"%s\",\"state\":", at);
	append_blob(out, answer->state);
	if (answer->patch) {
		buf_append_text(out, ",\"patch\":");
		append_blob(out, answer->patch);
	}
	buf_append_text(out, "}\n");
}

static void on_answer(struct asker *asker, struct answer *answer)
{
	struct state_call *state = LIST_ENTRY(asker, struct state_call, asker);
	struct responder *responder = state->call.responder;
	struct buf body;
	enum err error = answer->error;
	buf_init(&body);
	if (error == OK && answer->state)
		append_body(&body, answer);
	if (error == OK && (buf_has_failed(&body) || !answer->state))
		error = ERR_NOMEM;
	struct response response = {.status = 200, .content_type = RESPONSE_JSON, .length = body.len};
	struct refusal refusal = past_refusal(error, answer->why, state->retry_after_s);
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

/* The request as the op "state" has it. NULL: answered. */
static struct question *read_question(const struct api_request *request)
{
	static const char *const names[] = {"session", "at", "diffFrom"};
	struct arena arena;
	struct slice text;
	struct question *question = NULL;
	struct history_error error;
	arena_init(&arena, WISH_BYTES_MAX);
	struct value *map = value_map(&arena);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (query_get(&request->query, names[i], &text))
			map = value_put(map, names[i], value_string(&arena, text));
	}
	enum err failed = map ? state_query_of(request->api->exchange, map, &question, &error) : ERR_NOMEM;
	arena_fini(&arena);
	if (failed == ERR_INVALID)
		api_refuse(request, 400, error.code, error.message);
	else if (failed)
		refuse_past(request, failed);
	return failed ? NULL : question;
}

struct call *state_open(const struct api_request *request)
{
	static const char *const offers[] = {RESPONSE_JSON};
	if (negotiate_accept(request->head, offers, 1) < 0)
		return api_refuse(request, 406, "not_acceptable", "this path gives application/json");
	struct question *question = read_question(request);
	if (!question)
		return NULL;
	struct state_call *state = calloc(1, sizeof *state);
	if (!state) {
		question_free(question);
		return refuse_past(request, ERR_NOMEM);
	}
	state->call = (struct call){.ops = &state_ops, .responder = request->responder};
	state->retry_after_s = request->api->retry_after_s;
	asker_init(&state->asker, request->api->exchange, on_answer);
	enum err error = asker_ask(&state->asker, question);
	if (error != OK) {
		free(state);
		return refuse_past(request, error);
	}
	return &state->call;
}
