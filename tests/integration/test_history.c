/* Requests for history and events that clients publish, on real nodes and a real Redis: every entry that there is, each once, in
 * order, at the client's pace, whatever became of the stream. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/client/elements.h"
#include "common/codec/json.h"
#include "common/protocol/log.h"
#include "tests/support/gateway.h"
#include "tests/support/raw.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define NODES 2
#define TIMEOUT_MS 1000

static struct redis_server *redis;
static struct gateway *nodes[NODES];
static struct raw client;

static void start_with(const char *const *flags)
{
	redis = redis_server_start(NULL);
	for (int i = 0; i < NODES; i++)
		nodes[i] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	raw_open(&client, gateway_port(nodes[0]));
}

static void start(void)
{
	const char *flags[] = {"--history.timeout", "1s", "--limits.commands_per_second", "0", "--history.ring_events", "16", NULL};
	start_with(flags);
}

static void start_without_history(void)
{
	const char *flags[] = {"--history.enabled", "no", NULL};
	start_with(flags);
}

static void stop(void)
{
	raw_close(&client);
	for (int i = 0; i < NODES; i++)
		gateway_end(nodes[i]);
	redis_server_free(redis);
}

/* Writes entries <ms>-<1 to count> of a session as a recorder would, each on its channel: {"n":<number>}. */
static void write_entries(const char *session, unsigned long long ms, unsigned count, const char *fill)
{
	for (unsigned n = 1; n <= count; n++)
		redis_server_do(redis, "XADD tg:session:%s %llu-%u c trace:%s p {\"n\":%u,\"fill\":\"%s\"}", session, ms, n, session, n,
				fill);
}

/* All that came in answer to one request. */
struct story {
	size_t events, chunks;
	struct record_id first, last;
	char reply[1024];
};

static struct slice find(struct slice json, const char *pointer)
{
	struct slice raw = SLICE_NONE;
	enum json_kind kind;
	(void)json_find(json, slice_of(pointer), &raw, &kind);
	return raw;
}

static struct record_id id_of(struct slice event)
{
	struct slice raw = find(event, "/id");
	struct record_id id;
	ck_assert_msg(raw.len > 2 && record_id_parse((struct slice){raw.ptr + 1, raw.len - 2}, &id) == OK, "%.*s", (int)event.len,
		      event.ptr);
	return id;
}

/* Ids go one way only, so nothing comes twice. */
static void take_chunk(struct story *story, struct slice chunk, bool is_reverse)
{
	char seq[24];
	struct slice rest = find(chunk, "/events"), event;
	snprintf(seq, sizeof seq, "%zu", story->chunks++);
	ck_assert(slice_is(find(chunk, "/seq"), seq));
	while (tgc_elements_next(&rest, &event)) {
		struct record_id id = id_of(event);
		int order = story->events ? record_id_compare(id, story->last) : 0;
		ck_assert_msg(!story->events || (is_reverse ? order < 0 : order > 0), "%.*s is out of order", (int)event.len, event.ptr);
		if (!story->events++)
			story->first = id;
		story->last = id;
	}
}

static void say(struct raw *raw, const char *request)
{
	raw_send_frame(raw, 0x81, slice_of(request));
}

/* Reads to the reply of the request with id 7. */
static struct story read_story(struct raw *raw, bool is_reverse)
{
	struct story story = {.events = 0};
	for (;;) {
		struct raw_frame frame;
		raw_read_frame(raw, &frame);
		if (frame.first != 0x81)
			continue;
		ck_assert(json_is_valid(frame.payload, NULL, NULL));
		if (!slice_is(find(frame.payload, "/id"), "7"))
			continue;
		if (slice_is(find(frame.payload, "/op"), "\"chunk\"")) {
			take_chunk(&story, frame.payload, is_reverse);
			continue;
		}
		snprintf(story.reply, sizeof story.reply, "%.*s", (int)frame.payload.len, frame.payload.ptr);
		return story;
	}
}

static struct story ask(const char *members)
{
	char request[1024];
	snprintf(request, sizeof request, "{\"id\":7,\"op\":\"history\",%s}", members);
	say(&client, request);
	return read_story(&client, strstr(members, "\"reverse\":true") != NULL);
}

static void expect(const struct story *story, size_t events, const char *reply_part)
{
	ck_assert_msg(strstr(story->reply, reply_part), "%s does not say %s", story->reply, reply_part);
	ck_assert_uint_eq(story->events, events);
}

