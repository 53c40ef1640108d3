#include <check.h>
#include <stdio.h>
#include <string.h>

#include "gateway/http/disconnect.h"
#include "tests/support/suite.h"

static const struct {
	const char *text, *identity, *node;
	uint64_t client;
	const char *reason;
} good[] = {
    {"{\"identity\":\"ann\"}", "ann", "", 0, ""},
    {"{\"identity\":\"ann\",\"reason\":\"left \\u00e9arly\"}", "ann", "", 0, "left \xc3\xa9"
                                                                            "arly"},
    {"{\"client\":\"17\",\"node\":\"n1\"}", "", "n1", 17, ""},
    {"{\"node\":\"n1\",\"client\":\"18446744073709551615\",\"reason\":\"x\"}", "", "n1", UINT64_MAX, "x"},
};

START_TEST(reads_an_order_and_tells_the_same_one)
{
	struct disconnect order, told;
	char why[DISCONNECT_WHY] = "", from[DISCONNECT_FROM_LEN + 1];
	struct buf out;
	buf_init(&out);
	ck_assert_msg(disconnect_read(slice_of(good[_i].text), &order, why) == OK, "%s", why);
	disconnect_write_told(&out, &order, "0123456789abcdef");
	ck_assert_msg(disconnect_read_told(buf_slice(&out), &told, from, why) == OK, "%s", why);
	ck_assert_str_eq(from, "0123456789abcdef");
	for (int i = 0; i < 2; i++) {
		const struct disconnect *read = i ? &told : &order;
		ck_assert_str_eq(read->identity, good[_i].identity);
		ck_assert_str_eq(read->node, good[_i].node);
		ck_assert_str_eq(read->reason, good[_i].reason);
		ck_assert_uint_eq(read->client, good[_i].client);
	}
	buf_fini(&out);
}
END_TEST

static const char *const bad[] = {
    "",
    "null",
    "[]",
    "{}",
    "{\"identity\":\"\"}",
    "{\"identity\":1}",
    "{\"identity\":\"a\",\"client\":\"1\",\"node\":\"n\"}",
    "{\"identity\":\"a\",\"node\":\"n\"}",
    "{\"identity\":\"a\",\"identity\":\"b\"}",
    "{\"identity\":\"a\\u0000b\"}",
    "{\"identity\":\"a\\nb\"}",
    "{\"client\":\"1\"}",
    "{\"client\":\"0\",\"node\":\"n\"}",
    "{\"client\":\"-1\",\"node\":\"n\"}",
    "{\"client\":\"1x\",\"node\":\"n\"}",
    "{\"client\":1,\"node\":\"n\"}",
    "{\"client\":\"18446744073709551616\",\"node\":\"n\"}",
    "{\"identity\":\"a\",\"more\":1}",
    "{\"identity\":\"a\",\"reason\":\"\"}",
    "{\"identity\":\"a\"} x",
};

START_TEST(refuses_what_is_not_just_an_order)
{
	struct disconnect order;
	char why[DISCONNECT_WHY] = "", from[DISCONNECT_FROM_LEN + 1], text[512];
	ck_assert_int_eq(disconnect_read(slice_of(bad[_i]), &order, why), ERR_INVALID);
	ck_assert_uint_gt(strlen(why), 0);
	snprintf(text, sizeof text, "{\"from\":\"0123456789abcdef\",\"disconnect\":%s}", bad[_i]);
	ck_assert_int_eq(disconnect_read_told(slice_of(text), &order, from, why), ERR_INVALID);
}
END_TEST

START_TEST(says_what_belongs_together)
{
	struct disconnect order;
	char why[DISCONNECT_WHY] = "";
	ck_assert_int_eq(disconnect_read(SLICE_LITERAL("{\"client\":\"1\"}"), &order, why), ERR_INVALID);
	ck_assert_str_eq(why, "node: needed with client: the node of its welcome");
	ck_assert_int_eq(disconnect_read(SLICE_LITERAL("{\"identity\":\"a\",\"node\":\"n\"}"), &order, why), ERR_INVALID);
	ck_assert_str_eq(why, "node: belongs to client, not to identity");
}
END_TEST

START_TEST(a_text_that_is_too_long_is_refused)
{
	struct disconnect order;
	char why[DISCONNECT_WHY], text[4096], filler[2048];
	memset(filler, 'a', sizeof filler - 1);
	filler[sizeof filler - 1] = '\0';
	snprintf(text, sizeof text, "{\"identity\":\"%.*s\"}", DISCONNECT_IDENTITY_MAX, filler);
	ck_assert_int_eq(disconnect_read(slice_of(text), &order, why), OK);
	snprintf(text, sizeof text, "{\"identity\":\"%.*s\"}", DISCONNECT_IDENTITY_MAX + 1, filler);
	ck_assert_int_eq(disconnect_read(slice_of(text), &order, why), ERR_INVALID);
	snprintf(text, sizeof text, "{\"identity\":\"a\",\"reason\":\"%.*s\"}", DISCONNECT_REASON_MAX + 1, filler);
	ck_assert_int_eq(disconnect_read(slice_of(text), &order, why), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(why, "reason"));
}
END_TEST

static const char *const strangers[] = {
    "{\"disconnect\":{\"identity\":\"a\"}}",
    "{\"from\":\"0123456789ABCDEF\",\"disconnect\":{\"identity\":\"a\"}}",
    "{\"from\":\"0123456789abcde\",\"disconnect\":{\"identity\":\"a\"}}",
    "{\"from\":\"0123456789abcdef\"}",
    "{\"from\":\"0123456789abcdef\",\"disconnect\":{\"identity\":\"a\"},\"x\":1}",
    "{\"identity\":\"a\"}",
};

START_TEST(what_no_node_could_have_told_is_refused)
{
	struct disconnect order;
	char why[DISCONNECT_WHY], from[DISCONNECT_FROM_LEN + 1];
	ck_assert_int_eq(disconnect_read_told(slice_of(strangers[_i]), &order, from, why), ERR_INVALID);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("disconnect");
	TCase *tests = tcase_create("disconnect");
	tcase_add_loop_test(tests, reads_an_order_and_tells_the_same_one, 0, sizeof good / sizeof good[0]);
	tcase_add_loop_test(tests, refuses_what_is_not_just_an_order, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(tests, says_what_belongs_together);
	tcase_add_test(tests, a_text_that_is_too_long_is_refused);
	tcase_add_loop_test(tests, what_no_node_could_have_told_is_refused, 0, sizeof strangers / sizeof strangers[0]);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
