#include "gateway/limiter/connections.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/data/hash.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* address_key.bytes[0]: what the rest holds. */
enum family_mark { MARK_NONE, MARK_IPV4 = 4, MARK_IPV6 = 6 };

#define IPV4_AT 12 /* in the mapped form */
#define IPV6_NETWORK_BYTES 8 /* a /64: what one customer has; the rest is his to vary */
#define HOLDER_KEY_BYTES 18

/* Who has at least one connection: an address or an identity. */
struct holder {
	unsigned char key[HOLDER_KEY_BYTES]; /* what it is, 'a' or 'i', and its key */
	size_t count;
	UT_hash_handle hh;
};

struct connections {
	pthread_mutex_t lock; /* protects all below but the limits and the seed, which do not change */
	struct connections_limits limits;
	uint64_t seed; /* of the hashes of identities, so that nobody can make two meet */
	size_t count, strangers;
	struct holder *holders;
};

const struct address_key address_key_none = {{MARK_NONE}};

struct connections *connections_new(const struct connections_limits *limits)
{
	struct connections *connections = calloc(1, sizeof *connections);
	if (!connections)
		return NULL;
	if (pthread_mutex_init(&connections->lock, NULL) != 0) {
		free(connections);
		return NULL;
	}
	struct random random;
	random_init(&random);
	connections->seed = random_next(&random);
	connections->limits = *limits;
	return connections;
}

void connections_free(struct connections *connections)
{
	if (!connections)
		return;
	struct holder *holder = connections->holders;
	HASH_CLEAR(hh, connections->holders); /* frees the table, not what was in it */
	while (holder) {
		struct holder *following = holder->hh.next;
		free(holder);
		holder = following;
	}
	pthread_mutex_destroy(&connections->lock);
	free(connections);
}

struct address_key address_key_of(const struct ip *ip)
{
	struct address_key key = address_key_none;
	if (ip_is_v4(ip)) {
		key.bytes[0] = MARK_IPV4;
		memcpy(key.bytes + 1, ip->bytes + IPV4_AT, sizeof ip->bytes - IPV4_AT);
	} else if (ip->is_known) {
		key.bytes[0] = MARK_IPV6;
		memcpy(key.bytes + 1, ip->bytes, IPV6_NETWORK_BYTES);
	}
	return key;
}

static void address_holder(unsigned char key[HOLDER_KEY_BYTES], const struct address_key *address)
{
	key[0] = 'a';
	memcpy(key + 1, address->bytes, sizeof address->bytes);
}

static void identity_holder(unsigned char key[HOLDER_KEY_BYTES], const struct identity_key *identity)
{
	memset(key, 0, HOLDER_KEY_BYTES);
	key[0] = 'i';
	memcpy(key + 1, identity->bytes, sizeof identity->bytes);
}

static bool is_counted(const struct connections *connections, const struct address_key *key)
{
	return connections->limits.address != 0 && key->bytes[0] != MARK_NONE;
}

static bool has_identity(const struct identity_key *identity)
{
	static const struct identity_key none;
	return memcmp(identity, &none, sizeof none) != 0;
}

/* NOLINTNEXTLINE(readability-function-size): the lines of uthash's macros are counted as ours */
static struct holder *find_holder(struct connections *connections, const unsigned char key[HOLDER_KEY_BYTES])
{
	struct holder *holder;
	HASH_FIND(hh, connections->holders, key, HOLDER_KEY_BYTES, holder);
	return holder;
}

/* limit 0: none. No memory for one more holder counts as a full node. */
/* NOLINTNEXTLINE(readability-function-size): the lines of uthash's macros are counted as ours */
static enum connections_verdict hold(struct connections *connections, const unsigned char key[HOLDER_KEY_BYTES],
				     uint64_t limit, enum connections_verdict full)
{
	struct holder *holder = find_holder(connections, key);
	if (holder) {
		if (limit && holder->count >= limit)
			return full;
		holder->count++;
		return CONNECTIONS_ADMITTED;
	}
	holder = calloc(1, sizeof *holder);
	if (!holder)
		return CONNECTIONS_NODE_FULL;
	memcpy(holder->key, key, HOLDER_KEY_BYTES);
	holder->count = 1;
	HASH_ADD(hh, connections->holders, key, sizeof holder->key, holder);
	if (!holder->hh.tbl) { /* how uthash says that memory is out */
		free(holder);
		return CONNECTIONS_NODE_FULL;
	}
	return CONNECTIONS_ADMITTED;
}

static void let_go(struct connections *connections, const unsigned char key[HOLDER_KEY_BYTES])
{
	struct holder *holder = find_holder(connections, key);
	if (holder && --holder->count == 0) {
		HASH_DEL(connections->holders, holder);
		free(holder);
	}
}

static enum connections_verdict hold_address(struct connections *connections, const struct address_key *address)
{
	unsigned char key[HOLDER_KEY_BYTES];
	if (!is_counted(connections, address))
		return CONNECTIONS_ADMITTED;
	address_holder(key, address);
	return hold(connections, key, connections->limits.address, CONNECTIONS_ADDRESS_FULL);
}

