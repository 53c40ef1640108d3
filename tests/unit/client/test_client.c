#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/client/elements.h"
#include "common/client/inbox.h"
#include "common/client/sha1.h"
#include "common/client/upgrade.h"
#include "common/client/url.h"
#include "tests/support/suite.h"

/* RFC 3174 section 7.3, and lengths around the block of 64 bytes. */
static const struct {
	const char *text, *digest;
} digests[] = {
	{"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	{"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
};

START_TEST(hashes_the_examples_of_the_rfc)
{
	uint8_t digest[TGC_SHA1_BYTES];
	char text[2 * TGC_SHA1_BYTES + 1];
	tgc_sha1(slice_of(digests[_i].text), digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	ck_assert_str_eq(text, digests[_i].digest);
}
END_TEST

static const struct {
	const char *text;
	enum err result;
	const char *host, *port, *target;
} urls[] = {
	{"ws://127.0.0.1:8080", OK, "127.0.0.1", "8080", "/v1/stream"},
	{"ws://gateway", OK, "gateway", "80", "/v1/stream"},
	{"ws://[::1]:9/ws?x=1", OK, "::1", "9", "/ws?x=1"},
	{"wss://gateway", OK, "gateway", "443", "/v1/stream"},
	{"WSS://[::1]:8443/ws", OK, "::1", "8443", "/ws"},
	{"http://gateway", OK, "gateway", "80", "/v1/stream"},
	{"https://gateway/", OK, "gateway", "443", "/v1/stream"},
	{"ftp://gateway", ERR_INVALID, NULL, NULL, NULL},
	{"wss:/gateway", ERR_INVALID, NULL, NULL, NULL},
	{"ws://", ERR_INVALID, NULL, NULL, NULL},
	{"ws://gateway:99999", ERR_INVALID, NULL, NULL, NULL},
};

START_TEST(takes_an_address_apart)
{
	struct tgc_url url;
	ck_assert_int_eq(tgc_url_parse(&url, urls[_i].text), urls[_i].result);
	if (urls[_i].result != OK)
		return;
	ck_assert_str_eq(url.host, urls[_i].host);
	ck_assert_str_eq(url.port, urls[_i].port);
	ck_assert_str_eq(url.target, urls[_i].target);
	ck_assert(url.is_secure == (strchr("sS", urls[_i].text[strcspn(urls[_i].text, ":") - 1]) && strncmp(urls[_i].text, "ws:", 3) != 0));
	tgc_url_fini(&url);
}
END_TEST

START_TEST(walks_the_elements_of_an_array_as_they_are)
{
	static const char *const elements[] = {"{\"a\":[1,\"],\"]}", "\"x\\\"]\"", "-1.0e5", "[]", "null"};
	struct slice rest = slice_of("[ {\"a\":[1,\"],\"]} ,\"x\\\"]\",-1.0e5, [] ,null ]"), element;
	for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
		ck_assert(tgc_elements_next(&rest, &element));
		ck_assert_msg(slice_is(element, elements[i]), "element %zu is %.*s", i, (int)element.len, element.ptr);
	}
	ck_assert(!tgc_elements_next(&rest, &element));
	struct slice none = slice_of("[]");
	ck_assert(!tgc_elements_next(&none, &element));
}
END_TEST

/* The key and its answer are those of RFC 6455 section 1.3. */
#define RFC_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define RFC_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

START_TEST(accepts_only_the_answer_that_fits_its_key)
{
	struct tgc_upgrade_answer answer;
	const char *good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Accept: " RFC_ACCEPT "\r\n\r\nmore";
	const char *other = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			    "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
	ck_assert_int_eq(tgc_upgrade_read(slice_of(good), RFC_KEY, &answer), OK);
	ck_assert_uint_eq(answer.status, 101);
	ck_assert_uint_eq(answer.head_len, strlen(good) - strlen("more"));
	ck_assert_int_eq(tgc_upgrade_read(slice_of(other), RFC_KEY, &answer), ERR_INVALID);
	ck_assert_int_eq(tgc_upgrade_read(slice_of("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n"), RFC_KEY, &answer), OK);
	ck_assert_uint_eq(answer.status, 503);
	ck_assert_int_eq(answer.retry_after_s, 7);
	ck_assert_int_eq(tgc_upgrade_read(slice_of("SSH-2.0-x\r\n\r\n"), RFC_KEY, &answer), ERR_INVALID);
	for (size_t len = 0; len + 4 < strlen(good); len++)
		ck_assert_int_eq(tgc_upgrade_read((struct slice){good, len}, RFC_KEY, &answer), ERR_AGAIN);
}
END_TEST

static void receive(struct tgc_inbox *inbox, const char *bytes, size_t len)
{
	char *room = tgc_inbox_room(inbox, len);
	ck_assert_ptr_nonnull(room);
	memcpy(room, bytes, len);
	tgc_inbox_received(inbox, len, len);
}

START_TEST(joins_fragments_with_control_frames_between_them)
{
	static const char bytes[] = "\x01\x02he\x89\x01p\x80\x03llo";
	struct tgc_inbox inbox;
	tgc_inbox_init(&inbox, 1024);
	struct tgc_inbox_item item = {0};
	for (size_t i = 0; i < sizeof bytes - 1; i++) {
		receive(&inbox, bytes + i, 1);
		item = tgc_inbox_next(&inbox);
		ck_assert_int_eq(item.kind, i == 6 ? TGC_INBOX_PING : i == sizeof bytes - 2 ? TGC_INBOX_MESSAGE : TGC_INBOX_MORE);
	}
	ck_assert(item.is_text && slice_is(item.payload, "hello"));
	tgc_inbox_fini(&inbox);
}
END_TEST

START_TEST(takes_the_extension_that_was_offered_and_no_other)
{
	static const struct {
		const char *extension;
		enum err result;
	} answers[] = {
		{"permessage-deflate; server_no_context_takeover", OK},
		{"permessage-deflate;client_no_context_takeover ; server_no_context_takeover; server_max_window_bits=10", OK},
		{"permessage-deflate", ERR_INVALID}, /* its window would be needed */
		{"permessage-deflate; server_no_context_takeover; client_max_window_bits=10", ERR_INVALID},
		{"permessage-bzip2; server_no_context_takeover", ERR_INVALID},
	};
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		char text[512];
		struct tgc_upgrade_answer answer;
		snprintf(text, sizeof text,
			 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " RFC_ACCEPT
			 "\r\nSec-WebSocket-Extensions: %s\r\n\r\n",
			 answers[i].extension);
		ck_assert_msg(tgc_upgrade_read(slice_of(text), RFC_KEY, &answer) == answers[i].result, "%s", answers[i].extension);
		ck_assert(answer.deflates);
	}
}
END_TEST

