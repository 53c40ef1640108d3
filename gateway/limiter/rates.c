#include "gateway/limiter/rates.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/data/hash.h"
#include "gateway/limiter/bucket.h"

#define SETS 8192 /* a power of two */

struct place {
	struct hash128 name;
	struct bucket bucket; /* zero, which counts as full, before its first use */
};

struct set {
	struct place places[RATES_PLACES];
};

struct rates {
	pthread_mutex_t lock; /* protects the sets */
	uint64_t seed; /* of the hashes of names, so that nobody can make two meet */
	struct set sets[SETS]; /* by the first bytes of a name */
};

struct rates *rates_new(void)
{
	struct rates *rates = calloc(1, sizeof *rates);
	if (!rates)
		return NULL;
	if (pthread_mutex_init(&rates->lock, NULL) != 0) {
		free(rates);
		return NULL;
	}
	struct random random;
	random_init(&random);
	rates->seed = random_next(&random);
	return rates;
}

void rates_free(struct rates *rates)
{
	if (!rates)
		return;
	pthread_mutex_destroy(&rates->lock);
	free(rates);
}

/* Identities and addresses have seeds of their own, so that none is ever taken for one of the others. */
static struct hash128 name_of(const struct rates *rates, struct slice identity, const struct address_key *address)
{
	if (identity.len)
		return hash128(identity, rates->seed);
	return hash128((struct slice){(const char *)address->bytes, sizeof address->bytes}, rates->seed + 1);
}

static struct set *set_of(struct rates *rates, const struct hash128 *name)
{
	uint64_t first;
	memcpy(&first, name->bytes, sizeof first);
	return &rates->sets[first % SETS];
}

static uint64_t until_full_ms(const struct bucket *bucket, uint64_t now_ns)
{
	return bucket_wait_ms(bucket, bucket->burst, now_ns);
}

/* The bucket of that name; if it has none, the one that is nearest to full becomes it. */
static struct bucket *bucket_of(struct set *set, const struct hash128 *name, uint64_t now_ns)
{
	struct place *fullest = set->places;
	for (size_t i = 0; i < RATES_PLACES; i++) {
		struct place *place = &set->places[i];
		if (memcmp(&place->name, name, sizeof *name) == 0)
			return &place->bucket;
		if (until_full_ms(&place->bucket, now_ns) < until_full_ms(&fullest->bucket, now_ns))
			fullest = place;
	}
	*fullest = (struct place){.name = *name};
	return &fullest->bucket;
}

static bool take_locked(struct bucket *bucket, uint64_t rate_per_s, uint64_t now_ns, uint64_t *ret_wait_ms)
{
	if (bucket->rate_per_s != rate_per_s)
		bucket_change(bucket, rate_per_s, 0, now_ns);
	if (bucket_take(bucket, 1, now_ns))
		return true;
	*ret_wait_ms = bucket_wait_ms(bucket, 1, now_ns);
	return false;
}

bool rates_take(struct rates *rates, struct slice identity, const struct address_key *address, uint64_t rate_per_s, uint64_t now_ns,
		uint64_t *ret_wait_ms)
{
	if (rate_per_s == 0 || (!identity.len && memcmp(address, &address_key_none, sizeof *address) == 0))
		return true;
	struct hash128 name = name_of(rates, identity, address);
	struct set *set = set_of(rates, &name);
	pthread_mutex_lock(&rates->lock);
	bool may = take_locked(bucket_of(set, &name, now_ns), rate_per_s, now_ns, ret_wait_ms);
	pthread_mutex_unlock(&rates->lock);
	return may;
}
