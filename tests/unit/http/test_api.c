#include "gateway/http/handlers.h"
#include "gateway/http/past_error.h"
#include "tests/support/suite.h"
#include "tests/support/token.h"
#include "tests/unit/http/fake_client.h"

static struct client client;

static void set_up(void)
{
	past_start(true);
}

static void tear_down(void)
{
	client_leaves(&client);
	past_end();
}

static void ask_with(const char *line, const char *fields, void (*change)(struct api *api))
{
	struct refusal refusal;
	client_leaves(&client);
	client = (struct client){.responder = {.ops = &fake_responder_ops}};
	client.api = (struct api){.exchange = exchange, .message_bytes_max = 256, .retry_after_s = 2, .auth = fake_auth};
	if (change)
		change(&client.api);
	snprintf(client.request, sizeof client.request, "%s\r\n%s\r\n", line, fields);
	ck_assert_int_eq(head_read(slice_of(client.request), &client.head), HEAD_COMPLETE);
	ck_assert(body_open(&client.length, &client.head, &refusal));
	api_meet(&client.api, &client.head, &client.responder);
	client.call = api_open(&client.api, &client.head, &client.length, &client.responder);
}

START_TEST(knows_its_paths_as_they_are_spelt)
{
	static const char *const paths[] = {"/v1/events", "/v1/history", "/v1/sessions", "/v1/publish"};
	static const char *const others[] = {"/v1/stream", "/ws", "/", "/v1/history/", "/v1/History", "/v1/%68istory", "/v1/histor"};
	for (size_t i = 0; i < 4; i++)
		ck_assert(api_knows(slice_of(paths[i])));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		ck_assert_msg(!api_knows(slice_of(others[i])), "%s", others[i]);
}
END_TEST

static const struct {
	const char *line;
	unsigned status;
	const char *allow;
} methods[] = {
	{"POST /v1/history", 405, "GET, HEAD, OPTIONS"}, {"DELETE /v1/sessions", 405, "GET, HEAD, OPTIONS"},
	{"GET /v1/publish", 405, "POST, OPTIONS"},       {"HEAD /v1/publish", 405, "POST, OPTIONS"},
	{"get /v1/history", 405, "GET, HEAD, OPTIONS"},  {"OPTIONS /v1/publish", 204, "POST, OPTIONS"},
	{"OPTIONS /v1/history", 204, "GET, HEAD, OPTIONS"},
};

START_TEST(says_which_methods_a_path_knows)
{
	client_asks(&client, methods[_i].line, "");
	ck_assert_uint_eq(client.status, methods[_i].status);
	ck_assert_str_eq(client.response.allow, methods[_i].allow);
	ck_assert(client.is_finished);
	if (client.responder.is_head_only)
		client_expect(&client, 405, "");
	else if (methods[_i].status == 405)
		client_expect_error(&client, 405, "method_not_allowed");
	else
		ck_assert_ptr_null(client.response.content_type);
}
END_TEST

static const struct {
	const char *line, *fields;
	unsigned status;
	const char *code;
} refused[] = {
	{"GET /v1/sessions HTTP/1.1", "", 400, "bad_request"},
	{"GET /v1/sessions HTTP/1.1", "Host:\r\n", 400, "bad_request"},
	{"GET /v1/sessions HTTP/1.1", "Host: a\r\nHost: b\r\n", 400, "bad_request"},
	{"GET /v1/sessions HTTP/1.0", "Host: a\r\nHost: b\r\n", 400, "bad_request"},
	{"GET /v1/sessions HTTP/1.1", "Host: a\r\nExpect: magic\r\n", 417, "expectation_failed"},
	{"GET /v1/sessions HTTP/1.1", "Host: a\r\nOrigin: https://evil\r\n", 403, "origin_not_allowed"},
	{"OPTIONS /v1/publish HTTP/1.1", "Host: a\r\nOrigin: https://evil\r\nAccess-Control-Request-Method: POST\r\n", 403,
	 "origin_not_allowed"},
	{"GET /v1/sessions?a=1&a=2 HTTP/1.1", "Host: a\r\n", 400, "bad_request"},
	{"GET /v1/sessions?a=%00 HTTP/1.1", "Host: a\r\n", 400, "bad_request"},
	{"GET /v1/sessions?limit=0 HTTP/1.1", "Host: a\r\n", 400, "bad_request"},
	{"GET /v1/sessions?limit=1001 HTTP/1.1", "Host: a\r\n", 400, "bad_request"},
	{"GET /v1/sessions?limit= HTTP/1.1", "Host: a\r\n", 400, "bad_request"},
	{"GET /v1/sessions?cursor=18446744073709551616 HTTP/1.1", "Host: a\r\n", 400, "bad_request"},
	{"GET /v1/sessions?cursor=-1 HTTP/1.1", "Host: a\r\n", 400, "bad_request"},
	{"GET /v1/sessions HTTP/1.1", "Host: a\r\nAccept: text/html\r\n", 406, "not_acceptable"},
};

