/* How a node and its clients end, and what its clock and its place in the process tree change about it: heartbeats,
 * draining, signals, process 1, wrong options. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/sanitizer.h"
#include "tests/support/watcher.h"
#include "tests/support/suite.h"

#define CLIENTS 100
#define DRAIN_MS 600

static struct redis_server *redis;
static struct gateway *gateway;

static void start_with(const char *const *flags)
{
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void stop(void)
{
	gateway_free(gateway);
	redis_server_free(redis);
}

static void expect_exit(struct process *process, int wanted)
{
	int status;
	ck_assert_msg(process_wait(process, deadline_in(DEADLINE_MS), &status), "the gateway does not end");
	char *log = process_text(process, PROCESS_ERROR);
	ck_assert_msg(status == wanted, "the gateway ended with %d; its log:\n%s", status, log);
	free(log);
}

static uint64_t field(struct slice json, const char *name)
{
	const char *at = memmem(json.ptr, json.len, name, strlen(name));
	ck_assert_msg(at != NULL, "no %s in %.*s", name, (int)json.len, json.ptr);
	return strtoull(at + strlen(name), NULL, 10);
}

START_TEST(pings_in_time_and_ends_who_does_not_answer)
{
	const char *flags[] = {"--heartbeat.interval", "300ms", "--close.timeout", "300ms", NULL};
	struct raw silent;
	struct raw_frame frame;
	struct watcher alive;
	start_with(flags);
	raw_open(&silent, gateway_port(gateway));
	uint64_t opened_ms = clock_mono_ms();
	raw_read_frame(&silent, &frame);
	ck_assert_uint_eq(frame.first, 0x89);
	ck_assert_uint_ge(clock_mono_ms() - opened_ms, 100);
	raw_expect_close(&silent, 4501);
	ck_assert_uint_ge(clock_mono_ms() - opened_ms, 290);
	/* One that answers stays, over many intervals. */
	struct watched watched;
	watcher_open(&alive, gateway_port(gateway), "");
	ck_assert_int_eq(watcher_next(&alive, &watched, deadline_in(1500)), WATCHED_LATE);
	redis_server_publish(redis, SLICE_LITERAL("trace:1"), SLICE_LITERAL("1"));
	watcher_expect(&alive, "1");
	watcher_close(&alive);
	raw_close(&silent);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_end(gateway);
	gateway = NULL;
	stop();
}
END_TEST

START_TEST(requests_are_signs_of_life_too)
{
	const char *flags[] = {"--heartbeat.interval", "200ms", NULL};
	struct raw raw;
	start_with(flags);
	raw_open(&raw, gateway_port(gateway));
	uint64_t end_ms = clock_mono_ms() + 1000;
	while (clock_mono_ms() < end_ms) { /* no pong, but requests */
		struct raw_frame frame;
		raw_send_frame(&raw, 0x81, SLICE_LITERAL("{\"id\":1,\"op\":\"ping\"}"));
		raw_expect_text(&raw, "\"now\"", &frame);
		ck_assert(deadline_next_look(deadline_in(DEADLINE_MS)));
	}
	raw_close(&raw);
	gateway_end(gateway);
	gateway = NULL;
	stop();
}
END_TEST

/* Reads the notice and the close of one client and gives when each is wanted back and was sent away. */
static void expect_farewell(struct watcher *watcher, uint64_t term_ms, uint64_t *ret_back_ms, uint64_t *ret_closed_ms)
{
	struct watched watched;
	ck_assert_int_eq(watcher_next(watcher, &watched, deadline_in(DEADLINE_MS)), WATCHED_NOTICE);
	ck_assert_ptr_nonnull(memmem(watched.json.ptr, watched.json.len, "\"code\":\"draining\"", 17));
	*ret_back_ms = field(watched.json, "\"reconnectInMs\":");
	ck_assert_int_eq(watcher_next(watcher, &watched, deadline_in(DEADLINE_MS)), WATCHED_CLOSE);
	ck_assert_uint_eq(watched.code, 1012);
	*ret_closed_ms = clock_mono_ms() - term_ms;
	raw_send_close(&watcher->raw, 1012);
	raw_expect_end(&watcher->raw);
}

