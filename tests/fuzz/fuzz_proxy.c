/* The PROXY header: a whole one is no longer than what came, and stays what it is with more behind it; less of it is never whole or bad. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct proxy_header header = {0}, again = {0};
	char *copy = malloc(len + 1); /* so that a sanitizer sees what is read behind the end */
	memcpy(copy, bytes, len);
	if (proxy_header_read((struct slice){copy, len}, &header) == PROXY_HEADER_COMPLETE) {
		if (header.len > len || header.len > PROXY_HEADER_MAX)
			abort();
		if (proxy_header_read((struct slice){copy, header.len}, &again) != PROXY_HEADER_COMPLETE || again.len != header.len ||
		    !ip_equal(&header.source, &again.source))
			abort();
		for (size_t shorter = 0; shorter < header.len; shorter++) {
			if (proxy_header_read((struct slice){copy, shorter}, &again) != PROXY_HEADER_PARTIAL)
				abort();
		}
	}
	free(copy);
	return 0;
}
