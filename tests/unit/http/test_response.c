#include <check.h>

#include "gateway/http/response.h"
#include "tests/support/suite.h"

static void expect(const struct response *response, const struct response_form *form, const char *text)
{
	struct buf head;
	buf_init(&head);
	response_write_head(&head, response, form);
	ck_assert_msg(slice_is(buf_slice(&head), text), "%.*s", (int)head.len, head.bytes);
	buf_fini(&head);
}

START_TEST(says_how_long_the_body_is_or_that_it_comes_in_chunks)
{
	struct response whole = {.status = 200, .content_type = RESPONSE_JSON, .length = 12};
	struct response streamed = {.status = 200, .content_type = RESPONSE_NDJSON, .length = RESPONSE_STREAMED};
	struct response_form form = {.minor = 1}, old = {.minor = 0, .closes = true};
	expect(&whole, &form,
	       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\nCache-Control: no-store\r\n"
	       "Vary: Origin\r\n\r\n");
	expect(&streamed, &form,
	       "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n"
	       "Cache-Control: no-store\r\nVary: Origin\r\n\r\n");
	ck_assert(response_is_chunked(&streamed, &form));
	ck_assert(!response_is_chunked(&whole, &form));
	expect(&streamed, &old,
	       "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\n"
	       "Vary: Origin\r\n\r\n");
	ck_assert(!response_is_chunked(&streamed, &old));
}
END_TEST

START_TEST(tells_browsers_what_they_may)
{
	struct response_form form = {.minor = 1, .origin = SLICE_LITERAL("https://a")};
	struct response preflight = {.status = 204, .allow = "POST, OPTIONS", .is_preflight = true};
	struct response busy = {.status = 503, .content_type = RESPONSE_JSON, .length = 2, .retry_after_s = 2};
	expect(&preflight, &form,
	       "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\nAllow: POST, OPTIONS\r\nVary: Origin\r\n"
	       "Access-Control-Allow-Origin: https://a\r\nAccess-Control-Expose-Headers: Retry-After, WWW-Authenticate\r\n"
	       "Access-Control-Allow-Methods: POST, OPTIONS\r\n"
	       "Access-Control-Allow-Headers: Authorization, Content-Type, X-API-Key, Last-Event-ID\r\n"
	       "Access-Control-Max-Age: 600\r\n\r\n");
	expect(&busy, &form,
	       "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
	       "Cache-Control: no-store\r\nRetry-After: 2\r\nVary: Origin\r\nAccess-Control-Allow-Origin: https://a\r\n"
	       "Access-Control-Expose-Headers: Retry-After, WWW-Authenticate\r\n\r\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("response");
	TCase *tests = tcase_create("response");
	tcase_add_test(tests, says_how_long_the_body_is_or_that_it_comes_in_chunks);
	tcase_add_test(tests, tells_browsers_what_they_may);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
