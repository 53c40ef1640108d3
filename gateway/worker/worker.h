/* A worker thread: one exchange and one wire server, fed through a mailbox. */
#ifndef GATEWAY_WORKER_WORKER_H
#define GATEWAY_WORKER_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/protocol/record.h"
#include "gateway/session/exchange.h"
#include "gateway/wire/server.h"
#include "gateway/worker/disconnection.h"
#include "gateway/worker/historian.h"

struct worker;

/* Opens the sockets and starts the thread. historian: for questions about the past (exchange->past is not looked at); it
 * outlives the worker; NULL: there is no history. ret_why as server_new(). */
enum err worker_start(const struct server_settings *server, const struct exchange_settings *exchange,
		      struct historian *historian, unsigned number, struct worker **ret_worker, char ret_why[256]) MUST_USE;
uint16_t worker_port(const struct worker *worker, size_t listen_index);

/* From any thread: */
void worker_deliver(struct worker *worker, struct record_batch *batch); /* takes a reference of its own */
void worker_feed_state(struct worker *worker, const struct feed_state *state);
void worker_answer(struct worker *worker, struct answer *answer);      /* owns it; to a question of this worker */
void worker_notice(struct worker *worker, enum exchange_notice notice);
void worker_auth_reloaded(struct worker *worker);                       /* ends what was granted by keys that are gone */
void worker_memory(struct worker *worker, bool is_over);             /* as exchange_memory() */
/* Ends what the order is about. Takes a reference of its own and counts among those waited for, until it has. */
void worker_disconnect(struct worker *worker, struct disconnection *disconnection);
void worker_drain(struct worker *worker, uint64_t spread_ns);          /* stops listening, tells and closes the sessions */
size_t worker_session_count(const struct worker *worker);              /* and requests over HTTP; as of its last turn */
uint64_t worker_turned_ms(const struct worker *worker);                /* monotonic time of its last turn; it turns at least once a second */

void worker_stop(struct worker *worker); /* ends what is left, joins the thread, frees */

#endif
