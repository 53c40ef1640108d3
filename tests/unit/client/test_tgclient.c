/* A client and what it tells, against a node whose every word is the test's. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/client/tgclient.h"
#include "tests/support/diary.h"
#include "tests/support/fake_node.h"
#include "tests/support/suite.h"

static struct fake_node node;
static struct diary diary;
static struct tgc_client *client;

static struct tgc_client *make(struct tgc_options options)
{
	const char *urls[] = {node.url};
	char why[TGC_WHY_MAX] = "";
	options.urls = options.urls ? options.urls : urls;
	options.url_count = options.url_count ? options.url_count : 1;
	options.backoff_min_ms = options.backoff_min_ms ? options.backoff_min_ms : 10;
	options.handlers = diary_handlers;
	options.handlers.context = &diary;
	struct tgc_client *made = tgc_new(&options, why);
	ck_assert_msg(made != NULL, "%s", why);
	tgc_open(made);
	return made;
}

static void set_up(void)
{
	diary = (struct diary){.close = NULL};
	fake_node_open(&node);
	client = make((struct tgc_options){.token = NULL});
}

static void tear_down(void)
{
	tgc_free(client);
	diary_fini(&diary);
	fake_node_close(&node);
}

static uint64_t subscribe(const struct tgc_subscription *wish)
{
	uint64_t sub;
	ck_assert_int_eq(tgc_subscribe(client, wish, &sub), TGC_OK);
	return sub;
}

/* The next request must be that one, whatever its id; the reply to it. */
static void answer(const char *request, const char *reply)
{
	char text[512];
	unsigned id;
	int len = 0;
	const char *got = fake_node_read(&node, client);
	ck_assert_msg(sscanf(got, "{\"id\":%u,%n", &id, &len) == 1 && len && strcmp(got + len, request) == 0, "%s, not %s", got, request);
	snprintf(text, sizeof text, "{\"id\":%u,%s", id, reply);
	fake_node_send(&node, text);
}

#define SUBSCRIBE "\"op\":\"subscribe\"}"
#define TAKEN "\"ok\":{\"sub\":\"k\",\"cursor\":\"9-0.aa\",\"recorded\":true}}"
#define RECOVERED "\"ok\":{\"sub\":\"k2\",\"cursor\":\"99-0.aa\",\"recorded\":true,\"recovered\":true}}"

static void open_live(void)
{
	const struct tgc_subscription wish = {.channels = NULL};
	subscribe(&wish);
	fake_node_welcome(&node, client, 0);
	answer(SUBSCRIBE, TAKEN);
	diary_wait(&diary, client, "subscribed 1 ok\n");
}

START_TEST(gives_each_event_of_a_batch_with_its_bytes)
{
	open_live();
	fake_node_send(&node, "{\"op\":\"events\",\"sub\":\"k\",\"cursor\":\"12-0.aa\",\"events\":["
			      "{\"id\":\"11-0\",\"channel\":\"trace:\\u00e9\",\"ts\":11,\"data\":{\"n\" : 1.0e0}},"
			      "{\"id\":\"12-0\",\"channel\":\"agent:b\",\"ts\":12,\"data\":\"a\\nb\",\"format\":\"text\"}]}");
	diary_wait(&diary, client,
		   "event 1 11-0 trace:\xc3\xa9 {\"n\" : 1.0e0}\nevent 1 12-0 agent:b \"a\\nb\"\ncursor 1 12-0.aa\n");
	struct tgc_text cursor = tgc_cursor(client, 1);
	ck_assert(cursor.len == 7 && memcmp(cursor.ptr, "12-0.aa", 7) == 0);
}
END_TEST

#define BATCH_11 "{\"op\":\"events\",\"sub\":\"k\",\"cursor\":\"11-0.aa\",\"events\":[{\"id\":\"11-0\",\"channel\":\"a\",\"ts\":1,\"data\":1}]}"
#define BATCH_12 "{\"op\":\"events\",\"sub\":\"k2\",\"cursor\":\"12-0.aa\",\"events\":[{\"id\":\"12-0\",\"channel\":\"a\",\"ts\":1,\"data\":2}]}"

