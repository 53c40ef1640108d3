#include "tests/support/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/codec/base64.h"
#include "common/data/buf.h"

struct test_key {
	struct slice secret; /* owned; ptr NULL: it is a pair of keys */
	EVP_PKEY *pair;
	const char *curve; /* NULL: RSA */
	size_t coordinate_bytes;
};

/* For fuzz targets too, which Check does not run. */
static void require(bool holds)
{
	if (!holds) {
		fputs("a key or a token for a test could not be made\n", stderr);
		abort();
	}
}

static struct test_key *new_key(void)
{
	struct test_key *key = calloc(1, sizeof *key);
	require(key != NULL);
	return key;
}

struct test_key *test_key_secret(const void *bytes, size_t len)
{
	struct test_key *key = new_key();
	char *copy = malloc(len + 1);
	require(copy != NULL);
	memcpy(copy, bytes, len);
	key->secret = (struct slice){copy, len};
	return key;
}

struct test_key *test_key_rsa(unsigned bits)
{
	struct test_key *key = new_key();
	key->pair = EVP_RSA_gen(bits);
	require(key->pair != NULL);
	return key;
}

struct test_key *test_key_ec(const char *curve)
{
	struct test_key *key = new_key();
	key->pair = EVP_EC_gen(curve);
	key->curve = curve;
	require(key->pair != NULL);
	key->coordinate_bytes = ((size_t)EVP_PKEY_get_bits(key->pair) + 7) / 8;
	return key;
}

void test_key_free(struct test_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pair);
	free((char *)(uintptr_t)key->secret.ptr);
	free(key);
}

static char *take_text(struct buf *text)
{
	buf_append_char(text, '\0');
	require(!buf_has_failed(text));
	return text->bytes;
}

static char *read_memory(BIO *memory)
{
	char *bytes = NULL;
	struct buf text;
	long len = BIO_get_mem_data(memory, &bytes);
	buf_init(&text);
	buf_append(&text, bytes, (size_t)len);
	BIO_free(memory);
	return take_text(&text);
}

char *test_key_public_pem(const struct test_key *key)
{
	BIO *memory = BIO_new(BIO_s_mem());
	require(PEM_write_bio_PUBKEY(memory, key->pair) == 1);
	return read_memory(memory);
}

char *test_key_private_pem(const struct test_key *key)
{
	BIO *memory = BIO_new(BIO_s_mem());
	require(PEM_write_bio_PrivateKey(memory, key->pair, NULL, NULL, 0, NULL, NULL) == 1);
	return read_memory(memory);
}

static void append_base64url(struct buf *text, struct slice bytes)
{
	char *place = buf_extend(text, BASE64URL_LEN(bytes.len));
	require(place != NULL);
	base64url_encode(bytes, place);
}

/* A number of the key as base64url, at least so many bytes long. */
static void append_number(struct buf *text, const struct test_key *key, const char *name, size_t bytes_min)
{
	unsigned char bytes[1024];
	BIGNUM *number = NULL;
	require(EVP_PKEY_get_bn_param(key->pair, name, &number) == 1);
	size_t len = (size_t)BN_num_bytes(number);
	len = len < bytes_min ? bytes_min : len;
	require(BN_bn2binpad(number, bytes, (int)len) == (int)len);
	BN_free(number);
	append_base64url(text, (struct slice){(const char *)bytes, len});
}

char *test_key_jwk(const struct test_key *key, const char *more)
{
	struct buf text;
	buf_init(&text);
	if (key->secret.ptr) {
		buf_append_text(&text, "{\"kty\":\"oct\",\"k\":\"");
		append_base64url(&text, key->secret);
	} else if (key->curve) {
		buf_printf(&text, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"", key->curve);
		append_number(&text, key, OSSL_PKEY_PARAM_EC_PUB_X, key->coordinate_bytes);
		buf_append_text(&text, "\",\"y\":\"");
		append_number(&text, key, OSSL_PKEY_PARAM_EC_PUB_Y, key->coordinate_bytes);
	} else {
		buf_append_text(&text, "{\"kty\":\"RSA\",\"n\":\"");
		append_number(&text, key, OSSL_PKEY_PARAM_RSA_N, 0);
		buf_append_text(&text, "\",\"e\":\"");
		append_number(&text, key, OSSL_PKEY_PARAM_RSA_E, 0);
	}
	buf_printf(&text, "\"%s}", more);
	return take_text(&text);
}

static const EVP_MD *digest_of(const char *algorithm)
{
	const char *bits = algorithm + 2;
	return strcmp(bits, "256") == 0 ? EVP_sha256() : strcmp(bits, "384") == 0 ? EVP_sha384() : EVP_sha512();
}

/* r and s side by side, of the ASN.1 form. */
static size_t flatten(const struct test_key *key, unsigned char *bytes, size_t len)
{
	const unsigned char *at = bytes;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
	require(pair != NULL);
	size_t each = key->coordinate_bytes;
	require(BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, (int)each) == (int)each);
	require(BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + each, (int)each) == (int)each);
	ECDSA_SIG_free(pair);
	return 2 * each;
}

static size_t sign(const struct test_key *key, const char *algorithm, struct slice text, unsigned char *ret_signature,
                   size_t room)
{
	const EVP_MD *digest = digest_of(algorithm);
	const unsigned char *bytes = (const unsigned char *)text.ptr;
	if (algorithm[0] == 'H') {
		unsigned len = 0;
		require(HMAC(digest, key->secret.ptr, (int)key->secret.len, bytes, text.len, ret_signature, &len) !=
		        NULL);
		return len;
	}
	EVP_PKEY_CTX *settings = NULL;
	EVP_MD_CTX *signing = EVP_MD_CTX_new();
	require(EVP_DigestSignInit(signing, &settings, digest, NULL, key->pair) == 1);
	if (algorithm[0] == 'P') {
		require(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1);
		require(EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
	}
	require(EVP_DigestSign(signing, ret_signature, &room, bytes, text.len) == 1);
	EVP_MD_CTX_free(signing);
	return algorithm[0] == 'E' ? flatten(key, ret_signature, room) : room;
}

char *test_token(const char *header, const char *claims, const char *algorithm, const struct test_key *key)
{
	unsigned char signature[2048];
	struct buf text;
	buf_init(&text);
	append_base64url(&text, slice_of(header));
	buf_append_char(&text, '.');
	append_base64url(&text, slice_of(claims));
	size_t len = *algorithm ? sign(key, algorithm, buf_slice(&text), signature, sizeof signature) : 0;
	buf_append_char(&text, '.');
	append_base64url(&text, (struct slice){(const char *)signature, len});
	return take_text(&text);
}

char *test_token_hs256(const char *claims, const char *secret)
{
	struct test_key *key = test_key_secret(secret, strlen(secret));
	char *token = test_token("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", claims, "HS256", key);
	test_key_free(key);
	return token;
}

const char *test_bearer_limited(const char *identity, const char *limits, const char *secret)
{
	static char header[1024];
	char claims[512];
	snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":4102444800,\"tracegate\":{\"limits\":{%s}}}", identity, limits);
	char *token = test_token_hs256(claims, secret);
	snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
	free(token);
	return header;
}
