/* MessagePack: requests are read strictly into values, values and JSON are written. The way from JSON is exact or it is not
 * gone: a number that fits neither 64 bits nor a double (number.h) is never rounded.
 * Strings that are written are UTF-8; bytes that are none become U+FFFD, as in JSON. All integers are in their shortest form,
 * all other numbers float 64. Pure; any thread. */
#ifndef COMMON_CODEC_MSGPACK_H
#define COMMON_CODEC_MSGPACK_H

#include "common/codec/json.h"

#define MSGPACK_DEPTH_MAX JSON_DEPTH_MAX

/* What is wrong, and at which byte. */
struct msgpack_error {
	size_t at;
	const char *message; /* static */
};

/* Parses exactly one value. ERR_INVALID for all that JSON could not say either (bin, ext, NaN, infinity, keys that are no
 * str), duplicate keys and keys holding NUL. A whole double up to 2^53 is an integer, since libraries write large integers
 * so. The tree and its text live in the arena. */
enum err msgpack_decode(struct arena *arena, struct slice bytes, struct value **ret_value, struct msgpack_error *ret_error) MUST_USE;
/* The JSON text of a member of a map that msgpack_decode accepted is appended. Here doubles stay doubles: 1.0 is "1.0".
 * False: there is no such member. */
bool msgpack_member(struct slice map, struct slice name, struct buf *out);

/* Numbers (VALUE_NUMBER) and ready JSON (VALUE_RAW) that do not fit are written as a str of their JSON text. */
void msgpack_encode(struct buf *out, const struct value *value);

/* Transcodes a JSON text. ERR_RANGE: it holds a number that does not fit; ERR_INVALID: it is no JSON; nothing is appended. */
enum err msgpack_append_json(struct buf *out, struct slice json) MUST_USE;

void msgpack_append_uint(struct buf *out, uint64_t number);
void msgpack_append_int(struct buf *out, int64_t number);
void msgpack_append_double(struct buf *out, double real);
void msgpack_append_string(struct buf *out, struct slice text);
void msgpack_append_text(struct buf *out, const char *text);
/* What follows is so many values, and so many keys with a value each. */
void msgpack_append_array(struct buf *out, size_t count);
void msgpack_append_map(struct buf *out, size_t count);

#endif
