/* Replies to the commands of the log, as Redis gives them, and whatever else a server may answer. */
#include <check.h>
#include <hiredis/hiredis.h>
#include <string.h>

#include "gateway/redis/logreply.h"
#include "gateway/redis/resp.h"
#include "tests/support/suite.h"

static redisReader *reader;
static redisReply *reply;
static struct logreply outcome;

static const redisReply *parse(const char *text)
{
	void *object = NULL;
	if (reply)
		freeReplyObject(reply);
	redisReaderFeed(reader, text, strlen(text));
	ck_assert_int_eq(redisReaderGetReply(reader, &object), REDIS_OK);
	ck_assert_ptr_nonnull(object);
	reply = object;
	return reply;
}

static void start(void)
{
	reader = redisReaderCreate();
	reply = NULL;
}

static void end(void)
{
	if (reply)
		freeReplyObject(reply);
	redisReaderFree(reader);
}

static const struct {
	const char *text;
	enum logscript_result result;
} words[] = {
    {"*1\r\n$2\r\nOK\r\n", LOGSCRIPT_OK},
    {"*3\r\n$2\r\nOK\r\n:5\r\n:0\r\n", LOGSCRIPT_OK},
    {"*1\r\n$5\r\nLEASE\r\n", LOGSCRIPT_NOT_OURS},
    {"*1\r\n$5\r\nEPOCH\r\n", LOGSCRIPT_OTHER_EPOCH},
    {"-OOM command not allowed\r\n", LOGSCRIPT_REFUSED},
    {"*1\r\n$5\r\nOTHER\r\n", LOGSCRIPT_REFUSED},
    {"*0\r\n", LOGSCRIPT_REFUSED},
    {"*-1\r\n", LOGSCRIPT_REFUSED},
    {"$-1\r\n", LOGSCRIPT_REFUSED},
    {"+OK\r\n", LOGSCRIPT_REFUSED},
    {":1\r\n", LOGSCRIPT_REFUSED},
    {"*1\r\n*1\r\n$2\r\nOK\r\n", LOGSCRIPT_REFUSED},
};

START_TEST(reads_the_word_that_a_verb_answers)
{
	logreply_read(parse(words[_i].text), &outcome);
	ck_assert_int_eq(outcome.result, words[_i].result);
	ck_assert_int_eq(outcome.why[0] != '\0', outcome.result == LOGSCRIPT_REFUSED);
}
END_TEST

START_TEST(a_missing_reply_is_a_lost_call)
{
	logreply_read(NULL, &outcome);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_LOST);
	ck_assert_str_ne(outcome.why, "");
	ck_assert(!logreply_is_noscript(NULL));
}
END_TEST

START_TEST(knows_a_script_that_the_server_lost)
{
	ck_assert(logreply_is_noscript(parse("-NOSCRIPT No matching script.\r\n")));
	ck_assert(!logreply_is_noscript(parse("-NOPERM no\r\n")));
	ck_assert(!logreply_is_noscript(parse("$8\r\nNOSCRIPT\r\n")));
}
END_TEST

START_TEST(passes_on_what_redis_refused)
{
	logreply_read(parse("-NOPERM this user has no permissions to run 'xadd'\r\n"), &outcome);
	ck_assert_str_eq(outcome.why, "NOPERM this user has no permissions to run 'xadd'");
}
END_TEST

START_TEST(reads_a_position)
{
	struct log_position position = {0};
	logreply_position(parse("*4\r\n$2\r\nOK\r\n$16\r\nffffffff00000001\r\n$3\r\n0-0\r\n$7\r\n12345-6\r\n"), &outcome, &position);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_OK);
	ck_assert_uint_eq(position.epoch, UINT64_C(0xffffffff00000001));
	ck_assert(record_id_is_zero(position.base));
	ck_assert_uint_eq(position.last.ms, 12345);
	ck_assert_uint_eq(position.last.seq, 6);
}
END_TEST

