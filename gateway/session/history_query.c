#include "gateway/session/history_query.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/protocol/log.h"
#include "gateway/auth/access.h"
#include "gateway/filter/glob.h"
#include "gateway/session/exchange_inside.h"

/* A request that is being read. */
struct reading {
	const struct exchange *exchange;
	const struct grants *grants;
	struct arena *arena;
	const struct value *body;
	struct history_error *error;
};

static enum err refuse(const struct reading *reading, enum err error, const char *code, const char *message)
{
	reading->error->code = code;
	snprintf(reading->error->message, sizeof reading->error->message, "%s", message);
	return error;
}

static enum err refuse_field(const struct reading *reading, const char *field, const char *why)
{
	reading->error->code = "bad_request";
	snprintf(reading->error->message, sizeof reading->error->message, "%s: %s", field, why);
	return ERR_INVALID;
}

static enum err refuse_type(const struct reading *reading, const char *field, const char *wanted)
{
	char why[128];
	snprintf(why, sizeof why, "%s is needed, this is a %s", wanted, value_kind_name(value_get(reading->body, field)->kind));
	return refuse_field(reading, field, why);
}

static enum err refuse_memory(const struct reading *reading)
{
	return refuse(reading, ERR_NOMEM, "internal", "the gateway is out of memory");
}

/* A moment of a request; is_given false: it names none. */
struct moment_field {
	bool is_given;
	struct moment moment;
};

static enum err read_moment(const struct reading *reading, const char *field, struct moment_field *ret_field)
{
	const struct value *value = value_get(reading->body, field);
	char why[128];
	*ret_field = (struct moment_field){.is_given = value != NULL};
	if (!value || moment_parse(value, clock_wall_ms(), &ret_field->moment, why) == OK)
		return OK;
	return refuse_field(reading, field, why);
}

/* A number from 1 to max; without the field ret_number stays. */
static enum err read_count(const struct reading *reading, const char *field, size_t max, size_t *ret_number)
{
	const struct value *value = value_get(reading->body, field);
	char why[64];
	if (!value)
		return OK;
	if (value->kind == VALUE_UINT && value->uint >= 1 && value->uint <= max) {
		*ret_number = (size_t)value->uint;
		return OK;
	}
	snprintf(why, sizeof why, "a whole number from 1 to %zu is needed", max);
	return refuse_field(reading, field, why);
}

static enum err read_flag(const struct reading *reading, const char *field, bool *ret_flag)
{
	const struct value *value = value_get(reading->body, field);
	if (value && value->kind != VALUE_BOOL)
		return refuse_type(reading, field, "true or false");
	*ret_flag = value && value->boolean;
	return OK;
}

static enum err compile(const struct reading *reading, const struct value *filter, struct filter **ret_filter)
{
	struct filter_error why;
	enum err error = filter_compile(value_get(reading->body, "channels"), filter, reading->exchange->settings.served, ret_filter,
					&why);
	if (error == OK)
		return OK;
	if (error == ERR_NOMEM)
		return refuse_memory(reading);
	refuse_field(reading, why.where, why.message);
	reading->error->code = "bad_filter";
	return ERR_INVALID;
}

static bool holds(const struct value *list, struct slice text)
{
	for (const struct value *member = list->list.first; member; member = member->next) {
		if (slice_equal(member->text, text))
			return true;
	}
	return false;
}

/* The filter of the request with its sessions replaced by this one. NULL: no memory. */
static struct value *with_session(struct arena *arena, const struct value *filter, struct slice session)
{
	struct value *narrowed = value_map(arena);
	for (const struct value *member = filter ? filter->list.first : NULL; member; member = member->next) {
		if (!slice_is(member->key, "session"))
			narrowed = value_push(narrowed, value_copy(arena, member));
	}
	return value_put(narrowed, "session", value_push(value_array(arena), value_string(arena, session)));
}

/* The request's filter has been compiled already: it is narrowed to the session. */
static enum err narrow(const struct reading *reading, struct slice session, struct filter **filter)
{
	const struct value *wanted = value_get(reading->body, "filter");
	const struct value *sessions = value_get(wanted, "session");
	filter_unref(*filter);
	*filter = NULL;
	if (sessions && !holds(sessions, session))
		return OK;
	struct value *narrowed = with_session(reading->arena, wanted, session);
	return narrowed ? compile(reading, narrowed, filter) : refuse_memory(reading);
}

static enum err narrow_to_grants(const struct reading *reading, struct filter **filter)
{
	struct filter *wish = *filter;
	*filter = NULL;
	enum err error = access_narrow(reading->grants, wish, filter);
	filter_unref(wish);
	if (error == ERR_DENIED)
		return refuse(reading, error, "not_allowed", ACCESS_NO_SYSTEM);
	return error == OK ? OK : refuse_memory(reading);
}

