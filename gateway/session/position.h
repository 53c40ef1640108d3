/* Where an exchange stands in the log: what exchange_deliver() and exchange_feed_state() say of it. Private to this room. */
#ifndef GATEWAY_SESSION_POSITION_H
#define GATEWAY_SESSION_POSITION_H

#include <stdbool.h>

#include "common/protocol/record.h"

struct exchange;

/* Before the records of a recorded batch are matched: they go to the ring; what the node has missed is told. */
void position_take(struct exchange *exchange, const struct record_batch *batch);
bool position_is_new(const struct exchange *exchange, const struct record *record); /* false: it was matched already */

#endif
