#include "gateway/app/keys.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"

#define ROOM "auth"

enum err keys_open(const struct config *config, struct auth **ret_auth, char ret_why[256])
{
	const struct auth_settings settings = {
		.is_required = config->auth_required,
		.jwt_secret = config->auth_jwt_secret,
		.jwt_keys_file = config->auth_jwt_keys_file,
		.jwt_public_key_file = config->auth_jwt_public_key_file,
		.api_keys_file = config->auth_api_keys_file,
		.jwt_algorithms = config->auth_jwt_algorithms.items,
		.jwt_algorithm_count = config->auth_jwt_algorithms.count,
		.jwt_issuer = config->auth_jwt_issuer,
		.jwt_audience = config->auth_jwt_audience,
		.jwt_leeway_ms = config->auth_jwt_leeway / NS_PER_MS,
		.requires_expiry = config->auth_jwt_require_expiry,
		.served = {config->redis_patterns.items, config->redis_patterns.count},
	};
	bool is_production = config->preset == PRESET_PRODUCTION || config->preset == PRESET_HIGH_PERFORMANCE;
	enum err error = auth_new(&settings, ret_auth, ret_why);
	if (error == OK && is_production && !config->auth_required)
		log_warn(ROOM, "everyone who reaches this node may read and publish everything, since auth.required is no");
	return error;
}

bool keys_refresh(struct auth *auth)
{
	char why[256];
	bool has_changed = false;
	for (enum auth_reload outcome; (outcome = auth_refresh(auth, why)) != AUTH_UNCHANGED;) {
		if (outcome == AUTH_RELOADED) {
			has_changed = true;
			log_info(ROOM, "keys were read again");
		} else {
			log_error(ROOM, "keys could not be read again, the old ones stay", log_text("cause", why));
		}
	}
	return has_changed;
}

enum err keys_open_tls(const struct config *config, struct tls_keys **ret_keys, char ret_why[TLS_KEYS_WHY_MAX])
{
	const char *auth = config->tls_client_auth;
	const struct tls_keys_settings settings = {
		.certificate_file = config->tls_certificate_file,
		.key_file = config->tls_key_file,
		.client_ca_file = config->tls_client_ca_file,
		.client_crl_file = config->tls_client_crl_file,
		.client_auth = strcmp(auth, "no") == 0	       ? TLS_CLIENT_AUTH_NO
			       : strcmp(auth, "optional") == 0 ? TLS_CLIENT_AUTH_OPTIONAL
							       : TLS_CLIENT_AUTH_REQUIRED,
		.is_1_3_only = strcmp(config->tls_min_version, "1.3") == 0,
		.speaks_http2 = config->http2_enabled,
	};
	*ret_keys = NULL;
	return *config->tls_certificate_file ? tls_keys_new(&settings, ret_keys, ret_why) : OK;
}
