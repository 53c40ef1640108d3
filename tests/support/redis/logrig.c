#include "tests/support/redis/logrig.h"

#include <check.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/redis/link.h"

#define BEAT_MS 2

static void on_beat(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
}

static void on_up(void *context)
{
	struct logrig *rig = context;
	rig->is_up = true;
}

static void on_down(void *context, const char *why)
{
	struct logrig *rig = context;
	(void)why;
	rig->link = NULL;
	rig->is_down = true;
	logscript_use(rig->script, NULL);
}

void logrig_connect(struct logrig *rig)
{
	const struct link_settings settings = {.place = rig->url.places[0],
	                                       .url = &rig->url,
	                                       .timeout_ns = 10 * NS_PER_S,
	                                       .silence_ns = 10 * NS_PER_S};
	const struct link_owner owner = {.on_up = on_up, .on_down = on_down, .context = rig};
	rig->is_up = rig->is_down = false;
	ck_assert_int_eq(link_open(rig->base, &settings, owner, &rig->link), OK);
	LOGRIG_UNTIL(rig, rig->is_up);
	logscript_use(rig->script, rig->link);
}

void logrig_init(struct logrig *rig, const char *url)
{
	const struct timeval beat = {.tv_usec = BEAT_MS * 1000};
	char why[URL_WHY_BYTES] = "";
	*rig = (struct logrig){.tickets = 0};
	memset(rig->results, -1, sizeof rig->results);
	signal(SIGPIPE, SIG_IGN);
	evthread_use_pthreads();
	ck_assert_int_eq(metrics_join(), OK);
	buf_init(&rig->order);
	buf_init(&rig->entries);
	buf_init(&rig->text);
	rig->base = event_base_new();
	rig->beat = event_new(rig->base, -1, EV_PERSIST, on_beat, NULL);
	event_add(rig->beat, &beat);
	ck_assert_msg(url_parse(url, &rig->url, why) == OK, "%s", why);
	rig->settings = (struct logscript_settings){
	    .prefix = "tg:",
	    .lease_ms = 60000,
	    .log_events_max = 200000,
	    .log_age_ms = 6 * 3600 * 1000,
	    .session_events_max = 200000,
	    .session_idle_ms = 86400000,
	};
	rig->script = logscript_new(&rig->settings);
	ck_assert_ptr_nonnull(rig->script);
	logrig_connect(rig);
}

void logrig_fini(struct logrig *rig)
{
	link_close(rig->link);
	logscript_free(rig->script);
	event_free(rig->beat);
	event_base_free(rig->base);
	url_fini(&rig->url);
	buf_fini(&rig->order);
	buf_fini(&rig->entries);
	buf_fini(&rig->text);
	metrics_reset();
}

void logrig_turn(struct logrig *rig)
{
	event_base_loop(rig->base, EVLOOP_ONCE);
}

uint64_t logrig_ticket(struct logrig *rig)
{
	ck_assert_uint_lt(rig->tickets + 1, LOGRIG_TICKETS_MAX);
	return ++rig->tickets;
}

void logrig_until_answered(struct logrig *rig, unsigned answered)
{
	LOGRIG_UNTIL(rig, rig->answered >= answered);
	ck_assert_uint_eq(rig->answered, answered);
}

static void note_answer(struct logrig *rig, uint64_t ticket, enum logscript_result result, const char *why)
{
	ck_assert_uint_ge(ticket, 1);
	ck_assert_uint_le(ticket, rig->tickets);
	ck_assert_msg(rig->results[ticket] == -1, "ticket %" PRIu64 " was answered twice", ticket);
	ck_assert_msg(!why == (result == LOGSCRIPT_OK), "a reason stands where something failed");
	rig->results[ticket] = (signed char)result;
	rig->answered++;
	buf_printf(&rig->order, "%" PRIu64 " ", ticket);
	snprintf(rig->why, sizeof rig->why, "%s", why ? why : "");
	buf_clear(&rig->entries);
	buf_clear(&rig->text);
}

void logrig_on_done(void *context, uint64_t ticket, enum logscript_result result, const char *why)
{
	note_answer(context, ticket, result, why);
}

