#include "gateway/session/allowance.h"

#include "common/base/clock.h"
#include "gateway/limiter/rates.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

/* Requests over the rate that are answered by an error before the client is closed: ten seconds' worth, and they are
 * forgiven at half the rate. So a client at ten times the rate is closed within about a second, one at twice the rate
 * within twenty. */
#define EXCESS_SECONDS 10

static uint64_t configured(const struct exchange_settings *settings, enum grant_limit limit)
{
	switch (limit) {
	case LIMIT_EVENTS_PER_SECOND:
		return settings->events_per_second;
	case LIMIT_COMMANDS_PER_SECOND:
		return settings->commands_per_second;
	case LIMIT_HISTORY_EVENTS_PER_SECOND:
		return settings->history_events_per_second;
	case LIMIT_SUBSCRIPTIONS:
		return settings->subscriptions_max;
	case LIMIT_REQUESTS:
		return settings->past_requests_max;
	case LIMIT_CONNECTIONS:
		return settings->connections_per_identity;
	case LIMITS:
		break;
	}
	return 0;
}

static uint64_t limit_of(const struct exchange_settings *settings, const struct grants *grants, enum grant_limit limit)
{
	return grants && grants->limits.is_set[limit] ? grants->limits.value[limit] : configured(settings, limit);
}

struct allowance allowance_of(const struct exchange_settings *settings, const struct grants *grants)
{
	struct allowance allowance;
	for (int i = 0; i < LIMITS; i++)
		allowance.limit[i] = limit_of(settings, grants, (enum grant_limit)i);
	return allowance;
}

struct slice allowance_identity(const struct grants *grants)
{
	return grants && !grants->is_anonymous ? grants->identity : SLICE_NONE;
}

enum connections_verdict allowance_admit(struct connections *connections, struct admission *admission, const struct grants *grants)
{
	if (!connections || !admission || !grants)
		return CONNECTIONS_ADMITTED;
	bool is_granted = grants->limits.is_set[LIMIT_CONNECTIONS];
	uint64_t limit = is_granted ? grants->limits.value[LIMIT_CONNECTIONS] : connections_identity_limit(connections);
	return connections_identify(connections, admission, allowance_identity(grants), limit);
}

bool allowance_take_request(const struct exchange *exchange, const struct admission *admission, const struct grants *grants,
			    uint64_t *ret_wait_ms)
{
	const struct exchange_settings *settings = &exchange->settings;
	uint64_t limit = limit_of(settings, grants, LIMIT_COMMANDS_PER_SECOND);
	if (!settings->request_rates || limit == 0)
		return true;
	const struct address_key *address = admission ? admission_address(admission) : &address_key_none;
	return rates_take(settings->request_rates, allowance_identity(grants), address, limit, clock_mono_ns(), ret_wait_ms);
}

struct value *allowance_write(struct arena *arena, const struct allowance *allowance, const struct exchange_settings *settings)
{
	struct value *map = value_put(value_map(arena), "messageBytes", value_uint(arena, settings->message_bytes_max));
	for (int i = 0; i < LIMITS; i++)
		map = value_put(map, grant_limit_names[i], value_uint(arena, allowance->limit[i]));
	return map;
}

static uint64_t times(uint64_t number, uint64_t factor)
{
	return number > UINT64_MAX / factor ? UINT64_MAX : number * factor;
}

void session_allow(struct session *session, const struct grants *grants)
{
	uint64_t now_ns = clock_mono_ns();
	session->allowance = allowance_of(&session->exchange->settings, grants);
	const uint64_t *limit = session->allowance.limit;
	uint64_t commands = limit[LIMIT_COMMANDS_PER_SECOND];
	bucket_change(&session->commands, commands, commands, now_ns);
	bucket_change(&session->excess, commands / 2 ? commands / 2 : commands, times(commands, EXCESS_SECONDS), now_ns);
	bucket_change(&session->events, limit[LIMIT_EVENTS_PER_SECOND], 0, now_ns);
	bucket_change(&session->past_events, limit[LIMIT_HISTORY_EVENTS_PER_SECOND], 0, now_ns);
	/* Whether single records of a batch may be wanted depends on whether there is a rate. */
	LIST_FOREACH(&session->subscriptions, at, following) {
		struct subscription *subscription = LIST_ENTRY(at, struct subscription, in_session);
		subscription_set_policy(subscription, subscription->policy);
	}
}

bool session_may_take_past(const struct session *session, uint64_t now_ns)
{
	return bucket_wait_ms(&session->events, 1, now_ns) == 0 && bucket_wait_ms(&session->past_events, 1, now_ns) == 0;
}

bool session_take_past(struct session *session, uint64_t now_ns)
{
	return session_may_take_past(session, now_ns) && bucket_take(&session->past_events, 1, now_ns) &&
	       bucket_take(&session->events, 1, now_ns);
}
