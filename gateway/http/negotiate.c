#include "gateway/http/negotiate.h"

#include <string.h>

#define QUALITY_MAX 1000 /* thousandths */

/* Takes what comes before the next ";". */
static struct slice take_part(struct slice *rest)
{
	const char *end = rest->len ? memchr(rest->ptr, ';', rest->len) : NULL;
	struct slice part = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
	size_t used = part.len + (end != NULL);
	*rest = (struct slice){used ? rest->ptr + used : rest->ptr, rest->len - used};
	return slice_trim(part);
}

/* In thousandths: "0", "1", "0.5", "0.125"; what is no quality counts as none. */
static unsigned read_quality(struct slice text)
{
	if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1') || (text.len > 1 && text.ptr[1] != '.'))
		return 0;
	unsigned quality = (unsigned)(text.ptr[0] - '0') * QUALITY_MAX, unit = QUALITY_MAX / 10;
	for (size_t i = 2; i < text.len; i++, unit /= 10) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return 0;
		quality += (unsigned)(text.ptr[i] - '0') * unit;
	}
	return quality < QUALITY_MAX ? quality : QUALITY_MAX;
}

static unsigned quality_of(struct slice parameters)
{
	while (parameters.len) {
		struct slice part = take_part(&parameters);
		if (part.len >= 2 && (part.ptr[0] == 'q' || part.ptr[0] == 'Q') && part.ptr[1] == '=')
			return read_quality((struct slice){part.ptr + 2, part.len - 2});
	}
	return QUALITY_MAX;
}

/* How closely a range names a type: 0 not at all, then "*" "/" "*", its main type, itself. */
static unsigned closeness(struct slice range, struct slice type)
{
	const char *slash = memchr(type.ptr, '/', type.len);
	size_t main_len = slash ? (size_t)(slash - type.ptr) + 1 : 0;
	if (head_is_same_word(range, type))
		return 3;
	if (range.len == main_len + 1 && range.ptr[main_len] == '*' &&
	    head_is_same_word((struct slice){range.ptr, main_len}, (struct slice){type.ptr, main_len}))
		return 2;
	return slice_is(range, "*/*") ? 1 : 0;
}

/* What all Accept fields say of a type: the range that names it most closely counts. */
static unsigned acceptance(const struct head *head, struct slice type)
{
	unsigned closest = 0, quality = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		struct slice list = head->fields[i].value, element;
		if (!head_is_same_word(head->fields[i].name, SLICE_LITERAL("Accept")))
			continue;
		while (head_next_element(&list, &element)) {
			struct slice range = take_part(&element);
			unsigned close = closeness(range, type);
			if (close > closest) {
				closest = close;
				quality = quality_of(element);
			}
		}
	}
	return quality;
}

int negotiate_accept(const struct head *head, const char *const *offers, size_t count)
{
	struct slice value;
	size_t fields;
	int best = -1;
	unsigned best_quality = 0;
	(void)head_get(head, "Accept", &value, &fields);
	if (fields == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		unsigned quality = acceptance(head, slice_of(offers[i]));
		if (quality > best_quality) {
			best = (int)i;
			best_quality = quality;
		}
	}
	return best;
}

/* A coding that is named counts as that says, gzip that is not as "*" does, none at all as the least liked. */
bool negotiate_gzip(const struct head *head)
{
	unsigned gzip = 0, identity = 0;
	bool names_gzip = false;
	for (size_t i = 0; i < head->field_count; i++) {
		struct slice list = head->fields[i].value, element;
		if (!head_is_same_word(head->fields[i].name, SLICE_LITERAL("Accept-Encoding")))
			continue;
		while (head_next_element(&list, &element)) {
			struct slice coding = take_part(&element);
			unsigned quality = quality_of(element);
			bool is_gzip = head_is_same_word(coding, SLICE_LITERAL("gzip")) || head_is_same_word(coding, SLICE_LITERAL("x-gzip"));
			if (is_gzip || (slice_is(coding, "*") && !names_gzip))
				gzip = quality;
			else if (head_is_same_word(coding, SLICE_LITERAL("identity")))
				identity = quality;
			names_gzip |= is_gzip;
		}
	}
	return gzip > 0 && gzip >= identity;
}

bool negotiate_is_type(struct slice content_type, const char *type)
{
	return head_is_same_word(take_part(&content_type), slice_of(type));
}

int negotiate_content_type(const struct head *head, const char *const *types, size_t count)
{
	struct slice value;
	if (!head_get(head, "Content-Type", &value, NULL))
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (negotiate_is_type(value, types[i]))
			return (int)i;
	}
	return -1;
}
