/* Connections end: in good order where the peer plays along, by a deadline where it does not, and never at the cost of
 * another. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/sanitizer.h"
#include "tests/support/suite.h"

#define CLIENTS 300
#define STORM 500

static struct redis_server *redis;
static struct gateway *gateway;
static struct bystander bystander;
static struct raw clients[CLIENTS];

static void start(void)
{
	const char *flags[] = {"--close.timeout", IS_SANITIZED ? "5s" : "500ms", "--slow.threshold", "16m", NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	bystander_join(&bystander, gateway_port(gateway), redis);
}

static void stop(void)
{
	bystander_leave(&bystander);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_wait_metric(gateway, "subscriptions", "", 0);
	gateway_end(gateway);
	redis_server_free(redis);
}

static void close_clients(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		raw_close(&clients[i]);
}

START_TEST(ends_clients_that_never_answer_a_close)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		raw_open(&clients[i], gateway_port(gateway));
		for (int bad = 0; bad < 10; bad++)
			raw_send_frame(&clients[i], 0x81, SLICE_LITERAL("no json"));
	}
	struct raw_frame frame;
	do
		raw_read_frame(&clients[0], &frame);
	while (frame.first == 0x81);
	ck_assert_uint_eq(frame.first, 0x88);
	ck_assert_int_eq(memcmp(frame.payload.ptr, "\x11\x30", 2), 0); /* 4400 */
	gateway_wait_metric(gateway, "connections", "", 1);
	bystander_check(&bystander);
	raw_expect_end(&clients[0]);
	close_clients();
}
END_TEST

START_TEST(ends_clients_that_half_close_and_stay)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		raw_open(&clients[i], gateway_port(gateway));
		shutdown(clients[i].fd, SHUT_WR);
	}
	gateway_wait_metric(gateway, "connections", "", 1);
	bystander_check(&bystander);
	close_clients();
}
END_TEST

static void subscribe(struct raw *raw, const char *channels)
{
	char request[128];
	snprintf(request, sizeof request, "{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"%s\"]}", channels);
	raw_send_frame(raw, 0x81, slice_of(request));
	raw_expect_text(raw, "\"ok\"", NULL);
}

/* More than the kernel buffers between two sockets on loopback: the rest waits in the gateway. */
static void publish_megabytes(unsigned count)
{
	static char payload[100000];
	memset(payload, 'm', sizeof payload);
	payload[0] = payload[sizeof payload - 1] = '"';
	for (unsigned i = 0; i < 10 * count; i++)
		redis_server_publish(redis, SLICE_LITERAL("swarm:big"), (struct slice){payload, sizeof payload});
	bystander_check(&bystander);
}

static void open_slow(struct raw *raw, uint16_t port)
{
	raw_connect_small(raw, port, 4096);
	ck_assert_int_eq(raw_handshake(raw, "/v1/stream", ""), 101);
	subscribe(raw, "swarm:*");
}

START_TEST(ends_clients_that_neither_read_nor_answer)
{
	const char *flags[] = {"--close.timeout", IS_SANITIZED ? "5s" : "500ms", "--heartbeat.interval", "500ms", NULL};
	struct gateway *strict = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	struct raw slow[5];
	for (size_t i = 0; i < 5; i++)
		open_slow(&slow[i], gateway_port(strict));
	publish_megabytes(12);
	/* Their pings and the close stand behind what they do not read. */
	gateway_wait_metric(strict, "connections", "", 0);
	for (size_t i = 0; i < 5; i++)
		raw_close(&slow[i]);
	gateway_end(strict);
}
END_TEST

