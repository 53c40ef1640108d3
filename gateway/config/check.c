/* The checks of values that their type alone does not make, and of options against each other. */
#include <string.h>

#include "common/base/ip.h"
#include "common/base/log.h"
#include "gateway/config/load.h"

#define PORT_MAX 65535
#define TAKE_OVER_LEASES 3 /* so long may it take another node to record in the place of one that died */
#define LOG_ROOMS "admin", "app", "auth", "historian", "hub", "memory", "redis", "wire", "worker"
#define LOG_ROOMS_TEXT "admin, app, auth, historian, hub, memory, redis, wire, worker"
#define ADDRESS_FORM "is not an address of the form host:port or [v6]:port"
#define NETWORK_FORM "is neither a network (10.0.0.0/8, fd00::/8) nor an address"
#define ORIGIN_FORM                                                                                                    \
	"is not an origin of the form scheme://host[:port] or scheme://*.domain[:port] (no path, no slash at the end) or *"

static bool is_right(const struct load *load, enum option_id id)
{
	return !load->memory->settings[id].is_wrong;
}

static void report(struct load *load, enum option_id id, const char *value, const char *what)
{
	char shown[VALUE_SHOWN_BYTES];
	if (value)
		load_mistake(load, options[id].name, load->memory->settings[id].origin, "%s %s",
		             load_show(value, shown), what);
	else
		load_mistake(load, options[id].name, load->memory->settings[id].origin, "%s", what);
}

/* An option with a mistake in it was meant to be something. */
static bool is_given(const struct load *load, enum option_id id, const char *value)
{
	return !is_right(load, id) || *value;
}

/* Digits from least to PORT_MAX, at the end of a text. */
static bool is_port(const char *text, unsigned least)
{
	unsigned port = 0;
	size_t len = strspn(text, "0123456789");
	if (len == 0 || len > 5 || text[len] != '\0')
		return false;
	for (size_t i = 0; i < len; i++)
		port = port * 10 + (unsigned)(text[i] - '0');
	return port >= least && port <= PORT_MAX;
}

/* Whether len bytes at text are a host: in brackets hexadecimal digits, colons, dots and a zone, else a name. */
static bool is_host(const char *text, size_t len)
{
	static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	bool is_bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
	if (is_bracketed) {
		size_t address_len = strspn(text + 1, "0123456789abcdefABCDEF:.");
		return address_len == len - 2 || (address_len > 0 && text[1 + address_len] == '%');
	}
	return len > 0 && strspn(text, name_chars) == len;
}

static bool is_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	return colon && is_host(text, (size_t)(colon - text)) && is_port(colon + 1, 0);
}

static void check_list(struct load *load, enum option_id id, const struct config_list *addresses)
{
	for (size_t i = 0; is_right(load, id) && i < addresses->count; i++) {
		if (!is_address(addresses->items[i].ptr))
			report(load, id, addresses->items[i].ptr, ADDRESS_FORM);
	}
}

static void check_addresses(struct load *load)
{
	const struct config *config = load->config;
	check_list(load, OPTION_listen, &config->listen);
	check_list(load, OPTION_tls_listen, &config->tls_listen);
	if (is_right(load, OPTION_listen) && config->listen.count == 0)
		report(load, OPTION_listen, NULL, "needs at least one address, host:port");
	if (is_right(load, OPTION_admin_listen) && *config->admin_listen && !is_address(config->admin_listen))
		report(load, OPTION_admin_listen, config->admin_listen, ADDRESS_FORM);
}

static bool listens_everywhere(struct slice host)
{
	return slice_is(host, "[::]") || slice_is(host, "0.0.0.0");
}

/* Whether both cannot be listened on: one port, and one host or all of them. Port 0 is another one each time. */
static bool do_collide(struct slice a, struct slice b)
{
	const char *a_colon = strrchr(a.ptr, ':'), *b_colon = strrchr(b.ptr, ':');
	if (!is_address(a.ptr) || !is_address(b.ptr) || strcmp(a_colon, b_colon) != 0 || strspn(a_colon, ":0") == strlen(a_colon))
		return false;
	struct slice a_host = {a.ptr, (size_t)(a_colon - a.ptr)}, b_host = {b.ptr, (size_t)(b_colon - b.ptr)};
	return slice_equal(a_host, b_host) || listens_everywhere(a_host) || listens_everywhere(b_host);
}

static void check_apart(struct load *load, enum option_id id, const struct config_list *list, enum option_id other_id,
			const struct config_list *other)
{
	for (size_t i = 0; is_right(load, id) && is_right(load, other_id) && i < list->count; i++) {
		for (size_t at = 0; at < other->count; at++) {
			char shown[VALUE_SHOWN_BYTES], other_shown[VALUE_SHOWN_BYTES];
			if (do_collide(list->items[i], other->items[at]))
				load_mistake(load, options[id].name, load->memory->settings[id].origin, "%s collides with %s, where %s is (%s)",
					     load_show(list->items[i].ptr, shown), options[other_id].name,
					     load_show(other->items[at].ptr, other_shown), load->memory->settings[other_id].origin);
		}
	}
}

