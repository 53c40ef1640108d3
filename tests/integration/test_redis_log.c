/* The verbs of the log's script and the reads of its streams, on a real Redis. */
#define _DEFAULT_SOURCE /* popen, P_tmpdir */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/support/redis/logrig.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define FOREVER RECORD_ID_MAX
static const struct record_id BEGIN = {0, 0};
static const struct log_position UNKNOWN = {0};

static struct redis_server *redis;
static struct logrig rig;
static redisContext *live;

static void start(void)
{
	redis = redis_server_start(NULL);
	logrig_init(&rig, redis_server_url(redis));
	live = redisConnectWithTimeout("127.0.0.1", redis_server_port(redis), (struct timeval){.tv_sec = 10});
	ck_assert(live && !live->err);
	redisSetTimeout(live, (struct timeval){.tv_sec = 10});
	freeReplyObject(redisCommand(live, "PSUBSCRIBE tg:live *"));
	redisReply *second = NULL; /* two patterns, two answers */
	ck_assert_int_eq(redisGetReply(live, (void **)&second), REDIS_OK);
	freeReplyObject(second);
}

static void end(void)
{
	redisFree(live);
	logrig_fini(&rig);
	redis_server_free(redis);
}

/* The next message on a channel that is heard by the pattern. The caller frees the reply; its text is element 3. */
static redisReply *hear(const char *pattern)
{
	for (;;) {
		redisReply *reply = NULL;
		ck_assert_msg(redisGetReply(live, (void **)&reply) == REDIS_OK, "nothing more is heard");
		if (reply->elements == 4 && strcmp(reply->element[1]->str, pattern) == 0)
			return reply;
		freeReplyObject(reply);
	}
}

static void expect_live(const char *expected, size_t len)
{
	redisReply *reply = hear("tg:live");
	struct slice text = {reply->element[3]->str, reply->element[3]->len};
	ck_assert_msg(slice_equal(text, (struct slice){expected, len}), "heard: %.*s", (int)text.len, text.ptr);
	freeReplyObject(reply);
}

static void expect_silence(void)
{
	redis_server_do(redis, "PUBLISH tg:live over");
	expect_live("over", 4);
}

static struct logscript_event event(const char *channel, const char *payload, const char *session, char hash)
{
	struct logscript_event made = {slice_of(channel), slice_of(payload), slice_of(session), {{0}}};
	memset(made.hash.bytes, hash, sizeof made.hash.bytes);
	return made;
}

static char *reply_text(const char *format, const char *argument)
{
	static char text[256];
	redisReply *reply = redis_server_command(redis, format, argument);
	if (reply->type == REDIS_REPLY_INTEGER)
		snprintf(text, sizeof text, "%lld", reply->integer);
	else
		snprintf(text, sizeof text, "%s", reply->str ? reply->str : "");
	freeReplyObject(reply);
	return text;
}

static long long number(const char *format, const char *argument)
{
	return strtoll(reply_text(format, argument), NULL, 10);
}

/* The log is open and the lease held: "me". Gives the epoch. */
static uint64_t begin_recording(void)
{
	ck_assert_int_eq(logrig_open(&rig, UNKNOWN), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_claim(&rig, "me", false), LOGSCRIPT_OK);
	freeReplyObject(hear("tg:live"));
	return rig.position.epoch;
}

START_TEST(makes_an_epoch_with_the_log_and_keeps_it)
{
	ck_assert_int_eq(logrig_open(&rig, UNKNOWN), LOGSCRIPT_OK);
	uint64_t epoch = rig.position.epoch;
	ck_assert_uint_ne(epoch, 0);
	ck_assert(record_id_is_zero(rig.position.base));
	ck_assert(record_id_is_zero(rig.position.last));
	ck_assert_str_eq(reply_text("TYPE tg:%s", "log"), "stream");
	ck_assert_int_eq(logrig_open(&rig, rig.position), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.position.epoch, epoch);
	struct logscript_event one = event("trace:a", "1", "s", 'h');
	ck_assert_int_eq(logrig_publish(&rig, &one), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_open(&rig, (struct log_position){.epoch = epoch, .last = rig.id}), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.position.epoch, epoch);
	ck_assert_int_eq(record_id_compare(rig.position.last, rig.id), 0);
}
END_TEST

