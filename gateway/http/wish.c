#include "gateway/http/wish.h"

#include <string.h>

#include "common/codec/json.h"
#include "gateway/http/handlers.h"

void wish_begin(struct wish *wish, struct arena *arena)
{
	*wish = (struct wish){.arena = arena, .map = value_map(arena), .filter = value_map(arena)};
}

/* "a,b" as an array of strings. */
static struct value *list_of(struct arena *arena, struct slice text)
{
	struct value *list = value_array(arena);
	for (;;) {
		const char *comma = text.len ? memchr(text.ptr, ',', text.len) : NULL;
		size_t len = comma ? (size_t)(comma - text.ptr) : text.len;
		list = value_push(list, value_string(arena, (struct slice){text.ptr, len}));
		if (!comma)
			return list;
		text = (struct slice){text.ptr + len + 1, text.len - len - 1};
	}
}

void wish_put_text(struct wish *wish, const struct query *query, const char *name)
{
	struct slice text;
	if (query_get(query, name, &text))
		wish->map = value_put(wish->map, name, value_string(wish->arena, text));
}

void wish_put_list(struct wish *wish, const struct query *query, const char *name)
{
	struct slice text;
	if (query_get(query, name, &text))
		wish->map = value_put(wish->map, name, list_of(wish->arena, text));
}

void wish_put_filter_list(struct wish *wish, const struct query *query, const char *name)
{
	struct slice text;
	if (query_get(query, name, &text))
		wish->filter = value_put(wish->filter, name, list_of(wish->arena, text));
}

static bool refuse_for_memory(const struct api_request *request)
{
	api_refuse(request, 500, "internal", "the gateway is out of memory");
	return false;
}

bool wish_put_where(struct wish *wish, const struct api_request *request)
{
	struct slice text;
	struct value *where;
	struct json_error error;
	if (!query_get(&request->query, "where", &text))
		return true;
	enum err failed = json_decode(wish->arena, text, &where, &error);
	if (failed == ERR_NOMEM)
		return refuse_for_memory(request);
	if (failed != OK) {
		api_refuse(request, 400, "bad_request", "where: a JSON array of conditions is needed");
		return false;
	}
	wish->filter = value_put(wish->filter, "where", where);
	return true;
}

bool wish_end(struct wish *wish, const struct api_request *request)
{
	wish->map = value_put(wish->map, "filter", wish->filter);
	return wish->map || refuse_for_memory(request);
}
