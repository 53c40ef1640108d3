/* Clients with deltas at two real nodes, among them one that does not read for a while, one that drops and one that comes and
 * goes: every text is what was published, byte for byte, and none had to be asked for again. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/client/tgclient.h"
#include "tests/support/gateway.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define NODES 2
#define CHANNELS 3
#define LIGHT 600          /* events that change a little */
#define HEAVY 1600         /* events behind them that have much that is new: who does not read falls behind */
#define EVENTS (LIGHT + HEAVY)
#define HEAVY_BYTES 8000
#define BEAT_MS 2

struct watcher_client {
	struct tgc_client *client;
	uint64_t seen_count, wrong, doubled, gap_count, lost;
	unsigned subscribed;
	unsigned char seen[EVENTS];
};

static struct redis_server *redis;
static struct gateway *nodes[NODES];
static struct watcher_client steady, sleeper, dropper, comer;
static char expected[HEAVY_BYTES * 2];

/* The payload of an event, the same whenever it is asked for. */
static struct slice payload_of(unsigned number)
{
	static const char *const words[] = {"thinking", "acting", "waiting for the tool", "résumé prêt", "完了しました"};
	uint64_t mix = number * UINT64_C(0x9E3779B97F4A7C15) + 1;
	int len = snprintf(expected, sizeof expected,
			   "{\"n\":%u,\"type\":\"agent.state\",\"sessionId\":\"s%u\",\"state\":{\"status\":\"%s\",\"step\":%u,"
			   "\"tokens\":{\"in\":%u,\"out\":%u},\"plan\":[\"read\",\"ask\",\"write\"],\"model\":\"large-2\"},\"fill\":\"",
			   number, number % CHANNELS, words[number % 5], number / 7, 1200 + number * 13 % 5000, number * 5 % 900);
	for (int i = 0; number >= LIGHT && i < HEAVY_BYTES; i++) {
		mix ^= mix << 13;
		mix ^= mix >> 7;
		mix ^= mix << 17;
		expected[len++] = (char)('A' + (mix >> 32) % 26);
	}
	expected[len++] = '"';
	expected[len++] = '}';
	return (struct slice){expected, (size_t)len};
}

static void on_event(struct tgc_client *client, void *context, const struct tgc_event *event)
{
	struct watcher_client *watcher = context;
	unsigned number = EVENTS;
	(void)client;
	if (event->format.len)
		return;
	if (event->data.len < 12 || sscanf(event->data.ptr, "{\"n\":%u,", &number) != 1 || number >= EVENTS) {
		watcher->wrong++;
		return;
	}
	struct slice wanted = payload_of(number);
	watcher->wrong += wanted.len != event->data.len || memcmp(wanted.ptr, event->data.ptr, wanted.len) != 0;
	watcher->doubled += watcher->seen[number];
	watcher->seen[number] = 1;
	watcher->seen_count++;
}

static void on_gap(struct tgc_client *client, void *context, const struct tgc_gap *gap)
{
	struct watcher_client *watcher = context;
	(void)client;
	watcher->gap_count++;
	watcher->lost += gap->dropped > 0 ? (uint64_t)gap->dropped : 0;
}

static void on_subscribed(struct tgc_client *client, void *context, uint64_t sub, const struct tgc_reply *reply)
{
	struct watcher_client *watcher = context;
	(void)client;
	(void)sub;
	ck_assert_int_eq(reply->kind, TGC_REPLY_OK);
	watcher->subscribed++;
}

static void turn_all(void)
{
	struct watcher_client *all[] = {&steady, &sleeper, &dropper, &comer};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i]->client)
			tgc_poll(all[i]->client, BEAT_MS);
}

static void watch(struct watcher_client *watcher, int node, const char *slow)
{
	const char *url = gateway_url(nodes[node]);
	*watcher = (struct watcher_client){.client = NULL};
	struct tgc_options options = {.urls = &url, .url_count = 1, .backoff_min_ms = 10};
	options.handlers = (struct tgc_handlers){
		.context = watcher, .on_event = on_event, .on_gap = on_gap, .on_subscribed = on_subscribed};
	const struct tgc_subscription wish = {.slow = slow, .delta = true};
	watcher->client = tgc_new(&options, NULL);
	ck_assert_ptr_nonnull(watcher->client);
	ck_assert_int_eq(tgc_subscribe(watcher->client, &wish, NULL), TGC_OK);
	tgc_open(watcher->client);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (!watcher->subscribed) {
		ck_assert_msg(!deadline_has_passed(deadline), "not subscribed in time");
		turn_all();
	}
}

