#include "gateway/redis/logcall.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/redis/link.h"
#include "gateway/redis/logreply.h"
#include "gateway/redis/resp.h"

#define NOSCRIPT_MAX 16       /* times that one call is sent again; somebody who flushes all the time must not keep it for ever */
#define ROWS_KEEP_BYTES 65536 /* of the memory for what one reply held */
#define LIST_STEPS_MAX 50     /* of one list */

/* What a reply says. */
struct outcome {
	struct logreply head;
	struct log_position log;
	struct stream_facts stream;
	struct record_id id;
	uint64_t cursor;
	struct snapshot snapshot;
	bool has_snapshot;
};

static void on_script_reply(void *context, const redisReply *reply);

static void free_call(struct call *call)
{
	buf_fini(&call->request);
	buf_fini(&call->listing.rows);
	buf_fini(&call->listing.names);
	free(call);
}

/* The listed names, which stand one behind the other, and the rows that get them. */
static struct session_summary *place_names(struct listing *listing, size_t *ret_count)
{
	struct session_summary *rows = (struct session_summary *)(void *)listing->rows.bytes;
	size_t count = listing->rows.len / sizeof *rows, at = 0;
	for (size_t i = 0; i < count; i++) {
		rows[i].session.ptr = listing->names.bytes + at;
		at += rows[i].session.len;
	}
	*ret_count = count;
	return rows;
}

static void tell_list(struct call *call, const struct outcome *outcome, const char *why)
{
	size_t count = 0;
	const struct session_summary *sessions = why ? NULL : place_names(&call->listing, &count);
	call->done.listed(call->context, call->ticket, outcome->head.result, outcome->cursor, sessions, count, why);
}

static void tell_read(struct call *call, const struct outcome *outcome, const char *why)
{
	const struct buf *rows = &call->script->rows;
	const struct log_entry *entries = why ? NULL : (const struct log_entry *)(const void *)rows->bytes;
	size_t count = why ? 0 : rows->len / sizeof *entries;
	call->done.read(call->context, call->ticket, outcome->head.result, entries, count, why);
}

/* The one answer of a call. */
static void tell(struct call *call, const struct outcome *outcome)
{
	enum logscript_result result = outcome->head.result;
	bool is_ok = result == LOGSCRIPT_OK;
	const char *why = is_ok ? NULL : outcome->head.why;
	switch (call->kind) {
	case CALL_PLAIN:
		if (call->done.plain)
			call->done.plain(call->context, call->ticket, result, why);
		break;
	case CALL_OPEN:
		call->done.opened(call->context, call->ticket, result, is_ok ? &outcome->log : NULL, why);
		break;
	case CALL_STORED:
		call->done.stored(call->context, call->ticket, result, outcome->id, why);
		break;
	case CALL_READ:
		tell_read(call, outcome, why);
		break;
	case CALL_INSPECT:
		call->done.inspected(call->context, call->ticket, result, is_ok ? &outcome->stream : NULL,
		                     is_ok ? &outcome->log : NULL, why);
		break;
	case CALL_LIST:
		tell_list(call, outcome, why);
		break;
	case CALL_RECALL:
		call->done.recalled(call->context, call->ticket, result,
		                    is_ok && outcome->has_snapshot ? &outcome->snapshot : NULL, why);
		break;
	}
	free_call(call);
}

static void fail_call(struct call *call, enum logscript_result result, const char *why)
{
	struct outcome outcome = {.head.result = result};
	snprintf(outcome.head.why, sizeof outcome.head.why, "%s", why);
	tell(call, &outcome);
}

static void read_rows(struct call *call, const redisReply *reply, struct outcome *outcome)
{
	struct buf *rows = &call->script->rows;
	buf_shrink(rows, ROWS_KEEP_BYTES);
	if (call->kind == CALL_READ)
		logreply_entries(reply, &outcome->head, rows);
	else
		logreply_sessions(reply, &outcome->head, &outcome->cursor, rows);
}