START_TEST(refuses_before_anything_is_asked)
{
	ask_with(refused[_i].line, refused[_i].fields, NULL);
	client_expect_error(&client, refused[_i].status, refused[_i].code);
	ck_assert_uint_eq(question_count, 0);
}
END_TEST

static void drain(struct api *api)
{
	api->is_draining = true;
}

START_TEST(sends_clients_away_while_it_drains)
{
	ask_with("GET /v1/sessions HTTP/1.1", "Host: a\r\n", drain);
	client_expect_error(&client, 503, "draining");
	ck_assert_uint_eq(client.response.retry_after_s, 2);
}
END_TEST

START_TEST(allows_browsers_of_its_own_origin)
{
	ask_with("OPTIONS /v1/publish HTTP/1.1", "Host: a\r\nOrigin: http://a\r\nAccess-Control-Request-Method: POST\r\n", NULL);
	ck_assert_uint_eq(client.status, 204);
	ck_assert(client.response.is_preflight);
	ck_assert(slice_is(client.responder.origin, "http://a"));
}
END_TEST

static void ask_and_leave(const char *line, const char *fields)
{
	client_leaves(&client);
	client_asks(&client, line, fields);
}

#define RATE 5
#define TOKEN_SECRET "a secret of more than thirty-two bytes"

static void start_rated(void)
{
	past_end();
	past_start_rated(RATE);
	auth_start(&(struct auth_settings){.served = {fake_patterns, 4}, .jwt_secret = TOKEN_SECRET});
}

static void from_address(struct admission *admission, const char *address)
{
	struct ip ip;
	ck_assert(ip_read(slice_of(address), &ip));
	*admission = (struct admission){.peer = ip, .client = ip, .address = address_key_of(&ip)};
	fake_admission = admission;
}

START_TEST(an_address_asks_so_often_and_no_more)
{
	struct admission one, two;
	start_rated();
	from_address(&one, "2001:db8::1");
	for (unsigned i = 0; i < RATE; i++) {
		ask_and_leave(i % 2 ? "DELETE /v1/history" : "GET /v1/sessions", "");
		ck_assert_uint_ne(client.status, 429);
	}
	ask_and_leave("GET /v1/sessions", "");
	client_expect(&client, 429, "{\"error\":{\"code\":\"rate_limited\",\"message\":\"too many requests in a second\",\"retryAfterMs\":200}}\n");
	ck_assert_uint_eq(client.response.retry_after_s, 1);
	ck_assert_uint_eq(metric_read(METRIC_RATE_LIMITED), 1);
	/* Another address of the same network is the same client. */
	from_address(&two, "2001:db8::ffff");
	ask_and_leave("GET /v1/sessions", "");
	ck_assert_uint_eq(client.status, 429);
	from_address(&two, "2001:db8:0:1::1");
	ask_and_leave("GET /v1/sessions", "");
	ck_assert_uint_eq(client.status, 0);
	from_address(&one, "2001:db8::1");
	clock_fake_advance_ms(200);
	ask_and_leave("GET /v1/sessions", "");
	ck_assert_uint_eq(client.status, 0);
	fake_admission = NULL;
}
END_TEST

/* Whatever address it comes from, and where others ask from the same one. */
START_TEST(an_identity_asks_as_often_as_its_credential_says)
{
	struct admission address;
	char fields[1024];
	start_rated();
	char *token = test_token_hs256("{\"sub\":\"ann\",\"exp\":4102444800,\"tracegate\":{\"limits\":{\"commandsPerSecond\":2}}}", TOKEN_SECRET);
	snprintf(fields, sizeof fields, "Authorization: Bearer %s\r\n", token);
	free(token);
	for (unsigned i = 0; i < 4; i++) {
		char text[32];
		snprintf(text, sizeof text, "192.0.2.%u", i);
		from_address(&address, text);
		ask_and_leave("GET /v1/sessions", fields);
		ck_assert_uint_eq(client.status, i < 2 ? 0 : 429);
	}
	ask_and_leave("GET /v1/sessions", "");
	ck_assert_uint_eq(client.status, 0);
	fake_admission = NULL;
}
END_TEST

