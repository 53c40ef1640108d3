/* JSON, strictly: RFC 8259 grammar over RFC 3629 UTF-8, no extension, nesting up to JSON_DEPTH_MAX, any top-level value.
 * Nothing here recurses, so depth costs no stack. Lone surrogate escapes ("\ud800") are valid JSON text and are kept as
 * they are in text that is passed on; where a string is unescaped they become U+FFFD.
 * All functions are pure and may run on any thread. */
#ifndef COMMON_CODEC_JSON_H
#define COMMON_CODEC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/buf.h"
#include "common/protocol/value.h"

#define JSON_DEPTH_MAX 128

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* What is wrong, and at which byte: "expected ',' or '}'" at 17. */
struct json_error {
	size_t at;
	const char *message; /* static */
};

/* True if text is exactly one JSON value with nothing but white space around it. ret_kind (may be NULL) gets its kind. */
bool json_is_valid(struct slice text, enum json_kind *ret_kind, struct json_error *ret_error /* may be NULL */);

/* True if the bytes are valid UTF-8 (no overlong form, no surrogate, nothing above U+10FFFF). */
bool json_is_utf8(struct slice bytes);

/* In a document that json_is_valid accepted: the raw text of what an RFC 6901 pointer names, quotes included.
 * Of duplicate keys the last wins. Keys are compared unescaped. False when nothing is there. */
bool json_find(struct slice valid_json, struct slice pointer, struct slice *ret_raw, enum json_kind *ret_kind);
bool json_is_pointer(struct slice pointer); /* "" or "/...", "~" only as "~0" or "~1" */

/* Validates and calls member() for each member of a top-level object, in order, in one pass; key is raw (between its
 * quotes, still escaped), value is the raw text. Members seen before an error is found are still reported: the caller
 * discards them on false. Returns as json_is_valid. */
typedef void json_member(void *context, struct slice raw_key, struct slice raw_value, enum json_kind kind);
bool json_scan(struct slice text, json_member *member, void *context, enum json_kind *ret_kind);
/* The same with a lower limit for nesting, depth_max <= JSON_DEPTH_MAX. */
bool json_scan_within(struct slice text, unsigned depth_max, json_member *member, void *context, enum json_kind *ret_kind);

/* Unescapes the inside of a valid JSON string (without its quotes) to UTF-8. Never longer than the input; may be
 * done in place. */
size_t json_unescape(struct slice raw_inside, char *ret_text);
bool json_has_escapes(struct slice raw_inside);
/* True if the inside of a valid JSON string, unescaped, is this text. */
bool json_string_is(struct slice raw_inside, struct slice text);
/* The way back: writes text as the inside of a JSON string, as json_append_string() does, and gives the length that
 * takes. NULL: only counts. */
size_t json_escape(struct slice text, char *ret_inside);

/* Compares two JSON numbers by their exact value, whatever their spelling (1.0 == 1, 1e400 > 1e399). -1, 0, 1. */
int json_number_compare(struct slice a, struct slice b);

/* Parses into a tree; duplicate keys and keys holding NUL are ERR_INVALID. The tree and its text live in the arena. */
enum err json_decode(struct arena *arena, struct slice text, struct value **ret_value, struct json_error *ret_error) MUST_USE;

void json_encode(struct buf *out, const struct value *value);
/* "text" with quotes and escapes. Bytes that are not UTF-8 become U+FFFD. The rest of the string stays as it is, except
 * that control characters, '"' and '\' are escaped. */
void json_append_string(struct buf *out, struct slice text);

#endif