/* Sockets of clients are opened once for each worker, so that the system would share a port between two lists. */
static void check_all_apart(struct load *load)
{
	const struct config *config = load->config;
	const struct slice admin_address = slice_of(config->admin_listen ? config->admin_listen : "");
	const struct config_list admin = {&admin_address, admin_address.len != 0};
	check_apart(load, OPTION_tls_listen, &config->tls_listen, OPTION_listen, &config->listen);
	check_apart(load, OPTION_admin_listen, &admin, OPTION_listen, &config->listen);
	check_apart(load, OPTION_admin_listen, &admin, OPTION_tls_listen, &config->tls_listen);
}

static void check_twice(struct load *load, enum option_id id, const struct config_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		for (size_t before = 0; before < i; before++) {
			if (slice_equal(list->items[i], list->items[before])) {
				report(load, id, list->items[i].ptr, "is there twice");
				break;
			}
		}
	}
}

static void check_patterns(struct load *load)
{
	if (!is_right(load, OPTION_redis_patterns))
		return;
	if (load->config->redis_patterns.count == 0)
		report(load, OPTION_redis_patterns, NULL, "needs at least one pattern, such as trace:*");
	check_twice(load, OPTION_redis_patterns, &load->config->redis_patterns);
}

/* RFC 6454 section 6.2, as browsers send it; the host may begin with a star that stands for whole labels. */
static bool is_origin(const char *text)
{
	size_t scheme_len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
	if (strcmp(text, "*") == 0)
		return true;
	if (scheme_len == 0 || strncmp(text + scheme_len, "://", 3) != 0)
		return false;
	const char *host = text + scheme_len + 3;
	const char *bracket = *host == '[' ? strchr(host, ']') : NULL;
	size_t host_len = bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":");
	size_t star_len = strncmp(host, "*.", 2) == 0 ? 2 : 0;
	if (!is_host(host + star_len, host_len - star_len))
		return false;
	return host[host_len] == '\0' || (host[host_len] == ':' && is_port(host + host_len + 1, 1));
}

static void check_origins(struct load *load)
{
	const struct config_list *origins = &load->config->cors_origins;
	for (size_t i = 0; is_right(load, OPTION_cors_origins) && i < origins->count; i++) {
		if (!is_origin(origins->items[i].ptr))
			report(load, OPTION_cors_origins, origins->items[i].ptr, ORIGIN_FORM);
	}
}

/* What is asked of clients. */
static void check_client_certificates(struct load *load, bool has_certificate)
{
	const struct config *config = load->config;
	bool has_authorities = is_given(load, OPTION_tls_client_ca_file, config->tls_client_ca_file);
	bool has_lists = is_given(load, OPTION_tls_client_crl_file, config->tls_client_crl_file);
	if (!is_right(load, OPTION_tls_client_auth))
		return;
	bool asks_clients = strcmp(config->tls_client_auth, "no") != 0;
	if (has_authorities && !has_certificate && !asks_clients)
		report(load, OPTION_tls_client_ca_file, NULL, "needs tls.certificate_file");
	else if (has_authorities && !asks_clients)
		report(load, OPTION_tls_client_ca_file, NULL, "needs tls.client_auth = optional or required: with \"no\" nobody is asked");
	if (has_lists && !asks_clients)
		report(load, OPTION_tls_client_crl_file, NULL, "needs tls.client_auth = optional or required");
	if (has_lists && !has_authorities)
		report(load, OPTION_tls_client_crl_file, NULL, "needs tls.client_ca_file");
	if (asks_clients && !has_certificate)
		report(load, OPTION_tls_client_auth, NULL, "needs tls.certificate_file");
	else if (asks_clients && !has_authorities)
		report(load, OPTION_tls_client_auth, NULL, "needs tls.client_ca_file");
}

static void check_tls(struct load *load)
{
	const struct config *config = load->config;
	bool has_certificate = is_given(load, OPTION_tls_certificate_file, config->tls_certificate_file);
	if (!has_certificate && config->tls_listen.count)
		report(load, OPTION_tls_listen, NULL, "needs tls.certificate_file");
	if (!has_certificate && is_given(load, OPTION_tls_key_file, config->tls_key_file))
		report(load, OPTION_tls_key_file, NULL, "needs tls.certificate_file");
	check_client_certificates(load, has_certificate);
}

