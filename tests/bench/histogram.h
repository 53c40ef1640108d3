/* Counts durations in buckets whose width grows with the value (64 for each power of two, so 1.6 % wide).
 * Zero-initialised is empty. */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64
#define HISTOGRAM_BUCKETS (59 * HISTOGRAM_STEPS)

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
};

void histogram_add(struct histogram *histogram, uint64_t ns);
uint64_t histogram_quantile(const struct histogram *histogram, double quantile); /* in ns; 0 where it is empty */

#endif
