/* The upstream of a node that keeps a log: it opens the log before it subscribes, hears what the log says in order with the
 * events, and gives its lease up before the links close. And the upstream that carries commands alone. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/metrics/metrics.h"
#include "gateway/redis/link.h"
#include "tests/support/redis/rig.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

static struct redis_server *redis;
static struct rig rig;

static void start(void)
{
	redis = redis_server_start(NULL);
	rig_init(&rig, redis_server_url(redis));
	rig.settings.live_channel = "tg:live";
}

static void end(void)
{
	rig_fini(&rig);
	redis_server_free(redis);
}

static void start_commands_only(void)
{
	start();
	rig.settings.live_channel = NULL;
	rig.settings.pattern_count = 0;
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
}

static void publish(const char *channel, const char *payload)
{
	redis_server_publish(redis, slice_of(channel), slice_of(payload));
}

static long long number(const char *command)
{
	redisReply *reply = redis_server_command(redis, command);
	long long value = reply->integer;
	freeReplyObject(reply);
	return value;
}

static unsigned count_clients(const char *type)
{
	redisReply *reply = redis_server_command(redis, "CLIENT LIST TYPE %s", type);
	struct buf text = {.bytes = reply->str, .len = reply->len};
	unsigned count = rig_count(&text, "name=tracegate-node-under-test");
	freeReplyObject(reply);
	return count;
}

static bool has_received(const char *text)
{
	return slice_is(buf_slice(&rig.received), text);
}

START_TEST(subscribes_when_its_owner_says_so)
{
	rig.holds_back = true;
	rig_start(&rig);
	RIG_UNTIL(&rig, rig.links == 1);
	ck_assert_ptr_nonnull(rig.commands_at_link);
	rig_run_ms(&rig, 300);
	ck_assert_uint_eq(rig.ups, 0);
	ck_assert_uint_eq(count_clients("pubsub"), 0);
	ck_assert_ptr_eq(upstream_commands(rig.upstream), rig.commands_at_link);
	upstream_subscribe(rig.upstream);
	upstream_subscribe(rig.upstream);
	rig_run_until_up(&rig, 1);
	upstream_subscribe(rig.upstream);
	publish("trace:a", "1");
	rig_run_until_messages(&rig, 1);
	rig_run_ms(&rig, 300);
	ck_assert_uint_eq(rig.downs, 0);
	ck_assert_uint_eq(rig.messages, 1);
}
END_TEST

START_TEST(begins_anew_when_its_owner_never_subscribes)
{
	rig.holds_back = true;
	rig.settings.connect_timeout_ns = 200 * UINT64_C(1000000);
	rig_start(&rig);
	rig_run_until_logged(&rig, "the log was not opened in time");
	ck_assert_uint_eq(rig.downs, 1); /* what was linked is told to be gone */
	RIG_UNTIL(&rig, rig.links == 2);
	upstream_subscribe(rig.upstream);
	rig_run_until_up(&rig, 1);
}
END_TEST

START_TEST(tells_of_links_that_end_before_they_are_up)
{
	rig.holds_back = true;
	rig_start(&rig);
	for (unsigned i = 1; i <= 5; i++) {
		RIG_UNTIL(&rig, rig.links == i);
		redis_server_do(redis, "CLIENT KILL TYPE normal SKIPME yes");
		rig_run_until_down(&rig, i);
		ck_assert_ptr_null(upstream_commands(rig.upstream));
	}
	RIG_UNTIL(&rig, rig.links == 6);
	upstream_subscribe(rig.upstream);
	rig_run_until_up(&rig, 1);
	ck_assert_uint_eq(rig.downs, 5);
}
END_TEST

START_TEST(passes_live_messages_up_in_order_with_the_others)
{
	static const char *const patterns[] = {"trace:*", "*", "tg:*", NULL};
	rig_set_patterns(&rig, patterns);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	publish("trace:a", "1");
	publish("tg:live", "S one");
	publish("trace:a", "2");
	publish("tg:live", "S two");
	publish("other", "3");
	RIG_UNTIL(&rig, rig.messages == 3 && rig.lives == 2);
	rig_run_ms(&rig, 250); /* patterns that match the channel of the log as well add nothing */
	ck_assert(has_received("trace:a 1\nlive S one\ntrace:a 2\nlive S two\nother 3\n"));
}
END_TEST

START_TEST(passes_live_messages_of_any_length_up)
{
	static char big[4 * 1024 * 1024];
	rig.settings.payload_bytes_max = 1000;
	rig.settings.heartbeat_ns = 2000 * UINT64_C(1000000); /* a busy machine is no lost link */
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	memset(big, 'S', sizeof big);
	redis_server_publish(redis, SLICE_LITERAL("tg:live"), (struct slice){big, sizeof big});
	RIG_UNTIL(&rig, rig.lives == 1);
	ck_assert_uint_eq(rig.received.len, sizeof big + strlen("live \n"));
	ck_assert_uint_eq(metric_read(METRIC_DROPPED_OVERSIZE), 0);
}
END_TEST

