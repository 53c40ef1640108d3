#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http/head.h"
#include "tests/support/suite.h"

static struct head head;

static enum head_status read_text(const char *text)
{
	return head_read(slice_of(text), &head);
}

static void check_slice(struct slice slice, const char *expected)
{
	ck_assert_msg(slice_is(slice, expected), "\"%.*s\" instead of \"%s\"", (int)slice.len, slice.ptr, expected);
}

START_TEST(reads_a_request_and_leaves_what_is_behind_it)
{
	const char *text =
	    "GET /v1/stream?a=1&b=%20 HTTP/1.1\r\nHost: h:8080\r\nX-Empty:\r\nX-Space: \t a b\t \r\n\r\n\x81\x80";
	struct slice value;
	ck_assert_int_eq(read_text(text), HEAD_COMPLETE);
	check_slice(head.method, "GET");
	check_slice(head.target, "/v1/stream?a=1&b=%20");
	check_slice(head.path, "/v1/stream");
	check_slice(head.query, "a=1&b=%20");
	ck_assert_int_eq(head.minor, 1);
	ck_assert_uint_eq(head.field_count, 3);
	ck_assert_uint_eq(head.len, strlen(text) - 2);
	ck_assert(head_get(&head, "host", &value, NULL));
	check_slice(value, "h:8080");
	ck_assert(head_get(&head, "X-EMPTY", &value, NULL));
	check_slice(value, "");
	ck_assert(head_get(&head, "x-space", &value, NULL));
	check_slice(value, "a b");
}
END_TEST

START_TEST(every_shorter_piece_is_partial)
{
	const char *text = "GET /ws HTTP/1.0\r\nHost: h\r\nA:b\r\n\r\n";
	for (size_t len = 0; len < strlen(text); len++) {
		/* In memory of its own, so that a sanitizer sees a byte read too far. */
		char *piece = malloc(len + 1);
		memmove(piece, text, len);
		ck_assert_int_eq(head_read((struct slice){piece, len}, &head), HEAD_PARTIAL);
		free(piece);
	}
	ck_assert_int_eq(read_text(text), HEAD_COMPLETE);
	ck_assert_int_eq(head.minor, 0);
}
END_TEST

