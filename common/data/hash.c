#include "common/data/hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(struct slice bytes, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

struct hash128 hash128(struct slice bytes, uint64_t seed)
{
	XXH128_canonical_t canonical;
	struct hash128 hash;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(bytes.ptr, bytes.len, seed));
	memcpy(hash.bytes, canonical.digest, sizeof hash.bytes);
	return hash;
}
