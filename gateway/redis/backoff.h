/* How long to wait before the next attempt: doubles from low to high, and each wait is drawn from its upper half, so that
 * many nodes that lost the same Redis do not come back in step. Pure; the randomness is the caller's. */
#ifndef GATEWAY_REDIS_BACKOFF_H
#define GATEWAY_REDIS_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t low_ns, high_ns;
	uint64_t next_ns; /* the longest that the next wait may be; 0: low_ns */
};

void backoff_reset(struct backoff *backoff);
uint64_t backoff_next_ns(struct backoff *backoff, uint64_t random); /* within [half, all] of the present step */

#endif
