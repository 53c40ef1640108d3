/* The parts of a client that decide: messages taken apart, pauses, verdicts; and a link without a peer. */
#include <check.h>
#include <string.h>

#include "common/client/backoff.h"
#include "common/client/link.h"
#include "common/client/message.h"
#include "tests/support/suite.h"

START_TEST(takes_a_message_apart)
{
	static const struct {
		const char *text;
		enum tgc_message_kind kind;
	} messages[] = {{"{\"op\":\"welcome\",\"heartbeatMs\":30000,\"limits\":{\"messageBytes\":5}}", TGC_MESSAGE_WELCOME},
			{"{\"op\":\"events\",\"events\":[]}", TGC_MESSAGE_EVENTS},
			{"{\"id\":7,\"op\":\"chunk\"}", TGC_MESSAGE_CHUNK},
			{"{\"op\":\"gap\"}", TGC_MESSAGE_GAP},
			{"{\"op\":\"notice\"}", TGC_MESSAGE_NOTICE},
			{"{\"op\":\"replayEnd\"}", TGC_MESSAGE_REPLAY_END},
			{"{\"ok\":{},\"id\":7}", TGC_MESSAGE_OK},
			{"{\"error\":{},\"id\":7}", TGC_MESSAGE_ERROR},
			{"{}", TGC_MESSAGE_OTHER},
			{"{\"op\":7,\"ok\":1,\"error\":null,\"id\":\"x\"}", TGC_MESSAGE_OTHER}};
	struct tgc_message message;
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		ck_assert_int_eq(tgc_message_read(slice_of(messages[i].text), &message), OK);
		ck_assert_msg(message.kind == messages[i].kind, "%s", messages[i].text);
	}
	ck_assert_int_eq(tgc_message_read(slice_of(messages[0].text), &message), OK);
	ck_assert(message.heartbeat_ms == 30000 && message.message_bytes == 5 && message.id == 0);
	ck_assert_int_eq(tgc_message_read(slice_of("{\"op\":\"gap\",\"sub\":\"k\",\"after\":\"1-0\",\"before\":null,\"dropped\":-3}"), &message), OK);
	ck_assert(slice_is(message.sub, "k") && slice_is(message.after, "1-0") && message.before.len == 0 && message.dropped == -1);
	ck_assert_int_eq(tgc_message_read(slice_of("[{}]"), &message), ERR_INVALID);
	ck_assert_int_eq(tgc_message_read(SLICE_NONE, &message), ERR_INVALID);
}
END_TEST

START_TEST(numbers_that_are_none_count_as_not_told)
{
	static const char *const none[] = {"", "-1", "1.0", "1e3", "1234567890123456789"};
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		ck_assert_uint_eq(tgc_number(slice_of(none[i])), 0);
	ck_assert_uint_eq(tgc_number(slice_of("123456789012345678")), UINT64_C(123456789012345678));
}
END_TEST

START_TEST(what_is_no_event_is_not_read)
{
	static const char *const wrong[] = {"1", "[]", "{}", "{\"channel\":1,\"data\":1}", "{\"channel\":\"a\"}", "{\"data\":1}"};
	struct tgc_event event = {.sub = 5};
	struct buf channel;
	buf_init(&channel);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ck_assert_msg(!tgc_event_read(slice_of(wrong[i]), &channel, &event), "%s", wrong[i]);
	ck_assert(tgc_event_read(slice_of("{\"channel\":\"\\u0041\",\"data\":null}"), &channel, &event));
	ck_assert(event.sub == 5 && event.id.len == 0 && event.ts_ms == 0 && event.channel.len == 1 && event.channel.ptr[0] == 'A');
	buf_fini(&channel);
}
END_TEST

START_TEST(pauses_grow_by_rounds_and_differ)
{
	struct tgc_backoff backoff = {.min_ms = 100, .max_ms = 1000, .nodes = 2, .random = {.state = 1}};
	uint64_t ceiling_ms = 100, differ = 0, last_ms = 0;
	for (int round = 0; round < 8; round++) {
		ck_assert_uint_le(tgc_backoff_fail(&backoff, 5000), 50);
		uint64_t pause_ms = tgc_backoff_fail(&backoff, 0);
		ck_assert_uint_le(pause_ms, ceiling_ms);
		ck_assert_uint_ge(pause_ms, ceiling_ms / 2);
		differ += pause_ms != last_ms;
		last_ms = pause_ms;
		ceiling_ms = ceiling_ms * 2 < 1000 ? ceiling_ms * 2 : 1000;
	}
	ck_assert_uint_ge(differ, 6);
	tgc_backoff_succeed(&backoff);
	tgc_backoff_fail(&backoff, 0);
	ck_assert_uint_ge(tgc_backoff_fail(&backoff, 5000), 5000);
	tgc_backoff_fail(&backoff, 0);
	ck_assert_uint_le(tgc_backoff_fail(&backoff, UINT64_MAX), 60100);
}
END_TEST

START_TEST(statuses_say_whether_to_come_back)
{
	static const unsigned final[] = {301, 400, 401, 403, 404, 426, 431}, passing[] = {200, 408, 425, 429, 500, 502, 503, 0};
	for (size_t i = 0; i < sizeof final / sizeof final[0]; i++)
		ck_assert_msg(tgc_status_is_final(final[i]), "%u", final[i]);
	for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
		ck_assert_msg(!tgc_status_is_final(passing[i]), "%u", passing[i]);
}
END_TEST

START_TEST(a_host_that_cannot_be_resolved_is_named)
{
	struct tgc_link link;
	struct tgc_url url;
	ck_assert_int_eq(tgc_url_parse(&url, "ws://256.256.256.256:1"), OK);
	tgc_link_init(&link, 1000, 1000);
	ck_assert(!tgc_link_open(&link, &url, NULL, 1000, 0));
	ck_assert_ptr_nonnull(strstr(link.why, "cannot resolve 256.256.256.256: "));
	ck_assert_int_eq(link.fd, -1);
	tgc_link_fini(&link);
	tgc_url_fini(&url);
}
END_TEST

START_TEST(finds_what_a_pointer_names)
{
	const struct tgc_text json = {"{\"next\":\"5-0\",\"a\":[1]}", 22};
	struct tgc_text next = tgc_find(json, "/next"), first = tgc_find(json, "/a/0");
	ck_assert(next.len == 5 && memcmp(next.ptr, "\"5-0\"", 5) == 0 && first.len == 1);
	ck_assert_uint_eq(tgc_find(json, "/none").len + tgc_find(json, "none").len, 0);
	ck_assert_uint_eq(tgc_find((struct tgc_text){NULL, 0}, "").len, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tgclient_parts");
	TCase *tests = tcase_create("tgclient_parts");
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, takes_a_message_apart);
	tcase_add_test(tests, numbers_that_are_none_count_as_not_told);
	tcase_add_test(tests, what_is_no_event_is_not_read);
	tcase_add_test(tests, pauses_grow_by_rounds_and_differ);
	tcase_add_test(tests, statuses_say_whether_to_come_back);
	tcase_add_test(tests, a_host_that_cannot_be_resolved_is_named);
	tcase_add_test(tests, finds_what_a_pointer_names);
	return suite_run(suite);
}
