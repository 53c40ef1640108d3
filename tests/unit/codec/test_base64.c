#include <check.h>
#include <stdlib.h>

#include "common/codec/base64.h"
#include "tests/support/suite.h"

static const char *const pairs[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xFF\xFE\xFD", "//79"},
    {"\xFB\xEF\xBE", "++++"},
};

static bool decode(const char *text, char bytes[64], size_t *ret_len)
{
	return base64_decode(slice_of(text), bytes, ret_len);
}

START_TEST(encodes_and_decodes_the_examples_of_the_standard)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char text[64], bytes[64];
		size_t len = 99;
		base64_encode(slice_of(pairs[i][0]), text);
		ck_assert(slice_is((struct slice){text, BASE64_LEN(strlen(pairs[i][0]))}, pairs[i][1]));
		ck_assert(decode(pairs[i][1], bytes, &len));
		ck_assert(slice_is((struct slice){bytes, len}, pairs[i][0]));
	}
}
END_TEST

START_TEST(brings_every_byte_back)
{
	for (size_t len = 0; len <= 256; len++) {
		char *bytes = malloc(len + 1), *text = malloc(BASE64_LEN(len) + 1),
		     *back = malloc(BASE64_LEN(len) / 4 * 3 + 1);
		size_t back_len = 0;
		ck_assert(bytes && text && back);
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)(i * 7 + len);
		base64_encode((struct slice){bytes, len}, text);
		ck_assert(base64_decode((struct slice){text, BASE64_LEN(len)}, back, &back_len));
		ck_assert(slice_equal((struct slice){back, back_len}, (struct slice){bytes, len}));
		free(bytes);
		free(text);
		free(back);
	}
}
END_TEST

START_TEST(refuses_what_is_not_canonical)
{
	static const char *const texts[] = {
	    "Z",      "Zg",   "Zg=",  "Zm9",  "=",     "====", "Z===",   "Zh==",     "Zm9=",    "Zg==Zg==", "Zm=v",
	    "Zm9v\n", "Zm 9", "Zm-9", "Zm_9", "Zm9v=", "=Zm9", "Zg==\n", "Zm8=Zm8=", "\x80mm9", "Zm9vYg=a", "Z=g="};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char bytes[64];
		size_t len;
		ck_assert_msg(!decode(texts[i], bytes, &len), "%s", texts[i]);
	}
}
END_TEST

/* RFC 7515 appendix C, and what that of URLs has of its own. */
START_TEST(for_urls_it_has_another_alphabet_and_no_padding)
{
	static const char *const url_pairs[][2] = {
	    {"", ""},
	    {"f", "Zg"},
	    {"fo", "Zm8"},
	    {"foo", "Zm9v"},
	    {"foob", "Zm9vYg"},
	    {"\x03\xEC\xFF\xE0\xC1", "A-z_4ME"},
	    {"\xFB\xEF\xBE", "----"},
	    {"\xFF\xFF\xFF", "____"},
	};
	for (size_t i = 0; i < sizeof url_pairs / sizeof *url_pairs; i++) {
		char text[64], bytes[64];
		size_t len = 99;
		base64url_encode(slice_of(url_pairs[i][0]), text);
		ck_assert(slice_is((struct slice){text, BASE64URL_LEN(strlen(url_pairs[i][0]))}, url_pairs[i][1]));
		ck_assert(base64url_decode(slice_of(url_pairs[i][1]), bytes, &len));
		ck_assert(slice_is((struct slice){bytes, len}, url_pairs[i][0]));
	}
}
END_TEST

START_TEST(for_urls_it_refuses_what_is_not_canonical)
{
	static const char *const texts[] = {"Z",     "Zh",    "Zm9",   "Zg==", "Zg=", "=",    "Zm9vZ", "Zm+v",
	                                    "Zm/v",  "Zm9v\n", " Zm9v", "Zm.v", "%5A", "A-z_4MF", "\xc3\xa4"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char bytes[64];
		size_t len;
		ck_assert_msg(!base64url_decode(slice_of(texts[i]), bytes, &len), "%s", texts[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base64");
	TCase *cases = tcase_create("base64");
	tcase_add_test(cases, encodes_and_decodes_the_examples_of_the_standard);
	tcase_add_test(cases, brings_every_byte_back);
	tcase_add_test(cases, refuses_what_is_not_canonical);
	tcase_add_test(cases, for_urls_it_has_another_alphabet_and_no_padding);
	tcase_add_test(cases, for_urls_it_refuses_what_is_not_canonical);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
