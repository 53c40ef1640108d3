/* A subscription is one client's place in a cohort. LIVE, it gets the cohort's frames as they are written; a client that
 * does not keep up makes it LAGGING or loses events, as its own policy says (docs/protocol.md, "slow"):
 *   catchup     LAGGING: events are counted only; when the client has read all it was owed, a gap says how many it missed
 *   drop        stays LIVE: the oldest waiting batches are dropped, a gap stands in their place
 *   conflate    LAGGING: the newest record of each channel and agent is kept and sent when the client reads again
 *   disconnect  the connection is closed with 4502
 * Owned by its session, same thread. */
#ifndef GATEWAY_SESSION_SUBSCRIPTION_H
#define GATEWAY_SESSION_SUBSCRIPTION_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/protocol/value.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/cohort.h"
#include "gateway/session/conflation.h"

struct session;

enum slow_policy { SLOW_CATCHUP, SLOW_DROP, SLOW_CONFLATE, SLOW_DISCONNECT };
enum subscription_state { SUBSCRIPTION_LIVE, SUBSCRIPTION_LAGGING };

struct subscription {
	struct list in_cohort, in_session;
	struct session *session;
	struct cohort *cohort;
	enum slow_policy policy;
	enum subscription_state state;
	uint64_t dropped;              /* events lost and not told yet */
	struct conflation *conflation; /* NULL unless LAGGING under conflate */
};

/* NULL: no memory. */
struct subscription *subscription_open(struct session *session, struct filter *filter, enum slow_policy policy) MUST_USE;
void subscription_close(struct subscription *subscription); /* frees */
void subscription_set_policy(struct subscription *subscription, enum slow_policy policy);

/* Counts events that the client will not get, under the metric of the reason; the gap is told when its turn comes. */
void subscription_lose(struct subscription *subscription, size_t events, enum metric reason);
void subscription_offer(struct subscription *subscription, struct batch *batch);
/* A gap message. after and dropped may be null values; like what builders gave they may be NULL. NULL: no memory. */
struct value *subscription_gap(const struct subscription *subscription, struct value *after, struct value *dropped,
			       const char *reason) MUST_USE;
/* The gap message for what was lost since the last one, which counts as told by it. NULL: no memory. */
struct value *subscription_take_gap(struct subscription *subscription) MUST_USE;
void subscription_resume(struct subscription *subscription);   /* its client is owed nothing any more */

#endif
