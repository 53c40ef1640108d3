/* tgcli replay as a user runs it: against a node whose every word is the test's, and through a real recorded session.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fake_node.h"
#include "tests/support/gateway.h"
#include "tests/support/process.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define TGCLI TEST_BINARY_DIR "/bin/tgcli"
#define ARGUMENTS_MAX 24

static struct fake_node node;
static struct process *tgcli;
static size_t output_at, error_at;
static char pipe_path[128];
static int input = -1;

static void set_up(void)
{
	fake_node_open(&node);
	tgcli = NULL;
	input = -1;
	output_at = error_at = 0;
}

static void tear_down(void)
{
	process_free(tgcli);
	fake_node_close(&node);
	if (input >= 0)
		close(input);
	unlink(pipe_path);
}

/* Its standard input is a pipe of the test's. */
static void start(const char *url, const char *const *arguments)
{
	const char *argv[ARGUMENTS_MAX] = {
	    "sh", "-c", "pipe=$1; shift; exec \"$@\" <\"$pipe\"", "sh", pipe_path, TGCLI, "replay", "--url", url};
	for (size_t i = 0; arguments[i]; i++)
		argv[i + 9] = arguments[i];
	snprintf(pipe_path, sizeof pipe_path, TEST_BINARY_DIR "/tgcli-input-%d", (int)getpid());
	unlink(pipe_path);
	ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
	input = open(pipe_path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(input, 0);
	tgcli = process_start(&(struct process_options){.arguments = argv});
}

#define START(url, ...) start(url, (const char *const[]){__VA_ARGS__, NULL})

static void type(const char *line)
{
	ck_assert_int_eq(write(input, line, strlen(line)), (ssize_t)strlen(line));
}

static void expect_line(enum process_stream stream, const char *text)
{
	char *line = process_wait_line(tgcli, stream, text, stream == PROCESS_OUTPUT ? &output_at : &error_at,
	                               deadline_in(DEADLINE_MS));
	ck_assert_msg(line != NULL, "no line with \"%s\"", text);
	free(line);
}

static void expect_end(int expected)
{
	int status = -1;
	ck_assert(process_wait(tgcli, deadline_in(DEADLINE_MS), &status));
	ck_assert_int_eq(status, expected);
}

static void expect_request(const char *expected)
{
	ck_assert_str_eq(fake_node_read(&node, NULL), expected);
}

#define EVENT(id, data) "{\"id\":\"" id "\",\"channel\":\"trace:s1\",\"ts\":1,\"data\":" data "}"
#define BATCH(cursor, events) "{\"op\":\"events\",\"replay\":\"r1\",\"cursor\":\"" cursor "\",\"events\":[" events "]}"
#define FIRST "{\"id\":1,\"op\":\"replay\",\"session\":\"s1\",\"filter\":{}"

START_TEST(plays_a_range_and_ends_with_it)
{
	START(node.url, "--session", "s1", "--from", "-5m", "--to", "1764031200123", "--speed", "2.5", "--max-gap",
	      "1000", "--type", "a.*");
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":1,\"op\":\"replay\",\"session\":\"s1\",\"filter\":{\"type\":[\"a.*\"]},\"to\":"
	               "1764031200123,\"from\":\"-5m\","
	               "\"speed\":2.5,\"maxGapMs\":1000}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"replay\":\"r1\"}}");
	fake_node_send(&node, BATCH("2-0.00c0ffee", EVENT("1-0", "1") "," EVENT("2-0", "2")));
	fake_node_send(&node, "{\"op\":\"gap\",\"replay\":\"r1\",\"after\":\"2-0\",\"before\":null,\"dropped\":null,"
	                      "\"reason\":\"trimmed\"}");
	fake_node_send(&node, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"2-0\"}");
	expect_line(PROCESS_OUTPUT, "trace:s1 1");
	expect_line(PROCESS_OUTPUT, "trace:s1 2");
	expect_line(PROCESS_ERROR, "\"reason\":\"trimmed\"");
	expect_end(0);
}
END_TEST

