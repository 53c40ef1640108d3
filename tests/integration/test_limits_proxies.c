/* Clients behind proxies: whose address counts, by X-Forwarded-For and by the PROXY protocol. */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/suite.h"

#define CLIENTS 40
#define PER_ADDRESS 5

static struct redis_server *redis;
static struct gateway *gateway;
static struct raw clients[CLIENTS];

static void open_with(const char *const *flags)
{
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void start(void)
{
	redis = redis_server_start(NULL);
}

static void stop(void)
{
	gateway_end(gateway);
	redis_server_free(redis);
}

static int upgrade_for(struct raw *raw, const char *client)
{
	char header[128];
	snprintf(header, sizeof header, "X-Forwarded-For: %s\r\n", client);
	raw_connect(raw, gateway_port(gateway));
	return raw_handshake(raw, "/v1/stream", header);
}

/* Where a place is free only when the node has come to the end of what held it, a moment after its answer. */
static void upgrade_soon_for(struct raw *raw, const char *client)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (upgrade_for(raw, client) != 101) {
		raw_close(raw);
		ck_assert(deadline_next_look(deadline));
	}
}

static const char *const trusting[] = {"--trusted_proxies", "127.0.0.1", "--limits.connections_per_address", "5", NULL};

START_TEST(one_network_of_ipv6_behind_a_proxy_is_one_client)
{
	unsigned let_in = 0;
	struct raw other, mapped;
	open_with(trusting);
	for (unsigned i = 0; i < CLIENTS; i++) {
		char address[64];
		snprintf(address, sizeof address, i % 2 ? "1.1.1.1, 2001:db8:1:2:%x::%x" : "[2001:db8:1:2:%x::%x]:4711", i, i);
		int status = upgrade_for(&clients[i], address);
		ck_assert(status == 101 || status == 429);
		let_in += status == 101;
	}
	ck_assert_uint_eq(let_in, PER_ADDRESS);
	ck_assert_int_eq(upgrade_for(&other, "2001:db8:1:3::1"), 101);
	ck_assert_int_eq(upgrade_for(&mapped, "::ffff:192.0.2.1"), 101);
	raw_close(&other);
	raw_close(&mapped);
	for (unsigned i = 0; i < CLIENTS; i++)
		raw_close(&clients[i]);
	gateway_wait_metric(gateway, "connections", "", 0);
	upgrade_soon_for(&other, "2001:db8:1:2::99");
	raw_close(&other);
}
END_TEST

START_TEST(mapped_and_plain_addresses_are_one_client)
{
	open_with(trusting);
	for (unsigned i = 0; i < PER_ADDRESS; i++)
		ck_assert_int_eq(upgrade_for(&clients[i], i % 2 ? "192.0.2.1" : "::ffff:192.0.2.1"), 101);
	ck_assert_int_eq(upgrade_for(&clients[PER_ADDRESS], "::FFFF:c000:201"), 429);
	ck_assert_int_eq(upgrade_for(&clients[PER_ADDRESS + 1], "fe80::1%eth0"), 101);
	for (unsigned i = 0; i < PER_ADDRESS + 2; i++)
		raw_close(&clients[i]);
}
END_TEST

START_TEST(nobody_but_a_trusted_proxy_is_believed)
{
	static const char *const flags[] = {"--trusted_proxies", "10.0.0.0/8", "--limits.connections_per_address", "5", NULL};
	open_with(flags);
	for (unsigned i = 0; i <= PER_ADDRESS; i++) {
		char address[32];
		snprintf(address, sizeof address, "192.0.2.%u", i);
		raw_connect(&clients[i], gateway_port(gateway));
		ck_assert_int_eq(i < PER_ADDRESS ? raw_handshake(&clients[i], "/v1/stream", "X-Forwarded-For: 192.0.2.9\r\n") : 101, 101);
	}
	char *head = raw_read_head(&clients[PER_ADDRESS]);
	ck_assert_int_eq(raw_head_status(head), 429);
	free(head);
	for (unsigned i = 0; i <= PER_ADDRESS; i++)
		raw_close(&clients[i]);
}
END_TEST

