/* A JSON object that is changed in place: a tree of objects whose members stand in the order in which they first came. All else
 * - strings, numbers, literals, whole arrays - is text, kept as it was spelled. An object of many members finds them by hash.
 * Keys are spelled as json_key_spell() gives them, hashes are json_key_hash() with the document's seed. Owned by one thread. */
#ifndef COMMON_CODEC_JSON_DOCUMENT_H
#define COMMON_CODEC_JSON_DOCUMENT_H

#include "common/base/pool.h"
#include "common/codec/json_flat.h"

struct json_object;

struct json_member {
	struct json_member *next, *previous; /* in their object */
	struct json_object *object;          /* NULL: it is text */
	char *text;
	uint32_t text_len, text_room;
	uint32_t hash, key_len;
	char key[];
};

struct json_object {
	struct json_member *first, *last;
	struct json_member **slots; /* NULL while the members are few */
	uint32_t count, slot_count;
};

struct json_document {
	struct pool pool; /* pool.bytes: the memory that it takes */
	uint64_t seed;
	struct json_object root;
};

void json_document_init(struct json_document *document, size_t limit_bytes, uint64_t seed);
void json_document_fini(struct json_document *document);

/* hint: a member that is likely to be the one, or NULL. NULL: there is none of that key. */
struct json_member *json_object_find(const struct json_object *object, struct slice key, uint32_t hash,
                                     struct json_member *hint);
struct slice json_member_key(const struct json_member *member);
struct slice json_member_text(const struct json_member *member);

/* Of an object of the document. The key must be new; the member is the text null until it is set. NULL: no memory. */
struct json_member *json_document_add(struct json_document *document, struct json_object *object, struct slice key,
                                      uint32_t hash) MUST_USE;
void json_document_remove(struct json_document *document, struct json_object *object, struct json_member *member);
void json_document_clear(struct json_document *document, struct json_object *object); /* removes all members */
/* Makes it text, or an object (an empty one, unless it is one). False, NULL: no memory, it is as it was. */
bool json_document_set_text(struct json_document *document, struct json_member *member, struct slice text) MUST_USE;
struct json_object *json_document_set_object(struct json_document *document, struct json_member *member) MUST_USE;

void json_object_write(const struct json_object *object, struct buf *out);

#endif