/* The scheme alone; the rest is the redis room's to read (gateway/app/inspection.c). */
static void check_redis_url(struct load *load)
{
	static const char *const schemes[] = {"redis://", "rediss://", "unix://", "redis-sentinel://"};
	if (!is_right(load, OPTION_redis_url))
		return;
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		if (strncmp(load->config->redis_url, schemes[i], strlen(schemes[i])) == 0)
			return;
	}
	report(load, OPTION_redis_url, NULL,
	       "the value does not begin with redis://, rediss://, unix:// or redis-sentinel://");
}

static void check_proxies(struct load *load)
{
	const struct config_list *proxies = &load->config->trusted_proxies;
	struct ip_network network;
	for (size_t i = 0; is_right(load, OPTION_trusted_proxies) && i < proxies->count; i++) {
		if (!ip_network_read(proxies->items[i], &network))
			report(load, OPTION_trusted_proxies, proxies->items[i].ptr, NETWORK_FORM);
	}
	if (load->config->proxy_protocol && is_right(load, OPTION_proxy_protocol) && proxies->count == 0)
		report(load, OPTION_proxy_protocol, NULL, "needs trusted_proxies: a PROXY header is believed from nobody else");
}

/* A room that logs: what the entries of log.level may name. */
static bool is_log_room(struct slice name)
{
	static const char *const rooms[] = {LOG_ROOMS};
	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		if (slice_is(name, rooms[i]))
			return true;
	}
	return false;
}

static void check_log_level(struct load *load)
{
	struct slice room;
	if (!is_right(load, OPTION_log_level))
		return;
	if (!log_is_valid_levels(load->config->log_level))
		report(
		    load, OPTION_log_level, load->config->log_level,
		    "is not a level (debug, info, warn, error, off), perhaps with levels of rooms: info,redis=debug");
	else if (!log_levels_name(load->config->log_level, is_log_room, &room))
		load_mistake(load, options[OPTION_log_level].name, load->memory->settings[OPTION_log_level].origin,
			     "there is no room \"%.*s\"; there are " LOG_ROOMS_TEXT, (int)room.len, room.ptr);
}

/* The larger of two options that belong together must not be below the smaller. */
static void check_order(struct load *load, enum option_id smaller, uint64_t low, enum option_id larger, uint64_t high)
{
	const struct setting *settings = load->memory->settings;
	if (is_right(load, smaller) && is_right(load, larger) && high < low)
		load_mistake(load, options[larger].name, settings[larger].origin,
		             "\"%s\" is below %s, which is \"%s\" (%s)", settings[larger].text, options[smaller].name,
		             settings[smaller].text, settings[smaller].origin);
}

void check_keys(struct load *load)
{
	const struct config *config = load->config;
	bool has_keys = is_given(load, OPTION_auth_jwt_secret, config->auth_jwt_secret) ||
	                is_given(load, OPTION_auth_jwt_keys_file, config->auth_jwt_keys_file) ||
	                is_given(load, OPTION_auth_jwt_public_key_file, config->auth_jwt_public_key_file) ||
	                is_given(load, OPTION_auth_api_keys_file, config->auth_api_keys_file);
	if (is_right(load, OPTION_auth_required) && config->auth_required && !has_keys)
		report(load, OPTION_auth_required, "yes",
		       "needs keys: auth.jwt_secret_file, auth.jwt_keys_file, auth.jwt_public_key_file or auth.api_keys_file; "
		       "with \"no\" everyone may read and publish everything");
}

static void check_system(struct load *load)
{
	const struct config *config = load->config;
	if (is_right(load, OPTION_system_clients) && config->system_clients && !(config->system_events && config->history_enabled))
		report(load, OPTION_system_clients, "yes", "needs system.events = yes and history.enabled = yes");
}

void check_all(struct load *load)
{
	const struct config *config = load->config;
	check_addresses(load);
	check_twice(load, OPTION_listen, &config->listen);
	check_twice(load, OPTION_tls_listen, &config->tls_listen);
	check_all_apart(load);
	check_tls(load);
	check_patterns(load);
	check_origins(load);
	check_redis_url(load);
	check_proxies(load);
	check_system(load);
	check_log_level(load);
	check_order(load, OPTION_batch_interval, config->batch_interval, OPTION_batch_max_delay,
	            config->batch_max_delay);
	check_order(load, OPTION_redis_backoff_min, config->redis_backoff_min, OPTION_redis_backoff_max,
	            config->redis_backoff_max);
}

void config_write_warnings(struct buf *out, const struct config *config)
{
	const struct setting *settings = config->memory->settings;
	const struct setting *grace = &settings[OPTION_record_grace], *lease = &settings[OPTION_record_lease];
	if (config->history_enabled && config->record_grace < TAKE_OVER_LEASES * config->record_lease)
		buf_printf(out, "record.grace: \"%s\" is shorter than three times record.lease, which is \"%s\" (%s): after a take-over "
			   "events come without ids (%s)\n", grace->text, lease->text, lease->origin, grace->origin);
}
