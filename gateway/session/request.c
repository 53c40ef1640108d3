/* The requests of the native protocol: a table of ops. A handler answers with a map for "ok", or refuses; every request
 * that has an id gets exactly one reply, one without gets none. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/auth/access.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/relief.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"

/* The id is copied, since a value can stand in one map only. */
static struct value *reply_to(struct arena *arena, const struct value *id)
{
	return value_put(value_map(arena), "id", id ? value_copy(arena, id) : value_null(arena));
}

void request_refuse(struct session *session, const struct value *id, const char *code, const char *message, uint64_t retry_after_ms)
{
	struct arena *arena = &session->exchange->arena;
	if (!id)
		return;
	struct arena_mark mark = arena_mark(arena);
	struct value *error = value_map(arena);
	error = value_put(error, "code", value_text(arena, code));
	error = value_put(error, "message", value_text(arena, message));
	error = value_put(error, "temporary", value_bool(arena, retry_after_ms > 0));
	if (retry_after_ms)
		error = value_put(error, "retryAfterMs", value_uint(arena, retry_after_ms));
	session_send(session, value_put(reply_to(arena, id), "error", error));
	arena_back(arena, mark);
}

void request_fail_for_now(const struct request *request, const char *code, const char *message, uint64_t retry_after_ms)
{
	metric_add(METRIC_COMMAND_ERRORS, 1);
	request_refuse(request->session, request->id, code, message, retry_after_ms);
}

void request_fail(const struct request *request, const char *code, const char *message)
{
	request_fail_for_now(request, code, message, 0);
}

void request_reply(struct session *session, const struct value *id, struct value *ok)
{
	if (id)
		session_send(session, value_put(reply_to(&session->exchange->arena, id), "ok", ok));
}

void request_succeed(const struct request *request, struct value *ok)
{
	request_reply(request->session, request->id, ok);
}

void request_mistyped(const struct request *request, const char *field, const char *wanted)
{
	char message[160];
	snprintf(message, sizeof message, "%s: %s is needed, this is a %s", field, wanted,
		 value_kind_name(value_get(request->body, field)->kind));
	request_fail(request, "bad_request", message);
}

bool request_optional_string(const struct request *request, const char *field, const struct value **ret_value)
{
	*ret_value = value_get(request->body, field);
	if (!*ret_value || (*ret_value)->kind == VALUE_STRING)
		return true;
	request_mistyped(request, field, "a string");
	return false;
}

bool request_required_string(const struct request *request, const char *field, struct slice *ret_text)
{
	const struct value *value;
	if (!request_optional_string(request, field, &value))
		return false;
	if (!value) {
		char message[160];
		snprintf(message, sizeof message, "%s: missing, a string is needed", field);
		request_fail(request, "bad_request", message);
		return false;
	}
	*ret_text = value->text;
	return true;
}

const struct grants *request_grants(const struct request *request)
{
	return request->session->bearer.grants;
}

bool request_narrow(const struct request *request, struct filter **filter)
{
	struct filter *wish = *filter;
	enum err failed = access_narrow(request_grants(request), wish, filter);
	filter_unref(wish);
	if (failed == ERR_DENIED)
		request_fail(request, "not_allowed", ACCESS_NO_SYSTEM);
	else if (failed)
		request_fail(request, "internal", "the gateway is out of memory");
	return failed == OK;
}

bool request_without_delta(const struct request *request)
{
	if (!value_get(request->body, "delta"))
		return true;
	request_fail(request, "unsupported", "delta: only what is subscribed to comes as deltas");
	return false;
}

bool request_filter(const struct request *request, struct filter **ret_filter)
{
	const struct exchange_settings *settings = &request->session->exchange->settings;
	struct filter_error error;
	enum err failed = filter_compile(value_get(request->body, "channels"), value_get(request->body, "filter"),
					 settings->served, ret_filter, &error);
	if (failed == OK)
		return request_narrow(request, ret_filter);
	char message[320];
	if (failed == ERR_NOMEM)
		snprintf(message, sizeof message, "the gateway is out of memory");
	else
		snprintf(message, sizeof message, "%s: %s", error.where, error.message);
	request_fail(request, failed == ERR_NOMEM ? "internal" : "bad_filter", message);
	return false;
}

