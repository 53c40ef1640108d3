/* Which browser origins may talk to this node (cors.origins), for the WebSocket and for the HTTP API alike. Pure. */
#ifndef GATEWAY_HTTP_CORS_H
#define GATEWAY_HTTP_CORS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"
#include "gateway/http/head.h"

struct cors {
	const struct slice *origins; /* exact scheme://host[:port]; a host of "*.domain": every one below it; "*": any */
	size_t origin_count;         /* 0: same origin only (Origin's host and port equal Host) */
	bool is_tls;                 /* the client speaks TLS to this node: the same origin begins with https:// */
};

enum cors_verdict {
	CORS_NO_ORIGIN, /* not a browser, whose user it could harm */
	CORS_ALLOWED,   /* ret_origin is what the browser named; empty where it named several and any may come */
	CORS_REFUSED,
};

/* "null" names no origin, so it can only be allowed by "*". ret_origin points into the head. */
enum cors_verdict cors_judge(const struct cors *cors, const struct head *head, struct slice *ret_origin);
/* The origin whose pages may read the answer, whatever that says: what its CORS fields name. Empty: none was named, or it may not. is_tls
 * stands for that of cors. */
struct slice cors_reader(const struct cors *cors, bool is_tls, const struct head *head);

#endif
