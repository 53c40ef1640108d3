/* What the files of the fold share; nobody else includes it. fold.c lays the document out, writes it and reads it back, fold_event.c
 * takes events in. */
#ifndef GATEWAY_HISTORY_FOLD_INSIDE_H
#define GATEWAY_HISTORY_FOLD_INSIDE_H

#include "gateway/history/fold.h"

/* The members of the document and of an entity that the fold itself writes. */
enum own_name {
	NAME_SESSION,
	NAME_SINCE,
	NAME_EVENTS,
	NAME_TYPE,
	NAME_UPDATED,
	NAME_COUNT,
	NAME_VALUE,
	NAME_KINDS, /* and behind it one for each enum record_kind */
	NAMES = NAME_KINDS + 4
};


/* The fields of a payload that the fold looks at: those with several names begin at the first. */
enum field {
	FIELD_TYPE,
	FIELD_AGENT = FIELD_TYPE + INTAKE_NAMES_MAX,
	FIELD_SPAN = FIELD_AGENT + INTAKE_NAMES_MAX,
	FIELD_TRACE,
	FIELD_SWARM,
	FIELD_METRIC,
	FIELD_STATE,
	FIELD_DATA,
	FIELDS
};

struct fold_rules {
	const struct intake_fields *fields;
	uint64_t seed;
	uint32_t own_hashes[NAMES];
	struct {
		struct slice name;
		uint32_t hash;
		enum field field;
	} wanted[FIELDS];
	size_t wanted_count;
	uint64_t marks; /* of all hashes: most members of a payload are none of these */
	struct json_flat flat;
};

/* The members of an entity; type may be missing. */
struct entity {
	struct json_object *object;
	struct json_member *type, *updated, *count, *value;
};

struct json_member *fold_find_own(const struct fold *fold, const struct json_object *object, enum own_name name,
                                  struct json_member *hint);
struct json_member *fold_add_own(struct fold *fold, struct json_object *object, enum own_name name) MUST_USE; /* NULL: no memory */
bool fold_add_own_text(struct fold *fold, struct json_object *object, enum own_name name, struct slice text) MUST_USE;
bool fold_find_entity(const struct fold *fold, const struct json_member *member, struct entity *ret_entity); /* false: it is none */
struct slice fold_quote_id(char quoted[RECORD_ID_TEXT + 2], struct record_id id);
static inline uint64_t fold_mark_of(uint32_t hash)
{
	return UINT64_C(1) << (hash & 63);
}

#endif
