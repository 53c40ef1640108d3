#include "common/client/elements.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The length of the value at the front, up to the comma or bracket that ends it, white space behind it included. */
static size_t value_length(struct slice text)
{
	size_t depth = 0;
	bool in_string = false;
	for (size_t at = 0; at < text.len; at++) {
		char c = text.ptr[at];
		if (in_string) {
			if (c == '\\')
				at++;
			else
				in_string = c != '"';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			depth++;
		} else if (depth == 0 && (c == ',' || c == ']')) {
			return at;
		} else if (c == ']' || c == '}') {
			depth--;
		}
	}
	return text.len;
}

bool tgc_elements_next(struct slice *rest, struct slice *ret_element)
{
	/* In front of each element stands the array's bracket or the comma that ended the one before. */
	if (rest->len == 0 || (rest->ptr[0] != '[' && rest->ptr[0] != ','))
		return false;
	struct slice text = {rest->ptr + 1, rest->len - 1};
	while (text.len && is_space(text.ptr[0]))
		text = (struct slice){text.ptr + 1, text.len - 1};
	size_t len = value_length(text);
	*rest = (struct slice){text.ptr + len, text.len - len};
	while (len && is_space(text.ptr[len - 1]))
		len--;
	*ret_element = (struct slice){text.ptr, len};
	return len > 0;
}
