/* Counts the open connections of the node and of each address, and refuses those above the limits before memory is spent
 * on them. IPv6 counts by /64; an IPv4-mapped IPv6 address is the IPv4 address (RFC 4291 2.5.5.2). Shared by all
 * workers; a mutex inside, taken once when a connection comes and once when it goes, never for an event. */
#ifndef GATEWAY_LIMITER_CONNECTIONS_H
#define GATEWAY_LIMITER_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/base/err.h"

enum connections_verdict { CONNECTIONS_ADMITTED, CONNECTIONS_NODE_FULL, CONNECTIONS_ADDRESS_FULL };

struct connections;
struct address_key {
	unsigned char bytes[17]; /* family mark and address; unix and unknown families share one key that is never limited */
};

struct connections *connections_new(size_t node_limit, size_t address_limit) MUST_USE; /* 0: no limit */
void connections_free(struct connections *connections);

struct address_key address_key_of(const struct sockaddr *address);
enum connections_verdict connections_admit(struct connections *connections, struct address_key key);
void connections_release(struct connections *connections, struct address_key key); /* once for each admitted */
size_t connections_count(struct connections *connections);

#endif
