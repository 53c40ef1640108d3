#include "common/client/backoff.h"

#define ASKED_MAX_MS 60000

void tgc_backoff_succeed(struct tgc_backoff *backoff)
{
	backoff->failures = 0;
}

static uint64_t ceiling_of(const struct tgc_backoff *backoff, unsigned rounds)
{
	uint64_t ceiling_ms = backoff->min_ms;
	for (unsigned i = 1; i < rounds && ceiling_ms < backoff->max_ms; i++)
		ceiling_ms *= 2;
	return ceiling_ms < backoff->max_ms ? ceiling_ms : backoff->max_ms;
}

uint64_t tgc_backoff_fail(struct tgc_backoff *backoff, uint64_t asked_ms)
{
	if (backoff->failures < UINT32_MAX)
		backoff->failures++;
	if (backoff->failures % backoff->nodes)
		return random_below(&backoff->random, backoff->min_ms / 2 + 1);
	uint64_t ceiling_ms = ceiling_of(backoff, backoff->failures / backoff->nodes);
	uint64_t pause_ms = ceiling_ms - random_below(&backoff->random, ceiling_ms / 2 + 1);
	if (asked_ms > ASKED_MAX_MS)
		asked_ms = ASKED_MAX_MS;
	return pause_ms > asked_ms ? pause_ms : asked_ms + random_below(&backoff->random, backoff->min_ms);
}

bool tgc_close_is_final(unsigned code)
{
	return code >= 4400 && code <= 4499;
}

/* What one of several nodes refuses for a while: a timeout, too early, too many, and its own trouble. */
bool tgc_status_is_final(unsigned status)
{
	return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}
