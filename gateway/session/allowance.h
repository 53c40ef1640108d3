/* The one place that says how much of everything one client gets: what its grants say, else the configuration. welcome.limits, and the reply
 * to auth, show the same. A session has the buckets that hold it to that; who is no session has a pace (pace.h). Same thread as the exchange. */
#ifndef GATEWAY_SESSION_ALLOWANCE_H
#define GATEWAY_SESSION_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "gateway/auth/grants.h"
#include "gateway/limiter/connections.h"

struct arena;
struct exchange;
struct exchange_settings;
struct session;
struct value;

struct allowance {
	uint64_t limit[LIMITS]; /* 0: no limit */
};

/* grants: NULL: the client has not said who it is, or there is nobody to say so. */
struct allowance allowance_of(const struct exchange_settings *settings, const struct grants *grants);
/* In whose name connections are counted: none for anonymous clients. */
struct slice allowance_identity(const struct grants *grants);
/* Counts the connection in the name of whom the grants are; once they are there it is no stranger any more. NULL for any of the three:
 * nothing is counted. */
enum connections_verdict allowance_admit(struct connections *connections, struct admission *admission, const struct grants *grants) MUST_USE;
/* Counts one request that is none of a session: in the name of whom the grants are, of an anonymous client's address. admission: NULL: of
 * no address. False: it asks too often (commandsPerSecond); ret_wait_ms says when it may again. */
bool allowance_take_request(const struct exchange *exchange, const struct admission *admission, const struct grants *grants,
			    uint64_t *ret_wait_ms) MUST_USE;
/* The map of welcome.limits and of the reply to auth. NULL: no memory. */
struct value *allowance_write(struct arena *arena, const struct allowance *allowance, const struct exchange_settings *settings);

/* Holds the session to what the grants allow from now on. Its buckets stay as full as they were, in proportion. */
void session_allow(struct session *session, const struct grants *grants);
bool session_may_take_past(const struct session *session, uint64_t now_ns);
/* Whether an event of the past may go to the client now, which it then counts. */
bool session_take_past(struct session *session, uint64_t now_ns);

#endif
