#define _GNU_SOURCE
#include <check.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/feed/intake.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/delta.h"
#include "tests/support/suite.h"

#define FIRST "{\"status\":\"thinking\",\"note\":\"r\xC3\xA9sum\xC3\xA9\",\"plan\":\"read\",\"n\":1}"
#define SECOND "{\"status\":\"thinking\",\"note\":\"r\xC3\xA9sum\xC3\xA8\",\"plan\":\"read\",\"n\":2}"

static struct delta_store store;
static struct delta_chain *chain;
static struct buf out;

static void open_chain(size_t bytes_max)
{
	delta_store_init(&store, bytes_max);
	chain = delta_chain_new(&store);
	ck_assert_ptr_nonnull(chain);
	delta_chain_begin(chain);
}

static void set_up(void)
{
	ck_assert_int_eq(metrics_join(), OK);
	buf_init(&out);
	open_chain(1 << 20);
}

static void tear_down(void)
{
	delta_chain_free(chain);
	ck_assert(store.bytes == 0 && list_is_empty(&store.texts));
	ck_assert_uint_eq(metric_read(METRIC_DELTA_TEXTS), 0);
	delta_store_fini(&store);
	buf_fini(&out);
	metrics_reset();
}

static struct record *make(const char *channel, const char *payload)
{
	struct record *record = intake_record(&intake_fields_default, slice_of(channel), slice_of(payload), 5, 0);
	ck_assert_ptr_nonnull(record);
	return record;
}

static void append(struct delta_chain *to, const struct codec *codec, const char *channel, const char *payload)
{
	struct record *record = make(channel, payload);
	buf_clear(&out);
	delta_append(to, codec, &out, record, true);
	ck_assert(!buf_has_failed(&out));
	record_unref(record);
}

static bool has(const char *part)
{
	return memmem(out.bytes, out.len, part, strlen(part)) != NULL;
}

static void expect_form(const char *channel, const char *payload, const char *form)
{
	append(chain, &codec_json, channel, payload);
	ck_assert_msg(has(form), "%.*s has no %s", (int)out.len, out.bytes, form);
}

START_TEST(sends_what_changed_on_each_channel)
{
	expect_form("trace:a", FIRST, "\"full\":\"{\\\"status\\\"");
	expect_form("trace:b", SECOND, "\"full\":");
	expect_form("trace:a", SECOND, "\"delta\":");
	expect_form("trace:b", FIRST, "\"delta\":");
	ck_assert_uint_eq(metric_read(METRIC_DELTAS), 2);
	ck_assert_uint_eq(metric_read(METRIC_DELTA_FULL), 2);
	ck_assert_uint_gt(metric_read(METRIC_DELTA_SAVED_BYTES), 50);
}
END_TEST

START_TEST(what_is_no_json_comes_as_it_is_and_leaves_the_text)
{
	expect_form("trace:a", FIRST, "\"full\":");
	expect_form("trace:a", "no JSON", "\"data\":\"no JSON\",\"format\":\"text\"}");
	expect_form("trace:a", "\xFF", "\"format\":\"base64\"}");
	expect_form("trace:a", SECOND, "\"delta\":");
}
END_TEST

START_TEST(says_the_oldest_batch_that_a_batch_refers_to)
{
	ck_assert_uint_eq(chain->refers_to, DELTA_REFERS_TO_NONE);
	expect_form("trace:a", FIRST, "\"full\":");
	ck_assert_uint_eq(chain->refers_to, DELTA_REFERS_TO_NONE);
	expect_form("trace:a", SECOND, "\"delta\":");
	ck_assert_uint_eq(chain->refers_to, 1);
	delta_chain_begin(chain);
	ck_assert_uint_eq(chain->refers_to, DELTA_REFERS_TO_NONE);
	expect_form("trace:b", FIRST, "\"full\":");
	expect_form("trace:b", SECOND, "\"delta\":");
	ck_assert_uint_eq(chain->refers_to, 2);
	expect_form("trace:a", FIRST, "\"delta\":");
	ck_assert_uint_eq(chain->refers_to, 1);
	delta_chain_forget(chain);
	expect_form("trace:a", FIRST, "\"full\":");
}
END_TEST

START_TEST(a_delta_that_is_not_shorter_as_it_is_written_is_not_sent)
{
	/* Its quotes are written as two bytes each. */
	expect_form("trace:a", "[\"a\",\"b\",\"c\",\"d\"]", "\"full\":");
	expect_form("trace:a", "[\"e\",\"f\",\"g\",\"h\"]", "\"full\":");
}
END_TEST

START_TEST(keeps_texts_within_their_bytes_over_all_chains)
{
	struct delta_chain *other = delta_chain_new(&store);
	char channel[24];
	ck_assert_ptr_nonnull(other);
	delta_chain_begin(other);
	store.bytes_max = 4000;
	for (int i = 0; i < 50; i++) {
		snprintf(channel, sizeof channel, "trace:%d", i);
		append(i % 2 ? chain : other, &codec_json, channel, FIRST);
		ck_assert_uint_le(store.bytes, 4000);
	}
	expect_form("trace:49", SECOND, "\"delta\":");
	expect_form("trace:1", SECOND, "\"full\":");
	store.bytes_max = 1;
	expect_form("trace:c", FIRST, "\"full\":");
	expect_form("trace:c", SECOND, "\"delta\":");
	delta_chain_free(other);
}
END_TEST

START_TEST(in_messagepack_both_are_bytes)
{
	static const char *const names[] = {"full", "delta"};
	for (int i = 0; i < 2; i++) {
		append(chain, &codec_msgpack, "trace:a", i ? SECOND : FIRST);
		msgpack_unpacked unpacked;
		size_t at = 0;
		msgpack_unpacked_init(&unpacked);
		ck_assert_int_eq(msgpack_unpack_next(&unpacked, out.bytes, out.len, &at), MSGPACK_UNPACK_SUCCESS);
		ck_assert(at == out.len && unpacked.data.type == MSGPACK_OBJECT_MAP && unpacked.data.via.map.size == 3);
		const msgpack_object_kv *last = &unpacked.data.via.map.ptr[2];
		ck_assert(slice_is((struct slice){last->key.via.str.ptr, last->key.via.str.size}, names[i]));
		ck_assert_int_eq(last->val.type, MSGPACK_OBJECT_BIN);
		ck_assert(i || slice_is((struct slice){last->val.via.bin.ptr, last->val.via.bin.size}, FIRST));
		msgpack_unpacked_destroy(&unpacked);
	}
}
END_TEST

START_TEST(channels_that_look_alike_have_one_text)
{
	expect_form("trace:\xFF", FIRST, "\"full\":");
	expect_form("trace:\xFE", SECOND, "\"delta\":");
	expect_form("trace:\xEF\xBF\xBD", FIRST, "\"delta\":");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("delta");
	TCase *tests = tcase_create("delta");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, sends_what_changed_on_each_channel);
	tcase_add_test(tests, what_is_no_json_comes_as_it_is_and_leaves_the_text);
	tcase_add_test(tests, says_the_oldest_batch_that_a_batch_refers_to);
	tcase_add_test(tests, a_delta_that_is_not_shorter_as_it_is_written_is_not_sent);
	tcase_add_test(tests, keeps_texts_within_their_bytes_over_all_chains);
	tcase_add_test(tests, in_messagepack_both_are_bytes);
	tcase_add_test(tests, channels_that_look_alike_have_one_text);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
