#include "gateway/metrics/metrics_table.h"

#include <pthread.h>
#include <stdlib.h>

static const struct metric_row rows[] = {
#define COUNTER(id, name, labels, help) {METRIC_KIND_COUNTER, METRIC_##id, name, labels, help},
#define GAUGE(id, name, labels, help) {METRIC_KIND_GAUGE, METRIC_##id, name, labels, help},
#define HISTOGRAM(id, name, bounds, help) {METRIC_KIND_HISTOGRAM, HISTOGRAM_##id, name, bounds, help},
#include "gateway/metrics/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

static const bool gauges[METRICS] = {
#define COUNTER(id, name, labels, help)
#define GAUGE(id, name, labels, help) [METRIC_##id] = true,
#define HISTOGRAM(id, name, bounds, help)
#include "gateway/metrics/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

static const char *const bounds_text[HISTOGRAMS] = {
#define COUNTER(id, name, labels, help)
#define GAUGE(id, name, labels, help)
#define HISTOGRAM(id, name, bounds, help) [HISTOGRAM_##id] = bounds,
#include "gateway/metrics/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

static struct histogram_bounds bounds_read[HISTOGRAMS];
static pthread_once_t read_once = PTHREAD_ONCE_INIT;

size_t metrics_table_rows(const struct metric_row **ret_rows)
{
	*ret_rows = rows;
	return sizeof rows / sizeof rows[0];
}

bool metrics_table_is_gauge(enum metric metric)
{
	return gauges[metric];
}

static void read_bounds(void)
{
	for (size_t i = 0; i < HISTOGRAMS; i++) {
		const char *at = bounds_text[i];
		struct histogram_bounds *bounds = &bounds_read[i];
		while (*at && bounds->count < HISTOGRAM_BOUNDS_MAX) {
			char *end;
			double seconds = strtod(at, &end);
			bounds->le_ns[bounds->count] = (uint64_t)(seconds * 1e9 + 0.5);
			bounds->le_text[bounds->count++] = (struct slice){at, (size_t)(end - at)};
			at = end + strspn(end, " ");
		}
	}
}

void metrics_table_prepare(void)
{
	pthread_once(&read_once, read_bounds);
}

const struct histogram_bounds *metrics_table_bounds(enum histogram histogram)
{
	return &bounds_read[histogram];
}

static void write_labels(struct buf *out, const struct metric_row *first, const struct metric_row *end)
{
	for (const struct metric_row *row = first; row < end && strcmp(row->name, first->name) == 0; row++) {
		if (*row->labels)
			buf_printf(out, "%s`%s`", row == first ? "" : " ", row->labels);
	}
}

void metrics_write_reference(struct buf *out)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	const struct metric_row *end = rows + sizeof rows / sizeof rows[0];
	buf_append_text(
	    out,
	    "# Metrics\n\n"
	    "`GET /metrics` on the admin port answers in the Prometheus text format. The number of series is fixed: "
	    "none depends on\nwhat clients or publishers send. This page is made from `gateway/metrics/metrics.def` "
	    "(`cmake --build <folder> --target docs`).\n\n"
	    "| name | type | labels | meaning |\n| --- | --- | --- | --- |\n");
	for (const struct metric_row *row = rows; row < end; row++) {
		if (row > rows && strcmp(row[-1].name, row->name) == 0)
			continue;
		buf_printf(out, "| `tracegate_%s` | %s | ", row->name, kinds[row->kind]);
		if (row->kind == METRIC_KIND_HISTOGRAM)
			buf_printf(out, "`le`: %s", row->labels);
		else
			write_labels(out, row, end);
		buf_printf(out, " | %s |\n", row->help);
	}
	buf_append_text(
	    out,
	    "| `tracegate_build_info` | gauge | `version` | Always 1; the label says which version runs. |\n"
	    "| `process_resident_memory_bytes` | gauge |  | Resident memory of the process. |\n"
	    "| `process_open_fds` | gauge |  | Open file descriptors of the process. |\n"
	    "| `process_cpu_seconds_total` | counter |  | User and system time of the process. |\n"
	    "| `process_start_time_seconds` | gauge |  | Start of the process, in seconds since the Unix epoch. |\n");
}
