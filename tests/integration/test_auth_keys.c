/* A node and the files that hold its keys: what it does not start with, and what happens when they change while it
 * runs. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/file.h"
#include "tests/support/gateway.h"
#include "tests/support/raw.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"

#define KEYS_FILE "keys_test.json"
#define CLAIMS "{\"sub\":\"someone\",\"exp\":4102444800}"
#define FIRST_FRAME_TEXT 0x81
#define EXIT_CONFIG 2
#define UNAUTHORIZED 4401

static struct redis_server *redis;

static void set_up(void)
{
	redis = redis_server_start(NULL);
}

static void tear_down(void)
{
	redis_server_free(redis);
	unlink(KEYS_FILE);
}

static void write_jwks(const struct test_key *key)
{
	char *jwk = test_key_jwk(key, ",\"kid\":\"now\""), *text = NULL;
	ck_assert_int_gt(asprintf(&text, "{\"keys\":[%s]}", jwk), 0);
	file_replace(KEYS_FILE, text);
	free(text);
	free(jwk);
}

/* Starts a node that must fail, with that in its last words and nothing of what must not be there. */
static void expect_no_start(const char *const *flags, int status, const char *why, const char *secret)
{
	struct gateway_options options = {
	    .program = TEST_GATEWAY, .redis_url = redis_server_url(redis), .flags = flags};
	struct process *process = gateway_launch(&options);
	int ended_with = 0;
	ck_assert(process_wait(process, deadline_in(DEADLINE_MS), &ended_with));
	char *text = process_text(process, PROCESS_ERROR);
	ck_assert_msg(ended_with == status, "%d: %s", ended_with, text);
	ck_assert_msg(strstr(text, why) != NULL, "%s", text);
	ck_assert_msg(!secret || !strstr(text, secret), "%s", text);
	free(text);
	process_free(process);
}

START_TEST(does_not_start_without_the_keys_that_it_needs)
{
	const char *nothing[] = {"--auth.required", "yes", NULL};
	expect_no_start(nothing, EXIT_CONFIG, "auth.required: \"yes\" needs keys", NULL);
	const char *short_secret[] = {"--auth.jwt_secret", "a secret that is too short", NULL};
	expect_no_start(short_secret, 1,
	                "auth.jwt_secret: a secret of 26 bytes is too short; at least 32 bytes are needed",
	                "a secret that");
}
END_TEST

START_TEST(does_not_start_with_a_file_that_is_wrong_and_says_where)
{
	const char *flags[] = {"--auth.api_keys_file", KEYS_FILE, NULL};
	expect_no_start(flags, 1, "auth.api_keys_file: " KEYS_FILE ": No such file or directory", NULL);
	file_replace(KEYS_FILE, "{\"keys\":[{\"id\":\"a\",\"key\":\"key-number-one\"},{\"id\":\"b\",\"key\":\"key-number-one\"}]}");
	expect_no_start(flags, 1, KEYS_FILE ": \\\"a\\\" and \\\"b\\\" have the same key", "key-number-one");
	const char *check[] = {"--auth.api_keys_file", KEYS_FILE, "--check-config", NULL};
	expect_no_start(check, EXIT_CONFIG, KEYS_FILE ": \"a\" and \"b\" have the same key", "key-number-one");
}
END_TEST

START_TEST(says_that_production_lets_everyone_in)
{
	const char *flags[] = {"--preset", "production", "--auth.required", "no", NULL};
	struct gateway_options options = {
	    .program = TEST_GATEWAY, .redis_url = redis_server_url(redis), .flags = flags};
	struct gateway *node = gateway_open(&options);
	size_t at = 0;
	char *line = process_wait_line(gateway_process(node), PROCESS_ERROR,
	                               "everyone who reaches this node may read and publish everything", &at,
	                               deadline_in(DEADLINE_MS));
	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_nonnull(strstr(line, "warn"));
	free(line);
	gateway_free(node);
}
END_TEST

/* The status of an upgrade with that credential. */
static int try_as(struct gateway *node, struct raw *raw, const char *credential)
{
	char header[2048];
	snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", credential);
	raw_connect(raw, gateway_port(node));
	return raw_handshake(raw, "/v1/stream", header);
}

static void open_as(struct gateway *node, struct raw *raw, const char *credential)
{
	struct raw_frame frame;
	ck_assert_int_eq(try_as(node, raw, credential), 101);
	raw_expect_text(raw, "\"op\":\"welcome\"", &frame);
}

