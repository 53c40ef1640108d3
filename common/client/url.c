#include "common/client/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TARGET_DEFAULT "/v1/stream"

/* Printable ASCII without a space; that also keeps line ends out of the request. */
static bool is_clean(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7F || *text == '#')
			return false;
	return true;
}

static bool copy_part(char *ret_text, size_t size, const char *start, size_t len)
{
	if (len == 0 || len >= size)
		return false;
	memcpy(ret_text, start, len);
	ret_text[len] = '\0';
	return true;
}

static bool is_port(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text) && strtoul(text, NULL, 10) >= 1 && strtoul(text, NULL, 10) <= 65535;
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static bool split_authority(struct tgc_url *url, const char *text, size_t len)
{
	bool has_brackets = len && text[0] == '[';
	const char *host = text + has_brackets, *end = text + len;
	const char *host_end = has_brackets ? memchr(host, ']', len - 1) : memchr(host, ':', len);
	if (!host_end && has_brackets)
		return false;
	if (!host_end)
		host_end = end;
	if (memchr(text, '@', len) || !copy_part(url->host, sizeof url->host, host, (size_t)(host_end - host)))
		return false;
	const char *behind = host_end + has_brackets;
	if (behind == end)
		snprintf(url->port, sizeof url->port, "%s", url->is_secure ? "443" : "80");
	else if (*behind != ':' || !copy_part(url->port, sizeof url->port, behind + 1, (size_t)(end - behind - 1)))
		return false;
	return is_port(url->port) && copy_part(url->authority, sizeof url->authority, text, len);
}

/* The text behind the scheme; NULL: it has none that is known. */
static const char *read_scheme(const char *text, bool *ret_is_secure)
{
	static const struct {
		const char *name;
		bool is_secure;
	} schemes[] = {{"ws://", false}, {"wss://", true}, {"http://", false}, {"https://", true}};
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t len = strlen(schemes[i].name);
		if (strncasecmp(text, schemes[i].name, len) == 0) {
			*ret_is_secure = schemes[i].is_secure;
			return text + len;
		}
	}
	return NULL;
}

enum err tgc_url_parse(struct tgc_url *url, const char *text)
{
	memset(url, 0, sizeof *url);
	const char *authority = read_scheme(text, &url->is_secure);
	if (!authority || !is_clean(text))
		return ERR_INVALID;
	size_t len = strcspn(authority, "/?");
	const char *target = authority + len;
	if (!split_authority(url, authority, len) || strlen(target) > TGC_TARGET_MAX)
		return ERR_INVALID;
	bool has_path = target[0] == '/' && target[1] != '\0' && target[1] != '?';
	const char *query = target + (target[0] == '/' && !has_path);
	size_t size = strlen(target) + sizeof TARGET_DEFAULT;
	url->target = malloc(size);
	if (!url->target)
		return ERR_NOMEM;
	snprintf(url->target, size, "%s%s", has_path ? "" : TARGET_DEFAULT, has_path ? target : query);
	return OK;
}

void tgc_url_fini(struct tgc_url *url)
{
	free(url->target);
	url->target = NULL;
}
