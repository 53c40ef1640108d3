/* limits.memory: over it new work is refused and clients stay; below again all is as it was. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/redis_server.h"
#include "tests/support/sanitizer.h"
#include "tests/support/suite.h"

#define EVENT_BYTES ((size_t)64 * 1024)
#define EVENTS 800 /* 50 MB in the ring */
#define ROOM_BYTES ((uint64_t)24 << 20)

static struct redis_server *redis;
static struct gateway *gateway;

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

START_TEST(over_it_nobody_new_comes_in)
{
	static const char *const flags[] = {"--limits.memory", "1m", NULL};
	struct raw raw;
	struct buf body;
	struct http_answer answer;
	open_with(flags);
	gateway_wait_metric(gateway, "memory_over", "", 1);
	gateway_wait_metric(gateway, "memory_limit_bytes", "", 1 << 20);
	ck_assert(gateway_metric(gateway, "memory_used_bytes", "") > 1 << 20);
	raw_connect(&raw, gateway_port(gateway));
	ck_assert_int_eq(raw_handshake(&raw, "/v1/stream", ""), 503);
	raw_close(&raw);
	http_ask_once(gateway_port(gateway), "GET /v1/history?session=s1 HTTP/1.1\r\nHost: x\r\n", NULL, &answer);
	http_expect(&answer, 503, "over_memory");
	ck_assert(http_has_field(&answer, "Retry-After: 2"));
	http_answer_free(&answer);
	buf_init(&body);
	ck_assert_int_eq(gateway_get(gateway, "/healthz", NULL), 200);
	ck_assert_int_ne(gateway_get(gateway, "/readyz", &body), 0);
	buf_append_char(&body, '\0');
	ck_assert_ptr_nonnull(strstr(body.bytes, "\"memory\":\"over\""));
	buf_fini(&body);
}
END_TEST

static uint64_t memory_of_an_idle_node(void)
{
	open_with(NULL);
	gateway_wait_metric_at_least(gateway, "memory_used_bytes", "", 1);
	uint64_t bytes = (uint64_t)gateway_metric(gateway, "memory_used_bytes", "");
	gateway_end(gateway);
	return bytes;
}

static void publish_much(void)
{
	char *payload = malloc(EVENT_BYTES);
	memset(payload, 'x', EVENT_BYTES);
	payload[0] = payload[EVENT_BYTES - 1] = '"';
	for (int i = 0; i < EVENTS; i++)
		redis_server_publish(redis, SLICE_LITERAL("trace:s1"), (struct slice){payload, EVENT_BYTES});
	free(payload);
}

START_TEST(caches_give_way_and_then_it_goes_on)
{
	struct raw raw;
	char limit[32];
	snprintf(limit, sizeof limit, "%llu", (unsigned long long)(memory_of_an_idle_node() + ROOM_BYTES));
	const char *const flags[] = {"--limits.memory", limit, "--history.ring_bytes", "64m", "--history.max_events", "100", NULL};
	open_with(flags);
	raw_open(&raw, gateway_port(gateway));
	publish_much();
	gateway_wait_metric_at_least(gateway, "events_in_total", "", EVENTS);
	/* It was over, let go of most of the ring, and is below again. */
	struct deadline deadline = deadline_in(DEADLINE_MS);
	bool was_over = false;
	char *log;
	do {
		log = process_text(gateway_process(gateway), PROCESS_ERROR);
		was_over = strstr(log, "over limits.memory") != NULL;
		free(log);
	} while (!was_over && deadline_next_look(deadline));
	ck_assert(was_over);
	gateway_wait_metric(gateway, "memory_over", "", 0);
	raw_send_frame(&raw, 0x81, slice_of("{\"id\":1,\"op\":\"subscribe\"}"));
	raw_expect_text(&raw, "\"sub\":", NULL);
	raw_close(&raw);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits_memory");
	TCase *tests = tcase_create("limits_memory");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, over_it_nobody_new_comes_in);
	if (!IS_SANITIZED) /* which keeps what was freed */
		tcase_add_test(tests, caches_give_way_and_then_it_goes_on);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
