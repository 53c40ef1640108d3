/* Counts the open connections of the node, of each address and of each identity, and those that have not shown who they are yet,
 * and refuses what is above the limits before memory is spent on it. IPv6 counts by /64; an IPv4-mapped IPv6 address is the IPv4 address
 * (RFC 4291 2.5.5.2). Shared by all workers; a mutex inside, taken a few times for a connection, never for an event. */
#ifndef GATEWAY_LIMITER_CONNECTIONS_H
#define GATEWAY_LIMITER_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/ip.h"
#include "common/base/slice.h"

enum connections_verdict {
	CONNECTIONS_ADMITTED,
	CONNECTIONS_NODE_FULL,
	CONNECTIONS_ADDRESS_FULL,
	CONNECTIONS_IDENTITY_FULL,
	CONNECTIONS_STRANGERS_FULL,
};

struct connections;
struct address_key {
	unsigned char bytes[17]; /* family mark and address; unix and unknown families share one key that is never limited */
};
struct identity_key {
	uint8_t bytes[16]; /* zero: none; anonymous clients have none */
};

/* What one open connection, or one of several requests at once on it, holds of the limits. It goes with the connection from hand to
 * hand; whoever ends the connection releases it. */
struct admission {
	struct ip peer;   /* the other end of the socket, or as a PROXY header told */
	struct ip client; /* the peer, or whom a trusted proxy speaks for; what logs say */
	struct admission *whole;      /* of the connection that this request shares with others; NULL: it is a connection's own */
	struct address_key address;   /* counted in its name; none: a proxy's own, or the connection is counted */
	struct identity_key identity; /* counted in its name */
	bool is_stranger;             /* counted among those that have not shown who they are */
	uint64_t admitted_ns;         /* monotonic */
};

struct connections_limits { /* 0: no limit */
	size_t node, address, strangers;
	size_t identity;           /* unless its credential says another one */
	bool must_identify;        /* a connection is a stranger until connections_identify() */
};

struct connections *connections_new(const struct connections_limits *limits) MUST_USE; /* NULL: no memory */
void connections_free(struct connections *connections);

struct address_key address_key_of(const struct ip *ip);
extern const struct address_key address_key_none;

/* A new connection of the peer, counted in the name of the key. ret_admission is filled in any case; it holds something only
 * if the connection was admitted. */
enum connections_verdict connections_admit(struct connections *connections, const struct ip *peer, struct address_key key,
					   struct admission *ret_admission);
/* For one of several requests at once on a connection. It holds nothing until connections_move() and connections_identify() count it in
 * somebody's name, and is released like any other, before the connection's own. */
void connections_share(struct admission *whole, struct admission *ret_admission);
/* Counts it in another name from now on; refused, it keeps the old one. */
enum connections_verdict connections_move(struct connections *connections, struct admission *admission, struct address_key key);
/* Its credential is good, and says who it is: no stranger any more, and counted in that name in place of one before. Empty: anonymous,
 * counted in no name. limit: of the identity, 0: none. Refused, it stays what it was. */
enum connections_verdict connections_identify(struct connections *connections, struct admission *admission, struct slice identity,
					      uint64_t limit);
void connections_forget(struct connections *connections, struct admission *admission); /* counted in no identity's name any more */
void connections_release(struct connections *connections, struct admission *admission); /* once for each admitted, or shared */
/* By which address its client is known to this node, whether that is counted or not; none: a proxy, or no internet address. */
const struct address_key *admission_address(const struct admission *admission);
size_t connections_count(struct connections *connections);
size_t connections_identity_limit(const struct connections *connections); /* as configured */

#endif