START_TEST(is_moved_by_lines_on_its_input)
{
	static const struct {
		const char *line, *members;
	} commands[] = {
	    {"pause\n", "\"do\":\"pause\""},
	    {"step\n", "\"do\":\"step\",\"count\":1"},
	    {"step 10\n", "\"do\":\"step\",\"count\":10"},
	    {"back\n", "\"do\":\"step\",\"count\":-1"},
	    {"back  3\n", "\"do\":\"step\",\"count\":-3"},
	    {"seek 2026-01-02 10:00\n", "\"do\":\"seek\",\"to\":\"2026-01-02 10:00\""},
	    {"speed max\n", "\"do\":\"speed\",\"speed\":\"max\""},
	    {"speed 0.5\r\n", "\"do\":\"speed\",\"speed\":0.5"},
	    {"play\n", "\"do\":\"play\""},
	};
	char text[256];
	START(node.url, "--session", "s1", "--control");
	fake_node_welcome(&node, NULL, 0);
	expect_request(FIRST "}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"replay\":\"r1\"}}");
	fake_node_send(&node, BATCH("7-0.00c0ffee", EVENT("7-0", "7")));
	expect_line(PROCESS_OUTPUT, "trace:s1 7");
	type("state\n");
	expect_request("{\"id\":2,\"op\":\"state\",\"session\":\"s1\",\"at\":\"7-0\"}");
	fake_node_send(&node, "{\"id\":2,\"ok\":{\"at\":\"7-0\",\"state\":{\"events\":7}}}");
	expect_line(PROCESS_OUTPUT, "{\"events\":7}");
	for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		type(commands[i].line);
		snprintf(text, sizeof text, "{\"id\":%u,\"op\":\"control\",\"replay\":\"r1\",%s}", i + 3,
		         commands[i].members);
		expect_request(text);
		snprintf(text, sizeof text, "{\"id\":%u,\"ok\":{\"at\":\"%u-0\",\"state\":\"paused\"}}", i + 3, i);
		fake_node_send(&node, text);
		snprintf(text, sizeof text, "tgcli: paused at %u-0", i);
		expect_line(PROCESS_ERROR, text);
	}
	type("rewind\n");
	expect_line(PROCESS_ERROR, "pause, play, step [N], back [N], seek TIME, speed X, state, stop");
	type("step -1\n");
	expect_line(PROCESS_ERROR, "a whole number above 0 is needed");
	fake_node_send(&node, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"7-0\"}");
	expect_line(PROCESS_ERROR, "the end");
	type("stop\n");
	expect_request("{\"id\":12,\"op\":\"control\",\"replay\":\"r1\",\"do\":\"stop\"}");
	fake_node_send(&node, "{\"id\":12,\"ok\":{\"at\":\"7-0\",\"state\":\"stopped\"}}");
	expect_end(0);
}
END_TEST

START_TEST(ends_with_its_input_where_it_stands)
{
	START(node.url, "--session", "s1", "--control");
	fake_node_welcome(&node, NULL, 0);
	expect_request(FIRST "}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"replay\":\"r1\"}}");
	fake_node_send(&node, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"7-0\"}");
	expect_line(PROCESS_ERROR, "the end");
	close(input);
	input = -1;
	expect_end(0);
}
END_TEST

START_TEST(goes_on_behind_what_it_showed_when_the_connection_was_lost)
{
	START(node.url, "--session", "s1", "--from", "1-0");
	fake_node_welcome(&node, NULL, 0);
	expect_request(FIRST ",\"from\":\"1-0\"}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"replay\":\"r1\"}}");
	fake_node_send(&node, BATCH("2-0.00c0ffee", EVENT("1-0", "1") "," EVENT("2-0", "2")));
	expect_line(PROCESS_OUTPUT, "trace:s1 2");
	fake_node_cut(&node);
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":2,\"op\":\"replay\",\"session\":\"s1\",\"filter\":{},\"after\":\"2-0.00c0ffee\"}");
	fake_node_send(&node, "{\"id\":2,\"ok\":{\"replay\":\"r1\"}}");
	fake_node_send(&node, BATCH("3-0.00c0ffee", EVENT("3-0", "3")));
	fake_node_send(&node, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"3-0\"}");
	expect_line(PROCESS_OUTPUT, "trace:s1 3");
	expect_end(0);
}
END_TEST

