#define _DEFAULT_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/metrics/metrics_table.h"

#define STAT_START_TIME 19 /* fields of /proc/self/stat behind the state: number of starttime, see proc(5) */

static void write_family(struct buf *out, const char *name, const char *kind, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* Nanoseconds as seconds with all their digits: "1.000000005". */
static void write_seconds(struct buf *out, uint64_t ns)
{
	buf_printf(out, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void write_histogram(struct buf *out, const struct metric_row *row)
{
	struct histogram_sum sum;
	const struct histogram_bounds *bounds = metrics_table_bounds((enum histogram)row->index);
	metrics_sum_histogram((enum histogram)row->index, &sum);
	uint64_t count = 0;
	for (size_t i = 0; i <= bounds->count; i++) {
		struct slice le = i < bounds->count ? bounds->le_text[i] : SLICE_LITERAL("+Inf");
		count += sum.buckets[i];
		buf_printf(out, "tracegate_%s_bucket{le=\"%.*s\"} %" PRIu64 "\n", row->name, (int)le.len, le.ptr,
		           count);
	}
	buf_printf(out, "tracegate_%s_sum ", row->name);
	write_seconds(out, sum.sum_ns);
	buf_printf(out, "\ntracegate_%s_count %" PRIu64 "\n", row->name, count);
}

static void write_value(struct buf *out, const struct metric_row *row)
{
	/* The log counts for itself, being below this room. */
	uint64_t value = row->index == METRIC_LOG_SUPPRESSED ? log_suppressed() : metric_read((enum metric)row->index);
	buf_printf(out, "tracegate_%s", row->name);
	if (*row->labels)
		buf_printf(out, "{%s}", row->labels);
	buf_printf(out, " %" PRIu64 "\n", value);
}

static void write_rows(struct buf *out)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	const struct metric_row *rows;
	size_t count = metrics_table_rows(&rows);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || strcmp(rows[i - 1].name, rows[i].name) != 0)
			buf_printf(out, "# HELP tracegate_%s %s\n# TYPE tracegate_%s %s\n", rows[i].name, rows[i].help,
			           rows[i].name, kinds[rows[i].kind]);
		if (rows[i].kind == METRIC_KIND_HISTOGRAM)
			write_histogram(out, &rows[i]);
		else
			write_value(out, &rows[i]);
	}
}

/* Reads a small file of /proc; false when it is not there. */
static bool read_proc(const char *path, char *ret_text, size_t size)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	size_t len = fread(ret_text, 1, size - 1, file);
	ret_text[len] = '\0';
	fclose(file);
	return len > 0;
}

static void write_resident_memory(struct buf *out)
{
	char text[256];
	uint64_t pages;
	if (!read_proc("/proc/self/statm", text, sizeof text) || sscanf(text, "%*u %" SCNu64, &pages) != 1)
		return;
	write_family(out, "process_resident_memory_bytes", "gauge", "Resident memory of the process.");
	buf_printf(out, "process_resident_memory_bytes %" PRIu64 "\n", pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void write_open_descriptors(struct buf *out)
{
	DIR *folder = opendir("/proc/self/fd");
	if (!folder)
		return;
	uint64_t count = 0;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	closedir(folder);
	write_family(out, "process_open_fds", "gauge", "Open file descriptors of the process.");
	buf_printf(out, "process_open_fds %" PRIu64 "\n", count - 1); /* without the one that looked */
}

static void write_cpu_time(struct buf *out)
{
	struct timespec used;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
		return;
	write_family(out, "process_cpu_seconds_total", "counter", "User and system time of the process.");
	buf_append_text(out, "process_cpu_seconds_total ");
	write_seconds(out, (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec);
	buf_append_char(out, '\n');
}

/* The kernel gives the start in ticks since boot, and the time of boot in /proc/stat. */
static void write_start_time(struct buf *out)
{
	char text[1024], boot[64];
	uint64_t ticks = 0, boot_seconds = 0;
	if (!read_proc("/proc/self/stat", text, sizeof text))
		return;
	const char *at = strrchr(text, ')'); /* the name before it may hold anything */
	for (int i = 0; at && i <= STAT_START_TIME; i++) {
		at = strchr(at + 1, ' ');
	}
	FILE *file = fopen("/proc/stat", "re");
	char line[256];
	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "btime %63s", boot) == 1 && sscanf(boot, "%" SCNu64, &boot_seconds) == 1)
			break;
	}
	if (file)
		fclose(file);
	if (!at || sscanf(at, " %" SCNu64, &ticks) != 1 || boot_seconds == 0)
		return;
	write_family(out, "process_start_time_seconds", "gauge",
	             "Start of the process, in seconds since the Unix epoch.");
	buf_printf(out, "process_start_time_seconds %" PRIu64 "\n",
	           boot_seconds + ticks / (uint64_t)sysconf(_SC_CLK_TCK));
}

void metrics_write(struct buf *out, const char *version)
{
	metrics_table_prepare();
	write_rows(out);
	write_family(out, "tracegate_build_info", "gauge", "Always 1; the label says which version runs.");
	buf_printf(out, "tracegate_build_info{version=\"%s\"} 1\n", version);
	write_resident_memory(out);
	write_open_descriptors(out);
	write_cpu_time(out);
	write_start_time(out);
}
