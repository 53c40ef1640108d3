/* JSON Web Key Sets: RFC 7517, and RFC 7518 section 6 for what the kinds of keys hold. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/codec/base64.h"
#include "common/codec/json.h"
#include "gateway/auth/keyset.h"

#define TREE_BYTES_MAX ((size_t)64 << 20)

/* A key that is being read. */
struct reading {
	struct arena *arena;
	const struct value *jwk;
	unsigned allowed;
	char *why; /* VERIFIER_WHY bytes: what is wrong, beginning with the member */
};

PRINTF_LIKE(2, 3)
static enum err refuse(struct reading *reading, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reading->why, VERIFIER_WHY, format, arguments);
	va_end(arguments);
	return ERR_INVALID;
}

/* A member that must be a string where it is there; ptr NULL where it is not. */
static enum err read_text(struct reading *reading, const char *name, struct slice *ret_text)
{
	const struct value *member = value_get(reading->jwk, name);
	*ret_text = SLICE_NONE;
	if (!member)
		return OK;
	if (member->kind != VALUE_STRING)
		return refuse(reading, "%s: must be a string, not %s", name, value_kind_name(member->kind));
	*ret_text = (struct slice){member->text.len ? member->text.ptr : "", member->text.len};
	return OK;
}

static enum err read_bytes(struct reading *reading, const char *name, struct slice *ret_bytes)
{
	struct slice text;
	size_t len;
	enum err error = read_text(reading, name, &text);
	if (error != OK)
		return error;
	if (!text.len)
		return refuse(reading, "%s: is missing", name);
	char *bytes = arena_alloc(reading->arena, text.len);
	if (!bytes)
		return ERR_NOMEM;
	if (!base64url_decode(text, bytes, &len))
		return refuse(reading, "%s: is not base64url", name);
	*ret_bytes = (struct slice){bytes, len};
	return OK;
}

static enum err read_secret(struct reading *reading, struct verifier *ret_verifier)
{
	struct slice secret = SLICE_NONE;
	enum err error = read_bytes(reading, "k", &secret);
	return error == OK ? verifier_of_secret(secret, ret_verifier, reading->why) : error;
}

static enum err read_rsa(struct reading *reading, struct verifier *ret_verifier)
{
	struct slice modulus = SLICE_NONE, exponent = SLICE_NONE;
	enum err error = read_bytes(reading, "n", &modulus);
	if (error == OK)
		error = read_bytes(reading, "e", &exponent);
	return error == OK ? verifier_of_rsa(modulus, exponent, ret_verifier, reading->why) : error;
}

/* ERR_UNSUPPORTED: another curve. */
static enum err read_ec(struct reading *reading, struct verifier *ret_verifier)
{
	struct slice curve, x = SLICE_NONE, y = SLICE_NONE;
	int algorithm = ALGORITHM_ES256;
	enum err error = read_text(reading, "crv", &curve);
	if (error != OK)
		return error;
	while (algorithm < ALGORITHMS && !slice_is(curve, algorithms[algorithm].curve))
		algorithm++;
	if (algorithm == ALGORITHMS)
		return curve.ptr ? ERR_UNSUPPORTED : refuse(reading, "crv: is missing");
	error = read_bytes(reading, "x", &x);
	if (error == OK)
		error = read_bytes(reading, "y", &y);
	return error == OK ? verifier_of_point((enum algorithm)algorithm, x, y, ret_verifier, reading->why) : error;
}

/* Whether the key is there to verify signatures. */
static enum err read_purpose(struct reading *reading, bool *ret_verifies)
{
	struct slice use;
	enum err error = read_text(reading, "use", &use);
	const struct value *ops = value_get(reading->jwk, "key_ops");
	if (error != OK)
		return error;
	bool verifies = !use.ptr || slice_is(use, "sig");
	if (ops && ops->kind != VALUE_ARRAY)
		return refuse(reading, "key_ops: must be an array of strings, not %s", value_kind_name(ops->kind));
	if (ops) {
		bool is_named = false;
		for (const struct value *op = ops->list.first; op; op = op->next)
			is_named = is_named || (op->kind == VALUE_STRING && slice_is(op->text, "verify"));
		verifies = verifies && is_named;
	}
	*ret_verifies = verifies;
	return OK;
}

