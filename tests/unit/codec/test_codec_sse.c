#include <check.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "common/codec/sse.h"
#include "tests/support/sse_reader.h"
#include "tests/support/suite.h"

#define CURSOR "1764031200123-0.11223344"

static struct buf out;
static struct sse_reader reader;
static struct sse_message message;

static void set_up(void)
{
	buf_init(&out);
	sse_reader_init(&reader);
}

static void tear_down(void)
{
	sse_reader_fini(&reader);
	buf_fini(&out);
}

/* The bytes that were written, fed to the reader in pieces of that size. */
static void read_written(size_t piece)
{
	for (size_t at = 0; at < out.len; at += piece)
		sse_reader_feed(&reader, (struct slice){out.bytes + at, out.len - at < piece ? out.len - at : piece});
}

static void expect(const char *type, const char *data, const char *last_id)
{
	ck_assert_msg(sse_reader_next(&reader, &message), "nothing is dispatched of %.*s", (int)out.len, out.bytes);
	ck_assert_msg(slice_is(message.type, type), "%.*s", (int)message.type.len, message.type.ptr);
	ck_assert_msg(slice_is(message.data, data), "%.*s", (int)message.data.len, message.data.ptr);
	ck_assert_msg(slice_is(message.last_id, last_id), "%.*s", (int)message.last_id.len, message.last_id.ptr);
}

static void expect_nothing(void)
{
	ck_assert(!sse_reader_next(&reader, &message));
}

static void write_event(const char *element, struct slice cursor)
{
	struct record record = {.element = slice_of(element)};
	sse_event(&out, &record, cursor);
}

/* The examples of the standard, section 9.2.6, so that the reader which the tests rely on is one. */
START_TEST(the_reader_of_the_tests_reads_as_the_standard_says)
{
	static const char stream[] = "\xEF\xBB\xBF"
				     ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
				     "data\n\ndata\ndata\n\ndata:test\r\rdata: test\r\nretry: 1x\r\nretry: 70\r\n\r\n"
				     "event: add\ndata: 7\nid: 3\nother: x\n\nid: 4\nevent: none\n\ndata: lost";
	for (size_t piece = 1; piece < sizeof stream; piece++) {
		tear_down();
		set_up();
		buf_append(&out, stream, sizeof stream - 1);
		read_written(piece);
		expect("message", "first event", "1");
		expect("message", "second event", "");
		expect("message", " third event", "");
		expect("message", "", "");
		expect("message", "\n", "");
		expect("message", "test", "");
		ck_assert_uint_eq(reader.retry_ms, UINT64_MAX);
		expect("message", "test", "");
		ck_assert_uint_eq(reader.retry_ms, 70);
		expect("add", "7", "3");
		expect_nothing();
		ck_assert(slice_is(buf_slice(&reader.last_id), "4"));
		ck_assert_uint_eq(reader.comments, 1);
	}
}
END_TEST

START_TEST(an_event_is_its_element_under_its_cursor)
{
	write_event("{\"id\":\"5-0\",\"data\":1.0}", SLICE_LITERAL(CURSOR));
	buf_append_char(&out, '\0');
	ck_assert_str_eq(out.bytes, "id: " CURSOR "\ndata: {\"id\":\"5-0\",\"data\":1.0}\n\n");
}
END_TEST

START_TEST(an_event_without_a_cursor_leaves_the_clients_where_it_is)
{
	write_event("{\"data\":1}", SLICE_LITERAL(CURSOR));
	write_event("{\"data\":2}", SLICE_NONE);
	read_written(out.len);
	expect("message", "{\"data\":1}", CURSOR);
	expect("message", "{\"data\":2}", CURSOR);
	expect_nothing();
}
END_TEST

/* Line ends that JSON allows between its tokens; to a parser of JSON they are all the same. */
static const struct {
	const char *element, *read;
} lines[] = {
	{"{\"data\":{\n\"a\":1}}", "{\"data\":{\n\"a\":1}}"},
	{"{\"data\":{\r\"a\":1}}", "{\"data\":{\n\"a\":1}}"},
	{"{\"data\":{\r\n\"a\":1}}", "{\"data\":{\n\"a\":1}}"},
	{"{\"data\":{\n\r\"a\":1}}", "{\"data\":{\n\n\"a\":1}}"},
	{"{\"data\":[1,\n\ndata: 2,\nid: 9\n\n]}", "{\"data\":[1,\n\ndata: 2,\nid: 9\n\n]}"},
	{"{\"data\":[\r\n\r\n event: gap\r\n\r\n]}", "{\"data\":[\n\n event: gap\n\n]}"},
	{"\n\n{\"data\":0}", "\n\n{\"data\":0}"},
	{"{\"data\": [\n  1 ]}", "{\"data\": [\n  1 ]}"},
	{"{\"data\":\"\xE2\x80\xA8 a\\nb\\r\\n\\u0000\"}", "{\"data\":\"\xE2\x80\xA8 a\\nb\\r\\n\\u0000\"}"},
};

