#include "gateway/session/telling.h"

#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

struct telling telling_begin(struct session *session, const char *op)
{
	struct arena *arena = &session->exchange->arena;
	struct telling telling = {.session = session, .arena = arena, .mark = arena_mark(arena), .map = value_map(arena)};
	telling_put_text(&telling, "op", op);
	return telling;
}

struct telling telling_begin_notice(struct session *session, const char *code)
{
	struct telling notice = telling_begin(session, "notice");
	telling_put_text(&notice, "code", code);
	return notice;
}

void telling_put(struct telling *telling, const char *name, struct value *value)
{
	telling->map = value_put(telling->map, name, value);
}

void telling_put_text(struct telling *telling, const char *name, const char *text)
{
	telling_put(telling, name, value_text(telling->arena, text));
}

void telling_put_id(struct telling *telling, const char *name, struct record_id id)
{
	char text[RECORD_ID_TEXT];
	if (record_id_is_zero(id)) {
		telling_put(telling, name, value_null(telling->arena));
		return;
	}
	const char *kept = arena_copy(telling->arena, text, record_id_write(text, id));
	telling_put(telling, name, kept ? value_text(telling->arena, kept) : NULL);
}

struct telling telling_begin_gap(struct session *session, const char *member, const char *key)
{
	struct telling gap = telling_begin(session, "gap");
	telling_put_text(&gap, member, key);
	metric_add(METRIC_GAPS, 1);
	return gap;
}

void telling_end_gap(struct telling *gap, struct record_id before, uint64_t dropped, const char *reason)
{
	telling_put_id(gap, "before", before);
	telling_put(gap, "dropped", dropped ? value_uint(gap->arena, dropped) : value_null(gap->arena));
	telling_put_text(gap, "reason", reason);
}

void telling_send(const struct telling *telling)
{
	session_send(telling->session, telling->map);
	arena_back(telling->arena, telling->mark);
}

void telling_write(const struct telling *telling)
{
	struct session *session = telling->session;
	struct slice frame = session_frame(session->exchange, session->front, telling->map);
	if (frame.len)
		session_write(session, frame);
	else
		session_close(session, CLOSE_INTERNAL);
	arena_back(telling->arena, telling->mark);
}
