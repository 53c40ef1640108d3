#include "gateway/auth/keyset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/openssl.h"

_Static_assert(API_KEY_DIGEST_BYTES == SHA256_DIGEST_LENGTH, "the digest is SHA-256");

struct keyset *keyset_new(void)
{
	struct keyset *keyset = calloc(1, sizeof *keyset);
	if (keyset)
		refcount_init(&keyset->refs);
	return keyset;
}

struct keyset *keyset_ref(struct keyset *keyset)
{
	refcount_take(&keyset->refs);
	return keyset;
}

void keyset_unref(struct keyset *keyset)
{
	if (!keyset || !refcount_drop(&keyset->refs))
		return;
	for (size_t i = 0; i < keyset->verifier_count; i++)
		verifier_fini(&keyset->verifiers[i]);
	for (size_t i = 0; i < keyset->api_key_count; i++)
		grants_unref(keyset->api_keys[i].grants);
	OPENSSL_cleanse(keyset->api_keys, keyset->api_key_count * sizeof *keyset->api_keys);
	free(keyset->verifiers);
	free(keyset->api_keys);
	free(keyset);
}

enum err keyset_add(struct keyset *keyset, const struct verifier *verifier)
{
	if (keyset->verifier_count == KEYSET_VERIFIERS_MAX)
		return ERR_LIMIT;
	struct verifier *more = realloc(keyset->verifiers, (keyset->verifier_count + 1) * sizeof *more);
	if (!more)
		return ERR_NOMEM;
	keyset->verifiers = more;
	more[keyset->verifier_count++] = *verifier;
	return OK;
}

void keyset_digest(struct slice api_key, unsigned char ret_digest[API_KEY_DIGEST_BYTES])
{
	SHA256((const unsigned char *)api_key.ptr, api_key.len, ret_digest);
}

/* How many of the digests are below. How long that takes tells of the digest of what the peer sent, of no key. */
static size_t count_below(const struct keyset *keyset, const unsigned char digest[API_KEY_DIGEST_BYTES])
{
	size_t low = 0, high = keyset->api_key_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct slice there = {(const char *)keyset->api_keys[middle].digest, API_KEY_DIGEST_BYTES};
		if (slice_compare(there, (struct slice){(const char *)digest, API_KEY_DIGEST_BYTES}) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct api_key *keyset_find(const struct keyset *keyset, const unsigned char digest[API_KEY_DIGEST_BYTES])
{
	size_t at = count_below(keyset, digest);
	if (at == keyset->api_key_count)
		return NULL;
	struct api_key *found = &keyset->api_keys[at];
	return CRYPTO_memcmp(found->digest, digest, API_KEY_DIGEST_BYTES) == 0 ? found : NULL;
}

enum err keyset_read_secret(struct slice text, unsigned allowed, struct keyset *keyset, char ret_why[KEYSET_WHY])
{
	struct verifier verifier;
	char why[VERIFIER_WHY] = "out of memory";
	enum err error = verifier_of_secret(text, &verifier, why);
	if (error == OK) {
		error = verifier_pin(&verifier, allowed, why);
		if (error == OK)
			error = keyset_add(keyset, &verifier);
		if (error != OK)
			verifier_fini(&verifier);
	}
	snprintf(ret_why, KEYSET_WHY, "%s", why);
	return error;
}
