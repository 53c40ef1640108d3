/* A resume is a subscribe with since: the subscription starts from a place in the past, and the reply says whether everything
 * behind that can still be had. Where that is known at once (the ring reaches back far enough, or the log is another one) it is
 * replied at once, else when the first page is there; what is not there is told by a gap behind the reply and in front
 * of the events. Owned by the catch-up that it began, same thread. */
#ifndef GATEWAY_SESSION_RESUME_H
#define GATEWAY_SESSION_RESUME_H

#include <stdbool.h>

#include "common/protocol/log.h"
#include "gateway/session/alarms.h"
#include "gateway/session/errand.h"

struct catchup;
struct request;
struct subscription;

struct resume {
	struct errand errand;
	struct catchup *catchup;
	struct alarm patience;      /* with a place behind the head that the node should get to */
	struct record_id start;
	struct record_id former;    /* where the subscription was before */
	bool is_new;                /* it was nowhere: it goes if this fails */
	bool is_reset;              /* the place is of no log that there is; start is where what there is begins */
	struct record_id named;     /* is_reset: the place */
};

/* Moves the subscription there and replies, now or later. is_new: it was opened for this. */
void resume_begin(const struct request *request, struct subscription *subscription, bool is_new, const struct moment *moment);

/* Replies if it can: true, and the resume is freed. False: not yet, or it failed and the catch-up may be freed too. The session's
 * port must be clear. */
bool resume_answer(struct resume *resume);
void resume_reset(struct resume *resume, struct record_id named); /* the log was replaced meanwhile */
void resume_adopt(struct resume *resume);                         /* the subscription stays, whatever becomes of this */
void resume_supersede(struct resume *resume);                     /* the subscription goes elsewhere: replies so, and frees */

/* What is replied to a subscribe: its key, its cursor (zero while no log is known: none), whether events have ids at present. */
struct value *resume_ok(const struct subscription *subscription, struct record_id cursor) MUST_USE;

#endif
