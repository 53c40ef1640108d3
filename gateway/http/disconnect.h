/* An operator's order to end connections, as POST /v1/admin/disconnect brings it and as nodes tell it one another on the control
 * channel of Redis:
 *   {"identity":"..."}  or  {"client":"<of welcome.client>","node":"<of welcome.node>"}, and optional "reason":"..."
 *   {"from":"<16 hexadecimal digits>","disconnect":{...the same...}}
 * Read strictly: what is not just that is refused, whoever sent it. Pure. */
#ifndef GATEWAY_HTTP_DISCONNECT_H
#define GATEWAY_HTTP_DISCONNECT_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/buf.h"

#define DISCONNECT_IDENTITY_MAX 1024
#define DISCONNECT_NODE_MAX 127
#define DISCONNECT_REASON_MAX 120
#define DISCONNECT_WHY 160
#define DISCONNECT_FROM_LEN 16

struct disconnect {
	char identity[DISCONNECT_IDENTITY_MAX + 1]; /* empty: it is about one client */
	char node[DISCONNECT_NODE_MAX + 1];         /* that has the client */
	uint64_t client;                            /* 0: it is about an identity */
	char reason[DISCONNECT_REASON_MAX + 1];     /* empty: none */
};

/* ERR_INVALID, ERR_NOMEM: ret_why names the member. */
enum err disconnect_read(struct slice text, struct disconnect *ret_order, char ret_why[DISCONNECT_WHY]) MUST_USE;
enum err disconnect_read_told(struct slice text, struct disconnect *ret_order, char ret_from[DISCONNECT_FROM_LEN + 1],
			      char ret_why[DISCONNECT_WHY]) MUST_USE;
void disconnect_write_told(struct buf *out, const struct disconnect *order, const char *from);

#endif
