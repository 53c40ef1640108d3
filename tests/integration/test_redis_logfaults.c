/* The log on a Redis that refuses, forgets or goes away: nothing is half done, each call is answered once, in order. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/redis/link.h"
#include "tests/support/redis/logrig.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

#define FOREVER RECORD_ID_MAX
static const struct record_id BEGIN = {0, 0};

static struct redis_server *redis;
static struct logrig rig;
static redisContext *live;
static uint64_t epoch;

static struct logscript_event event(const char *channel, const char *payload, const char *session, char hash)
{
	struct logscript_event made = {slice_of(channel), slice_of(payload), slice_of(session), {{0}}};
	memset(made.hash.bytes, hash, sizeof made.hash.bytes);
	return made;
}

static long long number(const char *format, const char *argument)
{
	redisReply *reply = redis_server_command(redis, format, argument);
	long long value = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
	freeReplyObject(reply);
	return value;
}

static void start(void)
{
	redis = redis_server_start(NULL);
	logrig_init(&rig, redis_server_url(redis));
	ck_assert_int_eq(logrig_open(&rig, (struct log_position){0}), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_claim(&rig, "me", false), LOGSCRIPT_OK);
	epoch = rig.position.epoch;
	live = redisConnectWithTimeout("127.0.0.1", redis_server_port(redis), (struct timeval){.tv_sec = 10});
	freeReplyObject(redisCommand(live, "SUBSCRIBE tg:live"));
}

static void end(void)
{
	redisFree(live);
	logrig_fini(&rig);
	redis_server_free(redis);
}

/* How many entries the stamps name that were heard since the last look. */
static unsigned count_stamps(void)
{
	unsigned count = 0;
	redis_server_do(redis, "PUBLISH tg:live over");
	for (;;) {
		redisReply *reply = NULL;
		ck_assert_int_eq(redisGetReply(live, (void **)&reply), REDIS_OK);
		const redisReply *text = reply->element[2];
		bool is_over = strcmp(text->str, "over") == 0;
		for (size_t at = 0; text->str[0] == 'S' && at < text->len; at++)
			count += text->str[at] == '\n';
		count -= text->str[0] == 'S'; /* its head is a line too */
		freeReplyObject(reply);
		if (is_over)
			return count;
	}
}

static enum logscript_result record_three(void)
{
	const struct logscript_event events[] = {event("trace:a", "1", "s1", 'A'), event("trace:a", "2", "s2", 'B'),
	                                         event("trace:a", "3", "s1", 'C')};
	return logrig_record(&rig, "me", epoch, events, 3);
}

static void expect_refusal(const char *why, long long entries)
{
	ck_assert_int_eq(record_three(), LOGSCRIPT_REFUSED);
	ck_assert_msg(strstr(rig.why, why), "refused: %s", rig.why);
	if (entries >= 0)
		ck_assert_int_eq(number("XLEN tg:%s", "log"), entries);
	ck_assert_int_eq(number("EXISTS tg:session:%s", "s1"), 0);
	ck_assert_uint_eq(count_stamps(), 0);
}

static void log_in_as(const char *rules)
{
	char url[96];
	char words[128], *rest = words;
	snprintf(words, sizeof words, "%s", rules);
	redis_server_do(redis, "ACL SETUSER gw reset on >pw");
	for (const char *word; (word = strtok_r(rest, " ", &rest));)
		redis_server_do(redis, "ACL SETUSER gw %s", word);
	snprintf(url, sizeof url, "redis://gw:pw@127.0.0.1:%u", (unsigned)redis_server_port(redis));
	url_fini(&rig.url);
	char why[URL_WHY_BYTES];
	ck_assert_int_eq(url_parse(url, &rig.url, why), OK);
	link_close(rig.link);
	logrig_connect(&rig);
}

START_TEST(out_of_memory_leaves_nothing_half_done)
{
	ck_assert_int_eq(record_three(), LOGSCRIPT_OK);
	ck_assert_uint_eq(count_stamps(), 3);
	redis_server_do(redis, "DEL tg:session:s1");
	redis_server_do(redis, "CONFIG SET maxmemory 1");
	expect_refusal("OOM", 3);
	ck_assert_int_eq(logrig_renew(&rig, "me"), LOGSCRIPT_OK); /* the lease is kept meanwhile */
	const struct logscript_event one = event("trace:a", "1", "s1", 0);
	ck_assert_int_eq(logrig_publish(&rig, &one), LOGSCRIPT_REFUSED);
	ck_assert_uint_eq(count_stamps(), 0);
	redis_server_do(redis, "CONFIG SET maxmemory 0");
	ck_assert_int_eq(record_three(), LOGSCRIPT_OK);
	ck_assert_uint_eq(count_stamps(), 3);
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 6);
}
END_TEST

