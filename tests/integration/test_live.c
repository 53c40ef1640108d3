/* What PUBLISH sends is on every screen: two nodes, clients with different filters, a node that drains. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/client/elements.h"
#include "common/codec/json.h"
#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/suite.h"

#define EVENTS 10000
#define PAYLOAD_MAX 160

static struct redis_server *redis;
static struct gateway *nodes[2];

static void start(void)
{
	redis = redis_server_start(NULL);
	const char *flags[] = {"--slow.threshold", "64k", NULL};
	for (int i = 0; i < 2; i++)
		nodes[i] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void stop(void)
{
	for (int i = 0; i < 2; i++)
		gateway_end(nodes[i]);
	redis_server_free(redis);
}

static void subscribe(struct raw *raw, uint16_t port, const char *members)
{
	char request[512];
	struct raw_frame reply;
	raw_open(raw, port);
	int len = snprintf(request, sizeof request, "{\"id\":1,\"op\":\"subscribe\"%s}", members);
	raw_send_frame(raw, 0x81, (struct slice){request, (size_t)len});
	raw_expect_text(raw, "\"ok\":{\"sub\"", &reply);
}

/* Event i: kinds, sessions and shapes change; every payload is another one. */
static char channels[EVENTS][32], payloads[EVENTS][PAYLOAD_MAX];
static struct publication publications[EVENTS];

static void make_event(int i)
{
	static const char *const kinds[] = {"trace", "agent", "swarm", "performance"};
	snprintf(channels[i], sizeof channels[i], "%s:s%d", kinds[i % 4], i % 7);
	int session = i % 7;
	char *payload = payloads[i];
	switch (i / 4 % 4) {
	case 0:
		snprintf(payload, PAYLOAD_MAX, "{\"sessionId\":\"s%d\",\"type\":\"tool.call\",\"n\":%d}", session, i);
		break;
	case 1:
		snprintf(payload, PAYLOAD_MAX,
			 "{\"session_id\":\"s%d\", \"type\":\"llm.answer\" ,\"n\":%d,\"big\":123456789012345678901234567890}",
			 session, i);
		break;
	case 2:
		snprintf(payload, PAYLOAD_MAX,
			 "{\"session\":\"s%d\",\"event\":\"tool.end\",\"n\":%d,\"f\":1.0,\"z\":-0,\"e\":1E400,\"t\":\"\\ud800\"}",
			 session, i);
		break;
	default:
		snprintf(payload, PAYLOAD_MAX, "not json, session %d, number %d", session, i);
	}
	publications[i] = (struct publication){slice_of(channels[i]), slice_of(payloads[i])};
}

static bool all(int i)
{
	(void)i;
	return true;
}

static bool session_three(int i)
{
	return i % 7 == 3;
}

static bool agent_channels(int i)
{
	return i % 4 == 1;
}

static bool tool_types(int i)
{
	return i / 4 % 4 == 0 || i / 4 % 4 == 2;
}

static bool high_numbers(int i)
{
	return i / 4 % 4 != 3 && i >= EVENTS - 500;
}

/* What event i looks like in a batch. */
static void expect_element(struct slice element, int i)
{
	struct slice data, channel;
	enum json_kind kind;
	ck_assert(json_find(element, slice_of("/data"), &data, &kind));
	ck_assert(json_find(element, slice_of("/channel"), &channel, &kind));
	ck_assert_msg(channel.len == strlen(channels[i]) + 2 && memcmp(channel.ptr + 1, channels[i], channel.len - 2) == 0,
		      "event %d came on %.*s", i, (int)channel.len, channel.ptr);
	if (kind == JSON_STRING && data.ptr[0] == '"')
		data = (struct slice){data.ptr + 1, data.len - 2};
	ck_assert_msg(slice_is(data, payloads[i]), "event %d is %.*s", i, (int)data.len, data.ptr);
}

