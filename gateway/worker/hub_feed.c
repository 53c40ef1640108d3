#include "gateway/worker/hub_feed.h"

#include <ctype.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "gateway/metrics/metrics.h"
#include "gateway/redis/logscript.h"
#include "gateway/redis/link.h"
#include "gateway/redis/upstream.h"
#include "gateway/worker/disconnection.h"
#include "gateway/worker/redis_settings.h"
#include "gateway/worker/system_voice.h"

#define ROOM "hub"
#define RECORD_BATCH 256
#define RECORD_CALLS_IN_FLIGHT 4
#define PAGE_ENTRIES 1000
#define REPEAT_LOG_NS (10 * NS_PER_S)

struct hub_feed {
	struct node *node;
	struct hub_sink sink;
	struct event_base *base;
	struct redis_settings settings;
	struct upstream *upstream;
	struct logscript *script; /* NULL: there is no history */
	struct feed *feed;
	struct event *due;           /* timer */
	uint64_t due_ns;             /* what it is set to; UINT64_MAX: it is not */
	uint64_t ts_ms, received_ns; /* of the present read of the socket; 0: none has begun */
	struct feed_state state;     /* as it was said last */
	uint64_t refused_ns;         /* when a refusal was logged last */
	struct system_voice voice;
	char from[DISCONNECT_FROM_LEN + 1]; /* what this process signs on the control channel with */
	char name[128];              /* the node's, as the lease's token takes it */
	struct logscript_event events[RECORD_BATCH];
};

_Static_assert(METRIC_EVENTS_IN_OTHER - METRIC_EVENTS_IN_TRACE == RECORD_OTHER - RECORD_TRACE,
               "the counters of events stand in the order of the kinds");

static void set_timer(struct hub_feed *hub, uint64_t due_ns, uint64_t now_ns)
{
	if (due_ns == hub->due_ns)
		return;
	hub->due_ns = due_ns;
	if (due_ns == UINT64_MAX) {
		event_del(hub->due);
		return;
	}
	uint64_t wait_us = due_ns > now_ns ? (due_ns - now_ns) / 1000 + 1 : 1;
	const struct timeval wait = {.tv_sec = (time_t)(wait_us / 1000000),
	                             .tv_usec = (suseconds_t)(wait_us % 1000000)};
	event_add(hub->due, &wait);
}

/* After whatever was told to the feed. */
static void run_feed(struct hub_feed *hub)
{
	uint64_t now_ns = clock_mono_ns();
	set_timer(hub, feed_tick(hub->feed, now_ns), now_ns);
}

static void on_due(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct hub_feed *hub = argument;
	hub->due_ns = UINT64_MAX;
	run_feed(hub);
}

/* What Redis refuses is a matter for its operator: no right, no memory, a read-only replica. */
static void log_refusal(struct hub_feed *hub, const char *what, enum logscript_result result, const char *why)
{
	uint64_t now_ns = clock_mono_ns();
	if (result != LOGSCRIPT_REFUSED || (hub->refused_ns && now_ns - hub->refused_ns < REPEAT_LOG_NS))
		return;
	hub->refused_ns = now_ns;
	log_error(ROOM, "Redis refuses", log_text("what", what), log_text("cause", why ? why : ""));
}

static void on_opened(void *context, uint64_t ticket, enum logscript_result result, const struct log_position *position,
                      const char *why)
{
	struct hub_feed *hub = context;
	log_refusal(hub, "to open the log", result, why);
	feed_on_open(hub->feed, ticket, result == LOGSCRIPT_OK ? position : NULL);
	run_feed(hub);
}

static void on_claimed(void *context, uint64_t ticket, enum logscript_result result, const char *why)
{
	struct hub_feed *hub = context;
	enum claim_answer answer = result == LOGSCRIPT_OK         ? CLAIM_TAKEN
	                           : result == LOGSCRIPT_NOT_OURS ? CLAIM_HELD_BY_OTHER
	                           : result == LOGSCRIPT_ASKED    ? CLAIM_ASKED
	                                                          : CLAIM_FAILED;
	log_refusal(hub, "to give the recorder's lease", result, why);
	feed_on_claim(hub->feed, ticket, answer);
	run_feed(hub);
}

