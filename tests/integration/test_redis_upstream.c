/* The connection to a real Redis: what it delivers, how it logs in, and how it comes back. */
#define _DEFAULT_SOURCE /* P_tmpdir */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/metrics/metrics.h"
#include "tests/support/proxy.h"
#include "tests/support/redis/rig.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

static struct redis_server *redis;
static struct rig rig;

static void start_redis(const char *const *extra)
{
	redis = redis_server_start(extra);
}

static void end_all(void)
{
	rig_fini(&rig);
	redis_server_free(redis);
}

static void publish(const char *channel, const char *payload)
{
	redis_server_publish(redis, slice_of(channel), slice_of(payload));
}

static unsigned count_clients(const char *type)
{
	redisReply *reply = redis_server_command(redis, "CLIENT LIST TYPE %s", type);
	struct buf text = {.bytes = reply->str, .len = reply->len};
	unsigned count = rig_count(&text, "name=tracegate-node-under-test");
	freeReplyObject(reply);
	return count;
}

/* Proves that messages come again, each once. */
static void expect_delivery(void)
{
	unsigned before = rig.messages;
	publish("trace:proof", "1");
	publish("agent:proof", "2");
	rig_run_until_messages(&rig, before + 2);
	rig_run_ms(&rig, 30);
	ck_assert_uint_eq(rig.messages, before + 2);
}

