/* The strict JSON grammar as a stream of pieces: the one place that decides what is JSON. Holds no memory and never
 * recurses: each open bracket is one bit that says whether it is an object's. Pieces are views into the text.
 * Private to this room; owned by one thread. */
#ifndef COMMON_CODEC_JSON_READER_H
#define COMMON_CODEC_JSON_READER_H

#include "common/codec/json.h"

enum json_piece_kind {
	JSON_PIECE_KEY,    /* raw: between its quotes */
	JSON_PIECE_SCALAR, /* raw: the literal or number, or a string with its quotes */
	JSON_PIECE_OPEN,   /* raw: the bracket; kind says which */
	JSON_PIECE_CLOSE,
};

struct json_piece {
	enum json_piece_kind piece;
	enum json_kind kind; /* of a scalar, or of what opens or closes */
	struct slice raw;
};

enum json_expected { JSON_VALUE, JSON_VALUE_OR_END, JSON_KEY, JSON_KEY_OR_END, JSON_COMMA_OR_END, JSON_NOTHING };

_Static_assert(JSON_DEPTH_MAX == 128, "the reader's stack has two words of bits");

struct json_reader {
	const unsigned char *start, *at, *end;
	enum json_expected expected;
	unsigned depth;     /* brackets that are open */
	unsigned depth_max; /* at most JSON_DEPTH_MAX */
	uint64_t low, high; /* a stack of JSON_DEPTH_MAX bits, its top the lowest: set where the bracket is '{' */
	const char *error;  /* NULL: none so far */
};

void json_reader_init(struct json_reader *reader, struct slice text);
/* False at the end of a complete document, and where reader->error says what is wrong at reader->at. */
bool json_reader_next(struct json_reader *reader, struct json_piece *ret_piece);
/* Reads on to the end of the value that this piece, the reader's last, begins, and gives its whole text. False: as
 * above. */
bool json_reader_value(struct json_reader *reader, const struct json_piece *first, struct slice *ret_raw);

#endif
