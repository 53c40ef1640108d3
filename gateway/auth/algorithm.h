/* The signature algorithms of tokens (RFC 7518 section 3) that this gateway knows, as a table. "none" is not among them. A set
 * of algorithms is a word with a bit for each. Pure. */
#ifndef GATEWAY_AUTH_ALGORITHM_H
#define GATEWAY_AUTH_ALGORITHM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/slice.h"

enum algorithm {
	ALGORITHM_HS256,
	ALGORITHM_HS384,
	ALGORITHM_HS512,
	ALGORITHM_RS256,
	ALGORITHM_RS384,
	ALGORITHM_RS512,
	ALGORITHM_PS256,
	ALGORITHM_PS384,
	ALGORITHM_PS512,
	ALGORITHM_ES256,
	ALGORITHM_ES384,
	ALGORITHM_ES512,
	ALGORITHMS,
};

enum algorithm_family { FAMILY_HMAC, FAMILY_RSA_PKCS1, FAMILY_RSA_PSS, FAMILY_EC };

struct algorithm_facts {
	const char *name; /* as "alg" spells it, exactly */
	enum algorithm_family family;
	const char *digest;  /* as OpenSSL names it */
	size_t secret_bytes; /* HMAC: the shortest secret, as long as the digest (RFC 7518 section 3.2) */
	const char *curve;   /* EC: "crv" */
	const char *group;   /* EC: the curve as OpenSSL names it */
	size_t coordinate_bytes;
};

extern const struct algorithm_facts algorithms[ALGORITHMS];

#define ALGORITHM_BIT(algorithm) (1u << (algorithm))
#define ALGORITHM_ALL (ALGORITHM_BIT(ALGORITHMS) - 1)

bool algorithm_find(struct slice name, enum algorithm *ret_algorithm);
unsigned algorithm_family(enum algorithm_family family); /* the set of its algorithms */

#endif
