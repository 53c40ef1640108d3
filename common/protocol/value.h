/* A value is a parsed request, or a reply before it is encoded: the data model that JSON and MessagePack share.
 * A tree lives in an arena and is immutable once built; text points into the arena or into bytes that outlive it.
 * Integers are exact from INT64_MIN to UINT64_MAX; a JSON number that is neither keeps its spelling (VALUE_NUMBER). */
#ifndef COMMON_PROTOCOL_VALUE_H
#define COMMON_PROTOCOL_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/slice.h"

enum value_kind {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_UINT,   /* uint: an integer >= 0 */
	VALUE_INT,    /* sint: an integer < 0 */
	VALUE_NUMBER, /* text: the JSON spelling of a number that is no 64-bit integer */
	VALUE_STRING, /* text: UTF-8, unescaped, may hold NUL */
	VALUE_RAW,    /* text: ready JSON, encoded as it is; never made by a decoder */
	VALUE_ARRAY,
	VALUE_MAP,    /* keys are unique; a decoder refuses duplicates */
};

struct value {
	enum value_kind kind;
	struct slice key;   /* in a map: this member's key */
	struct value *next; /* in an array or a map: the one behind */
	union {
		bool boolean;
		uint64_t uint;
		int64_t sint;
		struct slice text;
		struct {
			struct value *first, *last;
			size_t count;
		} list;
	};
};

const char *value_kind_name(enum value_kind kind); /* "null" "boolean" "number" "string" "array" "object"; "json" for VALUE_RAW */

/* The member of a map, NULL if there is none or map is no map (or NULL). */
const struct value *value_get(const struct value *map, const char *key);

/* Builders. All give NULL when memory is out, and take NULL for what came out of a failed builder, so that a whole
 * reply is checked once at its root. Text is borrowed, not copied. */
struct value *value_null(struct arena *arena);
struct value *value_bool(struct arena *arena, bool boolean);
struct value *value_uint(struct arena *arena, uint64_t number);
struct value *value_int(struct arena *arena, int64_t number);
struct value *value_string(struct arena *arena, struct slice text);
struct value *value_text(struct arena *arena, const char *text); /* static or arena text */
struct value *value_raw(struct arena *arena, struct slice json);
struct value *value_array(struct arena *arena);
struct value *value_map(struct arena *arena);
struct value *value_push(struct value *array, struct value *element);                  /* gives back array, or NULL */
struct value *value_put(struct value *map, const char *key, struct value *member);    /* gives back map, or NULL; key is borrowed and must be new */
struct value *value_copy(struct arena *arena, const struct value *value);             /* deep; shares text */

#endif