START_TEST(makes_a_new_epoch_for_a_log_that_lost_its_end)
{
	struct logscript_event one = event("trace:a", "1", "s", 'h');
	ck_assert_int_eq(logrig_publish(&rig, &one), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_open(&rig, UNKNOWN), LOGSCRIPT_OK);
	struct log_position known = {.epoch = rig.position.epoch, .last = record_id_next(rig.id)};
	ck_assert_int_eq(logrig_open(&rig, known), LOGSCRIPT_OK);
	ck_assert_uint_ne(rig.position.epoch, known.epoch);
	ck_assert_int_eq(record_id_compare(rig.position.base, rig.id), 0);
	uint64_t second = rig.position.epoch;
	ck_assert_int_eq(logrig_open(&rig, known), LOGSCRIPT_OK); /* the next one that comes with what it knew */
	ck_assert_uint_eq(rig.position.epoch, second);
}
END_TEST

START_TEST(compares_the_end_of_the_log_beyond_what_a_double_holds)
{
	redis_server_do(redis, "XADD tg:log 9007199254740993-9007199254740993 c x p y");
	ck_assert_int_eq(logrig_open(&rig, UNKNOWN), LOGSCRIPT_OK);
	uint64_t epoch = rig.position.epoch;
	struct log_position known = {.epoch = epoch, .last = {9007199254740993, 9007199254740993}};
	ck_assert_int_eq(logrig_open(&rig, known), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.position.epoch, epoch);
	known.last.seq++;
	ck_assert_int_eq(logrig_open(&rig, known), LOGSCRIPT_OK);
	ck_assert_uint_ne(rig.position.epoch, epoch);
}
END_TEST

START_TEST(makes_a_new_epoch_for_a_log_that_vanished)
{
	uint64_t epoch = begin_recording();
	struct logscript_event one = event("trace:a", "1", "s", 'h');
	redis_server_do(redis, "DEL tg:log");
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, &one, 1), LOGSCRIPT_OTHER_EPOCH);
	ck_assert_int_eq(logrig_claim(&rig, "you", true), LOGSCRIPT_OTHER_EPOCH);
	ck_assert_int_eq(number("EXISTS tg:%s", "log"), 0);
	ck_assert_int_eq(logrig_open(&rig, UNKNOWN), LOGSCRIPT_OK);
	ck_assert_uint_ne(rig.position.epoch, epoch);
	redis_server_do(redis, "FLUSHALL");
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, &one, 1), LOGSCRIPT_NOT_OURS);
}
END_TEST

START_TEST(gives_the_lease_to_one_and_fences)
{
	char fence[128], epoch[20];
	ck_assert_int_eq(logrig_claim(&rig, "me", false), LOGSCRIPT_OTHER_EPOCH); /* there is no log yet */
	ck_assert_int_eq(logrig_open(&rig, UNKNOWN), LOGSCRIPT_OK);
	snprintf(epoch, sizeof epoch, "%016" PRIx64, rig.position.epoch);
	rig.settings.lease_ms = 30000;
	ck_assert_int_eq(logrig_claim(&rig, "me", false), LOGSCRIPT_OK);
	snprintf(fence, sizeof fence, "F %s 0-0 me\n", epoch);
	expect_live(fence, strlen(fence));
	ck_assert_int_eq(logrig_claim(&rig, "you", false), LOGSCRIPT_NOT_OURS);
	ck_assert_int_eq(logrig_claim(&rig, "me", false), LOGSCRIPT_NOT_OURS);
	ck_assert_str_eq(reply_text("GET tg:%s", "recorder"), "me");
	ck_assert_int_gt(number("PTTL tg:%s", "recorder"), 10000);
	struct logscript_event one = event("trace:a", "1", "s", 'h');
	ck_assert_int_eq(logrig_publish(&rig, &one), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_claim(&rig, "you", true), LOGSCRIPT_OK);
	char last[RECORD_ID_TEXT];
	record_id_write(last, rig.id);
	snprintf(fence, sizeof fence, "F %s %s you\n", epoch, last);
	freeReplyObject(hear("tg:live"));
	freeReplyObject(hear("tg:live"));
	expect_live(fence, strlen(fence));
}
END_TEST

