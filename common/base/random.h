/* Random numbers for jitter and for names that should not meet: fast and well spread, no secret. One generator belongs to
 * one thread. xorshift64, Marsaglia 2003, https://www.jstatsoft.org/article/view/v008i14. */
#ifndef COMMON_BASE_RANDOM_H
#define COMMON_BASE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state; /* never 0: it would stay there */
};

void random_init(struct random *random); /* seeded by the system */
uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t bound); /* 0 to bound - 1; 0 for a bound of 0 */

#endif