static const char *const bad_positions[] = {
    "*3\r\n$2\r\nOK\r\n$16\r\nffffffff00000001\r\n$3\r\n0-0\r\n",
    "*4\r\n$2\r\nOK\r\n$15\r\nffffffff0000001\r\n$3\r\n0-0\r\n$3\r\n0-0\r\n",
    "*4\r\n$2\r\nOK\r\n$16\r\nFfffffff00000001\r\n$3\r\n0-0\r\n$3\r\n0-0\r\n",
    "*4\r\n$2\r\nOK\r\n$16\r\nffffffff00000001\r\n$3\r\n0+0\r\n$3\r\n0-0\r\n",
    "*4\r\n$2\r\nOK\r\n$16\r\nffffffff00000001\r\n$3\r\n0-0\r\n$-1\r\n",
    "*4\r\n$2\r\nOK\r\n:1\r\n:2\r\n:3\r\n",
};

START_TEST(refuses_what_is_no_position)
{
	struct log_position position = {.epoch = 7};
	logreply_position(parse(bad_positions[_i]), &outcome, &position);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_REFUSED);
	ck_assert_uint_eq(position.epoch, 7);
}
END_TEST

START_TEST(reads_an_id_and_refuses_what_is_none)
{
	struct record_id id = {0, 0};
	logreply_id(parse("$22\r\n18446744073709551615-0\r\n"), &outcome, &id);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_OK);
	ck_assert_uint_eq(id.ms, UINT64_MAX);
	logreply_id(parse("$-1\r\n"), &outcome, &id);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_REFUSED);
	logreply_id(parse(":17\r\n"), &outcome, &id);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_REFUSED);
}
END_TEST

START_TEST(reads_the_facts_of_a_stream_and_of_none)
{
	struct stream_facts facts;
	struct log_position log;
	logreply_facts(parse("*9\r\n$2\r\nOK\r\n$16\r\n00000000000000ff\r\n$3\r\n1-0\r\n$3\r\n9-1\r\n"
	                     ":3\r\n:10\r\n$3\r\n5-0\r\n$3\r\n9-1\r\n$3\r\n4-0\r\n"),
	               &outcome, &facts, &log);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_OK);
	ck_assert(facts.exists);
	ck_assert_uint_eq(facts.length, 3);
	ck_assert_uint_eq(facts.entries_added, 10);
	ck_assert_uint_eq(facts.first.ms, 5);
	ck_assert_uint_eq(facts.last.seq, 1);
	ck_assert_uint_eq(facts.max_deleted.ms, 4);
	ck_assert_uint_eq(log.epoch, 255);
	logreply_facts(parse("*4\r\n$2\r\nOK\r\n$0\r\n\r\n$0\r\n\r\n$3\r\n0-0\r\n"), &outcome, &facts, &log);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_OK);
	ck_assert(!facts.exists);
	ck_assert_uint_eq(log.epoch, 0);
	logreply_facts(parse("*5\r\n$2\r\nOK\r\n$0\r\n\r\n$0\r\n\r\n$3\r\n0-0\r\n:1\r\n"), &outcome, &facts, &log);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_REFUSED);
}
END_TEST

START_TEST(reads_entries_whose_fields_stand_in_any_order)
{
	struct buf rows;
	buf_init(&rows);
	logreply_entries(parse("*3\r\n"
	                       "*2\r\n$3\r\n1-1\r\n*6\r\n$1\r\nb\r\n$3\r\n0-9\r\n$1\r\np\r\n$0\r\n\r\n$1\r\nc\r\n$1\r\nx\r\n"
	                       "*2\r\n$3\r\n1-2\r\n*2\r\n$4\r\nelse\r\n$1\r\ny\r\n"
	                       "*2\r\n$3\r\n1-3\r\n*-1\r\n"),
	                 &outcome, &rows);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_OK);
	const struct log_entry *entries = (const struct log_entry *)(const void *)rows.bytes;
	ck_assert_uint_eq(rows.len / sizeof *entries, 3);
	ck_assert(slice_is(entries[0].channel, "x"));
	ck_assert_uint_eq(entries[0].payload.len, 0);
	ck_assert_ptr_nonnull(entries[0].payload.ptr);
	ck_assert_uint_eq(entries[0].before.seq, 9);
	ck_assert_ptr_null(entries[1].channel.ptr);
	ck_assert_ptr_null(entries[1].payload.ptr);
	ck_assert_uint_eq(entries[2].id.seq, 3);
	buf_fini(&rows);
}
END_TEST

