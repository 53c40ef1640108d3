#include "gateway/http/cors.h"

#include <string.h>

static bool has_prefix(struct slice text, const char *prefix)
{
	size_t len = strlen(prefix);
	return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

static struct slice without_port(struct slice authority, const char *default_port)
{
	size_t len = strlen(default_port);
	if (authority.len > len && memcmp(authority.ptr + authority.len - len, default_port, len) == 0)
		authority.len -= len;
	return authority;
}

/* The scheme cannot be compared: behind a proxy that ends TLS the gateway does not see the browser's. */
static bool is_same_origin(struct slice origin, struct slice host)
{
	const char *default_port;
	size_t scheme_len;
	if (has_prefix(origin, "https://")) {
		default_port = ":443";
		scheme_len = strlen("https://");
	} else if (has_prefix(origin, "http://")) {
		default_port = ":80";
		scheme_len = strlen("http://");
	} else {
		return false;
	}
	struct slice authority = {origin.ptr + scheme_len, origin.len - scheme_len};
	return head_is_same_word(without_port(authority, default_port), without_port(host, default_port));
}

static bool is_listed(const struct cors *cors, struct slice origin)
{
	for (size_t i = 0; i < cors->origin_count; i++) {
		if (slice_equal(cors->origins[i], origin) && !slice_is(origin, "null"))
			return true;
	}
	return false;
}

static bool allows_any(const struct cors *cors)
{
	for (size_t i = 0; i < cors->origin_count; i++) {
		if (slice_is(cors->origins[i], "*"))
			return true;
	}
	return false;
}

enum cors_verdict cors_judge(const struct cors *cors, const struct head *head, struct slice *ret_origin)
{
	struct slice origin = SLICE_NONE, host;
	size_t count;
	bool has_one = head_get(head, "Origin", &origin, &count);
	*ret_origin = has_one ? origin : SLICE_NONE;
	if (count == 0)
		return CORS_NO_ORIGIN;
	if (allows_any(cors))
		return CORS_ALLOWED;
	if (has_one && cors->origin_count && is_listed(cors, origin))
		return CORS_ALLOWED;
	if (has_one && cors->origin_count == 0 && head_get(head, "Host", &host, NULL) && is_same_origin(origin, host))
		return CORS_ALLOWED;
	return CORS_REFUSED;
}
