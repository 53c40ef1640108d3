/* The PROXY protocol, versions 1 and 2: the header by which a load balancer says, in front of all else, whose connection it passes on
 * (https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt). Pure; the caller collects bytes and asks again until the header is
 * whole. What a header is only believed from is the caller's to know. */
#ifndef GATEWAY_HTTP_PROXY_HEADER_H
#define GATEWAY_HTTP_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/ip.h"
#include "common/base/slice.h"

#define PROXY_HEADER_MAX 4096 /* bytes; version 2 may carry more than the addresses */

enum proxy_header_status {
	PROXY_HEADER_PARTIAL, /* all of it belongs to the header, and more is needed */
	PROXY_HEADER_COMPLETE,
	PROXY_HEADER_BAD,
};

struct proxy_header {
	size_t len;       /* bytes of the header; what is behind belongs to the client */
	struct ip source; /* whose connection it is; not known: the balancer's own (a health check), or of no internet address */
};

enum proxy_header_status proxy_header_read(struct slice bytes, struct proxy_header *ret_header);

#endif
