/* tgcli as a user runs it, against a node whose every word is the test's. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/fake_node.h"
#include "tests/support/file.h"
#include "tests/support/process.h"
#include "tests/support/suite.h"

#define TGCLI TEST_BINARY_DIR "/bin/tgcli"
#define ARGUMENTS_MAX 24

static struct fake_node node;
static struct process *tgcli;
static size_t output_at, error_at;
static char token_path[40];

static void set_up(void)
{
	fake_node_open(&node);
	tgcli = NULL;
	output_at = error_at = 0;
	snprintf(token_path, sizeof token_path, "/tmp/tracegate-token-XXXXXX");
	file_make(token_path);
}

static void tear_down(void)
{
	process_free(tgcli);
	fake_node_close(&node);
	unlink(token_path);
}

/* Starts it with the node's url behind the command. */
static void start(const char *const *arguments)
{
	const char *argv[ARGUMENTS_MAX] = {TGCLI, arguments[0], "--url", node.url};
	for (size_t i = 1; arguments[i]; i++)
		argv[i + 3] = arguments[i];
	tgcli = process_start(&(struct process_options){.arguments = argv});
}

#define START(...) start((const char *const[]){__VA_ARGS__, NULL})

static void expect_line(enum process_stream stream, const char *text)
{
	char *line = process_wait_line(tgcli, stream, text, stream == PROCESS_OUTPUT ? &output_at : &error_at, deadline_in(DEADLINE_MS));
	ck_assert_msg(line != NULL, "no line with \"%s\"", text);
	free(line);
}

static void expect_end(int expected)
{
	int status = -1;
	ck_assert(process_wait(tgcli, deadline_in(DEADLINE_MS), &status));
	ck_assert_int_eq(status, expected);
}

/* All that it wrote until its end. */
static char *whole_text(enum process_stream stream)
{
	char *line = process_wait_line(tgcli, stream, "\001 a line that never comes", NULL, deadline_in(DEADLINE_MS));
	ck_assert_ptr_null(line);
	return process_text(tgcli, stream);
}

static void expect_output(const char *expected)
{
	char *text = whole_text(PROCESS_OUTPUT);
	ck_assert_str_eq(text, expected);
	free(text);
}

static void expect_request(const char *expected)
{
	const char *request = fake_node_read(&node, NULL);
	ck_assert_str_eq(request, expected);
}

#define EVENT(id, data) "{\"id\":\"" id "\",\"channel\":\"trace:s1\",\"ts\":1,\"data\":" data "}"
#define BATCH(cursor, events) "{\"op\":\"events\",\"sub\":\"k\",\"cursor\":\"" cursor "\",\"events\":[" events "]}"

START_TEST(watch_shows_each_line_once_whatever_happens_to_the_node)
{
	START("watch", "--channel", "trace:*", "--session", "s1", "--since", "-5m");
	fake_node_welcome(&node, NULL, 0);
	const char *request = fake_node_read(&node, NULL);
	ck_assert_msg(strstr(request, "\"channels\":[\"trace:*\"],\"filter\":{\"session\":[\"s1\"]},\"since\":\"-"), "%s", request);
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"sub\":\"k\",\"cursor\":\"9-0.aa\",\"recovered\":true}}");
	expect_line(PROCESS_ERROR, "tgcli: watching ws://127.0.0.1:");
	fake_node_send(&node, BATCH("2-0.aa", EVENT("1-0", "{\"n\":1}") "," EVENT("2-0", "{\"n\":2}")));
	expect_line(PROCESS_OUTPUT, "trace:s1 {\"n\":2}");
	fake_node_write(&node, slice_of("\x81\x70{\"op\":\"events\",\"sub\""));
	fake_node_cut(&node);
	expect_line(PROCESS_ERROR, "the connection was lost");
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":2,\"op\":\"subscribe\",\"channels\":[\"trace:*\"],\"filter\":{\"session\":[\"s1\"]},\"since\":\"2-0.aa\"}");
	fake_node_send(&node, "{\"id\":2,\"ok\":{\"sub\":\"k\",\"cursor\":\"9-0.aa\",\"recovered\":true}}");
	fake_node_send(&node, "{\"op\":\"gap\",\"sub\":\"k\",\"after\":\"2-0\",\"before\":\"5-0\",\"dropped\":2,\"reason\":\"trimmed\"}");
	fake_node_send(&node, BATCH("5-0.aa", EVENT("5-0", "{\"n\":5}")));
	expect_line(PROCESS_ERROR, "tgcli: gap (trimmed) after 2-0 before 5-0: 2 events not shown");
	expect_line(PROCESS_OUTPUT, "trace:s1 {\"n\":5}");
	process_signal(tgcli, SIGINT);
	expect_end(0);
	expect_output("trace:s1 {\"n\":1}\ntrace:s1 {\"n\":2}\ntrace:s1 {\"n\":5}\n");
}
END_TEST

