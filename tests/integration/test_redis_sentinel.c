/* Finding the primary through sentinels, and following it: with real sentinels, and with one that says what the test
 * wants. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/process.h"
#include "tests/support/redis/fake.h"
#include "tests/support/redis/rig.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

static struct rig rig;
static struct redis_server *first, *second;
static char second_of[16];

static void start_pair(void)
{
	static const char *extra[] = {"--replicaof", "127.0.0.1",
	                              second_of,     "--repl-diskless-sync-delay",
	                              "0",           "--repl-diskless-load",
	                              "swapdb",      "--repl-ping-replica-period",
	                              "1",           NULL};
	first = redis_server_start(NULL);
	snprintf(second_of, sizeof second_of, "%u", (unsigned)redis_server_port(first));
	second = redis_server_start(extra);
}

static void end_pair(void)
{
	redis_server_free(second);
	redis_server_free(first);
}

/* On a connection of its own: sentinels cut those that stand when they promote or demote a server. */
static redisReply *ask(uint16_t port, const char *command)
{
	redisContext *context = redisConnectWithTimeout("127.0.0.1", port, (struct timeval){.tv_sec = 5});
	redisReply *reply = context && !context->err ? redisCommand(context, command) : NULL;
	if (context)
		redisFree(context);
	return reply;
}

static void expect_delivery_from(struct redis_server *server)
{
	unsigned before = rig.messages;
	redisReply *reply = ask(redis_server_port(server), "PUBLISH trace:proof 1");
	ck_assert(reply && reply->type == REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
	rig_run_until_messages(&rig, before + 1);
	rig_run_ms(&rig, 30);
	ck_assert_uint_eq(rig.messages, before + 1);
}

/* A sentinel of the test's own: what it answers to the question for the primary. */
static struct {
	char answer[128];
	bool wants_login, is_logged_in;
	unsigned asked, refused;
} script;

static const char *answer_sentinel(void *context, unsigned connection, size_t count, const struct slice *words)
{
	(void)context;
	(void)connection;
	if (slice_is(words[0], "AUTH")) {
		script.is_logged_in = count == 2 && slice_is(words[1], "pw");
		return script.is_logged_in ? "+OK\r\n" : "-WRONGPASS\r\n";
	}
	ck_assert(slice_is(words[0], "SENTINEL"));
	ck_assert_uint_eq(count, 3);
	ck_assert(slice_is(words[2], "main"));
	if (script.wants_login && !script.is_logged_in) {
		script.refused++;
		return "-NOAUTH Authentication required.\r\n";
	}
	script.asked++;
	return script.answer;
}

static void name_primary(const struct redis_server *server)
{
	char port[8];
	int len = snprintf(port, sizeof port, "%u", (unsigned)redis_server_port(server));
	snprintf(script.answer, sizeof script.answer, "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n", len, port);
}

static struct fake *start_with_fake(const char *login)
{
	char url[128], why[URL_WHY_BYTES];
	memset(&script, 0, sizeof script);
	rig_init(&rig, "redis://127.0.0.1");
	struct fake *fake = fake_start(rig.base, answer_sentinel, NULL);
	/* The sentinel named first is not there. */
	snprintf(url, sizeof url, "redis-sentinel://%s127.0.0.1:1,127.0.0.1:%u/main", login, (unsigned)fake_port(fake));
	url_fini(&rig.url);
	ck_assert_int_eq(url_parse(url, &rig.url, why), OK);
	return fake;
}

static void end_with_fake(struct fake *fake)
{
	upstream_free(rig.upstream);
	rig.upstream = NULL;
	fake_free(fake);
	rig_turn(&rig); /* bufferevents free themselves on the loop */
	rig_fini(&rig);
	end_pair();
}

START_TEST(asks_the_next_sentinel_when_one_is_away)
{
	start_pair();
	struct fake *fake = start_with_fake("");
	name_primary(first);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	expect_delivery_from(first);
	end_with_fake(fake);
}
END_TEST

START_TEST(says_what_the_sentinels_say)
{
	static const struct {
		const char *answer, *cause;
	} cases[] = {
	    {"*-1\r\n", "does not know the primary"},
	    {"-IDONTKNOW No idea\r\n", "IDONTKNOW"},
	    {"*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n", "does not know the primary"},
	    {":1\r\n", "does not know the primary"},
	    {"hello\r\n", "rotocol"},
	    {FAKE_CLOSE, "closed the connection"},
	};
	start_pair();
	struct fake *fake = start_with_fake("");
	rig_start(&rig);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(script.answer, sizeof script.answer, "%s", cases[i].answer);
		rig.logged.len = 0;
		rig_run_until_logged(&rig, cases[i].cause);
	}
	ck_assert_uint_eq(rig.ups, 0);
	name_primary(first);
	rig_run_until_up(&rig, 1);
	end_with_fake(fake);
}
END_TEST

