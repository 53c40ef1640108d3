#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/thread/thread.h"
#include "gateway/metrics/metrics.h"
#include "tests/support/suite.h"

#define THREADS 4
#define COUNTS_EACH 20000

static struct buf page;

static void set_up(void)
{
	buf_init(&page);
	ck_assert_int_eq(metrics_join(), OK);
}

static void tear_down(void)
{
	metrics_reset();
	buf_fini(&page);
}

static const char *scrape(void)
{
	buf_clear(&page);
	metrics_write(&page, "1.2.3");
	buf_append_char(&page, '\0');
	ck_assert(!buf_has_failed(&page));
	return page.bytes;
}

static void assert_has(const char *line)
{
	ck_assert_msg(strstr(page.bytes, line) != NULL, "no %s in %s", line, page.bytes);
}

START_TEST(counts_and_shows_with_labels)
{
	metric_add(METRIC_EVENTS_IN_AGENT, 3);
	metric_add(METRIC_EVENTS_IN_AGENT, UINT64_C(1) << 40);
	ck_assert_uint_eq(metric_read(METRIC_EVENTS_IN_AGENT), (UINT64_C(1) << 40) + 3);
	scrape();
	assert_has("\ntracegate_events_in_total{kind=\"agent\"} 1099511627779\n");
	assert_has("\ntracegate_events_in_total{kind=\"trace\"} 0\n");
	assert_has("\ntracegate_build_info{version=\"1.2.3\"} 1\n");
}
END_TEST

START_TEST(a_thread_without_a_shard_counts_nothing)
{
	metrics_reset();
	metric_add(METRIC_COMMANDS, 1);
	metric_gauge_set(METRIC_CONNECTIONS, 1);
	metric_observe_ns(HISTOGRAM_FANOUT_SECONDS, 1);
	ck_assert_uint_eq(metric_read(METRIC_COMMANDS), 0);
	ck_assert_int_eq(metrics_join(), OK);
	ck_assert_int_eq(metrics_join(), OK);
	metric_add(METRIC_COMMANDS, 1);
	ck_assert_uint_eq(metric_read(METRIC_COMMANDS), 1);
}
END_TEST

static void *close_two(void *argument)
{
	(void)argument;
	if (metrics_join() == OK)
		metric_gauge_add(METRIC_CONNECTIONS, -2);
	return NULL;
}

START_TEST(a_gauge_is_the_sum_of_threads_and_never_below_zero)
{
	struct thread thread;
	metric_gauge_add(METRIC_CONNECTIONS, 5);
	ck_assert_int_eq(thread_start(&thread, "closer", close_two, NULL), OK);
	thread_join(&thread);
	ck_assert_uint_eq(metric_read(METRIC_CONNECTIONS), 3);
	metric_gauge_set(METRIC_CONNECTIONS, 1);
	ck_assert_uint_eq(metric_read(METRIC_CONNECTIONS), 0);
	scrape();
	assert_has("\ntracegate_connections 0\n");
}
END_TEST

START_TEST(a_histogram_is_cumulative_and_in_seconds)
{
	metric_observe_ns(HISTOGRAM_FANOUT_SECONDS, 0);
	metric_observe_ns(HISTOGRAM_FANOUT_SECONDS, 10000); /* exactly the first bound */
	metric_observe_ns(HISTOGRAM_FANOUT_SECONDS, 10001);
	metric_observe_ns(HISTOGRAM_FANOUT_SECONDS, UINT64_C(2500000000));
	scrape();
	assert_has("\n# TYPE tracegate_fanout_seconds histogram\n");
	assert_has("\ntracegate_fanout_seconds_bucket{le=\"1e-5\"} 2\n");
	assert_has("\ntracegate_fanout_seconds_bucket{le=\"1e-4\"} 3\n");
	assert_has("\ntracegate_fanout_seconds_bucket{le=\"1\"} 3\n");
	assert_has("\ntracegate_fanout_seconds_bucket{le=\"+Inf\"} 4\n");
	assert_has("\ntracegate_fanout_seconds_sum 2.500020001\n");
	assert_has("\ntracegate_fanout_seconds_count 4\n");
}
END_TEST