START_TEST(gives_all_entries_of_one_millisecond)
{
	write_entries("burst", 1000, 5000, "");
	struct story story = ask("\"session\":\"burst\",\"from\":1000,\"to\":1000,\"limit\":100000,\"chunk\":100");
	expect(&story, 5000, "\"ok\":{\"events\":5000,\"next\":null}");
	ck_assert_uint_eq(story.chunks, 50);
	ck_assert_uint_eq(story.first.seq, 1);
	ck_assert_uint_eq(story.last.seq, 5000);
	story = ask("\"session\":\"burst\",\"limit\":100000,\"reverse\":true");
	expect(&story, 5000, "\"ok\":{\"events\":5000,\"next\":null}");
	ck_assert_uint_eq(story.last.seq, 1);
}
END_TEST

/* Follows next to the end. */
static void page_through(const char *members, size_t events)
{
	char more[256] = "", all[512], cursor[CURSOR_TEXT];
	size_t seen = 0;
	struct record_id last = {0};
	bool is_reverse = strstr(members, "\"reverse\":true") != NULL;
	for (int pages = 0; pages < 100; pages++) {
		snprintf(all, sizeof all, "%s%s", members, more);
		struct story story = ask(all);
		if (seen && story.events)
			ck_assert((record_id_compare(story.first, last) < 0) == is_reverse);
		seen += story.events;
		last = story.last;
		const char *next = strstr(story.reply, "\"next\":\"");
		if (!next)
			break;
		ck_assert_int_eq(sscanf(next, "\"next\":\"%56[^\"]", cursor), 1);
		snprintf(more, sizeof more, ",\"after\":\"%s\"", cursor);
	}
	ck_assert_uint_eq(seen, events);
}

START_TEST(paging_by_next_gives_the_whole_without_doubles)
{
	write_entries("paged", 1000, 3000, "");
	page_through("\"session\":\"paged\",\"limit\":700", 3000);
	page_through("\"session\":\"paged\",\"limit\":700,\"reverse\":true", 3000);
	page_through("\"session\":\"paged\",\"limit\":1000", 3000);
}
END_TEST

START_TEST(gives_what_is_left_between_holes)
{
	write_entries("holes", 1000, 5000, "");
	for (unsigned n = 1; n <= 5000; n++)
		if (n % 500 != 0)
			redis_server_do(redis, "XDEL tg:session:holes 1000-%u", n);
	struct story story = ask("\"session\":\"holes\",\"limit\":100000");
	expect(&story, 10, "\"ok\":{\"events\":10,\"next\":null");
	story = ask("\"session\":\"holes\",\"limit\":100000,\"reverse\":true");
	expect(&story, 10, "\"ok\":{\"events\":10,\"next\":null}");
	for (unsigned n = 500; n <= 5000; n += 500)
		redis_server_do(redis, "XDEL tg:session:holes 1000-%u", n);
	story = ask("\"session\":\"holes\"");
	expect(&story, 0, "\"ok\":{\"events\":0,\"next\":null");
	story = ask("\"session\":\"missing\"");
	expect(&story, 0, "\"ok\":{\"events\":0,\"next\":null}");
}
END_TEST

/* PUBLISHes and waits until all of it is in the log. */
static struct story publish_entries(const char *session, unsigned count)
{
	char channel[64], payload[32], members[128];
	snprintf(channel, sizeof channel, "trace:%s", session);
	snprintf(members, sizeof members, "\"session\":\"%s\",\"limit\":100000,\"reverse\":true", session);
	for (unsigned n = 1; n <= count; n++) {
		snprintf(payload, sizeof payload, "{\"n\":%u}", n);
		redis_server_publish(redis, slice_of(channel), slice_of(payload));
	}
	for (struct deadline deadline = deadline_in(DEADLINE_MS);;) {
		struct story story = ask(members);
		if (story.events == count)
			return story;
		ck_assert_msg(deadline_next_look(deadline), "%s", story.reply);
	}
}

/* The part of the reply that names an id as a cursor. */
static const char *cursor_part(const char *field, struct record_id id)
{
	static char part[128];
	char text[RECORD_ID_TEXT];
	record_id_write(text, id);
	snprintf(part, sizeof part, "\"%s\":\"%s.", field, text);
	return part;
}

/* A node that starts may be ready for live events a moment before it can read the past. */
static struct story ask_once_it_can(struct raw *raw, const char *request)
{
	for (struct deadline deadline = deadline_in(DEADLINE_MS);;) {
		say(raw, request);
		struct story story = read_story(raw, false);
		if (!strstr(story.reply, "\"temporary\":true"))
			return story;
		ck_assert_msg(deadline_next_look(deadline), "%s", story.reply);
	}
}

