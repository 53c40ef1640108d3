/* What one client may do and see, and how much of it: the outcome of a credential. Immutable and counted, shared by all
 * connections that came with the same credential and by the threads that ask on their behalf. Whoever wants to know
 * whether something is allowed asks access.h. */
#ifndef GATEWAY_AUTH_GRANTS_H
#define GATEWAY_AUTH_GRANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/refcount.h"
#include "common/base/slice.h"

struct filter;

enum grant_op {
	GRANT_SUBSCRIBE = 1 << 0,
	GRANT_HISTORY = 1 << 1, /* and the list of sessions */
	GRANT_STATE = 1 << 2,
	GRANT_REPLAY = 1 << 3,
	GRANT_PUBLISH = 1 << 4,
	GRANT_ALL = (1 << 5) - 1,
};

/* What the credential says of limits: is_set where it says something, then its value holds, tighter or wider than the
 * configuration; 0: no limit. */
enum grant_limit {
	LIMIT_EVENTS_PER_SECOND,
	LIMIT_COMMANDS_PER_SECOND,
	LIMIT_HISTORY_EVENTS_PER_SECOND,
	LIMIT_SUBSCRIPTIONS,
	LIMIT_REQUESTS,    /* for the past, under way at once */
	LIMIT_CONNECTIONS, /* of the identity, on one node */
	LIMITS,
};
extern const char *const grant_limit_names[LIMITS]; /* as claims and welcome.limits name them: "eventsPerSecond" */

struct grant_limits {
	bool is_set[LIMITS];
	uint64_t value[LIMITS];
};

struct grants {
	struct refcount refs;
	struct arena arena;     /* what the lists point into; empty, and without memory of its own, where there are none */
	struct slice identity;  /* "sub" of a token, the id of an API key, "anonymous" */
	bool is_anonymous;      /* nobody in particular: no credential was shown, and none is needed */
	uint64_t expires_ms;    /* wall clock; 0: never */
	unsigned ops;           /* of enum grant_op */
	bool has_system;        /* may see system:* */
	struct filter *scope;   /* a reference: only what it matches exists for this client; NULL: everything */
	/* The scope's lists as granted, for what is decided before there is a record; count 0: all. */
	struct slice *sessions, *channels, *agents;
	size_t session_count, channel_count, agent_count;
	struct grant_limits limits;
	uint64_t key;           /* of which key it came, an API key's entry or who signed the token; what auth_is_known() asks; 0: of none */
	char identity_bytes[];
};

/* With an empty arena, all ops, no scope, no limits of its own. NULL: no memory. */
struct grants *grants_new(struct slice identity) MUST_USE;
struct grants *grants_ref(struct grants *grants);
void grants_unref(struct grants *grants); /* NULL is fine */

#endif
