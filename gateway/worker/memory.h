/* Watches over limits.memory. What counts is what the process has in memory that is its own (of /proc/self/statm, resident less shared:
 * code and mapped files are left out), since that is what a container's limit sees and what ends a process. Used by one thread, which
 * looks now and then; what it saw is in the node and the metrics for all others. */
#ifndef GATEWAY_WORKER_MEMORY_H
#define GATEWAY_WORKER_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/limiter/budget.h"
#include "gateway/metrics/node.h"

struct memory {
	struct budget budget;
	struct node *node;
	uint64_t trimmed_ms;
};

void memory_init(struct memory *memory, struct node *node, uint64_t limit_bytes);
enum memory_news { MEMORY_FINE, MEMORY_OVER, MEMORY_BACK };
enum memory_news memory_look(struct memory *memory); /* MEMORY_OVER at each look while it is; MEMORY_BACK once */

#endif
