#include "gateway/http/cors.h"

#include <string.h>

static struct slice without_port(struct slice authority, const char *default_port)
{
	size_t len = strlen(default_port);
	if (authority.len > len && memcmp(authority.ptr + authority.len - len, default_port, len) == 0)
		authority.len -= len;
	return authority;
}

/* Without TLS the scheme cannot be compared: behind a proxy that ends TLS the gateway does not see the browser's. */
static bool is_same_origin(struct slice origin, struct slice host, bool is_tls)
{
	const char *default_port;
	size_t scheme_len;
	if (slice_begins_with(origin, SLICE_LITERAL("https://"))) {
		default_port = ":443";
		scheme_len = strlen("https://");
	} else if (slice_begins_with(origin, SLICE_LITERAL("http://")) && !is_tls) {
		default_port = ":80";
		scheme_len = strlen("http://");
	} else {
		return false;
	}
	struct slice authority = {origin.ptr + scheme_len, origin.len - scheme_len};
	return head_is_same_word(without_port(authority, default_port), without_port(host, default_port));
}

/* One or more labels of a host name, a dot between each two. */
static bool are_labels(struct slice text)
{
	bool ends_label = true;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool is_dot = c == '.';
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
		if ((is_dot && ends_label) || (!is_dot && !is_letter))
			return false;
		ends_label = is_dot;
	}
	return !ends_label;
}

/* The star of a pattern stands for whole labels and for nothing else; all around it is compared as it is. */
static bool is_matched(struct slice pattern, struct slice origin)
{
	const char *star = pattern.len ? memchr(pattern.ptr, '*', pattern.len) : NULL;
	if (!star)
		return slice_equal(pattern, origin);
	struct slice before = {pattern.ptr, (size_t)(star - pattern.ptr)};
	struct slice behind = {star + 1, pattern.len - before.len - 1};
	if (origin.len < before.len + behind.len)
		return false;
	struct slice head = {origin.ptr, before.len};
	struct slice labels = {origin.ptr + before.len, origin.len - before.len - behind.len};
	struct slice tail = {labels.ptr + labels.len, behind.len};
	return slice_equal(before, head) && slice_equal(behind, tail) && are_labels(labels);
}

static bool is_listed(const struct cors *cors, struct slice origin)
{
	for (size_t i = 0; i < cors->origin_count; i++) {
		if (is_matched(cors->origins[i], origin) && !slice_is(origin, "null"))
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
	if (has_one && cors->origin_count == 0 && head_get(head, "Host", &host, NULL) &&
	    is_same_origin(origin, host, cors->is_tls))
		return CORS_ALLOWED;
	return CORS_REFUSED;
}

struct slice cors_reader(const struct cors *cors, bool is_tls, const struct head *head)
{
	struct cors own = *cors;
	struct slice origin;
	own.is_tls = is_tls;
	return cors_judge(&own, head, &origin) == CORS_ALLOWED ? origin : SLICE_NONE;
}