START_TEST(without_the_right_to_add_nothing_is_half_done)
{
	log_in_as("~* &* +@all -xadd");
	expect_refusal("script", 0); /* Redis says so in words that differ by version */
	log_in_as("~* &* +@all");
	ck_assert_int_eq(record_three(), LOGSCRIPT_OK);
}
END_TEST

START_TEST(without_the_right_to_stamp_nothing_is_half_done)
{
	log_in_as("~* +@all resetchannels &trace:*");
	expect_refusal("NOPERM", 0);
	const struct logscript_event one = event("trace:a", "1", "s1", 0);
	ck_assert_int_eq(logrig_publish(&rig, &one), LOGSCRIPT_REFUSED);
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 0);
	ck_assert_int_eq(logrig_claim(&rig, "gw", true), LOGSCRIPT_REFUSED);
	ck_assert_int_eq(logrig_renew(&rig, "me"), LOGSCRIPT_OK); /* nobody took it */
}
END_TEST

START_TEST(without_rights_on_session_streams_the_log_goes_on)
{
	log_in_as("~tg:log ~tg:recorder ~tg:epoch &* +@all");
	ck_assert_int_eq(record_three(), LOGSCRIPT_OK);
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 3);
	ck_assert_int_eq(number("EXISTS tg:session:%s", "s1"), 0);
	ck_assert_uint_eq(count_stamps(), 3);
}
END_TEST

START_TEST(says_that_scripts_may_not_be_loaded)
{
	log_in_as("~* &* +@all -script|load");
	ck_assert_int_eq(record_three(), LOGSCRIPT_REFUSED);
	ck_assert_ptr_nonnull(strstr(rig.why, "SCRIPT LOAD: NOPERM"));
	redis_server_do(redis, "ACL SETUSER gw +@all");
	ck_assert_int_eq(record_three(), LOGSCRIPT_OK);
}
END_TEST

START_TEST(a_log_of_another_type_is_refused)
{
	redis_server_do(redis, "DEL tg:log");
	redis_server_do(redis, "SET tg:log text");
	expect_refusal("WRONGTYPE", -1);
	ck_assert_int_eq(logrig_open(&rig, (struct log_position){0}), LOGSCRIPT_REFUSED);
	ck_assert_int_eq(logrig_read(&rig, "", BEGIN, FOREVER, false, 10), LOGSCRIPT_REFUSED);
	ck_assert_int_eq(logrig_inspect(&rig, ""), LOGSCRIPT_REFUSED);
	ck_assert_ptr_nonnull(strstr(rig.why, "WRONGTYPE"));
}
END_TEST

START_TEST(sessions_that_refuse_disturb_no_other)
{
	redis_server_do(redis, "SET tg:session:s1 text");
	redis_server_do(redis, "XADD tg:session:s2 18446744073709551615-0 c x p y");
	const struct logscript_event events[] = {event("trace:a", "1", "s1", 'A'), event("trace:a", "2", "s2", 'B'),
	                                         event("trace:a", "3", "s3", 'C'), event("trace:a", "4", "s1", 'D'),
	                                         event("trace:a", "5", "s3", 'E')};
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, events, 5), LOGSCRIPT_OK);
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 5);
	ck_assert_int_eq(number("XLEN tg:session:%s", "s3"), 2);
	ck_assert_int_eq(number("XLEN tg:session:%s", "s2"), 1);
	ck_assert_int_eq(number("PTTL tg:session:%s", "s1"), -1); /* what is no stream of ours is let alone */
	ck_assert_uint_eq(count_stamps(), 5);
}
END_TEST

START_TEST(goes_on_behind_an_entry_from_the_far_future)
{
	redis_server_do(redis, "XADD tg:log 9999999999999-5 c x p y");
	ck_assert_int_eq(record_three(), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_read(&rig, "", BEGIN, FOREVER, false, 10), LOGSCRIPT_OK);
	const struct log_entry *entries = (const struct log_entry *)(const void *)rig.entries.bytes;
	ck_assert_uint_eq(rig.entries.len / sizeof *entries, 4);
	ck_assert_uint_eq(entries[3].id.ms, 9999999999999);
	ck_assert_uint_eq(entries[3].id.seq, 8);
	ck_assert_uint_eq(entries[1].before.seq, 5);
}
END_TEST