static void answer(struct call *call, const redisReply *reply)
{
	struct outcome outcome = {.cursor = 0};
	switch (call->kind) {
	case CALL_PLAIN:
		logreply_read(reply, &outcome.head);
		break;
	case CALL_OPEN:
		logreply_position(reply, &outcome.head, &outcome.log);
		break;
	case CALL_STORED:
		logreply_id(reply, &outcome.head, &outcome.id);
		break;
	case CALL_INSPECT:
		logreply_facts(reply, &outcome.head, &outcome.stream, &outcome.log);
		break;
	case CALL_READ:
	case CALL_LIST:
		read_rows(call, reply, &outcome);
		break;
	case CALL_RECALL:
		outcome.has_snapshot = logreply_snapshot(reply, &outcome.head, &outcome.snapshot);
		break;
	}
	tell(call, &outcome);
}

static struct call *take_call(struct list *calls)
{
	if (list_is_empty(calls))
		return NULL;
	struct call *call = LIST_ENTRY(calls->next, struct call, link);
	list_remove(&call->link);
	return call;
}

static struct call *take_next(struct logscript *script)
{
	struct call *call = take_call(&script->refused);
	return call ? call : take_call(&script->waiting);
}

static void fail_all(struct logscript *script, enum logscript_result result, const char *why)
{
	struct call *call;
	while ((call = take_next(script)))
		fail_call(call, result, why);
}

/* The link ended: nothing goes over it any more, although its owner may not have heard of it yet. */
static void lose(struct logscript *script)
{
	script->link = NULL;
	script->state = UNLOADED;
}

static enum err send_call(struct call *call)
{
	struct logscript *script = call->script;
	memcpy(call->request.bytes + call->sha_at, script->sha, SHA_DIGITS);
	return script->link ? link_send_formatted(script->link, buf_slice(&call->request), on_script_reply, call)
	                    : ERR_CLOSED;
}

/* Those that were refused go before those that came since. */
static void send_all(struct logscript *script)
{
	struct call *call;
	while ((call = take_next(script))) {
		enum err error = send_call(call);
		if (error)
			fail_call(call, error == ERR_NOMEM ? LOGSCRIPT_REFUSED : LOGSCRIPT_LOST, err_name(error));
	}
	if (script->state == LOADING)
		script->state = LOADED;
}

static void on_loaded(void *context, const redisReply *reply)
{
	struct logscript *script = context;
	char why[LOGREPLY_WHY_BYTES];
	if (!reply) {
		lose(script);
		fail_all(script, LOGSCRIPT_LOST, "the connection to Redis ended");
	} else if (reply->type != REDIS_REPLY_STRING || reply->len != SHA_DIGITS) {
		snprintf(why, sizeof why, "SCRIPT LOAD: %.200s",
		         reply->type == REDIS_REPLY_ERROR ? reply->str : "an odd answer");
		script->state = UNLOADED;
		fail_all(script, LOGSCRIPT_REFUSED, why);
	} else {
		memcpy(script->sha, reply->str, SHA_DIGITS);
		send_all(script);
	}
}

/* Its answer comes behind those of all calls in flight: then all are known that have to be sent again. */
static enum err load(struct logscript *script)
{
	const char *words[] = {"SCRIPT", "LOAD", logscript_source};
	enum err error = link_send(script->link, 3, words, NULL, on_loaded, script);
	if (!error)
		script->state = LOADING;
	return error;
}

/* Nothing of the call was done: it is sent again, in its order, once the script is back. */
static void send_again(struct call *call)
{
	struct logscript *script = call->script;
	call->refusals++;
	list_append(&script->refused, &call->link);
	if (script->state == LOADING)
		return;
	enum err error = script->link ? load(script) : ERR_CLOSED;
	if (error) {
		script->state = UNLOADED;
		fail_all(script, LOGSCRIPT_LOST, err_name(error));
	}
}

static enum err submit(struct call *call)
{
	struct logscript *script = call->script;
	enum err error = script->link ? OK : ERR_CLOSED;
	if (!error && buf_has_failed(&call->request))
		error = ERR_NOMEM;
	if (!error && script->state == LOADED)
		return send_call(call);
	if (!error && script->state == UNLOADED)
		error = load(script);
	if (!error)
		list_append(&script->waiting, &call->link);
	return error;
}

static enum err keep_or_free(struct call *call, enum err error)
{
	if (error)
		free_call(call);
	return error;
}

