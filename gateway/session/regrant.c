#include "gateway/session/regrant.h"

#include "gateway/auth/access.h"
#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/replay.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/step.h"
#include "gateway/session/telling.h"

static void tell(struct session *session, const char *field, const char *key)
{
	struct telling notice = telling_begin_notice(session, "notAllowed");
	telling_put_text(&notice, field, key);
	telling_send(&notice);
}

/* What of the wish may be seen now. OK: ret_filter is a reference; ERR_DENIED: nothing. */
static enum err narrow(const struct session *session, struct filter *narrowed, enum grant_op op, struct filter **ret_filter)
{
	const struct grants *grants = session->bearer.grants;
	return access_may(grants, op) ? access_narrow(grants, filter_wish(narrowed), ret_filter) : ERR_DENIED;
}

static void regrant_subscription(struct subscription *subscription)
{
	struct session *session = subscription->session;
	struct filter *filter = NULL;
	switch (narrow(session, subscription->cohort->filter, GRANT_SUBSCRIBE, &filter)) {
	case OK:
		if (!slice_equal(filter_canonical(filter), filter_canonical(subscription->cohort->filter)))
			subscription_renarrow(subscription, filter);
		filter_unref(filter);
		break;
	case ERR_DENIED:
		tell(session, "sub", subscription->cohort->key);
		subscription_close(subscription);
		break;
	default:
		session_close(session, CLOSE_INTERNAL);
	}
}

/* A replay holds an event that was read by the former filter, and steps that look for others: it begins anew, or not at all. */
static void regrant_replay(struct replay *replay)
{
	struct session *session = replay->session;
	struct filter *filter = NULL;
	enum err error = narrow(session, replay->filter, GRANT_REPLAY, &filter);
	bool stays = error == OK && slice_equal(filter_canonical(filter), filter_canonical(replay->filter));
	filter_unref(filter);
	if (stays)
		return;
	tell(session, "replay", replay->key);
	steps_end(replay);
	replay_close(replay);
}

void regrant(struct session *session, const struct grants *former)
{
	if (access_is_same(former, session->bearer.grants))
		return;
	errands_end_reading(session);
	LIST_FOREACH(&session->replays, at, following)
		regrant_replay(LIST_ENTRY(at, struct replay, in_session));
	LIST_FOREACH(&session->subscriptions, at, following)
		regrant_subscription(LIST_ENTRY(at, struct subscription, in_session));
}
