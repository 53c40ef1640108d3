#include "gateway/app/keys.h"

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