static void expect_refused(struct gateway *node, const char *credential)
{
	struct raw raw;
	ck_assert_int_eq(try_as(node, &raw, credential), 401);
	raw_close(&raw);
}

static void expect_alive(struct raw *raw)
{
	struct raw_frame frame;
	raw_send_frame(raw, FIRST_FRAME_TEXT, SLICE_LITERAL("{\"id\":1,\"op\":\"ping\"}"));
	raw_expect_text(raw, "\"now\"", &frame);
}

static struct gateway *start_with(const char *option)
{
	const char *flags[] = {"--auth.required", "yes", option, KEYS_FILE, "--workers", "2", NULL};
	return gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

/* Nothing that the node says anywhere holds the secret. */
static void expect_silent_about(struct gateway *node, const char *secret)
{
	struct buf metrics;
	buf_init(&metrics);
	ck_assert_int_eq(gateway_get(node, "/metrics", &metrics), 200);
	ck_assert_ptr_null(memmem(metrics.bytes, metrics.len, secret, strlen(secret)));
	buf_fini(&metrics);
	char *text = process_text(gateway_process(node), PROCESS_ERROR);
	ck_assert_msg(!strstr(text, secret), "%s", text);
	free(text);
}

START_TEST(api_keys_come_and_go_while_it_runs)
{
	struct raw a, b, c;
	file_replace(KEYS_FILE,
	    "{\"keys\":[{\"id\":\"a\",\"key\":\"credential-of-a\"},{\"id\":\"b\",\"key\":\"credential-of-b\"}]}");
	struct gateway *node = start_with("--auth.api_keys_file");
	open_as(node, &a, "credential-of-a");
	open_as(node, &b, "credential-of-b");
	expect_refused(node, "credential-of-c");
	file_replace(KEYS_FILE,
	    "{\"keys\":[{\"id\":\"c\",\"key\":\"credential-of-c\"},{\"id\":\"b\",\"key\":\"credential-of-b\"}]}");
	raw_expect_close(&a, UNAUTHORIZED);
	ck_assert(gateway_metric(node, "auth_reloads_total", "result=\"ok\"") == 1);
	expect_alive(&b);
	expect_refused(node, "credential-of-a");
	open_as(node, &c, "credential-of-c");
	file_replace(KEYS_FILE, "{\"keys\":[{\"id\":\"c\",\"key\":\"credential-of-c\",\"oops\":[]}]}"); /* refused as a whole */
	gateway_wait_metric(node, "auth_reloads_total", "result=\"failed\"", 1);
	expect_alive(&b);
	expect_alive(&c);
	ck_assert(gateway_metric(node, "credentials_refused_total", "reason=\"unknown_key\"") == 2);
	expect_silent_about(node, "credential-of");
	raw_close(&a);
	raw_close(&b);
	raw_close(&c);
	gateway_end(node);
}
END_TEST

START_TEST(a_key_that_signed_goes_and_who_came_by_it_with_it)
{
	struct raw before, after;
	struct test_key *first = test_key_ec("P-256"), *second = test_key_rsa(2048);
	char *by_first = test_token("{\"alg\":\"ES256\",\"kid\":\"now\"}", CLAIMS, "ES256", first);
	char *by_second = test_token("{\"alg\":\"PS256\",\"kid\":\"now\"}", CLAIMS, "PS256", second);
	char *by_nobody = test_token("{\"alg\":\"none\"}", CLAIMS, "", first);
	write_jwks(first);
	struct gateway *node = start_with("--auth.jwt_keys_file");
	open_as(node, &before, by_first);
	expect_refused(node, by_second);
	expect_refused(node, by_nobody);
	write_jwks(second);
	raw_expect_close(&before, UNAUTHORIZED);
	expect_refused(node, by_first);
	open_as(node, &after, by_second);
	raw_close(&before);
	raw_close(&after);
	gateway_end(node);
	free(by_first);
	free(by_second);
	free(by_nobody);
	test_key_free(first);
	test_key_free(second);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_keys");
	TCase *keys = tcase_create("keys of a node");
	tcase_add_checked_fixture(keys, set_up, tear_down);
	tcase_add_test(keys, does_not_start_without_the_keys_that_it_needs);
	tcase_add_test(keys, does_not_start_with_a_file_that_is_wrong_and_says_where);
	tcase_add_test(keys, says_that_production_lets_everyone_in);
	tcase_add_test(keys, api_keys_come_and_go_while_it_runs);
	tcase_add_test(keys, a_key_that_signed_goes_and_who_came_by_it_with_it);
	suite_add_tcase(suite, keys);
	return suite_run(suite);
}
