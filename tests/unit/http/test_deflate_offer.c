#include <check.h>
#include <stdio.h>
#include <string.h>

#include "gateway/http/deflate_offer.h"
#include "tests/support/suite.h"

static struct head head;

static struct deflate_terms choose(const char *fields)
{
	static char text[16384];
	snprintf(text, sizeof text, "GET /v1/stream HTTP/1.1\r\n%s\r\n", fields);
	ck_assert_int_eq(head_read(slice_of(text), &head), HEAD_COMPLETE);
	return deflate_offer_choose(&head);
}

#define OFFER "Sec-WebSocket-Extensions: "
#define DEFLATE "permessage-deflate"
#define ALONE "server_no_context_takeover; client_no_context_takeover"

static const struct example {
	const char *fields;
	unsigned bits;
	const char *parameters; /* NULL: ALONE */
} examples[] = {
	{"", 0, ""},
	{OFFER "\r\n", 0, ""},
	{OFFER DEFLATE "\r\n", 15, NULL},
	{OFFER "  " DEFLATE " \t ;  client_max_window_bits \r\n", 15, NULL}, /* Chromium, Firefox, ws */
	{"sec-websocket-extensions: " DEFLATE "; client_max_window_bits=8\r\n", 15, NULL},
	{OFFER DEFLATE "; server_no_context_takeover\r\n", 15, NULL},
	{OFFER DEFLATE "; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=15\r\n", 15, NULL},
	{OFFER DEFLATE "; server_max_window_bits=15\r\n", 15, ALONE "; server_max_window_bits=15"},
	{OFFER DEFLATE "; server_max_window_bits=10\r\n", 10, ALONE "; server_max_window_bits=10"},
	{OFFER DEFLATE "; server_max_window_bits=\"9\"\r\n", 9, ALONE "; server_max_window_bits=9"},
	{OFFER DEFLATE "; server_max_window_bits = \"1\\2\" ; client_max_window_bits\r\n", 12, ALONE "; server_max_window_bits=12"},
	/* what cannot be met, and what comes behind it */
	{OFFER DEFLATE "; server_max_window_bits=8\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=8, " DEFLATE "\r\n", 15, NULL},
	{OFFER DEFLATE "; server_max_window_bits=8\r\n" OFFER DEFLATE "; server_max_window_bits=11\r\n", 11,
	 ALONE "; server_max_window_bits=11"},
	{OFFER DEFLATE "; server_max_window_bits=11, " DEFLATE "\r\n", 11, ALONE "; server_max_window_bits=11"},
	{OFFER DEFLATE "; server_max_window_bits=7\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=16\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=015\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=09\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=+9\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=10000000010\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=\"\"\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=\"10\r\n", 0, ""},
	{OFFER DEFLATE "; server_max_window_bits=10; server_max_window_bits=10\r\n", 0, ""},
	{OFFER DEFLATE "; client_max_window_bits=7\r\n", 0, ""},
	{OFFER DEFLATE "; client_max_window_bits; client_max_window_bits\r\n", 0, ""},
	{OFFER DEFLATE "; server_no_context_takeover=1\r\n", 0, ""},
	{OFFER DEFLATE "; server_no_context_takeover; server_no_context_takeover\r\n", 0, ""},
	{OFFER DEFLATE "; client_no_context_takeover=true\r\n", 0, ""},
	{OFFER DEFLATE "; unknown\r\n", 0, ""},
	{OFFER DEFLATE "; unknown=1, " DEFLATE "; client_max_window_bits\r\n", 15, NULL},
	{OFFER DEFLATE "; Server_Max_Window_Bits=10\r\n", 0, ""},
	/* other extensions and what is none */
	{OFFER "x-webkit-deflate-frame, " DEFLATE "\r\n", 15, NULL},
	{OFFER "permessage-bzip2; server_max_window_bits=10\r\n", 0, ""},
	{OFFER DEFLATE "2\r\n", 0, ""},
	{OFFER DEFLATE " permessage\r\n", 0, ""},
	{OFFER ",;constructor=;;\r\n", 0, ""},
	{OFFER ",;constructor=;;\r\n" OFFER DEFLATE "\r\n", 15, NULL},
	{OFFER ",,, ,," DEFLATE ",,\r\n", 15, NULL},
	{OFFER "a=\", " DEFLATE "\"\r\n", 0, ""},
	{OFFER "a; b=\", " DEFLATE "\", " DEFLATE "\r\n", 15, NULL},
	{OFFER "a; b=\"\\\", " DEFLATE "\r\n", 0, ""},
	{OFFER DEFLATE ";\r\n", 0, ""},
	{OFFER DEFLATE ";; server_max_window_bits=10\r\n", 0, ""},
	{OFFER "; " DEFLATE "\r\n", 0, ""},
	{OFFER "__proto__; toString=valueOf, " DEFLATE "; __proto__\r\n", 0, ""},
};

START_TEST(chooses_the_first_offer_that_can_be_met)
{
	const struct example *example = &examples[_i];
	struct deflate_terms terms = choose(example->fields);
	ck_assert_msg(terms.server_bits == example->bits, "%u bits for %s", terms.server_bits, example->fields);
	ck_assert_str_eq(terms.parameters, example->parameters ? example->parameters : ALONE);
}
END_TEST

START_TEST(reads_two_hundred_offers)
{
	static char fields[16384];
	int len = snprintf(fields, sizeof fields, OFFER);
	for (int i = 0; i < 200; i++)
		len += snprintf(fields + len, sizeof fields - (size_t)len, DEFLATE "; server_max_window_bits=%d, ", i % 9);
	ck_assert_uint_eq(choose(strcat(fields, "\r\n")).server_bits, 0);
	fields[strlen(fields) - 2] = '\0';
	ck_assert_uint_eq(choose(strcat(fields, DEFLATE "\r\n")).server_bits, 15);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deflate_offer");
	TCase *tests = tcase_create("deflate_offer");
	tcase_add_loop_test(tests, chooses_the_first_offer_that_can_be_met, 0, sizeof examples / sizeof examples[0]);
	tcase_add_test(tests, reads_two_hundred_offers);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