static void let_go_address(struct connections *connections, const struct address_key *address)
{
	unsigned char key[HOLDER_KEY_BYTES];
	if (!is_counted(connections, address))
		return;
	address_holder(key, address);
	let_go(connections, key);
}

static void let_go_identity(struct connections *connections, struct identity_key *identity)
{
	unsigned char key[HOLDER_KEY_BYTES];
	if (!has_identity(identity))
		return;
	identity_holder(key, identity);
	let_go(connections, key);
	*identity = (struct identity_key){{0}};
}

static enum connections_verdict admit_locked(struct connections *connections, struct admission *admission)
{
	const struct connections_limits *limits = &connections->limits;
	if (limits->node && connections->count >= limits->node)
		return CONNECTIONS_NODE_FULL;
	if (limits->must_identify && limits->strangers && connections->strangers >= limits->strangers)
		return CONNECTIONS_STRANGERS_FULL;
	enum connections_verdict verdict = hold_address(connections, &admission->address);
	if (verdict != CONNECTIONS_ADMITTED)
		return verdict;
	connections->count++;
	admission->is_stranger = limits->must_identify;
	connections->strangers += admission->is_stranger;
	return verdict;
}

enum connections_verdict connections_admit(struct connections *connections, const struct ip *peer, struct address_key key,
					   struct admission *ret_admission)
{
	*ret_admission = (struct admission){.peer = *peer, .client = *peer, .address = key, .admitted_ns = clock_mono_ns()};
	pthread_mutex_lock(&connections->lock);
	enum connections_verdict verdict = admit_locked(connections, ret_admission);
	pthread_mutex_unlock(&connections->lock);
	return verdict;
}

void connections_share(struct admission *whole, struct admission *ret_admission)
{
	*ret_admission = (struct admission){.peer = whole->peer, .client = whole->client, .whole = whole};
}

enum connections_verdict connections_move(struct connections *connections, struct admission *admission, struct address_key key)
{
	if (memcmp(&key, &admission->address, sizeof key) == 0)
		return CONNECTIONS_ADMITTED;
	pthread_mutex_lock(&connections->lock);
	enum connections_verdict verdict = hold_address(connections, &key);
	if (verdict == CONNECTIONS_ADMITTED) {
		let_go_address(connections, &admission->address);
		admission->address = key;
	}
	pthread_mutex_unlock(&connections->lock);
	return verdict;
}

static struct identity_key identity_key_of(const struct connections *connections, struct slice identity)
{
	struct identity_key key = {{0}};
	struct hash128 hash = hash128(identity, connections->seed);
	if (identity.len)
		memcpy(key.bytes, hash.bytes, sizeof key.bytes);
	return key;
}

/* It is counted among the strangers no longer. */
static void know(struct connections *connections, struct admission *admission)
{
	connections->strangers -= admission->is_stranger;
	admission->is_stranger = false;
}

static enum connections_verdict identify_locked(struct connections *connections, struct admission *admission,
						const struct identity_key *identity, uint64_t limit)
{
	if (has_identity(identity) && memcmp(identity, &admission->identity, sizeof *identity) != 0) {
		unsigned char key[HOLDER_KEY_BYTES];
		identity_holder(key, identity);
		enum connections_verdict verdict = hold(connections, key, limit, CONNECTIONS_IDENTITY_FULL);
		if (verdict != CONNECTIONS_ADMITTED)
			return verdict;
	}
	if (memcmp(identity, &admission->identity, sizeof *identity) != 0)
		let_go_identity(connections, &admission->identity);
	admission->identity = *identity;
	know(connections, admission->whole ? admission->whole : admission);
	return CONNECTIONS_ADMITTED;
}

enum connections_verdict connections_identify(struct connections *connections, struct admission *admission, struct slice identity,
					      uint64_t limit)
{
	struct identity_key key = identity_key_of(connections, identity);
	pthread_mutex_lock(&connections->lock);
	enum connections_verdict verdict = identify_locked(connections, admission, &key, limit);
	pthread_mutex_unlock(&connections->lock);
	return verdict;
}

void connections_forget(struct connections *connections, struct admission *admission)
{
	if (!has_identity(&admission->identity))
		return;
	pthread_mutex_lock(&connections->lock);
	let_go_identity(connections, &admission->identity);
	pthread_mutex_unlock(&connections->lock);
}

void connections_release(struct connections *connections, struct admission *admission)
{
	pthread_mutex_lock(&connections->lock);
	connections->count -= !admission->whole;
	know(connections, admission);
	let_go_address(connections, &admission->address);
	let_go_identity(connections, &admission->identity);
	pthread_mutex_unlock(&connections->lock);
}

const struct address_key *admission_address(const struct admission *admission)
{
	bool has_own = admission->address.bytes[0] != MARK_NONE || !admission->whole;
	return has_own ? &admission->address : &admission->whole->address;
}

size_t connections_count(struct connections *connections)
{
	pthread_mutex_lock(&connections->lock);
	size_t count = connections->count;
	pthread_mutex_unlock(&connections->lock);
	return count;
}

size_t connections_identity_limit(const struct connections *connections)
{
	return connections->limits.identity;
}
