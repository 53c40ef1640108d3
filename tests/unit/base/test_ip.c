#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

#include "common/base/ip.h"
#include "tests/support/suite.h"

static const char *canonical(const char *text, bool with_port)
{
	static char written[IP_TEXT];
	struct ip ip;
	bool is_read = with_port ? ip_read_with_port(slice_of(text), &ip) : ip_read(slice_of(text), &ip);
	if (!is_read)
		return "refused";
	ck_assert_uint_eq(ip_write(written, &ip), strlen(written));
	return written;
}

START_TEST(reads_addresses_and_writes_them_in_one_form)
{
	static const char *const good[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"::1", "::1"},
		{"2001:DB8:0:0::1", "2001:db8::1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::FFFF:c000:201", "192.0.2.1"},
		{"fe80::1%eth0", "fe80::1"},
		{"::", "::"},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ck_assert_str_eq(canonical(good[i][0], false), good[i][1]);
}
END_TEST

START_TEST(refuses_what_is_no_address)
{
	static const char *const bad[] = {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04x", "localhost", "1.2.3.4%eth0", "fe80::1%", "%eth0",
					  "[::1]", ":::1", "12345::", "1.2.3.4 ", " 1.2.3.4", "::1\n", "unknown", "_hidden", "1.2.3.4/8",
					  "0000:0000:0000:0000:0000:ffff:0000:0000:0000:0000:0000:0000"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(strcmp(canonical(bad[i], false), "refused") == 0, "%s", bad[i]);
	struct ip ip;
	ck_assert(!ip_read((struct slice){"1.2.3.4\0", 8}, &ip));
	ck_assert(!ip_read((struct slice){"::1\0%a", 6}, &ip));
}
END_TEST

START_TEST(reads_ports_and_brackets_as_proxies_write_them)
{
	static const char *const good[][2] = {
		{"192.0.2.1:4711", "192.0.2.1"},  {"192.0.2.1", "192.0.2.1"},         {"[2001:db8::1]:443", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"}, {"2001:db8::1", "2001:db8::1"},     {"[fe80::1%eth0]:80", "fe80::1"},
		{"fe80::1%25eth0", "fe80::1"},    {"[::ffff:192.0.2.1]:1", "192.0.2.1"}, {"::ffff:192.0.2.1", "192.0.2.1"},
	};
	static const char *const bad[] = {"192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:x", "[::1", "[::1]x", "[::1]:", "[::1]:65536", "[192.0.2.1]",
					  "[]", "[", ":80", "", "[::1]:80:80", "localhost:80", "\"192.0.2.1\""};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ck_assert_str_eq(canonical(good[i][0], true), good[i][1]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(strcmp(canonical(bad[i], true), "refused") == 0, "%s", bad[i]);
}
END_TEST

START_TEST(takes_addresses_from_sockets)
{
	char text[IP_TEXT];
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = 1};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 7};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	struct ip a = ip_of((const struct sockaddr *)&v4), b = ip_of((const struct sockaddr *)&v6);
	struct ip none = ip_of((const struct sockaddr *)&local), nothing = ip_of(NULL);
	ck_assert(ip_equal(&a, &b));
	ck_assert(ip_equal(&none, &nothing));
	ck_assert(!ip_equal(&a, &none));
	ip_write(text, &none);
	ck_assert_str_eq(text, "-");
}
END_TEST

static bool has(const char *network_text, const char *text)
{
	struct ip_network network;
	struct ip ip;
	ck_assert_msg(ip_network_read(slice_of(network_text), &network), "%s", network_text);
	ck_assert(ip_read(slice_of(text), &ip));
	return ip_network_has(&network, &ip);
}

START_TEST(a_network_has_what_shares_its_first_bits)
{
	ck_assert(has("10.0.0.0/8", "10.255.255.255"));
	ck_assert(!has("10.0.0.0/8", "11.0.0.0"));
	ck_assert(has("10.1.2.3/8", "10.9.9.9"));
	ck_assert(has("192.0.2.128/25", "192.0.2.255"));
	ck_assert(!has("192.0.2.128/25", "192.0.2.127"));
	ck_assert(has("192.0.2.1", "::ffff:192.0.2.1"));
	ck_assert(!has("192.0.2.1", "192.0.2.2"));
	ck_assert(has("::ffff:10.0.0.0/104", "10.1.2.3"));
	ck_assert(has("0.0.0.0/0", "8.8.8.8"));
	ck_assert(!has("0.0.0.0/0", "::1"));
	ck_assert(!has("::/0", "8.8.8.8"));
	ck_assert(has("::/0", "::1"));
	ck_assert(has("fd00::/9", "fd7f::1"));
	ck_assert(!has("fd00::/9", "fd80::1"));
	ck_assert(has("2001:db8::1/128", "2001:db8::1"));
	struct ip_network network;
	struct ip unknown = {.is_known = false};
	ck_assert(ip_network_read(slice_of("::/0"), &network));
	ck_assert(!ip_network_has(&network, &unknown));
	ck_assert(!ip_networks_have(NULL, 0, &network.ip));
}
END_TEST

START_TEST(refuses_what_is_no_network)
{
	static const char *const bad[] = {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "::/129", "10.0.0/8", "all", "10.0.0.0/ 8"};
	struct ip_network network;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!ip_network_read(slice_of(bad[i]), &network), "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ip");
	TCase *tests = tcase_create("ip");
	tcase_add_test(tests, reads_addresses_and_writes_them_in_one_form);
	tcase_add_test(tests, refuses_what_is_no_address);
	tcase_add_test(tests, reads_ports_and_brackets_as_proxies_write_them);
	tcase_add_test(tests, takes_addresses_from_sockets);
	tcase_add_test(tests, a_network_has_what_shares_its_first_bits);
	tcase_add_test(tests, refuses_what_is_no_network);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
