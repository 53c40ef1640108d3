/* The requests "subscribe" and "unsubscribe". */
#include "gateway/session/exchange_inside.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"

static bool read_policy(const struct request *request, enum slow_policy *ret_policy)
{
	static const char *const names[] = {
		[SLOW_CATCHUP] = "catchup",
		[SLOW_DROP] = "drop",
		[SLOW_CONFLATE] = "conflate",
		[SLOW_DISCONNECT] = "disconnect",
	};
	const struct value *slow;
	if (!request_optional_string(request, "slow", &slow))
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
	request_fail(request, "bad_request", "slow: one of \"catchup\", \"drop\", \"conflate\", \"disconnect\" is needed");
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
		request_fail(request, "too_many_subscriptions", "this connection has as many subscriptions as limits.subscriptions allows");
		return NULL;
	}
	struct subscription *subscription = subscription_open(session, filter, policy);
	if (!subscription)
		request_fail(request, "internal", "the gateway is out of memory");
	return subscription;
}

void request_subscribe(const struct request *request)
{
	enum slow_policy policy;
	struct filter *filter;
	const struct value *since = value_get(request->body, "since");
	if (value_get(request->body, "delta")) {
		request_fail(request, "unsupported", "delta: this gateway sends no deltas");
		return;
	}
	if (since && since->kind != VALUE_STRING && since->kind != VALUE_UINT && since->kind != VALUE_INT) {
		request_mistyped(request, "since", "a cursor or a time");
		return;
	}
	if (!read_policy(request, &policy) || !request_filter(request, &filter))
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
	request_succeed(request, ok);
	if (since)
		tell_unrecorded(request, subscription, since);
}

void request_unsubscribe(const struct request *request)
{
	struct slice key;
	if (!request_required_string(request, "sub", &key))
		return;
	struct subscription *subscription = session_find(request->session, key);
	if (!subscription) {
		request_fail(request, "no_such_subscription", "sub: this connection has no subscription of that key");
		return;
	}
	subscription_close(subscription);
	request_succeed(request, value_map(request->arena));
}