START_TEST(asks_those_who_listen_before_it_gives_the_lease)
{
	char question[128];
	ck_assert_int_eq(logrig_open(&rig, UNKNOWN), LOGSCRIPT_OK);
	freeReplyObject(redisCommand(live, "PUNSUBSCRIBE *"));
	ck_assert_int_eq(logrig_ask(&rig, "me", false, slice_of("0123456789abcdef1")), LOGSCRIPT_OK);
	ck_assert_str_eq(reply_text("GET tg:%s", "recorder"), "me"); /* this test alone listened */
	snprintf(question, sizeof question, "Q %016" PRIx64 " 0-0 me\n0123456789abcdef1", rig.position.epoch);
	expect_live(question, strlen(question));
	freeReplyObject(hear("tg:live"));
	freeReplyObject(redisCommand(live, "PSUBSCRIBE *"));
	ck_assert_int_eq(logrig_ask(&rig, "you", false, slice_of("")), LOGSCRIPT_NOT_OURS);
	expect_silence();
	ck_assert_int_eq(logrig_ask(&rig, "you", true, slice_of("")), LOGSCRIPT_ASKED);
	snprintf(question, sizeof question, "Q %016" PRIx64 " 0-0 you\n", rig.position.epoch);
	expect_live(question, strlen(question));
	ck_assert_str_eq(reply_text("GET tg:%s", "recorder"), "me");
}
END_TEST

START_TEST(renews_and_releases_only_its_own_lease)
{
	begin_recording();
	redis_server_do(redis, "PEXPIRE tg:recorder 1000");
	ck_assert_int_eq(logrig_renew(&rig, "you"), LOGSCRIPT_NOT_OURS);
	ck_assert_int_le(number("PTTL tg:%s", "recorder"), 1000);
	ck_assert_int_eq(logrig_renew(&rig, "me"), LOGSCRIPT_OK);
	ck_assert_int_gt(number("PTTL tg:%s", "recorder"), 10000);
	logscript_release(rig.script, SLICE_LITERAL("you"));
	ck_assert_int_eq(logrig_renew(&rig, "me"), LOGSCRIPT_OK);
	logscript_release(rig.script, SLICE_LITERAL("me"));
	ck_assert_int_eq(logrig_renew(&rig, "me"), LOGSCRIPT_NOT_OURS); /* and it takes nothing */
	ck_assert_int_eq(logrig_claim(&rig, "you", false), LOGSCRIPT_OK);
}
END_TEST

START_TEST(records_in_both_streams_and_stamps_at_once)
{
	uint64_t epoch = begin_recording();
	const struct logscript_event events[] = {event("trace:a", "one", "s1", 'A'), event("agent:b", "two", "s2", 'B'),
	                                         event("trace:a", "", "s1", 'C'), event("swarm:c", "four", "", 'D')};
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, events, 4), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_read(&rig, "", BEGIN, FOREVER, false, 10), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), "trace:a one\nagent:b two\ntrace:a \nswarm:c four\n"));
	struct buf stamp;
	buf_init(&stamp);
	buf_printf(&stamp, "S %016" PRIx64 " 0-0\n", epoch);
	struct record_id before = BEGIN;
	const struct log_entry *entries = (const struct log_entry *)(const void *)rig.entries.bytes;
	for (int i = 0; i < 4; i++) {
		char id[RECORD_ID_TEXT];
		record_id_write(id, entries[i].id);
		ck_assert_int_eq(record_id_compare(entries[i].before, before), 0);
		before = entries[i].id;
		buf_append(&stamp, events[i].hash.bytes, sizeof events[i].hash.bytes);
		buf_printf(&stamp, "%s\n", id);
	}
	struct record_id first = entries[0].id, third = entries[2].id;
	expect_live(stamp.bytes, stamp.len);
	ck_assert_int_eq(logrig_read(&rig, "s1", BEGIN, FOREVER, false, 10), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), "trace:a one\ntrace:a \n"));
	entries = (const struct log_entry *)(const void *)rig.entries.bytes;
	ck_assert_int_eq(record_id_compare(entries[0].id, first), 0);
	ck_assert_int_eq(record_id_compare(entries[1].id, third), 0);
	ck_assert_int_gt(number("PTTL tg:session:%s", "s2"), 80000000);
	ck_assert_int_eq(number("EXISTS tg:session:%s", ""), 0);
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, events, 1), LOGSCRIPT_OK);
	redisReply *heard = hear("tg:live"); /* its "before" is the last of the call before */
	char head[128], last[RECORD_ID_TEXT];
	record_id_write(last, before);
	int len = snprintf(head, sizeof head, "S %016" PRIx64 " %s\n", epoch, last);
	ck_assert_int_eq(strncmp(heard->element[3]->str, head, (size_t)len), 0);
	freeReplyObject(heard);
	buf_fini(&stamp);
}
END_TEST