START_TEST(asks_again_from_its_cursor_after_a_cut)
{
	open_live();
	fake_node_send(&node, BATCH_11);
	diary_wait(&diary, client, "cursor 1 11-0.aa\n");
	fake_node_cut(&node);
	diary_wait(&diary, client, "state waiting 0 the connection was lost: ");
	fake_node_welcome(&node, client, 0);
	answer("\"op\":\"subscribe\",\"since\":\"11-0.aa\"}", RECOVERED);
	fake_node_send(&node, BATCH_12);
	diary_wait(&diary, client, "event 1 12-0 a 2\ncursor 1 12-0.aa\n");
	ck_assert_uint_eq(diary_count(&diary, "event "), 2);
	ck_assert_uint_eq(diary_count(&diary, "gap "), 0);
}
END_TEST

START_TEST(gives_nothing_of_a_batch_that_was_cut)
{
	char frame[256];
	int len = snprintf(frame, sizeof frame, "\x81%c%s", (int)strlen(BATCH_11), BATCH_11);
	open_live();
	fake_node_write(&node, (struct slice){frame, (size_t)len - 1});
	fake_node_cut(&node);
	diary_wait(&diary, client, "state waiting");
	ck_assert_uint_eq(diary_count(&diary, "event "), 0);
	fake_node_welcome(&node, client, 0);
	answer("\"op\":\"subscribe\",\"since\":\"9-0.aa\"}", RECOVERED);
}
END_TEST

START_TEST(reads_messages_that_come_byte_by_byte)
{
	char frame[256];
	int len = snprintf(frame, sizeof frame, "\x81%c%s", (int)strlen(BATCH_11), BATCH_11);
	open_live();
	for (int i = 0; i < len; i++) {
		ck_assert_uint_eq(diary_count(&diary, "event "), 0);
		fake_node_write(&node, (struct slice){frame + i, 1});
		tgc_poll(client, 1000);
	}
	diary_wait(&diary, client, "cursor 1 11-0.aa\n");
}
END_TEST

START_TEST(keeps_since_until_a_batch_has_come)
{
	const struct tgc_subscription wish = {.since = "1764031200123"};
	subscribe(&wish);
	for (int i = 0; i < 2; i++) {
		fake_node_welcome(&node, client, 0);
		answer("\"op\":\"subscribe\",\"since\":1764031200123}", RECOVERED);
		diary_wait(&diary, client, "subscribed 1 ok\n");
		diary_forget(&diary);
		fake_node_cut(&node);
		diary_wait(&diary, client, "state waiting");
	}
}
END_TEST

START_TEST(a_time_before_now_does_not_move_while_there_is_no_node)
{
	const struct tgc_subscription wish = {.since = "-5m"};
	unsigned ago_ms[2];
	subscribe(&wish);
	for (int i = 0; i < 2; i++) {
		fake_node_welcome(&node, client, 0);
		const char *since = strstr(fake_node_read(&node, client), "\"since\":\"-");
		ck_assert(since && sscanf(since, "\"since\":\"-%ums\"}", &ago_ms[i]) == 1);
		fake_node_cut(&node);
		diary_wait(&diary, client, "state waiting");
		diary_forget(&diary);
	}
	ck_assert_uint_ge(ago_ms[0], 300000);
	ck_assert_uint_gt(ago_ms[1], ago_ms[0]);
}
END_TEST

START_TEST(tells_what_the_node_says_is_missing)
{
	open_live();
	fake_node_send(&node, "{\"op\":\"gap\",\"sub\":\"k\",\"after\":\"9-0\",\"before\":\"12-0\",\"dropped\":2,\"reason\":\"slow\"}");
	fake_node_send(&node, "{\"op\":\"gap\",\"sub\":\"k\",\"after\":\"9-0\",\"before\":null,\"dropped\":null,\"reason\":\"trimmed\"}");
	fake_node_send(&node, "{\"op\":\"gap\",\"sub\":\"another\",\"dropped\":7,\"reason\":\"slow\"}");
	fake_node_send(&node, "{\"op\":\"notice\",\"code\":\"redisDown\"}");
	diary_wait(&diary, client, "gap 1 9-0 12-0 2 slow\ngap 1 9-0  -1 trimmed\nnotice redisDown\n");
}
END_TEST

