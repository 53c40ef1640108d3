#include "gateway/auth/token.h"

#include <string.h>

#include "common/codec/base64.h"
#include "common/codec/json.h"

static enum err refuse(enum refusal *ret_refusal, enum refusal refusal)
{
	*ret_refusal = refusal;
	return ERR_DENIED;
}

/* The three parts; false: there are not two dots. */
static bool split(struct slice text, struct slice *ret_header, struct token *ret_token)
{
	const char *first = text.len ? memchr(text.ptr, '.', text.len) : NULL;
	if (!first)
		return false;
	size_t header_len = (size_t)(first - text.ptr), left = text.len - header_len - 1;
	const char *second = memchr(first + 1, '.', left);
	if (!second)
		return false;
	size_t payload_len = (size_t)(second - first - 1), signature_len = left - payload_len - 1;
	if (memchr(second + 1, '.', signature_len))
		return false;
	*ret_header = (struct slice){text.ptr, header_len};
	ret_token->payload = (struct slice){first + 1, payload_len};
	ret_token->signature = (struct slice){second + 1, signature_len};
	ret_token->signed_text = (struct slice){text.ptr, header_len + 1 + payload_len};
	return true;
}

static enum err decode_part(struct slice text, struct arena *arena, struct slice *ret_bytes)
{
	size_t len;
	char *bytes = arena_alloc(arena, text.len + 1);
	if (!bytes)
		return ERR_NOMEM;
	if (!base64url_decode(text, bytes, &len))
		return ERR_INVALID;
	*ret_bytes = (struct slice){bytes, len};
	return OK;
}

enum err token_read(struct slice credential, struct arena *arena, struct token *ret_token)
{
	struct token token;
	struct slice header, json;
	struct value *map;
	struct json_error wrong;
	if (credential.len > TOKEN_BYTES_MAX || !split(credential, &header, &token))
		return ERR_INVALID;
	enum err error = decode_part(header, arena, &json);
	if (error == OK)
		error = json_decode(arena, json, &map, &wrong);
	if (error != OK)
		return error == ERR_NOMEM ? ERR_NOMEM : ERR_INVALID;
	if (map->kind != VALUE_MAP)
		return ERR_INVALID;
	token.header = map;
	*ret_token = token;
	return OK;
}

static bool is_text_or_none(const struct value *member)
{
	return !member || member->kind == VALUE_STRING;
}

static bool equals_ignoring_case(struct slice text, const char *lower)
{
	size_t len = strlen(lower);
	if (text.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text.ptr[i];
		if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != lower[i])
			return false;
	}
	return true;
}

/* A token that says that it is something else (a logout token, a proof of possession) is no credential, whoever signed
 * it (RFC 8725 section 3.11). */
static bool is_access_type(const struct value *type)
{
	static const char *const types[] = {"jwt", "at+jwt", "application/jwt", "application/at+jwt"};
	if (!type)
		return true;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (equals_ignoring_case(type->text, types[i]))
			return true;
	}
	return false;
}

/* What the header asks for. ERR_DENIED: nothing that there is here. */
static enum err read_header(const struct value *header, enum algorithm *ret_algorithm, enum refusal *ret_refusal)
{
	const struct value *name = value_get(header, "alg"), *type = value_get(header, "typ");
	if (!name || name->kind != VALUE_STRING || !is_text_or_none(type) || !is_text_or_none(value_get(header, "kid")))
		return refuse(ret_refusal, REFUSAL_HEADER);
	if (value_get(header, "crit") || value_get(header, "b64"))
		return refuse(ret_refusal, REFUSAL_CRITICAL);
	if (!is_access_type(type))
		return refuse(ret_refusal, REFUSAL_OTHER_TYPE);
	if (!algorithm_find(name->text, ret_algorithm))
		return refuse(ret_refusal, REFUSAL_NO_KEY);
	return OK;
}

/* A key without an id is there for tokens of whatever kid. */
static bool is_candidate(const struct verifier *verifier, enum algorithm algorithm, const struct value *kid)
{
	if (!(verifier->algorithms & ALGORITHM_BIT(algorithm)))
		return false;
	return !kid || !verifier->id.ptr || slice_equal(verifier->id, kid->text);
}

enum err token_verify(const struct token *token, struct keyset *const *keysets, size_t count, struct arena *arena,
                      const struct verifier **ret_verifier, enum refusal *ret_refusal)
{
	enum algorithm algorithm = ALGORITHM_HS256;
	struct slice signature;
	unsigned tries = 0;
	enum err error = read_header(token->header, &algorithm, ret_refusal);
	if (error != OK)
		return error;
	error = decode_part(token->signature, arena, &signature);
	if (error != OK)
		return error == ERR_NOMEM ? error : refuse(ret_refusal, REFUSAL_BASE64);
	const struct value *kid = value_get(token->header, "kid");
	for (size_t set = 0; set < count; set++) {
		size_t key_count = keysets[set] ? keysets[set]->verifier_count : 0;
		for (size_t i = 0; i < key_count && tries < TOKEN_TRIES_MAX; i++) {
			const struct verifier *verifier = &keysets[set]->verifiers[i];
			if (!is_candidate(verifier, algorithm, kid))
				continue;
			tries++;
			error = verifier_check(verifier, algorithm, token->signed_text, signature);
			if (error == OK)
				*ret_verifier = verifier;
			if (error != ERR_DENIED)
				return error;
		}
	}
	return refuse(ret_refusal, tries ? REFUSAL_SIGNATURE : REFUSAL_NO_KEY);
}
