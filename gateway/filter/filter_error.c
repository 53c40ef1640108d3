#include <stdarg.h>
#include <stdio.h>

#include "gateway/filter/where.h"

enum err filter_refuse(struct filter_error *ret_error, enum err code, const char *where, const char *format, ...)
{
	va_list arguments;
	snprintf(ret_error->where, sizeof ret_error->where, "%s", where);
	va_start(arguments, format);
	vsnprintf(ret_error->message, sizeof ret_error->message, format, arguments);
	va_end(arguments);
	return code;
}

int filter_shown_len(struct slice text)
{
	size_t len = text.len;
	if (len > FILTER_SHOWN_BYTES) {
		len = FILTER_SHOWN_BYTES;
		while (len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
			len--;
	}
	return (int)len;
}

static bool is_listed(struct slice key, const char *const *allowed)
{
	for (; *allowed; allowed++) {
		if (slice_is(key, *allowed))
			return true;
	}
	return false;
}

enum err filter_check_keys(const struct value *map, const char *where, const char *const *allowed,
                           struct filter_error *ret_error)
{
	char names[80] = "";
	for (const struct value *member = map->list.first; member; member = member->next) {
		if (is_listed(member->key, allowed))
			continue;
		for (size_t i = 0, len = 0; allowed[i] && len < sizeof names; i++)
			len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i ? ", " : "", allowed[i]);
		return filter_refuse(ret_error, ERR_INVALID, where, "unknown key \"%.*s\"; allowed: %s",
		                     filter_shown_len(member->key), member->key.ptr, names);
	}
	return OK;
}