START_TEST(stamps_what_an_exhausted_log_still_took)
{
	redis_server_do(redis, "XADD tg:log 18446744073709551615-18446744073709551614 c x p y");
	ck_assert_int_eq(record_three(), LOGSCRIPT_REFUSED);
	ck_assert_ptr_nonnull(strstr(rig.why, "exhausted"));
	ck_assert_int_eq(number("XLEN tg:%s", "log"), 2);
	ck_assert_uint_eq(count_stamps(), 1);
	ck_assert_int_eq(record_three(), LOGSCRIPT_REFUSED);
	ck_assert_uint_eq(count_stamps(), 0);
	ck_assert_int_eq(logrig_read(&rig, "", (struct record_id){UINT64_MAX, UINT64_MAX - 1}, FOREVER, false, 10), LOGSCRIPT_OK);
	ck_assert(slice_is(buf_slice(&rig.text), "trace:a 1\n"));
	ck_assert_int_eq(logrig_read(&rig, "", FOREVER, FOREVER, false, 10), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.entries.len, 0);
}
END_TEST

static void record_numbered(unsigned value)
{
	char payload[16];
	snprintf(payload, sizeof payload, "%u", value);
	const struct logscript_event one = event("trace:a", payload, "s1", 'h');
	ck_assert_int_eq(logscript_record(rig.script, logrig_ticket(&rig), SLICE_LITERAL("me"), epoch, &one, 1, logrig_on_done, &rig), OK);
}

START_TEST(keeps_the_order_of_calls_when_the_script_is_flushed)
{
	enum { COUNT = 20000, FLIGHT = 64 };
	unsigned sent = 0, before = rig.answered;
	unsigned flushes = 0;
	while (rig.answered - before < COUNT) {
		while (sent < COUNT && sent - (rig.answered - before) < FLIGHT)
			record_numbered(sent++);
		if (sent / 500 > flushes) {
			redis_server_do(redis, "SCRIPT FLUSH");
			flushes++;
		}
		logrig_turn(&rig);
	}
	ck_assert_uint_ge(flushes, 30);
	for (uint64_t ticket = 3; ticket <= rig.tickets; ticket++)
		ck_assert_int_eq(rig.results[ticket], LOGSCRIPT_OK);
	struct record_id from = BEGIN;
	for (unsigned next = 0; next < COUNT;) {
		ck_assert_int_eq(logrig_read(&rig, "", from, FOREVER, false, 1000), LOGSCRIPT_OK);
		const struct log_entry *entries = (const struct log_entry *)(const void *)rig.entries.bytes;
		size_t count = rig.entries.len / sizeof *entries;
		ck_assert_uint_gt(count, 0);
		from = entries[count - 1].id;
		char *at = rig.text.bytes;
		for (size_t i = 0; i < count; i++, next++) {
			at = memchr(at, ' ', (size_t)(rig.text.bytes + rig.text.len - at));
			ck_assert_uint_eq(strtoul(++at, NULL, 10), next);
		}
	}
	ck_assert_uint_eq(count_stamps(), COUNT);
}
END_TEST

/* Calls of every kind, none of which gets its answer. */
static unsigned ask_many(void)
{
	unsigned asked = 0;
	for (unsigned i = 0; i < 20; i++, asked += 3) {
		record_numbered(i);
		ck_assert_int_eq(logscript_renew(rig.script, logrig_ticket(&rig), SLICE_LITERAL("me"), logrig_on_done, &rig), OK);
		ck_assert_int_eq(logscript_read(rig.script, logrig_ticket(&rig), SLICE_NONE, BEGIN, FOREVER, false, 10, logrig_on_read, &rig), OK);
	}
	logscript_release(rig.script, SLICE_LITERAL("nobody"));
	return asked;
}

static void expect_lost(uint64_t first)
{
	for (uint64_t ticket = first; ticket <= rig.tickets; ticket++)
		ck_assert_int_eq(rig.results[ticket], LOGSCRIPT_LOST);
}

START_TEST(answers_each_call_once_when_the_link_is_closed)
{
	for (int is_loaded = 0; is_loaded < 2; is_loaded++) {
		if (!is_loaded) {
			link_close(rig.link);
			logrig_connect(&rig); /* anew: whether the server has the script is not known */
		} else {
			ck_assert_int_eq(record_three(), LOGSCRIPT_OK);
		}
		redis_server_pause(redis);
		uint64_t first = rig.tickets + 1;
		unsigned before = rig.answered, asked = ask_many();
		for (int turn = 0; turn < 10; turn++)
			logrig_turn(&rig);
		link_close(rig.link);
		rig.link = NULL;
		ck_assert_uint_eq(rig.answered, before + asked);
		expect_lost(first);
		struct logscript_event one = event("trace:a", "x", "s", 'h');
		ck_assert_int_eq(logscript_record(rig.script, logrig_ticket(&rig), SLICE_LITERAL("me"), epoch, &one, 1, logrig_on_done, &rig), ERR_CLOSED);
		rig.tickets--;
		redis_server_continue(redis);
		logrig_connect(&rig);
		ck_assert_int_eq(record_three(), LOGSCRIPT_OK);
	}
}
END_TEST

