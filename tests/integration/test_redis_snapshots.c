/* Snapshots of states in a real Redis: kept, recalled, forgotten. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/redis/logrig.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"

static struct redis_server *redis;
static struct logrig rig;

static void start(void)
{
	redis = redis_server_start(NULL);
	logrig_init(&rig, redis_server_url(redis));
}

static void end(void)
{
	logrig_fini(&rig);
	redis_server_free(redis);
}

static long long number(const char *command)
{
	redisReply *reply = redis_server_command(redis, command);
	long long number = reply->integer;
	freeReplyObject(reply);
	return number;
}

/* What a recall gave last: when, and the first and last byte of its state. */
static struct {
	unsigned answers;
	bool is_there;
	struct snapshot snapshot;
	char state[8];
} recalled;

static void on_recalled(void *context, uint64_t ticket, enum logscript_result result, const struct snapshot *snapshot, const char *why)
{
	(void)context;
	(void)ticket;
	ck_assert_msg(result == LOGSCRIPT_OK, "%s", why);
	recalled.answers++;
	recalled.is_there = snapshot != NULL;
	if (!snapshot)
		return;
	recalled.snapshot = *snapshot;
	snprintf(recalled.state, sizeof recalled.state, "%.*s", (int)snapshot->state.len, snapshot->state.ptr);
}

/* The ms of the id of the newest snapshot in between; 0: there is none. */
static uint64_t recall(uint64_t above_ms, uint64_t to_ms)
{
	unsigned answers = recalled.answers;
	struct record_id above = {above_ms, 0}, to = {to_ms, 0};
	ck_assert_int_eq(logscript_recall(rig.script, 1, SLICE_LITERAL("s"), above, to, on_recalled, NULL), OK);
	LOGRIG_UNTIL(&rig, recalled.answers > answers);
	return recalled.is_there ? recalled.snapshot.at.ms : 0;
}

static void keep(uint64_t ms, const char *state)
{
	const struct snapshot snapshot = {.at = {ms, 0}, .version = 3, .epoch = 0xfedcba9876543210, .skipped = 7, .sum = 0x0123456789abcdef,
					  .state = slice_of(state)};
	logscript_keep(rig.script, SLICE_LITERAL("s"), &snapshot);
}

START_TEST(keeps_snapshots_as_long_as_the_stream_and_recalls_the_nearest)
{
	keep(5, "no");
	ck_assert_uint_eq(recall(0, 100), 0); /* of a session without a stream nothing is kept */
	redis_server_do(redis, "XADD tg:session:s 100-0 c x p y");
	redis_server_do(redis, "PEXPIRE tg:session:s 60000");
	keep(10, "ten");
	keep(20, "twenty");
	keep(15, "late");
	ck_assert_uint_eq(recall(0, 100), 20);
	ck_assert_str_eq(recalled.state, "twenty");
	ck_assert_uint_eq(recalled.snapshot.version, 3);
	ck_assert_uint_eq(recalled.snapshot.epoch, 0xfedcba9876543210);
	ck_assert_uint_eq(recalled.snapshot.skipped, 7);
	ck_assert_uint_eq(recalled.snapshot.sum, 0x0123456789abcdef);
	ck_assert_uint_eq(recall(0, 20), 20);
	ck_assert_uint_eq(recall(0, 19), 10);
	ck_assert_uint_eq(recall(10, 19), 0);
	ck_assert_uint_eq(recall(9, 19), 10);
	ck_assert_int_gt(number("PTTL tg:snap:s"), 50000);
	redis_server_do(redis, "PEXPIRE tg:session:s 600000");
	ck_assert_int_eq(logrig_inspect(&rig, "s"), LOGSCRIPT_OK);
	ck_assert_int_gt(number("PTTL tg:snap:s"), 500000);
	logscript_forget(rig.script, SLICE_LITERAL("s"), (struct record_id){20, 0});
	ck_assert_uint_eq(recall(0, 100), 10);
	logscript_forget(rig.script, SLICE_LITERAL("s"), (struct record_id){0, 0});
	ck_assert_uint_eq(recall(0, 100), 0);
	ck_assert_int_eq(number("EXISTS tg:snap:s"), 0);
}
END_TEST

static unsigned refused;

static void on_refused(void *context, uint64_t ticket, enum logscript_result result, const struct snapshot *snapshot, const char *why)
{
	(void)context;
	(void)ticket;
	ck_assert_int_eq(result, LOGSCRIPT_REFUSED);
	ck_assert_ptr_null(snapshot);
	ck_assert_ptr_nonnull(strstr(why, "WRONGTYPE"));
	refused++;
}

START_TEST(tells_what_redis_refuses_and_survives_what_it_cannot_keep)
{
	redis_server_do(redis, "XADD tg:session:s 100-0 c x p y");
	redis_server_do(redis, "SET tg:snap:s rubbish");
	keep(10, "ten");
	unsigned answers = refused;
	ck_assert_int_eq(logscript_recall(rig.script, 1, SLICE_LITERAL("s"), (struct record_id){0, 0}, RECORD_ID_MAX, on_refused, NULL), OK);
	LOGRIG_UNTIL(&rig, refused > answers);
	redis_server_do(redis, "DEL tg:snap:s");
	keep(10, "ten");
	ck_assert_uint_eq(recall(0, 100), 10);
}
END_TEST

START_TEST(needs_no_right_that_the_log_does_not_need)
{
	redis_server_do(redis, "XADD tg:session:s 100-0 c x p y");
	redis_server_do(redis, "ACL SETUSER default -pttl -xdel -unlink");
	ck_assert_int_eq(logrig_inspect(&rig, "s"), LOGSCRIPT_OK);
	ck_assert_uint_eq(rig.facts.length, 1);
	keep(10, "ten");
	ck_assert_uint_eq(recall(0, 100), 0); /* it would stay for ever */
	logscript_forget(rig.script, SLICE_LITERAL("s"), (struct record_id){10, 0});
	ck_assert_uint_eq(recall(0, 100), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshots");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, start, end);
	tcase_add_test(tests, keeps_snapshots_as_long_as_the_stream_and_recalls_the_nearest);
	tcase_add_test(tests, tells_what_redis_refuses_and_survives_what_it_cannot_keep);
	tcase_add_test(tests, needs_no_right_that_the_log_does_not_need);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
