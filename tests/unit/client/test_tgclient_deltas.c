/* A client that asked for deltas, against a node whose every word is the test's. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/client/texts.h"
#include "common/client/tgclient.h"
#include "common/codec/fossil_delta.h"
#include "common/codec/json.h"
#include "tests/support/diary.h"
#include "tests/support/fake_node.h"
#include "tests/support/suite.h"

static struct fake_node node;
static struct diary diary;
static struct tgc_client *client;

#define FIRST "{\"status\":\"thinking\",\"note\":\"résumé\",\"n\":1}"
#define SECOND "{\"status\":\"thinking\",\"note\":\"résumé\",\"n\":2}"
/* Never sent to the client. */
#define OTHER "{\"x\":0,\"status\":\"acting\",\"note\":\"résumé\",\"n\":9}"
#define THIRD "{\"status\":\"acting\",\"note\":\"résumé\",\"n\":3}"

static void set_up(void)
{
	const char *urls[] = {node.url};
	const struct tgc_subscription wish = {.delta = true};
	diary = (struct diary){.close = NULL};
	fake_node_open(&node);
	struct tgc_options options = {.urls = urls, .url_count = 1, .backoff_min_ms = 10, .handlers = diary_handlers};
	options.handlers.context = &diary;
	client = tgc_new(&options, NULL);
	ck_assert_ptr_nonnull(client);
	ck_assert_int_eq(tgc_subscribe(client, &wish, NULL), TGC_OK);
	tgc_open(client);
}

static void tear_down(void)
{
	tgc_free(client);
	diary_fini(&diary);
	fake_node_close(&node);
}

static void answer(const char *request, const char *reply)
{
	char text[512];
	unsigned id;
	int len = 0;
	const char *got = fake_node_read(&node, client);
	ck_assert_msg(sscanf(got, "{\"id\":%u,%n", &id, &len) == 1 && len && strcmp(got + len, request) == 0, "%s, not %s", got, request);
	snprintf(text, sizeof text, "{\"id\":%u,%s", id, reply);
	fake_node_send(&node, text);
}

#define TAKEN(cursor) "\"ok\":{\"sub\":\"k\",\"cursor\":" cursor ",\"recorded\":true}}"

static void open_live(const char *reply)
{
	fake_node_welcome(&node, client, 0);
	answer("\"op\":\"subscribe\",\"delta\":\"fossil\"}", reply);
	diary_wait(&diary, client, "subscribed 1 ok\n");
}

/* id 0: none. */
static void send_event(unsigned id, const char *channel, const char *name, struct slice text)
{
	struct buf message;
	buf_init(&message);
	buf_append_text(&message, "{\"op\":\"events\",\"sub\":\"k\",");
	if (id)
		buf_printf(&message, "\"cursor\":\"%u-0.aa\",", id);
	buf_append_text(&message, "\"events\":[{");
	if (id)
		buf_printf(&message, "\"id\":\"%u-0\",", id);
	buf_printf(&message, "\"channel\":\"%s\",\"ts\":5,\"%s\":", channel, name);
	json_append_string(&message, text);
	buf_append_text(&message, "}]}");
	buf_append_char(&message, '\0');
	fake_node_send(&node, message.bytes);
	buf_fini(&message);
}

static void send_full(unsigned id, const char *text)
{
	send_event(id, "a", "full", slice_of(text));
}

static void send_delta(unsigned id, const char *base, const char *text)
{
	struct fossil_encoder encoder;
	struct buf delta;
	fossil_encoder_init(&encoder);
	buf_init(&delta);
	ck_assert(fossil_encode(&encoder, slice_of(base), slice_of(text), true, &delta));
	send_event(id, "a", "delta", buf_slice(&delta));
	buf_fini(&delta);
	fossil_encoder_fini(&encoder);
}

START_TEST(gives_events_whole)
{
	open_live(TAKEN("\"9-0.aa\""));
	send_full(10, FIRST);
	send_delta(11, FIRST, SECOND);
	fake_node_send(&node, "{\"op\":\"events\",\"sub\":\"k\",\"cursor\":\"12-0.aa\",\"events\":["
			      "{\"id\":\"12-0\",\"channel\":\"a\",\"ts\":12,\"data\":\"words\",\"format\":\"text\"}]}");
	send_delta(13, SECOND, THIRD);
	diary_wait(&diary, client,
		   "event 1 10-0 a " FIRST "\ncursor 1 10-0.aa\n"
		   "event 1 11-0 a " SECOND "\ncursor 1 11-0.aa\n"
		   "event 1 12-0 a \"words\"\ncursor 1 12-0.aa\n"
		   "event 1 13-0 a " THIRD "\ncursor 1 13-0.aa\n");
}
END_TEST

