/* A JSON text taken apart into a flat list of its values, in the order of the text: each knows where the next one beside it
 * stands, so that a walk needs no stack and no memory of its own. Of duplicate keys the last wins: the earlier ones are
 * marked. The list's memory is used again for the next text. Owned by one thread. */
#ifndef COMMON_CODEC_JSON_FLAT_H
#define COMMON_CODEC_JSON_FLAT_H

#include "common/base/arena.h"
#include "common/codec/json.h"
#include "common/data/buf.h"

struct json_node {
	struct slice key;  /* of a member: the inside of its string, spelled in the one way json_escape() writes it; else empty */
	struct slice raw;  /* scalars: the text, strings with quotes; arrays and objects: their opening bracket */
	uint32_t hash;     /* json_key_hash() of key */
	uint32_t end;      /* the index behind the value and all inside it */
	enum json_kind kind;
	bool is_dead;      /* a later member has the same key */
};

struct json_flat {
	struct json_node *nodes; /* nodes[0] is the whole */
	size_t count, capacity;
	uint64_t seed;      /* of the hashes: secret where publishers are not trusted, equal for all that meets in one tree */
	struct arena texts; /* keys that are not spelled as they stand in the text */
	uint32_t *slots;    /* for finding duplicates in an object of many members */
	size_t slot_count;
};

void json_flat_init(struct json_flat *flat, uint64_t seed);
void json_flat_fini(struct json_flat *flat);

/* Replaces what was there; text must outlive it. ERR_INVALID: no JSON, or nested deeper; ERR_NOMEM. */
enum err json_flat_read(struct json_flat *flat, struct slice text, unsigned depth_max) MUST_USE;
/* Without white space, and without what is dead. */
void json_flat_write(const struct json_flat *flat, size_t at, struct buf *out);

uint32_t json_key_hash(struct slice key, uint64_t seed);
/* The one spelling of a key that stands in a JSON text as raw_inside. Borrowed from it, or in the arena. False: no memory. */
bool json_key_spell(struct arena *texts, struct slice raw_inside, struct slice *ret_key);

#endif