START_TEST(records_nothing_without_the_lease_or_for_another_epoch)
{
	uint64_t epoch = begin_recording();
	const struct logscript_event one = event("trace:a", "1", "s1", 'A');
	ck_assert_int_eq(logrig_record(&rig, "you", epoch, &one, 1), LOGSCRIPT_NOT_OURS);
	ck_assert_int_eq(logrig_record(&rig, "me", epoch ^ 1, &one, 1), LOGSCRIPT_OTHER_EPOCH);
	redis_server_do(redis, "PEXPIRE tg:recorder 1");
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (number("EXISTS tg:%s", "recorder") == 1)
		ck_assert(!deadline_has_passed(deadline));
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, &one, 1), LOGSCRIPT_NOT_OURS);
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 0);
	ck_assert_int_eq(number("EXISTS tg:session:%s", "s1"), 0);
	expect_silence();
}
END_TEST

START_TEST(publishes_stores_and_stamps_in_one_step)
{
	struct logscript_event one = event("trace:a", "{\"x\":1}", "s1", 0);
	char expected[256], id[RECORD_ID_TEXT];
	ck_assert_int_eq(logrig_publish(&rig, &one), LOGSCRIPT_OK);
	record_id_write(id, rig.id);
	ck_assert_int_eq(logrig_open(&rig, UNKNOWN), LOGSCRIPT_OK); /* the first one made the epoch */
	ck_assert(record_id_is_zero(rig.position.base));
	expect_live("H\n", 2);
	redisReply *heard = hear("*");
	while (strcmp(heard->element[2]->str, "trace:a") != 0) { /* this pattern hears the live channel too */
		freeReplyObject(heard);
		heard = hear("*");
	}
	ck_assert_str_eq(heard->element[3]->str, "{\"x\":1}");
	freeReplyObject(heard);
	int len = snprintf(expected, sizeof expected, "P %016" PRIx64 " 0-0 %s 7\ntrace:a{\"x\":1}", rig.position.epoch, id);
	expect_live(expected, (size_t)len);
	struct logscript_event two = event("trace:a", "second", "s1", 'Z');
	char second[RECORD_ID_TEXT];
	ck_assert_int_eq(logrig_publish(&rig, &two), LOGSCRIPT_OK);
	record_id_write(second, rig.id);
	expect_live("H\n", 2);
	len = snprintf(expected, sizeof expected, "S %016" PRIx64 " %s\nZZZZZZZZZZZZZZZZ%s\n", rig.position.epoch, id, second);
	expect_live(expected, (size_t)len);
	ck_assert_int_eq(logrig_read(&rig, "s1", BEGIN, FOREVER, false, 10), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), "trace:a {\"x\":1}\ntrace:a second\n"));
}
END_TEST

START_TEST(refuses_to_publish_on_its_own_channels)
{
	struct logscript_event one = event("tg:live", "S 0", "", 0);
	ck_assert_int_eq(logrig_publish(&rig, &one), LOGSCRIPT_REFUSED);
	ck_assert_ptr_nonnull(strstr(rig.why, "gateway's own"));
	expect_silence();
}
END_TEST

/* What the documentation tells publishers to type. */
static const struct {
	const char *arguments, *session, *entry;
} typed[] = {
    {"trace:s1 hello", "s1", "trace:s1 hello\n"},
    {"trace:a:b plain", "a:b", "trace:a:b plain\n"},
    {"trace:x '{\"type\":\"t\",\"sessionId\":\"from-payload\"}'", "from-payload", "trace:x {\"type\":\"t\",\"sessionId\":\"from-payload\"}\n"},
    {"trace:x '{\"session_id\":\"\",\"session\":\"third\"}'", "third", "trace:x {\"session_id\":\"\",\"session\":\"third\"}\n"},
    {"trace:x '{\"sessionId\":12345678901234567890}'", "12345678901234567890", "trace:x {\"sessionId\":12345678901234567890}\n"},
    {"trace:x '{\"sessionId\":null}'", "x", "trace:x {\"sessionId\":null}\n"},
    {"trace:x '{\"sessionId\":\"broken'", "x", "trace:x {\"sessionId\":\"broken\n"},
    {"trace:x '[\"sessionId\"]'", "x", "trace:x [\"sessionId\"]\n"},
    {"trace:x '{\"sessionId\":\"no\"}' given", "given", "trace:x {\"sessionId\":\"no\"}\n"},
};

