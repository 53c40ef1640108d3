/* The hub of a whole gateway: readiness, delivery over losses of Redis, starts that must fail, and the admin port. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/gateway.h"
#include "tests/support/raw.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define TWIN "another node came up by this node's name"
#define READY "\"message\":\"ready\""

static struct redis_server *redis;
static struct gateway *gateway;

static void start(void)
{
	static const char *const flags[] = {"--redis.heartbeat", "100ms", "--redis.backoff_max", "100ms", NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void stop(void)
{
	gateway_end(gateway);
	redis_server_free(redis);
}

static void open_watcher(struct raw *watcher)
{
	struct raw_frame frame;
	raw_open(watcher, gateway_port(gateway));
	raw_send_frame(watcher, 0x81, SLICE_LITERAL("{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"trace:*\"]}"));
	raw_expect_text(watcher, "\"sub\"", &frame);
}

static void publish(const char *channel, const char *payload)
{
	redis_server_publish(redis, slice_of(channel), slice_of(payload));
}

START_TEST(is_not_ready_while_redis_is_away_and_alive_all_the_time)
{
	struct raw watcher;
	struct raw_frame frame;
	start();
	open_watcher(&watcher);
	redis_server_pause(redis);
	gateway_wait_ready(gateway, false);
	ck_assert_int_eq(gateway_get(gateway, "/healthz", NULL), 200);
	ck_assert(gateway_metric(gateway, "redis_up", "") == 0);
	raw_expect_text(&watcher, "redisDown", &frame);
	redis_server_continue(redis);
	gateway_wait_ready(gateway, true);
	raw_expect_text(&watcher, "redisUp", &frame);
	publish("trace:s1", "{\"n\":1}");
	raw_expect_text(&watcher, "{\"n\":1}", &frame);
	raw_expect_silence(&watcher, 200); /* once */
	ck_assert(gateway_metric(gateway, "redis_pubsub_disconnects_total", "") == 1);
	raw_close(&watcher);
	stop();
}
END_TEST

