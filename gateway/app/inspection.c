#include "gateway/app/inspection.h"

#include <stdio.h>

#include "gateway/app/keys.h"
#include "gateway/worker/redis_settings.h"

#define WHY_BYTES 256

/* Says why on standard error where something is wrong. */
static bool is_good(enum err error, const char *why)
{
	if (error != OK)
		fprintf(stderr, "%s\n", why);
	return error == OK;
}

static bool inspect_redis(const struct config *config)
{
	char why[WHY_BYTES];
	struct redis_settings settings = {0};
	enum err error = redis_settings_init(&settings, config, "node", why);
	redis_settings_fini(&settings);
	return is_good(error, why);
}

static bool inspect_keys(const struct config *config)
{
	char why[WHY_BYTES];
	struct auth *auth = NULL;
	enum err error = keys_open(config, &auth, why);
	auth_free(auth);
	return is_good(error, why);
}

static bool inspect_tls(const struct config *config)
{
	char why[TLS_KEYS_WHY_MAX], what[TLS_KEYS_WHY_MAX];
	struct tls_keys *keys = NULL;
	enum err error = keys_open_tls(config, &keys, why);
	if (keys && tls_keys_have_old_list(keys, what))
		fprintf(stderr, "%s\n", what);
	if (keys && tls_keys_are_untimely(keys, what))
		fprintf(stderr, "%s\n", what);
	tls_keys_free(keys);
	return is_good(error, why);
}

static void print_warnings(const struct config *config)
{
	struct buf warnings;
	buf_init(&warnings);
	config_write_warnings(&warnings, config);
	if (warnings.len)
		fwrite(warnings.bytes, 1, warnings.len, stderr);
	buf_fini(&warnings);
}

bool inspection_run(const struct config *config)
{
	bool has_redis = inspect_redis(config), has_keys = inspect_keys(config), has_tls = inspect_tls(config);
	print_warnings(config);
	if (has_redis && has_keys && has_tls)
		puts("The configuration is valid.");
	return has_redis && has_keys && has_tls;
}
