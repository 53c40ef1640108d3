/* Bytes come back from their text; text that decodes is the one text of its bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "common/codec/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void try_for_urls(struct slice input)
{
	struct slice decoded;
	char *text = malloc(BASE64URL_LEN(input.len) + 1), *back = malloc(input.len + 8);
	if (!text || !back)
		abort();
	base64url_encode(input, text);
	decoded.ptr = back;
	if (!base64url_decode((struct slice){text, BASE64URL_LEN(input.len)}, back, &decoded.len) || !slice_equal(decoded, input))
		abort();
	if (base64url_decode(input, back, &decoded.len)) {
		base64url_encode(decoded, text);
		if (!slice_equal((struct slice){text, BASE64URL_LEN(decoded.len)}, input))
			abort();
	}
	free(text);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice input = {(const char *)bytes, len}, decoded;
	char *text = malloc(BASE64_LEN(len) + 1), *back = malloc(BASE64_LEN(len) / 4 * 3 + 1);
	if (!text || !back)
		abort();
	base64_encode(input, text);
	decoded.ptr = back;
	if (!base64_decode((struct slice){text, BASE64_LEN(len)}, back, &decoded.len) || !slice_equal(decoded, input))
		abort();
	if (base64_decode(input, back, &decoded.len)) {
		base64_encode(decoded, text);
		if (!slice_equal((struct slice){text, BASE64_LEN(decoded.len)}, input))
			abort();
	}
	free(text);
	free(back);
	try_for_urls(input);
	return 0;
}