START_TEST(line_ends_in_an_event_neither_end_it_nor_begin_fields)
{
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		tear_down();
		set_up();
		write_event(lines[i].element, SLICE_LITERAL(CURSOR));
		write_event("{\"next\":true}", SLICE_NONE);
		read_written(1);
		expect("message", lines[i].read, CURSOR);
		expect("message", "{\"next\":true}", CURSOR);
		expect_nothing();
		ck_assert_uint_eq(reader.blocks, 2);
	}
}
END_TEST

START_TEST(a_comment_moves_nothing_and_a_cursor_alone_shows_nothing)
{
	write_event("{\"data\":1}", SLICE_LITERAL("1-0.11223344"));
	buf_append_text(&out, SSE_COMMENT);
	read_written(out.len);
	expect("message", "{\"data\":1}", "1-0.11223344");
	expect_nothing();
	ck_assert_uint_eq(reader.comments, 1);
	ck_assert(slice_is(buf_slice(&reader.last_id), "1-0.11223344"));
	buf_clear(&out);
	sse_cursor(&out, SLICE_LITERAL(CURSOR));
	read_written(out.len);
	expect_nothing();
	ck_assert(slice_is(buf_slice(&reader.last_id), CURSOR));
}
END_TEST

static void encode(const char *json)
{
	struct arena arena;
	struct value *value;
	char why[128];
	arena_init(&arena, 65536);
	ck_assert_int_eq(codec_sse.decode(&arena, slice_of(json), &value, why), OK);
	codec_sse.encode(&out, value);
	arena_fini(&arena);
}

START_TEST(what_else_a_client_is_told_is_named_by_its_op)
{
	encode("{\"op\":\"gap\",\"after\":\"1-0\",\"before\":null}");
	encode("{\"op\":\"notice\",\"code\":\"a\\nb\"}");
	encode("{\"id\":1,\"ok\":{}}");
	read_written(3);
	expect("gap", "{\"op\":\"gap\",\"after\":\"1-0\",\"before\":null}", "");
	expect("notice", "{\"op\":\"notice\",\"code\":\"a\\nb\"}", "");
	expect("reply", "{\"id\":1,\"ok\":{}}", "");
	expect_nothing();
}
END_TEST

START_TEST(a_batch_is_its_events_one_behind_the_other)
{
	struct record first = {.id = {7, 1}, .element = SLICE_LITERAL("{\"data\":1}")};
	struct record second = {.element = SLICE_LITERAL("{\"data\":2}")};
	struct buf head;
	buf_init(&head);
	codec_sse.events_head(&head, SLICE_LITERAL("key"), SLICE_LITERAL(CURSOR), 2);
	ck_assert_uint_eq(head.len, 0);
	codec_sse.events_add(&out, &first, true);
	codec_sse.events_add(&out, &second, false);
	codec_sse.events_tail(&out);
	read_written(out.len);
	expect("message", "{\"data\":1}", "7-1");
	expect("message", "{\"data\":2}", "7-1");
	expect_nothing();
	buf_fini(&head);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec_sse");
	TCase *tests = tcase_create("codec_sse");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, the_reader_of_the_tests_reads_as_the_standard_says);
	tcase_add_test(tests, an_event_is_its_element_under_its_cursor);
	tcase_add_test(tests, an_event_without_a_cursor_leaves_the_clients_where_it_is);
	tcase_add_test(tests, line_ends_in_an_event_neither_end_it_nor_begin_fields);
	tcase_add_test(tests, a_comment_moves_nothing_and_a_cursor_alone_shows_nothing);
	tcase_add_test(tests, what_else_a_client_is_told_is_named_by_its_op);
	tcase_add_test(tests, a_batch_is_its_events_one_behind_the_other);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