/* The set that "alg" pins the key to, else what is allowed. ERR_UNSUPPORTED: an algorithm that is none of ours. */
static enum err read_algorithms(struct reading *reading, unsigned *ret_set)
{
	struct slice name;
	enum algorithm algorithm;
	enum err error = read_text(reading, "alg", &name);
	if (error != OK)
		return error;
	if (!name.ptr) {
		*ret_set = reading->allowed;
		return OK;
	}
	if (!algorithm_find(name, &algorithm))
		return ERR_UNSUPPORTED;
	*ret_set = ALGORITHM_BIT(algorithm);
	return OK;
}

static enum err read_material(struct reading *reading, struct verifier *ret_verifier)
{
	static const struct {
		const char *kind;
		enum err (*read)(struct reading *reading, struct verifier *ret_verifier);
	} kinds[] = {{"oct", read_secret}, {"RSA", read_rsa}, {"EC", read_ec}};
	struct slice kind;
	enum err error = read_text(reading, "kty", &kind);
	if (error != OK)
		return error;
	if (!kind.ptr)
		return refuse(reading, "kty: is missing");
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!slice_is(kind, kinds[i].kind))
			continue;
		if (value_get(reading->jwk, "d"))
			return refuse(reading,
			              "d: this is a private key; the gateway is to have the public part alone");
		return kinds[i].read(reading, ret_verifier);
	}
	return ERR_UNSUPPORTED;
}

/* A key whose "alg" is its own must fit it; one that fits nothing of what the configuration allows is of no use, but no
 * mistake. */
static enum err fit(struct reading *reading, unsigned set, struct verifier *verifier)
{
	if (verifier_pin(verifier, set, reading->why) == OK)
		return OK;
	return value_get(reading->jwk, "alg") ? ERR_INVALID : ERR_UNSUPPORTED;
}

/* ERR_UNSUPPORTED: not one for us. */
static enum err read_key(struct reading *reading, struct keyset *keyset)
{
	struct verifier verifier;
	struct slice id;
	unsigned set;
	bool verifies = false;
	if (reading->jwk->kind != VALUE_MAP)
		return refuse(reading, "must be an object, not %s", value_kind_name(reading->jwk->kind));
	enum err error = read_purpose(reading, &verifies);
	if (error == OK && !verifies)
		error = ERR_UNSUPPORTED;
	if (error == OK)
		error = read_algorithms(reading, &set);
	if (error == OK)
		error = read_text(reading, "kid", &id);
	if (error == OK)
		error = read_material(reading, &verifier);
	if (error != OK)
		return error;
	error = fit(reading, set, &verifier);
	if (error == OK && id.ptr)
		error = verifier_name(&verifier, id);
	if (error == OK)
		error = keyset_add(keyset, &verifier);
	if (error == ERR_LIMIT)
		refuse(reading, "is one too many; at most %d", KEYSET_VERIFIERS_MAX);
	if (error != OK)
		verifier_fini(&verifier);
	return error;
}

static enum err read_keys(const struct value *keys, struct arena *arena, unsigned allowed, struct keyset *keyset,
                          char ret_why[KEYSET_WHY])
{
	char why[VERIFIER_WHY] = "";
	struct reading reading = {arena, NULL, allowed, why};
	size_t at = 0;
	if (!keys || keys->kind != VALUE_ARRAY) {
		snprintf(ret_why, KEYSET_WHY, "must be a JSON object with an array \"keys\"");
		return ERR_INVALID;
	}
	for (reading.jwk = keys->list.first; reading.jwk; reading.jwk = reading.jwk->next, at++) {
		enum err error = read_key(&reading, keyset);
		if (error == OK || error == ERR_UNSUPPORTED)
			continue;
		snprintf(ret_why, KEYSET_WHY, "keys[%zu]: %s", at, error == ERR_NOMEM ? err_name(error) : why);
		return error;
	}
	if (keyset->verifier_count)
		return OK;
	snprintf(ret_why, KEYSET_WHY, "none of its %zu keys is one to verify tokens with", at);
	return ERR_INVALID;
}

enum err keyset_read_jwks(struct slice text, unsigned allowed, struct keyset *keyset, char ret_why[KEYSET_WHY])
{
	struct arena arena;
	struct value *root = NULL;
	struct json_error json = {0, "out of memory"};
	arena_init(&arena, TREE_BYTES_MAX);
	enum err error = json_decode(&arena, text, &root, &json);
	if (error == OK)
		error = read_keys(value_get(root, "keys"), &arena, allowed, keyset, ret_why);
	else
		snprintf(ret_why, KEYSET_WHY, "at byte %zu: %s", json.at, json.message);
	arena_wipe(&arena);
	arena_fini(&arena);
	return error;
}
