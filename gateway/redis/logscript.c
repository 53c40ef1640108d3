#include "gateway/redis/logscript.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/redis/logcall.h"
#include "gateway/redis/resp.h"

const char *logscript_why(enum logscript_result result, const char *why)
{
	if (result == LOGSCRIPT_OK)
		return NULL;
	return why && *why ? why : "Redis refused";
}

static struct call *new_verb(struct logscript *script, enum call_kind kind, uint64_t ticket, void *context,
                             const char *verb, size_t arguments)
{
	struct call *call = logcall_new(script, kind, ticket, context);
	if (call)
		logcall_begin(call, verb, arguments);
	return call;
}

static void put_id(struct buf *request, struct record_id id)
{
	char text[RECORD_ID_TEXT];
	size_t len = record_id_write(text, id);
	resp_word(request, (struct slice){text, len});
}

static void put_hex(struct buf *request, uint64_t number)
{
	char text[17];
	snprintf(text, sizeof text, "%016llx", (unsigned long long)number);
	resp_text(request, text);
}

static struct slice hash_slice(const struct hash128 *hash)
{
	return (struct slice){(const char *)hash->bytes, sizeof hash->bytes};
}

static bool has_hash(const struct hash128 *hash)
{
	static const struct hash128 none = {{0}};
	return memcmp(hash, &none, sizeof none) != 0;
}

struct logscript *logscript_new(const struct logscript_settings *settings)
{
	struct logscript *script = calloc(1, sizeof *script);
	if (!script)
		return NULL;
	*script = (struct logscript){.settings = settings};
	list_init(&script->refused);
	list_init(&script->waiting);
	buf_init(&script->log_key);
	buf_init(&script->rows);
	random_init(&script->random);
	buf_append_text(&script->log_key, settings->prefix);
	buf_append_text(&script->log_key, "log");
	if (buf_has_failed(&script->log_key)) {
		logscript_free(script);
		return NULL;
	}
	return script;
}

void logscript_free(struct logscript *script)
{
	if (!script)
		return;
	logcall_drop_all(script);
	buf_fini(&script->log_key);
	buf_fini(&script->rows);
	free(script);
}

void logscript_use(struct logscript *script, struct link *link)
{
	script->link = link;
	if (link)
		script->state = UNLOADED;
}

enum err logscript_open(struct logscript *script, uint64_t ticket, struct log_position known, logscript_opened *done,
                        void *context)
{
	struct call *call = new_verb(script, CALL_OPEN, ticket, context, "open", 3);
	if (call) {
		call->done.opened = done;
		put_hex(&call->request, random_next(&script->random));
		put_hex(&call->request, known.epoch);
		put_id(&call->request, known.last);
	}
	return logcall_submit(call);
}

enum err logscript_claim(struct logscript *script, uint64_t ticket, struct slice token, bool by_force,
                         struct slice question, logscript_done *done, void *context)
{
	struct call *call = new_verb(script, CALL_PLAIN, ticket, context, "claim", question.ptr ? 4 : 3);
	if (call) {
		call->done.plain = done;
		resp_word(&call->request, token);
		resp_u64(&call->request, script->settings->lease_ms);
		resp_u64(&call->request, by_force);
		if (question.ptr)
			resp_word(&call->request, question);
	}
	return logcall_submit(call);
}

enum err logscript_renew(struct logscript *script, uint64_t ticket, struct slice token, logscript_done *done,
                         void *context)
{
	struct call *call = new_verb(script, CALL_PLAIN, ticket, context, "renew", 4);
	if (call) {
		call->done.plain = done;
		resp_word(&call->request, token);
		resp_u64(&call->request, script->settings->lease_ms);
		resp_u64(&call->request, script->settings->log_events_max);
		resp_u64(&call->request, script->settings->log_age_ms);
	}
	return logcall_submit(call);
}

void logscript_release(struct logscript *script, struct slice token)
{
	struct call *call = new_verb(script, CALL_PLAIN, 0, NULL, "release", 1);
	if (call)
		resp_word(&call->request, token);
	(void)!logcall_submit(call); /* else the lease ends by itself */
}

enum err logscript_record(struct logscript *script, uint64_t ticket, struct slice token, uint64_t epoch,
                          const struct logscript_event *events, size_t count, logscript_done *done, void *context)
{
	struct call *call = new_verb(script, CALL_PLAIN, ticket, context, "record", 5 + 4 * count);
	if (!call)
		return ERR_NOMEM;
	struct buf *request = &call->request;
	call->done.plain = done;
	resp_word(request, token);
	put_hex(request, epoch);
	resp_u64(request, script->settings->log_events_max);
	resp_u64(request, script->settings->session_events_max);
	resp_u64(request, script->settings->session_idle_ms);
	for (size_t i = 0; i < count; i++) {
		resp_word(request, events[i].channel);
		resp_word(request, events[i].payload);
		resp_word(request, events[i].session);
		resp_word(request, hash_slice(&events[i].hash));
	}
	return logcall_submit(call);
}

