/* A pace holds who is no session (an answer over HTTP) to limits.events_per_second. Embedded in its owner; same thread as the
 * exchange. */
#ifndef GATEWAY_SESSION_PACE_H
#define GATEWAY_SESSION_PACE_H

#include <stdbool.h>

#include "gateway/limiter/bucket.h"
#include "gateway/session/alarms.h"

struct exchange;
struct pace;
typedef void pace_go_on(struct pace *pace);

struct pace {
	struct exchange *exchange;
	struct bucket bucket;
	struct alarm alarm;
	pace_go_on *on_go_on;
};

void pace_init(struct pace *pace, struct exchange *exchange, pace_go_on *on_go_on);
/* Whether an event may be given now, which it then counts. False: on_go_on comes on a later turn, when some may. */
bool pace_take(struct pace *pace);
void pace_stop(struct pace *pace); /* before it is freed, at the latest */

#endif
