#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/http/forwarded.h"
#include "gateway/http/head.h"
#include "tests/support/suite.h"

static struct ip_network networks[3];
static const struct proxies proxies = {.networks = networks, .count = 3};

static void trust(void)
{
	ck_assert(ip_network_read(slice_of("10.0.0.0/8"), &networks[0]));
	ck_assert(ip_network_read(slice_of("127.0.0.1"), &networks[1]));
	ck_assert(ip_network_read(slice_of("fd00::/8"), &networks[2]));
}

/* The client of a request with these fields that came from the peer. */
static const char *client_of(const char *peer_text, const char *fields)
{
	static char text[IP_TEXT];
	char request[2048];
	struct head head;
	struct ip peer;
	snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", fields);
	ck_assert_int_eq(head_read(slice_of(request), &head), HEAD_COMPLETE);
	ck_assert(ip_read(slice_of(peer_text), &peer));
	struct ip client = forwarded_client(&head, &proxies, &peer);
	ip_write(text, &client);
	return text;
}

START_TEST(nobody_else_is_believed)
{
	ck_assert_str_eq(client_of("192.0.2.7", "X-Forwarded-For: 1.1.1.1\r\n"), "192.0.2.7");
	ck_assert_str_eq(client_of("2001:db8::1", "X-Forwarded-For: 1.1.1.1\r\n"), "2001:db8::1");
}
END_TEST

START_TEST(a_trusted_proxy_names_its_client)
{
	ck_assert_str_eq(client_of("10.1.1.1", "X-Forwarded-For: 192.0.2.1\r\n"), "192.0.2.1");
	ck_assert_str_eq(client_of("::ffff:10.1.1.1", "x-forwarded-for: 192.0.2.1:4711\r\n"), "192.0.2.1");
	ck_assert_str_eq(client_of("127.0.0.1", "X-Forwarded-For: [2001:db8::5]:443\r\n"), "2001:db8::5");
	ck_assert_str_eq(client_of("127.0.0.1", "X-Forwarded-For: fe80::1%eth0\r\n"), "fe80::1");
	ck_assert_str_eq(client_of("127.0.0.1", "X-Forwarded-For: ::ffff:192.0.2.9\r\n"), "192.0.2.9");
}
END_TEST

START_TEST(what_the_client_wrote_itself_does_not_count)
{
	ck_assert_str_eq(client_of("10.1.1.1", "X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\n"), "192.0.2.1");
	ck_assert_str_eq(client_of("10.1.1.1", "X-Forwarded-For: 10.9.9.9, 192.0.2.1\r\n"), "192.0.2.1");
	ck_assert_str_eq(client_of("10.1.1.1", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.1\r\n"), "192.0.2.1");
}
END_TEST

START_TEST(proxies_behind_proxies_are_skipped)
{
	ck_assert_str_eq(client_of("10.1.1.1", "X-Forwarded-For: 1.1.1.1, 192.0.2.1, 10.2.2.2, fd00::1\r\n"), "192.0.2.1");
	ck_assert_str_eq(client_of("10.1.1.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.2.2.2\r\n"), "192.0.2.1");
	ck_assert_str_eq(client_of("10.1.1.1", "X-Forwarded-For: 10.3.3.3, 10.2.2.2\r\n"), "10.3.3.3");
}
END_TEST

START_TEST(stops_at_what_cannot_be_read)
{
	static const char *const bad[] = {"unknown", "_gw", "1.2.3", "\"192.0.2.1\"", "192.0.2.1;", "[::1", ""};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char fields[200];
		snprintf(fields, sizeof fields, "X-Forwarded-For: 1.1.1.1, %s, 10.2.2.2\r\n", bad[i]);
		ck_assert_str_eq(client_of("10.1.1.1", fields), "10.2.2.2");
		snprintf(fields, sizeof fields, "X-Forwarded-For: 1.1.1.1, %s\r\n", bad[i]);
		ck_assert_str_eq(client_of("10.1.1.1", fields), "10.1.1.1");
		snprintf(fields, sizeof fields, "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: %s\r\n", bad[i]);
		ck_assert_str_eq(client_of("10.1.1.1", fields), "10.1.1.1");
	}
	ck_assert_str_eq(client_of("10.1.1.1", ""), "10.1.1.1");
	ck_assert_str_eq(client_of("10.1.1.1", "Forwarded: for=1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\n"), "10.1.1.1");
}
END_TEST

START_TEST(each_request_through_a_proxy_is_counted_in_its_clients_name)
{
	const struct connections_limits limits = {.address = 1};
	struct connections *connections = connections_new(&limits);
	struct admission proxied, other;
	struct ip proxy, client;
	struct head head;
	ck_assert(ip_read(slice_of("10.1.1.1"), &proxy) && ip_read(slice_of("192.0.2.1"), &client));
	ck_assert_int_eq(connections_admit(connections, &proxy, address_key_none, &proxied), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_admit(connections, &client, address_key_of(&client), &other), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(head_read(slice_of("GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"), &head), HEAD_COMPLETE);
	ck_assert_int_eq(forwarded_place(&head, &proxies, connections, &proxied), CONNECTIONS_ADDRESS_FULL);
	/* Of its own connection nobody says whose it is. */
	ck_assert_int_eq(forwarded_place(&head, &proxies, connections, &other), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(head_read(slice_of("GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n"), &head), HEAD_COMPLETE);
	ck_assert_int_eq(forwarded_place(&head, &proxies, connections, &proxied), CONNECTIONS_ADMITTED);
	ck_assert(ip_read(slice_of("192.0.2.2"), &client) && ip_equal(&client, &proxied.client));
	ck_assert_int_eq(connections_move(connections, &other, address_key_of(&client)), CONNECTIONS_ADDRESS_FULL);
	ck_assert_int_eq(head_read(slice_of("GET / HTTP/1.1\r\n\r\n"), &head), HEAD_COMPLETE);
	ck_assert_int_eq(forwarded_place(&head, &proxies, connections, &proxied), CONNECTIONS_ADMITTED);
	ck_assert_mem_eq(&proxied.address, &address_key_none, sizeof address_key_none);
	connections_free(connections);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("forwarded");
	TCase *tests = tcase_create("forwarded");
	tcase_add_checked_fixture(tests, trust, NULL);
	tcase_add_test(tests, nobody_else_is_believed);
	tcase_add_test(tests, a_trusted_proxy_names_its_client);
	tcase_add_test(tests, what_the_client_wrote_itself_does_not_count);
	tcase_add_test(tests, proxies_behind_proxies_are_skipped);
	tcase_add_test(tests, stops_at_what_cannot_be_read);
	tcase_add_test(tests, each_request_through_a_proxy_is_counted_in_its_clients_name);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