static void on_opened(void *context, uint64_t ticket, enum logscript_result result, const struct log_position *position,
                      const char *why)
{
	struct logrig *rig = context;
	note_answer(rig, ticket, result, why);
	if (position)
		rig->position = *position;
}

static void on_stored(void *context, uint64_t ticket, enum logscript_result result, struct record_id id,
                      const char *why)
{
	struct logrig *rig = context;
	note_answer(rig, ticket, result, why);
	rig->id = id;
}

void logrig_on_read(void *context, uint64_t ticket, enum logscript_result result, const struct log_entry *entries,
                    size_t count, const char *why)
{
	struct logrig *rig = context;
	note_answer(rig, ticket, result, why);
	buf_append(&rig->entries, entries, count * sizeof *entries);
	for (size_t i = 0; i < count; i++) {
		buf_append_slice(&rig->text, entries[i].channel);
		buf_append_char(&rig->text, ' ');
		buf_append_slice(&rig->text, entries[i].payload);
		buf_append_char(&rig->text, '\n');
	}
}

static void on_inspected(void *context, uint64_t ticket, enum logscript_result result,
                         const struct stream_facts *stream, const struct log_position *log, const char *why)
{
	struct logrig *rig = context;
	note_answer(rig, ticket, result, why);
	if (result != LOGSCRIPT_OK)
		return;
	rig->facts = *stream;
	rig->position = *log;
}

static void on_listed(void *context, uint64_t ticket, enum logscript_result result, uint64_t cursor,
                      const struct session_summary *sessions, size_t count, const char *why)
{
	struct logrig *rig = context;
	note_answer(rig, ticket, result, why);
	rig->cursor = cursor;
	for (size_t i = 0; i < count; i++) {
		buf_append_slice(&rig->text, sessions[i].session);
		buf_printf(&rig->text, " %" PRIu64 "\n", sessions[i].length);
	}
}

static enum logscript_result wait_for(struct logrig *rig, enum err error)
{
	ck_assert_int_eq(error, OK);
	ck_assert_msg(rig->results[rig->tickets] == -1, "no answer comes inside the call");
	logrig_until_answered(rig, rig->answered + 1);
	return (enum logscript_result)rig->results[rig->tickets];
}

enum logscript_result logrig_open(struct logrig *rig, struct log_position known)
{
	return wait_for(rig, logscript_open(rig->script, logrig_ticket(rig), known, on_opened, rig));
}

enum logscript_result logrig_claim(struct logrig *rig, const char *token, bool by_force)
{
	return logrig_ask(rig, token, by_force, SLICE_NONE);
}

enum logscript_result logrig_ask(struct logrig *rig, const char *token, bool by_force, struct slice question)
{
	return wait_for(rig, logscript_claim(rig->script, logrig_ticket(rig), slice_of(token), by_force, question,
	                                     logrig_on_done, rig));
}

enum logscript_result logrig_renew(struct logrig *rig, const char *token)
{
	return wait_for(rig, logscript_renew(rig->script, logrig_ticket(rig), slice_of(token), logrig_on_done, rig));
}

enum logscript_result logrig_record(struct logrig *rig, const char *token, uint64_t epoch,
                                    const struct logscript_event *events, size_t count)
{
	return wait_for(rig, logscript_record(rig->script, logrig_ticket(rig), slice_of(token), epoch, events, count,
	                                      logrig_on_done, rig));
}

enum logscript_result logrig_publish(struct logrig *rig, const struct logscript_event *event)
{
	return wait_for(rig, logscript_publish(rig->script, logrig_ticket(rig), event, on_stored, rig));
}

enum logscript_result logrig_read(struct logrig *rig, const char *session, struct record_id from, struct record_id to,
                                  bool is_reverse, size_t count)
{
	return wait_for(rig, logscript_read(rig->script, logrig_ticket(rig), slice_of(session), from, to, is_reverse,
	                                    count, logrig_on_read, rig));
}

enum logscript_result logrig_inspect(struct logrig *rig, const char *session)
{
	return wait_for(rig, logscript_inspect(rig->script, logrig_ticket(rig), slice_of(session), on_inspected, rig));
}

enum logscript_result logrig_list(struct logrig *rig, uint64_t cursor, size_t limit)
{
	return wait_for(rig, logscript_list(rig->script, logrig_ticket(rig), cursor, limit, on_listed, rig));
}
