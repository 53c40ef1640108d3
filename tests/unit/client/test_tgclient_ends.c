/* How connections of a client end, and where it goes then; requests that lose theirs; limits; handlers that end it. */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/client/tgclient.h"
#include "common/codec/wsframe.h"
#include "tests/support/diary.h"
#include "tests/support/fake_node.h"
#include "tests/support/suite.h"

static struct fake_node nodes[2];
static struct diary diary;
static struct tgc_client *client;
static char why[TGC_WHY_MAX];

static struct tgc_client *make(size_t url_count, struct tgc_options options)
{
	const char *urls[] = {nodes[0].url, nodes[1].url};
	options.urls = urls;
	options.url_count = url_count;
	options.backoff_min_ms = options.backoff_min_ms ? options.backoff_min_ms : 10;
	options.handlers = diary_handlers;
	options.handlers.context = &diary;
	client = tgc_new(&options, why);
	ck_assert_msg(client != NULL, "%s", why);
	tgc_open(client);
	return client;
}

static void set_up(void)
{
	diary = (struct diary){.close = NULL};
	client = NULL;
	for (int i = 0; i < 2; i++)
		fake_node_open(&nodes[i]);
}

static void tear_down(void)
{
	tgc_free(client);
	diary_fini(&diary);
	for (int i = 0; i < 2; i++)
		fake_node_close(&nodes[i]);
}

START_TEST(an_option_that_is_wrong_is_named)
{
	static const struct {
		const char *url, *token, *ca_file, *why;
	} wrong[] = {{"ftp://a", NULL, NULL, "ftp://a: not of the form ws://host[:port][/path][?query] or wss://..."},
		     {"wss://a", NULL, "/nothing.pem", "/nothing.pem: No such file or directory"},
		     {"ws://a", "a\r\nb", NULL, "token: holds a character that a header line cannot carry"}};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const struct tgc_options options = {.urls = &wrong[i].url, .url_count = 1, .token = wrong[i].token, .ca_file = wrong[i].ca_file};
		ck_assert_ptr_null(tgc_new(&options, why));
		ck_assert_str_eq(why, wrong[i].why);
	}
	ck_assert_ptr_null(tgc_new(&(struct tgc_options){.url_count = 0}, why));
	ck_assert_str_eq(why, "no url is given");
}
END_TEST

START_TEST(does_nothing_before_it_is_opened)
{
	const char *url = nodes[0].url;
	client = tgc_new(&(struct tgc_options){.urls = &url, .url_count = 1}, why);
	ck_assert_int_eq(tgc_poll(client, -1), TGC_ENDED);
	ck_assert_int_eq(tgc_fd(client), -1);
	ck_assert_int_eq(tgc_timeout_ms(client), -1);
	ck_assert_int_eq(tgc_request(client, "{\"op\":\"ping\"}", NULL, NULL), TGC_OFFLINE);
}
END_TEST

START_TEST(goes_round_the_nodes_when_one_refuses_connections)
{
	fake_node_deafen(&nodes[0]);
	make(2, (struct tgc_options){.token = "secret"});
	fake_node_welcome(&nodes[1], client, 0);
	diary_expect(&diary, "state waiting 0 cannot connect: Connection refused\nstate connecting 0 \nstate open");
	ck_assert_ptr_nonnull(strstr(nodes[1].head.bytes, "\r\nAuthorization: Bearer secret\r\n"));
}
END_TEST

static const struct {
	const char *answer, *state;
} refusals[] = {
	{"HTTP/1.1 401 Unauthorized\r\nContent-Length: 53\r\n\r\n{\"error\":{\"code\":\"x\",\"message\":\"who are\\u001b you?\"}}",
	 "state closed 401 refused with status 401: who are? you?\n"},
	{"HTTP/1.1 404 Not Found\r\n\r\n", "state closed 404 refused with status 404\n"},
	{"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n", "state waiting 503 refused with status 503\n"},
	{"HTTP/1.1 429 Busy\r\nContent-Length: 0\r\n\r\n", "state waiting 429 refused with status 429\n"},
	{"SSH-2.0\r\n", "state waiting 0 the response is not HTTP, or its head is too long\n"},
	{"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n", "state waiting 0 the 101 response has no Connection: Upgrade\n"},
};

