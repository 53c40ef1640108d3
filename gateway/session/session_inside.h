/* What the files of this room share about a session; nobody outside includes it. */
#ifndef GATEWAY_SESSION_SESSION_INSIDE_H
#define GATEWAY_SESSION_SESSION_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol/value.h"
#include "gateway/limiter/bucket.h"
#include "gateway/session/alarms.h"
#include "gateway/session/allowance.h"
#include "gateway/session/bearer.h"
#include "gateway/session/heartbeat.h"
#include "gateway/session/outbox.h"
#include "gateway/session/session.h"
#include "gateway/session/subscription.h"

/* Replies and notices that may wait for a client that does not read; beyond it the client is closed. */
#define SESSION_CONTROL_BYTES_MAX ((size_t)256 * 1024)
/* Messages that are no JSON object which a client may send in a row before it is closed. */
#define SESSION_BAD_MESSAGES_MAX 5

enum session_state { SESSION_OPEN, SESSION_CLOSING };

struct session {
	/* What every batch looks at stands together: with thousands of clients each line of the cache that it touches is a miss. */
	struct port *port;
	struct exchange *exchange;
	enum session_state state;
	enum close_cause cause;
	struct outbox outbox;
	struct bucket events; /* events to this client */
	bool owes_gaps;       /* a subscription lags or has a gap to tell */
	bool is_told;         /* the fleet was, that this client is here */
	unsigned bad_messages;
	struct list in_exchange;
	struct list in_drain; /* on the exchange's list while it drains; by drain_ns */
	const struct front *front;
	uint64_t id;
	struct bearer bearer; /* bearer.grants: what its client may; NULL: it has not said who it is */
	struct list subscriptions;
	struct list errands; /* struct errand, in_session */
	struct list replays; /* struct replay, in_session */
	struct list states;  /* struct state, in_session: what was asked for and is not answered, in order */
	unsigned subscription_count, errand_count, replay_count;
	uint64_t last_replay; /* the number in the key of the newest */
	struct bucket commands; /* requests that are answered */
	struct bucket excess;   /* requests above that rate which are refused before the client is closed */
	struct heartbeat heartbeat;
	uint64_t drain_ns; /* monotonic: when it is closed */
	size_t held_bytes;      /* of what was written last and the port could not send at once; until it is clear again */
	uint64_t held_since_ns; /* monotonic */
	struct list writers;    /* struct writer: those that want to write, in turn */
	struct list in_writing; /* on the exchange's list while it has such and may go on */
	struct alarm pace;      /* wakes them when events is full enough again */
	struct allowance allowance;
	struct bucket past_events; /* of the events those that history and replays give */
};

bool session_is_clear(const struct session *session); /* nothing waits, neither here nor in the port */

/* Writes frames to the clear port of an open session. */
void session_write(struct session *session, struct slice frames);
/* Sends a reply or notice: at once, or behind what waits. Builders' NULL (no memory) closes the session. */
void session_send(struct session *session, const struct value *message);
/* The same for frames that are ready and may be shared. */
void session_send_frame(struct session *session, struct blob *frame);

/* Wakes what waits for the rate of the client when it allows some events again. */
void session_pace(struct session *session);

/* Encodes a message and frames it. The slice is valid until the next call on the exchange. len 0: no memory. */
struct slice session_frame(struct exchange *exchange, const struct front *front, const struct value *message);

struct subscription *session_find(const struct session *session, struct slice key); /* NULL: none */
/* The one that asks for the same thing in the same form. NULL: none. */
struct subscription *session_find_alike(const struct session *session, const struct filter *filter, bool has_deltas);

/* state.c: a state that waits until the client takes it is given up; the client is told to ask again. */
void state_relieve(struct session *session);

/* credentials.c: what becomes of a session when its client's credential ends or changes. */
extern const struct bearer_ops session_bearer_ops;

/* request.c: one request of a client; message is what it was decoded from. */
void request_answer(struct session *session, struct slice message, const struct value *request);
void request_refuse(struct session *session, const struct value *id, const char *code, const char *message, uint64_t retry_after_ms);

#endif
