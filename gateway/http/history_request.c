#include "gateway/http/history_request.h"

#include <stdio.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/decimal.h"
#include "common/protocol/value.h"
#include "gateway/http/handlers.h"
#include "gateway/http/negotiate.h"
#include "gateway/http/response.h"
#include "gateway/http/wish.h"

static bool refuse(const struct api_request *request, const char *message)
{
	api_refuse(request, 400, "bad_request", message);
	return false;
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
	if (!query_get(&request->query, "limit", &text) || (decimal_read(text, max, &history->limit) && history->limit))
		return true;
	return refuse(request, history->is_ndjson ? "limit: a whole number from 1 on is needed"
						  : "limit: a whole number from 1 to 100000 is needed");
}

static unsigned status_of(const char *code)
{
	if (strcmp(code, "internal") == 0)
		return 500;
	if (strcmp(code, "not_allowed") == 0)
		return 403;
	return strcmp(code, "no_history") == 0 ? 501 : 400;
}

static bool read_query(const struct api_request *request, struct arena *arena, struct history_request *history)
{
	static const char *const texts[] = {"session", "from", "to", "after"};
	struct wish wish;
	struct history_error error;
	wish_begin(&wish, arena);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		wish_put_text(&wish, &request->query, texts[i]);
	wish_put_list(&wish, &request->query, "channels");
	wish_put_filter_list(&wish, &request->query, "agent");
	wish_put_filter_list(&wish, &request->query, "type");
	if (!wish_put_where(&wish, request) || !put_reverse(request, &wish) || !read_limit(request, history) ||
	    !wish_end(&wish, request))
		return false;
	if (history_query_of(request->api->exchange, request->grants, arena, wish.map, &history->query, &error) == OK)
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
	arena_init(&arena, WISH_BYTES_MAX);
	bool is_ok = read_query(request, &arena, &history);
	arena_fini(&arena);
	if (is_ok)
		*ret_request = history;
	return is_ok;
}