START_TEST(says_what_was_trimmed_from_the_range)
{
	char members[128], oldest[RECORD_ID_TEXT];
	struct story whole = publish_entries("trimmed", 500);
	record_id_write(oldest, whole.last);
	snprintf(members, sizeof members, "\"session\":\"trimmed\",\"after\":\"%s\"", oldest);
	struct story story = ask(members);
	expect(&story, 499, "\"ok\":{\"events\":499,\"next\":null}");
	redis_server_do(redis, "XTRIM tg:session:trimmed MAXLEN = 100");
	story = ask(members);
	expect(&story, 499, "\"ok\":{\"events\":499,\"next\":null}");
	redis_server_do(redis, "XTRIM tg:log MAXLEN = 100");
	gateway_end(nodes[1]);
	nodes[1] = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	struct raw other;
	raw_open(&other, gateway_port(nodes[1]));
	char request[256];
	snprintf(request, sizeof request, "{\"id\":7,\"op\":\"history\",%s}", members);
	story = ask_once_it_can(&other, request);
	expect(&story, 100, cursor_part("trimmed\":{\"after", whole.last));
	ck_assert_msg(strstr(story.reply, cursor_part("before", story.first)), "%s", story.reply);
	say(&other, "{\"id\":7,\"op\":\"history\",\"session\":\"trimmed\",\"from\":\"earliest\"}");
	story = read_story(&other, false);
	expect(&story, 100, "\"ok\":{\"events\":100,\"next\":null}");
	raw_close(&other);
}
END_TEST

/* Subscribes from a cursor and reads so many events. */
static void resume(struct raw *raw, const char *members, size_t events)
{
	char request[256];
	size_t given = 0;
	snprintf(request, sizeof request, "{\"id\":8,\"op\":\"subscribe\",%s}", members);
	say(raw, request);
	for (bool is_replied = false; given < events || !is_replied;) {
		struct raw_frame frame;
		raw_read_frame(raw, &frame);
		struct slice op = find(frame.payload, "/op"), rest = find(frame.payload, "/events"), event;
		ck_assert_msg(!slice_is(op, "\"gap\""), "%.*s", (int)frame.payload.len, frame.payload.ptr);
		if (slice_is(find(frame.payload, "/id"), "8")) {
			ck_assert(slice_is(find(frame.payload, "/ok/recovered"), "true"));
			is_replied = true;
		}
		while (slice_is(op, "\"events\"") && tgc_elements_next(&rest, &event))
			given++;
	}
	ck_assert_uint_eq(given, events);
}

START_TEST(the_streams_of_two_sessions_reach_back_further_than_the_log)
{
	char oldest[RECORD_ID_TEXT], members[192];
	struct story left = publish_entries("left", 300), right = publish_entries("right", 300);
	redis_server_do(redis, "XTRIM tg:log MAXLEN = 10");
	gateway_end(nodes[1]);
	nodes[1] = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	struct raw other;
	raw_open(&other, gateway_port(nodes[1]));
	record_id_write(oldest, left.last);
	snprintf(members, sizeof members, "{\"id\":7,\"op\":\"history\",\"filter\":{\"session\":[\"left\",\"right\"]},\"after\":\"%s\"}",
		 oldest);
	struct story story = ask_once_it_can(&other, members);
	expect(&story, 599, "\"ok\":{\"events\":599,\"next\":null}");
	ck_assert_int_eq(record_id_compare(story.last, right.first), 0);
	say(&other, "{\"id\":7,\"op\":\"history\",\"filter\":{\"session\":[\"left\",\"right\"]},\"reverse\":true,\"limit\":1000}");
	story = read_story(&other, true);
	expect(&story, 600, "\"ok\":{\"events\":600,\"next\":null}");
	snprintf(members, sizeof members, "\"filter\":{\"session\":[\"left\",\"right\"]},\"since\":\"%s\"", oldest);
	resume(&other, members, 599);
	raw_close(&other);
}
END_TEST

START_TEST(a_key_that_is_no_stream_is_an_error_to_its_reader_alone)
{
	redis_server_do(redis, "SET tg:session:text words");
	struct story story = ask("\"session\":\"text\"");
	expect(&story, 0, "\"error\":{\"code\":\"refused\",\"message\":\"");
	ck_assert_ptr_nonnull(strstr(story.reply, "\"temporary\":false"));
	ck_assert_msg(!strstr(story.reply, "WRONGTYPE"), "%s", story.reply);
	write_entries("fine", 1000, 3, "");
	story = ask("\"session\":\"fine\"");
	expect(&story, 3, "\"ok\":{\"events\":3");
}
END_TEST

