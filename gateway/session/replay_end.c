/* The end of a replay: it is told, or a subscription goes on behind it. */
#include <string.h>

#include "gateway/auth/access.h"
#include "gateway/session/catchup.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/replay.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/telling.h"

/* The subscription that goes on behind the replay: one that the client has already stays where it is. NULL: ret_why
 * says why. */
static struct subscription *find_or_open(const struct replay *replay, bool *ret_is_new, const char **ret_why)
{
	struct session *session = replay->session;
	size_t limit = session->allowance.limit[LIMIT_SUBSCRIPTIONS];
	struct subscription *subscription = session_find_alike(session, replay->filter, false);
	if (subscription)
		return subscription;
	*ret_is_new = true;
	*ret_why = "not_allowed"; /* perhaps since it began */
	if (!access_may(session->bearer.grants, GRANT_SUBSCRIBE))
		return NULL;
	*ret_why = "too_many_subscriptions";
	if (limit && session->subscription_count >= limit)
		return NULL;
	*ret_why = "internal";
	return subscription_open(session, replay->filter, SLOW_CATCHUP, false);
}

static const char *message_of(const char *code)
{
	if (strcmp(code, "not_allowed") == 0)
		return "your credential does not grant the op \"subscribe\"";
	if (strcmp(code, "internal") == 0)
		return "the gateway is out of memory";
	return "this connection has as many subscriptions as it may have (welcome.limits)";
}

static struct value *error_of(struct arena *arena, const char *code)
{
	struct value *error = value_put(value_map(arena), "code", value_text(arena, code));
	return value_put(error, "message", value_text(arena, message_of(code)));
}

void replay_tell_end(struct replay *replay)
{
	char at[RECORD_ID_TEXT];
	struct telling end = telling_begin(replay->session, "replayEnd");
	telling_put_text(&end, "replay", replay->key);
	record_id_write(at, replay->at);
	telling_put_text(&end, "at", at);
	if (!replay->goes_live) {
		telling_send(&end);
		return;
	}
	bool is_new = false;
	const char *why = NULL;
	struct subscription *subscription = find_or_open(replay, &is_new, &why);
	if (subscription)
		telling_put_text(&end, "sub", subscription->cohort->key);
	else
		telling_put(&end, "error", error_of(end.arena, why));
	telling_send(&end);
	if (!subscription)
		return;
	if (is_new)
		catchup_start(subscription, replay->place);
	replay_close(replay);
}
