#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "gateway/limiter/connections.h"
#include "tests/support/suite.h"

static struct address_key key_of(const char *text)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = 1};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = 2};
	if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
		return address_key_of((const struct sockaddr *)&ipv4);
	ck_assert_int_eq(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
	return address_key_of((const struct sockaddr *)&ipv6);
}

static bool is_same(const char *a, const char *b)
{
	struct address_key left = key_of(a), right = key_of(b);
	return memcmp(&left, &right, sizeof left) == 0;
}

START_TEST(ipv6_counts_by_its_first_64_bits)
{
	ck_assert(is_same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
	ck_assert(!is_same("2001:db8:1:2::1", "2001:db8:1:3::1"));
	ck_assert(!is_same("10.0.0.1", "10.0.0.2"));
}
END_TEST

START_TEST(a_mapped_address_is_the_ipv4_address)
{
	ck_assert(is_same("::ffff:10.0.0.1", "10.0.0.1"));
	ck_assert(!is_same("::ffff:10.0.0.1", "10.0.0.2"));
	ck_assert(!is_same("::1", "0.0.0.1"));
}
END_TEST

START_TEST(a_zone_makes_no_difference)
{
	struct sockaddr_in6 local = {.sin6_family = AF_INET6, .sin6_scope_id = 7};
	ck_assert_int_eq(inet_pton(AF_INET6, "fe80::1", &local.sin6_addr), 1);
	struct address_key zoned = address_key_of((const struct sockaddr *)&local), plain = key_of("fe80::1");
	ck_assert_mem_eq(&zoned, &plain, sizeof zoned);
}
END_TEST

START_TEST(unix_and_unknown_peers_are_never_limited_by_address)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct address_key key = address_key_of((const struct sockaddr *)&local), none = address_key_of(NULL);
	ck_assert_mem_eq(&key, &none, sizeof key);
	struct connections *connections = connections_new(0, 1);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(connections_admit(connections, key), CONNECTIONS_ADMITTED);
	for (int i = 0; i < 10; i++)
		connections_release(connections, key);
	ck_assert_uint_eq(connections_count(connections), 0);
	connections_free(connections);
}
END_TEST

START_TEST(refuses_above_the_limit_of_an_address_and_no_other)
{
	struct connections *connections = connections_new(0, 2);
	struct address_key one = key_of("10.0.0.1"), other = key_of("10.0.0.2");
	ck_assert_int_eq(connections_admit(connections, one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_admit(connections, one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_admit(connections, one), CONNECTIONS_ADDRESS_FULL);
	ck_assert_int_eq(connections_admit(connections, other), CONNECTIONS_ADMITTED);
	ck_assert_uint_eq(connections_count(connections), 3);
	connections_release(connections, one);
	ck_assert_int_eq(connections_admit(connections, one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_admit(connections, one), CONNECTIONS_ADDRESS_FULL);
	connections_free(connections); /* with addresses still counted */
}
END_TEST

START_TEST(refuses_above_the_limit_of_the_node)
{
	struct connections *connections = connections_new(2, 0);
	ck_assert_int_eq(connections_admit(connections, key_of("10.0.0.1")), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_admit(connections, key_of("10.0.0.1")), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_admit(connections, key_of("10.0.0.3")), CONNECTIONS_NODE_FULL);
	connections_release(connections, key_of("10.0.0.1"));
	ck_assert_int_eq(connections_admit(connections, key_of("10.0.0.3")), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

START_TEST(three_hundred_of_one_network_fill_one_place)
{
	struct connections *connections = connections_new(0, 100);
	unsigned admitted = 0;
	for (unsigned i = 0; i < 300; i++) {
		struct sockaddr_in6 address = {.sin6_family = AF_INET6};
		inet_pton(AF_INET6, "2001:db8::", &address.sin6_addr);
		address.sin6_addr.s6_addr[8] = (unsigned char)(i >> 8);
		address.sin6_addr.s6_addr[15] = (unsigned char)i;
		admitted +=
		    connections_admit(connections, address_key_of((struct sockaddr *)&address)) == CONNECTIONS_ADMITTED;
	}
	ck_assert_uint_eq(admitted, 100);
	connections_free(connections);
}
END_TEST

#define THREADS 4
#define ROUNDS 2000

static void *come_and_go(void *argument)
{
	struct connections *connections = argument;
	struct address_key key = key_of("10.0.0.1");
	for (int i = 0; i < ROUNDS; i++) {
		if (connections_admit(connections, key) == CONNECTIONS_ADMITTED)
			connections_release(connections, key);
	}
	return NULL;
}

START_TEST(threads_leave_nothing_behind)
{
	struct connections *connections = connections_new(0, 2);
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, connections), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(connections_count(connections), 0);
	ck_assert_int_eq(connections_admit(connections, key_of("10.0.0.1")), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_admit(connections, key_of("10.0.0.1")), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connections");
	TCase *tests = tcase_create("connections");
	tcase_add_test(tests, ipv6_counts_by_its_first_64_bits);
	tcase_add_test(tests, a_mapped_address_is_the_ipv4_address);
	tcase_add_test(tests, a_zone_makes_no_difference);
	tcase_add_test(tests, unix_and_unknown_peers_are_never_limited_by_address);
	tcase_add_test(tests, refuses_above_the_limit_of_an_address_and_no_other);
	tcase_add_test(tests, refuses_above_the_limit_of_the_node);
	tcase_add_test(tests, three_hundred_of_one_network_fill_one_place);
	tcase_add_test(tests, threads_leave_nothing_behind);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
