#include "gateway/metrics/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/metrics/metrics_table.h"

#define CACHE_LINE 64

/* What one thread counted. Only that thread writes; a scrape reads. Gauges are signed and wrap like the rest. */
struct shard {
	struct shard *older;
	_Atomic uint64_t values[METRICS];
	struct {
		_Atomic uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1]; /* not cumulative; the last is +Inf */
		_Atomic uint64_t sum_ns;
	} histograms[HISTOGRAMS];
};

static struct {
	pthread_mutex_t lock; /* of joining; counting and scraping take none */
	_Atomic(struct shard *) newest;
	_Atomic unsigned generation; /* moves on when shards are freed, so that no thread uses one after that */
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct shard *own_shard;
static _Thread_local unsigned own_generation;

static struct shard *find_own_shard(void)
{
	return own_generation == atomic_load_explicit(&registry.generation, memory_order_relaxed) ? own_shard : NULL;
}

enum err metrics_join(void)
{
	if (find_own_shard())
		return OK;
	size_t bytes = (sizeof(struct shard) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	struct shard *shard = aligned_alloc(CACHE_LINE, bytes);
	if (!shard)
		return ERR_NOMEM;
	memset(shard, 0, bytes);
	metrics_table_prepare();
	pthread_mutex_lock(&registry.lock);
	shard->older = atomic_load_explicit(&registry.newest, memory_order_relaxed);
	atomic_store_explicit(&registry.newest, shard, memory_order_release);
	pthread_mutex_unlock(&registry.lock);
	own_shard = shard;
	own_generation = atomic_load_explicit(&registry.generation, memory_order_relaxed);
	return OK;
}

void metrics_reset(void)
{
	pthread_mutex_lock(&registry.lock);
	struct shard *shard = atomic_exchange(&registry.newest, NULL);
	atomic_fetch_add(&registry.generation, 1);
	pthread_mutex_unlock(&registry.lock);
	own_shard = NULL;
	while (shard) {
		struct shard *older = shard->older;
		free(shard);
		shard = older;
	}
}

/* A load and a store instead of an atomic addition: no other thread writes here. */
static void add(_Atomic uint64_t *value, uint64_t amount)
{
	atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + amount, memory_order_relaxed);
}

void metric_add(enum metric metric, uint64_t amount)
{
	struct shard *shard = find_own_shard();
	if (shard)
		add(&shard->values[metric], amount);
}

void metric_gauge_add(enum metric metric, int64_t amount)
{
	metric_add(metric, (uint64_t)amount);
}

void metric_gauge_set(enum metric metric, int64_t value)
{
	struct shard *shard = find_own_shard();
	if (shard)
		atomic_store_explicit(&shard->values[metric], (uint64_t)value, memory_order_relaxed);
}

void metric_observe_ns(enum histogram histogram, uint64_t ns)
{
	struct shard *shard = find_own_shard();
	if (!shard)
		return;
	const struct histogram_bounds *bounds = metrics_table_bounds(histogram);
	size_t at = 0;
	while (at < bounds->count && ns > bounds->le_ns[at])
		at++;
	add(&shard->histograms[histogram].buckets[at], 1);
	add(&shard->histograms[histogram].sum_ns, ns);
}

static struct shard *first_shard(void)
{
	return atomic_load_explicit(&registry.newest, memory_order_acquire);
}

uint64_t metric_read(enum metric metric)
{
	uint64_t sum = 0;
	for (struct shard *shard = first_shard(); shard; shard = shard->older)
		sum += atomic_load_explicit(&shard->values[metric], memory_order_relaxed);
	return metrics_table_is_gauge(metric) && (int64_t)sum < 0 ? 0 : sum;
}

void metrics_sum_histogram(enum histogram histogram, struct histogram_sum *ret_sum)
{
	*ret_sum = (struct histogram_sum){0};
	for (struct shard *shard = first_shard(); shard; shard = shard->older) {
		for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
			ret_sum->buckets[i] +=
			    atomic_load_explicit(&shard->histograms[histogram].buckets[i], memory_order_relaxed);
		ret_sum->sum_ns += atomic_load_explicit(&shard->histograms[histogram].sum_ns, memory_order_relaxed);
	}
}
