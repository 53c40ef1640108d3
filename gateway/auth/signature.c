/* Signatures of tokens, as RFC 7518 section 3 has them. */
#include <string.h>

#include "gateway/auth/openssl.h"
#include "gateway/auth/verifier.h"

#define DER_BYTES_MAX 160 /* holds an ECDSA-Sig-Value of P-521 */

static enum err check_hmac(const struct verifier *verifier, const EVP_MD *digest, struct slice text,
                           struct slice signature)
{
	unsigned char wanted[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	if (!HMAC(digest, verifier->secret.bytes, (int)verifier->secret.len, (const unsigned char *)text.ptr, text.len,
	          wanted, &len))
		return ERR_NOMEM;
	bool is_same = signature.len == len && CRYPTO_memcmp(wanted, signature.ptr, len) == 0;
	OPENSSL_cleanse(wanted, sizeof wanted);
	return is_same ? OK : ERR_DENIED;
}

/* A token has r and s side by side, each as long as a coordinate; OpenSSL wants the ASN.1 form. Gives its length; 0:
 * the signature has another length, or memory is out. */
static size_t der_of(struct slice signature, size_t coordinate_bytes, unsigned char ret_der[DER_BYTES_MAX])
{
	int len = 0;
	if (signature.len != 2 * coordinate_bytes)
		return 0;
	const unsigned char *bytes = (const unsigned char *)signature.ptr;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(bytes, (int)coordinate_bytes, NULL);
	BIGNUM *s = BN_bin2bn(bytes + coordinate_bytes, (int)coordinate_bytes, NULL);
	if (pair && r && s && ECDSA_SIG_set0(pair, r, s)) {
		r = s = NULL; /* the pair's */
		if (i2d_ECDSA_SIG(pair, NULL) <= DER_BYTES_MAX)
			len = i2d_ECDSA_SIG(pair, &ret_der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(pair);
	return len > 0 ? (size_t)len : 0;
}

static bool set_padding(EVP_PKEY_CTX *context, enum algorithm_family family)
{
	if (family == FAMILY_RSA_PKCS1)
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
	if (family == FAMILY_RSA_PSS) /* MGF1 with the same digest is what OpenSSL takes by itself */
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0;
	return true;
}

static enum err check_public(const struct verifier *verifier, const struct algorithm_facts *facts, const EVP_MD *digest,
                             struct slice text, struct slice signature)
{
	unsigned char der[DER_BYTES_MAX];
	if (facts->family == FAMILY_EC) {
		signature = (struct slice){(const char *)der, der_of(signature, facts->coordinate_bytes, der)};
		if (signature.len == 0)
			return ERR_DENIED;
	}
	EVP_PKEY_CTX *context = NULL; /* the digest's */
	EVP_MD_CTX *verifying = EVP_MD_CTX_new();
	if (!verifying)
		return ERR_NOMEM;
	enum err error = ERR_NOMEM;
	if (EVP_DigestVerifyInit(verifying, &context, digest, NULL, verifier->public_key) == 1 &&
	    set_padding(context, facts->family))
		error = EVP_DigestVerify(verifying, (const unsigned char *)signature.ptr, signature.len,
		                         (const unsigned char *)text.ptr, text.len) == 1
		            ? OK
		            : ERR_DENIED;
	EVP_MD_CTX_free(verifying);
	return error;
}

enum err verifier_check(const struct verifier *verifier, enum algorithm algorithm, struct slice text,
                        struct slice signature)
{
	const struct algorithm_facts *facts = &algorithms[algorithm];
	if (!(verifier->algorithms & ALGORITHM_BIT(algorithm)) || signature.len == 0)
		return ERR_DENIED;
	const EVP_MD *digest = EVP_get_digestbyname(facts->digest);
	if (!digest)
		return ERR_NOMEM;
	enum err error = verifier->kind == VERIFIER_SECRET ? check_hmac(verifier, digest, text, signature)
	                                                   : check_public(verifier, facts, digest, text, signature);
	if (error != OK)
		ERR_clear_error(); /* the queue belongs to the thread, and others look into it after calls of theirs */
	return error;
}
