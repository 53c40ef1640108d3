/* Limits of identities: connections, rates, and who has shown no credential. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"
#include "tests/support/watcher.h"
#include "tests/support/redis_server.h"

#define SECRET "a secret of thirty-two bytes, and more"
#define EXPIRES "\"exp\":4102444800"

static struct redis_server *redis;
static struct gateway *gateway;

static void open_with(const char *const *flags)
{
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void start(void)
{
	redis = redis_server_start(NULL);
}

static void stop(void)
{
	gateway_end(gateway);
	redis_server_free(redis);
}

static const char *bearer(const char *identity, const char *limits)
{
	return test_bearer_limited(identity, limits, SECRET);
}

static int upgrade(struct raw *raw, const char *header)
{
	raw_connect(raw, gateway_port(gateway));
	return raw_handshake(raw, "/v1/stream", header);
}

/* Where a place is free only when the node has come to the end of what held it, a moment after its answer. */
static void upgrade_soon(struct raw *raw, const char *header)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (upgrade(raw, header) != 101) {
		raw_close(raw);
		ck_assert(deadline_next_look(deadline));
	}
}

static void authenticate(struct raw *raw, const char *identity)
{
	char message[1200], claims[256];
	snprintf(claims, sizeof claims, "{\"sub\":\"%s\"," EXPIRES "}", identity);
	char *token = test_token_hs256(claims, SECRET);
	snprintf(message, sizeof message, "{\"id\":1,\"op\":\"auth\",\"token\":\"%s\"}", token);
	raw_send_frame(raw, 0x81, slice_of(message));
	free(token);
}

static bool becomes(struct raw *raw, const char *identity)
{
	struct raw_frame frame;
	authenticate(raw, identity);
	raw_expect_text(raw, "\"id\":1,", &frame);
	return memmem(frame.payload.ptr, frame.payload.len, "\"identity\":", 11) != NULL;
}

static const char *const two_each[] = {"--auth.jwt_secret", SECRET, "--limits.connections_per_identity", "2", NULL};

START_TEST(an_identity_has_so_many_connections_or_as_its_token_says)
{
	struct raw one, two, three, other;
	open_with(two_each);
	ck_assert_int_eq(upgrade(&one, bearer("ann", "")), 101);
	ck_assert_int_eq(upgrade(&two, bearer("ann", "")), 101);
	ck_assert_int_eq(upgrade(&three, bearer("ann", "")), 429);
	raw_close(&three);
	ck_assert_int_eq(upgrade(&three, bearer("ann", "\"connections\":3")), 101);
	raw_close(&three);
	ck_assert_int_eq(upgrade(&other, bearer("bob", "\"connections\":1")), 101);
	ck_assert_int_eq(upgrade(&three, bearer("bob", "\"connections\":1")), 429);
	raw_close(&three);
	raw_close(&one);
	raw_close(&two);
	upgrade_soon(&one, bearer("ann", ""));
	raw_close(&one);
	raw_close(&other);
}
END_TEST

START_TEST(requests_over_http_count_while_they_are_answered)
{
	struct raw one, two, kept;
	struct http_answer answer;
	char request[1200];
	open_with(two_each);
	raw_connect(&kept, gateway_port(gateway));
	snprintf(request, sizeof request, "GET /v1/sessions HTTP/1.1\r\nHost: x\r\n%s", bearer("ann", ""));
	http_ask(&kept, request, NULL, &answer);
	http_expect(&answer, 200, NULL);
	http_answer_free(&answer);
	upgrade_soon(&one, bearer("ann", ""));
	upgrade_soon(&two, bearer("ann", ""));
	http_ask(&kept, request, NULL, &answer);
	http_expect(&answer, 429, "too_many_connections");
	ck_assert(http_has_field(&answer, "Retry-After: 2"));
	http_answer_free(&answer);
	raw_close(&one);
	raw_close(&two);
	raw_close(&kept);
}
END_TEST

START_TEST(who_says_later_who_it_is_is_counted_then_and_may_stay_who_it_was)
{
	struct raw one, two, late;
	open_with(two_each);
	ck_assert_int_eq(upgrade(&one, bearer("ann", "")), 101);
	ck_assert_int_eq(upgrade(&two, bearer("ann", "")), 101);
	raw_open(&late, gateway_port(gateway));
	authenticate(&late, "ann");
	raw_expect_text(&late, "too_many_connections", NULL);
	raw_send_frame(&late, 0x81, slice_of("{\"id\":2,\"op\":\"ping\"}"));
	raw_expect_text(&late, "\"now\":", NULL);
	raw_close(&one);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (!becomes(&late, "ann"))
		ck_assert(deadline_next_look(deadline));
	ck_assert_int_eq(upgrade(&one, bearer("ann", "")), 429);
	raw_close(&one);
	raw_close(&two);
	raw_close(&late);
}
END_TEST

/* The object behind "limits": in what comes next that holds the mark, as text; the caller frees it. */
static char *limits_behind(struct raw *raw, const char *mark)
{
	struct raw_frame frame;
	raw_expect_text(raw, mark, &frame);
	const char *limits = memmem(frame.payload.ptr, frame.payload.len, "\"limits\":{", 10);
	ck_assert_ptr_nonnull(limits);
	const char *end = memchr(limits, '}', (size_t)(frame.payload.ptr + frame.payload.len - limits));
	ck_assert_ptr_nonnull(end);
	return strndup(limits, (size_t)(end + 1 - limits));
}

