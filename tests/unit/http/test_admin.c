#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/codec/json.h"
#include "gateway/http/admin.h"
#include "gateway/metrics/metrics.h"
#include "tests/support/suite.h"

static struct node node;
static struct admin admin;
static struct buf body;
static uint64_t turned_ms;

static uint64_t tell_turned_ms(void *context)
{
	return *(uint64_t *)context;
}

static void set_up(void)
{
	clock_fake(100 * NS_PER_S, 1700000005000);
	turned_ms = clock_mono_ms();
	node = (struct node){.name = "node \"1\"", .started_mono_ms = 95000};
	admin = (struct admin){.node = &node, .oldest_turn_ms = tell_turned_ms, .context = &turned_ms};
	buf_init(&body);
	ck_assert_int_eq(metrics_join(), OK);
}

static void tear_down(void)
{
	metrics_reset();
	buf_fini(&body);
	clock_real();
}

static struct admin_answer ask(const char *method, const char *path)
{
	buf_clear(&body);
	struct admin_answer answer = admin_answer(&admin, slice_of(method), slice_of(path), &body);
	ck_assert(!buf_has_failed(&body));
	if (strcmp(answer.content_type, "application/json") == 0)
		ck_assert(json_is_valid(buf_slice(&body), NULL, NULL));
	return answer;
}

static void assert_body(const char *text)
{
	ck_assert_msg(slice_is(buf_slice(&body), text), "%.*s", (int)body.len, body.bytes);
}

static const struct {
	bool is_up, is_draining;
	int status;
	const char *body;
} readiness[] = {
    {true, false, 200, "{\"ready\":true,\"redis\":\"up\",\"draining\":false}\n"},
    {false, false, 503, "{\"ready\":false,\"redis\":\"down\",\"draining\":false}\n"},
    {true, true, 503, "{\"ready\":false,\"redis\":\"up\",\"draining\":true}\n"},
    {false, true, 503, "{\"ready\":false,\"redis\":\"down\",\"draining\":true}\n"},
};

START_TEST(is_ready_while_redis_is_up_and_it_does_not_drain)
{
	atomic_store(&node.redis_up, readiness[_i].is_up);
	atomic_store(&node.draining, readiness[_i].is_draining);
	ck_assert_int_eq(ask("GET", "/readyz").status, readiness[_i].status);
	assert_body(readiness[_i].body);
}
END_TEST

START_TEST(says_with_history_whether_events_are_recorded)
{
	admin.has_history = true;
	atomic_store(&node.redis_up, true);
	atomic_store(&node.past_was_up, true);
	ck_assert_int_eq(ask("GET", "/readyz").status, 200);
	assert_body("{\"ready\":true,\"redis\":\"up\",\"draining\":false,\"recorded\":false}\n");
	atomic_store(&node.is_recorded, true);
	ck_assert_int_eq(ask("GET", "/readyz").status, 200);
	assert_body("{\"ready\":true,\"redis\":\"up\",\"draining\":false,\"recorded\":true}\n");
}
END_TEST

START_TEST(is_ready_with_history_once_the_past_could_be_read)
{
	admin.has_history = true;
	atomic_store(&node.redis_up, true);
	ck_assert_int_eq(ask("GET", "/readyz").status, 503);
	assert_body("{\"ready\":false,\"redis\":\"up\",\"draining\":false,\"recorded\":false}\n");
	atomic_store(&node.past_was_up, true);
	ck_assert_int_eq(ask("GET", "/readyz").status, 200);
}
END_TEST

START_TEST(tells_who_records_and_where_the_log_stands)
{
	atomic_store(&node.is_recorder, true);
	atomic_store(&node.log_last_ms, 1764031200123);
	atomic_store(&node.log_last_seq, 7);
	ask("GET", "/v1/node");
	buf_append_char(&body, '\0');
	ck_assert_ptr_nonnull(strstr(body.bytes, "\"recorder\":true,"));
	ck_assert_ptr_nonnull(strstr(body.bytes, "\"log\":{\"last\":\"1764031200123-7\"},"));
}
END_TEST

static const char *const health_paths[] = {"/healthz", "/livez"};

START_TEST(is_healthy_until_a_loop_is_late_whatever_redis_does)
{
	ck_assert_int_eq(ask("GET", health_paths[_i]).status, 200);
	clock_fake_advance_ms(ADMIN_LOOP_LATE_MS);
	ck_assert_int_eq(ask("GET", health_paths[_i]).status, 200);
	clock_fake_advance_ms(1);
	ck_assert_int_eq(ask("GET", health_paths[_i]).status, 503);
	turned_ms = clock_mono_ms() + 5; /* turned after the clock was read */
	ck_assert_int_eq(ask("GET", health_paths[_i]).status, 200);
}
END_TEST

START_TEST(tells_what_the_node_is)
{
	metric_gauge_add(METRIC_CONNECTIONS, 7);
	metric_gauge_add(METRIC_SUBSCRIPTIONS, 9);
	metric_gauge_add(METRIC_COHORTS, 2);
	atomic_store(&node.redis_up, true);
	struct admin_answer answer = ask("GET", "/v1/node");
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(answer.content_type, "application/json");
	assert_body(
	    "{\"node\":\"node \\\"1\\\"\",\"version\":\"" TRACEGATE_VERSION "\",\"recorder\":false,\"connections\":7,"
	    "\"subscriptions\":9,\"cohorts\":2,\"redis\":{\"up\":true},\"log\":{\"last\":null},\"draining\":false,"
	    "\"uptimeMs\":5000}\n");
}
END_TEST

