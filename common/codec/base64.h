/* Base 64 of RFC 4648: section 4 with padding, section 5 (for URLs) without. Pure. */
#ifndef COMMON_CODEC_BASE64_H
#define COMMON_CODEC_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"

#define BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4)

void base64_encode(struct slice bytes, char *ret_text); /* writes BASE64_LEN(bytes.len) characters, no NUL */
/* False unless text is canonical base64 (padding in place, unused bits zero). ret_bytes has room for len / 4 * 3. */
bool base64_decode(struct slice text, void *ret_bytes, size_t *ret_len);

/* The same for the alphabet of URLs without padding, as tokens have it (RFC 7515 section 2). */
#define BASE64URL_LEN(bytes) (((bytes) * 4 + 2) / 3)
void base64url_encode(struct slice bytes, char *ret_text); /* writes BASE64URL_LEN(bytes.len) characters, no NUL */
/* False unless text is canonical: only that alphabet, no padding, unused bits zero. ret_bytes has room for len / 4 * 3 + 2. */
bool base64url_decode(struct slice text, void *ret_bytes, size_t *ret_len);

#endif
