/* What servers answer that are loading, misconfigured or no Redis at all: no crash, no hot loop, the cause in the log,
 * and up again by itself when all is well. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/metrics/metrics.h"
#include "tests/support/redis/fake.h"
#include "tests/support/redis/rig.h"
#include "tests/support/suite.h"

#define FAILURES 20

/* Answers `bad` to every `command` (NULL: any) of the first FAILURES times, else as a Redis in good order. */
struct script {
	const char *command, *bad;
	unsigned failures_left;
	unsigned asked;
	unsigned unauthenticated; /* commands that came on a connection before its AUTH was answered well */
	unsigned last_connection;
	bool wants_login, is_logged_in;
	unsigned hellos;
};

static struct rig rig;
static struct fake *fake;
static struct script script;

static const char *answer(void *context, unsigned connection, size_t count, const struct slice *words)
{
	(void)context;
	(void)connection;
	(void)count;
	script.hellos += slice_is(words[0], "HELLO");
	if (script.command && !slice_is(words[0], script.command))
		return FAKE_ORDINARY;
	script.asked++;
	if (script.failures_left == 0)
		return FAKE_ORDINARY;
	script.failures_left--;
	return script.bad;
}

static void start_with_login(const char *command, const char *bad, const char *login)
{
	char url[96];
	script = (struct script){.command = command, .bad = bad, .failures_left = FAILURES};
	rig_init(&rig, "redis://127.0.0.1");
	fake = fake_start(rig.base, answer, NULL);
	url_fini(&rig.url);
	snprintf(url, sizeof url, "redis://%s127.0.0.1:%u", login, (unsigned)fake_port(fake));
	char why[URL_WHY_BYTES];
	ck_assert_int_eq(url_parse(url, &rig.url, why), OK);
	rig.settings.heartbeat_ns = 50 * UINT64_C(1000000);
	rig_start(&rig);
}

static void start(const char *command, const char *bad)
{
	start_with_login(command, bad, "");
}

static void end(void)
{
	ck_assert_uint_eq(script.hellos, 0);
	upstream_free(rig.upstream);
	rig.upstream = NULL;
	fake_free(fake);
	rig_turn(&rig); /* bufferevents free themselves on the loop */
	rig_fini(&rig);
}

/* It never tried at full speed, said why, and is up in the end. */
static void expect_recovery(const char *cause)
{
	rig_run_until_logged(&rig, cause);
	ck_assert_uint_eq(rig.ups, 0);
	rig_run_until_up(&rig, 1);
	ck_assert_uint_eq(script.failures_left, 0);
	ck_assert_uint_le(fake_accepted(fake), 2 * (FAILURES + 2));
	ck_assert_uint_le(rig_count(&rig.logged, "cannot connect"), 4);
}

