/* The client library against real nodes: it follows over nodes that are killed, restarted and drained, and misses nothing
 * that it is not told of. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/client/tgclient.h"
#include "tests/support/diary.h"
#include "tests/support/gateway.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define NODES 2
#define BEAT_MS 5
#define ROUNDS 6
#define EVENTS_A_ROUND 50
#define EVENTS_MAX (ROUNDS * (EVENTS_A_ROUND + 1))

static struct redis_server *redis;
static struct gateway *nodes[NODES];
static uint16_t ports[NODES];
static char urls[NODES][40];
static struct diary diary;
static struct tgc_client *client;

static void set_up(void)
{
	const char *flags[] = {"--heartbeat.interval", "500ms", NULL};
	redis = redis_server_start(NULL);
	for (int i = 0; i < NODES; i++) {
		nodes[i] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
		ports[i] = gateway_port(nodes[i]);
		snprintf(urls[i], sizeof urls[i], "%s", gateway_url(nodes[i]));
	}
	const char *all[NODES];
	for (int i = 0; i < NODES; i++)
		all[i] = urls[i];
	diary = (struct diary){.close = NULL};
	struct tgc_options options = {.urls = all, .url_count = NODES, .backoff_min_ms = 20, .handlers = diary_handlers};
	options.handlers.context = &diary;
	client = tgc_new(&options, NULL);
	ck_assert_ptr_nonnull(client);
	tgc_open(client);
}

static void tear_down(void)
{
	tgc_free(client);
	diary_fini(&diary);
	for (int i = 0; i < NODES; i++)
		gateway_end(nodes[i]);
	redis_server_free(redis);
}

/* The node the client is at. */
static int current(void)
{
	struct tgc_status status;
	tgc_status(client, &status);
	for (int i = 0; i < NODES; i++)
		if (strcmp(status.url, urls[i]) == 0)
			return i;
	ck_abort_msg("a url that was not given: %s", status.url);
	return 0;
}

static void kill_node(int node)
{
	process_signal(gateway_process(nodes[node]), SIGKILL);
	ck_assert(process_wait(gateway_process(nodes[node]), deadline_in(DEADLINE_MS), NULL));
	gateway_free(nodes[node]);
}

static void start_again(int node)
{
	char address[32];
	snprintf(address, sizeof address, "127.0.0.1:%u", ports[node]);
	const char *flags[] = {"--listen", address, "--heartbeat.interval", "500ms", NULL};
	nodes[node] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void publish(int number)
{
	char payload[32];
	snprintf(payload, sizeof payload, "{\"n\":%d}", number);
	redis_server_publish(redis, slice_of("trace:s1"), slice_of(payload));
}

/* Each number was shown once, in the order of ids; some may be missing only where the client told of a gap. */
static void judge(int count, bool may_miss)
{
	static unsigned shown[EVENTS_MAX];
	unsigned long long last_ms = 0, last_seq = 0, ms, seq;
	int number;
	memset(shown, 0, sizeof shown);
	buf_append_char(&diary.text, '\0');
	bool has_gap = strstr(diary.text.bytes, "\ngap ");
	ck_assert_msg(may_miss || !has_gap, "a gap where all is recorded");
	for (char *line = strtok(diary.text.bytes, "\n"); line; line = strtok(NULL, "\n")) {
		const char *data = strncmp(line, "event ", 6) == 0 ? strstr(line, "{\"n\":") : NULL;
		if (!data || sscanf(data, "{\"n\":%d}", &number) != 1)
			continue;
		shown[number]++;
		if (sscanf(line, "event 1 %llu-%llu ", &ms, &seq) == 2) {
			ck_assert_msg(ms > last_ms || (ms == last_ms && seq > last_seq), "out of order: %s", line);
			last_ms = ms;
			last_seq = seq;
		}
	}
	for (number = 0; number < count; number++)
		ck_assert_msg(shown[number] == 1 || (shown[number] == 0 && has_gap), "%d was shown %u times", number, shown[number]);
}

static void wait_count(const char *text, unsigned count)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (diary_count(&diary, text) < count) {
		ck_assert_msg(!deadline_has_passed(deadline), "\"%s\" did not come %u times", text, count);
		tgc_poll(client, BEAT_MS);
	}
}

