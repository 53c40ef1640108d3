#include "gateway/http/events_request.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/codec/json.h"
#include "common/protocol/log.h"
#include "gateway/http/handlers.h"
#include "gateway/http/wish.h"

/* Where a stream begins, and who says so. */
struct start {
	const char *source;
	struct slice text;
};

/* A browser that reconnects repeats the query that it began with, so what it has had since then wins. False: answered. */
static bool find_start(const struct api_request *request, struct start *ret_start)
{
	size_t count;
	struct slice text;
	*ret_start = (struct start){NULL, SLICE_NONE};
	if (head_get(request->head, "Last-Event-ID", &text, &count) && text.len) {
		*ret_start = (struct start){"Last-Event-ID", text};
	} else if (count > 1) {
		api_refuse(request, 400, "bad_request", "Last-Event-ID: given more than once");
		return false;
	} else if (query_get(&request->query, "lastEventId", &text) && text.len) {
		*ret_start = (struct start){"lastEventId", text};
	} else if (query_get(&request->query, "since", &text)) {
		*ret_start = (struct start){"since", text};
	}
	return true;
}

/* False: answered. */
static bool put_start(struct wish *wish, const struct api_request *request)
{
	struct start start;
	struct moment moment;
	char why[128], message[160];
	if (!find_start(request, &start))
		return false;
	if (!start.source)
		return true;
	if (moment_parse_text(start.text, clock_wall_ms(), &moment, why) != OK) {
		snprintf(message, sizeof message, "%s: %s", start.source, why);
		api_refuse(request, 400, "bad_request", message);
		return false;
	}
	wish->map = value_put(wish->map, "since", value_string(wish->arena, start.text));
	return true;
}

static bool fill(struct wish *wish, const struct api_request *request)
{
	static const char *const lists[] = {"session", "agent", "type"};
	wish->map = value_put(wish->map, "id", value_uint(wish->arena, 0));
	wish->map = value_put(wish->map, "op", value_text(wish->arena, "subscribe"));
	wish_put_list(wish, &request->query, "channels");
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		wish_put_filter_list(wish, &request->query, lists[i]);
	wish_put_text(wish, &request->query, "slow");
	return wish_put_where(wish, request) && put_start(wish, request) && wish_end(wish, request);
}

bool events_request_write(const struct api_request *request, struct buf *out)
{
	struct arena arena;
	struct wish wish;
	arena_init(&arena, WISH_BYTES_MAX);
	wish_begin(&wish, &arena);
	bool is_ok = fill(&wish, request);
	if (is_ok)
		json_encode(out, wish.map);
	arena_fini(&arena);
	if (is_ok && buf_has_failed(out)) {
		api_refuse(request, 500, "internal", "the gateway is out of memory");
		return false;
	}
	return is_ok;
}
