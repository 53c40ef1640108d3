/* A budget says whether what is used is over a limit: over it from the first look above the limit to the first one below nine tenths of
 * it, so that whoever acts on it does not act to and fro. Pure; the caller brings numbers and time. */
#ifndef GATEWAY_LIMITER_BUDGET_H
#define GATEWAY_LIMITER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
	uint64_t limit; /* 0: none */
	bool is_over;
	uint64_t over_since_ms; /* while it is */
};

void budget_init(struct budget *budget, uint64_t limit);
bool budget_look(struct budget *budget, uint64_t used, uint64_t now_ms); /* gives is_over as it is now */

#endif
