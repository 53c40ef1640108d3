/* What the configuration says about Redis, in the form in which the hub and the historian hand it to their upstreams and
 * their logscripts. Each has one of its own, which must not move while it is used: it points into itself. */
#ifndef GATEWAY_WORKER_REDIS_SETTINGS_H
#define GATEWAY_WORKER_REDIS_SETTINGS_H

#include "common/base/err.h"
#include "gateway/config/config.h"
#include "gateway/feed/intake.h"
#include "gateway/redis/logscript.h"
#include "gateway/redis/upstream.h"
#include "gateway/redis/url.h"

struct redis_settings {
	struct url url;
	struct intake_fields fields;
	struct upstream_settings upstream; /* as the hub needs it: with patterns, the control channel, and with history the live channel */
	struct logscript_settings log;
	struct slice *patterns; /* of the configuration, and the gateway's own channels; owned */
	char live_channel[256], control_channel[256];
};

/* config and node_name are borrowed for life. ERR_INVALID, ERR_RANGE, ERR_NOMEM: ret_why says which option is wrong. */
enum err redis_settings_init(struct redis_settings *settings, const struct config *config, const char *node_name,
			     char ret_why[256]) MUST_USE;
/* The part of it that needs no url. */
enum err redis_settings_fields(const struct config *config, struct intake_fields *ret_fields, char ret_why[256]) MUST_USE;
void redis_settings_fini(struct redis_settings *settings); /* harmless when all is zero */

#endif
