#define _GNU_SOURCE /* memmem */
#include "common/client/upgrade.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/decimal.h"
#include "common/client/sha1.h"
#include "common/codec/base64.h"

#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 section 1.3 */
#define ACCEPT_CHARS BASE64_LEN(TGC_SHA1_BYTES)

void tgc_upgrade_key(const uint8_t nonce[TGC_NONCE_BYTES], char ret_key[TGC_KEY_CHARS + 1])
{
	base64_encode((struct slice){(const char *)nonce, TGC_NONCE_BYTES}, ret_key);
	ret_key[TGC_KEY_CHARS] = '\0';
}

void tgc_upgrade_request(struct buf *out, const struct tgc_url *url, const char *key, const char *token, const char *origin,
			 bool offers_deflate)
{
	buf_printf(out,
		   "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		   "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: " TGC_SUBPROTOCOL "\r\n",
		   url->target, url->authority, key);
	if (offers_deflate)
		buf_append_text(out, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n");
	if (token)
		buf_printf(out, "Authorization: Bearer %s\r\n", token);
	if (origin)
		buf_printf(out, "Origin: %s\r\n", origin);
	buf_append_text(out, "\r\n");
}

bool tgc_upgrade_is_header_value(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7F)
			return false;
	return true;
}

static void compute_accept(const char *key, char ret_accept[ACCEPT_CHARS])
{
	char text[TGC_KEY_CHARS + sizeof ACCEPT_GUID];
	uint8_t digest[TGC_SHA1_BYTES];
	memcpy(text, key, TGC_KEY_CHARS);
	memcpy(text + TGC_KEY_CHARS, ACCEPT_GUID, sizeof ACCEPT_GUID);
	tgc_sha1((struct slice){text, sizeof text - 1}, digest);
	base64_encode((struct slice){(const char *)digest, sizeof digest}, ret_accept);
}

