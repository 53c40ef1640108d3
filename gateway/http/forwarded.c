#include "gateway/http/forwarded.h"

#include "gateway/http/head.h"

bool proxies_have(const struct proxies *proxies, const struct ip *ip)
{
	return ip_networks_have(proxies->networks, proxies->count, ip);
}

/* Takes what stands behind the last comma. False: nothing is left. */
static bool take_last(struct slice *list, struct slice *ret_entry)
{
	if (!list->ptr)
		return false;
	size_t start = list->len;
	while (start && list->ptr[start - 1] != ',')
		start--;
	*ret_entry = slice_trim((struct slice){list->ptr + start, list->len - start});
	*list = start ? (struct slice){list->ptr, start - 1} : SLICE_NONE;
	return true;
}

/* Goes through one field from the right. False: the client is found, as far as that can be. */
static bool follow(struct slice list, const struct proxies *proxies, struct ip *client)
{
	struct slice entry;
	while (take_last(&list, &entry)) {
		struct ip next;
		if (!ip_read_with_port(entry, &next))
			return false;
		*client = next;
		if (!proxies_have(proxies, client))
			return false;
	}
	return true;
}

struct ip forwarded_client(const struct head *head, const struct proxies *proxies, const struct ip *peer)
{
	struct ip client = *peer;
	if (!proxies_have(proxies, peer))
		return client;
	for (size_t i = head->field_count; i > 0; i--) {
		const struct head_field *field = &head->fields[i - 1];
		if (!head_is_same_word(field->name, SLICE_LITERAL("X-Forwarded-For")))
			continue;
		if (!field->value.len || !follow(field->value, proxies, &client))
			break;
	}
	return client;
}

enum connections_verdict forwarded_place(const struct head *head, const struct proxies *proxies, struct connections *connections,
					 struct admission *admission)
{
	if (!proxies_have(proxies, &admission->peer))
		return CONNECTIONS_ADMITTED;
	admission->client = forwarded_client(head, proxies, &admission->peer);
	bool is_proxy = proxies_have(proxies, &admission->client);
	return connections_move(connections, admission, is_proxy ? address_key_none : address_key_of(&admission->client));
}
