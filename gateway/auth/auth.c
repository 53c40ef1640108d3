#include "gateway/auth/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file_mark.h"
#include "gateway/auth/keyfile.h"
#include "gateway/auth/token.h"

#define WHY 256

/* Where keys come from. The secret of the configuration does not change; files do. */
enum source { SOURCE_SECRET, SOURCE_JWKS, SOURCE_PEM, SOURCE_API_KEYS, SOURCES };

static const char *const source_options[SOURCES] = {
    [SOURCE_SECRET] = "auth.jwt_secret",
    [SOURCE_JWKS] = "auth.jwt_keys_file",
    [SOURCE_PEM] = "auth.jwt_public_key_file",
    [SOURCE_API_KEYS] = "auth.api_keys_file",
};

/* All keys at one moment: immutable and counted, so that a check holds them, and no lock, while it computes. */
struct keyring {
	struct refcount refs;
	struct keyset *sets[SOURCES]; /* NULL: there is none */
};

struct auth {
	pthread_mutex_t lock; /* of keyring, the pointer */
	struct keyring *keyring;
	struct grants *anonymous; /* NULL: auth is required */
	struct token_rules rules;
	unsigned algorithms;
	const char *paths[SOURCES];         /* NULL: no file */
	struct file_mark marks[SOURCES]; /* of the reloading thread */
};

static struct keyring *keyring_new(void)
{
	struct keyring *keyring = calloc(1, sizeof *keyring);
	if (keyring)
		refcount_init(&keyring->refs);
	return keyring;
}

static void keyring_unref(struct keyring *keyring)
{
	if (!keyring || !refcount_drop(&keyring->refs))
		return;
	for (int source = 0; source < SOURCES; source++)
		keyset_unref(keyring->sets[source]);
	free(keyring);
}

static struct keyring *take_keyring(struct auth *auth)
{
	pthread_mutex_lock(&auth->lock);
	struct keyring *keyring = auth->keyring;
	refcount_take(&keyring->refs);
	pthread_mutex_unlock(&auth->lock);
	return keyring;
}

static enum err fill(const struct auth *auth, enum source source, struct slice text, struct keyset *keyset,
                     char ret_why[KEYSET_WHY])
{
	switch (source) {
	case SOURCE_JWKS:
		return keyset_read_jwks(text, auth->algorithms, keyset, ret_why);
	case SOURCE_PEM:
		return keyset_read_pem(text, auth->algorithms, keyset, ret_why);
	case SOURCE_API_KEYS:
		return keyset_read_api_keys(text, auth->rules.served, keyset, ret_why);
	case SOURCE_SECRET:
	case SOURCES:
		break;
	}
	return keyset_read_secret(text, auth->algorithms, keyset, ret_why);
}

static enum err make_keyset(const struct auth *auth, enum source source, struct slice text, struct keyset **ret_keyset,
                            char ret_why[KEYSET_WHY])
{
	struct keyset *keyset = keyset_new();
	snprintf(ret_why, KEYSET_WHY, "%s", err_name(ERR_NOMEM));
	if (!keyset)
		return ERR_NOMEM;
	enum err error = fill(auth, source, text, keyset, ret_why);
	if (error == OK)
		*ret_keyset = keyset;
	else
		keyset_unref(keyset);
	return error;
}

/* The mark is taken first: what changes while it is read is read again. */
static enum err read_file(struct auth *auth, enum source source, struct keyset **ret_keyset, char ret_why[WHY])
{
	const char *path = auth->paths[source];
	char why[KEYSET_WHY], *text = NULL;
	size_t len = 0;
	auth->marks[source] = file_mark_take(path);
	enum err error = keyfile_read(path, &text, &len, why);
	if (error == OK)
		error = make_keyset(auth, source, (struct slice){text, len}, ret_keyset, why);
	keyfile_free(text, len);
	if (error != OK) {
		int room = WHY - (int)strlen(source_options[source]) - (int)strlen(why) - 8;
		snprintf(ret_why, WHY, "%s: %.*s: %s", source_options[source], room > 0 ? room : 0, path, why);
	}
	return error;
}

static enum err read_secret(const struct auth *auth, const char *secret, struct keyset **ret_keyset, char ret_why[WHY])
{
	char why[KEYSET_WHY];
	enum err error = make_keyset(auth, SOURCE_SECRET, slice_of(secret), ret_keyset, why);
	if (error != OK)
		snprintf(ret_why, WHY, "%s: %s", source_options[SOURCE_SECRET], why);
	return error;
}

static const char *path_of(const char *text)
{
	return text && *text ? text : NULL;
}