START_TEST(tells_that_it_was_offline_where_nothing_is_recorded)
{
	const struct tgc_subscription wish = {.channels = NULL};
	subscribe(&wish);
	for (int i = 0; i < 2; i++) {
		fake_node_welcome(&node, client, 0);
		ck_assert_uint_eq(diary_count(&diary, "gap"), 0);
		answer(SUBSCRIBE, "\"ok\":{\"sub\":\"k\",\"cursor\":null,\"recorded\":false}}");
		diary_wait(&diary, client, i ? "gap 1   -1 offline\n" : "subscribed 1 ok\n");
		fake_node_cut(&node);
		diary_wait(&diary, client, "state waiting");
	}
}
END_TEST

START_TEST(writes_the_wish_as_the_protocol_has_it)
{
	const char *const channels[] = {"trace:*", "a\"b"};
	const struct tgc_subscription wish = {
		.channels = channels, .channel_count = 2, .filter = "{\"session\":[\"s\"]}", .since = "earliest", .slow = "drop"};
	subscribe(&wish);
	fake_node_welcome(&node, client, 0);
	answer("\"op\":\"subscribe\",\"channels\":[\"trace:*\",\"a\\\"b\"],\"filter\":{\"session\":[\"s\"]},\"slow\":\"drop\","
	       "\"since\":\"earliest\"}",
	       TAKEN);
	const struct tgc_subscription wrong = {.filter = "{\"session\":"};
	ck_assert_int_eq(tgc_subscribe(client, &wrong, NULL), TGC_INVALID);
	ck_assert_str_eq(tgc_why(client), "filter: a JSON object is needed");
}
END_TEST

START_TEST(a_refused_subscription_ends_and_a_temporary_one_is_asked_for_again)
{
	const struct tgc_subscription wish = {.channels = NULL};
	subscribe(&wish);
	fake_node_welcome(&node, client, 0);
	answer(SUBSCRIBE, "\"error\":{\"code\":\"rate_limited\",\"message\":\"slowly\",\"temporary\":true,\"retryAfterMs\":20}}");
	answer(SUBSCRIBE, "\"error\":{\"code\":\"bad_filter\",\"message\":\"no\",\"temporary\":false}}");
	diary_wait(&diary, client, "subscribed 1 bad_filter\n");
	ck_assert_uint_eq(diary_count(&diary, "subscribed"), 1);
	ck_assert_int_eq(tgc_unsubscribe(client, 1), TGC_INVALID);
}
END_TEST

START_TEST(gives_the_same_events_to_all_that_mean_the_same_and_takes_back_the_last)
{
	const struct tgc_subscription wish = {.channels = NULL};
	open_live();
	uint64_t other = subscribe(&wish);
	answer(SUBSCRIBE, TAKEN);
	diary_wait(&diary, client, "subscribed 2 ok\n");
	fake_node_send(&node, BATCH_11);
	diary_wait(&diary, client, "event 1 11-0 a 1\ncursor 1 11-0.aa\nevent 2 11-0 a 1\ncursor 2 11-0.aa\n");
	ck_assert_int_eq(tgc_unsubscribe(client, 1), TGC_OK);
	fake_node_send(&node, BATCH_11);
	diary_wait(&diary, client, "cursor 2 11-0.aa\nevent 2 11-0 a 1\ncursor 2 11-0.aa\n");
	ck_assert_uint_eq(diary_count(&diary, "event 1"), 1);
	ck_assert_int_eq(tgc_unsubscribe(client, other), TGC_OK);
	ck_assert_str_eq(fake_node_read(&node, client), "{\"op\":\"unsubscribe\",\"sub\":\"k\"}");
}
END_TEST

START_TEST(many_subscriptions_are_asked_for_a_few_at_a_time)
{
	const struct tgc_subscription wish = {.channels = NULL};
	for (int i = 0; i < 40; i++)
		subscribe(&wish);
	fake_node_welcome(&node, client, 0);
	for (int i = 0; i < 16; i++)
		fake_node_read(&node, client);
	fake_node_send(&node, "{\"op\":\"notice\",\"code\":\"redisUp\"}");
	diary_wait(&diary, client, "notice redisUp\n");
	ck_assert_uint_eq(node.in.len, 0);
	for (int i = 1; i <= 40; i++) {
		char reply[80];
		snprintf(reply, sizeof reply, "{\"id\":%d,\"ok\":{\"sub\":\"k%d\",\"cursor\":null}}", i, i);
		fake_node_send(&node, reply);
		if (i > 16)
			fake_node_read(&node, client);
	}
	diary_wait(&diary, client, "subscribed 40 ok\n");
}
END_TEST

