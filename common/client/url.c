#include "common/client/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PORT_DEFAULT "80"
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
		memcpy(url->port, PORT_DEFAULT, sizeof PORT_DEFAULT);
	else if (*behind != ':' || !copy_part(url->port, sizeof url->port, behind + 1, (size_t)(end - behind - 1)))
		return false;
	return is_port(url->port) && copy_part(url->authority, sizeof url->authority, text, len);
}

enum err tgc_url_parse(struct tgc_url *url, const char *text)
{
	memset(url, 0, sizeof *url);
	if (strncasecmp(text, "wss://", 6) == 0)
		return ERR_UNSUPPORTED;
	if (strncasecmp(text, "ws://", 5) != 0 || !is_clean(text))
		return ERR_INVALID;
	const char *authority = text + 5;
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
