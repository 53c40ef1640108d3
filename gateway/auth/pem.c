/* Public keys in PEM (RFC 7468): SubjectPublicKeyInfo, RSA keys of PKCS #1, certificates. */
#include <stdio.h>
#include <string.h>

#include "gateway/auth/keyset.h"
#include "gateway/auth/openssl.h"

static EVP_PKEY *key_of_certificate(const unsigned char *bytes, long len)
{
	X509 *certificate = d2i_X509(NULL, &bytes, len);
	EVP_PKEY *key = certificate ? X509_get_pubkey(certificate) : NULL;
	X509_free(certificate);
	return key;
}

/* NULL: a block of that name is no public key, or a broken one. */
static EVP_PKEY *key_of_block(const char *name, const unsigned char *bytes, long len)
{
	if (slice_is(slice_of(name), "PUBLIC KEY"))
		return d2i_PUBKEY(NULL, &bytes, len);
	if (slice_is(slice_of(name), "RSA PUBLIC KEY"))
		return d2i_PublicKey(EVP_PKEY_RSA, NULL, &bytes, len);
	if (slice_is(slice_of(name), "CERTIFICATE"))
		return key_of_certificate(bytes, len);
	return NULL;
}

static enum err add_block(const char *name, const unsigned char *bytes, long len, unsigned allowed,
                          struct keyset *keyset, char why[VERIFIER_WHY])
{
	struct verifier verifier;
	EVP_PKEY *key = key_of_block(name, bytes, len);
	if (!key) {
		snprintf(why, VERIFIER_WHY, "%s",
		         strstr(name, "PRIVATE") ? "this is a private key; the gateway is to have the public part alone"
		                                 : "this is no public key and no certificate");
		return ERR_INVALID;
	}
	enum err error = verifier_of_public_key(key, &verifier, why);
	EVP_PKEY_free(key);
	if (error != OK)
		return error;
	error = verifier_pin(&verifier, allowed, why);
	if (error == OK) {
		error = keyset_add(keyset, &verifier);
		if (error != OK)
			snprintf(why, VERIFIER_WHY, "%s", error == ERR_LIMIT ? "too many keys" : err_name(error));
	}
	if (error != OK)
		verifier_fini(&verifier);
	return error;
}

static enum err add_blocks(BIO *text, unsigned allowed, struct keyset *keyset, char ret_why[KEYSET_WHY])
{
	char *name = NULL, *header = NULL, why[VERIFIER_WHY] = "";
	unsigned char *bytes = NULL;
	long len = 0;
	enum err error = OK;
	while (error == OK && PEM_read_bio(text, &name, &header, &bytes, &len)) {
		error = add_block(name, bytes, len, allowed, keyset, why);
		if (error != OK)
			snprintf(ret_why, KEYSET_WHY, "block %zu: %s", keyset->verifier_count + 1, why);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(bytes, (size_t)len);
	}
	if (error != OK)
		return error;
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		snprintf(ret_why, KEYSET_WHY, "block %zu: is no PEM", keyset->verifier_count + 1);
		return ERR_INVALID;
	}
	if (keyset->verifier_count == 0) {
		snprintf(ret_why, KEYSET_WHY, "holds no public key in PEM (\"-----BEGIN PUBLIC KEY-----\")");
		return ERR_INVALID;
	}
	return OK;
}

enum err keyset_read_pem(struct slice text, unsigned allowed, struct keyset *keyset, char ret_why[KEYSET_WHY])
{
	ERR_clear_error();
	BIO *source = BIO_new_mem_buf(text.ptr, (int)text.len);
	if (!source) {
		snprintf(ret_why, KEYSET_WHY, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	enum err error = add_blocks(source, allowed, keyset, ret_why);
	BIO_free(source);
	ERR_clear_error();
	return error;
}