START_TEST(judges_what_the_handshake_is_answered)
{
	struct tgc_status status;
	make(1, (struct tgc_options){.token = NULL});
	fake_node_accept(&nodes[0], client);
	const char *half = refusals[_i].answer + strlen(refusals[_i].answer) / 2;
	fake_node_write(&nodes[0], (struct slice){refusals[_i].answer, (size_t)(half - refusals[_i].answer)});
	tgc_poll(client, 10);
	fake_node_write(&nodes[0], slice_of(half));
	if (strstr(refusals[_i].answer, "SSH"))
		fake_node_write(&nodes[0], slice_of("\r\n\r\n"));
	diary_wait(&diary, client, refusals[_i].state);
	tgc_status(client, &status);
	ck_assert_uint_le(status.retry_in_ms, status.code == 503 ? 9100 : 100);
	ck_assert_uint_ge(status.retry_in_ms, status.code == 503 ? 8500 : 0);
}
END_TEST

static const struct {
	uint16_t code;
	bool is_final;
} codes[] = {{1000, false}, {1001, false}, {1011, false}, {1012, false}, {1013, false}, {4400, true},
	     {4401, true},  {4429, true},  {4499, true},  {4500, false}, {4502, false}, {4600, false}};

START_TEST(a_close_code_says_whether_to_come_back)
{
	char state[64];
	make(1, (struct tgc_options){.token = NULL});
	fake_node_welcome(&nodes[0], client, 0);
	fake_node_send_close(&nodes[0], codes[_i].code, "because");
	snprintf(state, sizeof state, "state %s %u because\n", codes[_i].is_final ? "closed" : "waiting", codes[_i].code);
	diary_wait(&diary, client, state);
	struct slice echo = fake_node_read_frame(&nodes[0], client, WSFRAME_CLOSE);
	ck_assert(echo.len == 2 && ((uint8_t)echo.ptr[0] << 8 | (uint8_t)echo.ptr[1]) == codes[_i].code);
	fake_node_expect_end(&nodes[0], client);
	ck_assert_int_eq(tgc_poll(client, 0), codes[_i].is_final ? TGC_ENDED : TGC_OK);
}
END_TEST

START_TEST(opens_again_with_another_token_and_the_old_subscriptions)
{
	const struct tgc_subscription wish = {.since = "5-0.aa"};
	make(1, (struct tgc_options){.token = "old"});
	ck_assert_int_eq(tgc_subscribe(client, &wish, NULL), TGC_OK);
	fake_node_welcome(&nodes[0], client, 0);
	fake_node_send_close(&nodes[0], 4401, "expired");
	diary_wait(&diary, client, "state closed 4401 expired\n");
	fake_node_read(&nodes[0], client);
	fake_node_cut(&nodes[0]);
	ck_assert_int_eq(tgc_set_token(client, "new"), TGC_OK);
	tgc_open(client);
	fake_node_welcome(&nodes[0], client, 0);
	ck_assert_ptr_nonnull(strstr(nodes[0].head.bytes, "\r\nAuthorization: Bearer new\r\n"));
	ck_assert_ptr_nonnull(strstr(fake_node_read(&nodes[0], client), ",\"op\":\"subscribe\",\"since\":\"5-0.aa\"}"));
}
END_TEST

START_TEST(comes_back_elsewhere_when_a_draining_node_said)
{
	struct tgc_status status;
	make(2, (struct tgc_options){.token = NULL});
	fake_node_welcome(&nodes[0], client, 0);
	fake_node_send(&nodes[0], "{\"op\":\"notice\",\"code\":\"draining\",\"reconnectInMs\":5000}");
	fake_node_send_close(&nodes[0], 1012, "draining");
	diary_wait(&diary, client, "notice draining\nstate waiting 1012 draining\n");
	tgc_status(client, &status);
	ck_assert_uint_gt(status.retry_in_ms, 1000);
	ck_assert_str_eq(status.url, nodes[0].url);
	tgc_open(client); /* the user is in a hurry */
	fake_node_welcome(&nodes[1], client, 0);
}
END_TEST

START_TEST(comes_back_when_nothing_is_heard_and_answers_pings)
{
	static const char ping[] = "\x89\x02hi";
	make(1, (struct tgc_options){.token = NULL});
	fake_node_welcome(&nodes[0], client, 50);
	fake_node_write(&nodes[0], (struct slice){ping, sizeof ping - 1});
	ck_assert(slice_is(fake_node_read_frame(&nodes[0], client, WSFRAME_PONG), "hi"));
	diary_wait(&diary, client, "state waiting 0 nothing was heard for ");
	fake_node_expect_end(&nodes[0], client);
	fake_node_welcome(&nodes[0], client, 50);
}
END_TEST

