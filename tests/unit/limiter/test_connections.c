#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/limiter/connections.h"
#include "tests/support/suite.h"

static struct ip ip_named(const char *text)
{
	struct ip ip;
	ck_assert(ip_read(slice_of(text), &ip));
	return ip;
}

static struct address_key key_of(const char *text)
{
	struct ip ip = ip_named(text);
	return address_key_of(&ip);
}

static bool is_same(const char *a, const char *b)
{
	struct address_key left = key_of(a), right = key_of(b);
	return memcmp(&left, &right, sizeof left) == 0;
}

static struct connections *make(size_t node, size_t address)
{
	struct connections_limits limits = {.node = node, .address = address};
	struct connections *connections = connections_new(&limits);
	ck_assert_ptr_nonnull(connections);
	return connections;
}

static enum connections_verdict admit(struct connections *connections, const char *text, struct admission *ret_admission)
{
	struct ip ip = ip_named(text);
	return connections_admit(connections, &ip, address_key_of(&ip), ret_admission);
}

static enum connections_verdict identify(struct connections *connections, struct admission *admission, const char *identity,
					 uint64_t limit)
{
	return connections_identify(connections, admission, slice_of(identity), limit);
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
	ck_assert(is_same("fe80::1%eth0", "fe80::1"));
}
END_TEST

START_TEST(unknown_peers_are_never_limited_by_address)
{
	struct connections *connections = make(0, 1);
	struct ip unknown = {.is_known = false};
	struct admission admissions[10];
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(connections_admit(connections, &unknown, address_key_of(&unknown), &admissions[i]), CONNECTIONS_ADMITTED);
	for (int i = 0; i < 10; i++)
		connections_release(connections, &admissions[i]);
	ck_assert_uint_eq(connections_count(connections), 0);
	connections_free(connections);
}
END_TEST

START_TEST(refuses_above_the_limit_of_an_address_and_no_other)
{
	struct connections *connections = make(0, 2);
	struct admission one, two, other, above;
	ck_assert_int_eq(admit(connections, "10.0.0.1", &one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &two), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &above), CONNECTIONS_ADDRESS_FULL);
	ck_assert_int_eq(admit(connections, "10.0.0.2", &other), CONNECTIONS_ADMITTED);
	ck_assert_uint_eq(connections_count(connections), 3);
	connections_release(connections, &one);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &above), CONNECTIONS_ADDRESS_FULL);
	connections_free(connections); /* with addresses still counted */
}
END_TEST

START_TEST(refuses_above_the_limit_of_the_node)
{
	struct connections *connections = make(2, 0);
	struct admission one, two, three;
	ck_assert_int_eq(admit(connections, "10.0.0.1", &one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &two), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.3", &three), CONNECTIONS_NODE_FULL);
	connections_release(connections, &one);
	ck_assert_int_eq(admit(connections, "10.0.0.3", &three), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

START_TEST(three_hundred_of_one_network_fill_one_place)
{
	struct connections *connections = make(0, 100);
	unsigned admitted = 0;
	for (unsigned i = 0; i < 300; i++) {
		struct ip ip = ip_named("2001:db8::");
		struct admission admission;
		ip.bytes[8] = (unsigned char)(i >> 8);
		ip.bytes[15] = (unsigned char)i;
		admitted += connections_admit(connections, &ip, address_key_of(&ip), &admission) == CONNECTIONS_ADMITTED;
	}
	ck_assert_uint_eq(admitted, 100);
	connections_free(connections);
}
END_TEST

START_TEST(a_connection_moves_from_one_address_to_another)
{
	struct connections *connections = make(0, 1);
	struct admission proxied, direct, above;
	struct ip proxy = ip_named("10.0.0.1");
	ck_assert_int_eq(connections_admit(connections, &proxy, address_key_none, &proxied), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "192.0.2.1", &direct), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_move(connections, &proxied, key_of("192.0.2.1")), CONNECTIONS_ADDRESS_FULL);
	ck_assert_int_eq(connections_move(connections, &proxied, key_of("192.0.2.2")), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_move(connections, &proxied, key_of("192.0.2.2")), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "192.0.2.2", &above), CONNECTIONS_ADDRESS_FULL);
	ck_assert_int_eq(connections_move(connections, &proxied, address_key_none), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "192.0.2.2", &above), CONNECTIONS_ADMITTED);
	ck_assert_uint_eq(connections_count(connections), 3);
	connections_free(connections);
}
END_TEST