START_TEST(publishers_call_it_by_redis_cli)
{
	char command[1024], line[256] = "", script[] = P_tmpdir "/tracegate-script-XXXXXX";
	int fd = mkstemp(script);
	ck_assert_int_ge(fd, 0);
	size_t len = strlen(logscript_source);
	ck_assert_int_eq(write(fd, logscript_source, len), (ssize_t)len);
	close(fd);
	snprintf(command, sizeof command,
	         "R='redis-cli -p %u'; SHA=$($R -x SCRIPT LOAD < %s); $R EVALSHA $SHA 1 tg:log publish %s",
	         (unsigned)redis_server_port(redis), script, typed[_i].arguments);
	FILE *shell = popen(command, "r");
	ck_assert_ptr_nonnull(shell);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, shell));
	ck_assert_int_eq(pclose(shell), 0);
	unlink(script);
	line[strcspn(line, "\n")] = '\0';
	struct record_id id;
	ck_assert_msg(record_id_parse(slice_of(line), &id) == OK, "%s", line);
	ck_assert_int_eq(logrig_read(&rig, typed[_i].session, BEGIN, FOREVER, false, 10), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), typed[_i].entry));
	ck_assert_int_eq(record_id_compare(((const struct log_entry *)(const void *)rig.entries.bytes)->id, id), 0);
	ck_assert_int_gt(number("PTTL tg:session:%s", typed[_i].session), 80000000);
}
END_TEST

START_TEST(trims_by_count_and_by_age)
{
	enum { COUNT = 1000 };
	static struct logscript_event events[COUNT];
	rig.settings.log_events_max = 200;
	rig.settings.session_events_max = 300;
	uint64_t epoch = begin_recording();
	for (int i = 0; i < COUNT; i++)
		events[i] = event("trace:a", "x", "s1", 'h');
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(logrig_record(&rig, "me", epoch, events + i * 100, 100), LOGSCRIPT_OK);
	ck_assert_int_ge(number("XLEN tg:%s", "log"), 200);
	ck_assert_int_lt(number("XLEN tg:%s", "log"), 400);
	ck_assert_int_ge(number("XLEN tg:session:%s", "s1"), 300);
	ck_assert_int_lt(number("XLEN tg:session:%s", "s1"), 600);
	redis_server_do(redis, "DEL tg:log");
	for (int i = 1; i <= 300; i++)
		redis_server_do(redis, "XADD tg:log %d-1 c x p y", i);
	rig.settings.log_age_ms = 1000;
	ck_assert_int_eq(logrig_renew(&rig, "me"), LOGSCRIPT_OK);
	ck_assert_int_lt(number("XLEN tg:%s", "log"), 100);
}
END_TEST

START_TEST(keeps_everything_without_bounds)
{
	struct logscript_event one = event("trace:a", "x", "s1", 'h');
	rig.settings.log_events_max = rig.settings.log_age_ms = 0;
	rig.settings.session_events_max = rig.settings.session_idle_ms = 0;
	uint64_t epoch = begin_recording();
	redis_server_do(redis, "XADD tg:log 1-1 c x p y");
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, &one, 1), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_renew(&rig, "me"), LOGSCRIPT_OK);
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 2);
	ck_assert_int_eq(number("PTTL tg:session:%s", "s1"), -1);
}
END_TEST

START_TEST(a_session_stream_goes_when_it_is_idle)
{
	struct logscript_event one = event("trace:a", "x", "s1", 'h');
	rig.settings.session_idle_ms = 30;
	uint64_t epoch = begin_recording();
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, &one, 1), LOGSCRIPT_OK);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (number("EXISTS tg:session:%s", "s1") == 1)
		ck_assert(!deadline_has_passed(deadline));
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 1);
}
END_TEST

START_TEST(a_session_of_too_long_a_name_has_no_stream)
{
	char name[514];
	uint64_t epoch = begin_recording();
	memset(name, 'n', sizeof name);
	name[513] = '\0';
	struct logscript_event events[] = {event("trace:a", "x", name, 'h'), event("trace:a", "y", name + 1, 'i')};
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, events, 2), LOGSCRIPT_OK);
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 2);
	ck_assert_int_eq(number("EXISTS tg:session:%s", name), 0);
	ck_assert_int_eq(number("XLEN tg:session:%s", name + 1), 1);
}
END_TEST

