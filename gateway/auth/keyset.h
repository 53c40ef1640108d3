/* The keys that came out of one place, a file or an option: of tokens, and API keys with what they grant. Immutable once filled,
 * counted, for any thread; its secrets are wiped when it is freed. */
#ifndef GATEWAY_AUTH_KEYSET_H
#define GATEWAY_AUTH_KEYSET_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/refcount.h"
#include "gateway/auth/grants.h"
#include "gateway/auth/verifier.h"
#include "gateway/filter/filter.h"

#define KEYSET_VERIFIERS_MAX 64
#define KEYSET_API_KEYS_MAX 10000
#define KEYSET_WHY 200
#define API_KEY_DIGEST_BYTES 32 /* SHA-256 of the key */

struct api_key {
	unsigned char digest[API_KEY_DIGEST_BYTES];
	struct grants *grants; /* a reference, shared by all who come with it */
};

struct keyset {
	struct refcount refs;
	struct verifier *verifiers;
	size_t verifier_count;
	struct api_key *api_keys; /* sorted by digest */
	size_t api_key_count;
};

struct keyset *keyset_new(void) MUST_USE;
struct keyset *keyset_ref(struct keyset *keyset);
void keyset_unref(struct keyset *keyset); /* NULL is fine */

enum err keyset_add(struct keyset *keyset, const struct verifier *verifier) MUST_USE; /* owns it on success. ERR_LIMIT, ERR_NOMEM */
/* ret_digest: the SHA-256 of an API key. */
void keyset_digest(struct slice api_key, unsigned char ret_digest[API_KEY_DIGEST_BYTES]);
struct api_key *keyset_find(const struct keyset *keyset, const unsigned char digest[API_KEY_DIGEST_BYTES]); /* borrowed; NULL */

/* What fills one; text is what the file holds. ERR_INVALID, ERR_LIMIT: ret_why says what is wrong and where, and never holds a secret.
 * ERR_NOMEM. The keyset is to be dropped then. */
enum err keyset_read_secret(struct slice text, unsigned allowed, struct keyset *keyset, char ret_why[KEYSET_WHY]) MUST_USE;
/* A JSON Web Key Set. A key's own "alg" pins it, else allowed does. Keys for something else (use, key_ops, other kinds and algorithms)
 * are passed over, as RFC 7517 section 5 asks; one that is there to sign must be left. */
enum err keyset_read_jwks(struct slice text, unsigned allowed, struct keyset *keyset, char ret_why[KEYSET_WHY]) MUST_USE;
/* Public keys and certificates, one behind the other. */
enum err keyset_read_pem(struct slice text, unsigned allowed, struct keyset *keyset, char ret_why[KEYSET_WHY]) MUST_USE;
enum err keyset_read_api_keys(struct slice text, struct filter_patterns served, struct keyset *keyset,
                              char ret_why[KEYSET_WHY]) MUST_USE;

#endif
