/* Descriptors, many or none left, and the addresses to listen on. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/sanitizer.h"
#include "tests/support/suite.h"

#define FEW_DESCRIPTORS 64
#define CONNECTS 200
#define RESIDENT_BYTES_MAX ((uint64_t)50 << 20)

static struct redis_server *redis;

static void start(void)
{
	redis = redis_server_start(NULL);
}

static void stop(void)
{
	redis_server_free(redis);
}

static struct gateway *open_gateway(const char *const *flags, uint64_t descriptor_limit)
{
	struct gateway_options options = {
		.program = TEST_GATEWAY,
		.redis_url = redis_server_url(redis),
		.flags = flags,
		.descriptor_limit = descriptor_limit,
	};
	struct gateway *gateway = gateway_open(&options);
	gateway_wait_ready(gateway, true);
	return gateway;
}

static unsigned count_lines(struct gateway *gateway, const char *text)
{
	unsigned count = 0;
	char *log = process_text(gateway_process(gateway), PROCESS_ERROR);
	for (const char *at = log; (at = strstr(at, text)); at++)
		count++;
	free(log);
	return count;
}

START_TEST(turns_clients_away_when_descriptors_run_out_and_recovers)
{
	static struct raw clients[CONNECTS];
	struct bystander bystander;
	struct gateway *gateway = open_gateway(NULL, FEW_DESCRIPTORS);
	bystander_join(&bystander, gateway_port(gateway), redis);
	unsigned descriptors = process_descriptors(gateway_process(gateway));
	for (size_t i = 0; i < CONNECTS; i++)
		raw_connect(&clients[i], gateway_port(gateway));
	gateway_wait_metric_at_least(gateway, "connections_refused_total", "reason=\"descriptors\"",
				     CONNECTS - FEW_DESCRIPTORS);
	bystander_check(&bystander);
	/* It serves whom it has, answers the admin port, finds Redis again, and rests. */
	uint64_t cpu_ms = process_cpu_ms(gateway_process(gateway));
	raw_expect_silence(&bystander.raw, 1000);
	ck_assert_uint_lt(process_cpu_ms(gateway_process(gateway)), cpu_ms + 100);
	redis_server_restart(redis);
	gateway_wait_ready(gateway, true);
	raw_expect_text(&bystander.raw, "redisUp", NULL);
	bystander_check(&bystander);
	ck_assert_uint_le(count_lines(gateway, "no descriptors left"), 3);
	for (size_t i = 0; i < CONNECTS; i++)
		raw_close(&clients[i]);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (process_descriptors(gateway_process(gateway)) > descriptors)
		ck_assert_msg(deadline_next_look(deadline), "descriptors are lost");
	struct raw late;
	raw_open(&late, gateway_port(gateway));
	raw_close(&late);
	bystander_leave(&bystander);
	gateway_end(gateway);
}
END_TEST

START_TEST(stays_small_under_the_highest_limit)
{
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	struct rlimit higher = {1073741816, 1073741816};
	if (setrlimit(RLIMIT_NOFILE, &higher) != 0)
		higher = limit; /* only root may raise it */
	setrlimit(RLIMIT_NOFILE, &limit);
	struct gateway *gateway = open_gateway(NULL, higher.rlim_max);
#if !IS_SANITIZED
	ck_assert_uint_lt(process_resident_bytes(gateway_process(gateway)), RESIDENT_BYTES_MAX);
#endif
	struct raw raw;
	raw_open(&raw, gateway_port(gateway));
	raw_close(&raw);
	gateway_end(gateway);
}
END_TEST

START_TEST(asks_for_as_many_descriptors_as_its_connections_may_need)
{
	const char *const flags[] = {"--limits.connections", "500", NULL};
	struct gateway *gateway = open_gateway(flags, 0);
	struct rlimit limit;
	ck_assert_int_eq(prlimit(process_pid(gateway_process(gateway)), RLIMIT_NOFILE, NULL, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 500 + 1024);
	ck_assert_uint_eq(count_lines(gateway, "fewer descriptors"), 0);
	gateway_end(gateway);
	gateway = open_gateway(flags, 1000);
	ck_assert_uint_eq(count_lines(gateway, "fewer descriptors"), 1);
	gateway_end(gateway);
}
END_TEST

/* Connects to ::1. False: there is no IPv6 here, or nobody listens. */
static bool connect_v6(uint16_t port)
{
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	if (fd >= 0)
		close(fd);
	return is_connected;
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_there = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
	if (fd >= 0)
		close(fd);
	return is_there;
}

START_TEST(listens_on_ipv6_and_ipv4_at_once_where_there_is_ipv6)
{
	const char *flags[] = {"--listen", "[::]:0", NULL};
	struct gateway *gateway = open_gateway(flags, 0);
	struct raw raw;
	raw_open(&raw, gateway_port(gateway));
	raw_close(&raw);
	ck_assert_int_eq(connect_v6(gateway_port(gateway)), has_ipv6());
	gateway_end(gateway);
}
END_TEST

START_TEST(serves_with_several_workers_on_one_port)
{
	const char *flags[] = {"--workers", "3", NULL};
	struct gateway *gateway = open_gateway(flags, 0);
	struct bystander clients[20];
	for (size_t i = 0; i < 20; i++)
		bystander_join(&clients[i], gateway_port(gateway), redis);
	gateway_wait_metric(gateway, "connections", "", 20);
	for (size_t i = 0; i < 20; i++)
		bystander_leave(&clients[i]);
	gateway_end(gateway);
}
END_TEST

/* The start fails with a status and a line that names the address. */
static void expect_start_to_fail(const char *listen, const char *why)
{
	const char *flags[] = {"--listen", listen, NULL};
	struct gateway_options options = {
		.program = TEST_GATEWAY, .redis_url = redis_server_url(redis), .flags = flags};
	struct process *process = gateway_launch(&options);
	int status = 0;
	ck_assert(process_wait(process, deadline_in(DEADLINE_MS), &status));
	ck_assert_int_eq(status, 1);
	char *log = process_text(process, PROCESS_ERROR);
	ck_assert_msg(strstr(log, listen) && strstr(log, why), "no %s and %s in: %s", listen, why, log);
	free(log);
	process_free(process);
}

START_TEST(does_not_start_on_a_busy_port_not_even_beside_another_gateway)
{
	struct gateway *gateway = open_gateway(NULL, 0);
	char listen[32];
	snprintf(listen, sizeof listen, "127.0.0.1:%d", gateway_port(gateway));
	expect_start_to_fail(listen, "in use");
	gateway_end(gateway);
}
END_TEST

START_TEST(does_not_start_on_an_address_that_is_not_here)
{
	expect_start_to_fail("192.0.2.1:0", "annot assign");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire descriptors");
	TCase *tests = tcase_create("descriptors");
	tcase_add_unchecked_fixture(tests, start, stop);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, turns_clients_away_when_descriptors_run_out_and_recovers);
	tcase_add_test(tests, stays_small_under_the_highest_limit);
	tcase_add_test(tests, asks_for_as_many_descriptors_as_its_connections_may_need);
	tcase_add_test(tests, listens_on_ipv6_and_ipv4_at_once_where_there_is_ipv6);
	tcase_add_test(tests, serves_with_several_workers_on_one_port);
	tcase_add_test(tests, does_not_start_on_a_busy_port_not_even_beside_another_gateway);
	tcase_add_test(tests, does_not_start_on_an_address_that_is_not_here);
	suite_add_tcase(suite, tests);
	return suite_run_in_process(suite);
}
