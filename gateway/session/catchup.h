/* A catch-up is a subscription that is not at the head of the log: it reads from its own cursor, at the pace of its client and of
 * limits.events_per_second, and goes live when it has reached the head. Nothing queues for it: what it holds is one page at the most,
 * and that is given up while its client does not read. The one mechanism behind since, slow and rate-limited clients.
 * Owned by its subscription, same thread. */
#ifndef GATEWAY_SESSION_CATCHUP_H
#define GATEWAY_SESSION_CATCHUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/protocol/log.h"
#include "gateway/session/alarms.h"
#include "gateway/session/reader.h"
#include "gateway/session/writers.h"

/* In front of all events, in a log that was empty then: what it lost since is missing. Redis gives no smaller id. */
#define CATCHUP_ORIGIN ((struct record_id){0, 1})

struct cohort;
struct exchange;
struct resume;
struct subscription;

struct catchup {
	struct list in_exchange; /* all of the exchange */
	struct list in_ahead;    /* on the exchange's list while its place is behind the head: the node will get there */
	struct writer writer;
	struct alarm retry;      /* after a page that failed */
	struct alarm look;       /* after a second, or when its reply has gone: tells the client that it is behind */
	struct subscription *subscription;
	struct reader *reader;
	uint64_t backoff_ms;
	uint64_t unrecorded;     /* the cohort's, when it began: what came without ids since then the client has not had */
	bool is_told;            /* the client knows that it is behind */
	struct resume *resume;   /* the request that began it, while its reply is owed (resume.h) */
};

/* The subscription goes on from behind place, wherever it was; zero: from the first event that there is. Without memory its session is closed. */
void catchup_start(struct subscription *subscription, struct record_id place);
/* The same for one that was live up to place: what the log loses behind it is told also where it was live before the first event. */
void catchup_fall_behind(struct subscription *subscription, struct record_id place);
void catchup_stop(struct subscription *subscription); /* harmless when it does not catch up; an owed reply is given */
void catchup_move(struct catchup *catchup, struct record_id place);
/* Its subscription has a cohort of another filter than the former, and reads on by that. */
void catchup_change_cohort(struct catchup *catchup, const struct cohort *former);
struct record_id catchup_place(const struct catchup *catchup);

/* The head moved: those wait no longer that it has reached. */
void catchups_head_moved(struct exchange *exchange);
/* Another log took the place of the one that they read; up to base they are the same. */
void catchups_log_replaced(struct exchange *exchange, struct record_id base);

#endif
