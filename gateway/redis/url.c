#include "gateway/redis/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/redis/tls.h"

/* All cutting happens in place in url->memory: parts are ended by a NUL where their delimiter was. */

static enum err fail(char *ret_why, const char *why)
{
	snprintf(ret_why, URL_WHY_BYTES, "%s", why);
	return ERR_INVALID;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Percent-decodes in place. A %00 is refused: texts end at their NUL. */
static bool decode(char *text)
{
	char *to = text;
	for (const char *at = text; *at; at++) {
		if (*at != '%') {
			*to++ = *at;
			continue;
		}
		int high = hex_value(at[1]);
		int low = high < 0 ? -1 : hex_value(at[2]);
		if (low < 0 || high + low == 0)
			return false;
		*to++ = (char)(high * 16 + low);
		at += 2;
	}
	*to = '\0';
	return true;
}

static bool parse_number(const char *text, uint32_t most, uint32_t *ret_number)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9 || text[digits])
		return false;
	unsigned long number = strtoul(text, NULL, 10);
	if (number > most)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

static enum err parse_scheme(const char *text, enum url_kind *ret_kind, size_t *ret_len, char *ret_why)
{
	static const struct {
		const char *prefix;
		enum url_kind kind;
	} schemes[] = {
	    {"redis://", URL_TCP}, {"rediss://", URL_TLS}, {"unix://", URL_UNIX}, {"redis-sentinel://", URL_SENTINEL}};
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t len = strlen(schemes[i].prefix);
		if (strncmp(text, schemes[i].prefix, len) != 0)
			continue;
		*ret_kind = schemes[i].kind;
		*ret_len = len;
		return OK;
	}
	return fail(ret_why, "it must begin with redis://, rediss://, unix:// or redis-sentinel://");
}

static enum err parse_login(struct url *url, char *login, char *ret_why)
{
	char *password = strchr(login, ':');
	if (password)
		*password++ = '\0';
	if (!decode(login))
		return fail(ret_why, "the user holds a bad percent-encoding");
	if (password && !decode(password))
		return fail(ret_why, "the password holds a bad percent-encoding");
	url->user = *login ? login : NULL;
	url->password = password && (*password || url->user) ? password : NULL;
	return OK;
}

static enum err parse_place(char *text, uint16_t default_port, struct place *ret_place, char *ret_why)
{
	char *host = text, *port = NULL;
	if (*text == '[') {
		char *end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return fail(ret_why, "the IPv6 address is not closed by a ]");
		host = text + 1;
		*end = '\0';
		port = end[1] ? end + 2 : NULL;
	} else if ((port = strchr(text, ':'))) {
		*port++ = '\0';
		if (strchr(port, ':'))
			return fail(ret_why, "an IPv6 address must stand in [ ]");
	}
	if (!*host)
		return fail(ret_why, "a host is missing");
	uint32_t number = default_port;
	if (port && (!parse_number(port, UINT16_MAX, &number) || number == 0))
		return fail(ret_why, "a port is not a number from 1 to 65535");
	*ret_place = (struct place){.host = host, .port = (uint16_t)number};
	return OK;
}

static enum err parse_places(struct url *url, char *text, char *ret_why)
{
	uint16_t default_port = url->kind == URL_SENTINEL ? URL_SENTINEL_PORT : URL_PORT;
	while (text) {
		char *rest = url->kind == URL_SENTINEL ? strchr(text, ',') : NULL;
		if (rest)
			*rest++ = '\0';
		if (url->place_count == URL_PLACES_MAX)
			return fail(ret_why, "there are more than 16 sentinels");
		enum err error = parse_place(text, default_port, &url->places[url->place_count], ret_why);
		if (error)
			return error;
		url->place_count++;
		text = rest;
	}
	return OK;
}

static enum err parse_db(struct url *url, const char *text, char *ret_why)
{
	if (!parse_number(text, INT32_MAX, &url->db))
		return fail(ret_why, "the database is not a number");
	return OK;
}