START_TEST(the_reply_to_auth_shows_the_limits_that_welcome_would)
{
	static const char claims[] = "{\"sub\":\"ann\"," EXPIRES ",\"tracegate\":{\"limits\":{\"subscriptions\":3,\"eventsPerSecond\":50}}}";
	struct raw late, early;
	char message[1200], header[1200];
	open_with(two_each);
	char *token = test_token_hs256(claims, SECRET);
	raw_connect(&late, gateway_port(gateway));
	ck_assert_int_eq(raw_handshake(&late, "/v1/stream", ""), 101);
	char *anonymous = limits_behind(&late, "\"op\":\"welcome\"");
	snprintf(message, sizeof message, "{\"id\":1,\"op\":\"auth\",\"token\":\"%s\"}", token);
	raw_send_frame(&late, 0x81, slice_of(message));
	char *replied = limits_behind(&late, "\"identity\":\"ann\"");
	snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
	ck_assert_int_eq(upgrade(&early, header), 101);
	char *welcomed = limits_behind(&early, "\"op\":\"welcome\"");
	ck_assert_str_eq(replied, welcomed);
	ck_assert_str_ne(replied, anonymous);
	ck_assert_ptr_nonnull(strstr(replied, "\"eventsPerSecond\":50,"));
	free(token);
	free(anonymous);
	free(replied);
	free(welcomed);
	raw_close(&late);
	raw_close(&early);
}
END_TEST

START_TEST(who_has_shown_no_credential_has_a_limit_of_number)
{
	static const char *const flags[] = {"--auth.jwt_secret", SECRET, "--auth.required", "yes", "--limits.unauthenticated", "3", NULL};
	struct raw strangers[3], known, above;
	open_with(flags);
	ck_assert_int_eq(upgrade(&known, bearer("ann", "")), 101);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(upgrade(&strangers[i], ""), 101);
	raw_connect(&above, gateway_port(gateway));
	char *head = raw_read_head(&above);
	ck_assert_int_eq(raw_head_status(head), 503);
	free(head);
	raw_close(&above);
	raw_send_frame(&known, 0x81, slice_of("{\"id\":2,\"op\":\"ping\"}"));
	raw_expect_text(&known, "\"now\":", NULL);
	authenticate(&strangers[0], "bob");
	raw_expect_text(&strangers[0], "\"identity\":\"bob\"", NULL);
	ck_assert_int_eq(upgrade(&above, bearer("cyd", "")), 101);
	raw_close(&above);
	raw_close(&known);
	for (unsigned i = 0; i < 3; i++)
		raw_close(&strangers[i]);
}
END_TEST

START_TEST(welcome_shows_what_the_token_grants)
{
	struct raw raw;
	struct raw_frame frame;
	open_with(two_each);
	ck_assert_int_eq(upgrade(&raw, bearer("ann", "\"connections\":7,\"eventsPerSecond\":12,\"historyEventsPerSecond\":34,\"requests\":0")), 101);
	raw_expect_text(&raw, "\"connections\":7", &frame);
	char text[1024];
	snprintf(text, sizeof text, "%.*s", (int)frame.payload.len, frame.payload.ptr);
	ck_assert_ptr_nonnull(strstr(text, "\"eventsPerSecond\":12"));
	ck_assert_ptr_nonnull(strstr(text, "\"historyEventsPerSecond\":34"));
	ck_assert_ptr_nonnull(strstr(text, "\"requests\":0"));
	raw_close(&raw);
}
END_TEST

#define EVENTS 300

/* What the rate of one keeps back costs the others nothing: they have everything before it has a part of it. */
START_TEST(a_client_over_its_rate_does_not_disturb_the_others)
{
	struct raw limited;
	struct watcher others[3];
	struct raw_frame frame;
	open_with(two_each);
	ck_assert_int_eq(upgrade(&limited, bearer("ann", "\"eventsPerSecond\":10")), 101);
	raw_send_frame(&limited, 0x81, slice_of("{\"id\":1,\"op\":\"subscribe\"}"));
	raw_expect_text(&limited, "\"sub\":", &frame);
	for (unsigned i = 0; i < 3; i++)
		watcher_open(&others[i], gateway_port(gateway), "");
	for (unsigned n = 1; n <= EVENTS; n++) {
		char payload[32];
		snprintf(payload, sizeof payload, "{\"n\":%u}", n);
		redis_server_publish(redis, SLICE_LITERAL("trace:s1"), slice_of(payload));
	}
	for (unsigned i = 0; i < 3; i++) {
		char payload[32];
		for (unsigned n = 1; n <= EVENTS; n++) {
			snprintf(payload, sizeof payload, "{\"n\":%u}", n);
			watcher_expect(&others[i], payload);
		}
	}
	gateway_wait_metric(gateway, "subscriptions_catching_up", "", 1);
	ck_assert(gateway_metric(gateway, "events_out_total", "") < 4 * EVENTS);
	ck_assert(gateway_metric(gateway, "events_dropped_total", "") == 0);
	raw_expect_text(&limited, "\"n\":10}", &frame);
	for (unsigned i = 0; i < 3; i++)
		watcher_close(&others[i]);
	raw_close(&limited);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits_clients");
	TCase *tests = tcase_create("limits_clients");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, an_identity_has_so_many_connections_or_as_its_token_says);
	tcase_add_test(tests, requests_over_http_count_while_they_are_answered);
	tcase_add_test(tests, who_says_later_who_it_is_is_counted_then_and_may_stay_who_it_was);
	tcase_add_test(tests, the_reply_to_auth_shows_the_limits_that_welcome_would);
	tcase_add_test(tests, who_has_shown_no_credential_has_a_limit_of_number);
	tcase_add_test(tests, welcome_shows_what_the_token_grants);
	tcase_add_test(tests, a_client_over_its_rate_does_not_disturb_the_others);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
