/* The helpers that the other tests stand on, without a gateway. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/support/process.h"
#include "tests/support/proxy.h"
#include "tests/support/raw.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

static struct process *start_shell(const char *script)
{
	const char *arguments[] = {"sh", "-c", script, NULL};
	const char *environment[] = {"GREETING=hello", NULL};
	return process_start(&(struct process_options){.arguments = arguments, .environment = environment});
}

START_TEST(a_process_gives_its_lines_and_its_status)
{
	struct process *process = start_shell("echo $GREETING; echo one >&2; echo two >&2; exit 7");
	size_t at = 0;
	char *two = process_wait_line(process, PROCESS_ERROR, "two", &at, deadline_in(DEADLINE_MS));
	char *again = process_wait_line(process, PROCESS_ERROR, "two", &at, deadline_in(DEADLINE_MS));
	char *hello = process_wait_line(process, PROCESS_OUTPUT, "ell", NULL, deadline_in(DEADLINE_MS));
	int status;
	ck_assert_str_eq(two, "two");
	ck_assert_str_eq(hello, "hello");
	ck_assert_ptr_null(again);
	ck_assert(process_wait(process, deadline_in(DEADLINE_MS), &status));
	ck_assert_int_eq(status, 7);
	free(two);
	free(hello);
	process_free(process);
}
END_TEST

START_TEST(a_process_that_hangs_is_noticed_and_killed)
{
	struct process *process = start_shell("echo up; read nothing < /dev/zero");
	int status;
	free(process_wait_line(process, PROCESS_OUTPUT, "up", NULL, deadline_in(DEADLINE_MS)));
	ck_assert(!process_wait(process, deadline_in(30), NULL));
	ck_assert(process_is_running(process));
	ck_assert_uint_gt(process_resident_bytes(process), 0);
	ck_assert_uint_ge(process_descriptors(process), 3);
	process_signal(process, SIGKILL);
	ck_assert(process_wait(process, deadline_in(DEADLINE_MS), &status));
	ck_assert_int_eq(status, 128 + SIGKILL);
	process_free(process);
}
END_TEST

START_TEST(redis_comes_back_on_its_port_and_asks_for_its_password)
{
	const char *extra[] = {"--requirepass", "secret", NULL};
	struct redis_server *redis = redis_server_start(extra);
	struct publication many[1200];
	uint16_t port = redis_server_port(redis);
	redis_server_do(redis, "SET %s %s", "key", "value");
	redis_server_restart(redis);
	redisReply *reply = redis_server_command(redis, "GET key");
	ck_assert_int_eq(reply->type, REDIS_REPLY_NIL);
	ck_assert_uint_eq(redis_server_port(redis), port);
	freeReplyObject(reply);
	for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
		many[i] = (struct publication){SLICE_LITERAL("trace:1"), SLICE_LITERAL("{}")};
	redis_server_publish_many(redis, many, sizeof many / sizeof many[0]);
	ck_assert_int_eq(redis_server_publish(redis, SLICE_LITERAL("trace:1"), SLICE_NONE), 0);
	redis_server_free(redis);
}
END_TEST

static void ping(struct raw *raw)
{
	raw_send_text(raw, "PING\r\n");
}

static void expect_pong(struct raw *raw, struct deadline deadline)
{
	struct raw_frame frame;
	while (raw->in.len < 7) /* no frame: its bytes stay in the buffer */
		ck_assert_int_ne(raw_try_frame(raw, &frame, deadline), RAW_END);
	ck_assert_int_eq(memcmp(raw->in.bytes, "+PONG\r\n", 7), 0);
	buf_drop_front(&raw->in, 7);
}

START_TEST(a_proxy_carries_freezes_delays_and_cuts)
{
	struct redis_server *redis = redis_server_start(NULL);
	struct proxy *proxy = proxy_start(redis_server_port(redis));
	struct raw raw, other;
	raw_connect(&raw, proxy_port(proxy));
	ping(&raw);
	expect_pong(&raw, deadline_in(20));
	proxy_freeze(proxy, true);
	ping(&raw);
	raw_expect_silence(&raw, 60);
	proxy_freeze(proxy, false);
	expect_pong(&raw, deadline_in(20));
	proxy_delay_ms(proxy, 80);
	ping(&raw);
	raw_expect_silence(&raw, 40);
	expect_pong(&raw, deadline_in(200));
	ck_assert_uint_eq(proxy_open(proxy), 1);
	proxy_cut(proxy);
	raw_expect_end(&raw);
	raw_close(&raw);
	proxy_refuse(proxy, true);
	raw_connect(&other, proxy_port(proxy));
	raw_expect_end(&other);
	raw_close(&other);
	ck_assert_uint_eq(proxy_accepted(proxy), 2);
	proxy_free(proxy);
	redis_server_free(redis);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("support");
	TCase *tests = tcase_create("support");
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_process_gives_its_lines_and_its_status);
	tcase_add_test(tests, a_process_that_hangs_is_noticed_and_killed);
	tcase_add_test(tests, redis_comes_back_on_its_port_and_asks_for_its_password);
	tcase_add_test(tests, a_proxy_carries_freezes_delays_and_cuts);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
