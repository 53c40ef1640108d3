#include "gateway/http/history_request.h"

#include <stdio.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/codec/json.h"
#include "common/protocol/value.h"
#include "gateway/http/handlers.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/number.h"
#include "gateway/http/response.h"

/* A parameter of HEAD_TARGET_MAX bytes that is all commas, or JSON of as many brackets, as a tree. */
#define TREE_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* The request as the op "history" has it. */
struct wish {
	struct arena *arena;
	struct value *map, *filter;
};

static bool refuse(const struct api_request *request, const char *message)
{
	api_refuse(request, 400, "bad_request", message);
	return false;
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

static void put_texts(const struct query *query, struct wish *wish)
{
	static const char *const names[] = {"session", "from", "to", "after"};
	struct slice text;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (query_get(query, names[i], &text))
			wish->map = value_put(wish->map, names[i], value_string(wish->arena, text));
	}
}

static void put_lists(const struct query *query, struct wish *wish)
{
	struct slice text;
	if (query_get(query, "channels", &text))
		wish->map = value_put(wish->map, "channels", list_of(wish->arena, text));
	if (query_get(query, "agent", &text))
		wish->filter = value_put(wish->filter, "agent", list_of(wish->arena, text));
	if (query_get(query, "type", &text))
		wish->filter = value_put(wish->filter, "type", list_of(wish->arena, text));
}

/* False: answered. */
static bool put_where(const struct api_request *request, struct wish *wish)
{
	struct slice text;
	struct value *where;
	struct json_error error;
	if (!query_get(&request->query, "where", &text))
		return true;
	enum err failed = json_decode(wish->arena, text, &where, &error);
	if (failed == ERR_NOMEM) {
		api_refuse(request, 500, "internal", "the gateway is out of memory");
		return false;
	}
	if (failed != OK)
		return refuse(request, "where: a JSON array of conditions is needed");
	wish->filter = value_put(wish->filter, "where", where);
	return true;
}

/* False: answered. */
static bool put_reverse(const struct api_request *request, struct wish *wish)
{
	struct slice text;
	if (!query_get(&request->query, "reverse", &text))
		return true;
	bool is_true = text.len == 0 || slice_is(text, "true") || slice_is(text, "1");
	if (!is_true && !slice_is(text, "false") && !slice_is(text, "0"))
		return refuse(request, "reverse: true or false is needed");
	wish->map = value_put(wish->map, "reverse", value_bool(wish->arena, is_true));
	return true;
}

static bool read_limit(const struct api_request *request, struct history_request *history)
{
	struct slice text;
	uint64_t max = history->is_ndjson ? UINT64_MAX - 1 : HISTORY_LIMIT_MAX;
	history->limit = history->is_ndjson ? UINT64_MAX : HISTORY_LIMIT_DEFAULT;
	if (!query_get(&request->query, "limit", &text) || (number_read(text, max, &history->limit) && history->limit))
		return true;
	return refuse(request, history->is_ndjson ? "limit: a whole number from 1 on is needed"
						  : "limit: a whole number from 1 to 100000 is needed");
}

static unsigned status_of(const char *code)
{
	if (strcmp(code, "internal") == 0)
		return 500;
	return strcmp(code, "no_history") == 0 ? 501 : 400;
}

static bool read_query(const struct api_request *request, struct arena *arena, struct history_request *history)
{
	struct wish wish = {.arena = arena, .map = value_map(arena), .filter = value_map(arena)};
	struct history_error error;
	put_texts(&request->query, &wish);
	put_lists(&request->query, &wish);
	if (!put_where(request, &wish) || !put_reverse(request, &wish) || !read_limit(request, history))
		return false;
	wish.map = value_put(wish.map, "filter", wish.filter);
	if (!wish.map) {
		api_refuse(request, 500, "internal", "the gateway is out of memory");
		return false;
	}
	if (history_query_of(request->api->exchange, arena, wish.map, &history->query, &error) == OK)
		return true;
	api_refuse(request, status_of(error.code), error.code, error.message);
	return false;
}

bool history_request_read(const struct api_request *request, struct history_request *ret_request)
{
	static const char *const offers[] = {RESPONSE_JSON, RESPONSE_NDJSON};
	struct history_request history = {.limit = 0};
	struct arena arena;
	int type = negotiate_accept(request->head, offers, 2);
	if (type < 0) {
		api_refuse(request, 406, "not_acceptable", "this path gives application/json and application/x-ndjson");
		return false;
	}
	history.is_ndjson = type == 1;
	history.has_after = query_get(&request->query, "after", &history.after);
	arena_init(&arena, TREE_BYTES_MAX);
	bool is_ok = read_query(request, &arena, &history);
	arena_fini(&arena);
	if (is_ok)
		*ret_request = history;
	return is_ok;
}
