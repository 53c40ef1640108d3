#include "gateway/auth/algorithm.h"

const struct algorithm_facts algorithms[ALGORITHMS] = {
    [ALGORITHM_HS256] = {.name = "HS256", .family = FAMILY_HMAC, .digest = "SHA256", .secret_bytes = 32},
    [ALGORITHM_HS384] = {.name = "HS384", .family = FAMILY_HMAC, .digest = "SHA384", .secret_bytes = 48},
    [ALGORITHM_HS512] = {.name = "HS512", .family = FAMILY_HMAC, .digest = "SHA512", .secret_bytes = 64},
    [ALGORITHM_RS256] = {.name = "RS256", .family = FAMILY_RSA_PKCS1, .digest = "SHA256"},
    [ALGORITHM_RS384] = {.name = "RS384", .family = FAMILY_RSA_PKCS1, .digest = "SHA384"},
    [ALGORITHM_RS512] = {.name = "RS512", .family = FAMILY_RSA_PKCS1, .digest = "SHA512"},
    [ALGORITHM_PS256] = {.name = "PS256", .family = FAMILY_RSA_PSS, .digest = "SHA256"},
    [ALGORITHM_PS384] = {.name = "PS384", .family = FAMILY_RSA_PSS, .digest = "SHA384"},
    [ALGORITHM_PS512] = {.name = "PS512", .family = FAMILY_RSA_PSS, .digest = "SHA512"},
    [ALGORITHM_ES256] =
        {
            .name = "ES256",
            .family = FAMILY_EC,
            .digest = "SHA256",
            .curve = "P-256",
            .group = "prime256v1",
            .coordinate_bytes = 32,
        },
    [ALGORITHM_ES384] =
        {
            .name = "ES384",
            .family = FAMILY_EC,
            .digest = "SHA384",
            .curve = "P-384",
            .group = "secp384r1",
            .coordinate_bytes = 48,
        },
    [ALGORITHM_ES512] =
        {
            .name = "ES512",
            .family = FAMILY_EC,
            .digest = "SHA512",
            .curve = "P-521",
            .group = "secp521r1",
            .coordinate_bytes = 66,
        },
};

bool algorithm_find(struct slice name, enum algorithm *ret_algorithm)
{
	for (int algorithm = 0; algorithm < ALGORITHMS; algorithm++) {
		if (slice_is(name, algorithms[algorithm].name)) {
			*ret_algorithm = (enum algorithm)algorithm;
			return true;
		}
	}
	return false;
}

unsigned algorithm_family(enum algorithm_family family)
{
	unsigned set = 0;
	for (int algorithm = 0; algorithm < ALGORITHMS; algorithm++) {
		if (algorithms[algorithm].family == family)
			set |= ALGORITHM_BIT(algorithm);
	}
	return set;
}
