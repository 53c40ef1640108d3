/* The form of what a node says of itself on the channel system:<node> (docs/protocol.md). Pure. */
#ifndef GATEWAY_SESSION_SYSTEM_EVENT_H
#define GATEWAY_SESSION_SYSTEM_EVENT_H

#include "common/base/slice.h"
#include "common/data/buf.h"

/* Appends the channel and the payload: its type, the node, the time now, and further members, each with a comma in front. */
void system_event_write(struct buf *channel, struct buf *payload, const char *node, const char *type, struct slice more);

#endif