START_TEST(follows_over_nodes_that_are_killed_and_restarted)
{
	const char *const channels[] = {"trace:*"};
	const struct tgc_subscription wish = {.channels = channels, .channel_count = 1};
	char last[32];
	int number = 0;
	ck_assert_int_eq(tgc_subscribe(client, &wish, NULL), TGC_OK);
	diary_wait(&diary, client, "subscribed 1 ok\n");
	bool had_cursor = tgc_cursor(client, 1).len > 0;
	for (int round = 0; round < ROUNDS; round++) {
		int node = current();
		for (int i = 0; i < EVENTS_A_ROUND; i++) {
			publish(number++);
			if (i == EVENTS_A_ROUND / 2)
				kill_node(node);
			tgc_poll(client, 0);
		}
		start_again(node);
		wait_count("subscribed 1 ok\n", (unsigned)round + 2);
		publish(number);
		snprintf(last, sizeof last, "{\"n\":%d}\n", number++);
		diary_wait(&diary, client, last);
		/* What only one node has heard and not yet recorded is lost with it: the next is killed when all is shown. */
		if (had_cursor)
			wait_count("event ", (unsigned)number);
	}
	judge(number, !had_cursor);
}
END_TEST

START_TEST(goes_elsewhere_when_its_node_drains)
{
	const struct tgc_subscription wish = {.channels = NULL};
	ck_assert_int_eq(tgc_subscribe(client, &wish, NULL), TGC_OK);
	diary_wait(&diary, client, "subscribed 1 ok\n");
	int node = current();
	process_signal(gateway_process(nodes[node]), SIGTERM);
	diary_wait(&diary, client, "notice draining\n");
	diary_wait(&diary, client, "state waiting 1012 ");
	diary_forget(&diary);
	diary_wait(&diary, client, "subscribed 1 ok\n");
	ck_assert_int_ne(current(), node);
	publish(1);
	diary_wait(&diary, client, "trace:s1 {\"n\":1}\n");
	gateway_free(nodes[node]);
	start_again(node);
}
END_TEST

START_TEST(asks_and_is_answered)
{
	const struct tgc_subscription wrong = {.filter = "{\"where\":[{\"path\":\"/x\",\"op\":\"=~\",\"value\":1}]}"};
	const char *const channels[] = {"trace:\xc3\xa9*"};
	const struct tgc_subscription wish = {.channels = channels, .channel_count = 1, .filter = "{}"};
	diary_wait(&diary, client, "state open");
	ck_assert_int_eq(tgc_request(client, "{\"op\":\"ping\"}", diary_on_reply, &diary), TGC_OK);
	diary_wait(&diary, client, "reply {\"now\":");
	ck_assert_int_eq(tgc_request(client, "{\"op\":\"juggle\"}", diary_on_reply, &diary), TGC_OK);
	diary_wait(&diary, client, "error unknown_op ");
	ck_assert_int_eq(tgc_subscribe(client, &wrong, NULL), TGC_OK);
	diary_wait(&diary, client, "subscribed 1 bad_filter\n");
	ck_assert_int_eq(tgc_subscribe(client, &wish, NULL), TGC_OK);
	diary_wait(&diary, client, "subscribed 2 ok\n");
	redis_server_publish(redis, slice_of("trace:\xc3\xa9t\xc3\xa9"), slice_of("{ \"a\" : 12345678901234567890 }"));
	diary_wait(&diary, client, "trace:\xc3\xa9t\xc3\xa9 { \"a\" : 12345678901234567890 }\n");
	ck_assert_int_eq(tgc_unsubscribe(client, 2), TGC_OK);
	ck_assert_int_eq(tgc_poll(client, 0), TGC_OK);
	gateway_wait_metric(nodes[current()], "subscriptions", "", 0);
}
END_TEST

START_TEST(leaves_a_node_that_has_stopped_without_a_word)
{
	const struct tgc_subscription wish = {.channels = NULL};
	ck_assert_int_eq(tgc_subscribe(client, &wish, NULL), TGC_OK);
	diary_wait(&diary, client, "subscribed 1 ok\n");
	int node = current();
	process_signal(gateway_process(nodes[node]), SIGSTOP);
	diary_forget(&diary);
	diary_wait(&diary, client, "state waiting 0 nothing was heard for ");
	diary_wait(&diary, client, "subscribed 1 ok\n");
	ck_assert_int_ne(current(), node);
	process_signal(gateway_process(nodes[node]), SIGCONT);
	publish(1);
	diary_wait(&diary, client, "trace:s1 {\"n\":1}\n");
	ck_assert_uint_eq(diary_count(&diary, "event "), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tests = tcase_create("client");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, follows_over_nodes_that_are_killed_and_restarted);
	tcase_add_test(tests, goes_elsewhere_when_its_node_drains);
	tcase_add_test(tests, asks_and_is_answered);
	tcase_add_test(tests, leaves_a_node_that_has_stopped_without_a_word);
	return suite_run(suite);
}
