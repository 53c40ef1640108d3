#include "gateway/redis/backoff.h"

void backoff_reset(struct backoff *backoff)
{
	backoff->next_ns = 0;
}

uint64_t backoff_next_ns(struct backoff *backoff, uint64_t random)
{
	uint64_t high_ns = backoff->high_ns < backoff->low_ns ? backoff->low_ns : backoff->high_ns;
	uint64_t most_ns = backoff->next_ns ? backoff->next_ns : backoff->low_ns;
	backoff->next_ns = most_ns > high_ns / 2 ? high_ns : most_ns * 2;
	return most_ns - random % (most_ns / 2 + 1);
}
