#include "gateway/auth/verifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/openssl.h"

#define PEM_START "-----BEGIN "
#define GROUP_NAME_MAX 64
#define POINT_BYTES_MAX (1 + 2 * 66)

static enum err refuse(char ret_why[VERIFIER_WHY], enum err error, const char *why)
{
	ERR_clear_error(); /* the queue belongs to the thread, and others look into it after calls of theirs */
	snprintf(ret_why, VERIFIER_WHY, "%s", why);
	return error;
}

static uint64_t fingerprint_of(const void *bytes, size_t len)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	uint64_t fingerprint = 0;
	SHA256(bytes, len, digest);
	memcpy(&fingerprint, digest, sizeof fingerprint);
	OPENSSL_cleanse(digest, sizeof digest);
	return fingerprint ? fingerprint : 1;
}

enum err verifier_of_secret(struct slice secret, struct verifier *ret_verifier, char ret_why[VERIFIER_WHY])
{
	struct verifier verifier = {.kind = VERIFIER_SECRET};
	char why[VERIFIER_WHY];
	if (secret.len < VERIFIER_SECRET_BYTES_MIN) {
		snprintf(why, sizeof why,
		         "a secret of %zu bytes is too short; at least %d bytes are needed (RFC 7518 section 3.2)",
		         secret.len, VERIFIER_SECRET_BYTES_MIN);
		return refuse(ret_why, ERR_INVALID, why);
	}
	if (secret.len >= strlen(PEM_START) && CRYPTO_memcmp(secret.ptr, PEM_START, strlen(PEM_START)) == 0)
		return refuse(ret_why, ERR_INVALID,
		              "this is a key in PEM, and no secret; auth.jwt_public_key_file takes public keys");
	for (int algorithm = ALGORITHM_HS256; algorithm <= ALGORITHM_HS512; algorithm++) {
		if (secret.len >= algorithms[algorithm].secret_bytes)
			verifier.algorithms |= ALGORITHM_BIT(algorithm);
	}
	verifier.secret.bytes = malloc(secret.len);
	if (!verifier.secret.bytes)
		return refuse(ret_why, ERR_NOMEM, err_name(ERR_NOMEM));
	memcpy(verifier.secret.bytes, secret.ptr, secret.len);
	verifier.secret.len = secret.len;
	verifier.fingerprint = fingerprint_of(secret.ptr, secret.len);
	*ret_verifier = verifier;
	return OK;
}

static enum err fit_rsa(EVP_PKEY *key, struct verifier *verifier, char ret_why[VERIFIER_WHY])
{
	char why[VERIFIER_WHY];
	int bits = EVP_PKEY_get_bits(key);
	if (bits >= VERIFIER_RSA_BITS_MIN && bits <= VERIFIER_RSA_BITS_MAX) {
		verifier->kind = VERIFIER_RSA;
		verifier->algorithms = algorithm_family(FAMILY_RSA_PKCS1) | algorithm_family(FAMILY_RSA_PSS);
		return OK;
	}
	snprintf(why, sizeof why, "an RSA key of %d bits is refused; %d to %d bits are needed", bits,
	         VERIFIER_RSA_BITS_MIN, VERIFIER_RSA_BITS_MAX);
	return refuse(ret_why, ERR_INVALID, why);
}

static enum err fit_ec(EVP_PKEY *key, struct verifier *verifier, char ret_why[VERIFIER_WHY])
{
	char group[GROUP_NAME_MAX] = "";
	size_t len = 0;
	EVP_PKEY_get_group_name(key, group, sizeof group, &len);
	for (int algorithm = ALGORITHM_ES256; algorithm <= ALGORITHM_ES512; algorithm++) {
		if (slice_is(slice_of(group), algorithms[algorithm].group)) {
			verifier->kind = VERIFIER_EC;
			verifier->algorithms = ALGORITHM_BIT(algorithm);
			return OK;
		}
	}
	return refuse(ret_why, ERR_INVALID, "an EC key needs one of the curves P-256, P-384, P-521");
}

enum err verifier_of_public_key(EVP_PKEY *key, struct verifier *ret_verifier, char ret_why[VERIFIER_WHY])
{
	struct verifier verifier = {.public_key = key};
	enum err error;
	if (EVP_PKEY_is_a(key, "RSA"))
		error = fit_rsa(key, &verifier, ret_why);
	else if (EVP_PKEY_is_a(key, "EC"))
		error = fit_ec(key, &verifier, ret_why);
	else
		return refuse(ret_why, ERR_INVALID, "neither an RSA nor an EC key");
	if (error != OK)
		return error;
	unsigned char *encoded = NULL;
	int len = i2d_PUBKEY(key, &encoded);
	if (len <= 0)
		return refuse(ret_why, ERR_NOMEM, err_name(ERR_NOMEM));
	verifier.fingerprint = fingerprint_of(encoded, (size_t)len);
	OPENSSL_free(encoded);
	EVP_PKEY_up_ref(key);
	*ret_verifier = verifier;
	return OK;
}

