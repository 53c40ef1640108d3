#include "gateway/limiter/bucket.h"

#include "common/base/clock.h"

/* A token is 1e9 nanotokens, so rate_per_s tokens a second are rate_per_s nanotokens a nanosecond: nothing is rounded.
 */
#define NANOTOKENS UINT64_C(1000000000)
#define BURST_MAX (UINT64_MAX / NANOTOKENS)

/* The level at now_ns; a clock that stands still or goes back gives nothing. */
static uint64_t level_at(const struct bucket *bucket, uint64_t now_ns)
{
	uint64_t full = bucket->burst * NANOTOKENS;
	uint64_t missing = full - bucket->level_nanotokens;
	uint64_t elapsed_ns = now_ns > bucket->updated_ns ? now_ns - bucket->updated_ns : 0;
	if (elapsed_ns > missing / bucket->rate_per_s)
		return full;
	return bucket->level_nanotokens + elapsed_ns * bucket->rate_per_s;
}

void bucket_init(struct bucket *bucket, uint64_t rate_per_s, uint64_t burst, uint64_t now_ns)
{
	bucket->rate_per_s = rate_per_s;
	bucket->burst = burst ? burst : rate_per_s;
	if (bucket->burst > BURST_MAX)
		bucket->burst = BURST_MAX;
	bucket->level_nanotokens = bucket->burst * NANOTOKENS;
	bucket->updated_ns = now_ns;
}

/* The level is at most burst * 1e9, so its part for each token of the burst is at most 1e9, and nothing wraps. */
void bucket_change(struct bucket *bucket, uint64_t rate_per_s, uint64_t burst, uint64_t now_ns)
{
	struct bucket former = *bucket;
	bucket_init(bucket, rate_per_s, burst, now_ns);
	if (former.rate_per_s == 0)
		return;
	bucket->level_nanotokens = level_at(&former, now_ns) / former.burst * bucket->burst;
	if (former.updated_ns > now_ns)
		bucket->updated_ns = former.updated_ns;
}

bool bucket_take(struct bucket *bucket, uint64_t tokens, uint64_t now_ns)
{
	if (bucket->rate_per_s == 0)
		return true;
	bucket->level_nanotokens = level_at(bucket, now_ns);
	if (now_ns > bucket->updated_ns)
		bucket->updated_ns = now_ns;
	if (tokens > bucket->level_nanotokens / NANOTOKENS)
		return false;
	bucket->level_nanotokens -= tokens * NANOTOKENS;
	return true;
}

static uint64_t divide_up(uint64_t number, uint64_t divisor)
{
	return number / divisor + (number % divisor != 0);
}

uint64_t bucket_wait_ms(const struct bucket *bucket, uint64_t tokens, uint64_t now_ns)
{
	if (bucket->rate_per_s == 0)
		return 0;
	if (tokens > bucket->burst)
		return UINT64_MAX;
	uint64_t wanted = tokens * NANOTOKENS, level = level_at(bucket, now_ns);
	if (level >= wanted)
		return 0;
	return divide_up(divide_up(wanted - level, bucket->rate_per_s), NS_PER_MS);
}
