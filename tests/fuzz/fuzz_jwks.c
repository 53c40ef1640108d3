/* Key sets and PEM files. Whatever is taken can be asked; whatever is refused says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/keyset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

typedef enum err reader(struct slice text, unsigned allowed, struct keyset *keyset, char ret_why[KEYSET_WHY]);

static void try(reader *read_keys, struct slice text)
{
	char why[KEYSET_WHY] = "";
	struct keyset *keyset = keyset_new();
	if (!keyset)
		return;
	enum err error = read_keys(text, ALGORITHM_ALL, keyset, why);
	if (error != OK && (!memchr(why, '\0', sizeof why) || !*why))
		abort();
	for (size_t i = 0; error == OK && i < keyset->verifier_count; i++) {
		if (!keyset->verifiers[i].algorithms || !keyset->verifiers[i].fingerprint)
			abort();
		for (int algorithm = 0; algorithm < ALGORITHMS; algorithm++) {
			if (verifier_check(&keyset->verifiers[i], (enum algorithm)algorithm, SLICE_LITERAL("text"),
			                   SLICE_LITERAL("no signature of any key")) == OK)
				abort();
		}
	}
	keyset_unref(keyset);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice text = {(const char *)bytes, len};
	try(keyset_read_jwks, text);
	try(keyset_read_pem, text);
	return 0;
}
