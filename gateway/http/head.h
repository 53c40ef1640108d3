/* Reads the head of an HTTP/1.x request, strictly (RFC 9112): the request line and the header fields up to the empty line.
 * Pure; the caller collects bytes and asks again until the head is whole. Nothing is copied: fields point into the
 * caller's bytes. */
#ifndef GATEWAY_HTTP_HEAD_H
#define GATEWAY_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"

#define HEAD_FIELDS_MAX 100
#define HEAD_TARGET_MAX 12288 /* bytes: room for a token of 8 KiB and more in the query */
#define HEAD_WHY_PREFACE "this port speaks HTTP/1.1, not HTTP/2" /* why, for HEAD_VERSION and an HTTP/2 preface */

enum head_status {
	HEAD_PARTIAL,          /* more bytes are needed */
	HEAD_COMPLETE,
	HEAD_BAD,              /* 400; why says what */
	HEAD_TARGET_TOO_LONG,  /* 414 */
	HEAD_TOO_MANY_FIELDS,  /* 431 */
	HEAD_VERSION,          /* 505, or 400 for an HTTP/2 preface */
};

struct head_field {
	struct slice name, value; /* value without surrounding white space */
};

struct head {
	struct slice method, target;
	struct slice path, query;      /* of target; query without '?', both still percent-encoded */
	int minor;                     /* 1 or 0: HTTP/1.1 or 1.0 */
	struct head_field fields[HEAD_FIELDS_MAX];
	size_t field_count;
	size_t len;                    /* bytes of the whole head, the empty line included */
	const char *why;               /* static: what is wrong; NULL while nothing is */
};

/* Refused as bad: a bare CR or LF inside, a line folded, white space before the colon, no colon, an empty or non-token
 * name, control characters or NUL in a value, a target that is not origin-form. A bare LF ends no line. */
enum head_status head_read(struct slice bytes, struct head *ret_head);

/* The fields alone, as far as they can be read, of a head that cannot be read as a whole: who is refused for that may still have said
 * who may read the answer. Whatever stands in the first line is read over; without the end of that line there are none. */
void head_read_fields(struct slice bytes, struct head *ret_head);

/* The only field of that name (any case). False: there is none, or (ret_count > 1) more than one. ret_count may be NULL. */
bool head_get(const struct head *head, const char *name, struct slice *ret_value, size_t *ret_count);
/* Whether a comma-separated field lists the token (any case), over all fields of that name. */
bool head_lists(const struct head *head, const char *name, const char *token);
/* Takes the next element of a comma-separated list that is not empty, without the white space around it. */
bool head_next_element(struct slice *list, struct slice *ret_element);
/* Equal but for the case of ASCII letters. */
bool head_is_same_word(struct slice a, struct slice b);

#endif
