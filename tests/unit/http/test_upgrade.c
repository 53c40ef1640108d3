#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/auth/auth.h"
#include "gateway/http/upgrade.h"
#include "tests/support/suite.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define HOST "Host: gateway.example.com\r\n"
#define ASKS "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define TOKEN "the-key-of-the-dashboard"
#define GOOD HOST ASKS VERSION KEY

static struct head head;
static struct refusal refusal;
static const struct front *wanted = &front_json; /* that every handshake which goes on must get */
static const struct upgrade_policy same_origin_only = {.retry_after_s = 5};

/* The status of the answer, 101 when the handshake goes on. */
static unsigned decide_with(const struct upgrade_policy *policy, const char *request_line, const char *fields)
{
	static char text[32768];
	const struct front *front = NULL;
	struct grants *grants = NULL;
	snprintf(text, sizeof text, "%s\r\n%s\r\n", request_line, fields);
	ck_assert_int_eq(head_read(slice_of(text), &head), HEAD_COMPLETE);
	refusal = (struct refusal){0};
	if (upgrade_decide(&head, policy, &front, &grants, &refusal) == UPGRADE_REFUSE) {
		ck_assert_ptr_nonnull(refusal.code);
		ck_assert_ptr_nonnull(refusal.message);
		return refusal.status;
	}
	ck_assert_ptr_eq(front, wanted);
	grants_unref(grants);
	return 101;
}

/* One key is known, and none is needed. */
static struct auth *auth_with_key(bool is_required)
{
	static char path[] = "/tmp/tracegate-keys-XXXXXX";
	struct auth *auth = NULL;
	char why[256], name[sizeof path];
	memcpy(name, path, sizeof name);
	int fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(dprintf(fd, "{\"keys\":[{\"id\":\"dashboard\",\"key\":\"%s\"}]}", TOKEN), 0);
	close(fd);
	const struct auth_settings settings = {.api_keys_file = name, .is_required = is_required};
	ck_assert_msg(auth_new(&settings, &auth, why) == OK, "%s", why);
	unlink(name);
	return auth;
}

static unsigned decide(const char *request_line, const char *fields)
{
	struct upgrade_policy policy = same_origin_only;
	policy.auth = auth_with_key(false);
	unsigned status = decide_with(&policy, request_line, fields);
	auth_free(policy.auth);
	return status;
}

struct example {
	const char *request_line, *fields;
	unsigned status;
};

#define STREAM "GET /v1/stream HTTP/1.1"