START_TEST(drains_clients_over_the_time_although_one_does_not_read)
{
	static struct watcher clients[CLIENTS];
	uint64_t back_ms, closed_ms, back_low = UINT64_MAX, back_high = 0;
	struct watcher stalled;
	char drain[32], payload[2048];
	const char *flags[] = {"--drain.time", drain, "--close.timeout", "1s", NULL};
	snprintf(drain, sizeof drain, "%dms", DRAIN_MS);
	start_with(flags);
	watcher_open_small(&stalled, gateway_port(gateway), "\"channels\":[\"swarm:*\"]");
	memset(payload, 'x', sizeof payload);
	while (gateway_metric(gateway, "subscriptions_catching_up", "") < 1)
		for (int i = 0; i < 500; i++)
			redis_server_publish(redis, SLICE_LITERAL("swarm:1"), (struct slice){payload, sizeof payload});
	for (int i = 0; i < CLIENTS; i++)
		watcher_open(&clients[i], gateway_port(gateway), "\"channels\":[\"trace:*\"]");
	uint64_t term_ms = clock_mono_ms();
	process_signal(gateway_process(gateway), SIGTERM);
	for (int i = 0; i < CLIENTS; i++) {
		expect_farewell(&clients[i], term_ms, &back_ms, &closed_ms);
		back_low = back_ms < back_low ? back_ms : back_low;
		back_high = back_ms > back_high ? back_ms : back_high;
		ck_assert_uint_lt(closed_ms, DEADLINE_MS);
		watcher_close(&clients[i]);
	}
	ck_assert_uint_gt(back_high - back_low, 0); /* not all of them at once */
	ck_assert_uint_ge(clock_mono_ms() - term_ms, DRAIN_MS / 2); /* spread over the time */
	expect_exit(gateway_process(gateway), 0);
	ck_assert_uint_lt(clock_mono_ms() - term_ms, DEADLINE_MS);
	watcher_close(&stalled);
	stop();
}
END_TEST

START_TEST(is_unready_at_once_and_alive_while_it_drains)
{
	const char *flags[] = {"--drain.time", "1500ms", NULL};
	struct watcher client;
	struct watched watched;
	start_with(flags);
	watcher_open(&client, gateway_port(gateway), "");
	process_signal(gateway_process(gateway), SIGTERM);
	gateway_wait_ready(gateway, false);
	ck_assert_int_eq(gateway_get(gateway, "/healthz", NULL), 200);
	ck_assert_int_eq(gateway_get(gateway, "/livez", NULL), 200);
	ck_assert_int_eq(watcher_next(&client, &watched, deadline_in(DEADLINE_MS)), WATCHED_NOTICE);
	expect_exit(gateway_process(gateway), 0);
	watcher_close(&client);
	stop();
}
END_TEST

START_TEST(serves_on_during_the_drain_delay)
{
	const char *flags[] = {"--drain.delay", "700ms", "--drain.time", "0s", NULL};
	struct watcher client;
	struct bystander late;
	start_with(flags);
	watcher_open(&client, gateway_port(gateway), "\"channels\":[\"agent:*\"]");
	process_signal(gateway_process(gateway), SIGTERM);
	gateway_wait_ready(gateway, false);
	process_signal(gateway_process(gateway), SIGSTOP); /* which does not cut the delay short */
	redis_server_publish(redis, SLICE_LITERAL("trace:1"), SLICE_LITERAL("1"));
	process_signal(gateway_process(gateway), SIGCONT);
	bystander_join(&late, gateway_port(gateway), redis); /* load balancers may not know yet */
	bystander_leave(&late);
	redis_server_publish(redis, SLICE_LITERAL("agent:1"), SLICE_LITERAL("1"));
	watcher_expect(&client, "1");
	uint64_t back_ms, closed_ms;
	expect_farewell(&client, clock_mono_ms(), &back_ms, &closed_ms);
	expect_exit(gateway_process(gateway), 0);
	watcher_close(&client);
	stop();
}
END_TEST

