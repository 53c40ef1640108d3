/* SHA-1 (RFC 3174), only for the Sec-WebSocket-Accept check of RFC 6455, where it protects nothing. Pure. */
#ifndef COMMON_CLIENT_SHA1_H
#define COMMON_CLIENT_SHA1_H

#include <stdint.h>

#include "common/base/slice.h"

#define TGC_SHA1_BYTES 20

void tgc_sha1(struct slice bytes, uint8_t ret_digest[TGC_SHA1_BYTES]);

#endif
