/* A slice is a borrowed view of bytes: a pointer and a length, not NUL-terminated, may hold any byte.
 * Whoever hands one out says how long the bytes live. */
#ifndef COMMON_BASE_SLICE_H
#define COMMON_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *ptr; /* may be NULL when len is 0 */
	size_t len;
};

#define SLICE_NONE ((struct slice){NULL, 0})
#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})

static inline struct slice slice_of(const char *text) /* up to its NUL */
{
	return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
	return slice_equal(a, slice_of(text));
}

static inline bool slice_begins_with(struct slice text, struct slice prefix)
{
	return text.len >= prefix.len && slice_equal((struct slice){text.ptr, prefix.len}, prefix);
}

/* Whether one of its bytes is a control character of ASCII. */
static inline bool slice_has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c < ' ' || c == 0x7f)
			return true;
	}
	return false;
}

/* Without the spaces and tabs at both ends (OWS of RFC 9110 section 5.6.3). */
static inline struct slice slice_trim(struct slice text)
{
	while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = (struct slice){text.ptr + 1, text.len - 1};
	while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Like strcmp, over bytes; a prefix sorts first. */
static inline int slice_compare(struct slice a, struct slice b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

#endif
