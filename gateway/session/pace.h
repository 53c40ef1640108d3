/* A pace holds who is no session (an answer over HTTP that gives events of the past) to what its client gets a second (allowance.h). Embedded in its owner; same thread as the
 * exchange. */
#ifndef GATEWAY_SESSION_PACE_H
#define GATEWAY_SESSION_PACE_H

#include <stdbool.h>

#include "gateway/limiter/bucket.h"
#include "gateway/session/alarms.h"

struct exchange;
struct grants;
struct pace;
typedef void pace_go_on(struct pace *pace);

struct pace {
	struct exchange *exchange;
	struct bucket events, past_events;
	struct alarm alarm;
	pace_go_on *on_go_on;
};

void pace_init(struct pace *pace, struct exchange *exchange, const struct grants *grants, pace_go_on *on_go_on);
/* Whether an event may be given now, which it then counts. False: on_go_on comes on a later turn, when some may. */
bool pace_take(struct pace *pace);
void pace_stop(struct pace *pace); /* before it is freed, at the latest */

#endif
