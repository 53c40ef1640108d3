/* A bearer is whoever acts here by a credential: a session, or a call of the HTTP API. This is the one place that watches over that
 * credential: the bearer is warned some time before it expires, and ended when it expires, is revoked, or an operator says so. Expiry
 * goes by the wall clock, which is looked at again and again, so a clock that is set meanwhile is honoured.
 * Embedded in its owner; same thread as the exchange. Life: bearer_open(), bearer_close(). */
#ifndef GATEWAY_SESSION_BEARER_H
#define GATEWAY_SESSION_BEARER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "gateway/auth/grants.h"
#include "gateway/session/alarms.h"
#include "gateway/session/close.h"

struct bearer;
struct exchange;

/* It is warned so long before its credential expires, or a tenth of the time it had it for, whichever is shorter. */
#define BEARER_WARNING_MS 60000
/* The wall clock is looked at this often at least. */
#define BEARER_LOOK_MS 5000

struct bearer_ops {
	void (*warn)(struct bearer *bearer); /* NULL: there is nobody to tell */
	/* It may not go on: once, then never again. reason: an operator's words, or NULL. Must not free it. */
	void (*end)(struct bearer *bearer, enum close_cause cause, const char *reason);
};

struct bearer {
	const struct bearer_ops *ops;
	struct exchange *exchange;
	struct list in_exchange;
	struct alarm alarm;
	struct grants *grants;  /* a reference; NULL: it has not said who it is, and has auth.timeout to do so */
	uint64_t client;        /* of welcome.client; 0: it has none */
	uint64_t granted_ms;    /* wall clock */
	bool is_warned, has_ended;
};

/* grants: takes a reference of its own. */
void bearer_open(struct bearer *bearer, struct exchange *exchange, const struct bearer_ops *ops, struct grants *grants, uint64_t client);
void bearer_close(struct bearer *bearer); /* harmless when it is closed, or was never opened but zero */
void bearer_rest(struct bearer *bearer);  /* it ends by itself: nothing more is to be done about its credential */
void bearer_set_grants(struct bearer *bearer, struct grants *grants); /* it brought another credential */

#endif
