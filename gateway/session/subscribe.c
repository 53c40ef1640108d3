/* The requests "subscribe", "unsubscribe" and "resync". */
#include <stdio.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/catchup.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/resume.h"
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

static bool read_delta(const struct request *request, bool *ret_has_deltas)
{
	const struct session *session = request->session;
	const struct value *delta;
	if (!request_optional_string(request, "delta", &delta))
		return false;
	*ret_has_deltas = delta != NULL;
	if (!delta)
		return true;
	if (!slice_is(delta->text, "fossil")) {
		request_fail(request, "bad_request", "delta: \"fossil\" is the only one");
		return false;
	}
	if (!session->front->codec->events_add_text || !session->exchange->settings.delta_bytes_max) {
		request_fail(request, "unsupported", "delta: this gateway sends no deltas");
		return false;
	}
	return true;
}

/* The subscription that the session has for the filter already, or a new one. NULL: refused. */
static struct subscription *find_or_open(const struct request *request, struct filter *filter, enum slow_policy policy,
					 bool has_deltas, bool *ret_is_new)
{
	struct session *session = request->session;
	size_t limit = session->allowance.limit[LIMIT_SUBSCRIPTIONS];
	*ret_is_new = false;
	struct subscription *subscription = session_find_alike(session, filter, has_deltas);
	if (subscription) {
		subscription_set_policy(subscription, policy);
		return subscription;
	}
	if (limit && session->subscription_count >= limit) {
		request_fail(request, "too_many_subscriptions", "this connection has as many subscriptions as it may have (welcome.limits)");
		return NULL;
	}
	subscription = subscription_open(session, filter, policy, has_deltas);
	*ret_is_new = true;
	if (!subscription)
		request_fail(request, "internal", "the gateway is out of memory");
	return subscription;
}

/* From now on; one that there is already stays where it is. */
static void begin_now(const struct request *request, struct subscription *subscription, bool is_new)
{
	if (is_new)
		subscription_go_live(subscription);
	else if (subscription->catchup && subscription->catchup->resume)
		resume_adopt(subscription->catchup->resume);
	request_succeed(request, resume_ok(subscription, subscription_place(subscription)));
}

/* Without a log nothing before this moment can be had: whoever asks for it is told. */
static void begin_unrecorded(const struct request *request, struct subscription *subscription, bool is_new, const struct value *since)
{
	struct arena *arena = request->arena;
	if (is_new)
		subscription_go_live(subscription);
	struct value *ok = resume_ok(subscription, subscription_place(subscription));
	request_succeed(request, value_put(ok, "recovered", value_bool(arena, false)));
	subscription_tell_no_past(subscription, since);
}

/* True: there is none, or it is a moment. False: refused. */
static bool read_since(const struct request *request, const struct value *since, struct moment *ret_moment)
{
	const struct exchange *exchange = request->session->exchange;
	char why[128], message[160];
	if (!since)
		return true;
	if (since->kind != VALUE_STRING && since->kind != VALUE_UINT && since->kind != VALUE_INT) {
		request_mistyped(request, "since", "a cursor or a time");
		return false;
	}
	if (moment_parse(since, clock_wall_ms(), ret_moment, why) != OK) {
		snprintf(message, sizeof message, "since: %s", why);
		request_fail(request, "bad_request", message);
		return false;
	}
	if (exchange->settings.past.ask && !exchange->feed.log.epoch) {
		request_fail_for_now(request, "unavailable", "the node does not know the log yet", ERRAND_RETRY_MS);
		return false;
	}
	return true;
}

void request_subscribe(const struct request *request)
{
	enum slow_policy policy;
	struct filter *filter;
	struct moment moment;
	bool is_new, has_deltas;
	const struct value *since = value_get(request->body, "since");
	if (!read_since(request, since, &moment) || !read_policy(request, &policy) || !read_delta(request, &has_deltas) ||
	    !request_filter(request, &filter))
		return;
	struct subscription *subscription = find_or_open(request, filter, policy, has_deltas, &is_new);
	filter_unref(filter);
	if (!subscription)
		return;
	if (!since)
		begin_now(request, subscription, is_new);
	else if (request->session->exchange->feed.log.epoch)
		resume_begin(request, subscription, is_new, &moment);
	else
		begin_unrecorded(request, subscription, is_new, since);
}

/* The subscription that the request names. NULL: refused. */
static struct subscription *named(const struct request *request)
{
	struct slice key;
	if (!request_required_string(request, "sub", &key))
		return NULL;
	struct subscription *subscription = session_find(request->session, key);
	if (!subscription)
		request_fail(request, "no_such_subscription", "sub: this connection has no subscription of that key");
	return subscription;
}

void request_unsubscribe(const struct request *request)
{
	struct subscription *subscription = named(request);
	if (!subscription)
		return;
	subscription_close(subscription);
	request_succeed(request, value_map(request->arena));
}

/* What comes behind the reply refers to nothing in front of it. */
void request_resync(const struct request *request)
{
	struct subscription *subscription = named(request);
	if (!subscription)
		return;
	cohort_resync(subscription->cohort, subscription);
	metric_add(METRIC_RESYNCS, 1);
	request_succeed(request, value_map(request->arena));
}
