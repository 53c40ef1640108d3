/* The file of API keys. Whatever is refused says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/keyset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct slice patterns[] = {SLICE_LITERAL("trace:*"), SLICE_LITERAL("agent:*")};
	char why[KEYSET_WHY] = "";
	struct keyset *keyset = keyset_new();
	if (!keyset)
		return 0;
	enum err error = keyset_read_api_keys((struct slice){(const char *)bytes, len},
	                                      (struct filter_patterns){patterns, 2}, keyset, why);
	if (error != OK && (!memchr(why, '\0', sizeof why) || !*why))
		abort();
	for (size_t i = 0; error == OK && i < keyset->api_key_count; i++) {
		struct api_key *key = &keyset->api_keys[i];
		if (keyset_find(keyset, key->digest) != key || !key->grants->key || key->grants->identity.len == 0)
			abort();
	}
	keyset_unref(keyset);
	return 0;
}