enum err logscript_publish(struct logscript *script, uint64_t ticket, const struct logscript_event *event,
                           logscript_stored *done, void *context)
{
	struct call *call = new_verb(script, CALL_STORED, ticket, context, "publish", 6);
	if (call) {
		call->done.stored = done;
		resp_word(&call->request, event->channel);
		resp_word(&call->request, event->payload);
		resp_word(&call->request, event->session);
		resp_word(&call->request, has_hash(&event->hash) ? hash_slice(&event->hash) : SLICE_NONE);
		resp_u64(&call->request, script->settings->session_events_max);
		resp_u64(&call->request, script->settings->session_idle_ms);
	}
	return logcall_submit(call);
}

static void put_key(struct buf *request, const struct logscript *script, const char *name, struct slice session)
{
	struct buf key;
	buf_init(&key);
	buf_append_text(&key, script->settings->prefix);
	buf_append_text(&key, name);
	buf_append_slice(&key, session);
	request->failed |= buf_has_failed(&key);
	resp_word(request, buf_slice(&key));
	buf_fini(&key);
}

/* Both ends inclusive: an exclusive start at the greatest id is an error for Redis, not empty. A range that can hold nothing
 * is asked with its ends the wrong way round, which gives nothing. */
static void put_range(struct buf *request, struct record_id from, struct record_id to, bool is_reverse)
{
	bool is_none = is_reverse ? record_id_is_zero(from) : record_id_compare(from, RECORD_ID_MAX) == 0;
	struct record_id start = is_reverse ? record_id_previous(from) : record_id_next(from);
	if (is_none)
		to = is_reverse ? RECORD_ID_MAX : (struct record_id){0, 0};
	put_id(request, start);
	put_id(request, to);
}

enum err logscript_read(struct logscript *script, uint64_t ticket, struct slice session, struct record_id from,
                        struct record_id to, bool is_reverse, size_t count, logscript_read_done *done, void *context)
{
	struct call *call = logcall_new(script, CALL_READ, ticket, context);
	if (!call)
		return ERR_NOMEM;
	call->done.read = done;
	resp_begin(&call->request, 6);
	resp_text(&call->request, is_reverse ? "XREVRANGE" : "XRANGE");
	put_key(&call->request, script, session.len ? "session:" : "log", session);
	put_range(&call->request, from, to, is_reverse);
	resp_text(&call->request, "COUNT");
	resp_u64(&call->request, count);
	return logcall_submit_read(call);
}

enum err logscript_inspect(struct logscript *script, uint64_t ticket, struct slice session, logscript_inspected *done,
                           void *context)
{
	struct call *call = new_verb(script, CALL_INSPECT, ticket, context, "inspect", 1);
	if (call) {
		call->done.inspected = done;
		resp_word(&call->request, session);
	}
	return logcall_submit(call);
}

enum err logscript_list(struct logscript *script, uint64_t ticket, uint64_t cursor, size_t limit,
                        logscript_listed *done, void *context)
{
	struct call *call = logcall_new(script, CALL_LIST, ticket, context);
	if (call) {
		call->done.listed = done;
		call->listing.limit = limit;
		logcall_begin_list(call, cursor);
	}
	return logcall_submit(call);
}

enum err logscript_recall(struct logscript *script, uint64_t ticket, struct slice session, struct record_id above,
                          struct record_id to, logscript_recalled *done, void *context)
{
	struct call *call = logcall_new(script, CALL_RECALL, ticket, context);
	if (!call)
		return ERR_NOMEM;
	call->done.recalled = done;
	resp_begin(&call->request, 6);
	resp_text(&call->request, "XREVRANGE");
	put_key(&call->request, script, "snap:", session);
	put_id(&call->request, to);
	put_id(&call->request, record_id_next(above));
	resp_text(&call->request, "COUNT");
	resp_u64(&call->request, 1);
	return logcall_submit_read(call);
}

void logscript_keep(struct logscript *script, struct slice session, const struct snapshot *snapshot)
{
	struct call *call = new_verb(script, CALL_PLAIN, 0, NULL, "keep", 8);
	if (call) {
		resp_word(&call->request, session);
		resp_u64(&call->request, SNAPSHOTS_MAX);
		put_id(&call->request, snapshot->at);
		resp_u64(&call->request, snapshot->version);
		put_hex(&call->request, snapshot->epoch);
		resp_u64(&call->request, snapshot->skipped);
		put_hex(&call->request, snapshot->sum);
		resp_word(&call->request, snapshot->state);
	}
	(void)!logcall_submit(call); /* else the next fold takes longer */
}

void logscript_forget(struct logscript *script, struct slice session, struct record_id at)
{
	struct call *call = logcall_new(script, CALL_PLAIN, 0, NULL);
	bool is_all = record_id_is_zero(at);
	if (!call)
		return;
	resp_begin(&call->request, is_all ? 2 : 3);
	resp_text(&call->request, is_all ? "UNLINK" : "XDEL");
	put_key(&call->request, script, "snap:", session);
	if (!is_all)
		put_id(&call->request, at);
	(void)!logcall_submit_read(call); /* else somebody ignores it again */
}