START_TEST(goes_live_behind_its_end)
{
	START(node.url, "--session", "s1", "--live", "--format", "ndjson");
	fake_node_welcome(&node, NULL, 0);
	expect_request(FIRST "}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"replay\":\"r1\"}}");
	fake_node_send(&node, BATCH("2-0.00c0ffee", EVENT("2-0", "2")));
	fake_node_send(&node, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"2-0\"}");
	expect_request("{\"id\":2,\"op\":\"subscribe\",\"filter\":{\"session\":[\"s1\"]},\"since\":\"2-0.00c0ffee\"}");
	fake_node_send(
	    &node,
	    "{\"id\":2,\"ok\":{\"sub\":\"k\",\"cursor\":\"2-0.00c0ffee\",\"recorded\":true,\"recovered\":true}}");
	fake_node_send(
	    &node, "{\"op\":\"events\",\"sub\":\"k\",\"cursor\":\"3-0.00c0ffee\",\"events\":[" EVENT("3-0", "3") "]}");
	expect_line(PROCESS_OUTPUT, EVENT("3-0", "3"));
}
END_TEST

START_TEST(a_refusal_is_told_and_ends_it)
{
	START(node.url, "--session", "s1", "--speed", "fast");
	fake_node_welcome(&node, NULL, 0);
	expect_request(FIRST ",\"speed\":\"fast\"}");
	fake_node_send(&node,
	               "{\"id\":1,\"error\":{\"code\":\"bad_request\",\"message\":\"speed: no\",\"temporary\":false}}");
	expect_line(PROCESS_ERROR, "tgcli: bad_request: speed: no");
	expect_end(1);
}
END_TEST

/* --- A real session --------------------------------------------------------------------------------------------------
 */

#define STEPS 20

/* Behind event n the agent has taken n steps. */
static void expect_state(unsigned n)
{
	char state[128];
	type("state\n");
	snprintf(state, sizeof state, "\"value\":{\"step\":%u}", n);
	expect_line(PROCESS_OUTPUT, state);
}

START_TEST(a_recorded_session_is_walked_forwards_and_back_and_its_state_is_right_at_every_step)
{
	char line[96];
	struct redis_server *redis = redis_server_start(NULL);
	struct gateway *gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	for (unsigned n = 1; n <= STEPS; n++) {
		snprintf(line, sizeof line, "{\"agentId\":\"a\",\"state\":{\"step\":%u}}", n);
		redis_server_publish(redis, slice_of("agent:s1"), slice_of(line));
	}
	gateway_wait_metric_at_least(gateway, "records_total", "", STEPS);
	START(gateway_url(gateway), "--session", "s1", "--speed", "max", "--control");
	expect_line(PROCESS_ERROR, "the end");
	type("seek earliest\n");
	expect_line(PROCESS_ERROR, "tgcli: paused at 0-0");
	for (unsigned n = 1; n <= STEPS; n++) {
		type("step\n");
		expect_line(PROCESS_ERROR, "tgcli: paused at");
		expect_state(n);
	}
	for (unsigned n = STEPS - 1; n >= 1; n--) {
		type("back\n");
		expect_line(PROCESS_ERROR, "tgcli: paused at");
		expect_state(n);
	}
	type("stop\n");
	expect_end(0);
	gateway_end(gateway);
	redis_server_free(redis);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("client_replay");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, plays_a_range_and_ends_with_it);
	tcase_add_test(tests, is_moved_by_lines_on_its_input);
	tcase_add_test(tests, ends_with_its_input_where_it_stands);
	tcase_add_test(tests, goes_on_behind_what_it_showed_when_the_connection_was_lost);
	tcase_add_test(tests, goes_live_behind_its_end);
	tcase_add_test(tests, a_refusal_is_told_and_ends_it);
	tcase_add_test(tests, a_recorded_session_is_walked_forwards_and_back_and_its_state_is_right_at_every_step);
	Suite *suite = suite_create("client_replay");
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