START_TEST(inflates_compressed_messages_within_the_limit)
{
	struct tgc_inbox inbox;
	tgc_inbox_init(&inbox, 8);
	inbox.takes_deflate = true;
	receive(&inbox, "\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00", 9); /* "Hello", RFC 7692 section 7.2.3.1 */
	struct tgc_inbox_item item = tgc_inbox_next(&inbox);
	ck_assert(item.kind == TGC_INBOX_MESSAGE && slice_is(item.payload, "Hello"));
	receive(&inbox, "\x41\x03\xF2\x48\xCD\x89\x00\x80\x04\xC9\xC9\x07\x00", 13);
	ck_assert_int_eq(tgc_inbox_next(&inbox).kind, TGC_INBOX_PING);
	item = tgc_inbox_next(&inbox);
	ck_assert(item.kind == TGC_INBOX_MESSAGE && slice_is(item.payload, "Hello"));
	receive(&inbox, "\x81\x02ok", 4);
	ck_assert(slice_is(tgc_inbox_next(&inbox).payload, "ok"));
	receive(&inbox, "\xC1\x02\xF2\x48", 4);
	ck_assert_uint_eq(tgc_inbox_next(&inbox).code, 1007);
	tgc_inbox_reset(&inbox);
	inbox.takes_deflate = true;
	inbox.limit = 7;
	receive(&inbox, "\xC1\x05\x4A\x04\x12\x00\x00", 7); /* looks back before its start */
	ck_assert_uint_eq(tgc_inbox_next(&inbox).code, 1007);
	tgc_inbox_reset(&inbox);
	inbox.takes_deflate = true;
	receive(&inbox, "\xC1\x06\x4A\x4C\x84\x00\x00\x00", 8); /* "aaaaaaaa" */
	ck_assert_uint_eq(tgc_inbox_next(&inbox).code, 1009);
	tgc_inbox_reset(&inbox);
	receive(&inbox, "\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00", 9); /* on a new connection that agreed on nothing */
	ck_assert_uint_eq(tgc_inbox_next(&inbox).code, 1002);
	tgc_inbox_fini(&inbox);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	uint16_t code;
} broken[] = {
	{"\x81\x81\0\0\0\0x", 7, 1002}, /* masked by a server */
	{"\xc1\x01x", 3, 1002},         /* RSV1 without an extension */
	{"\x83\x01x", 3, 1002},         /* reserved opcode */
	{"\x80\x01x", 3, 1002},         /* a continuation of nothing */
	{"\x81\x01\xff", 3, 1007},      /* no UTF-8 */
	{"\x81\x7e\x10\x00", 4, 1009},  /* longer than the limit */
};

START_TEST(refuses_what_a_server_must_not_send)
{
	struct tgc_inbox inbox;
	tgc_inbox_init(&inbox, 1024);
	receive(&inbox, broken[_i].bytes, broken[_i].len);
	struct tgc_inbox_item item = tgc_inbox_next(&inbox);
	ck_assert_int_eq(item.kind, TGC_INBOX_BAD);
	ck_assert_uint_eq(item.code, broken[_i].code);
	tgc_inbox_fini(&inbox);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tests = tcase_create("client");
	suite_add_tcase(suite, tests);
	tcase_add_loop_test(tests, hashes_the_examples_of_the_rfc, 0, sizeof digests / sizeof digests[0]);
	tcase_add_loop_test(tests, takes_an_address_apart, 0, sizeof urls / sizeof urls[0]);
	tcase_add_test(tests, walks_the_elements_of_an_array_as_they_are);
	tcase_add_test(tests, accepts_only_the_answer_that_fits_its_key);
	tcase_add_test(tests, takes_the_extension_that_was_offered_and_no_other);
	tcase_add_test(tests, inflates_compressed_messages_within_the_limit);
	tcase_add_test(tests, joins_fragments_with_control_frames_between_them);
	tcase_add_loop_test(tests, refuses_what_a_server_must_not_send, 0, sizeof broken / sizeof broken[0]);
	return suite_run(suite);
}