static const char *const bad_entries[] = {
    "$-1\r\n",
    "*1\r\n$3\r\n1-1\r\n",
    "*1\r\n*1\r\n$3\r\n1-1\r\n",
    "*1\r\n*2\r\n$3\r\n1+1\r\n*0\r\n",
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
};

START_TEST(refuses_what_are_no_entries)
{
	struct buf rows;
	buf_init(&rows);
	logreply_entries(parse(bad_entries[_i]), &outcome, &rows);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_REFUSED);
	buf_fini(&rows);
}
END_TEST

START_TEST(reads_a_list_of_sessions)
{
	struct buf rows;
	uint64_t cursor = 0;
	buf_init(&rows);
	logreply_sessions(parse("*10\r\n$2\r\nOK\r\n$2\r\n88\r\n$1\r\na\r\n:2\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n"
	                        "$1\r\nb\r\n:3\r\n$3\r\n0-0\r\n$3\r\n7-0\r\n"),
	                  &outcome, &cursor, &rows);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_OK);
	ck_assert_uint_eq(cursor, 88);
	const struct session_summary *sessions = (const struct session_summary *)(const void *)rows.bytes;
	ck_assert_uint_eq(rows.len / sizeof *sessions, 2);
	ck_assert(slice_is(sessions[1].session, "b"));
	ck_assert_uint_eq(sessions[1].length, 3);
	ck_assert_uint_eq(sessions[0].last.ms, 2);
	logreply_sessions(parse("*3\r\n$2\r\nOK\r\n$1\r\n0\r\n$1\r\na\r\n"), &outcome, &cursor, &rows);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_REFUSED);
	logreply_sessions(parse("*2\r\n$2\r\nOK\r\n$1\r\nx\r\n"), &outcome, &cursor, &rows);
	ck_assert_int_eq(outcome.result, LOGSCRIPT_REFUSED);
	buf_fini(&rows);
}
END_TEST

START_TEST(writes_commands_as_redis_takes_them)
{
	struct buf out;
	buf_init(&out);
	resp_begin(&out, 4);
	resp_text(&out, "SET");
	resp_word(&out, (struct slice){"a\0b", 3});
	resp_u64(&out, UINT64_MAX);
	resp_word(&out, SLICE_NONE);
	ck_assert(slice_equal(buf_slice(&out), SLICE_LITERAL("*4\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$20\r\n18446744073709551615\r\n$0\r\n\r\n")));
	buf_fini(&out);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

int main(void)
{
	Suite *suite = suite_create("log replies");
	TCase *tests = tcase_create("log replies");
	tcase_add_checked_fixture(tests, start, end);
	tcase_add_loop_test(tests, reads_the_word_that_a_verb_answers, 0, COUNT(words));
	tcase_add_test(tests, a_missing_reply_is_a_lost_call);
	tcase_add_test(tests, knows_a_script_that_the_server_lost);
	tcase_add_test(tests, passes_on_what_redis_refused);
	tcase_add_test(tests, reads_a_position);
	tcase_add_loop_test(tests, refuses_what_is_no_position, 0, COUNT(bad_positions));
	tcase_add_test(tests, reads_an_id_and_refuses_what_is_none);
	tcase_add_test(tests, reads_the_facts_of_a_stream_and_of_none);
	tcase_add_test(tests, reads_entries_whose_fields_stand_in_any_order);
	tcase_add_loop_test(tests, refuses_what_are_no_entries, 0, COUNT(bad_entries));
	tcase_add_test(tests, reads_a_list_of_sessions);
	tcase_add_test(tests, writes_commands_as_redis_takes_them);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
