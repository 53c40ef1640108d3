#include "gateway/limiter/connections.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* address_key.bytes[0]: what the rest holds. */
enum family_mark { MARK_NONE, MARK_IPV4 = 4, MARK_IPV6 = 6 };

#define IPV6_NETWORK_BYTES 8 /* a /64: what one customer has; the rest is his to vary */

struct address {
	struct address_key key;
	size_t count;
	UT_hash_handle hh;
};

struct connections {
	pthread_mutex_t lock; /* protects all below but the limits, which do not change */
	size_t node_limit, address_limit;
	size_t count;
	struct address *addresses; /* those with at least one connection; empty without a limit */
};

struct connections *connections_new(size_t node_limit, size_t address_limit)
{
	struct connections *connections = calloc(1, sizeof *connections);
	if (!connections)
		return NULL;
	if (pthread_mutex_init(&connections->lock, NULL) != 0) {
		free(connections);
		return NULL;
	}
	connections->node_limit = node_limit;
	connections->address_limit = address_limit;
	return connections;
}

void connections_free(struct connections *connections)
{
	if (!connections)
		return;
	struct address *address = connections->addresses;
	HASH_CLEAR(hh, connections->addresses); /* frees the table, not what was in it */
	while (address) {
		struct address *following = address->hh.next;
		free(address);
		address = following;
	}
	pthread_mutex_destroy(&connections->lock);
	free(connections);
}

static struct address_key ipv4_key(const void *bytes)
{
	struct address_key key = {{MARK_IPV4}};
	memcpy(key.bytes + 1, bytes, sizeof(struct in_addr));
	return key;
}

static struct address_key ipv6_key(const struct in6_addr *address)
{
	struct address_key key = {{MARK_IPV6}};
	if (IN6_IS_ADDR_V4MAPPED(address))
		return ipv4_key(address->s6_addr + 12);
	memcpy(key.bytes + 1, address->s6_addr, IPV6_NETWORK_BYTES);
	return key;
}

struct address_key address_key_of(const struct sockaddr *address)
{
	if (address && address->sa_family == AF_INET) {
		struct sockaddr_in ipv4;
		memcpy(&ipv4, address, sizeof ipv4);
		return ipv4_key(&ipv4.sin_addr);
	}
	if (address && address->sa_family == AF_INET6) {
		struct sockaddr_in6 ipv6;
		memcpy(&ipv6, address, sizeof ipv6);
		return ipv6_key(&ipv6.sin6_addr);
	}
	return (struct address_key){{MARK_NONE}};
}

static bool is_counted(const struct connections *connections, const struct address_key *key)
{
	return connections->address_limit != 0 && key->bytes[0] != MARK_NONE;
}

/* NOLINTNEXTLINE(readability-function-size): the lines of uthash's macros are counted as ours */
static struct address *find_address(struct connections *connections, const struct address_key *key)
{
	struct address *address;
	HASH_FIND(hh, connections->addresses, key, sizeof *key, address);
	return address;
}

/* No memory for one more address counts as a full node. */
/* NOLINTNEXTLINE(readability-function-size): the lines of uthash's macros are counted as ours */
static enum connections_verdict count_address(struct connections *connections, const struct address_key *key)
{
	struct address *address = find_address(connections, key);
	if (address) {
		if (address->count >= connections->address_limit)
			return CONNECTIONS_ADDRESS_FULL;
		address->count++;
		return CONNECTIONS_ADMITTED;
	}
	address = calloc(1, sizeof *address);
	if (!address)
		return CONNECTIONS_NODE_FULL;
	address->key = *key;
	address->count = 1;
	HASH_ADD(hh, connections->addresses, key, sizeof address->key, address);
	if (!address->hh.tbl) { /* how uthash says that memory is out */
		free(address);
		return CONNECTIONS_NODE_FULL;
	}
	return CONNECTIONS_ADMITTED;
}

static enum connections_verdict admit_locked(struct connections *connections, const struct address_key *key)
{
	enum connections_verdict verdict = CONNECTIONS_ADMITTED;
	if (connections->node_limit && connections->count >= connections->node_limit)
		return CONNECTIONS_NODE_FULL;
	if (is_counted(connections, key))
		verdict = count_address(connections, key);
	connections->count += verdict == CONNECTIONS_ADMITTED;
	return verdict;
}

enum connections_verdict connections_admit(struct connections *connections, struct address_key key)
{
	pthread_mutex_lock(&connections->lock);
	enum connections_verdict verdict = admit_locked(connections, &key);
	pthread_mutex_unlock(&connections->lock);
	return verdict;
}

void connections_release(struct connections *connections, struct address_key key)
{
	pthread_mutex_lock(&connections->lock);
	connections->count--;
	struct address *address = is_counted(connections, &key) ? find_address(connections, &key) : NULL;
	if (address && --address->count == 0) {
		HASH_DEL(connections->addresses, address);
		free(address);
	}
	pthread_mutex_unlock(&connections->lock);
}

size_t connections_count(struct connections *connections)
{
	pthread_mutex_lock(&connections->lock);
	size_t count = connections->count;
	pthread_mutex_unlock(&connections->lock);
	return count;
}
