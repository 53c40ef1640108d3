/* Internet addresses and networks (CIDR) as values: read from text, written as text, compared. IPv4 is held as its IPv4-mapped IPv6
 * address (RFC 4291 section 2.5.5.2), so both spellings are one address. Zones are read over: they mean something to one machine only.
 * Pure. */
#ifndef COMMON_BASE_IP_H
#define COMMON_BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"

struct sockaddr;

struct ip {
	uint8_t bytes[16]; /* in network order */
	bool is_known;     /* false: of no internet address, and then zero */
};

#define IP_TEXT 46 /* with the NUL */

struct ip ip_of(const struct sockaddr *address); /* not known for NULL and other families */
bool ip_is_v4(const struct ip *ip);
bool ip_equal(const struct ip *a, const struct ip *b);
/* "192.0.2.1", "2001:db8::1", also with a zone behind: fe80::1%eth0. False: anything else, and ret_ip stays. */
bool ip_read(struct slice text, struct ip *ret_ip);
/* The same as proxies write it: perhaps in brackets, perhaps with a port behind. */
bool ip_read_with_port(struct slice text, struct ip *ret_ip);
size_t ip_write(char text[IP_TEXT], const struct ip *ip); /* "-" where it is not known; gives its length */

/* The addresses that share their first bits with one. A network of IPv6 holds no IPv4 address. */
struct ip_network {
	struct ip ip;
	unsigned bits; /* of bytes: 96 and more for IPv4 */
};

/* "10.0.0.0/8", "fd00::/8", or one address alone. Bits behind the prefix do not count. */
bool ip_network_read(struct slice text, struct ip_network *ret_network);
bool ip_network_has(const struct ip_network *network, const struct ip *ip);
bool ip_networks_have(const struct ip_network *networks, size_t count, const struct ip *ip);

#endif