static const struct {
	const char *format, *output;
} formats[] = {{"text", "trace:s1 1\ntrace:s1 [\r\n2]\n"},
	       {"ndjson", EVENT("1-0", "1") "\n" EVENT("2-0", "[  2]") "\n"},
	       {"json", "[\n" EVENT("1-0", "1") ",\n" EVENT("2-0", "[\r\n2]") "\n]\n"}};

START_TEST(watch_ends_after_a_count_in_each_format)
{
	START("watch", "--count", "2", "--format", formats[_i].format);
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":1,\"op\":\"subscribe\",\"filter\":{}}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"sub\":\"k\",\"cursor\":null}}");
	fake_node_send(&node, BATCH("3-0", EVENT("1-0", "1") "," EVENT("2-0", "[\r\n2]") "," EVENT("3-0", "3")));
	expect_end(0);
	expect_output(formats[_i].output);
}
END_TEST

START_TEST(watch_ends_when_the_node_says_that_something_must_change)
{
	START("watch");
	fake_node_welcome(&node, NULL, 0);
	fake_node_send_close(&node, 4401, "the token has \033[31mexpired");
	expect_line(PROCESS_ERROR, ": the token has ?[31mexpired (4401)");
	expect_end(1);
}
END_TEST

START_TEST(history_goes_through_all_pages_and_over_a_lost_connection)
{
	START("history", "--session", "s1", "--type", "a", "--from", "5", "--to", "now", "--reverse");
	fake_node_welcome(&node, NULL, 0);
#define ASK "\"op\":\"history\",\"session\":\"s1\",\"filter\":{\"type\":[\"a\"]},\"from\":5,\"to\":\"now\""
	expect_request("{\"id\":1," ASK ",\"limit\":1000,\"reverse\":true}");
	fake_node_send(&node, "{\"op\":\"chunk\",\"id\":1,\"seq\":0,\"events\":[" EVENT("9-0", "9") "]}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"events\":1,\"next\":\"9-0.aa\"}}");
	expect_request("{\"id\":2," ASK ",\"after\":\"9-0.aa\",\"limit\":1000,\"reverse\":true}");
	fake_node_send(&node, "{\"op\":\"chunk\",\"id\":2,\"seq\":0,\"events\":[" EVENT("8-0", "8") "]}");
	expect_line(PROCESS_OUTPUT, "trace:s1 8");
	fake_node_cut(&node);
	expect_line(PROCESS_ERROR, "tgcli: ");
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":3," ASK ",\"after\":\"8-0\",\"limit\":1000,\"reverse\":true}");
	fake_node_send(&node, "{\"op\":\"chunk\",\"id\":3,\"seq\":0,\"events\":[" EVENT("7-0", "7") "]}");
	fake_node_send(&node, "{\"id\":3,\"ok\":{\"events\":1,\"next\":null,\"trimmed\":{\"after\":\"1-0\",\"before\":\"7-0\"}}}");
	expect_line(PROCESS_ERROR, "tgcli: no longer kept: {\"after\":\"1-0\",\"before\":\"7-0\"}");
	expect_end(0);
	expect_output("trace:s1 9\ntrace:s1 8\ntrace:s1 7\n");
}
END_TEST