static void on_recorded(void *context, uint64_t ticket, enum logscript_result result, const char *why)
{
	struct hub_feed *hub = context;
	static const enum record_answer answers[] = {
	    [LOGSCRIPT_OK] = RECORDED,
	    [LOGSCRIPT_NOT_OURS] = RECORD_NOT_OURS,
	    [LOGSCRIPT_OTHER_EPOCH] = RECORD_OTHER_EPOCH,
	    [LOGSCRIPT_REFUSED] = RECORD_FAILED,
	    [LOGSCRIPT_LOST] = RECORD_FAILED,
	    [LOGSCRIPT_ASKED] = RECORD_FAILED, /* no answer to this */
	};
	log_refusal(hub, "to record", result, why);
	feed_on_record(hub->feed, ticket, answers[result]);
	run_feed(hub);
}

static void on_page(void *context, uint64_t ticket, enum logscript_result result, const struct log_entry *entries,
                    size_t count, const char *why)
{
	struct hub_feed *hub = context;
	log_refusal(hub, "to read the log", result, why);
	feed_on_read(hub->feed, ticket, entries, count, result == LOGSCRIPT_OK);
	run_feed(hub);
}

static enum err op_open(void *context, uint64_t ticket, struct log_position known)
{
	struct hub_feed *hub = context;
	return logscript_open(hub->script, ticket, known, on_opened, hub);
}

static void op_subscribe(void *context)
{
	struct hub_feed *hub = context;
	upstream_subscribe(hub->upstream);
}

static enum err op_claim(void *context, uint64_t ticket, struct slice token, bool by_force, struct slice question)
{
	struct hub_feed *hub = context;
	return logscript_claim(hub->script, ticket, token, by_force, question, on_claimed, hub);
}

static enum err op_renew(void *context, uint64_t ticket, struct slice token)
{
	struct hub_feed *hub = context;
	return logscript_renew(hub->script, ticket, token, on_claimed, hub);
}

static void op_release(void *context, struct slice token)
{
	struct hub_feed *hub = context;
	logscript_release(hub->script, token);
}

static enum err op_record(void *context, uint64_t ticket, struct slice token, uint64_t epoch,
                          const struct feed_entry *entries, size_t count)
{
	struct hub_feed *hub = context;
	for (size_t i = 0; i < count; i++) {
		const struct record *record = entries[i].record;
		hub->events[i] =
		    (struct logscript_event){record->channel, record->payload, record->session, entries[i].hash};
	}
	return logscript_record(hub->script, ticket, token, epoch, hub->events, count, on_recorded, hub);
}

static enum err op_read(void *context, uint64_t ticket, struct record_id after, size_t count)
{
	struct hub_feed *hub = context;
	return logscript_read(hub->script, ticket, SLICE_NONE, after, RECORD_ID_MAX, false, count, on_page, hub);
}

static void count_formats(const struct record_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct record *record = batch->records[i];
		if (record->format == RECORD_JSON || record->is_repeat)
			continue;
		metric_add(record->format == RECORD_TEXT ? METRIC_PAYLOADS_TEXT : METRIC_PAYLOADS_BASE64, 1);
	}
}

static void note_last(struct hub_feed *hub, struct record_id last)
{
	atomic_store_explicit(&hub->node->log_last_ms, last.ms, memory_order_relaxed);
	atomic_store_explicit(&hub->node->log_last_seq, last.seq, memory_order_relaxed);
}

static void op_deliver(void *context, struct record_batch *batch)
{
	struct hub_feed *hub = context;
	count_formats(batch);
	if (batch->is_recorded && batch->count)
		note_last(hub, batch->records[batch->count - 1]->id);
	hub->sink.batch(hub->sink.context, batch);
}

static void log_change(const struct feed_state *was, const struct feed_state *is)
{
	char last[RECORD_ID_TEXT];
	record_id_write(last, is->log.last);
	if (is->is_recorder != was->is_recorder)
		log_info(ROOM, is->is_recorder ? "this node records" : "this node records no more",
		         log_text("last", last));
	if (is->is_recorded != was->is_recorded && is->is_recorded)
		log_info(ROOM, "events have ids", log_text("last", last));
	else if (is->is_recorded != was->is_recorded)
		log_warn(ROOM, "nobody records in time: events are delivered without ids", log_text("last", last));
	if (is->log.epoch != was->log.epoch && was->log.epoch)
		log_warn(ROOM, "the log is another one", log_text("last", last));
}

