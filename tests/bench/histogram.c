#include "tests/bench/histogram.h"

#include <stddef.h>

#define STEP_BITS 6

/* Values below 64 have a bucket each; above, the highest bit chooses the row and the six bits below it the bucket. */
static size_t bucket_of(uint64_t ns)
{
	if (ns < HISTOGRAM_STEPS)
		return (size_t)ns;
	unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - STEP_BITS;
	return (size_t)(shift + 1) * HISTOGRAM_STEPS + ((ns >> shift) & (HISTOGRAM_STEPS - 1));
}

static uint64_t lowest_in(size_t bucket)
{
	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	size_t shift = bucket / HISTOGRAM_STEPS - 1;
	return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << shift;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->counts[bucket_of(ns)]++;
	histogram->total++;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
	uint64_t wanted = (uint64_t)(quantile * (double)histogram->total), seen = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (seen > wanted)
			return lowest_in(i);
	}
	return 0;
}
