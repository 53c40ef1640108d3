/* Where Redis is and how to log in, as redis.url says it:
 *   redis://[user[:password]@]host[:port][/db]      rediss://... the same over TLS
 *   unix://[user[:password]@]/path[?db=N]
 *   redis-sentinel://[user[:password]@]host:port,host:port,.../<primary name>[/db]
 * User, password, path and primary name are percent-decoded; a ? and a # stand in them alone. Pure. A url holds the password: it is never logged whole. */
#ifndef GATEWAY_REDIS_URL_H
#define GATEWAY_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum url_kind { URL_TCP, URL_TLS, URL_UNIX, URL_SENTINEL };

#define URL_BYTES_MAX 4096
#define URL_PLACES_MAX 16
#define URL_PORT 6379
#define URL_SENTINEL_PORT 26379
#define URL_WHY_BYTES 256

/* A server to connect to: a host with a port or, where path is set, a unix socket. */
struct place {
	const char *host; /* name or address, IPv6 without brackets */
	const char *path;
	uint16_t port;
};

struct url {
	enum url_kind kind;
	struct place places[URL_PLACES_MAX]; /* one, or for URL_SENTINEL the sentinels */
	size_t place_count;
	const char *user, *password; /* NULL: not given */
	const char *primary;         /* URL_SENTINEL: the name that the sentinels know the primary by */
	uint32_t db;
	char *memory; /* owns every text */
};

/* On failure ret_why names the part that is wrong, and shows nothing of the text: any piece of it may belong to a
 * password that was not percent-encoded. ERR_INVALID, ERR_UNSUPPORTED (TLS that hiredis lacks), ERR_NOMEM. */
enum err url_parse(const char *text, struct url *ret_url, char ret_why[URL_WHY_BYTES]) MUST_USE;
void url_fini(struct url *url);

bool url_has_credentials(const struct url *url);

/* "127.0.0.1:6379", "[::1]:6379", "/run/redis.sock": for logs. */
void place_text(const struct place *place, char *ret_text, size_t size);

#endif