/* Runs until Redis has executed the echo that ends the watch. */
static size_t count_reads(redisContext *monitor)
{
	for (size_t reads = 0;;) {
		redisReply *line;
		ck_assert_int_eq(redisGetReply(monitor, (void **)&line), REDIS_OK);
		bool is_end = strstr(line->str, "\"ECHO\" \"end\"") != NULL;
		bool is_read = strcasestr(line->str, "\"XRANGE\"") || strcasestr(line->str, "\"XREVRANGE\"");
		ck_assert_msg(!is_read || strcasestr(line->str, "\"COUNT\""), "%s", line->str);
		reads += is_read;
		freeReplyObject(line);
		if (is_end)
			return reads;
	}
}

START_TEST(every_read_of_redis_has_a_count)
{
	write_entries("counted", 1000, 3000, "");
	redisContext *monitor = redisConnect("127.0.0.1", redis_server_port(redis));
	ck_assert(monitor && !monitor->err);
	redisReply *ok = redisCommand(monitor, "MONITOR");
	ck_assert(ok && ok->type == REDIS_REPLY_STATUS);
	freeReplyObject(ok);
	struct story story = ask("\"session\":\"counted\",\"limit\":100000");
	expect(&story, 3000, "\"events\":3000");
	story = ask("\"session\":\"counted\",\"limit\":100000,\"reverse\":true");
	expect(&story, 3000, "\"events\":3000");
	story = ask("\"channels\":[\"trace:*\"],\"from\":0,\"limit\":10,\"reverse\":true");
	redis_server_do(redis, "ECHO end");
	ck_assert_uint_ge(count_reads(monitor), 3);
	redisFree(monitor);
}
END_TEST

START_TEST(reads_on_only_as_the_client_reads)
{
	static char fill[4001];
	struct raw slow;
	memset(fill, 'x', sizeof fill - 1);
	write_entries("slow", 1000, 5000, fill);
	raw_connect_small(&slow, gateway_port(nodes[1]), 4096);
	ck_assert_int_eq(raw_handshake(&slow, "/v1/stream", ""), 101);
	double before = gateway_metric(nodes[1], "log_reads_total", "session");
	say(&slow, "{\"id\":7,\"op\":\"history\",\"session\":\"slow\",\"limit\":100000}");
	gateway_wait_metric_at_least(nodes[1], "log_reads_total", "session", before + 1);
	double reads = 0, last = -1;
	for (struct deadline deadline = deadline_in(DEADLINE_MS); reads != last && deadline_next_look(deadline);) {
		last = reads;
		reads = gateway_metric(nodes[1], "log_reads_total", "session") - before;
	}
	double bytes = gateway_metric(nodes[1], "bytes_out_total", "");
	ck_assert_msg(bytes < 15e6, "%.0f bytes were written to a client that reads nothing", bytes);
	struct story story = read_story(&slow, false);
	expect(&story, 5000, "\"ok\":{\"events\":5000,\"next\":null}");
	ck_assert(gateway_metric(nodes[1], "log_reads_total", "session") - before > reads);
	raw_close(&slow);
}
END_TEST

static const char *const payloads[] = {
	"{\"z\": 1.00,\t\"a\":9007199254740993,\"b\":123456789012345678901234567890,\"e\":1E400,\"m\":-0}",
	"\"\\ud800 \\u0000\"",
	"[ ]",
	"18446744073709551616",
	"null",
};

START_TEST(what_clients_publish_is_stored_byte_for_byte)
{
	char request[512], channel[64], wanted[512];
	struct raw_frame frame;
	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
		snprintf(channel, sizeof channel, "trace:published%zu", i);
		snprintf(request, sizeof request, "{\"id\":1,\"op\":\"publish\",\"channel\":\"%s\",\"data\":%s}", channel, payloads[i]);
		say(&client, request);
		raw_expect_text(&client, "{\"id\":1,\"ok\":{\"id\":\"", &frame);
		struct slice id = find(frame.payload, "/ok/id");
		snprintf(wanted, sizeof wanted, "[{\"id\":%.*s,\"channel\":\"%s\",", (int)id.len, id.ptr, channel);
		snprintf(request, sizeof request, "{\"id\":2,\"op\":\"history\",\"channels\":[\"%s\"]}", channel);
		say(&client, request);
		raw_expect_text(&client, wanted, &frame);
		ck_assert_msg(memmem(frame.payload.ptr, frame.payload.len, payloads[i], strlen(payloads[i])), "%.*s",
			      (int)frame.payload.len, frame.payload.ptr);
		raw_expect_text(&client, "{\"id\":2,\"ok\":{\"events\":1,\"next\":null}}", NULL);
	}
}
END_TEST