START_TEST(passes_payloads_up_byte_for_byte)
{
	static const char binary[] = {'a', 0, '\r', '\n', (char)0xff, '*', '3', '\r', '\n'};
	start_redis(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	redis_server_publish(redis, SLICE_LITERAL("trace:s1"), (struct slice){binary, sizeof binary});
	redis_server_publish(redis, SLICE_LITERAL("agent:"), SLICE_NONE);
	publish("other:s1", "not subscribed");
	publish("performance:x", "{}");
	rig_run_until_messages(&rig, 3);
	struct buf expected;
	buf_init(&expected);
	buf_append_text(&expected, "trace:s1 ");
	buf_append(&expected, binary, sizeof binary);
	buf_append_text(&expected, "\nagent: \nperformance:x {}\n");
	ck_assert(slice_equal(buf_slice(&expected), buf_slice(&rig.received)));
	buf_fini(&expected);
	end_all();
}
END_TEST

START_TEST(delivers_a_burst_in_order_and_in_few_reads)
{
	enum { COUNT = 20000 };
	static char payloads[COUNT][16];
	static struct publication publications[COUNT];
	start_redis(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig.settings.heartbeat_ns = 2000 * UINT64_C(1000000); /* a busy machine is no lost link */
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	struct buf expected;
	buf_init(&expected);
	for (int i = 0; i < COUNT; i++) {
		snprintf(payloads[i], sizeof payloads[i], "%d", i);
		publications[i] = (struct publication){SLICE_LITERAL("trace:burst"), slice_of(payloads[i])};
		buf_printf(&expected, "trace:burst %d\n", i);
	}
	unsigned reads = rig.reads;
	redis_server_publish_many(redis, publications, COUNT);
	rig_run_until_messages(&rig, COUNT);
	ck_assert(slice_equal(buf_slice(&expected), buf_slice(&rig.received)));
	ck_assert_uint_lt(rig.reads - reads, COUNT / 10);
	buf_fini(&expected);
	end_all();
}
END_TEST

START_TEST(passes_a_message_up_once_when_patterns_overlap)
{
	static const char *const patterns[] = {"trace:a*", "trace:*", "*", "trace:*", NULL};
	start_redis(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig_set_patterns(&rig, patterns);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	publish("trace:a1", "1");
	publish("trace:b1", "2");
	publish("other", "3");
	rig_run_until_messages(&rig, 3);
	rig_run_ms(&rig, 300); /* some heartbeats, which the last pattern matches too */
	ck_assert_uint_eq(rig.messages, 3);
	end_all();
}
END_TEST

START_TEST(drops_and_counts_what_is_too_long)
{
	start_redis(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig.settings.payload_bytes_max = 1000;
	rig.settings.heartbeat_ns = 2000 * UINT64_C(1000000);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	static char big[4 * 1024 * 1024];
	memset(big, 'x', sizeof big);
	redis_server_publish(redis, SLICE_LITERAL("trace:s"), (struct slice){big, sizeof big});
	redis_server_publish(redis, SLICE_LITERAL("trace:s"), (struct slice){big, 1001});
	redis_server_publish(redis, SLICE_LITERAL("trace:s"), (struct slice){big, 1000});
	rig_run_until_messages(&rig, 1);
	ck_assert_uint_eq(metric_read(METRIC_DROPPED_OVERSIZE), 2);
	ck_assert_uint_eq(rig.downs, 0);
	end_all();
}
END_TEST

START_TEST(comes_back_after_a_restart_of_redis)
{
	start_redis(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	for (unsigned i = 1; i <= 5; i++) {
		redis_server_stop(redis);
		rig_run_until_down(&rig, i);
		rig_run_ms(&rig, 50);
		redis_server_restart(redis);
		rig_run_until_up(&rig, i + 1);
		expect_delivery();
	}
	ck_assert_uint_eq(metric_read(METRIC_REDIS_DISCONNECTS), 5);
	ck_assert_uint_eq(metric_read(METRIC_REDIS_UP), 1);
	end_all();
}
END_TEST

START_TEST(waits_for_a_redis_that_is_not_there_yet)
{
	start_redis(NULL);
	redis_server_stop(redis);
	rig_init(&rig, redis_server_url(redis));
	rig_start(&rig);
	rig_run_until_logged(&rig, "refused");
	rig_run_ms(&rig, 500);
	ck_assert_uint_le(rig_count(&rig.logged, "cannot connect"), 2); /* the same cause is not told again and again */
	ck_assert_uint_le(metric_read(METRIC_REDIS_CONNECTS), 30);      /* it backs off */
	redis_server_restart(redis);
	rig_run_until_up(&rig, 1);
	end_all();
}
END_TEST

START_TEST(notices_a_redis_that_stopped_answering)
{
	start_redis(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	redis_server_pause(redis);
	struct deadline soon = deadline_in(2000);
	rig_run_until_down(&rig, 1);
	ck_assert_msg(!deadline_has_passed(soon), "a heartbeat of 100 ms is missed in well under 2 s");
	rig_run_ms(&rig, 300);
	redis_server_continue(redis);
	rig_run_until_up(&rig, 2);
	expect_delivery();
	ck_assert_uint_eq(count_clients("pubsub"), 1);
	end_all();
}
END_TEST

START_TEST(notices_a_half_open_connection)
{
	char url[64];
	start_redis(NULL);
	struct proxy *proxy = proxy_start(redis_server_port(redis));
	snprintf(url, sizeof url, "redis://127.0.0.1:%u", (unsigned)proxy_port(proxy));
	rig_init(&rig, url);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	proxy_freeze(proxy, true);
	rig_run_until_down(&rig, 1);
	rig_run_until_logged(&rig, "connection lost");
	proxy_cut(proxy);
	proxy_freeze(proxy, false);
	rig_run_until_up(&rig, 2);
	expect_delivery();
	end_all();
	proxy_free(proxy);
}
END_TEST

START_TEST(holds_one_subscription_after_many_losses)
{
	start_redis(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	for (unsigned i = 1; i <= 20; i++) {
		redis_server_do(redis, i % 2 ? "CLIENT KILL TYPE pubsub" : "CLIENT KILL TYPE normal SKIPME yes");
		rig_run_until_down(&rig, i);
		rig_run_until_up(&rig, i + 1);
	}
	expect_delivery();
	ck_assert_uint_eq(count_clients("pubsub"), 1);
	ck_assert_uint_eq(count_clients("normal"), 1);
	end_all();
}
END_TEST

START_TEST(comes_back_when_redis_cuts_it_in_the_midst_of_a_message)
{
	enum { COUNT = 5000 };
	static char payload[2048];
	static struct publication publications[COUNT];
	start_redis(NULL);
	redis_server_do(redis, "CONFIG SET client-output-buffer-limit %s", "pubsub 1mb 512kb 2");
	rig_init(&rig, redis_server_url(redis));
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	memset(payload, 'p', sizeof payload);
	for (int i = 0; i < COUNT; i++)
		publications[i] = (struct publication){SLICE_LITERAL("trace:flood"), {payload, sizeof payload}};
	redis_server_publish_many(redis, publications,
	                          COUNT); /* meanwhile the loop stands still, like a stopped process */
	rig_run_until_down(&rig, 1);
	rig_run_until_up(&rig, 2);
	ck_assert_uint_lt(rig.messages, COUNT);
	size_t whole = sizeof "trace:flood \n" - 1 + sizeof payload;
	ck_assert_uint_eq(rig.received.len, rig.messages * whole); /* no half message was passed up */
	expect_delivery();
	ck_assert_uint_eq(metric_read(METRIC_REDIS_DISCONNECTS), 1);
	end_all();
}
END_TEST

START_TEST(bears_a_stall_of_its_own)
{
	start_redis(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	struct deadline stall = deadline_in(1000);
	while (!deadline_has_passed(stall))
		deadline_next_look(stall);
	rig_run_ms(&rig, 500);
	ck_assert_uint_eq(rig.downs, 0);
	end_all();
}
END_TEST

START_TEST(logs_in_with_a_password_and_a_database)
{
	static const char *const extra[] = {"--requirepass", "s@cret/1", NULL};
	char url[128];
	start_redis(extra);
	snprintf(url, sizeof url, "redis://:s%%40cret%%2F1@127.0.0.1:%u/3", (unsigned)redis_server_port(redis));
	rig_init(&rig, url);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	expect_delivery();
	redisReply *reply = redis_server_command(redis, "CLIENT LIST TYPE normal");
	ck_assert_ptr_nonnull(strstr(reply->str, " db=3 "));
	freeReplyObject(reply);
	end_all();
}
END_TEST

START_TEST(says_that_the_password_is_wrong_or_missing)
{
	static const char *const extra[] = {"--requirepass", "right", NULL};
	char url[128];
	start_redis(extra);
	snprintf(url, sizeof url, "redis://:wrongly@127.0.0.1:%u", (unsigned)redis_server_port(redis));
	rig_init(&rig, url);
	rig_start(&rig);
	rig_run_until_logged(&rig, "AUTH: WRONGPASS");
	ck_assert(!rig_has_logged(&rig, "wrongly"));
	rig_fini(&rig);
	rig_init(&rig, redis_server_url(redis));
	rig_start(&rig);
	rig_run_until_logged(&rig, "NOAUTH");
	ck_assert_uint_eq(rig.ups, 0);
	end_all();
}
END_TEST

START_TEST(connects_through_a_unix_socket)
{
	char folder[] = P_tmpdir "/tracegate-test-XXXXXX";
	char path[sizeof folder + 8], url[sizeof path + 32];
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/r.sock", folder);
	snprintf(url, sizeof url, "unix://:pw@%s?db=2", path);
	const char *extra[] = {"--unixsocket", path, "--requirepass", "pw", NULL};
	start_redis(extra);
	rig_init(&rig, url);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	expect_delivery();
	redis_server_stop(redis);
	rig_run_until_logged(&rig, path);
	end_all();
	unlink(path);
	rmdir(folder);
}
END_TEST

START_TEST(survives_cuts_at_any_moment)
{
	char url[64];
	start_redis(NULL);
	struct proxy *proxy = proxy_start(redis_server_port(redis));
	snprintf(url, sizeof url, "redis://127.0.0.1:%u", (unsigned)proxy_port(proxy));
	rig_init(&rig, url);
	rig.settings.backoff_max_ns = rig.settings.backoff_min_ns = 1000000;
	rig_start(&rig);
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned turn = 0; turn < i % 20; turn++)
			rig_turn(&rig);
		proxy_cut(proxy);
	}
	rig_run_ms(&rig, 300); /* the proxy cuts in a thread of its own */
	RIG_UNTIL(&rig, upstream_is_up(rig.upstream) && count_clients("pubsub") == 1);
	expect_delivery();
	ck_assert_uint_gt(rig.downs, 0);
	end_all();
	proxy_free(proxy);
}
END_TEST

START_TEST(names_the_pattern_that_it_may_not_subscribe_to)
{
	char url[128];
	start_redis(NULL);
	redis_server_do(redis, "ACL SETUSER gw on >p ~* +@all resetchannels");
	snprintf(url, sizeof url, "redis://gw:p@127.0.0.1:%u", (unsigned)redis_server_port(redis));
	rig_init(&rig, url);
	rig_start(&rig);
	rig_run_until_logged(&rig, "5 of 5 subscriptions were refused");
	ck_assert(rig_has_logged(&rig, "agent:*"));
	ck_assert(rig_has_logged(&rig, "NOPERM"));
	redis_server_do(redis, "ACL SETUSER gw &trace:* &tg:*");
	rig_run_until_logged(&rig, "3 of 5 subscriptions were refused");
	ck_assert_uint_eq(rig.ups, 0);
	redis_server_do(redis, "ACL SETUSER gw &agent:* &swarm:* &performance:*");
	rig_run_until_up(&rig, 1);
	expect_delivery();
	redis_server_do(redis, "ACL SETUSER gw resetchannels");
	rig_run_until_down(&rig, 1);
	redis_server_do(redis, "ACL SETUSER gw allchannels");
	rig_run_until_up(&rig, 2);
	end_all();
}
END_TEST

START_TEST(may_end_at_any_moment)
{
	start_redis(NULL);
	for (unsigned turns = 0; turns < 40; turns++) {
		rig_init(&rig, redis_server_url(redis));
		rig_start(&rig);
		for (unsigned i = 0; i < turns; i++)
			rig_turn(&rig);
		rig_fini(&rig);
	}
	redis_server_free(redis);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis upstream");
	TCase *tests = tcase_create("redis upstream");
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, passes_payloads_up_byte_for_byte);
	tcase_add_test(tests, delivers_a_burst_in_order_and_in_few_reads);
	tcase_add_test(tests, passes_a_message_up_once_when_patterns_overlap);
	tcase_add_test(tests, drops_and_counts_what_is_too_long);
	tcase_add_test(tests, comes_back_after_a_restart_of_redis);
	tcase_add_test(tests, waits_for_a_redis_that_is_not_there_yet);
	tcase_add_test(tests, notices_a_redis_that_stopped_answering);
	tcase_add_test(tests, notices_a_half_open_connection);
	tcase_add_test(tests, holds_one_subscription_after_many_losses);
	tcase_add_test(tests, comes_back_when_redis_cuts_it_in_the_midst_of_a_message);
	tcase_add_test(tests, bears_a_stall_of_its_own);
	tcase_add_test(tests, logs_in_with_a_password_and_a_database);
	tcase_add_test(tests, says_that_the_password_is_wrong_or_missing);
	tcase_add_test(tests, connects_through_a_unix_socket);
	tcase_add_test(tests, survives_cuts_at_any_moment);
	tcase_add_test(tests, names_the_pattern_that_it_may_not_subscribe_to);
	tcase_add_test(tests, may_end_at_any_moment);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
