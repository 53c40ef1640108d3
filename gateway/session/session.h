/* A session is the conversation with one client: what it asked for, what it is owed, whether it still lives. It speaks
 * values to a front and frames to a port, and knows no transport. Owned by its exchange, same thread.
 * Life: session_open() when the peer is there, session_close() (from either side's fault, idempotent), and
 * session_closed() when the transport is gone: only that frees it. */
#ifndef GATEWAY_SESSION_SESSION_H
#define GATEWAY_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/session/close.h"
#include "gateway/session/exchange.h"
#include "gateway/session/front.h"
#include "gateway/session/port.h"

struct grants;
struct session;

/* Sends welcome. grants: what its client may; takes a reference of its own; NULL: the client has yet to say who it is, by op auth. NULL:
 * no memory; the port was not touched. */
struct session *session_open(struct exchange *exchange, const struct front *front, struct port *port, struct grants *grants) MUST_USE;
void session_message(struct session *session, struct slice message); /* one whole message of the front's kind */
void session_writable(struct session *session);                     /* the port is clear again */
void session_pong(struct session *session);                         /* any sign of life that answers a ping */
void session_close(struct session *session, enum close_cause cause);
void session_closed(struct session *session); /* the transport is gone; frees */
uint64_t session_id(const struct session *session); /* for logs; unique in the process */
enum close_cause session_cause(const struct session *session); /* CLOSE_PEER while nobody closed it from here */

#endif