static const struct example examples[] = {
    {STREAM, GOOD, 101},
    {"GET /ws HTTP/1.1", GOOD, 101},
    {"GET /v1/stream?access_token=bad HTTP/1.1", GOOD, 401},
    {STREAM, GOOD "Sec-WebSocket-Protocol: bearer.bad\r\n", 401},
    {"GET /v1/stream?access_token=" TOKEN " HTTP/1.1", GOOD, 101},
    /* paths and methods */
    {"GET / HTTP/1.1", GOOD, 404},
    {"GET /v1/stream/ HTTP/1.1", GOOD, 404},
    {"GET /v1/strea%6d HTTP/1.1", GOOD, 404},
    {"GET //v1/stream HTTP/1.1", GOOD, 404},
    {"GET /v1/../v1/stream HTTP/1.1", GOOD, 404},
    {"GET /V1/stream HTTP/1.1", GOOD, 404},
    {"POST /nothing HTTP/1.1", GOOD, 404},
    {"POST /v1/stream HTTP/1.1", GOOD, 405},
    {"HEAD /ws HTTP/1.1", GOOD, 405},
    {"OPTIONS /ws HTTP/1.1", GOOD, 405},
    {"get /ws HTTP/1.1", GOOD, 405},
    /* bodies */
    {STREAM, GOOD "Content-Length: 0\r\n", 101},
    {STREAM, GOOD "Content-Length: 5\r\n", 400},
    {STREAM, GOOD "Content-Length: 0\r\nContent-Length: 0\r\n", 400},
    {STREAM, GOOD "Content-Length: 00x\r\n", 400},
    {STREAM, GOOD "Transfer-Encoding: chunked\r\n", 400},
    {STREAM, GOOD "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", 400},
    /* version and upgrade */
    {"GET /v1/stream HTTP/1.0", GOOD, 426},
    {STREAM, HOST ASKS KEY, 426},
    {STREAM, HOST ASKS KEY "Sec-WebSocket-Version: 8\r\n", 426},
    {STREAM, HOST ASKS KEY "Sec-WebSocket-Version: 12\r\n", 426},
    {STREAM, HOST ASKS KEY "Sec-WebSocket-Version: 13a\r\n", 426},
    {STREAM, HOST ASKS KEY "Sec-WebSocket-Version: 13, 8\r\n", 426},
    {STREAM, HOST ASKS KEY VERSION VERSION, 426},
    {STREAM, HOST VERSION KEY "Connection: Upgrade\r\n", 426},
    {STREAM, HOST VERSION KEY "Upgrade: websocket\r\n", 426},
    {STREAM, HOST VERSION KEY "Upgrade: h2c\r\nConnection: Upgrade\r\n", 426},
    {STREAM, HOST VERSION KEY "Upgrade: websocket\r\nConnection: close\r\n", 426},
    {STREAM, HOST VERSION KEY "Upgrade: h2c, WebSocket\r\nConnection: keep-alive, UPGRADE\r\n", 101},
    {STREAM, HOST, 426},
    /* keys */
    {STREAM, HOST ASKS VERSION, 400},
    {STREAM, HOST ASKS VERSION "Sec-WebSocket-Key: abc\r\n", 400},
    {STREAM, HOST ASKS VERSION "Sec-WebSocket-Key:\r\n", 400},
    {STREAM, HOST ASKS VERSION "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n", 400},
    {STREAM, HOST ASKS VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=A\r\n", 400},
    {STREAM, HOST ASKS VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", 400}, /* unused bits are not zero */
    {STREAM, HOST ASKS VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n", 400}, /* 18 bytes */
    {STREAM, HOST ASKS VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=\r\n", 400}, /* 17 bytes */
    {STREAM, HOST ASKS VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n", 400},
    {STREAM, GOOD KEY, 400},
    /* hosts */
    {STREAM, ASKS VERSION KEY, 400},
    {STREAM, GOOD HOST, 400},
    {STREAM, ASKS VERSION KEY "Host:\r\n", 400},
    {STREAM, ASKS VERSION KEY "Host: a/b\r\n", 400},
    {STREAM, ASKS VERSION KEY "Host: a, b\r\n", 400},
    {STREAM, ASKS VERSION KEY "Host: [::1]:8080\r\n", 101},
    /* extensions are the library's to negotiate; nonsense is ignored */
    {STREAM, GOOD "Sec-WebSocket-Extensions: ,;constructor=;;\r\n", 101},
    {STREAM, GOOD "Sec-WebSocket-Extensions:\r\n", 101},
    {STREAM, GOOD "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\"\r\n", 101},
    /* subprotocols */
    {STREAM, GOOD "Sec-WebSocket-Protocol: tracegate.v1.json\r\n", 101},
    {STREAM, GOOD "Sec-WebSocket-Protocol: other, tracegate.v1.json\r\n", 101},
    {STREAM, GOOD "Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: tracegate.v1.json\r\n", 101},
    {STREAM, GOOD "Sec-WebSocket-Protocol: bearer." TOKEN ", tracegate.v1.json\r\n", 101},
    {STREAM, GOOD "Sec-WebSocket-Protocol: bearer." TOKEN "\r\n", 101},
    {STREAM, GOOD "Sec-WebSocket-Protocol: ,\r\n", 101},
    {STREAM, GOOD "Sec-WebSocket-Protocol: other\r\n", 400},
    {STREAM, GOOD "Sec-WebSocket-Protocol: bearer." TOKEN ", other\r\n", 400},
    {STREAM, GOOD "Sec-WebSocket-Protocol: TRACEGATE.v1.json\r\n", 400},
};

START_TEST(judges_handshakes)
{
	const struct example *example = &examples[_i];
	unsigned status = decide(example->request_line, example->fields);
	ck_assert_msg(status == example->status, "%u instead of %u (%s) for %s\n%s", status, example->status,
	              refusal.message ? refusal.message : "", example->request_line, example->fields);
}
END_TEST

START_TEST(takes_the_first_known_subprotocol_that_is_offered)
{
	wanted = &front_msgpack;
	ck_assert_uint_eq(decide(STREAM, GOOD "Sec-WebSocket-Protocol: tracegate.v1.msgpack\r\n"), 101);
	ck_assert_uint_eq(decide(STREAM, GOOD "Sec-WebSocket-Protocol: x, tracegate.v1.msgpack, tracegate.v1.json\r\n"), 101);
	wanted = &front_json;
	ck_assert_uint_eq(decide(STREAM, GOOD "Sec-WebSocket-Protocol: tracegate.v1.json, tracegate.v1.msgpack\r\n"), 101);
}
END_TEST

START_TEST(ignores_two_hundred_extension_offers)
{
	static char fields[16384] = GOOD "Sec-WebSocket-Extensions: x";
	for (size_t i = 0; i < 200; i++)
		strcat(fields, ", permessage-deflate; client_max_window_bits");
	strcat(fields, "\r\n");
	ck_assert_uint_eq(decide(STREAM, fields), 101);
}
END_TEST

struct origin_example {
	const char *origin_fields;
	unsigned status;
};

#define ORIGIN(text) "Origin: " text "\r\n"

static const struct origin_example listed[] = {
    {"", 101},
    {ORIGIN("https://app.example.com"), 101},
    {ORIGIN("http://localhost:3000"), 101},
    {ORIGIN("http://app.example.com"), 403},
    {ORIGIN("https://app.example.com:443"), 403},
    {ORIGIN("https://app.example.com:8443"), 403},
    {ORIGIN("https://app.example.com.evil.io"), 403},
    {ORIGIN("https://evilapp.example.com"), 403},
    {ORIGIN("https://APP.example.com"), 403},
    {ORIGIN("https://app.example.com/"), 403},
    {ORIGIN("https://app.example.com."), 403},
    {ORIGIN("https://app.example.co"), 403},
    {ORIGIN("https://gateway.example.com"), 403}, /* with a list the own origin has to be on it */
    {ORIGIN("null"), 403},
    {ORIGIN(""), 403},
    {ORIGIN("https://app.example.com") ORIGIN("https://app.example.com"), 403},
    {ORIGIN("https://app.example.com, https://evil.io"), 403},
    {ORIGIN("http://localhost"), 403},
};

START_TEST(allows_listed_origins_exactly)
{
	static const struct slice origins[] = {SLICE_LITERAL("https://app.example.com"),
	                                       SLICE_LITERAL("http://localhost:3000"), SLICE_LITERAL("null")};
	const struct upgrade_policy policy = {.cors = {origins, 3, false}};
	char fields[1024];
	snprintf(fields, sizeof fields, GOOD "%s", listed[_i].origin_fields);
	ck_assert_msg(decide_with(&policy, STREAM, fields) == listed[_i].status, "%s", listed[_i].origin_fields);
}
END_TEST

static const struct {
	const char *origin_fields;
	unsigned status;
} below[] = {
    {ORIGIN("https://app.example.com"), 101},
    {ORIGIN("https://a.b.c.example.com"), 101},
    {ORIGIN("https://x-1_y.example.com"), 101},
    {ORIGIN("http://app.lan:3000"), 101},
    {ORIGIN("https://example.com"), 403},
    {ORIGIN("https://.example.com"), 403},
    {ORIGIN("https://app..example.com"), 403},
    {ORIGIN("https://.app.example.com"), 403},
    {ORIGIN("https://evilexample.com"), 403},
    {ORIGIN("https://app.example.com.evil.io"), 403},
    {ORIGIN("https://evil.io/.example.com"), 403},
    {ORIGIN("https://evil.io?.example.com"), 403},
    {ORIGIN("https://evil.io#.example.com"), 403},
    {ORIGIN("https://evil.io:80.example.com"), 403},
    {ORIGIN("https://user@app.example.com"), 403},
    {ORIGIN("https://*.example.com"), 403},
    {ORIGIN("https://APP.example.com"), 403},
    {ORIGIN("https://app.example.com:8443"), 403},
    {ORIGIN("https://app.example.com."), 403},
    {ORIGIN("http://app.example.com"), 403},
    {ORIGIN("https://https://app.example.com"), 403},
    {ORIGIN("http://app.lan"), 403},
    {ORIGIN("http://app.lan:30000"), 403},
    {ORIGIN("https://"), 403},
};

START_TEST(a_star_in_a_host_stands_for_whole_labels_only)
{
	static const struct slice origins[] = {SLICE_LITERAL("https://*.example.com"), SLICE_LITERAL("http://*.lan:3000")};
	const struct upgrade_policy policy = {.cors = {origins, 2, false}};
	char fields[1024];
	snprintf(fields, sizeof fields, GOOD "%s", below[_i].origin_fields);
	ck_assert_msg(decide_with(&policy, STREAM, fields) == below[_i].status, "%s", below[_i].origin_fields);
}
END_TEST

START_TEST(over_tls_the_same_origin_is_https)
{
	const struct upgrade_policy tls = {.cors = {.is_tls = true}}, unknown = {.draining = false};
	ck_assert_uint_eq(decide_with(&tls, STREAM, GOOD ORIGIN("https://gateway.example.com")), 101);
	ck_assert_uint_eq(decide_with(&tls, STREAM, GOOD ORIGIN("http://gateway.example.com")), 403);
	ck_assert_uint_eq(decide_with(&unknown, STREAM, GOOD ORIGIN("http://gateway.example.com")), 101);
}
END_TEST

START_TEST(a_star_allows_any_origin)
{
	static const struct slice origins[] = {SLICE_LITERAL("https://x"), SLICE_LITERAL("*")};
	const struct upgrade_policy policy = {.cors = {origins, 2, false}};
	ck_assert_uint_eq(decide_with(&policy, STREAM, GOOD ORIGIN("https://evil.io")), 101);
	ck_assert_uint_eq(decide_with(&policy, STREAM, GOOD ORIGIN("null")), 101);
	ck_assert_uint_eq(decide_with(&policy, STREAM, GOOD ORIGIN("")), 101);
	ck_assert_uint_eq(decide_with(&policy, STREAM, GOOD ORIGIN("https://a") ORIGIN("https://b")), 101);
}
END_TEST

static const struct {
	const char *host, *origin;
	unsigned status;
} same_origin[] = {
    {"gw.example.com", "https://gw.example.com", 101},
    {"gw.example.com", "http://gw.example.com", 101},
    {"gw.example.com", "https://GW.example.com", 101},
    {"gw.example.com:443", "https://gw.example.com", 101},
    {"gw.example.com:80", "http://gw.example.com", 101},
    {"gw.example.com", "http://gw.example.com:80", 101},
    {"gw.example.com:8080", "http://gw.example.com:8080", 101},
    {"[::1]:8080", "http://[::1]:8080", 101},
    {"[::80]", "http://[::80]", 101},
    {"gw.example.com:80", "https://gw.example.com", 403},
    {"gw.example.com:8080", "http://gw.example.com", 403},
    {"gw.example.com", "http://gw.example.com:8080", 403},
    {"gw.example.com", "https://gw.example.com.evil.io", 403},
    {"gw.example.com", "https://evil.io", 403},
    {"gw.example.com", "https://gw.example.com/", 403},
    {"gw.example.com", "https://gw.example.com.", 403},
    {"gw.example.com", "file://gw.example.com", 403},
    {"gw.example.com", "gw.example.com", 403},
    {"gw.example.com", "https://", 403},
    {"gw.example.com", "null", 403},
    {"gw.example.com", "", 403},
    {"null", "null", 403},
};

START_TEST(without_a_list_only_the_own_origin_is_allowed)
{
	char fields[1024];
	snprintf(fields, sizeof fields, "Host: %s\r\nOrigin: %s\r\n" ASKS VERSION KEY, same_origin[_i].host,
	         same_origin[_i].origin);
	ck_assert_msg(decide(STREAM, fields) == same_origin[_i].status, "%s", fields);
}
END_TEST

START_TEST(refuses_while_draining_and_says_when_to_come_again)
{
	const struct upgrade_policy policy = {.draining = true, .retry_after_s = 7};
	ck_assert_uint_eq(decide_with(&policy, STREAM, GOOD), 503);
	ck_assert_str_eq(refusal.code, "draining");
	ck_assert_uint_eq(refusal.retry_after_s, 7);
	ck_assert_int_eq(refusal.metric, METRIC_REFUSED_DRAINING);
	ck_assert_uint_eq(decide_with(&policy, STREAM, GOOD ORIGIN("https://evil.io")), 403);
}
END_TEST

START_TEST(counts_each_refusal_where_it_belongs)
{
	decide("GET /x HTTP/1.1", GOOD);
	ck_assert_int_eq(refusal.metric, METRIC_REFUSED_NOT_FOUND);
	decide(STREAM, GOOD ORIGIN("https://evil.io"));
	ck_assert_int_eq(refusal.metric, METRIC_REFUSED_ORIGIN);
	decide(STREAM, GOOD KEY);
	ck_assert_int_eq(refusal.metric, METRIC_REFUSED_BAD_REQUEST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upgrade");
	TCase *tests = tcase_create("upgrade");
	tcase_add_loop_test(tests, judges_handshakes, 0, sizeof examples / sizeof examples[0]);
	tcase_add_test(tests, takes_the_first_known_subprotocol_that_is_offered);
	tcase_add_test(tests, ignores_two_hundred_extension_offers);
	tcase_add_loop_test(tests, allows_listed_origins_exactly, 0, sizeof listed / sizeof listed[0]);
	tcase_add_loop_test(tests, a_star_in_a_host_stands_for_whole_labels_only, 0, sizeof below / sizeof below[0]);
	tcase_add_test(tests, over_tls_the_same_origin_is_https);
	tcase_add_test(tests, a_star_allows_any_origin);
	tcase_add_loop_test(tests, without_a_list_only_the_own_origin_is_allowed, 0,
	                    sizeof same_origin / sizeof same_origin[0]);
	tcase_add_test(tests, refuses_while_draining_and_says_when_to_come_again);
	tcase_add_test(tests, counts_each_refusal_where_it_belongs);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