START_TEST(uptime_does_not_follow_the_wall_clock)
{
	clock_fake(100 * NS_PER_S, 1);
	ask("GET", "/v1/node");
	buf_append_char(&body, '\0');
	ck_assert_ptr_nonnull(strstr(body.bytes, "\"uptimeMs\":5000}"));
}
END_TEST

START_TEST(gives_metrics_with_their_content_type)
{
	struct admin_answer answer = ask("HEAD", "/metrics");
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
	ck_assert_int_eq(strncmp(body.bytes, "# HELP tracegate_connections ", 29), 0);
}
END_TEST

static const struct {
	const char *method, *path;
	int status;
	const char *code;
} refused[] = {
    {"POST", "/metrics", 405, "\"method_not_allowed\""},
    {"DELETE", "/readyz", 405, "\"method_not_allowed\""},
    {"get", "/readyz", 405, "\"method_not_allowed\""},
    {"GET", "/", 404, "\"not_found\""},
    {"POST", "/x", 404, "\"not_found\""},
    {"GET", "/metrics/", 404, "\"not_found\""},
    {"GET", "", 404, "\"not_found\""},
    {"GET", "/v1/stream", 404, "\"not_found\""},
};

START_TEST(refuses_other_methods_and_paths)
{
	struct admin_answer answer = ask(refused[_i].method, refused[_i].path);
	ck_assert_int_eq(answer.status, refused[_i].status);
	ck_assert_str_eq(answer.content_type, "application/json");
	buf_append_char(&body, '\0');
	ck_assert_int_eq(strncmp(body.bytes, "{\"error\":{\"code\":", 17), 0);
	ck_assert_ptr_nonnull(strstr(body.bytes, refused[_i].code));
	ck_assert_ptr_nonnull(strstr(body.bytes, "\"message\":\""));
}
END_TEST

static const struct {
	const char *method, *type, *body;
	bool has_length;
	int status;
} orders[] = {
    {"POST", "application/json", "{\"identity\":\"ann\"}", true, 0},
    {"POST", "application/json; charset=utf-8", "{\"identity\":\"ann\"}", true, 0},
    {"GET", "", "", false, 405},
    {"DELETE", "application/json", "{\"identity\":\"ann\"}", true, 405},
    {"POST", "application/json", "", false, 411},
    {"POST", "text/plain", "{\"identity\":\"ann\"}", true, 415},
    {"POST", "application/jsonx", "{\"identity\":\"ann\"}", true, 415},
    {"POST", "", "{\"identity\":\"ann\"}", true, 415},
    {"POST", "application/json", "{\"identity\":\"\"}", true, 400},
    {"POST", "application/json", "nonsense", true, 400},
};

START_TEST(takes_an_order_only_as_it_should_be)
{
	const struct admin_request request = {.method = slice_of(orders[_i].method),
	                                      .content_type = slice_of(orders[_i].type),
	                                      .body = slice_of(orders[_i].body),
	                                      .has_length = orders[_i].has_length};
	struct disconnect order;
	struct admin_answer answer = admin_read_order(&request, &order, &body);
	ck_assert_int_eq(answer.status, orders[_i].status);
	ck_assert(!answer.allow == (answer.status != 405));
	if (answer.status)
		ck_assert(json_is_valid(buf_slice(&body), NULL, NULL));
	else
		ck_assert_str_eq(order.identity, "ann");
}
END_TEST

START_TEST(says_what_came_of_an_order)
{
	ck_assert_int_eq(admin_answer_order(&admin, 3, true, &body).status, 200);
	assert_body("{\"node\":\"node \\\"1\\\"\",\"disconnected\":3,\"told\":true}\n");
	buf_clear(&body);
	ck_assert_int_eq(admin_answer_order(&admin, 3, false, &body).status, 503);
	ck_assert(json_is_valid(buf_slice(&body), NULL, NULL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin");
	TCase *cases = tcase_create("admin");
	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_loop_test(cases, is_ready_while_redis_is_up_and_it_does_not_drain, 0,
	                    sizeof readiness / sizeof readiness[0]);
	tcase_add_loop_test(cases, is_healthy_until_a_loop_is_late_whatever_redis_does, 0, 2);
	tcase_add_test(cases, says_with_history_whether_events_are_recorded);
	tcase_add_test(cases, is_ready_with_history_once_the_past_could_be_read);
	tcase_add_test(cases, tells_who_records_and_where_the_log_stands);
	tcase_add_test(cases, tells_what_the_node_is);
	tcase_add_test(cases, uptime_does_not_follow_the_wall_clock);
	tcase_add_test(cases, gives_metrics_with_their_content_type);
	tcase_add_loop_test(cases, refuses_other_methods_and_paths, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(cases, takes_an_order_only_as_it_should_be, 0, sizeof orders / sizeof orders[0]);
	tcase_add_test(cases, says_what_came_of_an_order);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
