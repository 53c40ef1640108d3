/* The query of a target: decoded it is UTF-8 without NUL, no longer than it was, and no name stands in it twice. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"
#include "gateway/http/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct query query;
	const char *why = NULL;
	char *storage = malloc(len);
	size_t total = 0;
	if (query_read((struct slice){(const char *)bytes, len}, storage, &query, &why) == OK) {
		for (size_t i = 0; i < query.count; i++) {
			struct slice name = query.parameters[i].name, value = query.parameters[i].value;
			total += name.len + value.len;
			if (!json_is_utf8(name) || !json_is_utf8(value) || (value.len && memchr(value.ptr, 0, value.len) && !memchr(bytes, 0, len)))
				abort();
			for (size_t j = 0; j < i; j++)
				if (slice_equal(query.parameters[j].name, name))
					abort();
		}
		if (total > len)
			abort();
	} else if (!why) {
		abort();
	}
	free(storage);
	return 0;
}
