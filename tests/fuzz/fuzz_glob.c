/* The first line is a pattern, the rest a text. A pattern without special bytes must match itself and nothing else. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/filter/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *line_end = len ? memchr(bytes, '\n', len) : NULL;
	if (!line_end)
		return 0;
	struct slice pattern = {(const char *)bytes, (size_t)(line_end - bytes)};
	struct slice text = {(const char *)line_end + 1, len - pattern.len - 1};
	bool matches = glob_match(pattern, text);
	if (glob_is_exact(pattern) && matches != slice_equal(pattern, text))
		abort();
	return 0;
}
