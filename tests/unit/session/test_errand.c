#include "fake_peer.h"

#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/request_inside.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;
static struct errand errand;
static unsigned cancelled;

static void setup(void)
{
	struct exchange_settings settings = fake_settings();
	settings.past_requests_max = 1;
	settings.ring_records_max = 16;
	settings.ring_bytes_max = 4096;
	fake_start();
	cancelled = 0;
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
	peer_connect(&peer, exchange);
	peer_expect_part(&peer, "\"op\":\"welcome\"");
}

static void teardown(void)
{
	peer_leave(&peer);
	exchange_free(exchange);
	fake_end();
}

static void on_cancel(struct errand *at)
{
	cancelled++;
	errand_end(at);
}

static bool begin(struct errand *at, const struct value *id)
{
	const struct request request = {.session = peer.session, .arena = &exchange->arena, .id = id};
	return errand_begin(at, &request, on_cancel);
}

/* The request's memory is gone when the reply is made. */
static void begin_with_text(enum value_kind kind, const char *text)
{
	char *gone = malloc(strlen(text) + 1);
	ck_assert_ptr_nonnull(gone);
	strcpy(gone, text);
	struct value id = {.kind = kind, .text = slice_of(gone)};
	ck_assert(begin(&errand, &id));
	memset(gone, '#', strlen(text));
	free(gone);
}

static struct value *ok_map(void)
{
	return value_map(&exchange->arena);
}

START_TEST(repeats_the_id_of_its_request_whatever_it_is)
{
	struct value number = {.kind = VALUE_UINT, .uint = UINT64_MAX}, negative = {.kind = VALUE_INT, .sint = -5};
	begin_with_text(VALUE_STRING, "a\"b");
	errand_succeed(&errand, ok_map());
	peer_expect(&peer, "{\"id\":\"a\\\"b\",\"ok\":{}}");
	begin_with_text(VALUE_NUMBER, "-1.50e3");
	errand_succeed(&errand, ok_map());
	peer_expect(&peer, "{\"id\":-1.50e3,\"ok\":{}}");
	begin_with_text(VALUE_STRING, "");
	errand_succeed(&errand, ok_map());
	peer_expect(&peer, "{\"id\":\"\",\"ok\":{}}");
	ck_assert(begin(&errand, &number));
	errand_succeed(&errand, ok_map());
	peer_expect(&peer, "{\"id\":18446744073709551615,\"ok\":{}}");
	ck_assert(begin(&errand, &negative));
	errand_succeed(&errand, ok_map());
	peer_expect(&peer, "{\"id\":-5,\"ok\":{}}");
}
END_TEST

START_TEST(without_an_id_nothing_is_said)
{
	ck_assert(begin(&errand, NULL));
	errand_succeed(&errand, ok_map());
	ck_assert(begin(&errand, NULL));
	errand_fail(&errand, "internal", "no", 0);
	peer_expect(&peer, NULL);
}
END_TEST

START_TEST(one_too_many_is_refused_until_another_has_ended)
{
	struct errand second;
	struct value id = {.kind = VALUE_UINT, .uint = 2};
	begin_with_text(VALUE_STRING, "first");
	ck_assert(!begin(&second, &id));
	peer_expect_part(&peer, "{\"id\":2,\"error\":{\"code\":\"too_many_requests\"");
	errand_end(&errand);
	ck_assert(begin(&second, &id));
	errand_end(&second);
	peer_expect(&peer, NULL);
}
END_TEST

static const struct {
	enum err error;
	const char *code, *message;
	bool is_temporary;
} failures[] = {
	{ERR_TIMEOUT, "timeout", "Redis did not answer within history.timeout", true},
	{ERR_CLOSED, "unavailable", "the node has no connection to Redis", true},
	{ERR_AGAIN, "unavailable", "why", true},
	{ERR_LIMIT, "too_many_requests", "the node has as many reads under way as history.requests allows", true},
	{ERR_NOMEM, "internal", "the gateway is out of memory", false},
	{ERR_IO, "refused", "why", false},
};

START_TEST(says_what_came_of_a_question)
{
	char reply[256];
	struct value id = {.kind = VALUE_UINT, .uint = 3};
	ck_assert(begin(&errand, &id));
	errand_fail_question(&errand, failures[_i].error, "why");
	snprintf(reply, sizeof reply, "{\"id\":3,\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"temporary\":%s}}", failures[_i].code,
		 failures[_i].message, failures[_i].is_temporary ? "true,\"retryAfterMs\":1000" : "false");
	peer_expect(&peer, reply);
	ck_assert_uint_eq(metric_read(METRIC_COMMAND_ERRORS), 1);
}
END_TEST

START_TEST(closing_cancels_each_once)
{
	begin_with_text(VALUE_STRING, "x");
	session_close(peer.session, CLOSE_INTERNAL);
	ck_assert_uint_eq(cancelled, 1);
	errands_cancel(peer.session);
	ck_assert_uint_eq(cancelled, 1);
	peer_expect(&peer, NULL);
}
END_TEST

/* The reply that closes the session must not cancel the errand that it is of. */
START_TEST(a_reply_that_nobody_reads_closes_the_session_but_not_on_the_errand)
{
	struct value id = {.kind = VALUE_UINT, .uint = 1};
	peer.is_stuck = true;
	peer_says(&peer, "{\"id\":1,\"op\":\"ping\"}");
	for (int replies = 0; replies < 20000 && !peer.close_code; replies++) {
		ck_assert(begin(&errand, &id));
		errand_fail(&errand, "internal", "the gateway is out of memory", 0);
		exchange_end_turn(exchange);
	}
	ck_assert_uint_eq(peer.close_code, 4502);
	ck_assert_uint_eq(cancelled, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("errand");
	TCase *tests = tcase_create("errand");
	tcase_add_checked_fixture(tests, setup, teardown);
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, repeats_the_id_of_its_request_whatever_it_is);
	tcase_add_test(tests, without_an_id_nothing_is_said);
	tcase_add_test(tests, one_too_many_is_refused_until_another_has_ended);
	tcase_add_loop_test(tests, says_what_came_of_a_question, 0, sizeof failures / sizeof failures[0]);
	tcase_add_test(tests, closing_cancels_each_once);
	tcase_add_test(tests, a_reply_that_nobody_reads_closes_the_session_but_not_on_the_errand);
	return suite_run(suite);
}
