/* Two JSON numbers, each on a line: their order must be the same from both sides, and never against
 * that of the doubles nearest to them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool is_number(struct slice text)
{
	enum json_kind kind = JSON_NULL;
	return json_is_valid(text, &kind, NULL) && kind == JSON_NUMBER && !memchr(text.ptr, ' ', text.len) &&
	       !memchr(text.ptr, '\t', text.len) && !memchr(text.ptr, '\r', text.len) &&
	       !memchr(text.ptr, '\n', text.len);
}

static double read_double(struct slice text)
{
	char copy[256];
	snprintf(copy, sizeof copy, "%.*s", (int)text.len, text.ptr);
	return strtod(copy, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *line_end = len && len < 256 ? memchr(bytes, '\n', len) : NULL;
	if (!line_end)
		return 0;
	struct slice a = {(const char *)bytes, (size_t)(line_end - bytes)};
	struct slice b = {(const char *)line_end + 1, len - a.len - 1};
	if (!is_number(a) || !is_number(b))
		return 0;
	int order = json_number_compare(a, b);
	if (json_number_compare(b, a) != -order || json_number_compare(a, a) != 0)
		abort();
	double left = read_double(a), right = read_double(b);
	if (left < right && order >= 0)
		abort();
	if (left > right && order <= 0)
		abort();
	return 0;
}