START_TEST(hands_over_what_comes_of_a_replay)
{
	fake_node_welcome(&node, client, 0);
	subscribe(&(struct tgc_subscription){.slow = "drop"});
	answer("\"op\":\"subscribe\",\"slow\":\"drop\"}", "\"ok\":{\"sub\":\"r1\"}}");
	ck_assert_int_eq(tgc_request(client, "{\"op\":\"replay\",\"session\":\"s\"}", diary_on_reply, &diary), TGC_OK);
	answer("\"op\":\"replay\",\"session\":\"s\"}", "\"ok\":{\"replay\":\"r1\"}}");
	fake_node_send(&node, "{\"op\":\"events\",\"replay\":\"r1\",\"cursor\":\"2-0.00c0ffee\",\"events\":["
			      "{\"id\":\"1-0\",\"channel\":\"c:d\",\"ts\":1,\"data\":1},{\"id\":\"2-0\",\"channel\":\"c:d\",\"ts\":2,\"data\":2}]}");
	fake_node_send(&node, "{\"op\":\"gap\",\"replay\":\"r1\",\"after\":\"2-0\",\"before\":null,\"reason\":\"trimmed\"}");
	fake_node_send(&node, "{\"op\":\"replayEnd\",\"replay\":\"r1\",\"at\":\"2-0\"}");
	diary_wait(&diary, client, "replay end r1");
	diary_expect(&diary, "reply {\"replay\":\"r1\"}");
	diary_expect(&diary, "replay r1 2-0.00c0ffee 1 2");
	diary_expect(&diary, "replay gap r1");
	ck_assert_uint_eq(diary_count(&diary, "event "), 0);
}
END_TEST

START_TEST(gives_the_payload_as_it_was_published)
{
	static const struct {
		const char *data, *format, *payload;
		size_t len;
	} examples[] = {{"{\"a\" : 1}", "", "{\"a\" : 1}", 9},
			{"\"a\\u0000\\n\"", "text", "a\0\n", 3},
			{"\"/wA=\"", "base64", "\xff\0", 2},
			{"\"?\"", "base64", "", 0}};
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		const struct tgc_event event = {.data = {examples[i].data, strlen(examples[i].data)},
						.format = {examples[i].format, strlen(examples[i].format)}};
		char bytes[64];
		ck_assert_uint_eq(tgc_payload(&event, bytes), examples[i].len);
		ck_assert_int_eq(memcmp(bytes, examples[i].payload, examples[i].len), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tgclient");
	TCase *tests = tcase_create("tgclient");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, gives_each_event_of_a_batch_with_its_bytes);
	tcase_add_test(tests, asks_again_from_its_cursor_after_a_cut);
	tcase_add_test(tests, gives_nothing_of_a_batch_that_was_cut);
	tcase_add_test(tests, reads_messages_that_come_byte_by_byte);
	tcase_add_test(tests, keeps_since_until_a_batch_has_come);
	tcase_add_test(tests, a_time_before_now_does_not_move_while_there_is_no_node);
	tcase_add_test(tests, tells_what_the_node_says_is_missing);
	tcase_add_test(tests, tells_that_it_was_offline_where_nothing_is_recorded);
	tcase_add_test(tests, writes_the_wish_as_the_protocol_has_it);
	tcase_add_test(tests, a_refused_subscription_ends_and_a_temporary_one_is_asked_for_again);
	tcase_add_test(tests, gives_the_same_events_to_all_that_mean_the_same_and_takes_back_the_last);
	tcase_add_test(tests, many_subscriptions_are_asked_for_a_few_at_a_time);
	tcase_add_test(tests, hands_over_what_comes_of_a_replay);
	tcase_add_test(tests, gives_the_payload_as_it_was_published);
	return suite_run(suite);
}