START_TEST(what_clients_publish_comes_live_on_every_node_under_its_id)
{
	struct raw other;
	struct raw_frame frame;
	char wanted[128];
	raw_open(&other, gateway_port(nodes[1]));
	say(&other, "{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"agent:x\"]}");
	raw_expect_text(&other, "\"recorded\":true", NULL);
	say(&client, "{\"id\":1,\"op\":\"publish\",\"channel\":\"agent:x\",\"data\":{\"k\":1}}");
	raw_expect_text(&client, "{\"id\":1,\"ok\":{\"id\":\"", &frame);
	struct slice id = find(frame.payload, "/ok/id");
	snprintf(wanted, sizeof wanted, "\"events\":[{\"id\":%.*s,\"channel\":\"agent:x\"", (int)id.len, id.ptr);
	raw_expect_text(&other, wanted, NULL);
	redis_server_publish(redis, SLICE_LITERAL("agent:x"), SLICE_LITERAL("\"the next\""));
	raw_expect_text(&other, "\"data\":\"the next\"", &frame);
	ck_assert(!memmem(frame.payload.ptr, frame.payload.len, "\"k\":1", 5));
	raw_close(&other);
}
END_TEST

START_TEST(while_redis_is_paused_each_request_is_refused_in_time)
{
	static const char *const requests[] = {
		"{\"id\":7,\"op\":\"history\",\"session\":\"paused\",\"reverse\":true}",
		"{\"id\":7,\"op\":\"publish\",\"channel\":\"trace:paused\",\"data\":1}",
	};
	write_entries("paused", 1000, 3, "");
	redis_server_pause(redis);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct deadline deadline = deadline_in(TIMEOUT_MS + DEADLINE_MS / 3);
		say(&client, requests[i]);
		struct story story = read_story(&client, true);
		ck_assert_msg(strstr(story.reply, "\"temporary\":true,\"retryAfterMs\":"), "%s", story.reply);
		ck_assert(!deadline_has_passed(deadline));
	}
	redis_server_continue(redis);
	for (int i = 0; i < NODES; i++)
		gateway_wait_ready(nodes[i], true);
	for (struct deadline deadline = deadline_in(DEADLINE_MS);;) {
		struct story story = ask("\"session\":\"paused\",\"to\":1000,\"reverse\":true");
		if (strstr(story.reply, "\"ok\"")) {
			expect(&story, 3, "\"ok\":{\"events\":3,\"next\":null}");
			break;
		}
		ck_assert_msg(deadline_next_look(deadline), "%s", story.reply);
	}
	raw_expect_silence(&client, 200);
}
END_TEST

START_TEST(without_history_says_so)
{
	say(&client, "{\"id\":1,\"op\":\"history\"}");
	raw_expect_text(&client, "{\"id\":1,\"error\":{\"code\":\"no_history\"", NULL);
	say(&client, "{\"id\":2,\"op\":\"publish\",\"channel\":\"trace:a\",\"data\":1}");
	raw_expect_text(&client, "{\"id\":2,\"error\":{\"code\":\"unsupported\"", NULL);
	say(&client, "{\"id\":3,\"op\":\"subscribe\",\"since\":\"earliest\"}");
	raw_expect_text(&client, "\"cursor\":null,\"recorded\":false,\"recovered\":false}", NULL);
	redis_server_publish(redis, SLICE_LITERAL("trace:a"), SLICE_LITERAL("5"));
	raw_expect_text(&client, "\"events\":[{\"channel\":\"trace:a\"", NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("history");
	TCase *tests = tcase_create("history"), *none = tcase_create("none");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_checked_fixture(none, start_without_history, stop);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, none);
	tcase_add_test(tests, gives_all_entries_of_one_millisecond);
	tcase_add_test(tests, paging_by_next_gives_the_whole_without_doubles);
	tcase_add_test(tests, gives_what_is_left_between_holes);
	tcase_add_test(tests, says_what_was_trimmed_from_the_range);
	tcase_add_test(tests, the_streams_of_two_sessions_reach_back_further_than_the_log);
	tcase_add_test(tests, a_key_that_is_no_stream_is_an_error_to_its_reader_alone);
	tcase_add_test(tests, every_read_of_redis_has_a_count);
	tcase_add_test(tests, reads_on_only_as_the_client_reads);
	tcase_add_test(tests, what_clients_publish_is_stored_byte_for_byte);
	tcase_add_test(tests, what_clients_publish_comes_live_on_every_node_under_its_id);
	tcase_add_test(tests, while_redis_is_paused_each_request_is_refused_in_time);
	tcase_add_test(none, without_history_says_so);
	return suite_run(suite);
}
