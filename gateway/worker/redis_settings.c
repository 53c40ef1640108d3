#include "gateway/worker/redis_settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/filter/filter.h"

static enum err copy_names(const char *option, struct config_list list, struct intake_names *ret_names, char *ret_why)
{
	if (list.count > INTAKE_NAMES_MAX) {
		snprintf(ret_why, 256, "%s: more than %d names", option, INTAKE_NAMES_MAX);
		return ERR_RANGE;
	}
	for (size_t i = 0; i < list.count; i++)
		ret_names->names[i] = list.items[i];
	ret_names->count = list.count;
	return OK;
}

enum err redis_settings_fields(const struct config *config, struct intake_fields *ret_fields, char ret_why[256])
{
	enum err error = copy_names("fields.session", config->fields_session, &ret_fields->session, ret_why);
	if (!error)
		error = copy_names("fields.agent", config->fields_agent, &ret_fields->agent, ret_why);
	if (!error)
		error = copy_names("fields.type", config->fields_type, &ret_fields->type, ret_why);
	return error;
}

static bool copy_patterns(struct redis_settings *settings, const struct config *config)
{
	const struct config_list *list = &config->redis_patterns;
	settings->patterns = calloc(list->count + 1, sizeof *settings->patterns);
	if (!settings->patterns)
		return false;
	for (size_t i = 0; i < list->count; i++)
		settings->patterns[i] = list->items[i];
	settings->patterns[list->count] = SLICE_LITERAL(FILTER_SYSTEM_PREFIX "*");
	return true;
}

static void set_upstream(struct redis_settings *settings, const struct config *config, const char *node_name)
{
	settings->upstream = (struct upstream_settings){
	    .url = &settings->url,
	    .prefix = config->redis_prefix,
	    .node_name = node_name,
	    .patterns = settings->patterns,
	    .pattern_count = config->redis_patterns.count + config->system_events,
	    .live_channel = config->history_enabled ? settings->live_channel : NULL,
	    .control_channel = settings->control_channel,
	    .connect_timeout_ns = config->redis_connect_timeout,
	    .backoff_min_ns = config->redis_backoff_min,
	    .backoff_max_ns = config->redis_backoff_max,
	    .heartbeat_ns = config->redis_heartbeat,
	    .payload_bytes_max = config->limits_event_bytes,
	};
}

enum err redis_settings_init(struct redis_settings *settings, const struct config *config, const char *node_name,
                             char ret_why[256])
{
	char why[URL_WHY_BYTES];
	enum err error = redis_settings_fields(config, &settings->fields, ret_why);
	if (error)
		return error;
	error = url_parse(config->redis_url, &settings->url, why);
	if (error) {
		snprintf(ret_why, 256, "redis.url: %.240s", why);
		return error;
	}
	int len = snprintf(settings->control_channel, sizeof settings->control_channel, "%scontrol", config->redis_prefix);
	if (len < 0 || (size_t)len >= sizeof settings->control_channel) {
		snprintf(ret_why, 256, "redis.prefix: too long");
		return ERR_RANGE;
	}
	snprintf(settings->live_channel, sizeof settings->live_channel, "%slive", config->redis_prefix);
	if (!copy_patterns(settings, config)) {
		snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	set_upstream(settings, config, node_name);
	settings->log = (struct logscript_settings){
	    .prefix = config->redis_prefix,
	    .lease_ms = config->record_lease / NS_PER_MS,
	    .log_events_max = config->history_max_events,
	    .log_age_ms = config->history_max_age / NS_PER_MS,
	    .session_events_max = config->session_max_events,
	    .session_idle_ms = config->session_idle_expiry / NS_PER_MS,
	};
	return OK;
}

void redis_settings_fini(struct redis_settings *settings)
{
	url_fini(&settings->url);
	free(settings->patterns);
	settings->patterns = NULL;
}