static void *count_many(void *argument)
{
	(void)argument;
	if (metrics_join() != OK)
		return NULL;
	for (int i = 0; i < COUNTS_EACH; i++) {
		metric_add(METRIC_EVENTS_OUT, 2);
		metric_observe_ns(HISTOGRAM_LATENCY_SECONDS, 1000);
	}
	return NULL;
}

START_TEST(adds_up_what_threads_count_while_it_is_scraped)
{
	struct thread threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(thread_start(&threads[i], "counter", count_many, NULL), OK);
	for (uint64_t seen = 0, at = 0; at < 50; at++) {
		uint64_t now = metric_read(METRIC_EVENTS_OUT);
		ck_assert_uint_ge(now, seen);
		seen = now;
		scrape();
	}
	for (int i = 0; i < THREADS; i++)
		thread_join(&threads[i]);
	ck_assert_uint_eq(metric_read(METRIC_EVENTS_OUT), 2 * THREADS * COUNTS_EACH);
	scrape();
	assert_has("\ntracegate_publish_to_write_seconds_count 80000\n");
}
END_TEST

START_TEST(shows_the_process)
{
	static const char *const names[] = {"process_resident_memory_bytes", "process_open_fds",
	                                    "process_cpu_seconds_total", "process_start_time_seconds"};
	scrape();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char start[64];
		double value = 0;
		snprintf(start, sizeof start, "\n%s ", names[i]);
		assert_has(start);
		ck_assert_int_eq(sscanf(strstr(page.bytes, start) + strlen(start), "%lf", &value), 1);
		ck_assert_msg(value > 0, "%s", names[i]);
	}
}
END_TEST

/* Name of the family that a sample or comment line is about, without the suffixes of a histogram. */
static void read_family(const char *line, size_t len, char ret_family[128])
{
	const char *at = strncmp(line, "# ", 2) == 0 ? line + 7 : line;
	size_t name_len = strcspn(at, " {");
	ck_assert_uint_lt(name_len, len);
	static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
	snprintf(ret_family, 128, "%.*s", (int)name_len, at);
	for (size_t i = 0; i < 3 && *line != '#'; i++) {
		size_t suffix_len = strlen(suffixes[i]);
		if (strstr(ret_family, "seconds_") && strcmp(ret_family + name_len - suffix_len, suffixes[i]) == 0)
			ret_family[name_len - suffix_len] = '\0';
	}
}

START_TEST(every_family_is_introduced_once_and_its_samples_follow)
{
	char family[128] = "", current[128] = "";
	struct buf seen;
	buf_init(&seen);
	buf_append_char(&seen, '\0');
	for (const char *at = scrape(); *at; at += strcspn(at, "\n") + 1) {
		size_t len = strcspn(at, "\n");
		ck_assert_int_eq(at[len], '\n');
		read_family(at, len, family);
		if (strncmp(at, "# HELP ", 7) == 0) {
			char mark[140];
			snprintf(mark, sizeof mark, "|%s|", family);
			ck_assert_msg(!strstr(seen.bytes, mark), "%s twice", family);
			seen.len--;
			buf_append(&seen, mark, strlen(mark) + 1);
			snprintf(current, sizeof current, "%s", family);
		}
		ck_assert_msg(strcmp(family, current) == 0, "%.*s under %s", (int)len, at, current);
	}
	buf_fini(&seen);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *cases = tcase_create("metrics");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, counts_and_shows_with_labels);
	tcase_add_test(cases, a_thread_without_a_shard_counts_nothing);
	tcase_add_test(cases, a_gauge_is_the_sum_of_threads_and_never_below_zero);
	tcase_add_test(cases, a_histogram_is_cumulative_and_in_seconds);
	tcase_add_test(cases, adds_up_what_threads_count_while_it_is_scraped);
	tcase_add_test(cases, shows_the_process);
	tcase_add_test(cases, every_family_is_introduced_once_and_its_samples_follow);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