START_TEST(a_second_signal_ends_it_at_once)
{
	const char *flags[] = {"--drain.time", "60s", NULL};
	static struct watcher clients[20];
	struct watched watched;
	start_with(flags);
	for (int i = 0; i < 20; i++)
		watcher_open(&clients[i], gateway_port(gateway), "");
	process_signal(gateway_process(gateway), SIGTERM);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(watcher_next(&clients[i], &watched, deadline_in(DEADLINE_MS)), WATCHED_NOTICE);
	ck_assert(process_is_running(gateway_process(gateway)));
	process_signal(gateway_process(gateway), SIGTERM);
	expect_exit(gateway_process(gateway), 0);
	for (int i = 0; i < 20; i++)
		watcher_close(&clients[i]);
	stop();
}
END_TEST

START_TEST(ends_well_while_redis_does_not_answer)
{
	struct watcher client;
	start_with(NULL);
	watcher_open(&client, gateway_port(gateway), "");
	redis_server_pause(redis);
	process_signal(gateway_process(gateway), SIGINT);
	expect_exit(gateway_process(gateway), 0);
	redis_server_continue(redis);
	watcher_close(&client);
	stop();
}
END_TEST

static bool can_unshare(void)
{
	const char *arguments[] = {"unshare", "-fp", "--mount-proc", "true", NULL};
	struct process *process = process_start(&(struct process_options){.arguments = arguments});
	int status = 1;
	bool is_done = process_wait(process, deadline_in(DEADLINE_MS), &status);
	process_free(process);
	return is_done && status == 0;
}

/* The child of the process, as /proc tells: the gateway below unshare. */
static pid_t child_of(pid_t parent)
{
	char path[64];
	int child = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
	FILE *file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d", &child), 1);
	fclose(file);
	return child;
}

START_TEST(ends_by_its_own_handler_as_process_1)
{
	const char *wrapper[] = {"unshare", "-fp", "--mount-proc", "--kill-child", NULL};
	struct watcher client;
	uint64_t back_ms, closed_ms;
	if (!can_unshare())
		return; /* no right to make namespaces here */
	redis = redis_server_start(NULL);
	gateway = gateway_open(&(struct gateway_options){
	    .program = TEST_GATEWAY, .redis_url = redis_server_url(redis), .wrapper = wrapper});
	gateway_wait_ready(gateway, true);
	watcher_open(&client, gateway_port(gateway), "");
	kill(child_of(process_pid(gateway_process(gateway))), SIGTERM);
	expect_farewell(&client, clock_mono_ms(), &back_ms, &closed_ms);
	expect_exit(gateway_process(gateway), 0);
	watcher_close(&client);
	stop();
}
END_TEST