static enum err read_filter(const struct reading *reading, struct filter **ret_filter)
{
	const struct value *session = value_get(reading->body, "session");
	if (session && session->kind != VALUE_STRING)
		return refuse_type(reading, "session", "a string");
	if (session && (session->text.len == 0 || session->text.len > GLOB_BYTES_MAX))
		return refuse_field(reading, "session", "a string of 1 to 1024 bytes is needed");
	enum err error = compile(reading, value_get(reading->body, "filter"), ret_filter);
	error = error == OK && session ? narrow(reading, session->text, ret_filter) : error;
	return error == OK && *ret_filter ? narrow_to_grants(reading, ret_filter) : error;
}

/* The range in inclusive ids, as from and to name it. Without an end it goes on to what there is when it is read. */
struct span {
	struct record_id first, last;
};

static enum err read_span(const struct reading *reading, const struct moment_field *from, const struct moment_field *to,
			  struct span *ret_span)
{
	struct record_id head = reading->exchange->log_head;
	*ret_span = (struct span){.last = RECORD_ID_MAX};
	if (from->is_given)
		ret_span->first = moment_first(&from->moment, head);
	if (to->is_given && to->moment.kind != MOMENT_NOW)
		ret_span->last = moment_last(&to->moment, head);
	if (from->is_given && to->is_given && record_id_is_before(ret_span->last, ret_span->first))
		return refuse_field(reading, "from", "later than to");
	return OK;
}

static bool is_of_another_log(const struct exchange *exchange, const struct moment_field *field)
{
	const struct cursor *cursor = &field->moment.cursor;
	uint64_t epoch = exchange->feed.log.epoch;
	return field->is_given && field->moment.kind == MOMENT_ID && cursor->has_epoch && epoch &&
	       cursor->epoch != cursor_epoch(epoch);
}

/* What "after" leaves of the span. A cursor of another log goes on where this log begins, unless it is older still. */
static void cut_span(const struct exchange *exchange, const struct moment_field *after, struct history_query *query, struct span *span)
{
	struct record_id head = exchange->log_head, base = exchange->feed.log.base;
	if (query->range.is_reverse) {
		struct record_id before = record_id_previous(moment_first(&after->moment, head));
		query->is_empty = record_id_is_zero(moment_first(&after->moment, head));
		if (record_id_is_before(before, span->last))
			span->last = before;
		return;
	}
	struct record_id behind = moment_last(&after->moment, head);
	if (query->is_reset && record_id_is_before(base, behind))
		behind = base;
	query->is_empty = record_id_compare(behind, RECORD_ID_MAX) == 0;
	behind = record_id_next(behind);
	if (record_id_is_before(span->first, behind))
		span->first = behind;
}

/* A reader's start is exclusive. One that goes up to RECORD_ID_MAX would end at what the node has delivered; the id before it
 * means the end of what Redis holds. */
static void set_range(struct history_query *query, struct span span)
{
	query->is_empty = query->is_empty || record_id_is_before(span.last, span.first);
	if (query->range.is_reverse) {
		query->range.from = record_id_next(span.last);
		query->range.to = span.first;
		return;
	}
	query->range.from = record_id_previous(span.first);
	query->range.to = record_id_compare(span.last, RECORD_ID_MAX) == 0 ? record_id_previous(span.last) : span.last;
}

static enum err read_range(const struct reading *reading, struct history_query *query)
{
	struct moment_field from, to, after;
	struct span span;
	enum err error = read_flag(reading, "reverse", &query->range.is_reverse);
	error = error ? error : read_moment(reading, "from", &from);
	error = error ? error : read_moment(reading, "to", &to);
	error = error ? error : read_moment(reading, "after", &after);
	error = error ? error : read_span(reading, &from, &to, &span);
	if (error)
		return error;
	query->is_reset = is_of_another_log(reading->exchange, &after);
	if (after.is_given)
		cut_span(reading->exchange, &after, query, &span);
	query->is_from_start = record_id_is_zero(span.first);
	set_range(query, span);
	return OK;
}

enum err history_query_of(const struct exchange *exchange, const struct grants *grants, struct arena *arena, const struct value *body,
			  struct history_query *ret_query, struct history_error *ret_error)
{
	const struct reading reading = {exchange, grants, arena, body, ret_error};
	size_t chunk_max = exchange->settings.batch_max_events;
	struct history_query query = {.limit = HISTORY_LIMIT_DEFAULT, .epoch = exchange->feed.log.epoch};
	query.chunk = HISTORY_CHUNK_DEFAULT < chunk_max ? HISTORY_CHUNK_DEFAULT : chunk_max;
	if (!exchange->settings.past.ask)
		return refuse(&reading, ERR_UNSUPPORTED, "no_history",
			      "this gateway keeps no history (history.enabled): it delivers live events only");
	enum err error = read_range(&reading, &query);
	error = error ? error : read_count(&reading, "limit", HISTORY_LIMIT_MAX, &query.limit);
	error = error ? error : read_count(&reading, "chunk", chunk_max, &query.chunk);
	error = error ? error : read_filter(&reading, &query.filter);
	if (error == OK)
		*ret_query = query;
	return error;
}
