/* The log: what is said about it, wherever it is read or written. An event's id is its place in the log and the cursor that
 * clients hold; it is a Redis stream id, <ms>-<seq>, and means the same on every node.
 * The log has an epoch, a number made with it: another epoch is another log. An epoch begins at a base: what the log holds
 * up to the base it holds since an earlier epoch (0: it began empty). Pure values, any thread. */
#ifndef COMMON_PROTOCOL_LOG_H
#define COMMON_PROTOCOL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

/* A place in the log: a Redis stream id. Zero means none, or before everything. */
struct record_id {
	uint64_t ms, seq;
};

#define RECORD_ID_TEXT 48 /* bytes that hold any id in text, with the NUL */
extern const struct record_id RECORD_ID_MAX;

int record_id_compare(struct record_id a, struct record_id b); /* < 0, 0, > 0 */
bool record_id_is_before(struct record_id a, struct record_id b);
struct record_id record_id_earlier(struct record_id a, struct record_id b);
struct record_id record_id_later(struct record_id a, struct record_id b);
bool record_id_is_zero(struct record_id id);
struct record_id record_id_next(struct record_id id);     /* saturates at RECORD_ID_MAX */
struct record_id record_id_previous(struct record_id id); /* saturates at zero */
size_t record_id_write(char out[RECORD_ID_TEXT], struct record_id id); /* NUL-terminated; gives the length without it */
/* Exactly <ms>-<seq>, both decimal without a sign or leading zeros, both 64 bits. ERR_INVALID. */
enum err record_id_parse(struct slice text, struct record_id *ret_id) MUST_USE;

/* An epoch of the log as 16 lower-case hex digits, never 0. ERR_INVALID. */
enum err epoch_parse(struct slice text, uint64_t *ret_epoch) MUST_USE;

/* One entry as Redis holds it; the slices are borrowed. */
struct log_entry {
	struct record_id id;
	struct record_id before; /* the id before it in the log when it was written; zero: the first, or not known */
	struct slice channel, payload;
};

/* Where the log stands. */
struct log_position {
	uint64_t epoch;         /* 0: not known */
	struct record_id base;  /* of the epoch */
	struct record_id last;  /* the last id that was given */
};

/* A cursor as clients hold it: an id, and the epoch it belongs to. In text "<ms>-<seq>.<8 hex digits of the epoch's upper half>", or
 * a bare id, which belongs to whatever epoch there is. */
struct cursor {
	struct record_id id;
	bool has_epoch;
	uint32_t epoch;
};

#define CURSOR_TEXT (RECORD_ID_TEXT + 9)
uint32_t cursor_epoch(uint64_t log_epoch);
size_t cursor_write(char out[CURSOR_TEXT], struct record_id id, uint64_t log_epoch); /* as record_id_write */
enum err cursor_parse(struct slice text, struct cursor *ret_cursor) MUST_USE;       /* ERR_INVALID */

/* A moment as requests name it (docs/protocol.md, times): a cursor, ms since the epoch of Unix, an ISO 8601 time,
 * "earliest", "now" or relative to now ("-5m", "-250ms"). */
enum moment_kind { MOMENT_ID, MOMENT_MS, MOMENT_EARLIEST, MOMENT_NOW };
struct moment {
	enum moment_kind kind;
	struct cursor cursor; /* MOMENT_ID */
	uint64_t ms;          /* MOMENT_MS; ISO and relative times are resolved to it */
};

struct value;
/* value: a string or a number. ERR_INVALID, ERR_RANGE: ret_why says what is wrong and what is allowed. now_ms: wall clock. */
enum err moment_parse(const struct value *value, uint64_t now_ms, struct moment *ret_moment, char ret_why[128]) MUST_USE;
enum err moment_parse_text(struct slice text, uint64_t now_ms, struct moment *ret_moment, char ret_why[128]) MUST_USE;
/* The first and the last id that the moment names (a millisecond: all its events). MOMENT_EARLIEST: zero; MOMENT_NOW: last. */
struct record_id moment_first(const struct moment *moment, struct record_id last);
struct record_id moment_last(const struct moment *moment, struct record_id last);

#endif