START_TEST(history_asks_for_no_more_than_the_limit)
{
	START("history", "--channel", "trace:*", "--session", "s1", "--limit", "2", "--format", "json");
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":1,\"op\":\"history\",\"channels\":[\"trace:*\"],\"filter\":{\"session\":[\"s1\"]},\"limit\":2}");
	fake_node_send(&node, "{\"id\":1,\"error\":{\"code\":\"busy\",\"message\":\"later\",\"temporary\":true,\"retryAfterMs\":10}}");
	expect_request("{\"id\":2,\"op\":\"history\",\"channels\":[\"trace:*\"],\"filter\":{\"session\":[\"s1\"]},\"limit\":2}");
	fake_node_send(&node, "{\"op\":\"chunk\",\"id\":2,\"seq\":0,\"events\":[" EVENT("1-0", "1") "," EVENT("2-0", "2") "]}");
	fake_node_send(&node, "{\"id\":2,\"ok\":{\"events\":2,\"next\":\"2-0.aa\"}}");
	expect_end(0);
	expect_output("[\n" EVENT("1-0", "1") ",\n" EVENT("2-0", "2") "\n]\n");
}
END_TEST

START_TEST(state_shows_a_moment)
{
	START("state", "--session", "s1", "--at", "5-0");
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":1,\"op\":\"state\",\"session\":\"s1\",\"at\":\"5-0\"}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"at\":\"4-0\",\"state\":{\"agents\":{}}}}");
	expect_line(PROCESS_ERROR, "tgcli: as of 4-0");
	expect_end(0);
	expect_output("{\"agents\":{}}\n");
}
END_TEST

START_TEST(state_shows_what_changed)
{
	START("state", "--session", "s1", "--diff-from", "-5m");
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":1,\"op\":\"state\",\"session\":\"s1\",\"diffFrom\":\"-5m\"}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"at\":\"4-0\",\"state\":{},\"patch\":{\"n\":null}}}");
	expect_end(0);
	expect_output("{\"n\":null}\n");
}
END_TEST

START_TEST(publish_says_the_id_or_the_error)
{
	for (int i = 0; i < 2; i++) {
		process_free(tgcli);
		START("publish", "trace:\"s1", "{\"a\" : 1.0}");
		fake_node_welcome(&node, NULL, 0);
		expect_request("{\"id\":1,\"op\":\"publish\",\"channel\":\"trace:\\\"s1\",\"data\":{\"a\" : 1.0}}");
		fake_node_send(&node, i ? "{\"id\":1,\"error\":{\"code\":\"denied\",\"message\":\"not you\",\"temporary\":false}}"
					: "{\"id\":1,\"ok\":{\"id\":\"5-0\"}}");
		expect_end(i);
		expect_output(i ? "" : "5-0\n");
		fake_node_expect_end(&node, NULL);
	}
	error_at = 0;
	expect_line(PROCESS_ERROR, "tgcli: denied: not you");
}
END_TEST

START_TEST(ping_measures_and_gives_up_where_nobody_answers)
{
	START("ping");
	fake_node_welcome(&node, NULL, 0);
	expect_request("{\"id\":1,\"op\":\"ping\"}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"now\":5}}");
	expect_line(PROCESS_OUTPUT, " answered in ");
	expect_end(0);
	process_free(tgcli);
	fake_node_expect_end(&node, NULL);
	fake_node_deafen(&node);
	START("ping", "--url", node.url);
	expect_end(1);
}
END_TEST

/* --- Tokens that stand in a file ------------------------------------------------------------------------------------ */

#define EXPIRING "{\"op\":\"notice\",\"code\":\"tokenExpiring\",\"expiresAt\":1}"
#define RESUMED(id) "{\"id\":" id ",\"op\":\"subscribe\",\"filter\":{},\"since\":\"1-0.aa\"}"

static void expect_shown(const char *token)
{
	char line[64];
	snprintf(line, sizeof line, "Authorization: Bearer %s\r\n", token);
	ck_assert_msg(strstr(node.head.bytes, line) != NULL, "%s is not in %s", line, node.head.bytes);
}

/* A watch by the token "old", which has shown one event. */
static void start_watch(void)
{
	file_replace(token_path, " old\n");
	START("watch", "--token-file", token_path);
	fake_node_welcome(&node, NULL, 0);
	expect_shown("old");
	expect_request("{\"id\":1,\"op\":\"subscribe\",\"filter\":{}}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"sub\":\"k\",\"cursor\":\"0-0.aa\"}}");
	fake_node_send(&node, BATCH("1-0.aa", EVENT("1-0", "1")));
	expect_line(PROCESS_OUTPUT, "trace:s1 1");
}

/* It comes again by that token, and goes on where it was. */
static void expect_return(const char *token, const char *request)
{
	fake_node_welcome(&node, NULL, 0);
	expect_shown(token);
	expect_request(request);
}

