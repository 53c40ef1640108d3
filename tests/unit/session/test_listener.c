#include "fake_past.h"

#include "common/codec/json.h"
#include "gateway/session/listener.h"
#include "gateway/session/session_inside.h"
#include "tests/support/sse_reader.h"
#include "tests/support/suite.h"

#define HALF_BEAT_MS 10000 /* of fake_settings() */
#define EPOCH ".11223344"

static struct exchange *exchange;
static struct peer peer;
static struct sse_reader reader;
static struct sse_message message;
static struct buf answers;
static size_t sends;

static enum port_result count_send(struct port *port, struct slice frame)
{
	sends++;
	return fake_send(port, frame);
}

static void keep_answer(struct port *port, const struct value *answer)
{
	(void)port;
	json_encode(&answers, answer);
	buf_append_char(&answers, '\n');
}

static const struct port_ops listening_ops = {
	.is_clear = fake_is_clear,
	.send = count_send,
	.close = fake_close,
	.delivery = fake_delivery,
	.answered = keep_answer,
};

static void connect_listener(struct peer *listener)
{
	*listener = (struct peer){.port = {.ops = &listening_ops}};
	struct grants *grants = fake_grants();
	listener->session = session_open(exchange, &front_sse, &listener->port, grants);
	grants_unref(grants);
	ck_assert_ptr_nonnull(listener->session);
}

static void begin(struct exchange_settings settings)
{
	exchange = exchange_new(&settings);
	buf_init(&answers);
	sse_reader_init(&reader);
	connect_listener(&peer);
	sends = 0;
	tell_feed(exchange, true);
	record_events(exchange, 0, 50);
	exchange_end_turn(exchange);
}

static void setup(void)
{
	fake_start();
	fake_past_start();
	begin(past_settings());
}

static void teardown(void)
{
	peer_leave(&peer);
	sse_reader_fini(&reader);
	buf_fini(&answers);
	exchange_free(exchange);
	fake_past_end();
	fake_end();
}

/* What the peer got since the last call goes to its reader. */
static bool next(void)
{
	sse_reader_feed(&reader, (struct slice){peer.received.bytes + peer.read, peer.received.len - peer.read});
	peer.read = peer.received.len;
	return sse_reader_next(&reader, &message);
}

static void expect_nothing(void)
{
	ck_assert_msg(!next(), "expected nothing, got %.*s", (int)message.data.len, message.data.ptr);
}

static void expect_last_id(const char *id)
{
	ck_assert_msg(slice_is(buf_slice(&reader.last_id), id), "the last id is %.*s", (int)reader.last_id.len, reader.last_id.bytes);
}

static void expect_events(unsigned from, unsigned to)
{
	for (unsigned number = from; number <= to; number++) {
		char id[32], start[64], part[32];
		snprintf(id, sizeof id, "%u-0" EPOCH, number);
		snprintf(start, sizeof start, "{\"id\":\"%u-0\",\"channel\":", number);
		snprintf(part, sizeof part, "{\"n\":%u,", number);
		ck_assert_msg(next(), "event %u does not come", number);
		ck_assert(slice_is(message.type, "message"));
		ck_assert_msg(slice_is(message.last_id, id), "%.*s is not %s", (int)message.last_id.len, message.last_id.ptr, id);
		ck_assert(message.data.len > strlen(start) && memcmp(message.data.ptr, start, strlen(start)) == 0);
		ck_assert(json_is_valid(message.data, NULL, NULL));
		char *text = strndup(message.data.ptr, message.data.len);
		ck_assert_ptr_nonnull(strstr(text, part));
		free(text);
	}
}

static void expect_told(const char *type, const char *part)
{
	ck_assert_msg(next(), "no %s comes", type);
	ck_assert(slice_is(message.type, type));
	char *text = strndup(message.data.ptr, message.data.len);
	ck_assert_msg(strstr(text, part), "%s is not in %s", part, text);
	free(text);
}

static void expect_answer(const char *part)
{
	buf_append_char(&answers, '\0');
	ck_assert_msg(strstr(answers.bytes, part), "%s is not in %s", part, answers.bytes);
	buf_clear(&answers);
}

static void subscribe(const char *members)
{
	char request[256];
	snprintf(request, sizeof request, "{\"id\":0,\"op\":\"subscribe\"%s}", members);
	peer_says(&peer, request);
}

static void rest(unsigned half_beats)
{
	for (unsigned i = 0; i < half_beats; i++) {
		clock_fake_advance_ms(HALF_BEAT_MS);
		settle(exchange);
	}
}