/* The library that shifts a program's wall clock, as Debian installs it; NULL: not here. */
static const char *find_faketime(void)
{
	static const char *const places[] = {"/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
					     "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
					     "/usr/lib/faketime/libfaketimeMT.so.1"};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

static void set_shift(const char *path, const char *shift)
{
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fputs(shift, file);
	fclose(file);
}

/* What the node calls now, in ms. */
static uint64_t node_now(struct watcher *watcher)
{
	return field(watcher_ask(watcher, "{\"id\":1,\"op\":\"ping\"}"), "\"now\":");
}

START_TEST(keeps_its_intervals_when_the_wall_clock_jumps)
{
	char preload[128], file[] = "tracegate-test-clock-XXXXXX", rc[160];
	const char *library = find_faketime();
	const char *environment[] = {preload, rc, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1", NULL};
	const char *flags[] = {"--heartbeat.interval", "300ms", NULL};
	struct watcher client;
	if (!library || IS_SANITIZED)
		return;
	int fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	close(fd);
	char *folder = getcwd(NULL, 0);
	snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
	snprintf(rc, sizeof rc, "FAKETIME_TIMESTAMP_FILE=%s/%s", folder, file);
	set_shift(file, "+0s");
	redis = redis_server_start(NULL);
	gateway = gateway_open(&(struct gateway_options){
	    .program = TEST_GATEWAY, .redis_url = redis_server_url(redis), .flags = flags, .environment = environment});
	gateway_wait_ready(gateway, true);
	watcher_open(&client, gateway_port(gateway), "");
	static const char *const shifts[] = {"-1h", "+1h", "-30d"};
	static const int64_t hours[] = {-1, 1, -720};
	for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
		set_shift(file, shifts[i]);
		int64_t ahead_ms = (int64_t)node_now(&client) - (int64_t)clock_wall_ms() - hours[i] * 3600000;
		ck_assert_msg(ahead_ms > -60000 && ahead_ms < 60000, "the clock did not jump by %s", shifts[i]);
		struct watched watched; /* some heartbeats */
		ck_assert_int_eq(watcher_next(&client, &watched, deadline_in(700)), WATCHED_LATE);
		redis_server_publish(redis, SLICE_LITERAL("trace:1"), SLICE_LITERAL("1"));
		watcher_expect(&client, "1");
		ck_assert_int_eq(gateway_get(gateway, "/readyz", NULL), 200);
	}
	ck_assert_double_eq(gateway_metric(gateway, "redis_pubsub_disconnects_total", ""), 0);
	watcher_close(&client);
	gateway_end(gateway);
	gateway = NULL;
	unlink(file);
	free(folder);
	stop();
}
END_TEST

static const struct {
	const char *flag, *value, *words[3];
} mistakes[] = {
	{"--workers", "many", {"workers", "many", "256"}},
	{"--workers", "257", {"workers", "257", "256"}},
	{"--wrokers", "1", {"wrokers", "workers", "command line"}},
	{"--heartbeat.interval", "5", {"heartbeat.interval", "5", "10ms"}},
	{"--log.format", "xml", {"log.format", "xml", "json"}},
	{"--config", "no-such-file.ini", {"no-such-file.ini", "", ""}},
	{"--listen", "nonsense", {"listen", "nonsense", ""}},
};

START_TEST(does_not_start_with_a_wrong_option_and_says_which)
{
	const char *flags[] = {mistakes[_i].flag, mistakes[_i].value, NULL};
	struct process *process = gateway_launch(&(struct gateway_options){
	    .program = TEST_GATEWAY, .redis_url = "redis://127.0.0.1:1", .flags = flags});
	int status = 0;
	ck_assert(process_wait(process, deadline_in(DEADLINE_MS), &status));
	char *text = process_text(process, PROCESS_ERROR);
	ck_assert_msg(status > 0 && status < 128, "status %d:\n%s", status, text);
	for (size_t i = 0; i < sizeof mistakes[0].words / sizeof mistakes[0].words[0]; i++)
		ck_assert_msg(strstr(text, mistakes[_i].words[i]) != NULL, "no %s in:\n%s", mistakes[_i].words[i], text);
	free(text);
	process_free(process);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live_ends");
	TCase *tests = tcase_create("live_ends");
	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, pings_in_time_and_ends_who_does_not_answer);
	tcase_add_test(tests, requests_are_signs_of_life_too);
	tcase_add_test(tests, drains_clients_over_the_time_although_one_does_not_read);
	tcase_add_test(tests, is_unready_at_once_and_alive_while_it_drains);
	tcase_add_test(tests, serves_on_during_the_drain_delay);
	tcase_add_test(tests, a_second_signal_ends_it_at_once);
	tcase_add_test(tests, ends_well_while_redis_does_not_answer);
	tcase_add_test(tests, ends_by_its_own_handler_as_process_1);
	tcase_add_test(tests, keeps_its_intervals_when_the_wall_clock_jumps);
	tcase_add_loop_test(tests, does_not_start_with_a_wrong_option_and_says_which, 0, sizeof mistakes / sizeof mistakes[0]);
	return suite_run(suite);
}