/* Makes a public key of its parts; NULL where they are none, or memory is out. */
static EVP_PKEY *key_of_parts(const char *type, OSSL_PARAM_BLD *parts)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
	EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (params && making && EVP_PKEY_fromdata_init(making) == 1 &&
	    EVP_PKEY_fromdata(making, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(making);
	OSSL_PARAM_free(params);
	return key;
}

static enum err take_key(EVP_PKEY *key, const char *why_not, struct verifier *ret_verifier, char ret_why[VERIFIER_WHY])
{
	if (!key)
		return refuse(ret_why, ERR_INVALID, why_not);
	enum err error = verifier_of_public_key(key, ret_verifier, ret_why);
	EVP_PKEY_free(key);
	return error;
}

enum err verifier_of_rsa(struct slice modulus, struct slice exponent, struct verifier *ret_verifier,
                         char ret_why[VERIFIER_WHY])
{
	EVP_PKEY *key = NULL;
	if (modulus.len > VERIFIER_RSA_BITS_MAX / 8 + 1 || exponent.len > 8)
		return refuse(ret_why, ERR_INVALID, "the modulus or the exponent is too large");
	BIGNUM *n = BN_bin2bn((const unsigned char *)modulus.ptr, (int)modulus.len, NULL);
	BIGNUM *e = BN_bin2bn((const unsigned char *)exponent.ptr, (int)exponent.len, NULL);
	OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
	bool is_odd = n && e && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e);
	if (is_odd && parts && OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, e))
		key = key_of_parts("RSA", parts);
	OSSL_PARAM_BLD_free(parts);
	BN_free(e);
	BN_free(n);
	return take_key(key, "modulus and exponent are no RSA key", ret_verifier, ret_why);
}

enum err verifier_of_point(enum algorithm algorithm, struct slice x, struct slice y, struct verifier *ret_verifier,
                           char ret_why[VERIFIER_WHY])
{
	const struct algorithm_facts *facts = &algorithms[algorithm];
	unsigned char point[POINT_BYTES_MAX] = {4}; /* uncompressed: 4, x, y (SEC 1 section 2.3.3) */
	EVP_PKEY *key = NULL;
	size_t bytes = facts->coordinate_bytes;
	if (x.len != bytes || y.len != bytes)
		return refuse(ret_why, ERR_INVALID, "x and y must be as long as the curve's coordinates");
	memcpy(point + 1, x.ptr, bytes);
	memcpy(point + 1 + bytes, y.ptr, bytes);
	OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
	if (parts && OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, facts->group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * bytes))
		key = key_of_parts("EC", parts);
	OSSL_PARAM_BLD_free(parts);
	return take_key(key, "x and y are no point of the curve", ret_verifier, ret_why);
}

void verifier_fini(struct verifier *verifier)
{
	free((char *)(uintptr_t)verifier->id.ptr);
	if (verifier->kind != VERIFIER_SECRET) {
		EVP_PKEY_free(verifier->public_key);
		return;
	}
	OPENSSL_cleanse(verifier->secret.bytes, verifier->secret.len);
	free(verifier->secret.bytes);
}

enum err verifier_pin(struct verifier *verifier, unsigned allowed, char ret_why[VERIFIER_WHY])
{
	char names[ALGORITHMS * 8] = "";
	if (verifier->algorithms & allowed) {
		verifier->algorithms &= allowed;
		return OK;
	}
	for (int algorithm = 0, len = 0; algorithm < ALGORITHMS; algorithm++) {
		if (verifier->algorithms & ALGORITHM_BIT(algorithm))
			len += snprintf(names + len, sizeof names - (size_t)len, "%s%s", len ? ", " : "",
			                algorithms[algorithm].name);
	}
	snprintf(ret_why, VERIFIER_WHY, "none of the algorithms that are allowed fits this key, which could do %s",
	         names);
	return ERR_INVALID;
}

enum err verifier_name(struct verifier *verifier, struct slice id)
{
	char *copy = malloc(id.len + 1);
	if (!copy)
		return ERR_NOMEM;
	if (id.len)
		memcpy(copy, id.ptr, id.len);
	verifier->id = (struct slice){copy, id.len};
	return OK;
}