/* The array of events of a message; empty: it is no batch. */
static struct slice events_of(struct slice message)
{
	struct slice events = SLICE_NONE;
	enum json_kind kind;
	ck_assert(json_is_valid(message, NULL, NULL));
	json_find(message, slice_of("/events"), &events, &kind);
	return events;
}

/* Reads batches until every wanted event came, exactly once, in order, byte for byte. */
static void expect_events(struct raw *raw, bool (*wants)(int i))
{
	int next = 0;
	for (;;) {
		while (next < EVENTS && !wants(next))
			next++;
		if (next == EVENTS)
			return;
		struct raw_frame frame;
		raw_read_frame(raw, &frame);
		struct slice rest = events_of(frame.payload), element;
		while (tgc_elements_next(&rest, &element)) {
			while (next < EVENTS && !wants(next))
				next++;
			ck_assert_int_lt(next, EVENTS);
			expect_element(element, next++);
		}
	}
}

START_TEST(two_nodes_show_ten_thousand_events_in_order_to_differently_filtered_clients)
{
	static const struct {
		const char *members;
		bool (*wants)(int i);
	} clients[] = {
		{"", all},
		{",\"filter\":{\"session\":[\"s3\"]}", session_three},
		{",\"channels\":[\"agent:*\"]", agent_channels},
		{",\"filter\":{\"type\":[\"tool.*\"]}", tool_types},
		{",\"filter\":{\"where\":[{\"path\":\"/n\",\"op\":\">=\",\"value\":9500}]}", high_numbers},
	};
	enum { CLIENTS = sizeof clients / sizeof clients[0] };
	struct raw raws[2][CLIENTS];
	for (int i = 0; i < EVENTS; i++)
		make_event(i);
	for (int node = 0; node < 2; node++)
		for (int i = 0; i < CLIENTS; i++)
			subscribe(&raws[node][i], gateway_port(nodes[node]), clients[i].members);
	/* In parts, each read before the next, so that no client counts as slow. */
	for (int from = 0; from < EVENTS; from += 500)
		redis_server_publish_many(redis, &publications[from], 500);
	for (int node = 0; node < 2; node++) {
		for (int i = 0; i < CLIENTS; i++) {
			expect_events(&raws[node][i], clients[i].wants);
			raw_close(&raws[node][i]);
		}
		ck_assert_double_eq(gateway_metric(nodes[node], "events_dropped_total", ""), 0);
	}
}
END_TEST

START_TEST(a_draining_node_says_so_closes_with_1012_and_ends_well)
{
	struct raw raw;
	struct raw_frame frame;
	struct bystander bystander;
	bystander_join(&bystander, gateway_port(nodes[1]), redis);
	subscribe(&raw, gateway_port(nodes[0]), "");
	process_signal(gateway_process(nodes[0]), SIGTERM);
	raw_expect_text(&raw, "\"code\":\"draining\",\"reconnectInMs\":", &frame);
	raw_expect_close(&raw, 1012);
	raw_close(&raw);
	bystander_leave(&bystander);
}
END_TEST

START_TEST(clients_hear_of_redis_going_and_coming)
{
	struct raw raw;
	struct raw_frame frame;
	subscribe(&raw, gateway_port(nodes[0]), "");
	redis_server_stop(redis);
	raw_expect_text(&raw, "\"code\":\"redisDown\"", &frame);
	gateway_wait_ready(nodes[0], false);
	redis_server_restart(redis);
	raw_expect_text(&raw, "\"code\":\"redisUp\"", &frame);
	gateway_wait_ready(nodes[0], true);
	redis_server_publish(redis, slice_of("trace:s1"), slice_of("{\"back\":true}"));
	raw_expect_text(&raw, "{\"back\":true}", &frame);
	raw_close(&raw);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live");
	TCase *tests = tcase_create("live");
	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, two_nodes_show_ten_thousand_events_in_order_to_differently_filtered_clients);
	tcase_add_test(tests, a_draining_node_says_so_closes_with_1012_and_ends_well);
	tcase_add_test(tests, clients_hear_of_redis_going_and_coming);
	return suite_run(suite);
}
