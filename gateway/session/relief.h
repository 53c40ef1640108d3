/* What a worker does while the node is over limits.memory: new work is refused, the ring keeps little, and clients that hold most of
 * what waits in memory read it from the log instead, at their own pace: nothing is lost by it. Who holds most of an answer that it does
 * not take is cut off, and may come back with its cursor. Same thread as the exchange. */
#ifndef GATEWAY_SESSION_RELIEF_H
#define GATEWAY_SESSION_RELIEF_H

#include <stdbool.h>

/* What is said to whom the node cannot serve meanwhile. */
#define RELIEF_WHY "the node uses as much memory as it may: try later, or another node"
#define RELIEF_RETRY_MS 2000

struct exchange;

/* At each look of the node while it is over, and once when it is not any more. */
void exchange_memory(struct exchange *exchange, bool is_over);
bool exchange_is_over_memory(const struct exchange *exchange); /* new work is to be refused */

#endif