/* A proxy keeps its connections and sends requests of many clients on each. */
START_TEST(requests_on_a_kept_connection_are_each_of_their_own_client)
{
	struct raw kept;
	struct http_answer answer;
	open_with(trusting);
	for (unsigned i = 0; i < PER_ADDRESS; i++)
		ck_assert_int_eq(upgrade_for(&clients[i], "192.0.2.1"), 101);
	raw_connect(&kept, gateway_port(gateway));
	for (unsigned i = 0; i < 3; i++) {
		http_ask(&kept, "GET /v1/sessions HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.2\r\n", NULL, &answer);
		http_expect(&answer, 200, NULL);
		http_answer_free(&answer);
	}
	/* What rests at the proxy is nobody's. */
	for (unsigned i = 0; i < PER_ADDRESS; i++)
		upgrade_soon_for(&clients[PER_ADDRESS + i], "192.0.2.2");
	http_ask(&kept, "GET /v1/sessions HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\n", NULL, &answer);
	http_expect(&answer, 429, "too_many_connections");
	http_answer_free(&answer);
	raw_close(&kept);
	for (unsigned i = 0; i < 2 * PER_ADDRESS; i++)
		raw_close(&clients[i]);
}
END_TEST

static const char *const proxied[] = {"--trusted_proxies", "127.0.0.1,10.0.0.0/8", "--proxy_protocol", "yes", "--limits.connections_per_address", "5",
				      "--handshake.timeout", "300ms", NULL};

static void connect_with(struct raw *raw, const void *header, size_t len)
{
	raw_connect(raw, gateway_port(gateway));
	raw_send(raw, (struct slice){header, len});
}

START_TEST(version_1_names_the_client)
{
	static const char header[] = "PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n", other[] = "PROXY TCP6 2001:db8::1 ::1 4711 80\r\n";
	open_with(proxied);
	for (unsigned i = 0; i < PER_ADDRESS; i++) {
		connect_with(&clients[i], header, strlen(header));
		ck_assert_int_eq(raw_handshake(&clients[i], "/v1/stream", ""), 101);
	}
	connect_with(&clients[PER_ADDRESS], header, strlen(header));
	char *head = raw_read_head(&clients[PER_ADDRESS]);
	ck_assert_int_eq(raw_head_status(head), 429);
	free(head);
	connect_with(&clients[PER_ADDRESS + 1], other, strlen(other));
	ck_assert_int_eq(raw_handshake(&clients[PER_ADDRESS + 1], "/v1/stream", ""), 101);
	for (unsigned i = 0; i < PER_ADDRESS + 2; i++)
		raw_close(&clients[i]);
}
END_TEST

/* The balancer is a trusted proxy in front of which another one stands, which writes X-Forwarded-For. */
START_TEST(a_proxy_behind_a_proxy_names_the_client_by_its_header)
{
	static const char header[] = "PROXY TCP4 10.9.9.9 10.0.0.1 4711 80\r\n";
	open_with(proxied);
	for (unsigned i = 0; i <= PER_ADDRESS; i++) {
		connect_with(&clients[i], header, strlen(header));
		int status = raw_handshake(&clients[i], "/v1/stream", "X-Forwarded-For: 192.0.2.1\r\n");
		ck_assert_int_eq(status, i < PER_ADDRESS ? 101 : 429);
	}
	for (unsigned i = 0; i <= PER_ADDRESS; i++)
		raw_close(&clients[i]);
}
END_TEST

static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\x0a\0\0\1\x12\x34\0P";