START_TEST(reads_all_of_one_millisecond_in_pages)
{
	enum { COUNT = 5000, PAGE = 100 };
	redis_server_do(redis, "EVAL %s 0", "for i=1,5000 do redis.call('XADD','tg:log','1000-*','c','trace:a','p',i) end");
	struct record_id from = {999, UINT64_MAX}, to = {1000, UINT64_MAX};
	unsigned total = 0, pages = 0;
	do {
		ck_assert_int_eq(logrig_read(&rig, "", from, to, false, PAGE), LOGSCRIPT_OK);
		size_t count = rig.entries.len / sizeof(struct log_entry);
		ck_assert_uint_le(count, PAGE);
		if (count)
			from = ((const struct log_entry *)(const void *)rig.entries.bytes)[count - 1].id;
		total += (unsigned)count;
		pages++;
	} while (rig.entries.len);
	ck_assert_uint_eq(total, COUNT);
	ck_assert_uint_eq(pages, COUNT / PAGE + 1);
	total = 0;
	for (from = (struct record_id){1000, UINT64_MAX};; total++) {
		ck_assert_int_eq(logrig_read(&rig, "", from, BEGIN, true, 1), LOGSCRIPT_OK);
		if (!rig.entries.len || total == 20)
			break;
		from = ((const struct log_entry *)(const void *)rig.entries.bytes)->id;
	}
	ck_assert(slice_is(buf_slice(&rig.text), "trace:a 4980\n"));
}
END_TEST

START_TEST(reads_over_holes_and_ends)
{
	redis_server_do(redis, "EVAL %s 0",
	                "for i=1,1000 do redis.call('XADD','tg:log',i..'-0','c','x','p',i) end "
	                "for i=1,1000 do if i % 100 ~= 0 then redis.call('XDEL','tg:log',i..'-0') end end");
	ck_assert_int_eq(logrig_read(&rig, "", BEGIN, FOREVER, false, 100), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.entries.len / sizeof(struct log_entry), 10);
	ck_assert_int_eq(logrig_read(&rig, "", (struct record_id){500, 0}, (struct record_id){700, 0}, false, 100), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), "x 600\nx 700\n"));
	ck_assert_int_eq(logrig_read(&rig, "", (struct record_id){500, 0}, (struct record_id){300, 0}, true, 100), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), "x 400\nx 300\n"));
	ck_assert_int_eq(logrig_read(&rig, "", FOREVER, FOREVER, false, 100), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.entries.len, 0);
	ck_assert_int_eq(logrig_read(&rig, "", BEGIN, BEGIN, true, 100), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.entries.len, 0);
	ck_assert_int_eq(logrig_read(&rig, "nobody", BEGIN, FOREVER, false, 100), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.entries.len, 0);
	redis_server_do(redis, "SET tg:session:odd text");
	ck_assert_int_eq(logrig_read(&rig, "odd", BEGIN, FOREVER, false, 100), LOGSCRIPT_REFUSED);
	ck_assert_ptr_nonnull(strstr(rig.why, "WRONGTYPE"));
}
END_TEST

START_TEST(tells_the_facts_of_a_stream)
{
	ck_assert_int_eq(logrig_inspect(&rig, ""), LOGSCRIPT_OK);
	ck_assert(!rig.facts.exists);
	ck_assert_uint_eq(rig.position.epoch, 0);
	uint64_t epoch = begin_recording();
	struct logscript_event events[] = {event("trace:a", "x", "s1", 'h'), event("trace:a", "y", "s1", 'i'),
	                                   event("trace:a", "z", "s2", 'j')};
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, events, 3), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_inspect(&rig, ""), LOGSCRIPT_OK);
	ck_assert(rig.facts.exists);
	ck_assert_uint_eq(rig.facts.length, 3);
	ck_assert_uint_eq(rig.facts.entries_added, 3);
	ck_assert_uint_eq(rig.position.epoch, epoch);
	ck_assert_int_eq(record_id_compare(rig.position.last, rig.facts.last), 0);
	struct record_id first = rig.facts.first;
	char id[RECORD_ID_TEXT];
	record_id_write(id, first);
	redis_server_do(redis, "XDEL tg:session:s1 %s", id);
	ck_assert_int_eq(logrig_inspect(&rig, "s1"), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.facts.length, 1);
	ck_assert_uint_eq(rig.facts.entries_added, 2);
	ck_assert_int_eq(record_id_compare(rig.facts.max_deleted, first), 0);
	ck_assert_int_eq(record_id_compare(rig.facts.first, rig.facts.last), 0);
	ck_assert_int_eq(record_id_compare(rig.position.last, rig.facts.last), 1);
	ck_assert_int_eq(logrig_inspect(&rig, "none"), LOGSCRIPT_OK);
	ck_assert(!rig.facts.exists);
	redis_server_do(redis, "SET tg:session:odd text");
	ck_assert_int_eq(logrig_inspect(&rig, "odd"), LOGSCRIPT_REFUSED);
	ck_assert_ptr_nonnull(strstr(rig.why, "WRONGTYPE"));
}
END_TEST

