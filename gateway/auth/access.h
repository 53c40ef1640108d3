/* The one place that decides what a client may: every path (live, history, state, replay, publish, sessions, of whatever
 * front) asks here, and nothing else compares a grant with anything. A wish is narrowed to what the grant lets see before it
 * does anything, so no later step can show more. Pure. */
#ifndef GATEWAY_AUTH_ACCESS_H
#define GATEWAY_AUTH_ACCESS_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/auth/grants.h"

struct filter;
struct record;

/* What a client is told whose wish names system:* without the right. */
#define ACCESS_NO_SYSTEM "channels: system:* needs a right of its own, which your credential does not grant"

/* Whether both let a client do and see the very same. */
bool access_is_same(const struct grants *a, const struct grants *b);
/* Whether the op is granted at all. */
bool access_may(const struct grants *grants, enum grant_op op);
/* What of the wish this client may see: another filter, the conjunction of both, or the wish itself where all is granted. Gives a
 * reference. ERR_DENIED: it names system:*, which is not granted. ERR_NOMEM. */
enum err access_narrow(const struct grants *grants, struct filter *wish, struct filter **ret_filter) MUST_USE;
/* Whether this client may see, or publish, this very record. */
bool access_covers(const struct grants *grants, const struct record *record);
/* What of all events exists for this client; NULL: every one, so what is made for all may be shown to it as it is. Borrowed. */
struct filter *access_scope(const struct grants *grants);
/* Whether there is a list of sessions for this client: not where it is granted channels or agents only, since a session's length and
 * ids would tell it of events that it may not see. */
bool access_lists_sessions(const struct grants *grants);
/* Whether the list of sessions may name this one to the client, with its ids and length: only where every event of it may be seen. */
bool access_covers_session(const struct grants *grants, struct slice session);

#endif
