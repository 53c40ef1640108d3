/* Counters of the node. Each thread counts in a shard of its own (relaxed atomics, no shared cache line); a scrape adds the
 * shards up. Any thread may count, once it has a shard; a scrape may run on any thread. Names, labels and help come
 * from metrics.def. */
#ifndef GATEWAY_METRICS_METRICS_H
#define GATEWAY_METRICS_METRICS_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/data/buf.h"

enum metric {
#define COUNTER(id, name, labels, help) METRIC_##id,
#define GAUGE(id, name, labels, help) METRIC_##id,
#define HISTOGRAM(id, name, bounds, help)
#include "gateway/metrics/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	METRICS
};

enum histogram {
#define COUNTER(id, name, labels, help)
#define GAUGE(id, name, labels, help)
#define HISTOGRAM(id, name, bounds, help) HISTOGRAM_##id,
#include "gateway/metrics/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	HISTOGRAMS
};

/* Gives the calling thread its shard; once for each thread that counts. Before it, counting does nothing. */
enum err metrics_join(void) MUST_USE;
void metrics_reset(void); /* frees all shards: tests and the end of the process, when no other thread counts any more */

void metric_add(enum metric metric, uint64_t amount);
void metric_gauge_add(enum metric metric, int64_t amount); /* the gauge is the sum over threads */
void metric_gauge_set(enum metric metric, int64_t value);  /* this thread's share */
void metric_observe_ns(enum histogram histogram, uint64_t ns);

uint64_t metric_read(enum metric metric); /* sum over threads; a gauge below zero reads as 0 */

/* Prometheus text format 0.0.4, every name prefixed with "tracegate_", # HELP and # TYPE once a name. Also the process
 * metrics: process_resident_memory_bytes, process_open_fds, process_cpu_seconds_total, process_start_time_seconds,
 * and tracegate_build_info{version="..."} 1. */
void metrics_write(struct buf *out, const char *version);

#endif