/* The part behind the authority, without its slash; NULL when there is none. */
static enum err parse_path(struct url *url, char *path, char *ret_why)
{
	if (url->kind == URL_SENTINEL) {
		if (!path || !*path || *path == '/')
			return fail(ret_why, "the name of the primary is missing behind the sentinels");
		url->primary = path;
		path = strchr(path, '/');
		if (path)
			*path++ = '\0';
		if (!decode((char *)(uintptr_t)url->primary))
			return fail(ret_why, "the name of the primary holds a bad percent-encoding");
	}
	return path && *path ? parse_db(url, path, ret_why) : OK;
}

static enum err parse_unix(struct url *url, char *path, char *ret_why)
{
	char *query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	if (!decode(path))
		return fail(ret_why, "the path of the socket holds a bad percent-encoding");
	if (!path[1])
		return fail(ret_why, "the path of the socket is missing");
	if (strlen(path) >= 108)
		return fail(ret_why, "the path of the socket is longer than 107 bytes");
	url->places[0] = (struct place){.path = path};
	url->place_count = 1;
	if (!query || !*query)
		return OK;
	if (strncmp(query, "db=", 3) != 0)
		return fail(ret_why, "behind the ? only db=<number> may stand");
	return parse_db(url, query + 3, ret_why);
}

static enum err parse_rest(struct url *url, char *rest, char *ret_why)
{
	char *slash = strchr(rest, '/');
	if (slash)
		*slash = '\0';
	char *at = strrchr(rest, '@');
	bool may_have_at = url->kind == URL_UNIX || (at && url->kind == URL_SENTINEL);
	if (!may_have_at && slash && strchr(slash + 1, '@'))
		return fail(ret_why, "there is an @ behind a /: in a user or a password write / as %2F");
	if (at) {
		*at = '\0';
		enum err error = parse_login(url, rest, ret_why);
		if (error)
			return error;
		rest = at + 1;
	}
	if (url->kind == URL_UNIX) {
		if (*rest || !slash)
			return fail(ret_why, "the path of the socket must begin with a /");
		*slash = '/';
		return parse_unix(url, slash, ret_why);
	}
	if (strpbrk(rest, "?#") || (slash && strpbrk(slash + 1, "?#")))
		return fail(ret_why, "there is a ? or a # behind the host: a database stands behind a / there");
	enum err error = parse_places(url, rest, ret_why);
	return error ? error : parse_path(url, slash ? slash + 1 : NULL, ret_why);
}

enum err url_parse(const char *text, struct url *ret_url, char ret_why[URL_WHY_BYTES])
{
	struct url url = {0};
	size_t scheme_len = 0;
	if (strlen(text) > URL_BYTES_MAX)
		return fail(ret_why, "it is longer than 4096 bytes");
	enum err error = parse_scheme(text, &url.kind, &scheme_len, ret_why);
	if (error)
		return error;
	size_t len = strlen(text + scheme_len);
	url.memory = malloc(len + 1);
	if (!url.memory) {
		snprintf(ret_why, URL_WHY_BYTES, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	memcpy(url.memory, text + scheme_len, len + 1);
	error = parse_rest(&url, url.memory, ret_why);
	if (!error && url.kind == URL_TLS && !tls_is_built_in()) {
		snprintf(ret_why, URL_WHY_BYTES,
		         "rediss:// needs hiredis 1.0 or newer with TLS; this build has hiredis %s", tls_library());
		error = ERR_UNSUPPORTED;
	}
	if (error) {
		url_fini(&url);
		return error;
	}
	*ret_url = url;
	return OK;
}

void url_fini(struct url *url)
{
	free(url->memory);
	*url = (struct url){0};
}

bool url_has_credentials(const struct url *url)
{
	return url->user || url->password;
}

void place_text(const struct place *place, char *ret_text, size_t size)
{
	if (place->path)
		snprintf(ret_text, size, "%s", place->path);
	else
		snprintf(ret_text, size, strchr(place->host, ':') ? "[%s]:%u" : "%s:%u", place->host,
		         (unsigned)place->port);
}