static bool is_same_word(struct slice text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* Finds the word in a comma-separated list, whatever its case. */
static bool list_has(struct slice list, const char *word)
{
	while (list.len) {
		const char *comma = memchr(list.ptr, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.ptr) : list.len;
		if (is_same_word(slice_trim((struct slice){list.ptr, len}), word))
			return true;
		len += comma != NULL;
		list = (struct slice){list.ptr + len, list.len - len};
	}
	return false;
}

/* Takes what comes before the next ";". */
static struct slice take_parameter(struct slice *rest)
{
	const char *end = memchr(rest->ptr, ';', rest->len);
	size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
	struct slice parameter = slice_trim((struct slice){rest->ptr, len});
	len += end != NULL;
	*rest = (struct slice){rest->ptr + len, rest->len - len};
	return parameter;
}

/* Whether the extension is the one that was offered, RFC 7692: the server must keep no context, and may name its window. */
static bool is_deflate_offered(struct slice extension)
{
	bool keeps_context = true;
	if (!slice_is(take_parameter(&extension), "permessage-deflate"))
		return false;
	while (extension.len) {
		static const char window[] = "server_max_window_bits=";
		struct slice parameter = take_parameter(&extension);
		bool is_window = parameter.len > sizeof window - 1 && memcmp(parameter.ptr, window, sizeof window - 1) == 0;
		if (slice_is(parameter, "server_no_context_takeover"))
			keeps_context = false;
		else if (!is_window && !slice_is(parameter, "client_no_context_takeover"))
			return false;
	}
	return !keeps_context;
}

/* What the header lines of a response said; each text is a view into it. */
struct seen {
	struct slice upgrade, connection, accept, protocol, extensions, length, retry_after;
};

static void note_header(struct seen *seen, struct slice name, struct slice value)
{
	const struct {
		const char *name;
		struct slice *place;
	} known[] = {{"Upgrade", &seen->upgrade},
		     {"Connection", &seen->connection},
		     {"Sec-WebSocket-Accept", &seen->accept},
		     {"Sec-WebSocket-Protocol", &seen->protocol},
		     {"Sec-WebSocket-Extensions", &seen->extensions},
		     {"Content-Length", &seen->length},
		     {"Retry-After", &seen->retry_after}};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (is_same_word(name, known[i].name))
			*known[i].place = value;
}

/* False: a line without a colon or with a blank name. */
static bool read_headers(struct slice lines, struct seen *seen)
{
	while (lines.len) {
		const char *end = memmem(lines.ptr, lines.len, "\r\n", 2);
		size_t len = end ? (size_t)(end - lines.ptr) : lines.len;
		const char *colon = memchr(lines.ptr, ':', len);
		if (!colon || colon == lines.ptr)
			return false;
		size_t name_len = (size_t)(colon - lines.ptr);
		note_header(seen, (struct slice){lines.ptr, name_len}, slice_trim((struct slice){colon + 1, len - name_len - 1}));
		len += end ? 2 : 0;
		lines = (struct slice){lines.ptr + len, lines.len - len};
	}
	return true;
}

/* A decimal number of at most nine digits; -1: it is none. */
static int64_t read_number(struct slice text)
{
	uint64_t number;
	return text.len <= 9 && decimal_read(text, UINT64_MAX, &number) ? (int64_t)number : -1;
}

/* Static text that says what is wrong with a 101, NULL: nothing. */
static const char *judge_switch(const struct seen *seen, const char *key)
{
	char accept[ACCEPT_CHARS];
	compute_accept(key, accept);
	if (!list_has(seen->upgrade, "websocket"))
		return "the 101 response has no Upgrade: websocket";
	if (!list_has(seen->connection, "upgrade"))
		return "the 101 response has no Connection: Upgrade";
	if (!slice_equal(seen->accept, (struct slice){accept, sizeof accept}))
		return "the 101 response has a wrong Sec-WebSocket-Accept";
	if (seen->protocol.len && !slice_is(seen->protocol, TGC_SUBPROTOCOL))
		return "the 101 response chose a subprotocol that was not offered";
	if (seen->extensions.len && !is_deflate_offered(seen->extensions))
		return "the 101 response chose an extension that was not offered";
	return NULL;
}

static bool read_status(struct slice line, unsigned *ret_status)
{
	int64_t status = line.len >= 12 ? read_number((struct slice){line.ptr + 9, 3}) : -1;
	if (status < 100 || memcmp(line.ptr, "HTTP/1.", 7) != 0 || line.ptr[8] != ' ' || (line.len > 12 && line.ptr[12] != ' '))
		return false;
	*ret_status = (unsigned)status;
	return true;
}

static enum err refuse(struct tgc_upgrade_answer *answer, const char *why)
{
	answer->why = why;
	return ERR_INVALID;
}

enum err tgc_upgrade_read(struct slice bytes, const char *key, struct tgc_upgrade_answer *ret_answer)
{
	struct tgc_upgrade_answer answer = {.content_length = -1, .retry_after_s = -1};
	struct seen seen = {.upgrade = SLICE_NONE};
	const char *end = bytes.len ? memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) : NULL;
	if (!end && bytes.len < TGC_HEAD_MAX && (bytes.len < 5 || memcmp(bytes.ptr, "HTTP/", 5) == 0))
		return ERR_AGAIN;
	*ret_answer = answer;
	if (!end)
		return refuse(ret_answer, "the response is not HTTP, or its head is too long");
	answer.head_len = (size_t)(end - bytes.ptr) + 4;
	struct slice line = {bytes.ptr, (size_t)((const char *)memmem(bytes.ptr, bytes.len, "\r\n", 2) - bytes.ptr)};
	size_t lines_at = line.len + 2 < answer.head_len - 2 ? line.len + 2 : answer.head_len - 4;
	if (answer.head_len > TGC_HEAD_MAX || !read_status(line, &answer.status) ||
	    !read_headers((struct slice){bytes.ptr + lines_at, answer.head_len - 4 - lines_at}, &seen))
		return refuse(ret_answer, "the response is not HTTP, or its head is too long");
	answer.content_length = read_number(seen.length);
	answer.retry_after_s = read_number(seen.retry_after);
	if (answer.status == 101)
		answer.why = judge_switch(&seen, key);
	answer.deflates = seen.extensions.len > 0;
	*ret_answer = answer;
	return answer.why ? ERR_INVALID : OK;
}