START_TEST(version_2_comes_byte_by_byte_or_with_all_behind_it)
{
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	struct raw raw;
	struct buf all;
	open_with(proxied);
	raw_connect(&raw, gateway_port(gateway));
	for (size_t i = 0; i < sizeof v2 - 1; i++)
		raw_send(&raw, (struct slice){v2 + i, 1});
	ck_assert_int_eq(raw_handshake(&raw, "/v1/stream", ""), 101);
	raw_close(&raw);
	buf_init(&all);
	buf_append(&all, local, sizeof local - 1);
	buf_append_text(&all, "GET /v1/sessions HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_connect(&raw, gateway_port(gateway));
	raw_send(&raw, buf_slice(&all));
	struct http_answer answer;
	http_read(&raw, &answer);
	http_expect(&answer, 200, NULL);
	http_answer_free(&answer);
	raw_close(&raw);
	buf_fini(&all);
}
END_TEST

START_TEST(whoever_sends_no_header_is_closed_and_disturbs_nobody)
{
	static const struct slice bad[] = {
		SLICE_LITERAL("GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n"), SLICE_LITERAL("PROXY TCP4 192.0.2.1 10.0.0.1 4711\r\n"),
		SLICE_LITERAL("PROXY TCP4 "),                                SLICE_LITERAL("\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"),
		SLICE_LITERAL("\r\n\r\n"),                                   SLICE_LITERAL("\x16\x03\x01"),
	};
	open_with(proxied);
	unsigned descriptors = process_descriptors(gateway_process(gateway));
	struct raw healthy, raw;
	connect_with(&healthy, v2, sizeof v2 - 1);
	ck_assert_int_eq(raw_handshake(&healthy, "/v1/stream", ""), 101);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		connect_with(&raw, bad[i].ptr, bad[i].len);
		raw_expect_end(&raw);
		raw_close(&raw);
	}
	gateway_wait_metric(gateway, "connections_refused_total", "reason=\"proxy\"", sizeof bad / sizeof bad[0]);
	raw_send_frame(&healthy, 0x81, slice_of("{\"id\":1,\"op\":\"ping\"}"));
	raw_expect_text(&healthy, "\"now\":", NULL);
	raw_close(&healthy);
	gateway_wait_metric(gateway, "connections", "", 0);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (process_descriptors(gateway_process(gateway)) > descriptors && deadline_next_look(deadline))
		continue;
	ck_assert_uint_le(process_descriptors(gateway_process(gateway)), descriptors);
}
END_TEST

/* A byte of the text in each beat, all but its last one, until the time has passed. False: the node has said something, or closed. */
static bool trickle(struct raw *raw, const char *text, struct deadline until)
{
	size_t at = 0, last = strlen(text) - 1;
	while (!deadline_has_passed(until)) {
		struct deadline beat = deadline_in(20);
		if (at < last)
			raw_send(raw, (struct slice){text + at++, 1});
		if (deadline_wait_fd(raw->fd, POLLIN, beat))
			return false;
	}
	raw_send_text(raw, text + at);
	return true;
}

#define TRICKLED_MS 3000 /* handshake.timeout: long, so that a busy machine is not taken for a late node */

START_TEST(who_trickles_has_one_handshake_timeout_for_header_and_head)
{
	static const char *const flags[] = {"--trusted_proxies", "127.0.0.1", "--proxy_protocol", "yes", "--handshake.timeout", "3s", NULL};
	static const char header[] = "PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n", request[] = "GET /v1/stream HTTP/1.1\r\nHost: x\r\n\r\n";
	struct raw raw;
	open_with(flags);
	raw_connect(&raw, gateway_port(gateway));
	struct deadline half = deadline_in(TRICKLED_MS / 2), late = deadline_in(TRICKLED_MS * 4 / 3);
	ck_assert_msg(trickle(&raw, header, half), "the header had less time than there is");
	ck_assert_msg(!trickle(&raw, request, late), "the head had a time of its own");
	char *head = raw_read_head(&raw);
	ck_assert_int_eq(raw_head_status(head), 408);
	free(head);
	raw_close(&raw);
	gateway_wait_metric(gateway, "connections_refused_total", "reason=\"timeout\"", 1);
	gateway_wait_metric(gateway, "handshakes", "", 0);
}
END_TEST

START_TEST(where_proxies_send_headers_nobody_else_may_connect)
{
	static const char *const flags[] = {"--trusted_proxies", "10.0.0.0/8", "--proxy_protocol", "yes", NULL};
	struct raw raw;
	open_with(flags);
	raw_connect(&raw, gateway_port(gateway));
	raw_expect_end(&raw);
	raw_close(&raw);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits_proxies");
	TCase *tests = tcase_create("limits_proxies");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, one_network_of_ipv6_behind_a_proxy_is_one_client);
	tcase_add_test(tests, mapped_and_plain_addresses_are_one_client);
	tcase_add_test(tests, nobody_but_a_trusted_proxy_is_believed);
	tcase_add_test(tests, requests_on_a_kept_connection_are_each_of_their_own_client);
	tcase_add_test(tests, version_1_names_the_client);
	tcase_add_test(tests, a_proxy_behind_a_proxy_names_the_client_by_its_header);
	tcase_add_test(tests, version_2_comes_byte_by_byte_or_with_all_behind_it);
	tcase_add_test(tests, whoever_sends_no_header_is_closed_and_disturbs_nobody);
	tcase_add_test(tests, who_trickles_has_one_handshake_timeout_for_header_and_head);
	tcase_add_test(tests, where_proxies_send_headers_nobody_else_may_connect);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
