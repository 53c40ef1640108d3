#include "gateway/session/bearer.h"

#include "common/base/clock.h"
#include "gateway/auth/auth.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"

void bearer_rest(struct bearer *bearer)
{
	bearer->has_ended = true;
	alarm_stop(&bearer->alarm);
}

static void end(struct bearer *bearer, enum close_cause cause, const char *reason)
{
	if (bearer->has_ended)
		return;
	bearer_rest(bearer);
	bearer->ops->end(bearer, cause, reason);
}

/* When it is to be warned: wall clock. */
static uint64_t warning_ms(const struct bearer *bearer)
{
	uint64_t expires_ms = bearer->grants->expires_ms, granted_ms = bearer->granted_ms;
	uint64_t tenth_ms = expires_ms > granted_ms ? (expires_ms - granted_ms) / 10 : 0;
	return expires_ms - (tenth_ms < BEARER_WARNING_MS ? tenth_ms : BEARER_WARNING_MS);
}

static void set_alarm(struct bearer *bearer, uint64_t wait_ms)
{
	if (wait_ms > BEARER_LOOK_MS)
		wait_ms = BEARER_LOOK_MS;
	alarm_set(&bearer->exchange->alarms, &bearer->alarm, clock_mono_ns() + wait_ms * NS_PER_MS);
}

/* When to ask the wall clock next: for the warning, then for the end. */
static void set_next(struct bearer *bearer, uint64_t now_ms)
{
	uint64_t warn_ms = warning_ms(bearer), due_ms = bearer->is_warned ? bearer->grants->expires_ms : warn_ms;
	set_alarm(bearer, due_ms > now_ms ? due_ms - now_ms : 0);
}

/* What the wall clock says of the credential. */
static void look(struct bearer *bearer)
{
	uint64_t now_ms = clock_wall_ms();
	if (now_ms >= bearer->grants->expires_ms) {
		end(bearer, CLOSE_EXPIRED, NULL);
		return;
	}
	if (now_ms >= warning_ms(bearer) && !bearer->is_warned) {
		bearer->is_warned = true;
		if (bearer->ops->warn)
			bearer->ops->warn(bearer);
	}
	if (!bearer->has_ended)
		set_next(bearer, now_ms);
}

static void on_alarm(struct alarm *alarm)
{
	struct bearer *bearer = LIST_ENTRY(alarm, struct bearer, alarm);
	if (bearer->grants)
		look(bearer);
	else
		end(bearer, CLOSE_NO_AUTH, NULL);
}

void bearer_set_grants(struct bearer *bearer, struct grants *grants)
{
	if (bearer->has_ended)
		return;
	struct grants *former = bearer->grants;
	bearer->grants = grants_ref(grants);
	grants_unref(former);
	bearer->granted_ms = clock_wall_ms();
	bearer->is_warned = false;
	alarm_stop(&bearer->alarm);
	if (grants->expires_ms)
		set_next(bearer, bearer->granted_ms);
}

void bearer_open(struct bearer *bearer, struct exchange *exchange, const struct bearer_ops *ops, struct grants *grants, uint64_t client)
{
	*bearer = (struct bearer){.ops = ops, .exchange = exchange, .client = client};
	alarm_init(&bearer->alarm, on_alarm);
	list_init(&bearer->in_exchange);
	list_append(&exchange->bearers, &bearer->in_exchange);
	if (grants)
		bearer_set_grants(bearer, grants);
	else
		alarm_set(&exchange->alarms, &bearer->alarm, clock_mono_ns() + exchange->settings.auth_timeout_ns);
}

void bearer_close(struct bearer *bearer)
{
	if (!bearer->exchange)
		return;
	alarm_stop(&bearer->alarm);
	list_remove(&bearer->in_exchange);
	grants_unref(bearer->grants);
	*bearer = (struct bearer){.has_ended = true};
}

static bool is_meant(const struct bearer *bearer, const struct exchange_culprit *culprit)
{
	if (culprit->client)
		return bearer->client == culprit->client;
	return bearer->grants && slice_equal(bearer->grants->identity, culprit->identity);
}

void exchange_auth_reloaded(struct exchange *exchange)
{
	struct auth *auth = exchange->settings.auth;
	LIST_FOREACH(&exchange->bearers, at, following) {
		struct bearer *bearer = LIST_ENTRY(at, struct bearer, in_exchange);
		if (!bearer->has_ended && bearer->grants && !auth_is_known(auth, bearer->grants))
			end(bearer, CLOSE_REVOKED, NULL);
	}
}

size_t exchange_disconnect(struct exchange *exchange, const struct exchange_culprit *culprit)
{
	size_t count = 0;
	LIST_FOREACH(&exchange->bearers, at, following) {
		struct bearer *bearer = LIST_ENTRY(at, struct bearer, in_exchange);
		if (bearer->has_ended || !is_meant(bearer, culprit))
			continue;
		end(bearer, CLOSE_DISCONNECTED, culprit->reason);
		count++;
	}
	metric_add(METRIC_DISCONNECTED, count);
	return count;
}
