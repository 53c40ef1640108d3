#include "gateway/http/credential.h"

#define SCHEME "Bearer"
#define SUBPROTOCOL "bearer."

static enum credential_status malformed(const char **ret_why, const char *why)
{
	*ret_why = why;
	return CREDENTIAL_MALFORMED;
}

/* RFC 6750 section 2.1; the scheme in any case (RFC 9110 section 11.1). What has another scheme is for somebody else: a proxy in front
 * that asks for a password leaves it there. */
static enum credential_status find_bearer(const struct head *head, struct slice *ret_credential, const char **ret_why)
{
	const size_t scheme_len = sizeof SCHEME - 1;
	struct slice value;
	size_t count;
	if (!head_get(head, "Authorization", &value, &count))
		return count ? malformed(ret_why, "Authorization: given more than once") : CREDENTIAL_NONE;
	const char *space = value.len ? memchr(value.ptr, ' ', value.len) : NULL;
	bool is_bearer = head_is_same_word((struct slice){value.ptr, space ? (size_t)(space - value.ptr) : value.len}, slice_of(SCHEME));
	if (!is_bearer)
		return space ? CREDENTIAL_NONE : malformed(ret_why, "Authorization: Bearer and a credential are needed");
	size_t at = scheme_len;
	while (at < value.len && value.ptr[at] == ' ')
		at++;
	struct slice token = {value.ptr + at, value.len - at};
	if (token.len == 0)
		return malformed(ret_why, "Authorization: the credential is missing");
	if (memchr(token.ptr, ' ', token.len) || memchr(token.ptr, ',', token.len) || memchr(token.ptr, '\t', token.len))
		return malformed(ret_why, "Authorization: one credential is needed behind Bearer");
	*ret_credential = token;
	return CREDENTIAL_FOUND;
}

static enum credential_status find_key(const struct head *head, struct slice *ret_credential, const char **ret_why)
{
	size_t count;
	if (!head_get(head, "X-API-Key", ret_credential, &count))
		return count ? malformed(ret_why, "X-API-Key: given more than once") : CREDENTIAL_NONE;
	return ret_credential->len ? CREDENTIAL_FOUND : malformed(ret_why, "X-API-Key: the key is missing");
}

static enum credential_status find_in_query(const struct query *query, struct slice *ret_credential, const char **ret_why)
{
	struct slice token, key;
	bool has_token = query_get(query, "access_token", &token), has_key = query_get(query, "api_key", &key);
	if (!has_token && !has_key)
		return CREDENTIAL_NONE;
	if (has_token && has_key)
		return malformed(ret_why, "access_token and api_key: one of them is needed, not both");
	*ret_credential = has_token ? token : key;
	if (ret_credential->len)
		return CREDENTIAL_FOUND;
	return malformed(ret_why, has_token ? "access_token: the token is missing" : "api_key: the key is missing");
}

bool credential_is_offer(struct slice entry)
{
	return slice_begins_with(entry, SLICE_LITERAL(SUBPROTOCOL));
}

static enum credential_status find_in_subprotocols(const struct head *head, struct slice *ret_credential, const char **ret_why)
{
	const size_t prefix_len = sizeof SUBPROTOCOL - 1;
	size_t count = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		struct slice list = head->fields[i].value, offer;
		if (!head_is_same_word(head->fields[i].name, SLICE_LITERAL("Sec-WebSocket-Protocol")))
			continue;
		while (head_next_element(&list, &offer)) {
			if (!credential_is_offer(offer))
				continue;
			*ret_credential = (struct slice){offer.ptr + prefix_len, offer.len - prefix_len};
			count++;
		}
	}
	if (count == 0)
		return CREDENTIAL_NONE;
	if (count > 1)
		return malformed(ret_why, "Sec-WebSocket-Protocol: bearer. is given more than once");
	return ret_credential->len ? CREDENTIAL_FOUND
	                           : malformed(ret_why, "Sec-WebSocket-Protocol: the token behind bearer. is missing");
}

enum credential_status credential_find(const struct head *head, const struct query *query, struct slice *ret_credential,
				       const char **ret_why)
{
	enum credential_status status = find_bearer(head, ret_credential, ret_why);
	if (status == CREDENTIAL_NONE)
		status = find_key(head, ret_credential, ret_why);
	if (status == CREDENTIAL_NONE)
		status = find_in_query(query, ret_credential, ret_why);
	if (status == CREDENTIAL_NONE)
		status = find_in_subprotocols(head, ret_credential, ret_why);
	return status;
}
