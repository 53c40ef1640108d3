/* The request "replay". */
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/access.h"
#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/history_query.h"
#include "gateway/session/replay.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"

#define GAP_MAX_MS UINT64_C(86400000)
#define SPEED_TEXT 64

/* The spelling of a number as JSON allows it. */
static bool read_number(struct slice spelling, double *ret_number)
{
	char text[SPEED_TEXT], *end;
	if (spelling.len >= sizeof text)
		return false;
	memcpy(text, spelling.ptr, spelling.len);
	text[spelling.len] = '\0';
	*ret_number = strtod(text, &end);
	return *end == '\0';
}

bool request_speed(const struct request *request, double *ret_speed)
{
	const struct value *value = value_get(request->body, "speed");
	double speed = 0;
	if (!value)
		return true;
	if (value->kind == VALUE_STRING && slice_is(value->text, "max")) {
		*ret_speed = REPLAY_SPEED_FREE;
		return true;
	}
	bool is_number = value->kind == VALUE_UINT || (value->kind == VALUE_NUMBER && read_number(value->text, &speed));
	if (value->kind == VALUE_UINT)
		speed = (double)value->uint;
	if (is_number && speed >= REPLAY_SPEED_MIN && speed <= REPLAY_SPEED_MAX) {
		*ret_speed = speed;
		return true;
	}
	request_fail(request, "bad_request", "speed: a number from 0.1 to 1000, or \"max\", is needed");
	return false;
}

static bool read_gap(const struct request *request, uint64_t *ret_gap_ms)
{
	const struct value *value = value_get(request->body, "maxGapMs");
	*ret_gap_ms = value && value->kind == VALUE_UINT ? value->uint : UINT64_MAX;
	if (!value || (value->kind == VALUE_UINT && value->uint >= 1 && value->uint <= GAP_MAX_MS))
		return true;
	request_fail(request, "bad_request", "maxGapMs: a whole number from 1 to 86400000 is needed");
	return false;
}

static bool read_then(const struct request *request, bool *ret_goes_live)
{
	const struct value *then;
	if (!request_optional_string(request, "then", &then))
		return false;
	*ret_goes_live = then && slice_is(then->text, "live");
	if (*ret_goes_live && !access_may(request_grants(request), GRANT_SUBSCRIBE)) {
		request_fail(request, "not_allowed", "then: your credential does not grant the op \"subscribe\"");
		return false;
	}
	if (!then || *ret_goes_live || slice_is(then->text, "stop"))
		return true;
	request_fail(request, "bad_request", "then: \"stop\" or \"live\" is needed");
	return false;
}

/* What a replay has in common with a request for history: all else that the client sent means nothing here. */
static struct value *as_history(const struct request *request)
{
	static const char *const fields[] = {"session", "channels", "filter", "from", "to", "after"};
	struct value *body = value_map(request->arena);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const struct value *field = value_get(request->body, fields[i]);
		if (field)
			body = value_put(body, fields[i], value_copy(request->arena, field));
	}
	return body;
}

/* Gives a reference to the filter. */
static bool read_range(const struct request *request, struct history_query *ret_query)
{
	struct exchange *exchange = request->session->exchange;
	struct history_error error;
	const struct value *body = as_history(request);
	if (!body) {
		request_fail(request, "internal", "the gateway is out of memory");
		return false;
	}
	if (history_query_of(exchange, request_grants(request), request->arena, body, ret_query, &error) != OK) {
		request_fail(request, error.code, error.message);
		return false;
	}
	if (!exchange->feed.log.epoch) {
		request_fail_for_now(request, "unavailable", "the node does not know the log yet", ERRAND_RETRY_MS);
	} else if (!ret_query->filter) {
		request_fail(request, "bad_filter",
		             "filter.session: does not hold the session: there is nothing to replay");
	} else {
		return true;
	}
	filter_unref(ret_query->filter);
	return false;
}

static bool has_room(const struct request *request)
{
	const struct session *session = request->session;
	size_t limit = session->allowance.limit[LIMIT_REQUESTS];
	if (!limit || session->replay_count < limit)
		return true;
	request_fail(request, "too_many_replays",
	             "this connection has as many replays as it may have (welcome.limits.requests): stop one of them");
	return false;
}

static void begin(const struct request *request, const struct history_query *query, struct replay_wish *wish)
{
	wish->filter = query->filter;
	wish->range = query->range;
	if (wish->goes_live && record_id_compare(wish->range.to, record_id_previous(RECORD_ID_MAX)) == 0)
		wish->range.to = RECORD_ID_MAX;
	struct replay *replay = replay_open(request->session, wish);
	const char *key = replay ? arena_copy(request->arena, replay->key, strlen(replay->key)) : NULL;
	if (!key) {
		request_fail(request, "internal", "the gateway is out of memory");
		if (replay)
			replay_close(replay);
		return;
	}
	request_succeed(request, value_put(value_map(request->arena), "replay", value_text(request->arena, key)));
	if (query->is_reset)
		replay_tell_gap(replay, replay->at, (struct record_id){0}, "reset");
	replay_play(replay);
}

void request_replay(const struct request *request)
{
	struct replay_wish wish = {.speed = 1};
	struct history_query query;
	if (!request_without_delta(request) || !request_speed(request, &wish.speed) || !read_gap(request, &wish.max_gap_ms) ||
	    !read_then(request, &wish.goes_live) || !has_room(request) || !read_range(request, &query))
		return;
	begin(request, &query, &wish);
	filter_unref(query.filter);
}
