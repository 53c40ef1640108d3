#define _DEFAULT_SOURCE
#include "common/base/random.h"

#include <sys/random.h>

#include "common/base/clock.h"

void random_init(struct random *random)
{
	uint64_t seed = 0;
	if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		seed = clock_mono_ns();
	random->state = seed | 1;
}

uint64_t random_next(struct random *random)
{
	uint64_t x = random->state;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return random->state = x;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
	return bound ? random_next(random) % bound : 0;
}