START_TEST(welcome_and_replies_are_for_who_asks)
{
	peer_leave(&peer);
	connect_listener(&peer);
	expect_answer("{\"op\":\"welcome\",");
	subscribe("");
	expect_answer("{\"id\":0,\"ok\":{\"sub\":");
	subscribe(",\"slow\":\"never\"");
	expect_answer("{\"id\":0,\"error\":{\"code\":\"bad_request\",\"message\":\"slow: ");
	peer_says(&peer, "{");
	expect_answer("{\"id\":null,\"error\":{\"code\":\"bad_message\"");
	ck_assert_uint_eq(peer.received.len, 0);
}
END_TEST

START_TEST(each_live_event_has_its_cursor_and_a_batch_is_one_write)
{
	subscribe("");
	record_events(exchange, 0, 3);
	settle(exchange);
	expect_events(51, 53);
	expect_nothing();
	ck_assert_uint_eq(sends, 1);
	ck_assert_uint_eq(metric_read(METRIC_EVENTS_OUT), 3);
}
END_TEST

START_TEST(equal_listeners_are_one_cohort_apart_from_other_fronts)
{
	struct peer other, native;
	connect_listener(&other);
	peer_connect(&native, exchange);
	subscribe("");
	peer_says(&other, "{\"op\":\"subscribe\"}");
	peer_says(&native, "{\"op\":\"subscribe\"}");
	ck_assert_uint_eq(metric_read(METRIC_COHORTS), 2);
	record_events(exchange, 0, 2);
	settle(exchange);
	expect_events(51, 52);
	ck_assert(slice_equal(buf_slice(&peer.received), buf_slice(&other.received)));
	peer_expect_part(&native, "\"op\":\"welcome\"");
	peer_expect_part(&native, "\"op\":\"events\"");
	ck_assert_uint_eq(metric_read(METRIC_BATCHES), 2);
	peer_leave(&other);
	peer_leave(&native);
}
END_TEST

START_TEST(a_cursor_resumes_behind_its_event_from_the_log_and_goes_live)
{
	subscribe(",\"since\":\"20-0" EPOCH "\"");
	settle(exchange);
	expect_answer("\"cursor\":\"20-0" EPOCH "\",\"recorded\":true,\"recovered\":true}}");
	expect_events(21, 50);
	record_events(exchange, 0, 1);
	settle(exchange);
	expect_events(51, 51);
	expect_nothing();
}
END_TEST

START_TEST(what_the_log_has_lost_is_told_as_a_gap_that_moves_nothing)
{
	past.trimmed = fake_id(30, 0);
	subscribe(",\"since\":\"20-0" EPOCH "\"");
	settle(exchange);
	expect_told("gap", "\"after\":\"20-0\",\"before\":\"31-0\",\"dropped\":null,\"reason\":\"trimmed\"}");
	ck_assert_uint_eq(message.last_id.len, 0);
	expect_events(31, 50);
	expect_nothing();
}
END_TEST

START_TEST(notices_have_their_name)
{
	subscribe("");
	exchange_notice(exchange, NOTICE_REDIS_DOWN);
	expect_told("notice", "{\"op\":\"notice\",\"code\":\"redisDown\"}");
	exchange_drain(exchange, 0);
	expect_told("notice", "{\"op\":\"notice\",\"code\":\"draining\",\"reconnectInMs\":0}");
	exchange_end_turn(exchange);
	ck_assert_uint_eq(peer.close_code, 1012);
}
END_TEST

START_TEST(events_without_ids_leave_the_cursor_where_it_is)
{
	subscribe("");
	record_events(exchange, 0, 1);
	settle(exchange);
	expect_events(51, 51);
	tell_feed(exchange, false);
	expect_told("gap", "\"reason\":\"unrecorded\"");
	publish(exchange, "trace:s1", "{\"n\":0}");
	ck_assert(next());
	ck_assert(slice_is(message.last_id, "51-0" EPOCH));
	ck_assert(memcmp(message.data.ptr, "{\"channel\":", 11) == 0);
	expect_nothing();
}
END_TEST

START_TEST(a_slow_listener_goes_on_from_its_own_place_and_misses_nothing)
{
	subscribe("");
	peer.is_stuck = true;
	record_events(exchange, 0, 1);
	settle(exchange);
	for (unsigned i = 0; i < 200; i++) {
		record_events(exchange, 0, 1);
		settle(exchange);
	}
	ck_assert_uint_eq(peer.session->outbox.event_bytes, 0);
	peer_unstick(&peer);
	settle(exchange);
	expect_events(51, 251);
	expect_nothing();
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 0);
}
END_TEST