START_TEST(lists_the_sessions_that_have_a_stream)
{
	unsigned total = 0;
	uint64_t cursor = 0;
	redis_server_do(redis, "EVAL %s 0",
	                "for i=1,900 do redis.call('XADD','tg:session:s'..i,'*','c','x','p','y') redis.call('SET','other'..i,1) end "
	                "redis.call('SET','tg:session:text',1)");
	do {
		ck_assert_int_eq(logrig_list(&rig, cursor, 100), LOGSCRIPT_OK);
		cursor = rig.cursor;
		for (size_t i = 0; i < rig.text.len; i++)
			total += rig.text.bytes[i] == '\n';
	} while (cursor);
	ck_assert_uint_eq(total, 900);
	ck_assert_int_eq(logrig_list(&rig, 0, 100000), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.cursor, 0);
	redis_server_do(redis, "FLUSHALL");
	ck_assert_int_eq(logrig_list(&rig, 0, 100), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.text.len, 0);
}
END_TEST

START_TEST(a_prefix_is_no_pattern)
{
	logscript_free(rig.script);
	rig.settings.prefix = "t*[g]?\\:";
	rig.script = logscript_new(&rig.settings);
	logscript_use(rig.script, rig.link);
	redis_server_do(redis, "XADD txg:session:other * c x p y");
	struct logscript_event one = event("trace:a", "1", "mine", 0);
	ck_assert_int_eq(logrig_publish(&rig, &one), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_list(&rig, 0, 100), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), "mine 1\n"));
	ck_assert_int_eq(logrig_read(&rig, "mine", BEGIN, FOREVER, false, 10), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), "trace:a 1\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis log");
	TCase *tests = tcase_create("redis log");
	tcase_add_checked_fixture(tests, start, end);
	tcase_add_test(tests, makes_an_epoch_with_the_log_and_keeps_it);
	tcase_add_test(tests, makes_a_new_epoch_for_a_log_that_lost_its_end);
	tcase_add_test(tests, compares_the_end_of_the_log_beyond_what_a_double_holds);
	tcase_add_test(tests, makes_a_new_epoch_for_a_log_that_vanished);
	tcase_add_test(tests, gives_the_lease_to_one_and_fences);
	tcase_add_test(tests, asks_those_who_listen_before_it_gives_the_lease);
	tcase_add_test(tests, renews_and_releases_only_its_own_lease);
	tcase_add_test(tests, records_in_both_streams_and_stamps_at_once);
	tcase_add_test(tests, records_nothing_without_the_lease_or_for_another_epoch);
	tcase_add_test(tests, publishes_stores_and_stamps_in_one_step);
	tcase_add_test(tests, refuses_to_publish_on_its_own_channels);
	tcase_add_loop_test(tests, publishers_call_it_by_redis_cli, 0, (int)(sizeof typed / sizeof typed[0]));
	tcase_add_test(tests, trims_by_count_and_by_age);
	tcase_add_test(tests, keeps_everything_without_bounds);
	tcase_add_test(tests, a_session_stream_goes_when_it_is_idle);
	tcase_add_test(tests, a_session_of_too_long_a_name_has_no_stream);
	tcase_add_test(tests, reads_all_of_one_millisecond_in_pages);
	tcase_add_test(tests, reads_over_holes_and_ends);
	tcase_add_test(tests, tells_the_facts_of_a_stream);
	tcase_add_test(tests, lists_the_sessions_that_have_a_stream);
	tcase_add_test(tests, a_prefix_is_no_pattern);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
