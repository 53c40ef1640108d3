/* A key that signatures of tokens are verified with: a secret, or a public key of RSA or EC. What it is decides which
 * algorithms it may be asked for, never the token: a public key has no bytes that could serve as a secret. Immutable once made, for
 * any thread; owned by a keyset. OpenSSL underneath. */
#ifndef GATEWAY_AUTH_VERIFIER_H
#define GATEWAY_AUTH_VERIFIER_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/auth/algorithm.h"

struct evp_pkey_st; /* EVP_PKEY */

#define VERIFIER_SECRET_BYTES_MIN 32
#define VERIFIER_RSA_BITS_MIN 2048
#define VERIFIER_RSA_BITS_MAX 8192 /* a larger one costs every client that is judged by it */
#define VERIFIER_WHY 160

enum verifier_kind { VERIFIER_SECRET, VERIFIER_RSA, VERIFIER_EC };

struct verifier {
	enum verifier_kind kind;
	unsigned algorithms; /* the set that it may be asked for; never empty once verifier_pin() was content */
	struct slice id;     /* "kid", owned; ptr NULL: it has none */
	uint64_t fingerprint; /* of the key itself; never 0 */
	union {
		struct {
			unsigned char *bytes; /* wiped when freed */
			size_t len;
		} secret;
		struct evp_pkey_st *public_key;
	};
};

/* Each makes a key with all algorithms that fit its kind and size. ERR_INVALID: ret_why says what is wrong with it; ERR_NOMEM. */
enum err verifier_of_secret(struct slice secret, struct verifier *ret_verifier, char ret_why[VERIFIER_WHY]) MUST_USE;
enum err verifier_of_public_key(struct evp_pkey_st *key, struct verifier *ret_verifier,
                                char ret_why[VERIFIER_WHY]) MUST_USE; /* takes a reference */
enum err verifier_of_rsa(struct slice modulus, struct slice exponent, struct verifier *ret_verifier,
                         char ret_why[VERIFIER_WHY]) MUST_USE; /* big endian */
enum err verifier_of_point(enum algorithm algorithm, struct slice x, struct slice y, struct verifier *ret_verifier,
                           char ret_why[VERIFIER_WHY]) MUST_USE; /* of the algorithm's curve */
void verifier_fini(struct verifier *verifier);

/* Narrows what it may be asked for. ERR_INVALID: nothing is left; ret_why says what the key would fit. */
enum err verifier_pin(struct verifier *verifier, unsigned allowed, char ret_why[VERIFIER_WHY]) MUST_USE;
enum err verifier_name(struct verifier *verifier, struct slice id) MUST_USE; /* copies; ERR_NOMEM */

/* Whether this is the key's signature of the text by an algorithm that the key is pinned to. signature: as in a token, its bytes.
 * ERR_DENIED: it is not. ERR_NOMEM. */
enum err verifier_check(const struct verifier *verifier, enum algorithm algorithm, struct slice text,
                        struct slice signature) MUST_USE;

#endif
