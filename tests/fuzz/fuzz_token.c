/* A credential before a node with fixed keys: a secret that is known here, and an API key. The input is a credential;
 * where it begins with '{' its lines are a header and claims, which are signed rightly first, so that what is behind
 * the signature is reached too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/auth.h"
#include "tests/support/token.h"

#define NOW_MS UINT64_C(1764031200000)
#define SECRET "a secret of sixty-four bytes, which is what the longest one needs"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct auth *make_auth(void)
{
	static const struct slice patterns[] = {SLICE_LITERAL("trace:*"), SLICE_LITERAL("agent:*")};
	const struct auth_settings settings = {
	    .is_required = true,
	    .jwt_secret = SECRET,
	    .jwt_leeway_ms = 60000,
	    .requires_expiry = true,
	    .served = {patterns, 2},
	};
	struct auth *auth = NULL;
	char why[256];
	if (auth_new(&settings, &auth, why) != OK)
		abort();
	return auth;
}

static void judge(struct auth *auth, struct slice credential)
{
	struct grants *grants = NULL;
	const char *why = NULL;
	switch (auth_check(auth, credential, NOW_MS, &grants, &why)) {
	case AUTH_GRANTED:
		if (!grants || grants->identity.len == 0 || (grants->expires_ms && grants->expires_ms <= NOW_MS) ||
		    !auth_is_known(auth, grants))
			abort();
		grants_unref(grants);
		break;
	case AUTH_REFUSED:
		if (!why || !*why)
			abort();
		break;
	case AUTH_NO_MEMORY:
		break;
	}
}

static void sign_and_judge(struct auth *auth, const char *text)
{
	char *header = strdup(text), *line_end = header ? strchr(header, '\n') : NULL;
	if (line_end) {
		*line_end = '\0';
		struct test_key *key = test_key_secret(SECRET, strlen(SECRET));
		char *token = test_token(header, line_end + 1, "HS256", key);
		judge(auth, slice_of(token));
		free(token);
		test_key_free(key);
	}
	free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct auth *auth;
	if (!auth)
		auth = make_auth();
	char *text = malloc(len + 1);
	if (!text)
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (len && bytes[0] == '{')
		sign_and_judge(auth, text);
	judge(auth, (struct slice){text, len});
	free(text);
	return 0;
}