START_TEST(gives_up_an_attempt_that_gets_no_answer)
{
	make(1, (struct tgc_options){.connect_timeout_ms = 30});
	fake_node_accept(&nodes[0], client);
	diary_wait(&diary, client, "state waiting 0 no answer to the handshake in time\n");
	fake_node_expect_end(&nodes[0], client);
	diary_forget(&diary);
	fake_node_accept(&nodes[0], client);
	fake_node_upgrade(&nodes[0]);
	diary_wait(&diary, client, "state waiting 0 no welcome in time\n");
}
END_TEST

START_TEST(stops_at_a_message_over_its_limit)
{
	make(1, (struct tgc_options){.message_bytes_max = 1000});
	fake_node_welcome(&nodes[0], client, 0);
	fake_node_write(&nodes[0], (struct slice){"\x81\x7f\0\0\0\0\0\1\0\0", 10});
	diary_wait(&diary, client, "state closed 1009 a message longer than the limit\n");
}
END_TEST

START_TEST(comes_back_from_a_node_that_talks_nonsense)
{
	static const char *const nonsense[] = {"[]", "{\"op\":", "", "{} {}", "{\"limits\":{\"messageBytes\":}}"};
	make(1, (struct tgc_options){.token = NULL});
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
		fake_node_welcome(&nodes[0], client, 0);
		fake_node_send(&nodes[0], nonsense[i]);
		diary_wait(&diary, client, "state waiting 0 the node sent a message that is no JSON object\n");
		diary_forget(&diary);
		fake_node_expect_end(&nodes[0], client);
	}
	fake_node_welcome(&nodes[0], client, 0);
	fake_node_send(&nodes[0], "{\"op\":\"later\"}");
	fake_node_send(&nodes[0], "{\"op\":\"events\",\"sub\":3,\"events\":{}}");
	fake_node_send(&nodes[0], "{\"id\":77,\"ok\":{}}");
	fake_node_send(&nodes[0], "{\"op\":\"notice\",\"code\":\"redisUp\"}");
	diary_wait(&diary, client, "notice redisUp\n");
}
END_TEST

#define HISTORY "{ \"op\":\"history\",\"session\":\"s1\"}"

START_TEST(gives_chunks_then_the_reply)
{
	make(1, (struct tgc_options){.token = NULL});
	fake_node_welcome(&nodes[0], client, 0);
	ck_assert_int_eq(tgc_request(client, HISTORY, diary_on_reply, &diary), TGC_OK);
	ck_assert_int_eq(tgc_request(client, "{\"op\":\"publish\"}", diary_on_reply, &diary), TGC_OK);
	ck_assert_str_eq(fake_node_read(&nodes[0], client), "{\"id\":1, \"op\":\"history\",\"session\":\"s1\"}");
	ck_assert_str_eq(fake_node_read(&nodes[0], client), "{\"id\":2,\"op\":\"publish\"}");
	fake_node_send(&nodes[0], "{\"op\":\"chunk\",\"id\":1,\"seq\":0,\"events\":[{\"channel\":\"a\",\"ts\":1,\"data\":1},{},"
				  "{\"channel\":\"a\",\"ts\":1,\"data\":[2]}]}");
	fake_node_send(&nodes[0], "{\"id\":2,\"error\":{\"code\":\"denied\",\"message\":\"not \\\"you\\\"\",\"temporary\":false}}");
	fake_node_send(&nodes[0], "{\"id\":1,\"ok\":{\"events\":2,\"next\":null}}");
	diary_wait(&diary, client, "chunk 1 [2]\nerror denied not \"you\"\nreply {\"events\":2,\"next\":null}\n");
}
END_TEST

