#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/data/buf.h"
#include "gateway/http/body.h"
#include "tests/support/suite.h"

static struct head head;
static struct body body;
static struct refusal refusal;
static struct buf got, input;
static const char *why;

static void set_up(void)
{
	buf_init(&got);
	buf_init(&input);
}

static void tear_down(void)
{
	buf_fini(&got);
	buf_fini(&input);
}

static bool open_with(const char *line, const char *fields)
{
	static char text[2048];
	snprintf(text, sizeof text, "%s\r\nHost: h\r\n%s\r\n", line, fields);
	ck_assert_int_eq(head_read(slice_of(text), &head), HEAD_COMPLETE);
	return body_open(&body, &head, &refusal);
}

/* Reads all there is, taking at most that many bytes of each piece. */
static enum body_step read_all(struct slice *rest, size_t take)
{
	struct slice piece;
	enum body_step step;
	while ((step = body_next(&body, rest, &piece, &why)) == BODY_DATA) {
		size_t len = piece.len < take ? piece.len : take;
		buf_append(&got, piece.ptr, len);
		body_take(&body, rest, len);
	}
	return step;
}

static enum body_step read_text(const char *text)
{
	struct slice rest = slice_of(text);
	buf_clear(&got);
	return read_all(&rest, SIZE_MAX);
}

START_TEST(no_length_is_no_body)
{
	ck_assert(open_with("GET /v1/history HTTP/1.1", ""));
	ck_assert(body_is_over(&body));
	struct slice rest = SLICE_LITERAL("GET / HTTP/1.1"), piece;
	ck_assert_int_eq(body_next(&body, &rest, &piece, &why), BODY_END);
	ck_assert_uint_eq(rest.len, 14);
}
END_TEST

START_TEST(a_length_is_kept_to_the_byte)
{
	uint64_t length;
	ck_assert(open_with("POST /v1/publish HTTP/1.1", "Content-Length: 5\r\n"));
	ck_assert(body_length(&body, &length));
	ck_assert_uint_eq(length, 5);
	struct slice rest = SLICE_LITERAL("helloGET");
	ck_assert_int_eq(read_all(&rest, 2), BODY_END);
	ck_assert(slice_is(buf_slice(&got), "hello"));
	ck_assert(slice_is(rest, "GET"));
	ck_assert(body_is_over(&body));
	ck_assert(open_with("POST /v1/publish HTTP/1.0", "Content-Length: 0\r\n"));
	ck_assert(body_is_over(&body));
}
END_TEST

static const char chunked[] = "5\r\nhello\r\n00A;ext=\"v\";b\r\n, 12345678\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\nGET";

START_TEST(chunks_are_joined_however_they_are_cut)
{
	size_t len = strlen(chunked);
	for (size_t step = 1; step <= len; step++) {
		ck_assert(open_with("POST /v1/publish HTTP/1.1", "Transfer-Encoding: Chunked\r\n"));
		buf_clear(&got);
		buf_clear(&input);
		enum body_step last = BODY_MORE;
		for (size_t at = 0; at < len && last == BODY_MORE; at += step) {
			buf_append(&input, chunked + at, step < len - at ? step : len - at);
			struct slice rest = buf_slice(&input);
			last = read_all(&rest, step);
			buf_drop_front(&input, input.len - rest.len);
		}
		ck_assert_int_eq(last, BODY_END);
		ck_assert(slice_is(buf_slice(&got), "hello, 12345678"));
		ck_assert(body_is_over(&body));
	}
}
END_TEST

static const struct {
	const char *line, *fields;
	unsigned status;
} refused[] = {
	{"POST / HTTP/1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
	{"POST / HTTP/1.1", "Content-Length: 5\r\nContent-Length: 5\r\n", 400},
	{"POST / HTTP/1.1", "Content-Length: 5, 5\r\n", 400},
	{"POST / HTTP/1.1", "Content-Length: +5\r\n", 400},
	{"POST / HTTP/1.1", "Content-Length: -1\r\n", 400},
	{"POST / HTTP/1.1", "Content-Length: 0x5\r\n", 400},
	{"POST / HTTP/1.1", "Content-Length: 5 \t5\r\n", 400},
	{"POST / HTTP/1.1", "Content-Length:\r\n", 400},
	{"POST / HTTP/1.1", "Content-Length: 18446744073709551616\r\n", 400},
	{"POST / HTTP/1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
	{"POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked\r\n", 501},
	{"POST / HTTP/1.1", "Transfer-Encoding: identity\r\n", 501},
	{"POST / HTTP/1.1", "Transfer-Encoding: xchunked\r\n", 501},
	{"POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n", 400},
};

START_TEST(lengths_that_could_be_taken_in_two_ways_are_refused)
{
	ck_assert_msg(!open_with(refused[_i].line, refused[_i].fields), "%s", refused[_i].fields);
	ck_assert_uint_eq(refusal.status, refused[_i].status);
}
END_TEST

static const char *const bad[] = {
	"x\r\n",       "\r\n",         " 5\r\n",        "5 \r\nhello\r\n", "5\nhello\r\n",       "5\rhello\r\n",    "+5\r\n",
	"0x5\r\n",     "-1\r\n",       "5\r\nhello5",   "5\r\nhello\n",    "5\r\nhello\rx",      "5;a\x01\r\n",     "5;a\nb\r\n",
	"fffffffffffffffff\r\n", "0\r\nnocolon\r\n", "0\r\n: x\r\n", "0\r\n folded: x\r\n", "0\r\nA: \x01\r\n",
};

START_TEST(chunks_that_are_none_end_the_request)
{
	ck_assert(open_with("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
	ck_assert_msg(read_text(bad[_i]) == BODY_BAD, "%s", bad[_i]);
	ck_assert_ptr_nonnull(why);
	ck_assert(!body_is_over(&body));
}
END_TEST

START_TEST(what_is_around_chunks_is_bounded)
{
	for (size_t len = BODY_CHUNK_LINE_MAX - 8; len < BODY_CHUNK_LINE_MAX + 8; len++) {
		ck_assert(open_with("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
		buf_clear(&input);
		buf_printf(&input, "1;%0*d\r\na", (int)len - 4, 0);
		struct slice rest = buf_slice(&input);
		ck_assert_int_eq(read_all(&rest, SIZE_MAX), len <= BODY_CHUNK_LINE_MAX ? BODY_MORE : BODY_BAD);
	}
	ck_assert(open_with("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
	buf_clear(&input);
	buf_append_text(&input, "0\r\n");
	for (int i = 0; i < 1000; i++)
		buf_append_text(&input, "Name: value\r\n");
	struct slice rest = buf_slice(&input);
	ck_assert_int_eq(read_all(&rest, SIZE_MAX), BODY_BAD);
	/* A line that never ends is told from one that has not ended yet. */
	ck_assert(open_with("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
	buf_clear(&input);
	buf_printf(&input, "0\r\nA:%0*d", BODY_TRAILERS_MAX, 0);
	rest = buf_slice(&input);
	ck_assert_int_eq(read_all(&rest, SIZE_MAX), BODY_BAD);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("body");
	TCase *tests = tcase_create("body");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, no_length_is_no_body);
	tcase_add_test(tests, a_length_is_kept_to_the_byte);
	tcase_add_test(tests, chunks_are_joined_however_they_are_cut);
	tcase_add_loop_test(tests, lengths_that_could_be_taken_in_two_ways_are_refused, 0, sizeof refused / sizeof refused[0]);
	tcase_add_loop_test(tests, chunks_that_are_none_end_the_request, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(tests, what_is_around_chunks_is_bounded);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
