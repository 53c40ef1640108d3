#include "gateway/http/query.h"

#include "common/codec/json.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Moves *storage behind what it wrote. */
static const char *decode(struct slice raw, char **storage, struct slice *ret_text)
{
	char *out = *storage;
	for (size_t at = 0; at < raw.len; at++) {
		char c = raw.ptr[at];
		if (c == '%') {
			int high = raw.len - at > 2 ? digit_of(raw.ptr[at + 1]) : -1;
			int low = high >= 0 ? digit_of(raw.ptr[at + 2]) : -1;
			if (low < 0)
				return "the query holds a \"%\" that two hexadecimal digits do not follow";
			c = (char)(high << 4 | low);
			if (c == '\0')
				return "the query holds %00";
			at += 2;
		} else if (c == '+') {
			c = ' ';
		}
		*out++ = c;
	}
	*ret_text = (struct slice){*storage, (size_t)(out - *storage)};
	*storage = out;
	return json_is_utf8(*ret_text) ? NULL : "the query holds bytes that are not UTF-8";
}

static struct slice take_until(struct slice *rest, char mark)
{
	const char *end = rest->len ? memchr(rest->ptr, mark, rest->len) : NULL;
	struct slice taken = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
	size_t used = taken.len + (end != NULL);
	*rest = (struct slice){used ? rest->ptr + used : rest->ptr, rest->len - used};
	return taken;
}

static bool has_name(const struct query *query, struct slice name)
{
	for (size_t i = 0; i < query->count; i++) {
		if (slice_equal(query->parameters[i].name, name))
			return true;
	}
	return false;
}

enum err query_read(struct slice text, char *storage, struct query *ret_query, const char **ret_why)
{
	ret_query->count = 0;
	while (text.len) {
		struct slice value = take_until(&text, '&');
		if (value.len == 0)
			continue;
		struct slice name = take_until(&value, '=');
		if (ret_query->count == QUERY_PARAMETERS_MAX) {
			*ret_why = "the query has too many parameters";
			return ERR_LIMIT;
		}
		const char *why = decode(name, &storage, &name);
		if (!why)
			why = decode(value, &storage, &value);
		if (!why && has_name(ret_query, name))
			why = "the query has a parameter twice";
		if (why) {
			*ret_why = why;
			return ERR_INVALID;
		}
		ret_query->parameters[ret_query->count].name = name;
		ret_query->parameters[ret_query->count++].value = value;
	}
	return OK;
}

bool query_get(const struct query *query, const char *name, struct slice *ret_value)
{
	for (size_t i = 0; i < query->count; i++) {
		if (slice_is(query->parameters[i].name, name)) {
			*ret_value = query->parameters[i].value;
			return true;
		}
	}
	return false;
}