static void on_ping(const struct request *request)
{
	struct value *now = value_uint(request->arena, clock_wall_ms());
	request_succeed(request, value_put(value_map(request->arena), "now", now));
}

/* needed: of enum grant_op; 0: anyone may who has said who he is. */
static const struct op {
	const char *name;
	void (*handle)(const struct request *request);
	unsigned needed;
	bool is_for_strangers;
} ops[] = {
	{"subscribe", request_subscribe, GRANT_SUBSCRIBE, false},
	{"unsubscribe", request_unsubscribe, 0, false},
	{"resync", request_resync, 0, false},
	{"history", request_history, GRANT_HISTORY, false},
	{"publish", request_publish, GRANT_PUBLISH, false},
	{"ping", on_ping, 0, true},
	{"auth", request_auth, 0, true},
	{"state", request_state, GRANT_STATE, false},
	{"replay", request_replay, GRANT_REPLAY, false},
	{"control", request_control, GRANT_REPLAY, false},
};

/* The one gate in front of every op. */
static void handle(const struct request *request, const struct op *op)
{
	const struct grants *grants = request_grants(request);
	char message[80];
	if (!grants && !op->is_for_strangers) {
		request_fail(request, "unauthenticated", "say who you are first: {\"op\":\"auth\",\"token\":...}");
	} else if (op->needed && !access_may(grants, (enum grant_op)op->needed)) {
		snprintf(message, sizeof message, "your credential does not grant the op \"%s\"", op->name);
		request_fail(request, "not_allowed", message);
	} else {
		op->handle(request);
	}
}

static void refuse_unknown(const struct request *request, struct slice name)
{
	struct buf message;
	buf_init(&message);
	buf_append_text(&message, "op: unknown \"");
	buf_append(&message, name.ptr, name.len < 40 ? name.len : 40);
	buf_append_text(&message, "\"; there are");
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
		buf_printf(&message, "%s %s", i ? "," : "", ops[i].name);
	buf_append_char(&message, '\0');
	request_fail(request, "unknown_op", buf_has_failed(&message) ? "op: unknown" : message.bytes);
	buf_fini(&message);
}

/* Ops that make work which takes memory, and would not if they were refused. */
static bool asks_for_more(struct slice name)
{
	static const char *const heavy[] = {"subscribe", "history", "state", "replay"};
	for (size_t i = 0; i < sizeof heavy / sizeof heavy[0]; i++) {
		if (slice_is(name, heavy[i]))
			return true;
	}
	return false;
}

void request_answer(struct session *session, struct slice message, const struct value *body)
{
	struct request request = {
		.session = session,
		.arena = &session->exchange->arena,
		.message = message,
		.body = body,
		.id = value_get(body, "id"),
	};
	if (request.id && request.id->kind != VALUE_STRING && request.id->kind != VALUE_UINT &&
	    request.id->kind != VALUE_INT && request.id->kind != VALUE_NUMBER) {
		request.id = value_null(request.arena);
		request_fail(&request, "bad_request", "id: a number or a string is needed");
		return;
	}
	struct slice name;
	if (!request_required_string(&request, "op", &name))
		return;
	if (exchange_is_over_memory(session->exchange) && asks_for_more(name)) {
		metric_add(METRIC_MEMORY_REFUSED, 1);
		request_fail_for_now(&request, "over_memory", RELIEF_WHY, RELIEF_RETRY_MS);
		return;
	}
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		if (slice_is(name, ops[i].name)) {
			handle(&request, &ops[i]);
			return;
		}
	}
	refuse_unknown(&request, name);
}
