/* Who a client is behind proxies: the one place that reads X-Forwarded-For. Each proxy appends the address that it was connected from,
 * so the list is read from the right, and only as far as those who wrote it are trusted: what a client put there itself stands to the
 * left of that. Whatever carries a request, it is counted in the name of its client here. Pure but for the counts. */
#ifndef GATEWAY_HTTP_FORWARDED_H
#define GATEWAY_HTTP_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/ip.h"
#include "gateway/limiter/connections.h"

struct head;

struct proxies {
	const struct ip_network *networks; /* trusted_proxies */
	size_t count;
	bool send_header; /* they speak the PROXY protocol (proxy_protocol) */
};

bool proxies_have(const struct proxies *proxies, const struct ip *ip);
/* The peer itself, unless it is a trusted proxy: then the rightmost address that is not one; the last one that could be read where one
 * cannot, or where all are proxies. */
struct ip forwarded_client(const struct head *head, const struct proxies *proxies, const struct ip *peer);
/* Through a trusted proxy each request may be of another client: counts it in that one's name, a proxy's own in nobody's. Refused, it is
 * counted as before. */
enum connections_verdict forwarded_place(const struct head *head, const struct proxies *proxies, struct connections *connections,
					 struct admission *admission);

#endif