START_TEST(asks_again_from_its_cursor_when_a_delta_does_not_fit)
{
	open_live(TAKEN("\"9-0.aa\""));
	send_full(10, FIRST);
	send_delta(11, OTHER, THIRD);
	send_delta(12, THIRD, SECOND);
	answer("\"op\":\"subscribe\",\"delta\":\"fossil\",\"since\":\"10-0.aa\"}", TAKEN("\"12-0.aa\""));
	send_full(11, THIRD);
	send_full(12, SECOND);
	send_delta(13, SECOND, FIRST);
	diary_wait(&diary, client, "event 1 13-0 a " FIRST "\ncursor 1 13-0.aa\n");
	diary_expect(&diary, "event 1 10-0 a " FIRST "\ncursor 1 10-0.aa\nsubscribed 1 ok\nevent 1 11-0 a " THIRD
			     "\ncursor 1 11-0.aa\nevent 1 12-0 a " SECOND "\ncursor 1 12-0.aa\n");
	ck_assert_uint_eq(diary_count(&diary, "gap"), 0);
}
END_TEST

START_TEST(tells_what_cannot_be_had_again_and_asks_for_full_events)
{
	open_live(TAKEN("null"));
	send_full(0, FIRST);
	send_delta(0, OTHER, THIRD);
	ck_assert_str_eq(fake_node_read(&node, client), "{\"op\":\"resync\",\"sub\":\"k\"}");
	send_delta(0, THIRD, FIRST);
	send_full(0, SECOND);
	send_delta(0, SECOND, THIRD);
	diary_wait(&diary, client, "event 1  a " THIRD "\n");
	diary_expect(&diary, "event 1  a " FIRST "\ngap 1   1 delta\ngap 1   1 delta\nevent 1  a " SECOND "\n");
}
END_TEST

START_TEST(knows_nothing_of_before_on_another_connection)
{
	open_live(TAKEN("\"9-0.aa\""));
	send_full(10, FIRST);
	diary_wait(&diary, client, "cursor 1 10-0.aa\n");
	fake_node_cut(&node);
	fake_node_welcome(&node, client, 0);
	answer("\"op\":\"subscribe\",\"delta\":\"fossil\",\"since\":\"10-0.aa\"}", TAKEN("\"10-0.aa\""));
	send_delta(11, FIRST, SECOND);
	answer("\"op\":\"subscribe\",\"delta\":\"fossil\",\"since\":\"10-0.aa\"}", TAKEN("\"11-0.aa\""));
	send_full(11, SECOND);
	diary_wait(&diary, client, "event 1 11-0 a " SECOND "\n");
}
END_TEST

START_TEST(texts_are_kept_by_channel_and_within_their_bytes)
{
	struct tgc_texts texts;
	struct slice got;
	tgc_texts_init(&texts, 1500);
	for (int i = 0; i < 20; i++) {
		struct buf text;
		char channel[8];
		buf_init(&text);
		buf_printf(&text, "%0100d", i);
		snprintf(channel, sizeof channel, "c%d", i);
		tgc_texts_put(&texts, slice_of(channel), &text);
		ck_assert(tgc_texts_get(&texts, slice_of(channel), &got) && got.len == 100);
		ck_assert_uint_le(texts.bytes, 1500);
	}
	ck_assert(!tgc_texts_get(&texts, slice_of("c0"), &got));
	struct buf text;
	buf_init(&text);
	buf_append_text(&text, "new");
	tgc_texts_put(&texts, slice_of("c19"), &text);
	ck_assert(tgc_texts_get(&texts, slice_of("c19"), &got) && slice_is(got, "new"));
	tgc_texts_clear(&texts);
	ck_assert(!tgc_texts_get(&texts, slice_of("c19"), &got));
	ck_assert_uint_eq(texts.bytes, 0);
	tgc_texts_clear(&texts);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tgclient_deltas");
	TCase *tests = tcase_create("tgclient_deltas");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, gives_events_whole);
	tcase_add_test(tests, asks_again_from_its_cursor_when_a_delta_does_not_fit);
	tcase_add_test(tests, tells_what_cannot_be_had_again_and_asks_for_full_events);
	tcase_add_test(tests, knows_nothing_of_before_on_another_connection);
	suite_add_tcase(suite, tests);
	TCase *parts = tcase_create("texts");
	tcase_add_test(parts, texts_are_kept_by_channel_and_within_their_bytes);
	suite_add_tcase(suite, parts);
	return suite_run(suite);
}
