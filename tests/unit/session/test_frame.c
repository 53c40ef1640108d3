#include "fake_peer.h"

#include "common/codec/deflate.h"
#include "gateway/session/front.h"
#include "gateway/session/frame.h"
#include "tests/support/suite.h"

#define LONG_EVENT "{\"type\":\"tool.call\",\"padding\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"

static struct exchange *exchange;

static void setup(void)
{
	fake_start();
	struct exchange_settings settings = fake_settings();
	settings.deflate_level = 6;
	settings.deflate_min_bytes = 100;
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
}

static void teardown(void)
{
	exchange_free(exchange);
	fake_end();
}

/* A payload with the headroom in front of it; the frame is a view into it. */
static char room[FRONT_HEADROOM + 4096];

static struct slice finish(const struct front *front, struct slice payload)
{
	memcpy(room + FRONT_HEADROOM, payload.ptr, payload.len);
	return frame_finish(exchange, front, room + FRONT_HEADROOM, payload.len);
}

static struct slice zeros(size_t len)
{
	static char text[4096];
	memset(text, '0', sizeof text);
	return (struct slice){text, len};
}

/* The payload of the frame, inflated. */
static void expect_inside(struct slice bytes, uint8_t first, struct slice payload)
{
	struct wsframe frame;
	struct buf plain;
	struct inflater *inflater = inflater_new();
	buf_init(&plain);
	ck_assert_int_eq(wsframe_read(bytes, &frame), OK);
	ck_assert_uint_eq((uint8_t)bytes.ptr[0], first);
	ck_assert_uint_eq(frame.header_len + frame.payload_len, bytes.len);
	struct slice inside = {bytes.ptr + frame.header_len, (size_t)frame.payload_len};
	if (first & WSFRAME_RSV1) {
		ck_assert_int_eq(inflater_run(inflater, inside, 1 << 20, &plain), OK);
		inside = buf_slice(&plain);
	}
	ck_assert(slice_equal(inside, payload));
	buf_fini(&plain);
	inflater_free(inflater);
}

START_TEST(a_plain_front_gets_the_payload_as_it_is)
{
	expect_inside(finish(&front_json, zeros(4000)), 0x81, zeros(4000));
	expect_inside(finish(&front_msgpack, zeros(4000)), 0x82, zeros(4000));
	ck_assert_uint_eq(metric_read(METRIC_DEFLATE_BEFORE), 0);
}
END_TEST

START_TEST(a_deflated_front_gets_it_compressed_in_place)
{
	for (unsigned bits = DEFLATE_BITS_MIN; bits <= DEFLATE_BITS_MAX; bits++) {
		struct slice frame = finish(front_deflated(&front_json, bits), zeros(4000));
		ck_assert_uint_lt(frame.len, 100);
		ck_assert(frame.ptr >= room && frame.ptr < room + FRONT_HEADROOM);
		expect_inside(frame, 0x81 | WSFRAME_RSV1, zeros(4000));
		expect_inside(finish(front_deflated(&front_msgpack, bits), zeros(4000)), 0x82 | WSFRAME_RSV1, zeros(4000));
	}
	ck_assert_uint_eq(metric_read(METRIC_DEFLATE_BEFORE), 14 * 4000);
	ck_assert_uint_lt(metric_read(METRIC_DEFLATE_AFTER), 14 * 100);
}
END_TEST

START_TEST(short_messages_and_those_that_do_not_shrink_go_as_they_are)
{
	const struct front *front = front_deflated(&front_json, 15);
	expect_inside(finish(front, zeros(99)), 0x81, zeros(99));
	expect_inside(finish(front, zeros(100)), 0x81 | WSFRAME_RSV1, zeros(100));
	char noise[500];
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)rand();
	expect_inside(finish(front, (struct slice){noise, sizeof noise}), 0x81, (struct slice){noise, sizeof noise});
}
END_TEST

START_TEST(no_window_is_the_front_itself)
{
	ck_assert_ptr_eq(front_deflated(&front_json, 0), &front_json);
	ck_assert_ptr_eq(front_deflated(&front_msgpack, 8), &front_msgpack);
	ck_assert_ptr_eq(front_deflated(&front_msgpack, 16), &front_msgpack);
	ck_assert_str_eq(front_deflated(&front_msgpack, 12)->name, front_msgpack.name);
	ck_assert_uint_eq(front_deflated(&front_msgpack, 12)->deflate_bits, 12);
}
END_TEST

static void connect_as(struct peer *peer, const struct front *front)
{
	struct grants *grants = fake_grants();
	*peer = (struct peer){.port = {.ops = &fake_ops}};
	peer->session = session_open(exchange, front, &peer->port, grants);
	grants_unref(grants);
	ck_assert_ptr_nonnull(peer->session);
	peer_says(peer, "{\"id\":1,\"op\":\"subscribe\"}");
	buf_clear(&peer->received);
}

START_TEST(a_cohort_compresses_once_and_only_members_of_one_window_share)
{
	struct peer peers[4];
	const struct front *fronts[] = {&front_json, front_deflated(&front_json, 15), front_deflated(&front_json, 15),
					front_deflated(&front_json, 10)};
	for (int i = 0; i < 4; i++)
		connect_as(&peers[i], fronts[i]);
	ck_assert_uint_eq(metric_read(METRIC_COHORTS), 3);
	uint64_t before = metric_read(METRIC_DEFLATE_BEFORE);
	publish(exchange, "trace:s1", LONG_EVENT);
	size_t len = peers[0].received.len - 4;
	ck_assert_uint_eq(metric_read(METRIC_DEFLATE_BEFORE) - before, 2 * len);
	ck_assert(slice_equal(buf_slice(&peers[1].received), buf_slice(&peers[2].received)));
	struct slice plain = {peers[0].received.bytes + 4, len};
	for (int i = 1; i < 4; i++)
		expect_inside(buf_slice(&peers[i].received), 0x81 | WSFRAME_RSV1, plain);
	for (int i = 0; i < 4; i++)
		peer_leave(&peers[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tests = tcase_create("frame");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_plain_front_gets_the_payload_as_it_is);
	tcase_add_test(tests, a_deflated_front_gets_it_compressed_in_place);
	tcase_add_test(tests, short_messages_and_those_that_do_not_shrink_go_as_they_are);
	tcase_add_test(tests, no_window_is_the_front_itself);
	tcase_add_test(tests, a_cohort_compresses_once_and_only_members_of_one_window_share);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