/* On this connection at once, and on the next. */
START_TEST(brings_a_new_token_in_place_and_at_the_next_connection)
{
	make(1, (struct tgc_options){.token = "old"});
	ck_assert_int_eq(tgc_authenticate(client, "early", NULL, NULL), TGC_OFFLINE);
	fake_node_welcome(&nodes[0], client, 30000);
	ck_assert_ptr_nonnull(strstr(nodes[0].head.bytes, "Authorization: Bearer early\r\n"));
	ck_assert_int_eq(tgc_authenticate(client, "", NULL, NULL), TGC_INVALID);
	ck_assert_int_eq(tgc_authenticate(client, "a\r\nb", NULL, NULL), TGC_INVALID);
	ck_assert_int_eq(tgc_authenticate(client, "new\"token", diary_on_reply, &diary), TGC_OK);
	const char *request = fake_node_read(&nodes[0], client);
	ck_assert_ptr_nonnull(strstr(request, "\"op\":\"auth\",\"token\":\"new\\\"token\"}"));
	fake_node_cut(&nodes[0]);
	fake_node_welcome(&nodes[0], client, 30000);
	ck_assert_ptr_nonnull(strstr(nodes[0].head.bytes, "Authorization: Bearer new\"token\r\n"));
}
END_TEST

START_TEST(a_request_ends_once_when_the_connection_does)
{
	make(1, (struct tgc_options){.requests_max = 2});
	fake_node_welcome(&nodes[0], client, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(tgc_request(client, HISTORY, diary_on_reply, &diary), i < 2 ? TGC_OK : TGC_LIMIT);
	fake_node_read(&nodes[0], client);
	fake_node_cut(&nodes[0]);
	diary_wait(&diary, client, "state waiting");
	diary_expect(&diary, "error disconnected the connection ended before the reply\n");
	ck_assert_uint_eq(diary_count(&diary, "error disconnected"), 2);
	fake_node_welcome(&nodes[0], client, 0);
	ck_assert_int_eq(tgc_request(client, HISTORY, diary_on_reply, &diary), TGC_OK);
	tgc_close(client);
	ck_assert_uint_eq(diary_count(&diary, "error disconnected"), 3);
	diary_expect(&diary, "state closed 1000 closed by the application\n");
}
END_TEST

START_TEST(refuses_requests_that_cannot_be_sent)
{
	static const char *const wrong[] = {"", "[]", "{\"op\":\"ping\",\"\\u0069d\":1}", "{\"op\":1}", "{}", "{\"op\":\"ping\"} {}"};
	make(1, (struct tgc_options){.output_bytes_max = 60000});
	fake_node_welcome(&nodes[0], client, 0);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ck_assert_int_eq(tgc_request(client, wrong[i], NULL, NULL), TGC_INVALID);
	char *longer = malloc(70001);
	memset(longer, ' ', 70000);
	memcpy(longer, "{\"op\":\"ping\"}", 13);
	longer[70000] = '\0';
	ck_assert_int_eq(tgc_request(client, longer, NULL, NULL), TGC_LIMIT);
	ck_assert_str_eq(tgc_why(client), "longer than the messages that the node takes");
	longer[40000] = '\0';
	ck_assert_int_eq(tgc_request(client, longer, NULL, NULL), TGC_OK);
	ck_assert_int_eq(tgc_request(client, longer, NULL, NULL), TGC_LIMIT);
	ck_assert_str_eq(tgc_why(client), "too much waits to be sent");
	free(longer);
	fake_node_read(&nodes[0], client);
}
END_TEST

#define EVENTS                                                                                                                 \
	"{\"op\":\"events\",\"sub\":\"k\",\"cursor\":\"6-0.aa\",\"events\":[{\"id\":\"5-0\",\"channel\":\"a\",\"ts\":1,\"data\":1},"  \
	"{\"id\":\"6-0\",\"channel\":\"a\",\"ts\":1,\"data\":2}]}"

static void open_live(void)
{
	const struct tgc_subscription wish = {.channels = NULL};
	make(1, (struct tgc_options){.token = NULL});
	ck_assert_int_eq(tgc_subscribe(client, &wish, NULL), TGC_OK);
	fake_node_welcome(&nodes[0], client, 0);
	fake_node_read(&nodes[0], client);
	fake_node_send(&nodes[0], "{\"id\":1,\"ok\":{\"sub\":\"k\",\"cursor\":\"1-0\"}}");
	diary_wait(&diary, client, "subscribed 1 ok\n");
}

START_TEST(a_handler_may_close_the_client_in_the_middle_of_a_batch)
{
	open_live();
	diary.close = client;
	ck_assert_int_eq(tgc_request(client, HISTORY, diary_on_reply, &diary), TGC_OK);
	fake_node_send(&nodes[0], EVENTS);
	fake_node_send(&nodes[0], EVENTS);
	diary_wait(&diary, client, "error disconnected the connection ended before the reply\nstate closed 1000 closed by the application\n");
	ck_assert_uint_eq(diary_count(&diary, "event "), 1);
	ck_assert_uint_eq(diary_count(&diary, "cursor "), 0);
	struct tgc_text cursor = tgc_cursor(client, 1);
	ck_assert(cursor.len == 6 && memcmp(cursor.ptr, "5-0.aa", 6) == 0);
}
END_TEST

START_TEST(a_handler_may_free_the_client)
{
	open_live();
	diary.free = client;
	ck_assert_int_eq(tgc_request(client, HISTORY, diary_on_reply, &diary), TGC_OK);
	fake_node_send(&nodes[0], EVENTS);
	while (tgc_poll(client, 1000) == TGC_OK)
		;
	client = NULL;
	ck_assert_uint_eq(diary_count(&diary, "event "), 1);
	ck_assert_uint_eq(diary_count(&diary, "error disconnected"), 1);
	ck_assert_uint_eq(diary_count(&diary, "cursor "), 0);
}
END_TEST

START_TEST(closing_says_goodbye)
{
	open_live();
	tgc_close(client);
	struct slice goodbye = fake_node_read_frame(&nodes[0], client, WSFRAME_CLOSE);
	ck_assert(goodbye.len == 2 && memcmp(goodbye.ptr, "\x03\xe8", 2) == 0);
	fake_node_expect_end(&nodes[0], client);
	ck_assert_int_eq(tgc_poll(client, -1), TGC_ENDED);
}
END_TEST

START_TEST(lives_in_a_loop_of_another)
{
	make(1, (struct tgc_options){.token = NULL});
	ck_assert_int_eq(tgc_fd(client), -1);
	ck_assert_int_eq(tgc_timeout_ms(client), 0);
	ck_assert_int_eq(tgc_step(client, 0), TGC_OK);
	ck_assert_int_ge(tgc_fd(client), 0);
	ck_assert_int_eq(tgc_events(client), POLLOUT);
	ck_assert_int_gt(tgc_timeout_ms(client), 0);
	fake_node_accept(&nodes[0], client);
	ck_assert_int_eq(tgc_events(client), POLLIN);
	fake_node_upgrade(&nodes[0]);
	fake_node_send(&nodes[0], "{\"op\":\"welcome\"}");
	diary_wait(&diary, client, "state open");
	ck_assert_int_eq(tgc_timeout_ms(client), -1);
	ck_assert_int_eq(tgc_request(client, HISTORY, NULL, NULL), TGC_OK);
	ck_assert_int_eq(tgc_events(client), POLLIN | POLLOUT);
	ck_assert_int_eq(tgc_step(client, 0), TGC_OK);
	ck_assert_int_eq(tgc_events(client), POLLIN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tgclient_ends");
	TCase *tests = tcase_create("tgclient_ends");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, an_option_that_is_wrong_is_named);
	tcase_add_test(tests, does_nothing_before_it_is_opened);
	tcase_add_test(tests, goes_round_the_nodes_when_one_refuses_connections);
	tcase_add_loop_test(tests, judges_what_the_handshake_is_answered, 0, sizeof refusals / sizeof refusals[0]);
	tcase_add_loop_test(tests, a_close_code_says_whether_to_come_back, 0, sizeof codes / sizeof codes[0]);
	tcase_add_test(tests, opens_again_with_another_token_and_the_old_subscriptions);
	tcase_add_test(tests, comes_back_elsewhere_when_a_draining_node_said);
	tcase_add_test(tests, comes_back_when_nothing_is_heard_and_answers_pings);
	tcase_add_test(tests, gives_up_an_attempt_that_gets_no_answer);
	tcase_add_test(tests, stops_at_a_message_over_its_limit);
	tcase_add_test(tests, comes_back_from_a_node_that_talks_nonsense);
	tcase_add_test(tests, gives_chunks_then_the_reply);
	tcase_add_test(tests, brings_a_new_token_in_place_and_at_the_next_connection);
	tcase_add_test(tests, a_request_ends_once_when_the_connection_does);
	tcase_add_test(tests, refuses_requests_that_cannot_be_sent);
	tcase_add_test(tests, a_handler_may_close_the_client_in_the_middle_of_a_batch);
	tcase_add_test(tests, a_handler_may_free_the_client);
	tcase_add_test(tests, closing_says_goodbye);
	tcase_add_test(tests, lives_in_a_loop_of_another);
	return suite_run(suite);
}
