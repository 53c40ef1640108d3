/* Writers share the ports and the thread fairly: a writer is whoever has more to send to a session than its port takes at
 * once (a subscription that catches up, a request for history). Those of a session that want to write take turns at its port,
 * one piece each while it is clear; the sessions of an exchange take turns at the thread. Nothing of it queues: a writer makes its
 * next piece when its turn comes. Embedded in its owner; same thread as the exchange. */
#ifndef GATEWAY_SESSION_WRITERS_H
#define GATEWAY_SESSION_WRITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/list.h"

#define WRITER_PIECE_BYTES ((size_t)64 * 1024) /* about what one turn writes */
#define WRITER_PIECE_RECORDS 4096              /* and looks at */

struct exchange;
struct session;
struct writer;

/* Writes a piece to the session, whose port is clear. True: it has more, and is called again when it is its turn. False: it rests
 * until writer_want(). May free the writer or close the session. */
typedef bool writer_write(struct writer *writer);

struct writer {
	struct list in_session; /* on the session's list while it wants to write */
	struct session *session;
	writer_write *write;
	bool is_paced;   /* what it writes counts against limits.events_per_second: it has no turn while nothing is left of that */
	bool reads_past; /* and against limits.history_events_per_second */
};

void writer_init(struct writer *writer, struct session *session, bool is_paced, writer_write *write);
void writer_want(struct writer *writer); /* never calls it before it returned; harmless when it wants already */
void writer_rest(struct writer *writer); /* before it is freed, at the latest */

void writers_wake(struct session *session); /* the session's port is clear again, or a bucket has filled */
void writers_forget(struct session *session);
/* Lets those write whose turn it is, for some milliseconds at the most. True: there are more. */
bool writers_run(struct exchange *exchange);

#endif
