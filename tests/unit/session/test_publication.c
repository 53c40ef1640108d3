#include <check.h>

#include "gateway/history/question.h"
#include "gateway/session/publication.h"
#include "tests/support/suite.h"
#include "tests/unit/session/fake_peer.h"

static struct exchange *exchange;
static struct grants *everything;

static void set_up(void)
{
	fake_start();
	everything = fake_grants();
	struct exchange_settings settings = fake_settings();
	exchange = exchange_new(&settings);
	ck_assert_ptr_nonnull(exchange);
}

static void tear_down(void)
{
	exchange_free(exchange);
	grants_unref(everything);
	fake_end();
}

static const struct {
	const char *channel, *payload, *session;
} good[] = {
	{"trace:s1", "{\"sessionId\":\"s9\",\"n\":12345678901234567890}", "s9"},
	{"trace:s1", "{\"a\":1}", "s1"},
	{"agent:a:b", "plain words", "a:b"},
	{"performance:", "\"text\"", ""},
};

START_TEST(keeps_the_bytes_and_finds_the_session)
{
	struct question *question = NULL;
	struct publication_error error;
	ck_assert_int_eq(publication_question(exchange, everything, slice_of(good[_i].channel), slice_of(good[_i].payload), &question, &error), OK);
	ck_assert_int_eq(question->kind, QUESTION_PUBLISH);
	ck_assert(slice_is(question->channel, good[_i].channel));
	ck_assert(slice_is(question->payload, good[_i].payload));
	ck_assert(slice_is(question->session, good[_i].session));
	question_free(question);
}
END_TEST

START_TEST(refuses_channels_that_no_node_hears)
{
	static char longest[PUBLICATION_CHANNEL_MAX + 2] = "trace:";
	memset(longest + 6, 'x', sizeof longest - 7);
	const struct {
		struct slice channel;
		const char *code;
	} bad[] = {
		{SLICE_NONE, "bad_request"},
		{slice_of(longest), "bad_request"},
		{SLICE_LITERAL("cats:1"), "channel_not_served"},
		{SLICE_LITERAL("trace"), "channel_not_served"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct question *question = NULL;
		struct publication_error error;
		ck_assert_int_eq(publication_question(exchange, everything, bad[i].channel, SLICE_LITERAL("1"), &question, &error), ERR_INVALID);
		ck_assert_str_eq(error.code, bad[i].code);
		ck_assert_int_eq(strncmp(error.message, "channel: ", 9), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("publication");
	TCase *tests = tcase_create("publication");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(tests, keeps_the_bytes_and_finds_the_session, 0, sizeof good / sizeof good[0]);
	tcase_add_test(tests, refuses_channels_that_no_node_hears);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