START_TEST(questions_of_browsers_and_bad_credentials_count_for_nobody)
{
	struct admission address;
	start_rated();
	from_address(&address, "192.0.2.1");
	for (unsigned i = 0; i < 3 * RATE; i++) {
		ask_and_leave("OPTIONS /v1/history", "Access-Control-Request-Method: GET\r\n");
		ck_assert_uint_eq(client.status, 204);
		ask_and_leave("GET /v1/history", "Authorization: Bearer bad\r\n");
		ck_assert_uint_eq(client.status, 401);
	}
	ask_and_leave("GET /v1/sessions", "");
	ck_assert_uint_eq(client.status, 0);
	fake_admission = NULL;
}
END_TEST

START_TEST(a_page_may_read_why_there_is_nothing)
{
	client_leaves(&client);
	client = (struct client){.responder = {.ops = &fake_responder_ops}};
	client.api = (struct api){.exchange = exchange, .auth = fake_auth};
	ck_assert_int_eq(head_read(slice_of("GET /v1/nothing HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n"), &client.head), HEAD_COMPLETE);
	api_meet(&client.api, &client.head, &client.responder);
	client.call = api_open(&client.api, &client.head, &client.length, &client.responder);
	client_expect_error(&client, 404, "not_found");
	ck_assert(slice_is(client.responder.origin, "http://a"));
}
END_TEST

START_TEST(lists_sessions_page_by_page)
{
	const struct session_summary some[] = {
		{SLICE_LITERAL("s1"), {1, 0}, {9, 1}, 5},
		{SLICE_LITERAL("quo\"te"), {2, 0}, {2, 0}, 1},
	};
	client_asks(&client, "GET /v1/sessions?limit=2&cursor=41", "");
	ck_assert_uint_eq(question_count, 1);
	ck_assert_uint_eq(questions[0]->limit, 2);
	ck_assert_uint_eq(questions[0]->cursor, 41);
	struct answer *answer = answer_to(0, OK);
	answer->sessions = session_list_new(UINT64_MAX, some, 2);
	exchange_answer(exchange, answer);
	client_expect(&client, 200,
		      "{\"sessions\":[{\"session\":\"s1\",\"first\":\"1-0\",\"last\":\"9-1\",\"length\":5},"
		      "{\"session\":\"quo\\\"te\",\"first\":\"2-0\",\"last\":\"2-0\",\"length\":1}],\"next\":\"18446744073709551615\"}\n");
	client_leaves(&client);
	client_asks(&client, "GET /v1/sessions", "");
	answer = answer_to(1, OK);
	answer->sessions = session_list_new(0, NULL, 0);
	exchange_answer(exchange, answer);
	client_expect(&client, 200, "{\"sessions\":[],\"next\":null}\n");
}
END_TEST

START_TEST(says_why_it_has_no_sessions)
{
	struct refusal refusal = past_refusal(ERR_AGAIN, "", 2);
	ck_assert_uint_eq(refusal.status, 503);
	client_asks(&client, "GET /v1/sessions", "");
	past_fails(0, ERR_CLOSED);
	client_expect_error(&client, 503, "unavailable");
	client_leaves(&client);
	client_asks(&client, "GET /v1/sessions", "");
	client_leaves(&client);
	client.call = NULL;
	ck_assert_uint_eq(cancel_count, 1);
	past_end();
	past_start(false);
	client_asks(&client, "GET /v1/sessions", "");
	client_expect_error(&client, 501, "no_history");
}
END_TEST

START_TEST(a_head_has_no_body)
{
	client_asks(&client, "HEAD /v1/sessions", "");
	struct answer *answer = answer_to(0, OK);
	answer->sessions = session_list_new(0, NULL, 0);
	exchange_answer(exchange, answer);
	client_expect(&client, 200, "");
	ck_assert_uint_eq(client.response.length, strlen("{\"sessions\":[],\"next\":null}\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api");
	TCase *tests = tcase_create("api");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, knows_its_paths_as_they_are_spelt);
	tcase_add_loop_test(tests, says_which_methods_a_path_knows, 0, sizeof methods / sizeof methods[0]);
	tcase_add_loop_test(tests, refuses_before_anything_is_asked, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tests, sends_clients_away_while_it_drains);
	tcase_add_test(tests, allows_browsers_of_its_own_origin);
	tcase_add_test(tests, an_address_asks_so_often_and_no_more);
	tcase_add_test(tests, an_identity_asks_as_often_as_its_credential_says);
	tcase_add_test(tests, questions_of_browsers_and_bad_credentials_count_for_nobody);
	tcase_add_test(tests, a_page_may_read_why_there_is_nothing);
	tcase_add_test(tests, lists_sessions_page_by_page);
	tcase_add_test(tests, says_why_it_has_no_sessions);
	tcase_add_test(tests, a_head_has_no_body);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