START_TEST(an_identity_has_so_many_connections_and_no_more)
{
	struct connections *connections = make(0, 0);
	struct admission admissions[4];
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(admit(connections, "10.0.0.1", &admissions[i]), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &admissions[0], "ann", 2), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &admissions[1], "ann", 2), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &admissions[2], "ann", 2), CONNECTIONS_IDENTITY_FULL);
	ck_assert_int_eq(identify(connections, &admissions[2], "ann", 3), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &admissions[3], "bob", 1), CONNECTIONS_ADMITTED);
	connections_release(connections, &admissions[0]);
	connections_release(connections, &admissions[1]);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &admissions[0]), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &admissions[0], "ann", 2), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

START_TEST(the_same_identity_again_takes_no_second_place)
{
	struct connections *connections = make(0, 0);
	struct admission one, two;
	ck_assert_int_eq(admit(connections, "10.0.0.1", &one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &two), CONNECTIONS_ADMITTED);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(identify(connections, &one, "ann", 1), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &two, "ann", 1), CONNECTIONS_IDENTITY_FULL);
	ck_assert_int_eq(identify(connections, &one, "bob", 1), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &two, "ann", 1), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &two, "bob", 1), CONNECTIONS_IDENTITY_FULL);
	connections_forget(connections, &one);
	ck_assert_int_eq(identify(connections, &two, "bob", 1), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &one, "ann", 1), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

START_TEST(anonymous_clients_are_counted_in_no_name)
{
	struct connections *connections = make(0, 0);
	struct admission admissions[3];
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(admit(connections, "10.0.0.1", &admissions[i]), CONNECTIONS_ADMITTED);
		ck_assert_int_eq(identify(connections, &admissions[i], "", 1), CONNECTIONS_ADMITTED);
	}
	connections_free(connections);
}
END_TEST

START_TEST(strangers_have_a_limit_until_they_say_who_they_are)
{
	struct connections_limits limits = {.strangers = 2, .must_identify = true};
	struct connections *connections = connections_new(&limits);
	struct admission one, two, three;
	ck_assert_int_eq(admit(connections, "10.0.0.1", &one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.2", &two), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.3", &three), CONNECTIONS_STRANGERS_FULL);
	ck_assert_int_eq(identify(connections, &one, "ann", 0), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &one, "ann", 0), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.3", &three), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.4", &three), CONNECTIONS_STRANGERS_FULL);
	connections_release(connections, &two);
	ck_assert_int_eq(admit(connections, "10.0.0.4", &three), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

START_TEST(whoever_is_refused_for_his_identity_stays_a_stranger)
{
	struct connections_limits limits = {.strangers = 1, .must_identify = true};
	struct connections *connections = connections_new(&limits);
	struct admission one, two, three;
	ck_assert_int_eq(admit(connections, "10.0.0.1", &one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &one, "ann", 1), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &two), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &two, "ann", 1), CONNECTIONS_IDENTITY_FULL);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &three), CONNECTIONS_STRANGERS_FULL);
	connections_release(connections, &two);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &three), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

