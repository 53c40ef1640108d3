/* MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) as a stream of pieces, and only what has a meaning in
 * JSON: no bin, no ext, no NaN or infinity; str is UTF-8; keys are str. Nothing is allocated and nothing recurses, whatever
 * lengths are declared; nesting ends at MSGPACK_DEPTH_MAX. Strings are views into the bytes.
 * Private to this room; owned by one thread. */
#ifndef COMMON_CODEC_MSGPACK_READ_H
#define COMMON_CODEC_MSGPACK_READ_H

#include "common/codec/msgpack.h"

enum msgpack_piece_kind {
	MSGPACK_NIL,
	MSGPACK_BOOL,
	MSGPACK_UINT,
	MSGPACK_INT, /* below 0 */
	MSGPACK_DOUBLE,
	MSGPACK_STRING,
	MSGPACK_KEY,
	MSGPACK_ARRAY, /* opens; so does a map */
	MSGPACK_MAP,
	MSGPACK_END, /* of what was opened last; takes no byte; boolean: it was a map */
};

struct msgpack_piece {
	enum msgpack_piece_kind kind;
	union {
		bool boolean;
		uint64_t uint;
		int64_t sint;
		double real;
		struct slice text; /* of a string or a key */
	};
};

struct msgpack_reader {
	const unsigned char *start, *at, *end;
	bool is_done; /* the value is complete but for its ends */
	unsigned depth;
	struct {
		uint64_t left; /* pieces to come, a key and its value each one; so in a map an even number means a key */
		bool is_map;
	} open[MSGPACK_DEPTH_MAX];
	const char *error; /* NULL: none so far */
};

void msgpack_reader_init(struct msgpack_reader *reader, struct slice bytes);
/* False at the end of exactly one complete value, and where reader->error says what is wrong at reader->at. */
bool msgpack_reader_next(struct msgpack_reader *reader, struct msgpack_piece *ret_piece);

#endif
