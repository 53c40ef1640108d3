#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/codec/json.h"
#include "gateway/http/refusal.h"
#include "tests/support/suite.h"

START_TEST(a_head_that_cannot_be_read_has_its_status)
{
	ck_assert_uint_eq(refusal_for_head(HEAD_BAD, "a control character").status, 400);
	ck_assert_str_eq(refusal_for_head(HEAD_BAD, "a control character").message, "a control character");
	ck_assert_uint_eq(refusal_for_head(HEAD_PARTIAL, NULL).status, 408);
	ck_assert_uint_eq(refusal_for_head(HEAD_TARGET_TOO_LONG, NULL).status, 414);
	ck_assert_uint_eq(refusal_for_head(HEAD_TOO_MANY_FIELDS, NULL).status, 431);
	ck_assert_uint_eq(refusal_for_head(HEAD_VERSION, "the HTTP version is neither 1.1 nor 1.0").status, 505);
	ck_assert_uint_eq(refusal_for_head(HEAD_VERSION, HEAD_WHY_PREFACE).status, 400);
	ck_assert_int_eq(refusal_for_head(HEAD_PARTIAL, NULL).metric, METRIC_REFUSED_TIMEOUT);
	ck_assert_int_eq(refusal_for_head(HEAD_TOO_MANY_FIELDS, NULL).metric, METRIC_REFUSED_TOO_LARGE);
}
END_TEST

/* Writes a refusal and checks what every one has: a status line, a length that is right, and a JSON body with its code.
 */
static const char *write_refusal_for(struct slice origin, struct buf *out, const struct refusal *what)
{
	size_t length = 0;
	struct slice code;
	enum json_kind kind;
	buf_clear(out);
	refusal_write(out, what, origin);
	buf_append_char(out, '\0');
	ck_assert(!buf_has_failed(out));
	const char *body = strstr(out->bytes, "\r\n\r\n");
	ck_assert_ptr_nonnull(body);
	body += 4;
	ck_assert_int_eq(sscanf(strstr(out->bytes, "Content-Length: "), "Content-Length: %zu", &length), 1);
	ck_assert_uint_eq(length, strlen(body));
	ck_assert(json_is_valid(slice_of(body), NULL, NULL));
	ck_assert(json_find(slice_of(body), SLICE_LITERAL("/error/code"), &code, &kind));
	ck_assert_uint_eq(code.len, strlen(what->code) + 2);
	ck_assert_ptr_nonnull(strstr(out->bytes, "\r\nConnection: close"));
	return out->bytes;
}

static const char *write_refusal(struct buf *out, const struct refusal *what)
{
	return write_refusal_for(SLICE_NONE, out, what);
}

START_TEST(writes_whole_responses)
{
	struct buf out;
	buf_init(&out);
	struct refusal upgrade_required = {.status = 426, .code = "upgrade_required", .message = "say \"websocket\""};
	const char *text = write_refusal(&out, &upgrade_required);
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 426 Upgrade Required\r\n", 31), 0);
	ck_assert_ptr_nonnull(strstr(text, "\r\nSec-WebSocket-Version: 13\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "say \\\"websocket\\\""));
	ck_assert_ptr_null(strstr(text, "Retry-After"));
	ck_assert_ptr_null(strstr(text, "Access-Control"));

	struct refusal not_allowed = {.status = 405, .code = "method_not_allowed", .message = "no"};
	text = write_refusal(&out, &not_allowed);
	ck_assert_ptr_nonnull(strstr(text, "\r\nAllow: GET\r\n"));
	ck_assert_ptr_null(strstr(text, "Sec-WebSocket-Version"));

	struct refusal full = {.status = 503, .code = "node_full", .message = "no", .retry_after_s = 3};
	text = write_refusal(&out, &full);
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0);
	ck_assert_ptr_nonnull(strstr(text, "\r\nRetry-After: 3\r\n"));
	ck_assert_ptr_null(strstr(text, "retryAfterMs"));
	buf_fini(&out);
}
END_TEST

START_TEST(a_page_that_may_read_why_can)
{
	struct buf out;
	buf_init(&out);
	struct refusal none = {.status = 404, .code = "not_found", .message = "no"};
	const char *text = write_refusal_for(SLICE_LITERAL("https://a"), &out, &none);
	ck_assert_ptr_nonnull(strstr(text, "\r\nAccess-Control-Allow-Origin: https://a\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nAccess-Control-Expose-Headers: Retry-After, WWW-Authenticate\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nVary: Origin\r\n"));
	buf_fini(&out);
}
END_TEST

START_TEST(says_in_whole_seconds_and_in_milliseconds_when_to_come_again)
{
	static const struct {
		unsigned ms;
		const char *header, *body;
	} waits[] = {{1, "\r\nRetry-After: 1\r\n", "\"retryAfterMs\":1}}"},
		     {1000, "\r\nRetry-After: 1\r\n", "\"retryAfterMs\":1000}}"},
		     {1001, "\r\nRetry-After: 2\r\n", "\"retryAfterMs\":1001}}"}};
	struct buf out;
	buf_init(&out);
	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		struct refusal often = {.status = 429, .code = "rate_limited", .message = "no", .retry_after_ms = waits[i].ms};
		const char *text = write_refusal(&out, &often);
		ck_assert_ptr_nonnull(strstr(text, waits[i].header));
		ck_assert_ptr_nonnull(strstr(text, waits[i].body));
	}
	buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refusal");
	TCase *tests = tcase_create("refusal");
	tcase_add_test(tests, a_head_that_cannot_be_read_has_its_status);
	tcase_add_test(tests, writes_whole_responses);
	tcase_add_test(tests, a_page_that_may_read_why_can);
	tcase_add_test(tests, says_in_whole_seconds_and_in_milliseconds_when_to_come_again);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