#define TEXT(text)                                                                                                     \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}
static const struct {
	struct slice text;
	enum head_status status;
} refused[] = {
    {TEXT("GET /\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\nHost: h\n\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nHost: h\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nHost : h\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nHost\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\n: h\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nA(b): h\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nA\xc3\xa9: h\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nA: b\0"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n"), HEAD_BAD},
    {TEXT("\r\nGET / HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("\x16\x03\x01\x02"), HEAD_BAD}, /* TLS on a plain port */
    {TEXT("<html>"), HEAD_BAD},
    {TEXT("GET  / HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1 \r\n\r\n"), HEAD_BAD},
    {TEXT("GET / \r\n\r\n"), HEAD_BAD},
    {TEXT("GET /\r\n\r\n"), HEAD_BAD},
    {TEXT("GET\r\n\r\n"), HEAD_BAD},
    {TEXT(" GET / HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("G\tT / HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / http/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.1x\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/11\r\n\r\n"), HEAD_BAD},
    {TEXT("GET a HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET * HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET http://h/ HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET /a#b HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET /a\xc3\xa9 HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET /a\tb HTTP/1.1\r\n\r\n"), HEAD_BAD},
    {TEXT("GET / HTTP/1.2\r\n\r\n"), HEAD_VERSION},
    {TEXT("GET / HTTP/2.0\r\n\r\n"), HEAD_VERSION},
    {TEXT("GET / HTTP/0.9\r\n\r\n"), HEAD_VERSION},
    {TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HEAD_VERSION},
};

START_TEST(refuses_what_the_grammar_does_not_know)
{
	ck_assert_msg(head_read(refused[_i].text, &head) == refused[_i].status, "%s", refused[_i].text.ptr);
	ck_assert_ptr_nonnull(head.why);
}
END_TEST

START_TEST(an_http2_preface_says_so)
{
	ck_assert_int_eq(read_text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HEAD_VERSION);
	ck_assert_str_eq(head.why, HEAD_WHY_PREFACE);
}
END_TEST

START_TEST(takes_tabs_and_high_bytes_in_values_and_odd_names)
{
	ck_assert_int_eq(read_text("GET / HTTP/1.1\r\nA!#$%&'*+-.^_`|~1: x\ty \xff\xfe\r\n\r\n"), HEAD_COMPLETE);
	check_slice(head.fields[0].value, "x\ty \xff\xfe");
}
END_TEST

START_TEST(knows_the_limit_of_the_target_before_its_line_ends)
{
	static char text[HEAD_TARGET_MAX + 64];
	size_t len = (size_t)sprintf(text, "GET /");
	memset(text + len, 'a', HEAD_TARGET_MAX - 1);
	strcpy(text + len + HEAD_TARGET_MAX - 1, " HTTP/1.1\r\n\r\n");
	ck_assert_int_eq(read_text(text), HEAD_COMPLETE);
	strcpy(text + len + HEAD_TARGET_MAX - 1, "a HTTP/1.1\r\n\r\n");
	ck_assert_int_eq(read_text(text), HEAD_TARGET_TOO_LONG);
	memset(text + len, 'a', sizeof text - len - 1);
	ck_assert_int_eq(read_text(text), HEAD_TARGET_TOO_LONG);
}
END_TEST

START_TEST(refuses_more_fields_than_it_has_room_for)
{
	static char text[64 + (HEAD_FIELDS_MAX + 1) * 8];
	size_t len = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
	for (size_t i = 0; i < HEAD_FIELDS_MAX; i++)
		len += (size_t)sprintf(text + len, "A: b\r\n");
	strcpy(text + len, "\r\n");
	ck_assert_int_eq(read_text(text), HEAD_COMPLETE);
	strcpy(text + len, "A: b\r\n");
	ck_assert_int_eq(read_text(text), HEAD_TOO_MANY_FIELDS);
}
END_TEST

START_TEST(gives_a_field_only_when_there_is_one)
{
	struct slice value = SLICE_LITERAL("untouched");
	size_t count = 9;
	ck_assert_int_eq(read_text("GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\nX: c\r\n\r\n"), HEAD_COMPLETE);
	ck_assert(!head_get(&head, "Host", &value, &count));
	ck_assert_uint_eq(count, 2);
	ck_assert(!head_get(&head, "Y", &value, &count));
	ck_assert_uint_eq(count, 0);
	check_slice(value, "untouched");
	ck_assert(head_get(&head, "x", &value, &count));
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(finds_tokens_over_all_fields_of_a_name)
{
	ck_assert_int_eq(read_text("GET / HTTP/1.1\r\nConnection: keep-alive, ,Foo\r\nconnection:\tUpgrade\r\n\r\n"),
	                 HEAD_COMPLETE);
	ck_assert(head_lists(&head, "Connection", "upgrade"));
	ck_assert(head_lists(&head, "Connection", "foo"));
	ck_assert(!head_lists(&head, "Connection", "up"));
	ck_assert(!head_lists(&head, "Connection", ""));
	ck_assert(!head_lists(&head, "Upgrade", "upgrade"));
}
END_TEST

static const struct {
	const char *text;
	size_t fields;
	const char *origin; /* NULL: none */
} unreadable[] = {
	{"", 0, NULL},
	{"GET / HTTP/1.1\r\nOrigin: https://a\r\n\r\n", 1, "https://a"},
	{"no head at all\r\nHost: h\r\norigin:https://a \r\n", 2, "https://a"},
	{"GET / HTTP/3.0\r\nOrigin: https://a\r\nA: b", 1, "https://a"},
	{"GET \x01 HTTP/1.1\nOrigin: https://a\r\n", 1, "https://a"},
	{"GET / HTTP/1.1\r\nOrigin: https://a\r\nbad field\r\nX: y\r\n\r\n", 1, "https://a"},
	{"GET / HTTP/1.1\r\nbad field\r\nOrigin: https://a\r\n\r\n", 0, NULL},
	{"GET / HTTP/1.1\r\n\r\nOrigin: https://a\r\n", 0, NULL},
	{"GET / HTTP/1.1\r\nOrigin: https://a", 0, NULL},
	{"GET / HTTP/1.1 Origin: https://a", 0, NULL},
};

START_TEST(of_what_is_no_head_it_reads_the_fields_as_far_as_they_go)
{
	struct slice value;
	head_read_fields(slice_of(unreadable[_i].text), &head);
	ck_assert_uint_eq(head.field_count, unreadable[_i].fields);
	ck_assert(head_get(&head, "Origin", &value, NULL) == (unreadable[_i].origin != NULL));
	if (unreadable[_i].origin)
		check_slice(value, unreadable[_i].origin);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("head");
	TCase *tests = tcase_create("head");
	tcase_add_test(tests, reads_a_request_and_leaves_what_is_behind_it);
	tcase_add_test(tests, every_shorter_piece_is_partial);
	tcase_add_loop_test(tests, refuses_what_the_grammar_does_not_know, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tests, an_http2_preface_says_so);
	tcase_add_test(tests, takes_tabs_and_high_bytes_in_values_and_odd_names);
	tcase_add_test(tests, knows_the_limit_of_the_target_before_its_line_ends);
	tcase_add_test(tests, refuses_more_fields_than_it_has_room_for);
	tcase_add_test(tests, gives_a_field_only_when_there_is_one);
	tcase_add_test(tests, finds_tokens_over_all_fields_of_a_name);
	tcase_add_loop_test(tests, of_what_is_no_head_it_reads_the_fields_as_far_as_they_go, 0, sizeof unreadable / sizeof unreadable[0]);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
