/* The request "state": one question about the past; its answer, which may be long, goes out when the client's port is clear. */
#include <stdlib.h>

#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/past.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/state_query.h"
#include "gateway/session/writers.h"

struct state {
	struct errand errand;
	struct asker asker;
	struct writer writer;
	struct record_id at;
	struct blob *state, *patch; /* of the answer, once it is there; patch NULL: none was wanted */
};

static struct state *state_of(struct errand *errand)
{
	return LIST_ENTRY(errand, struct state, errand);
}

/* All but the errand, which ends by itself. */
static void stop(struct state *state)
{
	writer_rest(&state->writer);
	asker_cancel(&state->asker);
	blob_unref(state->state);
	blob_unref(state->patch);
}

static void on_cancel(struct errand *errand)
{
	struct state *state = state_of(errand);
	stop(state);
	errand_end(errand);
	free(state);
}

static struct value *json_of(struct arena *arena, const struct blob *blob)
{
	return value_raw(arena, (struct slice){(const char *)blob->bytes, blob->len});
}

static bool write_reply(struct writer *writer)
{
	struct state *state = LIST_ENTRY(writer, struct state, writer);
	struct arena *arena = &state->errand.session->exchange->arena;
	char text[RECORD_ID_TEXT];
	size_t len = record_id_write(text, state->at);
	struct value *ok = value_put(value_map(arena), "at", value_string(arena, (struct slice){text, len}));
	ok = value_put(ok, "state", json_of(arena, state->state));
	if (state->patch)
		ok = value_put(ok, "patch", json_of(arena, state->patch));
	writer_rest(writer);
	errand_succeed(&state->errand, ok);
	stop(state);
	free(state);
	return false;
}

static void on_answer(struct asker *asker, struct answer *answer)
{
	struct state *state = LIST_ENTRY(asker, struct state, asker);
	if (answer->error != OK || !answer->state) {
		errand_fail_question(&state->errand, answer->error ? answer->error : ERR_NOMEM, answer->why);
		stop(state);
		free(state);
		return;
	}
	state->at = answer->id;
	state->state = blob_ref(answer->state);
	state->patch = answer->patch ? blob_ref(answer->patch) : NULL;
	writer_want(&state->writer);
}

static void ask(const struct request *request, struct question *question)
{
	struct state *state = calloc(1, sizeof *state);
	if (!state) {
		request_fail(request, "internal", "the gateway is out of memory");
		goto fail_question;
	}
	asker_init(&state->asker, request->session->exchange, on_answer);
	writer_init(&state->writer, request->session, false, write_reply);
	if (!errand_begin(&state->errand, request, on_cancel))
		goto fail_state;
	state->errand.reads = true;
	enum err error = asker_ask(&state->asker, question);
	if (error == OK)
		return;
	errand_fail_question(&state->errand, error, NULL);
	free(state);
	return;

fail_state:
	free(state);
fail_question:
	question_free(question);
}

void request_state(const struct request *request)
{
	struct question *question;
	struct history_error error;
	if (state_query_of(request->session->exchange, request_grants(request), request->body, &question, &error) == OK)
		ask(request, question);
	else
		request_fail(request, error.code, error.message);
}