START_TEST(tells_of_another_node_of_its_name)
{
	static const char *const flags[] = {"--node.name", "twin", "--system.events", "yes", NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	char *log = process_text(gateway_process(gateway), PROCESS_ERROR);
	ck_assert_ptr_null(strstr(log, TWIN));
	free(log);
	struct gateway *twin = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	log = process_wait_line(gateway_process(gateway), PROCESS_ERROR, TWIN, NULL, deadline_in(DEADLINE_MS));
	ck_assert_ptr_nonnull(log);
	free(log);
	gateway_end(twin);
	stop();
}
END_TEST

START_TEST(serves_clients_while_redis_was_never_there)
{
	struct raw watcher;
	struct raw_frame frame;
	redis = redis_server_start(NULL);
	redis_server_stop(redis);
	gateway =
	    gateway_open(&(struct gateway_options){.program = TEST_GATEWAY, .redis_url = redis_server_url(redis)});
	open_watcher(&watcher);
	gateway_wait_ready(gateway, false);
	char *log = process_text(gateway_process(gateway), PROCESS_ERROR);
	ck_assert_ptr_null(strstr(log, READY));
	free(log);
	redis_server_restart(redis);
	gateway_wait_ready(gateway, true);
	log = process_wait_line(gateway_process(gateway), PROCESS_ERROR, READY, NULL, deadline_in(DEADLINE_MS));
	ck_assert_ptr_nonnull(log);
	free(log);
	publish("trace:s1", "{\"n\":1}");
	raw_expect_text(&watcher, "{\"n\":1}", &frame);
	raw_close(&watcher);
	stop();
}
END_TEST

START_TEST(comes_back_after_it_was_stopped_and_its_subscription_cut)
{
	enum { COUNT = 5000 };
	static char payload[2048];
	static struct publication publications[COUNT];
	struct raw watcher;
	struct raw_frame frame;
	start();
	open_watcher(&watcher);
	redis_server_do(redis, "CONFIG SET client-output-buffer-limit %s", "pubsub 1mb 512kb 2");
	memset(payload, 'p', sizeof payload);
	for (int i = 0; i < COUNT; i++)
		publications[i] = (struct publication){SLICE_LITERAL("agent:flood"), {payload, sizeof payload}};
	process_signal(gateway_process(gateway), SIGSTOP);
	redis_server_publish_many(redis, publications, COUNT);
	process_signal(gateway_process(gateway), SIGCONT);
	struct deadline soon = deadline_in(4000);
	gateway_wait_metric(gateway, "redis_pubsub_disconnects_total", "", 1);
	gateway_wait_ready(gateway, true);
	ck_assert(!deadline_has_passed(soon));
	publish("trace:s1", "{\"n\":1}");
	raw_expect_text(&watcher, "{\"n\":1}", &frame);
	redisReply *reply = redis_server_command(redis, "CLIENT LIST TYPE pubsub");
	ck_assert_ptr_eq(strchr(reply->str, '\n'), strrchr(reply->str, '\n')); /* one line, one connection */
	freeReplyObject(reply);
	raw_close(&watcher);
	stop();
}
END_TEST

START_TEST(counts_what_it_receives)
{
	start();
	publish("trace:s1", "{\"n\":1}");
	publish("agent:a", "not json");
	redis_server_publish(redis, SLICE_LITERAL("swarm:s"), SLICE_LITERAL("\xff\xfe"));
	publish("performance:p", "[1]");
	gateway_wait_metric(gateway, "events_in_total", "", 4);
	ck_assert(gateway_metric(gateway, "events_in_total", "kind=\"swarm\"") == 1);
	gateway_wait_metric(gateway, "payloads_not_json_total", "format=\"text\"", 1); /* counted as they are delivered */
	gateway_wait_metric(gateway, "payloads_not_json_total", "format=\"base64\"", 1);
	ck_assert(gateway_metric(gateway, "event_bytes_in_total", "") == 7 + 8 + 2 + 3);
	stop();
}
END_TEST

START_TEST(refuses_to_start_and_says_why)
{
	char busy[32];
	start();
	snprintf(busy, sizeof busy, "127.0.0.1:%u", (unsigned)gateway_admin_port(gateway));
	const struct {
		const char *url, *flag, *value, *cause;
	} cases[] = {
	    {"redis://:hunter2@h:port", "--workers", "1", "redis.url: a port is not a number"},
	    {"redis://:hunter2/3@h", "--workers", "1", "redis.url: there is an @ behind a /"},
	    {"hunter2", "--workers", "1", "redis.url: "},
	    {"rediss://:hunter2@h:99999", "--workers", "1", "redis.url: "},
	    {redis_server_url(redis), "--admin.listen", busy, busy},
	    {redis_server_url(redis), "--admin.listen", "nowhere", "nowhere"},
	    {redis_server_url(redis), "--fields.session", "a,b,c,d,e,f,g,h,i", "fields.session"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *flags[] = {cases[i].flag, cases[i].value, NULL};
		struct process *process = gateway_launch(
		    &(struct gateway_options){.program = TEST_GATEWAY, .redis_url = cases[i].url, .flags = flags});
		int status = 0;
		ck_assert(process_wait(process, deadline_in(DEADLINE_MS), &status));
		ck_assert_int_ne(status, 0);
		/* It may have ended before all of its output was collected. */
		char *line = process_wait_line(process, PROCESS_ERROR, cases[i].cause, NULL, deadline_in(DEADLINE_MS));
		char *text = process_text(process, PROCESS_ERROR);
		ck_assert_msg(line != NULL, "%s", text);
		ck_assert_ptr_null(strstr(text, "hunter2"));
		free(line);
		free(text);
		process_free(process);
	}
	stop();
}
END_TEST

/* The answer to a request on the admin port, up to the end of the connection. */
static char *ask_admin(const char *request)
{
	struct raw raw;
	raw_connect(&raw, gateway_admin_port(gateway));
	raw_send_text(&raw, request);
	char *head = raw_read_head(&raw);
	raw_close(&raw);
	return head;
}

START_TEST(answers_the_admin_port_in_every_version_of_http)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
	    {"GET /healthz HTTP/1.0\r\n\r\n", 200},
	    {"GET /readyz?verbose=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	    {"GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	    {"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200},
	    {"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404},
	    {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 405},
	    {"PUT /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", 413},
	};
	start();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *head = ask_admin(cases[i].request);
		ck_assert_msg(raw_head_status(head) == cases[i].status, "%s%s", cases[i].request,
		              head ? head : "(nothing)");
		free(head);
	}
	char *head = ask_admin("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(head, "Content-Length: 3"));
	free(head);
	stop();
}
END_TEST

START_TEST(ends_although_an_admin_connection_is_kept_open)
{
	struct raw idle, half;
	start();
	raw_connect(&idle, gateway_admin_port(gateway));
	raw_send_text(&idle, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	free(raw_read_head(&idle));
	raw_connect(&half, gateway_admin_port(gateway));
	raw_send_text(&half, "GET /metr");
	stop();
	raw_close(&idle);
	raw_close(&half);
}
END_TEST

START_TEST(ends_while_a_connection_to_redis_is_under_way)
{
	start();
	redis_server_pause(redis);
	gateway_wait_ready(gateway, false);
	stop();
}
END_TEST

START_TEST(bounds_a_request_head_on_the_admin_port)
{
	struct raw raw;
	static char filler[4096];
	start();
	memset(filler, 'a', sizeof filler);
	raw_connect(&raw, gateway_admin_port(gateway));
	raw_send_text(&raw, "GET /metrics HTTP/1.1\r\nX: ");
	bool is_open = true;
	for (int i = 0; i < 4096 && is_open; i++) /* 16 MiB in all */
		is_open = raw_try_send(&raw, (struct slice){filler, sizeof filler});
	ck_assert(!is_open);
	raw_close(&raw);
	ck_assert_int_eq(gateway_get(gateway, "/healthz", NULL), 200);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis gateway");
	TCase *tests = tcase_create("redis gateway");
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, is_not_ready_while_redis_is_away_and_alive_all_the_time);
	tcase_add_test(tests, tells_of_another_node_of_its_name);
	tcase_add_test(tests, serves_clients_while_redis_was_never_there);
	tcase_add_test(tests, comes_back_after_it_was_stopped_and_its_subscription_cut);
	tcase_add_test(tests, counts_what_it_receives);
	tcase_add_test(tests, refuses_to_start_and_says_why);
	tcase_add_test(tests, answers_the_admin_port_in_every_version_of_http);
	tcase_add_test(tests, ends_although_an_admin_connection_is_kept_open);
	tcase_add_test(tests, ends_while_a_connection_to_redis_is_under_way);
	tcase_add_test(tests, bounds_a_request_head_on_the_admin_port);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
