#include <check.h>
#include <stdlib.h>

#include "gateway/http/head.h"
#include "gateway/http/head_text.h"
#include "tests/support/suite.h"

struct field {
	const char *name, *value;
};

static struct buf written;

static bool write_fields(const struct field *fields)
{
	struct head_text text;
	buf_fini(&written);
	buf_init(&written);
	head_text_init(&text);
	for (; fields->name; fields++)
		head_text_add(&text, slice_of(fields->name), slice_of(fields->value));
	bool is_written = head_text_write(&text, &written);
	head_text_fini(&text);
	return is_written;
}

#define WRITE(...) write_fields((const struct field[]){__VA_ARGS__, {NULL, NULL}})

START_TEST(writes_a_head_that_reads_back_as_it_was_meant)
{
	struct head head;
	struct slice host, accept;
	ck_assert(WRITE({":method", "GET"}, {":scheme", "https"}, {":authority", "a.example:8080"}, {":path", "/v1/history?session=s%201"},
			{"accept", "application/json"}));
	ck_assert_int_eq(head_read(buf_slice(&written), &head), HEAD_COMPLETE);
	ck_assert(slice_is(head.method, "GET") && slice_is(head.path, "/v1/history") && slice_is(head.query, "session=s%201"));
	ck_assert_int_eq(head.minor, 1);
	ck_assert(head_get(&head, "Host", &host, NULL) && slice_is(host, "a.example:8080"));
	ck_assert(head_get(&head, "Accept", &accept, NULL) && slice_is(accept, "application/json"));
	ck_assert_uint_eq(head.len, written.len);
}
END_TEST

START_TEST(takes_the_authority_before_a_host_field)
{
	struct head head;
	struct slice host;
	ck_assert(WRITE({":method", "GET"}, {":path", "/"}, {":authority", "right"}, {"host", "wrong"}));
	ck_assert_int_eq(head_read(buf_slice(&written), &head), HEAD_COMPLETE);
	ck_assert(head_get(&head, "Host", &host, NULL) && slice_is(host, "right"));
	ck_assert(WRITE({":method", "GET"}, {":path", "/"}, {"host", "only"}));
	ck_assert_int_eq(head_read(buf_slice(&written), &head), HEAD_COMPLETE);
	ck_assert(head_get(&head, "Host", &host, NULL) && slice_is(host, "only"));
}
END_TEST

START_TEST(refuses_what_would_read_differently_on_a_line)
{
	static const struct field bad[] = {
		{"x", "a\r\nAuthorization: Bearer b"}, {"x", "a\nb"}, {"x\r\ny", "z"}, {"x y", "z"}, {"x:y", "z"}, {"", "z"},
		{":method", "POST"}, {":path", "/twice"}, {":unknown", "z"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!WRITE({":method", "GET"}, {":path", "/"}, {bad[i].name, bad[i].value}), "%zu", i);
	ck_assert(!WRITE({":method", "GET HTTP/1.1\r\n"}, {":path", "/"}));
	ck_assert(!WRITE({":method", "GET"}, {":path", "/a b"}));
	ck_assert(!WRITE({":method", "GET"}, {":path", ""}));
	ck_assert(!WRITE({":path", "/"}));
	ck_assert(!WRITE({":method", "GET"}));
}
END_TEST

START_TEST(refuses_a_nul_in_a_value)
{
	struct head_text text;
	struct buf out;
	buf_init(&out);
	head_text_init(&text);
	head_text_add(&text, SLICE_LITERAL(":method"), SLICE_LITERAL("GET"));
	head_text_add(&text, SLICE_LITERAL(":path"), SLICE_LITERAL("/"));
	head_text_add(&text, SLICE_LITERAL("x"), (struct slice){"a\0b", 3});
	ck_assert(!head_text_write(&text, &out));
	head_text_fini(&text);
	buf_fini(&out);
}
END_TEST

static void forget(void)
{
	buf_fini(&written);
}

int main(void)
{
	Suite *suite = suite_create("head_text");
	TCase *cases = tcase_create("head_text");
	tcase_add_checked_fixture(cases, NULL, forget);
	tcase_add_test(cases, writes_a_head_that_reads_back_as_it_was_meant);
	tcase_add_test(cases, takes_the_authority_before_a_host_field);
	tcase_add_test(cases, refuses_what_would_read_differently_on_a_line);
	tcase_add_test(cases, refuses_a_nul_in_a_value);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