START_TEST(who_drops_is_told_by_a_gap_in_its_place)
{
	subscribe(",\"slow\":\"drop\"");
	peer.is_stuck = true;
	for (unsigned i = 0; i < 200; i++) {
		record_events(exchange, 0, 1);
		settle(exchange);
	}
	peer_unstick(&peer);
	settle(exchange);
	expect_events(51, 51);
	expect_told("gap", "\"after\":\"51-0\",\"before\":");
	ck_assert(next());
	while (!slice_is(message.last_id, "250-0" EPOCH))
		ck_assert(next());
	expect_nothing();
}
END_TEST

START_TEST(a_comment_comes_each_half_of_a_heartbeat_and_moves_nothing)
{
	subscribe("");
	record_events(exchange, 0, 1);
	settle(exchange);
	rest(1);
	expect_events(51, 51);
	expect_nothing();
	expect_last_id("51-0" EPOCH);
	ck_assert_uint_eq(reader.comments, 1);
	rest(3);
	expect_nothing();
	expect_last_id("51-0" EPOCH);
	ck_assert_uint_eq(reader.comments, 4);
	ck_assert_uint_eq(peer.close_code, 0);
}
END_TEST

START_TEST(what_the_filter_keeps_out_moves_the_cursor_at_the_next_heartbeat)
{
	subscribe(",\"channels\":[\"agent:*\"]");
	rest(1);
	expect_nothing();
	expect_last_id("");
	record_events(exchange, 0, 10);
	settle(exchange);
	rest(1);
	expect_nothing();
	expect_last_id("60-0" EPOCH);
	size_t blocks = reader.blocks;
	rest(2);
	expect_nothing();
	ck_assert_uint_eq(reader.blocks, blocks + 2);
}
END_TEST

START_TEST(the_cursor_does_not_move_ahead_of_what_is_owed)
{
	subscribe("");
	peer.is_stuck = true;
	record_events(exchange, 0, 1);
	settle(exchange);
	record_events(exchange, 0, 5);
	settle(exchange);
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 1);
	peer.is_stuck = peer.is_buffering = false;
	clock_fake_advance_ms(HALF_BEAT_MS);
	listener_beat(peer.session, clock_mono_ns());
	expect_events(51, 51);
	expect_nothing();
	expect_last_id("51-0" EPOCH);
	session_writable(peer.session);
	settle(exchange);
	expect_told("notice", "\"code\":\"catchup\"");
	expect_events(52, 56);
	expect_told("notice", "\"code\":\"live\"");
}
END_TEST

START_TEST(who_acknowledges_nothing_for_a_whole_heartbeat_is_gone)
{
	subscribe("");
	peer.delivery = (struct port_delivery){.acked_bytes = 100};
	rest(2);
	ck_assert_uint_eq(peer.close_code, 0);
	peer.delivery.has_unacked = true;
	rest(1);
	ck_assert_uint_eq(peer.close_code, 0);
	rest(1);
	ck_assert_uint_eq(peer.close_code, 4501);
}
END_TEST

START_TEST(who_acknowledges_however_slowly_is_there)
{
	subscribe("");
	peer.delivery = (struct port_delivery){.has_unacked = true};
	for (unsigned i = 0; i < 10; i++) {
		peer.delivery.acked_bytes++;
		rest(1);
		rest(1);
		peer.delivery.acked_bytes++;
	}
	ck_assert_uint_eq(peer.close_code, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tests = tcase_create("listener");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, welcome_and_replies_are_for_who_asks);
	tcase_add_test(tests, each_live_event_has_its_cursor_and_a_batch_is_one_write);
	tcase_add_test(tests, equal_listeners_are_one_cohort_apart_from_other_fronts);
	tcase_add_test(tests, a_cursor_resumes_behind_its_event_from_the_log_and_goes_live);
	tcase_add_test(tests, what_the_log_has_lost_is_told_as_a_gap_that_moves_nothing);
	tcase_add_test(tests, notices_have_their_name);
	tcase_add_test(tests, events_without_ids_leave_the_cursor_where_it_is);
	tcase_add_test(tests, a_slow_listener_goes_on_from_its_own_place_and_misses_nothing);
	tcase_add_test(tests, who_drops_is_told_by_a_gap_in_its_place);
	tcase_add_test(tests, a_comment_comes_each_half_of_a_heartbeat_and_moves_nothing);
	tcase_add_test(tests, what_the_filter_keeps_out_moves_the_cursor_at_the_next_heartbeat);
	tcase_add_test(tests, the_cursor_does_not_move_ahead_of_what_is_owed);
	tcase_add_test(tests, who_acknowledges_nothing_for_a_whole_heartbeat_is_gone);
	tcase_add_test(tests, who_acknowledges_however_slowly_is_there);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
