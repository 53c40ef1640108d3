/* An errand is a request whose reply comes later: it keeps the request's id, counts among those that its session has under way, and
 * is cancelled with its session. Embedded in whoever runs it; same thread as the session.
 * Life: errand_begin(), then exactly one of errand_succeed(), errand_fail() and errand_end(). */
#ifndef GATEWAY_SESSION_ERRAND_H
#define GATEWAY_SESSION_ERRAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/protocol/value.h"

/* Said with errors that time heals, where nobody knows when. */
#define ERRAND_RETRY_MS 1000

struct errand;
struct request;
struct session;

/* Ends the errand, and may free it. Replies nothing: the session closes, or it is told by somebody else. */
typedef void errand_cancel(struct errand *errand);

struct errand {
	struct list in_session;
	struct session *session;
	errand_cancel *on_cancel;
	bool is_bounded; /* counts in the session's errand_count */
	bool reads;      /* gives what its client may see: what is under way ends when that changes */
	bool has_id;
	struct value id; /* its text is owned */
};

/* False: refused; nothing is to be ended. */
bool errand_begin(struct errand *errand, const struct request *request, errand_cancel *on_cancel) MUST_USE;
/* The same for one that something else bounds: it does not count. */
bool errand_begin_unbounded(struct errand *errand, const struct request *request, errand_cancel *on_cancel) MUST_USE;
void errand_end(struct errand *errand);

/* Reply and end; the session may close inside, but not on the errand. retry_after_ms 0: time does not heal it. */
void errand_succeed(struct errand *errand, struct value *ok);
void errand_fail(struct errand *errand, const char *code, const char *message, uint64_t retry_after_ms);
/* The same for what came of a question about the past; why: its answer's. */
void errand_fail_question(struct errand *errand, enum err error, const char *why);

void errands_cancel(struct session *session);
/* Those that read reply that they must be asked again, and end. */
void errands_end_reading(struct session *session);

#endif
