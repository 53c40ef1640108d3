#include "gateway/filter/glob.h"

/* A set "[...]" or one plain byte is an atom. Malformed sets mean what they mean in Redis (util.c, stringmatchlen): one
 * that is not closed ends with the pattern, "[^" alone takes any byte, "[]" none. Bytes are compared unsigned. */

/* Reads one member of a set at pattern[*at] and says whether it holds c. */
static bool member_holds(struct slice pattern, size_t *at, unsigned char c)
{
	const unsigned char *bytes = (const unsigned char *)pattern.ptr;
	size_t left = pattern.len - *at;
	if (left >= 2 && bytes[*at] == '\\') {
		*at += 2;
		return bytes[*at - 1] == c;
	}
	if (left >= 3 && bytes[*at + 1] == '-') {
		unsigned char low = bytes[*at], high = bytes[*at + 2];
		*at += 3;
		return low <= high ? low <= c && c <= high : high <= c && c <= low;
	}
	return bytes[(*at)++] == c;
}

static bool set_holds(struct slice pattern, size_t *at, unsigned char c)
{
	bool negated = *at < pattern.len && pattern.ptr[*at] == '^';
	bool held = false;
	*at += negated;
	while (*at < pattern.len && pattern.ptr[*at] != ']') {
		if (member_holds(pattern, at, c))
			held = true;
	}
	if (*at < pattern.len)
		(*at)++;
	return held != negated;
}

/* Whether the atom at pattern[*at], which is no star, takes c; *at moves behind it. */
static bool atom_takes(struct slice pattern, size_t *at, unsigned char c)
{
	switch (pattern.ptr[(*at)++]) {
	case '?':
		return true;
	case '[':
		return set_holds(pattern, at, c);
	case '\\':
		if (*at < pattern.len)
			return (unsigned char)pattern.ptr[(*at)++] == c;
		return c == '\\';
	default:
		return (unsigned char)pattern.ptr[*at - 1] == c;
	}
}

/* Going back to the latest star is enough: if what stands between two stars fits somewhere, its first fit leaves the
 * most to the rest. So each byte of the text starts at most one attempt for each star, never one for each combination.
 */
bool glob_match(struct slice pattern, struct slice text)
{
	size_t at = 0, position = 0;
	size_t star = pattern.len, retry = 0; /* behind the latest star, and the next place in text to try from there */
	bool has_star = false;
	while (position < text.len) {
		if (at < pattern.len && pattern.ptr[at] == '*') {
			while (at < pattern.len && pattern.ptr[at] == '*')
				at++;
			if (at == pattern.len)
				return true;
			has_star = true;
			star = at;
			retry = position;
			continue;
		}
		if (at < pattern.len && atom_takes(pattern, &at, (unsigned char)text.ptr[position])) {
			position++;
			continue;
		}
		if (!has_star)
			return false;
		at = star;
		position = ++retry;
	}
	while (at < pattern.len && pattern.ptr[at] == '*')
		at++;
	return at == pattern.len;
}

bool glob_is_exact(struct slice pattern)
{
	for (size_t at = 0; at < pattern.len; at++) {
		char c = pattern.ptr[at];
		if (c == '*' || c == '?' || c == '[' || c == '\\')
			return false;
	}
	return true;
}
