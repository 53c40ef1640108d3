#include "gateway/http/disconnect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/decimal.h"
#include "common/codec/json.h"
#include "common/protocol/value.h"

/* A text within PUBSUB's and the admin port's limits, as a tree. */
#define ARENA_BYTES_MAX ((size_t)1 << 20)

static enum err refuse(char why[DISCONNECT_WHY], const char *text)
{
	snprintf(why, DISCONNECT_WHY, "%s", text);
	return ERR_INVALID;
}

/* A member that is a text without control characters; one that is not there leaves it empty. */
static enum err read_text(const struct value *map, const char *name, char *ret_text, size_t room, char why[DISCONNECT_WHY])
{
	const struct value *value = value_get(map, name);
	*ret_text = '\0';
	if (!value)
		return OK;
	if (value->kind != VALUE_STRING || value->text.len == 0 || value->text.len >= room || slice_has_control(value->text)) {
		snprintf(why, DISCONNECT_WHY, "%s: a string of 1 to %zu bytes without control characters is needed", name, room - 1);
		return ERR_INVALID;
	}
	memcpy(ret_text, value->text.ptr, value->text.len);
	ret_text[value->text.len] = '\0';
	return OK;
}

static enum err check_names(const struct value *map, const char *const *known, char why[DISCONNECT_WHY])
{
	for (const struct value *member = map->list.first; member; member = member->next) {
		size_t i = 0;
		while (known[i] && !slice_is(member->key, known[i]))
			i++;
		if (!known[i])
			return refuse(why, "there is a member that means nothing here");
	}
	return OK;
}

static enum err read_order(const struct value *map, struct disconnect *order, char why[DISCONNECT_WHY])
{
	static const char *const known[] = {"identity", "client", "node", "reason", NULL};
	char client[24];
	if (!map || map->kind != VALUE_MAP)
		return refuse(why, "an object is needed: {\"identity\":...} or {\"client\":...,\"node\":...}");
	*order = (struct disconnect){.client = 0};
	enum err error = check_names(map, known, why);
	error = error ? error : read_text(map, "identity", order->identity, sizeof order->identity, why);
	error = error ? error : read_text(map, "node", order->node, sizeof order->node, why);
	error = error ? error : read_text(map, "reason", order->reason, sizeof order->reason, why);
	error = error ? error : read_text(map, "client", client, sizeof client, why);
	if (error)
		return error;
	if (*client && (!decimal_read(slice_of(client), UINT64_MAX, &order->client) || !order->client))
		return refuse(why, "client: the client of a welcome is needed");
	if (!*order->identity == !order->client)
		return refuse(why, "identity or client is needed, one of them");
	if (order->client && !*order->node)
		return refuse(why, "node: needed with client: the node of its welcome");
	if (!order->client && *order->node)
		return refuse(why, "node: belongs to client, not to identity");
	return OK;
}

static enum err decode(struct arena *arena, struct slice text, struct value **ret_map, char why[DISCONNECT_WHY])
{
	enum err error = json_decode(arena, text, ret_map, NULL);
	if (error == ERR_NOMEM)
		snprintf(why, DISCONNECT_WHY, "out of memory");
	return error == OK || error == ERR_NOMEM ? error : refuse(why, "this is no JSON");
}

enum err disconnect_read(struct slice text, struct disconnect *ret_order, char ret_why[DISCONNECT_WHY])
{
	struct arena arena;
	struct value *map = NULL;
	arena_init(&arena, ARENA_BYTES_MAX);
	enum err error = decode(&arena, text, &map, ret_why);
	error = error ? error : read_order(map, ret_order, ret_why);
	arena_fini(&arena);
	return error;
}

static bool is_from(const char *from)
{
	return strlen(from) == DISCONNECT_FROM_LEN && strspn(from, "0123456789abcdef") == DISCONNECT_FROM_LEN;
}

static enum err read_told(const struct value *map, struct disconnect *order, char from[DISCONNECT_FROM_LEN + 1], char why[DISCONNECT_WHY])
{
	static const char *const known[] = {"from", "disconnect", NULL};
	if (map->kind != VALUE_MAP)
		return refuse(why, "an object is needed");
	enum err error = check_names(map, known, why);
	error = error ? error : read_text(map, "from", from, DISCONNECT_FROM_LEN + 1, why);
	if (!error && !is_from(from))
		return refuse(why, "from: 16 hexadecimal digits are needed");
	return error ? error : read_order(value_get(map, "disconnect"), order, why);
}

enum err disconnect_read_told(struct slice text, struct disconnect *ret_order, char ret_from[DISCONNECT_FROM_LEN + 1],
			      char ret_why[DISCONNECT_WHY])
{
	struct arena arena;
	struct value *map = NULL;
	arena_init(&arena, ARENA_BYTES_MAX);
	enum err error = decode(&arena, text, &map, ret_why);
	error = error ? error : read_told(map, ret_order, ret_from, ret_why);
	arena_fini(&arena);
	return error;
}

static void write_member(struct buf *out, const char *name, const char *text)
{
	if (!*text)
		return;
	buf_printf(out, "%s\"%s\":", out->bytes[out->len - 1] == '{' ? "" : ",", name);
	json_append_string(out, slice_of(text));
}

void disconnect_write_told(struct buf *out, const struct disconnect *order, const char *from)
{
	char client[24] = "";
	if (order->client)
		snprintf(client, sizeof client, "%" PRIu64, order->client);
	buf_printf(out, "{\"from\":\"%s\",\"disconnect\":{", from);
	if (buf_has_failed(out))
		return;
	write_member(out, "identity", order->identity);
	write_member(out, "client", client);
	write_member(out, "node", order->node);
	write_member(out, "reason", order->reason);
	buf_append_text(out, "}}");
}