START_TEST(answers_a_ping_and_closes_in_order_in_the_middle_of_a_stream)
{
	struct raw slow;
	struct raw_frame frame;
	bool has_pong = false;
	size_t events = 0;
	open_slow(&slow, gateway_port(gateway));
	publish_megabytes(8);
	raw_send_frame(&slow, 0x89, SLICE_LITERAL("are you there"));
	while (!has_pong) {
		raw_read_frame(&slow, &frame);
		ck_assert_msg(frame.first == 0x81 || frame.first == 0x8A, "frame %02x in the stream", frame.first);
		has_pong = frame.first == 0x8A;
		events += frame.first == 0x81 && frame.payload.len > 90000;
	}
	ck_assert_int_eq(memcmp(frame.payload.ptr, "are you there", 13), 0);
	ck_assert_uint_gt(events, 0);
	raw_send_close(&slow, 1000);
	do
		raw_read_frame(&slow, &frame);
	while (frame.first == 0x81);
	ck_assert_uint_eq(frame.first, 0x88);
	ck_assert_int_eq(memcmp(frame.payload.ptr, "\x03\xE8", 2), 0);
	raw_expect_end(&slow);
	raw_close(&slow);
}
END_TEST

START_TEST(closes_in_order_when_the_close_comes_while_a_frame_is_half_sent)
{
	struct raw slow;
	struct raw_frame frame;
	open_slow(&slow, gateway_port(gateway));
	publish_megabytes(12);
	raw_send_close(&slow, 3001);
	do {
		raw_read_frame(&slow, &frame);
		ck_assert_msg(frame.first == 0x81 || frame.first == 0x88, "frame %02x in the stream", frame.first);
	} while (frame.first == 0x81);
	ck_assert_int_eq(memcmp(frame.payload.ptr, "\x0B\xB9", 2), 0);
	raw_expect_end(&slow);
	raw_close(&slow);
}
END_TEST

START_TEST(echoes_the_code_of_a_close)
{
	struct raw raw;
	raw_open(&raw, gateway_port(gateway));
	raw_send_close(&raw, 1000);
	struct raw_frame frame;
	raw_read_frame(&raw, &frame);
	ck_assert_uint_eq(frame.first, 0x88);
	ck_assert_int_eq(memcmp(frame.payload.ptr, "\x03\xE8", 2), 0);
	raw_expect_end(&raw);
	raw_close(&raw);
	raw_open(&raw, gateway_port(gateway));
	raw_send_frame(&raw, 0x88, SLICE_NONE);
	raw_read_frame(&raw, &frame);
	ck_assert(frame.first == 0x88 && frame.payload.len == 0);
	raw_expect_end(&raw);
	raw_close(&raw);
}
END_TEST

START_TEST(survives_a_storm_of_clients_that_subscribe_and_reset)
{
	unsigned descriptors = process_descriptors(gateway_process(gateway));
	for (size_t i = 0; i < STORM; i++) {
		struct raw raw;
		raw_connect(&raw, gateway_port(gateway));
		raw_send_text(&raw,
			      "GET /v1/stream HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
		raw_send_frame(&raw, 0x81, SLICE_LITERAL("{\"id\":1,\"op\":\"subscribe\"}"));
		if (i % 3 == 0) {
			free(raw_read_head(&raw));
			raw_expect_text(&raw, "\"ok\"", NULL);
		}
		if (i % 100 == 0)
			bystander_check(&bystander);
		raw_reset(&raw);
	}
	gateway_wait_metric(gateway, "connections", "", 1);
	gateway_wait_metric(gateway, "subscriptions", "", 1);
	gateway_wait_metric(gateway, "cohorts", "", 1);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (process_descriptors(gateway_process(gateway)) > descriptors)
		ck_assert_msg(deadline_next_look(deadline), "descriptors are lost");
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tests = tcase_create(name);
	tcase_add_unchecked_fixture(tests, start, stop);
	tcase_set_timeout(tests, 120);
	suite_add_tcase(suite, tests);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("wire closing");
	TCase *tests = add(suite, "closing");
	tcase_add_test(tests, ends_clients_that_never_answer_a_close);
	tcase_add_test(tests, ends_clients_that_half_close_and_stay);
	tcase_add_test(tests, ends_clients_that_neither_read_nor_answer);
	tcase_add_test(tests, answers_a_ping_and_closes_in_order_in_the_middle_of_a_stream);
	tcase_add_test(tests, closes_in_order_when_the_close_comes_while_a_frame_is_half_sent);
	tcase_add_test(tests, echoes_the_code_of_a_close);
	tcase_add_test(tests, survives_a_storm_of_clients_that_subscribe_and_reset);
	return suite_run_in_process(suite);
}