static void set_up(void)
{
	const char *flags[] = {"--slow.threshold", "64k", "--heartbeat.interval", "30s", NULL};
	redis = redis_server_start(NULL);
	for (int i = 0; i < NODES; i++)
		nodes[i] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	watch(&steady, 0, NULL);
	watch(&sleeper, 1, NULL);
	watch(&dropper, 0, "drop");
	watch(&comer, 1, NULL);
}

static void tear_down(void)
{
	struct watcher_client *all[] = {&steady, &sleeper, &dropper, &comer};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		tgc_free(all[i]->client);
	for (int i = 0; i < NODES; i++)
		gateway_end(nodes[i]);
	redis_server_free(redis);
}

static void publish(unsigned number)
{
	char channel[16];
	snprintf(channel, sizeof channel, "agent:s%u", number % CHANNELS);
	redis_server_publish(redis, slice_of(channel), payload_of(number));
	if (number % 50 == 7)
		redis_server_publish(redis, slice_of(channel), slice_of("no JSON"));
}

static void wait_seen(const struct watcher_client *watcher, uint64_t count)
{
	struct deadline deadline = deadline_in(4 * DEADLINE_MS);
	while (watcher->seen_count + watcher->lost < count) {
		ck_assert_msg(!deadline_has_passed(deadline), "%llu of %llu events came", (unsigned long long)watcher->seen_count,
			      (unsigned long long)count);
		turn_all();
	}
}

/* Goes away and comes back from where it was. */
static void come_again(void)
{
	tgc_close(comer.client);
	comer.subscribed = 0;
	tgc_open(comer.client);
}

static void publish_light(void)
{
	for (unsigned i = 0; i < LIGHT; i++) {
		publish(i);
		if (i % 20 == 19)
			turn_all();
		if (i % 150 == 149)
			come_again();
	}
}

/* One that does not read is turned no more. */
static void publish_heavy(struct watcher_client *idle[2])
{
	struct tgc_client *clients[2] = {idle[0]->client, idle[1]->client};
	idle[0]->client = idle[1]->client = NULL;
	for (unsigned i = LIGHT; i < EVENTS; i++) {
		publish(i);
		turn_all();
	}
	gateway_wait_metric_at_least(nodes[1], "subscriptions_catching_up", "", 1);
	gateway_wait_metric_at_least(nodes[0], "events_dropped_total", "reason=\"slow\"", 1);
	idle[0]->client = clients[0];
	idle[1]->client = clients[1];
}

static void check(const struct watcher_client *watcher, const char *name, bool has_all)
{
	ck_assert_msg(watcher->wrong == 0, "%s: %llu texts are wrong", name, (unsigned long long)watcher->wrong);
	ck_assert_msg(watcher->doubled == 0, "%s: %llu came twice", name, (unsigned long long)watcher->doubled);
	ck_assert_msg(watcher->subscribed == 1, "%s: had to ask again", name);
	ck_assert_msg(!has_all || (watcher->seen_count == EVENTS && watcher->gap_count == 0), "%s: %llu came, %llu gaps", name,
		      (unsigned long long)watcher->seen_count, (unsigned long long)watcher->gap_count);
}

START_TEST(every_client_gets_every_text_byte_for_byte)
{
	struct watcher_client *idle[2] = {&sleeper, &dropper};
	publish_light();
	wait_seen(&steady, LIGHT);
	wait_seen(&sleeper, LIGHT);
	wait_seen(&comer, LIGHT);
	ck_assert_double_gt(gateway_metric(nodes[0], "delta_events_total", "form=\"delta\""),
			    4 * gateway_metric(nodes[0], "delta_events_total", "form=\"full\""));
	publish_heavy(idle);
	wait_seen(&steady, EVENTS);
	wait_seen(&sleeper, EVENTS);
	wait_seen(&comer, EVENTS);
	gateway_wait_metric(nodes[1], "subscriptions_catching_up", "", 0);
	turn_all();
	check(&steady, "steady", true);
	check(&sleeper, "sleeper", true);
	check(&comer, "comer", true);
	check(&dropper, "dropper", false);
	ck_assert_uint_gt(dropper.gap_count, 0);
	for (int i = 0; i < NODES; i++)
		ck_assert_double_eq(gateway_metric(nodes[i], "resyncs_total", ""), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("delta");
	TCase *tests = tcase_create("delta");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, every_client_gets_every_text_byte_for_byte);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