static enum err read_algorithms(const struct auth_settings *settings, unsigned *ret_set, char ret_why[WHY])
{
	unsigned set = 0;
	for (size_t i = 0; i < settings->jwt_algorithm_count; i++) {
		struct slice name = settings->jwt_algorithms[i];
		enum algorithm algorithm;
		if (!algorithm_find(name, &algorithm)) {
			snprintf(
			    ret_why, WHY,
			    "auth.jwt_algorithms: there is no \"%.*s\"; HS256, HS384, HS512, and so RS, PS and ES are",
			    name.len < 32 ? (int)name.len : 32, name.ptr);
			return ERR_INVALID;
		}
		set |= ALGORITHM_BIT(algorithm);
	}
	*ret_set = set ? set : ALGORITHM_ALL;
	return OK;
}

static enum err read_sources(struct auth *auth, const struct auth_settings *settings, char ret_why[WHY])
{
	enum err error = OK;
	auth->paths[SOURCE_JWKS] = path_of(settings->jwt_keys_file);
	auth->paths[SOURCE_PEM] = path_of(settings->jwt_public_key_file);
	auth->paths[SOURCE_API_KEYS] = path_of(settings->api_keys_file);
	if (path_of(settings->jwt_secret))
		error = read_secret(auth, settings->jwt_secret, &auth->keyring->sets[SOURCE_SECRET], ret_why);
	for (int source = 0; source < SOURCES && error == OK; source++) {
		if (auth->paths[source])
			error = read_file(auth, (enum source)source, &auth->keyring->sets[source], ret_why);
	}
	return error;
}

static bool has_keys(const struct keyring *keyring)
{
	for (int source = 0; source < SOURCES; source++) {
		if (keyring->sets[source])
			return true;
	}
	return false;
}

static enum err make_anonymous(struct auth *auth)
{
	auth->anonymous = grants_new(SLICE_LITERAL("anonymous"));
	if (!auth->anonymous)
		return ERR_NOMEM;
	auth->anonymous->is_anonymous = true;
	auth->anonymous->has_system = true;
	return OK;
}

static enum err set_up(struct auth *auth, const struct auth_settings *settings, char ret_why[WHY])
{
	auth->rules = (struct token_rules){
	    .issuer = slice_of(settings->jwt_issuer),
	    .audience = slice_of(settings->jwt_audience),
	    .leeway_ms = settings->jwt_leeway_ms,
	    .requires_expiry = settings->requires_expiry,
	    .served = settings->served,
	};
	enum err error = read_algorithms(settings, &auth->algorithms, ret_why);
	if (error == OK)
		error = read_sources(auth, settings, ret_why);
	if (error != OK || !settings->is_required)
		return error == OK ? make_anonymous(auth) : error;
	if (has_keys(auth->keyring))
		return OK;
	snprintf(ret_why, WHY,
	         "auth.required is yes, but there are no keys; set one of auth.jwt_secret_file, auth.jwt_keys_file, "
	         "auth.jwt_public_key_file, auth.api_keys_file");
	return ERR_INVALID;
}

enum err auth_new(const struct auth_settings *settings, struct auth **ret_auth, char ret_why[256])
{
	snprintf(ret_why, WHY, "%s", err_name(ERR_NOMEM));
	struct auth *auth = calloc(1, sizeof *auth);
	if (!auth)
		return ERR_NOMEM;
	pthread_mutex_init(&auth->lock, NULL);
	auth->keyring = keyring_new();
	enum err error = auth->keyring ? set_up(auth, settings, ret_why) : ERR_NOMEM;
	if (error == OK)
		*ret_auth = auth;
	else
		auth_free(auth);
	return error;
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	keyring_unref(auth->keyring);
	grants_unref(auth->anonymous);
	pthread_mutex_destroy(&auth->lock);
	free(auth);
}

static enum err check_token(const struct auth *auth, const struct keyring *keyring, const struct token *token,
                            uint64_t now_ms, struct arena *arena, struct grants **ret_grants, enum refusal *ret_refusal)
{
	const struct verifier *verifier = NULL;
	enum err error = token_verify(token, keyring->sets, SOURCES, arena, &verifier, ret_refusal);
	if (error == OK)
		error = token_grants(token, &auth->rules, now_ms, arena, ret_grants, ret_refusal);
	if (error == OK) {
		(*ret_grants)->key = verifier->fingerprint;
		metric_add(METRIC_CREDENTIALS_TOKEN, 1);
	}
	return error;
}

