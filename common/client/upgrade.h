/* The WebSocket handshake of RFC 6455 section 4 from the client's side: writes the request, judges the response strictly.
 * Pure. */
#ifndef COMMON_CLIENT_UPGRADE_H
#define COMMON_CLIENT_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/client/url.h"
#include "common/data/buf.h"

#define TGC_NONCE_BYTES 16
#define TGC_KEY_CHARS 24
#define TGC_HEAD_MAX 16384
#define TGC_SUBPROTOCOL "tracegate.v1.json"

void tgc_upgrade_key(const uint8_t nonce[TGC_NONCE_BYTES], char ret_key[TGC_KEY_CHARS + 1]);
/* token and origin may be NULL. offers_deflate: permessage-deflate without a context from message to message. */
void tgc_upgrade_request(struct buf *out, const struct tgc_url *url, const char *key, const char *token, const char *origin,
			 bool offers_deflate);

struct tgc_upgrade_answer {
	size_t head_len;
	unsigned status;
	int64_t content_length; /* -1: not told */
	int64_t retry_after_s;  /* -1: not told */
	bool deflates;          /* the node may compress its messages; it may not where that was not offered */
	const char *why;        /* static; set with ERR_INVALID */
};

/* Reads the response at the front of bytes. ERR_AGAIN: more is needed. ERR_INVALID: no HTTP, too long, or a 101 that does
 * not fit the request of that key. */
enum err tgc_upgrade_read(struct slice bytes, const char *key, struct tgc_upgrade_answer *ret_answer) MUST_USE;

/* A credential or an origin that can stand in a header line. */
bool tgc_upgrade_is_header_value(const char *text);

#endif