static const struct {
	const char *command, *answer, *cause;
} refusals[] = {
    {"SUBSCRIBE", "-NOPERM this user has no permissions\r\n", "NOPERM"},
    {"SUBSCRIBE", "-ERR unknown command\r\n", "unknown command"},
    {"PSUBSCRIBE", "-LOADING Redis is loading the dataset in memory\r\n", "LOADING"},
    {"SUBSCRIBE", FAKE_CLOSE, "closed the connection"},
    {"SUBSCRIBE", "+OK\r\n-ERR what\r\n", "ERR what"},
    {"SUBSCRIBE", "$-1\r\n*0\r\n*-1\r\n:5\r\n-ERR after odd things\r\n", "odd things"},
    {"SUBSCRIBE", "*3\r\n*1\r\n:1\r\n*2\r\n:1\r\n$-1\r\n:1\r\n-ERR nested\r\n", "nested"},
    {"SUBSCRIBE", ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n", "rotocol"},
    {"SUBSCRIBE", "HTTP/1.1 400 Bad Request\r\n\r\n", "rotocol"},
    {"SUBSCRIBE", "*4\r\n$99999999999999999999\r\n", "length"},
    {"SUBSCRIBE", "*-7\r\n", "out of range"},
    {"PUBLISH", "-READONLY You can't write against a read only replica.\r\n", "READONLY"},
    {"PUBLISH", "-NOPERM no\r\n", "PUBLISH of the heartbeat: NOPERM"},
    {"CLIENT", "-LOADING Redis is loading\r\n", "LOADING"},
    {"CLIENT", "-NOAUTH Authentication required.\r\n", "NOAUTH"},
    {"CLIENT", "+OK\r\n-ERR max number of clients reached\r\n", "max number"},
    {"CLIENT", "+OK\r\n+OK\r\n", "nobody asked"},
    {"CLIENT", FAKE_CLOSE, "closed the connection"},
};

START_TEST(recovers_from_answers_that_refuse)
{
	start(refusals[_i].command, refusals[_i].answer);
	expect_recovery(refusals[_i].cause);
	end();
}
END_TEST

START_TEST(bears_a_refusal_of_the_client_name)
{
	start("CLIENT", "-ERR unknown command 'CLIENT'\r\n");
	rig_run_until_up(&rig, 1);
	ck_assert_uint_eq(fake_accepted(fake), 2);
	end();
}
END_TEST

START_TEST(gives_up_a_server_that_says_nothing)
{
	static const char *const commands[] = {"CLIENT", "SUBSCRIBE", "PUBLISH"};
	for (size_t i = 0; i < 3; i++) {
		start(commands[i], FAKE_SILENCE);
		script.failures_left = i == 2 ? 10 : 2;
		rig.settings.connect_timeout_ns = 200 * UINT64_C(1000000);
		upstream_free(rig.upstream);
		rig_start(&rig);
		rig_run_until_up(&rig, 1);
		ck_assert(rig_has_logged(&rig, "cannot connect"));
		end();
	}
}
END_TEST

static const char *answer_login(void *context, unsigned connection, size_t count, const struct slice *words)
{
	(void)context;
	script.hellos += slice_is(words[0], "HELLO");
	if (connection != script.last_connection)
		script.is_logged_in = false;
	script.last_connection = connection;
	if (slice_is(words[0], "AUTH")) {
		ck_assert_uint_eq(count, 3);
		script.asked++;
		if (script.failures_left > 0) {
			script.failures_left--;
			return "-LOADING Redis is loading the dataset in memory\r\n";
		}
		return FAKE_ORDINARY;
	}
	script.unauthenticated += script.failures_left > 0;
	return FAKE_ORDINARY;
}

START_TEST(logs_in_anew_while_redis_is_loading)
{
	script = (struct script){.failures_left = FAILURES};
	rig_init(&rig, "redis://u:p@127.0.0.1/3");
	fake = fake_start(rig.base, answer_login, NULL);
	rig.url.places[0].port = fake_port(fake);
	rig_start(&rig);
	rig_run_until_logged(&rig, "AUTH: LOADING");
	rig_run_until_up(&rig, 1);
	ck_assert_uint_eq(script.unauthenticated, 0);
	ck_assert_uint_eq(script.asked, fake_accepted(fake)); /* one login a connection */
	ck_assert_uint_le(fake_accepted(fake), 2 * (FAILURES + 2));
	end();
}
END_TEST

START_TEST(never_logs_a_password_that_the_server_repeats)
{
	start_with_login("AUTH", "-ERR unknown command `AUTH`, with args beginning with: `hunter2`,\r\n", ":hunter2@");
	rig_run_until_logged(&rig, "AUTH: the server does not know it");
	ck_assert(!rig_has_logged(&rig, "hunter2"));
	rig_run_until_up(&rig, 1);
	end();
}
END_TEST

START_TEST(backs_off_when_up_is_followed_by_down_at_once)
{
	/* Every heartbeat after the first of a connection is answered by an error: up, down, up, down. */
	start("PUBLISH", FAKE_ORDINARY);
	rig_run_until_up(&rig, 1);
	script.bad = "-ERR no\r\n";
	script.failures_left = 1000000;
	script.command = NULL;
	rig_run_ms(&rig, 1000);
	/* 5, 10, 20, 40, 80, 100, 100 ms ... at least half of it each */
	ck_assert_uint_le(metric_read(METRIC_REDIS_CONNECTS), 26);
	script.failures_left = 0;
	rig_run_until_up(&rig, 2);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis faults");
	TCase *tests = tcase_create("redis faults");
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, recovers_from_answers_that_refuse, 0, sizeof refusals / sizeof *refusals);
	tcase_add_test(tests, bears_a_refusal_of_the_client_name);
	tcase_add_test(tests, gives_up_a_server_that_says_nothing);
	tcase_add_test(tests, logs_in_anew_while_redis_is_loading);
	tcase_add_test(tests, never_logs_a_password_that_the_server_repeats);
	tcase_add_test(tests, backs_off_when_up_is_followed_by_down_at_once);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
