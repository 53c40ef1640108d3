/* A subscription is one client's place in a cohort, and a cursor over the log: LIVE, it is at the head and gets the
 * cohort's frames as they are written; CATCHUP, it reads the log from its own cursor (catchup.h). A client that does not keep up, or gets more
 * than limits.events_per_second, is dealt with as its own policy says (docs/protocol.md, "slow"):
 *   catchup     CATCHUP: nothing is lost. Events without ids cannot be read again: then LAGGING, they are counted only, and when
 *               the client has read all it was owed, a gap says how many it missed
 *   drop        stays LIVE: the oldest waiting batches are dropped, a gap stands in their place
 *   conflate    LAGGING: the newest record of each channel and agent is kept and sent when the client reads again
 *   disconnect  the connection is closed with 4502
 * Owned by its session, same thread. */
#ifndef GATEWAY_SESSION_SUBSCRIPTION_H
#define GATEWAY_SESSION_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/protocol/log.h"
#include "common/protocol/value.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/cohort.h"
#include "gateway/session/conflation.h"
#include "gateway/session/telling.h"

struct catchup;
struct session;

enum slow_policy { SLOW_CATCHUP, SLOW_DROP, SLOW_CONFLATE, SLOW_DISCONNECT };
enum subscription_state { SUBSCRIPTION_LIVE, SUBSCRIPTION_LAGGING, SUBSCRIPTION_CATCHUP };

struct subscription {
	struct list in_cohort, in_session;
	struct session *session;
	struct cohort *cohort;
	enum slow_policy policy;
	enum subscription_state state;
	uint64_t dropped;              /* events lost and not told yet */
	struct record_id dropped_after; /* what the client has had before the first of them */
	const char *dropped_reason;
	uint64_t in_step_from;         /* of the cohort's batches it has had all from this number on (delta.h) */
	bool keeps_records;            /* counted in the cohort's keeping_count */
	uint64_t unseen;               /* the exchange's unrecorded_count when it went live: those it has not had */
	struct record_id cursor_told;  /* where the client was sent by a message of its own; a front whose batches do that has none */
	uint64_t phase_told;           /* the last phase without ids that the client knows of */
	struct conflation *conflation; /* NULL unless LAGGING under conflate */
	struct catchup *catchup;       /* NULL unless CATCHUP */
};

/* A member of its cohort, but neither live nor catching up yet: subscription_go_live() or catchup_start() is next. NULL: no memory. */
struct subscription *subscription_open(struct session *session, struct filter *filter, enum slow_policy policy, bool has_deltas) MUST_USE;
void subscription_close(struct subscription *subscription); /* frees */
/* What of its wish its client may see became another filter: it goes on with that from where it is. Without memory its session is closed. */
void subscription_renarrow(struct subscription *subscription, struct filter *filter);
void subscription_set_policy(struct subscription *subscription, enum slow_policy policy);

/* From the exchange's head on it gets what its cohort writes. */
void subscription_go_live(struct subscription *subscription);
void subscription_go_behind(struct subscription *subscription); /* for catchup_start(): it gets nothing by its cohort */
/* The cursor: everything up to it was decided over, and sent or told. */
struct record_id subscription_place(const struct subscription *subscription);

/* Counts events that the client will not get, under the metric of the reason; the gap is told when its turn comes. after: the
 * client's cursor before the first of them. */
void subscription_lose(struct subscription *subscription, size_t events, struct record_id after, enum metric reason);
void subscription_miss(struct subscription *subscription, const struct batch *batch); /* there is no memory for the batch */
void subscription_offer(struct subscription *subscription, struct batch *batch);
/* The gap for what was lost since the last one, which counts as told by it. before: the next event, zero: not known. */
struct telling subscription_take_gap(struct subscription *subscription, struct record_id before) MUST_USE;
void subscription_send_gap(struct subscription *subscription, struct record_id before); /* the same, sent in its turn */
/* Tells a gap; zero ids are not known; dropped 0: not known. */
void subscription_tell_gap(const struct subscription *subscription, struct record_id after, struct record_id before,
			   uint64_t dropped, const char *reason);
/* Nothing from before this moment can be had, since it was asked for. */
void subscription_tell_no_past(const struct subscription *subscription, const struct value *since);
/* Ids are not given any more: told once in each such phase. */
void subscription_tell_unrecorded(struct subscription *subscription);
void subscription_resume(struct subscription *subscription); /* its client is owed nothing any more */

#endif
