/* TLS towards Redis, where the hiredis found at build time brings it (1.0 and newer, its header hiredis_ssl.h). */
#ifndef GATEWAY_REDIS_TLS_H
#define GATEWAY_REDIS_TLS_H

#include <stdbool.h>

#include "common/base/err.h"

struct redisContext;

bool tls_is_built_in(void);
const char *tls_library(void); /* the version of hiredis, "0.14.1" */

/* Begins TLS on a connected, non-blocking context; the handshake goes on with its first reads and writes. The server's
 * certificate must be good for host by the system's trust store. ERR_UNSUPPORTED, ERR_IO: ret_why is set. */
enum err tls_begin(struct redisContext *context, const char *host, char *ret_why, unsigned long why_size) MUST_USE;

#endif
