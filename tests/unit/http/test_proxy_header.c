#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/data/buf.h"
#include "gateway/http/proxy_header.h"
#include "tests/support/suite.h"

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const unsigned char v4_addresses[] = {192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0, 80};

static struct proxy_header header;
static char written[IP_TEXT];

static enum proxy_header_status read_text(const char *text)
{
	header = (struct proxy_header){0};
	enum proxy_header_status status = proxy_header_read(slice_of(text), &header);
	ip_write(written, &header.source);
	return status;
}

static enum proxy_header_status read_v2(unsigned command, unsigned family, const void *payload, size_t len, size_t declared)
{
	struct buf buf;
	buf_init(&buf);
	buf_append(&buf, signature, 12);
	buf_append_char(&buf, (char)command);
	buf_append_char(&buf, (char)family);
	buf_append_char(&buf, (char)(declared >> 8));
	buf_append_char(&buf, (char)declared);
	buf_append(&buf, payload, len);
	header = (struct proxy_header){0};
	enum proxy_header_status status = proxy_header_read(buf_slice(&buf), &header);
	buf_fini(&buf);
	ip_write(written, &header.source);
	return status;
}

START_TEST(version_1_names_the_client)
{
	ck_assert_int_eq(read_text("PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\nGET /"), PROXY_HEADER_COMPLETE);
	ck_assert_str_eq(written, "192.0.2.1");
	ck_assert_uint_eq(header.len, strlen("PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n"));
	ck_assert_int_eq(read_text("PROXY TCP6 2001:db8::1 ::1 4711 80\r\n"), PROXY_HEADER_COMPLETE);
	ck_assert_str_eq(written, "2001:db8::1");
	ck_assert_int_eq(read_text("PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 80\r\n"), PROXY_HEADER_COMPLETE);
	ck_assert_str_eq(written, "192.0.2.1");
}
END_TEST

START_TEST(an_unknown_client_is_the_balancer_itself)
{
	ck_assert_int_eq(read_text("PROXY UNKNOWN\r\n"), PROXY_HEADER_COMPLETE);
	ck_assert(!header.source.is_known);
	ck_assert_int_eq(read_text("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), PROXY_HEADER_COMPLETE);
	ck_assert(!header.source.is_known);
	ck_assert_int_eq(read_v2(0x20, 0x00, NULL, 0, 0), PROXY_HEADER_COMPLETE);
	ck_assert(!header.source.is_known);
	ck_assert_int_eq(read_v2(0x20, 0x11, v4_addresses, 12, 12), PROXY_HEADER_COMPLETE);
	ck_assert(!header.source.is_known);
	ck_assert_int_eq(read_v2(0x21, 0x00, "abc", 3, 3), PROXY_HEADER_COMPLETE);
	ck_assert(!header.source.is_known);
}
END_TEST

START_TEST(refuses_bad_lines_of_version_1)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\r\n",
		"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\n",
		"PROXY TCP4 192.0.2.1 10.0.0.1 4711\r\n",
		"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80 x\r\n",
		"PROXY TCP4 192.0.2.1 10.0.0.1 4711 65536\r\n",
		"PROXY TCP4 192.0.2.1  10.0.0.1 4711 80\r\n",
		"PROXY TCP4 ::1 10.0.0.1 4711 80\r\n",
		"PROXY TCP6 192.0.2.1 ::1 4711 80\r\n",
		"PROXY TCP6 fe80::1%eth0 ::1 4711 80\r\n",
		"PROXY UDP4 192.0.2.1 10.0.0.1 4711 80\r\n",
		"PROXY \r\n",
		"PROXY\r\n",
		"proxy TCP4 192.0.2.1 10.0.0.1 4711 80\r\n",
		"PROXY UNKNOWN 1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111\r\n",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(read_text(bad[i]) == PROXY_HEADER_BAD, "%s", bad[i]);
}
END_TEST

START_TEST(waits_while_a_header_may_become_whole)
{
	const char *line = "PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n";
	for (size_t len = 0; len < strlen(line); len++)
		ck_assert_int_eq(proxy_header_read((struct slice){line, len}, &header), PROXY_HEADER_PARTIAL);
	char v2[28];
	memcpy(v2, signature, 12);
	memcpy(v2 + 12, "\x21\x11\x00\x0c", 4);
	memcpy(v2 + 16, v4_addresses, 12);
	for (size_t len = 0; len < sizeof v2; len++)
		ck_assert_int_eq(proxy_header_read((struct slice){v2, len}, &header), PROXY_HEADER_PARTIAL);
	ck_assert_int_eq(proxy_header_read((struct slice){v2, sizeof v2}, &header), PROXY_HEADER_COMPLETE);
}
END_TEST

START_TEST(version_2_names_the_client)
{
	unsigned char v6_addresses[36] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1, [31] = 1};
	ck_assert_int_eq(read_v2(0x21, 0x11, v4_addresses, 12, 12), PROXY_HEADER_COMPLETE);
	ck_assert_str_eq(written, "192.0.2.1");
	ck_assert_uint_eq(header.len, 28);
	ck_assert_int_eq(read_v2(0x21, 0x21, v6_addresses, 36, 36), PROXY_HEADER_COMPLETE);
	ck_assert_str_eq(written, "2001:db8::1");
}
END_TEST

START_TEST(version_2_may_carry_more_up_to_a_limit)
{
	char payload[PROXY_HEADER_MAX] = {0};
	memcpy(payload, v4_addresses, 12);
	size_t most = PROXY_HEADER_MAX - 16;
	ck_assert_int_eq(read_v2(0x21, 0x11, payload, most, most), PROXY_HEADER_COMPLETE);
	ck_assert_uint_eq(header.len, PROXY_HEADER_MAX);
	ck_assert_int_eq(read_v2(0x21, 0x11, payload, most, most + 1), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_v2(0x21, 0x11, payload, 0, 65535), PROXY_HEADER_BAD);
}
END_TEST

START_TEST(refuses_what_version_2_does_not_know)
{
	ck_assert_int_eq(read_v2(0x11, 0x11, v4_addresses, 12, 12), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_v2(0x22, 0x11, v4_addresses, 12, 12), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_v2(0x21, 0x12, v4_addresses, 12, 12), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_v2(0x21, 0x41, v4_addresses, 12, 12), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_v2(0x21, 0x11, v4_addresses, 11, 11), PROXY_HEADER_BAD);
	ck_assert_int_eq(read_v2(0x21, 0x21, v4_addresses, 12, 12), PROXY_HEADER_BAD);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy_header");
	TCase *tests = tcase_create("proxy_header");
	tcase_add_test(tests, version_1_names_the_client);
	tcase_add_test(tests, an_unknown_client_is_the_balancer_itself);
	tcase_add_test(tests, refuses_bad_lines_of_version_1);
	tcase_add_test(tests, waits_while_a_header_may_become_whole);
	tcase_add_test(tests, version_2_names_the_client);
	tcase_add_test(tests, version_2_may_carry_more_up_to_a_limit);
	tcase_add_test(tests, refuses_what_version_2_does_not_know);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