static void op_changed(void *context, const struct feed_state *state)
{
	struct hub_feed *hub = context;
	log_change(&hub->state, state);
	hub->state = *state;
	if (state->is_recorder && !atomic_load(&hub->node->is_recorder))
		system_voice_say(&hub->voice, "recorder.changed", "");
	atomic_store(&hub->node->is_recorder, state->is_recorder);
	atomic_store(&hub->node->is_recorded, state->is_recorded && state->log.epoch);
	note_last(hub, state->log.last);
	hub->sink.feed_state(hub->sink.context, state);
}

static const struct feed_ops feed_operations = {
    .open = op_open,
    .subscribe = op_subscribe,
    .claim = op_claim,
    .renew = op_renew,
    .release = op_release,
    .record = op_record,
    .read = op_read,
    .deliver = op_deliver,
    .changed = op_changed,
};

static void on_message(void *context, struct slice channel, struct slice payload)
{
	struct hub_feed *hub = context;
	if (!hub->received_ns) {
		hub->ts_ms = clock_wall_ms();
		hub->received_ns = clock_mono_ns();
	}
	metric_add((enum metric)(METRIC_EVENTS_IN_TRACE + (int)record_kind_of(channel)), 1);
	metric_add(METRIC_BYTES_IN, payload.len);
	if (system_voice_is_double(&hub->voice, channel, payload))
		log_warn(ROOM, "another node came up by this node's name: give each a node.name of its own", log_text("name", hub->node->name));
	feed_event(hub->feed, channel, payload, hub->ts_ms, hub->received_ns);
}

static void on_live(void *context, struct slice payload)
{
	struct hub_feed *hub = context;
	feed_live(hub->feed, payload);
}

static void disconnect_told(struct hub_feed *hub, const struct disconnect *order)
{
	if (order->client && strcmp(order->node, hub->node->name) != 0)
		return;
	struct disconnection *disconnection = disconnection_new(order);
	if (!disconnection)
		return;
	disconnection_log(order, "another node tells to disconnect");
	hub->sink.disconnect(hub->sink.context, disconnection);
	disconnection_unref(disconnection);
}

/* Whoever may PUBLISH there can end connections, and nothing else; what is not understood is nobody's order. */
static void on_control(void *context, struct slice payload)
{
	struct hub_feed *hub = context;
	struct disconnect order;
	char from[DISCONNECT_FROM_LEN + 1], why[DISCONNECT_WHY];
	if (disconnect_read_told(payload, &order, from, why) != OK) {
		metric_add(METRIC_CONTROL_REFUSED, 1);
		log_warn(ROOM, "a message on the control channel is none", log_text("cause", why));
	} else if (strcmp(from, hub->from) != 0) {
		disconnect_told(hub, &order);
	}
}

static void on_told(void *context, const struct redisReply *reply)
{
	(void)context;
	(void)reply;
}

bool hub_feed_tell(struct hub_feed *hub, const struct disconnect *order)
{
	struct link *link = upstream_is_up(hub->upstream) ? upstream_commands(hub->upstream) : NULL;
	struct buf text;
	buf_init(&text);
	disconnect_write_told(&text, order, hub->from);
	const char *words[] = {"PUBLISH", hub->settings.control_channel, text.bytes};
	const size_t lens[] = {7, strlen(hub->settings.control_channel), text.len};
	bool is_told = link && !buf_has_failed(&text) && link_send(link, 3, words, lens, on_told, hub) == OK;
	buf_fini(&text);
	return is_told;
}

static void on_read_end(void *context)
{
	struct hub_feed *hub = context;
	hub->received_ns = 0;
	feed_read_end(hub->feed);
	run_feed(hub);
}

static void on_linked(void *context)
{
	struct hub_feed *hub = context;
	if (hub->script)
		logscript_use(hub->script, upstream_commands(hub->upstream));
	feed_linked(hub->feed);
	run_feed(hub);
}