static void refuse_upgrade(void)
{
	fake_node_accept(&node, NULL);
	fake_node_write(&node, slice_of("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
	fake_node_expect_end(&node, NULL);
}

START_TEST(brings_the_new_token_of_its_file_when_the_node_warns)
{
	start_watch();
	file_replace(token_path, "new\n");
	fake_node_send(&node, EXPIRING);
	expect_request("{\"id\":2,\"op\":\"auth\",\"token\":\"new\"}");
	fake_node_send(&node, "{\"id\":2,\"ok\":{\"identity\":\"ann\",\"expiresAt\":null}}");
	expect_line(PROCESS_ERROR, "goes on with the new token of ");
	fake_node_send(&node, BATCH("2-0.aa", EVENT("2-0", "2")));
	expect_line(PROCESS_OUTPUT, "trace:s1 2");
	fake_node_cut(&node);
	expect_return("new", "{\"id\":3,\"op\":\"subscribe\",\"filter\":{},\"since\":\"2-0.aa\"}");
	process_signal(tgcli, SIGINT);
	expect_end(0);
	expect_output("trace:s1 1\ntrace:s1 2\n");
}
END_TEST

START_TEST(looks_at_the_file_until_it_has_another_token)
{
	start_watch();
	fake_node_send(&node, EXPIRING);
	expect_line(PROCESS_ERROR, "the same token as before; looking for another one until then");
	file_replace(token_path, "");
	file_replace(token_path, "new");
	expect_request("{\"id\":2,\"op\":\"auth\",\"token\":\"new\"}");
	fake_node_send(&node, "{\"id\":2,\"ok\":{\"identity\":\"ann\",\"expiresAt\":null}}");
	expect_line(PROCESS_ERROR, "goes on with the new token of ");
}
END_TEST

START_TEST(comes_back_with_another_token_when_its_own_has_expired)
{
	start_watch();
	file_replace(token_path, "new");
	fake_node_send_close(&node, 4401, "the token has expired");
	expect_line(PROCESS_ERROR, "the token has expired (4401)");
	expect_line(PROCESS_ERROR, "goes on with the new token of ");
	fake_node_expect_end(&node, NULL);
	expect_return("new", RESUMED("2"));
	fake_node_send(&node, "{\"id\":2,\"ok\":{\"sub\":\"k\",\"cursor\":\"1-0.aa\",\"recovered\":true}}");
	fake_node_send_close(&node, 4401, "the token has expired");
	expect_line(PROCESS_ERROR, ": the same token as before: put a good one there and start again");
	expect_end(1);
	expect_output("trace:s1 1\n");
}
END_TEST

/* What it could not have in place it has with the next connection, if that was for another reason than the token itself. */
START_TEST(a_token_that_does_not_fit_the_connection_is_for_the_next_one)
{
	for (int is_bad = 0; is_bad < 2; is_bad++) {
		error_at = output_at = 0;
		start_watch();
		file_replace(token_path, "new");
		fake_node_send(&node, EXPIRING);
		expect_request("{\"id\":2,\"op\":\"auth\",\"token\":\"new\"}");
		fake_node_send(&node, is_bad ? "{\"id\":2,\"error\":{\"code\":\"bad_credentials\",\"message\":\"no\",\"temporary\":false}}"
					     : "{\"id\":2,\"error\":{\"code\":\"identity_mismatch\",\"message\":\"no\",\"temporary\":false}}");
		expect_line(PROCESS_ERROR, is_bad ? "tgcli: bad_credentials: no" : "tgcli: identity_mismatch: no");
		fake_node_send_close(&node, 4401, "it has ended");
		fake_node_expect_end(&node, NULL);
		if (is_bad) {
			expect_line(PROCESS_ERROR, "put a good one there and start again");
			expect_end(1);
		} else {
			expect_return("new", RESUMED("3"));
			process_signal(tgcli, SIGINT);
			expect_end(0);
			fake_node_expect_end(&node, NULL);
			process_free(tgcli);
		}
	}
}
END_TEST

START_TEST(a_request_is_asked_again_by_another_token)
{
	file_replace(token_path, "old");
	START("history", "--token-file", token_path);
	fake_node_accept(&node, NULL);
	expect_shown("old");
	file_replace(token_path, "new");
	fake_node_write(&node, slice_of("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
	fake_node_expect_end(&node, NULL);
	expect_return("new", "{\"id\":1,\"op\":\"history\",\"filter\":{},\"limit\":1000}");
	fake_node_send(&node, "{\"id\":1,\"ok\":{\"events\":0,\"next\":null}}");
	expect_end(0);
	fake_node_expect_end(&node, NULL);
	process_free(tgcli);
	START("ping", "--token-file", token_path);
	refuse_upgrade();
	expect_end(1);
}
END_TEST

START_TEST(a_token_is_given_in_one_way)
{
	static const char *const texts[] = {"", "two words", "line\nline"};
	START("watch", "--token", "a", "--token-file", token_path);
	expect_end(2);
	expect_line(PROCESS_ERROR, "--token-file: not together with --token");
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		process_free(tgcli);
		error_at = 0;
		file_replace(token_path, texts[i]);
		START("watch", "--token-file", token_path);
		expect_end(2);
		expect_line(PROCESS_ERROR, "not one token or API key, and nothing else");
	}
}
END_TEST

static const struct {
	const char *words[4], *said;
} mistakes[] = {
	{{"juggle"}, "tgcli: unknown command juggle; there are watch, history, state, replay, publish and ping"},
	{{"watch", "--format", "xml"}, "--format: text, ndjson or json is needed"},
	{{"watch", "--limit", "5"}, "--limit belongs to history, not to watch (see tgcli watch --help)"},
	{{"watch", "--count", "0"}, "--count: a whole number above 0"},
	{{"watch", "--where", "{}"}, "--where: a JSON array"},
	{{"watch", "--nonsense", "1"}, "tgcli: --nonsense: there is no such option (see tgcli watch --help)"},
	{{"watch", "--nonsense"}, "tgcli: --nonsense: there is no such option"},
	{{"watch", "--token"}, "--token: a value is missing"},
	{{"watch", "--url", "ftp://a"}, "ftp://a"},
	{{"watch", "--token", "a\nb"}, "token"},
	{{"watch", "--token-file", "/nothing"}, "/nothing: No such file"},
	{{"history", "--since", "5"}, "--since belongs to watch"},
	{{"history", "--at", "5"}, "--at belongs to state"},
	{{"state", "--at", "5"}, "state needs one --session"},
	{{"state", "--channel", "a"}, "--channel belongs to watch, history and replay, not to state"},
	{{"state", "--type", "a"}, "--type belongs to"},
	{{"publish", "trace:s1"}, "publish: JSON is missing"},
	{{"publish"}, "publish: CHANNEL is missing"},
	{{"publish", "trace:s1", "no json"}, "the event is no JSON"},
	{{"publish", "--session", "s1"}, "--session belongs to watch, history, state and replay, not to publish"},
	{{"ping", "--channel", "a"}, "--channel belongs to"},
	{{"ping", "word"}, "word: one word too many"},
};

START_TEST(a_mistake_on_the_command_line_is_told)
{
	const char *const *words = mistakes[_i].words;
	START(words[0], words[1], words[2], words[3]);
	expect_end(2);
	char *text = whole_text(PROCESS_ERROR);
	ck_assert_msg(strstr(text, mistakes[_i].said) != NULL, "%s", text);
	free(text);
	expect_output("");
}
END_TEST

static const char *const pleas[][2] = {{"watch", "--help"}, {"history", "-h"}, {"state", "--help"}, {"replay", "-h"}, {"publish", "-h"}, {"ping", "--help"}};

START_TEST(each_command_shows_its_own_options)
{
	char begin[64];
	bool is_watch = strcmp(pleas[_i][0], "watch") == 0, is_history = strcmp(pleas[_i][0], "history") == 0;
	snprintf(begin, sizeof begin, "Usage: tgcli %s ", pleas[_i][0]);
	START(pleas[_i][0], pleas[_i][1]);
	expect_end(0);
	char *text = whole_text(PROCESS_OUTPUT);
	ck_assert_msg(strncmp(text, begin, strlen(begin)) == 0, "%s", text);
	ck_assert((strstr(text, "\n  --since ") != NULL) == is_watch && (strstr(text, "\n  --limit ") != NULL) == is_history);
	ck_assert_ptr_nonnull(strstr(text, "\n  --token "));
	free(text);
}
END_TEST

/* --- Nodes that cannot, or cannot yet -------------------------------------------------------------------------------- */

#define LATER(id) "{\"id\":" id ",\"error\":{\"code\":\"unavailable\",\"message\":\"no Redis\",\"temporary\":true,\"retryAfterMs\":10}}"

START_TEST(says_once_that_it_tries_again)
{
	START("history", "--limit", "1");
	fake_node_welcome(&node, NULL, 0);
	for (int i = 1; i <= 3; i++) {
		ck_assert_ptr_nonnull(strstr(fake_node_read(&node, NULL), "\"op\":\"history\""));
		fake_node_send(&node, i == 1 ? LATER("1") : i == 2 ? LATER("2") : "{\"id\":3,\"ok\":{\"events\":0,\"next\":null}}");
	}
	expect_end(0);
	char *text = whole_text(PROCESS_ERROR);
	ck_assert_str_eq(text, "tgcli: unavailable: no Redis; trying again\n");
	free(text);
}
END_TEST

START_TEST(watch_says_that_it_waits_and_that_nothing_is_recorded)
{
	START("watch", "--since", "5-0");
	fake_node_welcome(&node, NULL, 0);
	for (int i = 1; i <= 3; i++) {
		ck_assert_ptr_nonnull(strstr(fake_node_read(&node, NULL), "\"op\":\"subscribe\""));
		fake_node_send(&node, i == 1 ? LATER("1") : i == 2 ? LATER("2") : "{\"id\":3,\"ok\":{\"sub\":\"k\",\"cursor\":null,\"recorded\":false}}");
	}
	expect_line(PROCESS_ERROR, "tgcli: events are not recorded now");
	process_signal(tgcli, SIGINT);
	expect_end(0);
	char *text = whole_text(PROCESS_ERROR);
	static const char once[] = "tgcli: unavailable: no Redis; trying again\n";
	ck_assert_msg(strncmp(text, once, sizeof once - 1) == 0 && !strstr(text + sizeof once - 1, once) && strstr(text, "tgcli: watching "), "%s", text);
	free(text);
}
END_TEST

START_TEST(says_how_to_show_who_one_is)
{
	START("history");
	fake_node_welcome(&node, NULL, 0);
	fake_node_read(&node, NULL);
	fake_node_send(&node, "{\"id\":1,\"error\":{\"code\":\"unauthenticated\",\"message\":\"who are you?\",\"temporary\":false}}");
	expect_line(PROCESS_ERROR, "unauthenticated: who are you?; a token or an API key is needed: --token, --token-file, or TGCLI_TOKEN");
	expect_end(1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tgcli");
	TCase *tests = tcase_create("tgcli");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, watch_shows_each_line_once_whatever_happens_to_the_node);
	tcase_add_loop_test(tests, watch_ends_after_a_count_in_each_format, 0, sizeof formats / sizeof formats[0]);
	tcase_add_test(tests, watch_ends_when_the_node_says_that_something_must_change);
	tcase_add_test(tests, history_goes_through_all_pages_and_over_a_lost_connection);
	tcase_add_test(tests, history_asks_for_no_more_than_the_limit);
	tcase_add_test(tests, state_shows_a_moment);
	tcase_add_test(tests, state_shows_what_changed);
	tcase_add_test(tests, publish_says_the_id_or_the_error);
	tcase_add_test(tests, ping_measures_and_gives_up_where_nobody_answers);
	tcase_add_test(tests, brings_the_new_token_of_its_file_when_the_node_warns);
	tcase_add_test(tests, looks_at_the_file_until_it_has_another_token);
	tcase_add_test(tests, comes_back_with_another_token_when_its_own_has_expired);
	tcase_add_test(tests, a_token_that_does_not_fit_the_connection_is_for_the_next_one);
	tcase_add_test(tests, a_request_is_asked_again_by_another_token);
	tcase_add_test(tests, a_token_is_given_in_one_way);
	tcase_add_loop_test(tests, a_mistake_on_the_command_line_is_told, 0, sizeof mistakes / sizeof mistakes[0]);
	tcase_add_loop_test(tests, each_command_shows_its_own_options, 0, sizeof pleas / sizeof pleas[0]);
	tcase_add_test(tests, says_once_that_it_tries_again);
	tcase_add_test(tests, watch_says_that_it_waits_and_that_nothing_is_recorded);
	tcase_add_test(tests, says_how_to_show_who_one_is);
	return suite_run(suite);
}