START_TEST(logs_in_at_a_sentinel_that_asks_for_it)
{
	start_pair();
	redis_server_do(first, "ACL SETUSER default >pw");
	struct fake *fake = start_with_fake(":pw@");
	script.wants_login = true;
	name_primary(first);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	ck_assert_uint_ge(script.refused, 1);
	end_with_fake(fake);
}
END_TEST

START_TEST(refuses_a_replica_that_a_sentinel_still_calls_primary)
{
	start_pair();
	struct fake *fake = start_with_fake("");
	name_primary(second);
	rig_start(&rig);
	rig_run_until_logged(&rig, "it is not the primary");
	ck_assert_uint_eq(rig.ups, 0);
	name_primary(first);
	rig_run_until_up(&rig, 1);
	end_with_fake(fake);
}
END_TEST

START_TEST(leaves_a_primary_that_was_demoted)
{
	start_pair();
	struct fake *fake = start_with_fake("");
	name_primary(first);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	redis_server_do(second, "REPLICAOF NO ONE");
	redis_server_do(first, "REPLICAOF 127.0.0.1 %d", (int)redis_server_port(second));
	rig_run_until_logged(&rig, "not the primary any more");
	name_primary(second);
	rig_run_until_up(&rig, 2);
	expect_delivery_from(second);
	end_with_fake(fake);
}
END_TEST

START_TEST(leaves_a_primary_that_the_sentinels_left)
{
	start_pair();
	struct fake *fake = start_with_fake("");
	name_primary(first);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	redis_server_do(second, "REPLICAOF NO ONE"); /* the first one is cut off and goes on believing */
	name_primary(second);
	rig_run_until_logged(&rig, "the sentinels name another primary");
	rig_run_until_up(&rig, 2);
	expect_delivery_from(second);
	end_with_fake(fake);
}
END_TEST

static uint16_t find_free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* A sentinel keeps its state in its configuration file, which it rewrites. */
static struct process *start_sentinel(const char *path, uint16_t port)
{
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file,
	        "port %u\nbind 127.0.0.1\nprotected-mode no\nlogfile \"\"\n"
	        "sentinel monitor main 127.0.0.1 %u 1\nsentinel down-after-milliseconds main 500\n"
	        "sentinel failover-timeout main 3000\n",
	        (unsigned)port, (unsigned)redis_server_port(first));
	fclose(file);
	const char *arguments[] = {"redis-sentinel", path, NULL};
	return process_start(&(struct process_options){.arguments = arguments});
}

static void wait_until_sentinel_knows_the_replica(uint16_t port)
{
	struct deadline deadline = deadline_in(30000);
	for (bool knows = false; !knows;) {
		ck_assert(deadline_next_look(deadline));
		redisReply *reply = ask(port, "SENTINEL replicas main");
		knows = reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1;
		if (reply)
			freeReplyObject(reply);
	}
}

START_TEST(follows_a_failover_when_the_primary_is_frozen)
{
	char path[512], url[64];
	uint16_t port = find_free_port();
	start_pair();
	snprintf(path, sizeof path, "%s/sentinel-%u.conf", TEST_BINARY_DIR, (unsigned)port);
	struct process *sentinel = start_sentinel(path, port);
	wait_until_sentinel_knows_the_replica(port);
	snprintf(url, sizeof url, "redis-sentinel://127.0.0.1:%u/main", (unsigned)port);
	rig_init(&rig, url);
	rig_start(&rig);
	rig_run_until_up(&rig, 1);
	expect_delivery_from(first);
	redis_server_pause(first);
	rig_run_until_down(&rig, 1);
	struct deadline deadline = deadline_in(30000);
	while (!upstream_is_up(rig.upstream) && !deadline_has_passed(deadline))
		rig_turn(&rig);
	ck_assert(upstream_is_up(rig.upstream));
	expect_delivery_from(second);
	redis_server_continue(first); /* it comes back believing, and is made a replica */
	rig_run_ms(&rig, 1000);
	ck_assert(upstream_is_up(rig.upstream));
	expect_delivery_from(second);
	rig_fini(&rig);
	process_free(sentinel);
	end_pair();
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis sentinel");
	TCase *tests = tcase_create("redis sentinel");
	tcase_set_timeout(tests, 90);
	tcase_add_test(tests, asks_the_next_sentinel_when_one_is_away);
	tcase_add_test(tests, says_what_the_sentinels_say);
	tcase_add_test(tests, logs_in_at_a_sentinel_that_asks_for_it);
	tcase_add_test(tests, refuses_a_replica_that_a_sentinel_still_calls_primary);
	tcase_add_test(tests, leaves_a_primary_that_was_demoted);
	tcase_add_test(tests, leaves_a_primary_that_the_sentinels_left);
	tcase_add_test(tests, follows_a_failover_when_the_primary_is_frozen);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
