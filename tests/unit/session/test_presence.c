#define _GNU_SOURCE
#include <string.h>

#include "fake_log.h"

#include "gateway/session/presence.h"
#include "gateway/session/system_event.h"
#include "tests/support/suite.h"

static struct exchange *exchange;
static struct peer peer;

static void begin(bool tells)
{
	struct exchange_settings settings = fake_settings();
	settings.past = (struct exchange_past){log_ask, NULL};
	settings.past_timeout_ns = NS_PER_S;
	settings.past_requests_max = 2;
	settings.ring_records_max = 16;
	settings.ring_bytes_max = 4096;
	settings.tells_clients = tells;
	settings.node = "node \"1\"";
	fake_start();
	log_start(10);
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
}

static void end(void)
{
	exchange_free(exchange);
	log_end();
	fake_end();
}

static void expect_told(const char *type, const char *more)
{
	char payload[512];
	snprintf(payload, sizeof payload, "{\"type\":\"%s\",\"node\":\"node \\\"1\\\"\",\"at\":%llu,\"client\":\"%llu\",\"identity\":\"ann\"%s}", type,
		 (unsigned long long)clock_wall_ms(), (unsigned long long)session_id(peer.session), more);
	ck_assert_uint_eq(fake_log.waiting, 1);
	const struct question *question = fake_log.questions[0];
	ck_assert_int_eq(question->kind, QUESTION_PUBLISH);
	ck_assert(slice_is(question->channel, "system:node \"1\""));
	ck_assert_uint_eq(question->session.len, 0);
	ck_assert_msg(slice_is(question->payload, payload), "%.*s\n%s", (int)question->payload.len, question->payload.ptr, payload);
	log_answer_with(exchange, OK, NULL);
}

static void connect_ann(void)
{
	struct grants *ann = grants_new(SLICE_LITERAL("ann"));
	ck_assert_ptr_nonnull(ann);
	peer_connect_as(&peer, exchange, ann);
	grants_unref(ann);
}

START_TEST(tells_of_a_client_when_it_comes_and_why_it_went)
{
	begin(true);
	connect_ann();
	expect_told("client.connected", "");
	session_close(peer.session, CLOSE_STALE);
	ck_assert_uint_eq(fake_log.waiting, 0);
	uint64_t id = session_id(peer.session);
	ck_assert_uint_gt(id, 0);
	peer_leave(&peer);
	ck_assert_uint_eq(fake_log.waiting, 1);
	const char *tail = "\"identity\":\"ann\",\"cause\":\"stale\"}";
	ck_assert_ptr_nonnull(memmem(fake_log.questions[0]->payload.ptr, fake_log.questions[0]->payload.len, tail, strlen(tail)));
	log_answer_with(exchange, OK, NULL);
	end();
}
END_TEST

START_TEST(says_nothing_of_who_never_said_who_it_is)
{
	begin(true);
	peer_connect_as(&peer, exchange, NULL);
	peer_leave(&peer);
	ck_assert_uint_eq(fake_log.waiting, 0);
	end();
}
END_TEST

START_TEST(says_nothing_unless_it_is_asked_to)
{
	begin(false);
	connect_ann();
	peer_leave(&peer);
	ck_assert_uint_eq(fake_log.waiting, 0);
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("presence");
	TCase *cases = tcase_create("presence");
	tcase_add_test(cases, tells_of_a_client_when_it_comes_and_why_it_went);
	tcase_add_test(cases, says_nothing_of_who_never_said_who_it_is);
	tcase_add_test(cases, says_nothing_unless_it_is_asked_to);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
