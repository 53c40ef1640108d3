/* tgcli over credentials that end, on a real node: a terminal that follows a session goes on with what its file holds by then, and
 * shows each event once. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/file.h"
#include "tests/support/gateway.h"
#include "tests/support/process.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define TGCLI TEST_BINARY_DIR "/bin/tgcli"
#define SECRET "a secret of more than thirty-two bytes"
#define KEY_A "first-key-0123456789abcdef"
#define KEY_B "second-key-0123456789abcdef"
#define RENEWALS 3
#define BEAT_MS 5
#define NEW_TOKEN "goes on with the new token of "

static struct redis_server *redis;
static struct gateway *gateway;
static struct process *tgcli;
static char keys_path[40], token_path[40];
static size_t output_at, error_at;
static int published;

static void make_file(char path[40])
{
	snprintf(path, 40, "/tmp/tracegate-refresh-XXXXXX");
	file_make(path);
}

static void set_up(void)
{
	const char *flags[] = {"--auth.required", "yes", "--auth.jwt_secret", SECRET, "--auth.api_keys_file", keys_path, NULL};
	make_file(keys_path);
	make_file(token_path);
	file_replace(keys_path, "{\"keys\":[{\"id\":\"a\",\"key\":\"" KEY_A "\"},{\"id\":\"b\",\"key\":\"" KEY_B "\"}]}");
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	gateway_wait_metric(gateway, "recorded", "", 1);
	tgcli = NULL;
	output_at = error_at = 0;
	published = 0;
}

static void tear_down(void)
{
	process_free(tgcli);
	gateway_end(gateway);
	redis_server_free(redis);
	unlink(keys_path);
	unlink(token_path);
}

static void write_token(long lives_s)
{
	static unsigned number;
	char claims[96];
	long now_s = (long)time(NULL);
	snprintf(claims, sizeof claims, "{\"sub\":\"ann\",\"jti\":\"%u\",\"iat\":%ld,\"exp\":%ld}", number++, now_s, now_s + lives_s);
	char *token = test_token_hs256(claims, SECRET);
	file_replace(token_path, token);
	free(token);
}

static void start_watch(void)
{
	const char *argv[] = {TGCLI, "watch", "--url", gateway_url(gateway), "--channel", "trace:*", "--token-file", token_path, NULL};
	tgcli = process_start(&(struct process_options){.arguments = argv});
	char *line = process_wait_line(tgcli, PROCESS_ERROR, "tgcli: watching ", &error_at, deadline_in(DEADLINE_MS));
	ck_assert_ptr_nonnull(line);
	free(line);
}

static void publish_next(void)
{
	char payload[32];
	snprintf(payload, sizeof payload, "{\"n\":%d}", published++);
	redis_server_publish(redis, slice_of("trace:s1"), slice_of(payload));
}

static void wait_last(void)
{
	char expected[48];
	snprintf(expected, sizeof expected, "trace:s1 {\"n\":%d}", published - 1);
	char *line = process_wait_line(tgcli, PROCESS_OUTPUT, expected, &output_at, deadline_in(DEADLINE_MS));
	ck_assert_msg(line != NULL, "never shown: %s", expected);
	free(line);
}

static bool has_said(const char *text)
{
	char *line = process_wait_line(tgcli, PROCESS_ERROR, text, &error_at, deadline_in(BEAT_MS));
	free(line);
	return line != NULL;
}

static void expect_said(const char *text)
{
	char *line = process_wait_line(tgcli, PROCESS_ERROR, text, &error_at, deadline_in(DEADLINE_MS));
	ck_assert_msg(line != NULL, "never said: %s", text);
	free(line);
}

/* Publishes all the time until it says that on standard error. */
static void publish_until(const char *text)
{
	struct deadline deadline = deadline_in(2 * DEADLINE_MS);
	do {
		ck_assert_msg(!deadline_has_passed(deadline), "never said: %s", text);
		publish_next();
	} while (!has_said(text));
}

/* Every number once, in order, and nothing else. */
static void expect_each_once(void)
{
	wait_last();
	process_signal(tgcli, SIGINT);
	int status = -1;
	ck_assert(process_wait(tgcli, deadline_in(DEADLINE_MS), &status));
	ck_assert_int_eq(status, 0);
	char *text = process_text(tgcli, PROCESS_OUTPUT), *rest = text;
	for (int number = 0; number < published; number++) {
		char expected[48];
		int len = snprintf(expected, sizeof expected, "trace:s1 {\"n\":%d}\n", number);
		ck_assert_msg(strncmp(rest, expected, (size_t)len) == 0, "not %s but %.40s", expected, rest);
		rest += len;
	}
	ck_assert_str_eq(rest, "");
	free(text);
}

START_TEST(a_token_is_renewed_on_the_open_connection)
{
	write_token(3);
	start_watch();
	for (int i = 0; i < RENEWALS; i++) {
		write_token(4);
		publish_until(NEW_TOKEN);
	}
	publish_next();
	char *said = process_text(tgcli, PROCESS_ERROR);
	ck_assert_msg(!strstr(said, "4401") && !strstr(said, "next try"), "%s", said);
	free(said);
	expect_each_once();
}
END_TEST

START_TEST(a_key_that_was_taken_back_is_followed_by_another)
{
	file_replace(token_path, KEY_A "\n");
	start_watch();
	publish_next();
	wait_last();
	file_replace(token_path, KEY_B "\n");
	file_replace(keys_path, "{\"keys\":[{\"id\":\"b\",\"key\":\"" KEY_B "\"}]}");
	publish_until("(4401)");
	publish_until("tgcli: watching ");
	publish_next();
	expect_each_once();
}
END_TEST

START_TEST(a_token_that_nobody_renews_ends_it)
{
	write_token(3);
	start_watch();
	publish_next();
	wait_last();
	int status = -1;
	ck_assert(process_wait(tgcli, deadline_in(DEADLINE_MS), &status));
	ck_assert_int_eq(status, 1);
	expect_said("looking for another one until then");
	expect_said("(4401)");
	expect_said(": the same token as before: put a good one there and start again");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client refresh");
	TCase *tests = tcase_create("client refresh");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_token_is_renewed_on_the_open_connection);
	tcase_add_test(tests, a_key_that_was_taken_back_is_followed_by_another);
	tcase_add_test(tests, a_token_that_nobody_renews_ends_it);
	return suite_run(suite);
}
