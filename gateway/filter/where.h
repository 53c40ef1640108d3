/* The conditions of a filter over the payload: where they are compiled, written and tried. Private to this room; what
 * the operators mean is said in filter.h. A condition lives in the arena of its filter and is immutable. */
#ifndef GATEWAY_FILTER_WHERE_H
#define GATEWAY_FILTER_WHERE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"
#include "common/codec/json.h"
#include "common/protocol/value.h"
#include "gateway/filter/filter.h"

enum where_op {
	WHERE_EQUAL,
	WHERE_NOT_EQUAL,
	WHERE_LESS,
	WHERE_LESS_EQUAL,
	WHERE_GREATER,
	WHERE_GREATER_EQUAL,
	WHERE_IN,
	WHERE_CONTAINS,
	WHERE_PREFIX,
	WHERE_GLOB,
	WHERE_EXISTS,
	WHERE_OPS
};

/* A value that conditions compare with: null, false, true, a number by its JSON spelling, or an unescaped string. */
struct scalar {
	enum json_kind kind;
	struct slice text; /* of a number or a string */
};

struct condition {
	enum where_op op;
	struct slice pointer;
	struct scalar *values; /* one; several for WHERE_IN; for WHERE_EXISTS one that is true or false */
	size_t value_count;
	struct slice canonical; /* equal exactly for equal conditions */
};

/* at: its place in the list, for the error. */
enum err condition_compile(struct arena *arena, const struct value *map, size_t at, struct condition *ret_condition,
                           struct filter_error *ret_error) MUST_USE;
/* payload is valid JSON. */
bool condition_match(const struct condition *condition, struct slice payload);

/* Sets the error and gives code back. Text beyond the error's room is cut. */
enum err filter_refuse(struct filter_error *ret_error, enum err code, const char *where, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Refuses the first key of map that is none of those listed (ending with NULL); OK if there is none. */
enum err filter_check_keys(const struct value *map, const char *where, const char *const *allowed,
                           struct filter_error *ret_error) MUST_USE;

/* A text of a peer's as errors show it: cut to FILTER_SHOWN_BYTES at a character's edge. For "%.*s". */
#define FILTER_SHOWN_BYTES 40
int filter_shown_len(struct slice text);

/* Appends "<length>:<bytes>": so no text can look like the end of another. */
void canonical_text(struct buf *out, struct slice text);

#endif