/* Requests at once on one connection of a proxy. */
START_TEST(requests_that_share_a_connection_are_each_of_their_own_client)
{
	struct connections_limits limits = {.address = 1, .strangers = 1, .must_identify = true};
	struct connections *connections = connections_new(&limits);
	struct ip proxy = ip_named("10.0.0.1");
	struct admission whole, one, two, other;
	ck_assert_int_eq(connections_admit(connections, &proxy, address_key_none, &whole), CONNECTIONS_ADMITTED);
	connections_share(&whole, &one);
	connections_share(&whole, &two);
	ck_assert_int_eq(connections_move(connections, &one, key_of("192.0.2.1")), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_move(connections, &two, key_of("192.0.2.1")), CONNECTIONS_ADDRESS_FULL);
	ck_assert_int_eq(connections_move(connections, &two, key_of("192.0.2.2")), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "192.0.2.3", &other), CONNECTIONS_STRANGERS_FULL);
	ck_assert_int_eq(identify(connections, &one, "ann", 1), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &two, "ann", 1), CONNECTIONS_IDENTITY_FULL);
	ck_assert_int_eq(identify(connections, &two, "bob", 1), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "192.0.2.3", &other), CONNECTIONS_ADMITTED); /* the proxy is no stranger any more */
	ck_assert_uint_eq(connections_count(connections), 2);
	connections_release(connections, &one);
	ck_assert_int_eq(identify(connections, &other, "ann", 1), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_move(connections, &other, key_of("192.0.2.1")), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(connections_move(connections, &other, key_of("192.0.2.2")), CONNECTIONS_ADDRESS_FULL);
	connections_release(connections, &two);
	connections_release(connections, &whole);
	connections_release(connections, &other);
	ck_assert_uint_eq(connections_count(connections), 0);
	ck_assert_int_eq(admit(connections, "192.0.2.1", &other), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

START_TEST(a_request_has_the_address_of_its_connection_unless_it_has_its_own)
{
	struct connections *connections = make(0, 5);
	struct address_key one = key_of("192.0.2.1"), two = key_of("192.0.2.2");
	struct admission whole, part;
	ck_assert_int_eq(admit(connections, "192.0.2.1", &whole), CONNECTIONS_ADMITTED);
	connections_share(&whole, &part);
	ck_assert_mem_eq(admission_address(&whole), &one, sizeof one);
	ck_assert_mem_eq(admission_address(&part), &one, sizeof one);
	ck_assert_int_eq(connections_move(connections, &part, two), CONNECTIONS_ADMITTED);
	ck_assert_mem_eq(admission_address(&part), &two, sizeof two);
	connections_release(connections, &part);
	connections_release(connections, &whole);
	connections_free(connections);
}
END_TEST

#define THREADS 4
#define ROUNDS 2000

static void *come_and_go(void *argument)
{
	struct connections *connections = argument;
	for (int i = 0; i < ROUNDS; i++) {
		struct admission admission;
		if (admit(connections, "10.0.0.1", &admission) != CONNECTIONS_ADMITTED)
			continue;
		enum connections_verdict verdict = identify(connections, &admission, i % 2 ? "ann" : "bob", 1);
		if (verdict == CONNECTIONS_ADMITTED)
			verdict = connections_move(connections, &admission, key_of("10.0.0.2"));
		connections_release(connections, &admission);
	}
	return NULL;
}

START_TEST(threads_leave_nothing_behind)
{
	struct connections *connections = make(0, 2);
	pthread_t threads[THREADS];
	struct admission one, two;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, connections), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(connections_count(connections), 0);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &one), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(admit(connections, "10.0.0.1", &two), CONNECTIONS_ADMITTED);
	ck_assert_int_eq(identify(connections, &one, "ann", 1), CONNECTIONS_ADMITTED);
	connections_free(connections);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connections");
	TCase *tests = tcase_create("connections");
	tcase_add_test(tests, ipv6_counts_by_its_first_64_bits);
	tcase_add_test(tests, a_mapped_address_is_the_ipv4_address);
	tcase_add_test(tests, unknown_peers_are_never_limited_by_address);
	tcase_add_test(tests, refuses_above_the_limit_of_an_address_and_no_other);
	tcase_add_test(tests, refuses_above_the_limit_of_the_node);
	tcase_add_test(tests, three_hundred_of_one_network_fill_one_place);
	tcase_add_test(tests, a_connection_moves_from_one_address_to_another);
	tcase_add_test(tests, an_identity_has_so_many_connections_and_no_more);
	tcase_add_test(tests, the_same_identity_again_takes_no_second_place);
	tcase_add_test(tests, anonymous_clients_are_counted_in_no_name);
	tcase_add_test(tests, strangers_have_a_limit_until_they_say_who_they_are);
	tcase_add_test(tests, whoever_is_refused_for_his_identity_stays_a_stranger);
	tcase_add_test(tests, requests_that_share_a_connection_are_each_of_their_own_client);
	tcase_add_test(tests, a_request_has_the_address_of_its_connection_unless_it_has_its_own);
	tcase_add_test(tests, threads_leave_nothing_behind);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
