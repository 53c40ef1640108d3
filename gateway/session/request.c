/* The requests of the native protocol: a table of ops. A handler answers with a map for "ok", or refuses; every request
 * that has an id gets exactly one reply, one without gets none. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

/* One request on its way. */
struct request {
	struct session *session;
	struct arena *arena;
	const struct value *body, *id;
};

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
	struct value *error = value_map(arena);
	error = value_put(error, "code", value_text(arena, code));
	error = value_put(error, "message", value_text(arena, message));
	error = value_put(error, "temporary", value_bool(arena, retry_after_ms > 0));
	if (retry_after_ms)
		error = value_put(error, "retryAfterMs", value_uint(arena, retry_after_ms));
	session_send(session, value_put(reply_to(arena, id), "error", error));
}

static void refuse(const struct request *request, const char *code, const char *message)
{
	metric_add(METRIC_COMMAND_ERRORS, 1);
	request_refuse(request->session, request->id, code, message, 0);
}

static void succeed(const struct request *request, struct value *ok)
{
	if (request->id)
		session_send(request->session, value_put(reply_to(request->arena, request->id), "ok", ok));
}

static void refuse_type(const struct request *request, const char *field, const char *wanted)
{
	char message[160];
	snprintf(message, sizeof message, "%s: %s is needed, this is a %s", field, wanted,
		 value_kind_name(value_get(request->body, field)->kind));
	refuse(request, "bad_request", message);
}

/* A field that must be a string if it is there. False: refused. */
static bool optional_string(const struct request *request, const char *field, const struct value **ret_value)
{
	*ret_value = value_get(request->body, field);
	if (!*ret_value || (*ret_value)->kind == VALUE_STRING)
		return true;
	refuse_type(request, field, "a string");
	return false;
}

/* A required string. False: refused. */
static bool required_string(const struct request *request, const char *field, struct slice *ret_text)
{
	const struct value *value;
	if (!optional_string(request, field, &value))
		return false;
	if (!value) {
		char message[160];
		snprintf(message, sizeof message, "%s: missing, a string is needed", field);
		refuse(request, "bad_request", message);
		return false;
	}
	*ret_text = value->text;
	return true;
}

static bool read_policy(const struct request *request, enum slow_policy *ret_policy)
{
	static const char *const names[] = {
		[SLOW_CATCHUP] = "catchup",
		[SLOW_DROP] = "drop",
		[SLOW_CONFLATE] = "conflate",
		[SLOW_DISCONNECT] = "disconnect",
	};
	const struct value *slow;
	if (!optional_string(request, "slow", &slow))
		return false;
	*ret_policy = SLOW_CATCHUP;
	if (!slow)
		return true;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (slice_is(slow->text, names[i])) {
			*ret_policy = (enum slow_policy)i;
			return true;
		}
	}
	refuse(request, "bad_request", "slow: one of \"catchup\", \"drop\", \"conflate\", \"disconnect\" is needed");
	return false;
}

static bool read_filter(const struct request *request, struct filter **ret_filter)
{
	const struct exchange_settings *settings = &request->session->exchange->settings;
	struct filter_error error;
	enum err failed = filter_compile(value_get(request->body, "channels"), value_get(request->body, "filter"),
					 settings->served, ret_filter, &error);
	if (failed == OK)
		return true;
	char message[320];
	if (failed == ERR_NOMEM)
		snprintf(message, sizeof message, "the gateway is out of memory");
	else
		snprintf(message, sizeof message, "%s: %s", error.where, error.message);
	refuse(request, failed == ERR_NOMEM ? "internal" : "bad_filter", message);
	return false;
}

/* Without a log nothing before this moment can be had: whoever asks for it is told. */
static void tell_unrecorded(const struct request *request, const struct subscription *subscription, const struct value *since)
{
	struct arena *arena = request->arena;
	session_send(request->session, subscription_gap(subscription, value_copy(arena, since), value_null(arena), "unrecorded"));
}