static enum err check_api_key(const struct keyring *keyring, struct slice credential, uint64_t now_ms,
                              struct grants **ret_grants, enum refusal *ret_refusal)
{
	unsigned char digest[API_KEY_DIGEST_BYTES];
	const struct keyset *keyset = keyring->sets[SOURCE_API_KEYS];
	keyset_digest(credential, digest);
	const struct api_key *key = keyset ? keyset_find(keyset, digest) : NULL;
	*ret_refusal = REFUSAL_NO_SUCH_KEY;
	if (!key)
		return ERR_DENIED;
	*ret_refusal = REFUSAL_KEY_EXPIRED;
	if (key->grants->expires_ms && now_ms >= key->grants->expires_ms)
		return ERR_DENIED;
	*ret_grants = grants_ref(key->grants);
	metric_add(METRIC_CREDENTIALS_API_KEY, 1);
	return OK;
}

static enum err check(const struct auth *auth, const struct keyring *keyring, struct slice credential, uint64_t now_ms,
                      struct grants **ret_grants, enum refusal *ret_refusal)
{
	struct arena arena;
	struct token token;
	*ret_refusal = REFUSAL_TOO_LONG;
	if (credential.len > TOKEN_BYTES_MAX)
		return ERR_DENIED;
	arena_init(&arena, TOKEN_ARENA_BYTES);
	enum err error = token_read(credential, &arena, &token);
	if (error == OK)
		error = check_token(auth, keyring, &token, now_ms, &arena, ret_grants, ret_refusal);
	else if (error == ERR_INVALID)
		error = check_api_key(keyring, credential, now_ms, ret_grants, ret_refusal);
	arena_fini(&arena);
	return error;
}

enum auth_verdict auth_check(struct auth *auth, struct slice credential, uint64_t now_ms, struct grants **ret_grants,
                             const char **ret_why)
{
	enum refusal refusal;
	struct keyring *keyring = take_keyring(auth);
	enum err error = check(auth, keyring, credential, now_ms, ret_grants, &refusal);
	keyring_unref(keyring);
	if (error == OK)
		return AUTH_GRANTED;
	if (error == ERR_NOMEM)
		return AUTH_NO_MEMORY;
	metric_add(refusals[refusal].metric, 1);
	*ret_why = refusals[refusal].sentence;
	return AUTH_REFUSED;
}

struct grants *auth_anonymous(struct auth *auth)
{
	return auth->anonymous ? grants_ref(auth->anonymous) : NULL;
}

static bool holds(const struct keyset *keyset, uint64_t key)
{
	for (size_t i = 0; i < keyset->verifier_count; i++) {
		if (keyset->verifiers[i].fingerprint == key)
			return true;
	}
	for (size_t i = 0; i < keyset->api_key_count; i++) {
		if (keyset->api_keys[i].grants->key == key)
			return true;
	}
	return false;
}

bool auth_is_known(struct auth *auth, const struct grants *grants)
{
	bool is_known = grants->key == 0;
	struct keyring *keyring = take_keyring(auth);
	for (int source = 0; source < SOURCES && !is_known; source++)
		is_known = keyring->sets[source] && holds(keyring->sets[source], grants->key);
	keyring_unref(keyring);
	return is_known;
}

/* A keyring with another set in place of one. NULL: no memory; then the set is dropped. */
static struct keyring *keyring_with(const struct keyring *old, enum source replaced, struct keyset *keyset)
{
	struct keyring *keyring = keyring_new();
	if (!keyring) {
		keyset_unref(keyset);
		return NULL;
	}
	for (int source = 0; source < SOURCES; source++) {
		if (source == (int)replaced)
			keyring->sets[source] = keyset;
		else if (old->sets[source])
			keyring->sets[source] = keyset_ref(old->sets[source]);
	}
	return keyring;
}

static enum auth_reload reload(struct auth *auth, enum source source, char ret_why[WHY])
{
	struct keyset *keyset = NULL;
	if (read_file(auth, source, &keyset, ret_why) != OK)
		return AUTH_FAILED;
	struct keyring *old = auth->keyring, *fresh = keyring_with(old, source, keyset);
	if (!fresh) {
		snprintf(ret_why, WHY, "%s: %s", source_options[source], err_name(ERR_NOMEM));
		return AUTH_FAILED;
	}
	pthread_mutex_lock(&auth->lock);
	auth->keyring = fresh;
	pthread_mutex_unlock(&auth->lock);
	keyring_unref(old);
	return AUTH_RELOADED;
}

enum auth_reload auth_refresh(struct auth *auth, char ret_why[256])
{
	for (int source = 0; source < SOURCES; source++) {
		if (!auth->paths[source])
			continue;
		struct file_mark now = file_mark_take(auth->paths[source]);
		if (file_mark_is_same(&now, &auth->marks[source]))
			continue;
		enum auth_reload outcome = reload(auth, (enum source)source, ret_why);
		metric_add(outcome == AUTH_RELOADED ? METRIC_AUTH_RELOADS : METRIC_AUTH_RELOADS_FAILED, 1);
		return outcome;
	}
	return AUTH_UNCHANGED;
}