START_TEST(answers_each_call_once_when_the_server_dies)
{
	for (int i = 0; i < 5; i++) {
		redis_server_pause(redis);
		uint64_t first = rig.tickets + 1;
		unsigned before = rig.answered, asked = ask_many();
		redis_server_stop(redis);
		LOGRIG_UNTIL(&rig, rig.is_down);
		ck_assert_uint_eq(rig.answered, before + asked);
		expect_lost(first);
		redis_server_restart(redis);
		logrig_connect(&rig);
		ck_assert_int_eq(logrig_open(&rig, (struct log_position){0}), LOGSCRIPT_OK);
		ck_assert_int_eq(logrig_claim(&rig, "me", false), LOGSCRIPT_OK);
		ck_assert_uint_ne(rig.position.epoch, epoch);
		epoch = rig.position.epoch;
	}
}
END_TEST

/* Asks again from inside the answer, as the feed does. */
static void on_lost(void *context, uint64_t ticket, enum logscript_result result, const char *why)
{
	logrig_on_done(context, ticket, result, why);
	ck_assert_int_eq(logscript_renew(rig.script, 0, SLICE_LITERAL("me"), logrig_on_done, &rig), ERR_CLOSED);
}

START_TEST(takes_no_call_from_the_answer_that_tells_of_the_loss)
{
	link_close(rig.link);
	logrig_connect(&rig);
	redis_server_pause(redis);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(logscript_renew(rig.script, logrig_ticket(&rig), SLICE_LITERAL("me"), on_lost, &rig), OK);
	unsigned before = rig.answered;
	redis_server_stop(redis);
	LOGRIG_UNTIL(&rig, rig.is_down);
	ck_assert_uint_eq(rig.answered, before + 3);
	redis_server_restart(redis);
	logrig_connect(&rig);
}
END_TEST

START_TEST(sends_what_is_queued_when_it_closes)
{
	logscript_release(rig.script, SLICE_LITERAL("me"));
	link_close(rig.link);
	rig.link = NULL;
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (number("EXISTS tg:%s", "recorder") == 1)
		ck_assert_msg(!deadline_has_passed(deadline), "the lease was not given up");
}
END_TEST

START_TEST(carries_payloads_of_megabytes_both_ways)
{
	enum { SIZE = 8 * 1024 * 1024 };
	char *payload = malloc(SIZE + 1);
	memset(payload, 'x', SIZE);
	payload[SIZE] = '\0';
	const struct logscript_event events[] = {event("trace:a", payload, "s1", 'A'), event("trace:a", "small", "s1", 'B')};
	ck_assert_int_eq(logrig_record(&rig, "me", epoch, events, 2), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_read(&rig, "s1", BEGIN, FOREVER, false, 10), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.text.len, SIZE + strlen("trace:a \ntrace:a small\n"));
	ck_assert_int_eq(logrig_publish(&rig, &events[0]), LOGSCRIPT_OK);
	ck_assert_int_eq(logrig_inspect(&rig, "s1"), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.facts.length, 3);
	free(payload);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis log faults");
	TCase *tests = tcase_create("redis log faults");
	tcase_add_checked_fixture(tests, start, end);
	tcase_add_test(tests, out_of_memory_leaves_nothing_half_done);
	tcase_add_test(tests, without_the_right_to_add_nothing_is_half_done);
	tcase_add_test(tests, without_the_right_to_stamp_nothing_is_half_done);
	tcase_add_test(tests, without_rights_on_session_streams_the_log_goes_on);
	tcase_add_test(tests, says_that_scripts_may_not_be_loaded);
	tcase_add_test(tests, a_log_of_another_type_is_refused);
	tcase_add_test(tests, sessions_that_refuse_disturb_no_other);
	tcase_add_test(tests, goes_on_behind_an_entry_from_the_far_future);
	tcase_add_test(tests, stamps_what_an_exhausted_log_still_took);
	tcase_add_test(tests, keeps_the_order_of_calls_when_the_script_is_flushed);
	tcase_add_test(tests, answers_each_call_once_when_the_link_is_closed);
	tcase_add_test(tests, answers_each_call_once_when_the_server_dies);
	tcase_add_test(tests, takes_no_call_from_the_answer_that_tells_of_the_loss);
	tcase_add_test(tests, sends_what_is_queued_when_it_closes);
	tcase_add_test(tests, carries_payloads_of_megabytes_both_ways);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