static void on_state(void *context, bool is_up)
{
	struct hub_feed *hub = context;
	if (is_up)
		feed_up(hub->feed);
	else
		feed_down(hub->feed);
	if (is_up)
		system_voice_up(&hub->voice, upstream_commands(hub->upstream));
	else
		system_voice_down(&hub->voice);
	if (is_up && atomic_load(&hub->node->is_recorder))
		system_voice_say(&hub->voice, "recorder.changed", "");
	if (!is_up && hub->script)
		logscript_use(hub->script, NULL);
	run_feed(hub);
	if (atomic_exchange(&hub->node->redis_up, is_up) != is_up)
		hub->sink.redis_state(hub->sink.context, is_up);
}

/* The lease's token is one word. */
static void set_name(struct hub_feed *hub)
{
	snprintf(hub->name, sizeof hub->name, "%s", hub->node->name);
	for (char *at = hub->name; *at; at++) {
		if (!isgraph((unsigned char)*at))
			*at = '-';
	}
}

static void set_signature(struct hub_feed *hub)
{
	struct random random;
	random_init(&random);
	snprintf(hub->from, sizeof hub->from, "%016" PRIx64, random_next(&random));
}

static enum err make_feed(struct hub_feed *hub, const struct config *config)
{
	const struct feed_settings settings = {
	    .fields = hub->settings.fields,
	    .node = slice_of(hub->name),
	    .is_recorded = config->history_enabled,
	    .grace_ns = config->record_grace,
	    .lease_ns = config->record_lease,
	    .deaf_ns = config->record_lease + config->record_lease * 2 / 3,
	    .pending_bytes_max = config->record_pending_bytes,
	    .record_batch_max = RECORD_BATCH,
	    .calls_in_flight_max = RECORD_CALLS_IN_FLIGHT,
	    .page_entries = PAGE_ENTRIES,
	};
	if (config->history_enabled) {
		hub->script = logscript_new(&hub->settings.log);
		if (!hub->script)
			return ERR_NOMEM;
	}
	hub->feed = feed_new(&settings, &feed_operations, hub);
	hub->due = evtimer_new(hub->base, on_due, hub);
	return hub->feed && hub->due ? OK : ERR_NOMEM;
}

static enum err make_upstream(struct hub_feed *hub)
{
	const struct upstream_owner owner = {
	    .on_message = on_message,
	    .on_live = hub->script ? on_live : NULL,
	    .on_control = on_control,
	    .on_read_end = on_read_end,
	    .on_linked = on_linked,
	    .on_state = on_state,
	    .context = hub,
	};
	return upstream_new(hub->base, &hub->settings.upstream, owner, &hub->upstream);
}

enum err hub_feed_new(struct event_base *base, const struct config *config, struct node *node, struct hub_sink sink,
                      struct hub_feed **ret_feed, char ret_why[256])
{
	snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
	struct hub_feed *hub = calloc(1, sizeof *hub);
	if (!hub)
		return ERR_NOMEM;
	hub->node = node;
	hub->sink = sink;
	hub->base = base;
	hub->due_ns = UINT64_MAX;
	hub->state.is_recorded = config->history_enabled;
	set_name(hub);
	set_signature(hub);
	system_voice_init(&hub->voice, config->system_events ? node->name : NULL);
	enum err error = redis_settings_init(&hub->settings, config, node->name, ret_why);
	if (!error)
		error = make_feed(hub, config);
	if (!error)
		error = make_upstream(hub);
	if (error)
		hub_feed_free(hub);
	else
		*ret_feed = hub;
	return error;
}

void hub_feed_free(struct hub_feed *hub)
{
	if (!hub)
		return;
	upstream_free(hub->upstream);
	feed_free(hub->feed);
	logscript_free(hub->script);
	if (hub->due)
		event_free(hub->due);
	redis_settings_fini(&hub->settings);
	free(hub);
}

void hub_feed_retire(struct hub_feed *hub)
{
	system_voice_say(&hub->voice, "node.down", "");
	feed_retire(hub->feed);
	run_feed(hub);
}

void hub_feed_end(struct hub_feed *hub)
{
	feed_down(hub->feed);
	if (hub->script)
		logscript_use(hub->script, NULL);
	upstream_free(hub->upstream);
	hub->upstream = NULL;
	atomic_store(&hub->node->redis_up, false);
}