enum err logcall_submit(struct call *call)
{
	if (!call)
		return ERR_NOMEM;
	return keep_or_free(call, submit(call));
}

struct call *logcall_new(struct logscript *script, enum call_kind kind, uint64_t ticket, void *context)
{
	struct call *call = calloc(1, sizeof *call);
	if (!call)
		return NULL;
	*call = (struct call){.script = script, .kind = kind, .ticket = ticket, .context = context};
	list_init(&call->link);
	buf_init(&call->request);
	buf_init(&call->listing.rows);
	buf_init(&call->listing.names);
	return call;
}

void logcall_begin(struct call *call, const char *verb, size_t arguments)
{
	static const char sha[SHA_DIGITS + 1] = "0000000000000000000000000000000000000000";
	resp_begin(&call->request, 5 + arguments);
	resp_text(&call->request, "EVALSHA");
	resp_text(&call->request, sha);
	call->sha_at = call->request.len - SHA_DIGITS - 2;
	resp_text(&call->request, "1");
	resp_word(&call->request, buf_slice(&call->script->log_key));
	resp_text(&call->request, verb);
}

void logcall_begin_list(struct call *call, uint64_t cursor)
{
	size_t limit = call->listing.limit;
	buf_clear(&call->request);
	logcall_begin(call, "list", 2);
	resp_u64(&call->request, cursor);
	resp_u64(&call->request, limit < 10 ? 10 : limit < SCAN_KEYS_MAX ? limit : SCAN_KEYS_MAX);
}

/* Keeps what one step found. False: that was all, or enough. */
static bool go_on_listing(struct call *call, struct outcome *outcome)
{
	struct listing *listing = &call->listing;
	const struct buf *rows = &call->script->rows;
	if (outcome->head.result != LOGSCRIPT_OK)
		return false;
	for (size_t at = 0; at < rows->len; at += sizeof(struct session_summary)) {
		struct session_summary row;
		memcpy(&row, rows->bytes + at, sizeof row);
		buf_append_slice(&listing->names, row.session);
		buf_append(&listing->rows, &row, sizeof row);
	}
	if (buf_has_failed(&listing->names) || buf_has_failed(&listing->rows)) {
		outcome->head.result = LOGSCRIPT_REFUSED;
		snprintf(outcome->head.why, sizeof outcome->head.why, "%s", err_name(ERR_NOMEM));
		return false;
	}
	size_t found = listing->rows.len / sizeof(struct session_summary);
	return outcome->cursor != 0 && found < listing->limit && ++listing->steps < LIST_STEPS_MAX;
}

static void answer_list(struct call *call, const redisReply *reply)
{
	struct outcome outcome = {.cursor = 0};
	read_rows(call, reply, &outcome);
	if (!go_on_listing(call, &outcome)) {
		tell(call, &outcome);
		return;
	}
	logcall_begin_list(call, outcome.cursor);
	enum err error = submit(call);
	if (error)
		fail_call(call, error == ERR_NOMEM ? LOGSCRIPT_REFUSED : LOGSCRIPT_LOST, err_name(error));
}

static void on_script_reply(void *context, const redisReply *reply)
{
	struct call *call = context;
	if (!reply)
		lose(call->script);
	if (logreply_is_noscript(reply) && call->refusals < NOSCRIPT_MAX)
		send_again(call);
	else if (call->kind == CALL_LIST)
		answer_list(call, reply);
	else
		answer(call, reply);
}

static void on_read_reply(void *context, const redisReply *reply)
{
	struct call *call = context;
	if (!reply)
		lose(call->script);
	answer(call, reply);
}

enum err logcall_submit_read(struct call *call)
{
	if (!call)
		return ERR_NOMEM;
	struct link *link = call->script->link;
	enum err error = link ? OK : ERR_CLOSED;
	if (!error && buf_has_failed(&call->request))
		error = ERR_NOMEM;
	if (!error)
		error = link_send_formatted(link, buf_slice(&call->request), on_read_reply, call);
	return keep_or_free(call, error);
}

void logcall_drop_all(struct logscript *script)
{
	struct call *call;
	while ((call = take_next(script)))
		free_call(call);
}