static void on_released(void *context, const struct redisReply *reply)
{
	unsigned *answers = context;
	(void)reply;
	++*answers;
}

static unsigned answers;

static void release_when_down(struct rig *of, bool is_up)
{
	const char *words[] = {"DEL", "tg:recorder"};
	struct link *commands = upstream_commands(of->upstream);
	if (is_up)
		return;
	ck_assert(!upstream_is_up(of->upstream));
	if (commands)
		ck_assert_int_eq(link_send(commands, 2, words, NULL, on_released, &answers), OK);
}

START_TEST(may_give_the_lease_up_when_the_feed_breaks)
{
	rig.on_state = release_when_down;
	rig_start(&rig);
	for (unsigned i = 1; i <= 5; i++) {
		rig_run_until_up(&rig, i);
		redis_server_do(redis, "SET tg:recorder me");
		redis_server_do(redis, "CLIENT KILL TYPE pubsub");
		rig_run_until_down(&rig, i);
		RIG_UNTIL(&rig, number("EXISTS tg:recorder") == 0);
		ck_assert_uint_eq(answers, i); /* by NULL: nobody waits for it */
	}
}
END_TEST

START_TEST(offers_no_command_link_that_broke)
{
	rig.on_state = release_when_down;
	answers = 0;
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	redis_server_do(redis, "CLIENT KILL TYPE normal SKIPME yes");
	rig_run_until_down(&rig, 1);
	ck_assert_uint_eq(answers, 0);
	rig_run_until_up(&rig, 2);
}
END_TEST

START_TEST(needs_the_right_to_hear_the_log)
{
	char url[128];
	redis_server_do(redis, "ACL SETUSER gw on >p ~* +@all resetchannels &trace:* &agent:* &swarm:* &performance:* &tg:hb:*");
	snprintf(url, sizeof url, "redis://gw:p@127.0.0.1:%u", (unsigned)redis_server_port(redis));
	char why[URL_WHY_BYTES];
	url_fini(&rig.url);
	ck_assert_int_eq(url_parse(url, &rig.url, why), OK);
	rig_start(&rig);
	rig_run_until_logged(&rig, "1 of 6 subscriptions were refused");
	ck_assert(rig_has_logged(&rig, "tg:live"));
	redis_server_do(redis, "ACL SETUSER gw &tg:live");
	rig_run_until_up(&rig, 1);
}
END_TEST

START_TEST(carries_commands_alone)
{
	start_commands_only();
	ck_assert_ptr_nonnull(upstream_commands(rig.upstream));
	ck_assert_uint_eq(count_clients("normal"), 1);
	ck_assert_uint_eq(count_clients("pubsub"), 0);
	ck_assert_uint_eq(metric_read(METRIC_REDIS_UP), 0); /* that one tells of the feed */
	rig_run_ms(&rig, 500);
	ck_assert_uint_eq(rig.downs, 0);
	redis_server_stop(redis);
	rig_run_until_down(&rig, 1);
	ck_assert_ptr_null(upstream_commands(rig.upstream));
	redis_server_restart(redis);
	rig_run_until_up(&rig, 2);
	ck_assert_uint_eq(metric_read(METRIC_REDIS_DISCONNECTS), 0);
	end();
}
END_TEST

START_TEST(notices_that_commands_are_not_answered)
{
	start_commands_only();
	redis_server_pause(redis);
	rig_run_until_down(&rig, 1);
	ck_assert(rig_has_logged(&rig, "connection for commands lost"));
	redis_server_continue(redis);
	rig_run_until_up(&rig, 2);
	end();
}
END_TEST

START_TEST(commands_alone_may_end_at_any_moment)
{
	redis = redis_server_start(NULL);
	for (unsigned turns = 0; turns < 20; turns++) {
		rig_init(&rig, redis_server_url(redis));
		rig.settings.pattern_count = 0;
		rig.holds_back = turns % 2;
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
	Suite *suite = suite_create("redis linked");
	TCase *tests = tcase_create("with a log");
	TCase *alone = tcase_create("commands alone");
	tcase_add_checked_fixture(tests, start, end);
	tcase_add_test(tests, subscribes_when_its_owner_says_so);
	tcase_add_test(tests, begins_anew_when_its_owner_never_subscribes);
	tcase_add_test(tests, tells_of_links_that_end_before_they_are_up);
	tcase_add_test(tests, passes_live_messages_up_in_order_with_the_others);
	tcase_add_test(tests, passes_live_messages_of_any_length_up);
	tcase_add_test(tests, may_give_the_lease_up_when_the_feed_breaks);
	tcase_add_test(tests, offers_no_command_link_that_broke);
	tcase_add_test(tests, needs_the_right_to_hear_the_log);
	tcase_add_test(alone, carries_commands_alone);
	tcase_add_test(alone, notices_that_commands_are_not_answered);
	tcase_add_test(alone, commands_alone_may_end_at_any_moment);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, alone);
	return suite_run(suite);
}
