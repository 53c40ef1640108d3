/* Peers that only listen (front.h, is_one_way). They answer no ping, so what shows that one is there is that it acknowledges what it
 * was sent; and their cursor moves with each event, so that what a filter keeps out would leave it behind until the log
 * has lost that place. Both are seen to at each half of a heartbeat. Same thread as the session. */
#ifndef GATEWAY_SESSION_LISTENER_H
#define GATEWAY_SESSION_LISTENER_H

#include <stdint.h>

struct session;

void listener_beat(struct session *session, uint64_t now_ns);

#endif
