/* The request "state": one question about the past. Its answer may be long, so there is one at a time for each client: a state is asked
 * for when the client has taken all that was sent to it, the state before too. */
#include <stdlib.h>

#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/past.h"
#include "gateway/session/relief.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/state_query.h"
#include "gateway/session/writers.h"

struct state {
	struct errand errand;
	struct list in_session;    /* on the session's states: the first is at work */
	struct question *question; /* owned; NULL: it was asked */
	struct asker asker;
	struct writer writer;
	struct record_id at;
	struct blob *state, *patch; /* of the answer, once it is there; patch NULL: none was wanted */
};

static struct state *state_of(struct errand *errand)
{
	return LIST_ENTRY(errand, struct state, errand);
}

/* NULL: none. */
static struct state *first_of(const struct session *session)
{
	return list_is_empty(&session->states) ? NULL : LIST_ENTRY(session->states.next, struct state, in_session);
}

/* Its errand has ended. The next one has its turn. */
static void end(struct state *state)
{
	struct session *session = state->errand.session;
	writer_rest(&state->writer);
	asker_cancel(&state->asker);
	list_remove(&state->in_session);
	question_free(state->question);
	blob_unref(state->state);
	blob_unref(state->patch);
	free(state);
	struct state *next = first_of(session);
	if (next)
		writer_want(&next->writer);
}

static void on_cancel(struct errand *errand)
{
	errand_end(errand);
	end(state_of(errand));
}

static struct value *json_of(struct arena *arena, const struct blob *blob)
{
	return value_raw(arena, (struct slice){(const char *)blob->bytes, blob->len});
}

static void reply(struct state *state)
{
	struct arena *arena = &state->errand.session->exchange->arena;
	char text[RECORD_ID_TEXT];
	size_t len = record_id_write(text, state->at);
	struct value *ok = value_put(value_map(arena), "at", value_string(arena, (struct slice){text, len}));
	ok = value_put(ok, "state", json_of(arena, state->state));
	if (state->patch)
		ok = value_put(ok, "patch", json_of(arena, state->patch));
	errand_succeed(&state->errand, ok);
	end(state);
}

static void ask(struct state *state)
{
	struct question *question = state->question;
	state->question = NULL;
	enum err error = asker_ask(&state->asker, question);
	if (error == OK)
		return;
	errand_fail_question(&state->errand, error, NULL);
	end(state);
}

static bool on_turn(struct writer *writer)
{
	struct state *state = LIST_ENTRY(writer, struct state, writer);
	if (state->question)
		ask(state);
	else
		reply(state);
	return false;
}

static void on_answer(struct asker *asker, struct answer *answer)
{
	struct state *state = LIST_ENTRY(asker, struct state, asker);
	if (answer->error != OK || !answer->state) {
		errand_fail_question(&state->errand, answer->error ? answer->error : ERR_NOMEM, answer->why);
		end(state);
		return;
	}
	state->at = answer->id;
	state->state = blob_ref(answer->state);
	state->patch = answer->patch ? blob_ref(answer->patch) : NULL;
	writer_want(&state->writer);
}

static void begin(const struct request *request, struct question *question)
{
	struct session *session = request->session;
	struct state *state = calloc(1, sizeof *state);
	if (!state) {
		request_fail(request, "internal", "the gateway is out of memory");
		question_free(question);
		return;
	}
	if (!errand_begin(&state->errand, request, on_cancel)) {
		question_free(question);
		free(state);
		return;
	}
	state->errand.reads = true;
	state->question = question;
	asker_init(&state->asker, session->exchange, on_answer);
	writer_init(&state->writer, session, false, on_turn);
	list_init(&state->in_session);
	list_append(&session->states, &state->in_session);
	if (first_of(session) == state)
		writer_want(&state->writer);
}

void state_relieve(struct session *session)
{
	struct state *state = first_of(session);
	if (!state || !state->state)
		return;
	errand_fail(&state->errand, "over_memory", RELIEF_WHY, RELIEF_RETRY_MS);
	end(state);
}

void request_state(const struct request *request)
{
	struct question *question;
	struct history_error error;
	if (state_query_of(request->session->exchange, request_grants(request), request->body, &question, &error) == OK)
		begin(request, question);
	else
		request_fail(request, error.code, error.message);
}