/* The subscription that the session has for the filter already, or a new one. NULL: refused. */
static struct subscription *find_or_open(const struct request *request, struct filter *filter, enum slow_policy policy)
{
	struct session *session = request->session;
	size_t limit = session->exchange->settings.subscriptions_max;
	LIST_FOREACH(&session->subscriptions, at, following) {
		struct subscription *subscription = LIST_ENTRY(at, struct subscription, in_session);
		if (slice_equal(filter_canonical(subscription->cohort->filter), filter_canonical(filter))) {
			subscription_set_policy(subscription, policy);
			return subscription;
		}
	}
	if (limit && session->subscription_count >= limit) {
		refuse(request, "too_many_subscriptions", "this connection has as many subscriptions as limits.subscriptions allows");
		return NULL;
	}
	struct subscription *subscription = subscription_open(session, filter, policy);
	if (!subscription)
		refuse(request, "internal", "the gateway is out of memory");
	return subscription;
}

static void on_subscribe(const struct request *request)
{
	enum slow_policy policy;
	struct filter *filter;
	const struct value *since = value_get(request->body, "since");
	if (value_get(request->body, "delta")) {
		refuse(request, "unsupported", "delta: this gateway sends no deltas");
		return;
	}
	if (since && since->kind != VALUE_STRING && since->kind != VALUE_UINT && since->kind != VALUE_INT) {
		refuse_type(request, "since", "a cursor or a time");
		return;
	}
	if (!read_policy(request, &policy) || !read_filter(request, &filter))
		return;
	struct subscription *subscription = find_or_open(request, filter, policy);
	filter_unref(filter);
	if (!subscription)
		return;
	struct arena *arena = request->arena;
	struct value *ok = value_map(arena);
	ok = value_put(ok, "sub", value_text(arena, subscription->cohort->key));
	ok = value_put(ok, "cursor", value_null(arena));
	ok = value_put(ok, "recorded", value_bool(arena, false));
	if (since)
		ok = value_put(ok, "recovered", value_bool(arena, false));
	succeed(request, ok);
	if (since)
		tell_unrecorded(request, subscription, since);
}

static void on_unsubscribe(const struct request *request)
{
	struct slice key;
	if (!required_string(request, "sub", &key))
		return;
	struct subscription *subscription = session_find(request->session, key);
	if (!subscription) {
		refuse(request, "no_such_subscription", "sub: this connection has no subscription of that key");
		return;
	}
	subscription_close(subscription);
	succeed(request, value_map(request->arena));
}

static void on_ping(const struct request *request)
{
	struct value *now = value_uint(request->arena, clock_wall_ms());
	succeed(request, value_put(value_map(request->arena), "now", now));
}

/* Everyone is anonymous here and may do everything. */
static void on_auth(const struct request *request)
{
	struct slice token;
	if (!required_string(request, "token", &token))
		return;
	struct value *ok = value_map(request->arena);
	ok = value_put(ok, "identity", value_text(request->arena, "anonymous"));
	ok = value_put(ok, "expiresAt", value_null(request->arena));
	succeed(request, ok);
}

static void on_past(const struct request *request)
{
	refuse(request, "unsupported", "this gateway keeps no history: it delivers live events only");
}

static void on_publish(const struct request *request)
{
	refuse(request, "unsupported", "this gateway takes no events from clients: PUBLISH them in Redis");
}

static const struct {
	const char *name;
	void (*handle)(const struct request *request);
} ops[] = {
	{"subscribe", on_subscribe}, {"unsubscribe", on_unsubscribe}, {"ping", on_ping},     {"auth", on_auth},       {"history", on_past},
	{"state", on_past},          {"replay", on_past},             {"control", on_past}, {"publish", on_publish},
};

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
	refuse(request, "unknown_op", buf_has_failed(&message) ? "op: unknown" : message.bytes);
	buf_fini(&message);
}

void request_answer(struct session *session, const struct value *body)
{
	struct request request = {
		.session = session,
		.arena = &session->exchange->arena,
		.body = body,
		.id = value_get(body, "id"),
	};
	if (request.id && request.id->kind != VALUE_STRING && request.id->kind != VALUE_UINT &&
	    request.id->kind != VALUE_INT && request.id->kind != VALUE_NUMBER) {
		request.id = value_null(request.arena);
		refuse(&request, "bad_request", "id: a number or a string is needed");
		return;
	}
	struct slice name;
	if (!required_string(&request, "op", &name))
		return;
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
		if (slice_is(name, ops[i].name)) {
			ops[i].handle(&request);
			return;
		}
	}
	refuse_unknown(&request, name);
}
