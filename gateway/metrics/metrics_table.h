/* The table of metrics.def in a form to walk over, and what a scrape needs of the counts. Private to the room, but for
 * the reference page. The bounds of histograms are read from their text once, before the first thread counts. */
#ifndef GATEWAY_METRICS_METRICS_TABLE_H
#define GATEWAY_METRICS_METRICS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/data/buf.h"
#include "gateway/metrics/metrics.h"

#define HISTOGRAM_BOUNDS_MAX 16

struct histogram_bounds {
	size_t count;
	uint64_t le_ns[HISTOGRAM_BOUNDS_MAX];       /* ascending */
	struct slice le_text[HISTOGRAM_BOUNDS_MAX]; /* seconds, as the table spells them */
};

struct histogram_sum {
	uint64_t buckets[HISTOGRAM_BOUNDS_MAX + 1]; /* not cumulative; the last used one is +Inf */
	uint64_t sum_ns;
};

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_HISTOGRAM };

struct metric_row {
	enum metric_kind kind;
	int index; /* enum metric or enum histogram */
	const char *name, *labels, *help;
};

size_t metrics_table_rows(const struct metric_row **ret_rows); /* in the order of metrics.def */
bool metrics_table_is_gauge(enum metric metric);
void metrics_table_prepare(void);                                              /* any thread, any number of times */
const struct histogram_bounds *metrics_table_bounds(enum histogram histogram); /* after metrics_table_prepare */

void metrics_sum_histogram(enum histogram histogram, struct histogram_sum *ret_sum);

/* docs/metrics.md: a table of the families, with their labels. */
void metrics_write_reference(struct buf *out);

#endif
