/* Hashes of bytes (XXH3, https://xxhash.com): fast, well spread, equal on every machine; not against an adversary who may
 * choose freely. Pure. */
#ifndef COMMON_DATA_HASH_H
#define COMMON_DATA_HASH_H

#include <stdint.h>

#include "common/base/slice.h"

struct hash128 {
	uint8_t bytes[16]; /* the canonical (big endian) form */
};

uint64_t hash64(struct slice bytes, uint64_t seed);
struct hash128 hash128(struct slice bytes, uint64_t seed);

#endif
