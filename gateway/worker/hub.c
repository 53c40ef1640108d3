#include "gateway/worker/hub.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/thread/thread.h"
#include "gateway/feed/intake.h"
#include "gateway/metrics/metrics.h"
#include "gateway/redis/upstream.h"
#include "gateway/worker/admin_server.h"

#define BATCH_RECORDS 512
#define TURN_MS 500

struct hub {
	const struct config *config;
	struct node *node;
	struct hub_sink sink;
	struct event_base *base;
	struct thread thread;
	struct event *stop, *turn;
	struct admin_server *admin; /* NULL: no admin port */
	struct url url;
	struct upstream_settings settings;
	struct upstream *upstream;
	struct intake_fields fields;
	struct record_batch *batch;  /* what the present read gave so far; NULL: nothing */
	uint64_t ts_ms, received_ns; /* of the present read */
};

static void flush_batch(struct hub *hub)
{
	struct record_batch *batch = hub->batch;
	if (!batch)
		return;
	hub->batch = NULL;
	hub->sink.batch(hub->sink.context, batch);
	record_batch_unref(batch);
}

static bool begin_batch(struct hub *hub)
{
	if (hub->batch)
		return true;
	hub->batch = record_batch_new(BATCH_RECORDS);
	hub->ts_ms = clock_wall_ms();
	hub->received_ns = clock_mono_ns();
	return hub->batch != NULL;
}

static void count_record(const struct record *record)
{
	metric_add((enum metric)(METRIC_EVENTS_IN_TRACE + (int)record->kind), 1);
	metric_add(METRIC_BYTES_IN, record->payload.len);
	if (record->format == RECORD_TEXT)
		metric_add(METRIC_PAYLOADS_TEXT, 1);
	else if (record->format == RECORD_BASE64)
		metric_add(METRIC_PAYLOADS_BASE64, 1);
}

_Static_assert(METRIC_EVENTS_IN_OTHER - METRIC_EVENTS_IN_TRACE == RECORD_OTHER - RECORD_TRACE,
               "the counters of events stand in the order of the kinds");

static void on_message(void *context, struct slice channel, struct slice payload)
{
	struct hub *hub = context;
	struct record *record = NULL;
	if (begin_batch(hub))
		record = intake_record(&hub->fields, channel, payload, hub->ts_ms, hub->received_ns);
	if (!record) {
		metric_add(METRIC_DROPPED_MEMORY, 1);
		return;
	}
	count_record(record);
	record_batch_add(hub->batch, record);
	if (hub->batch->count == hub->batch->capacity)
		flush_batch(hub);
}

static void on_read_end(void *context)
{
	flush_batch(context);
}

static void on_state(void *context, bool is_up)
{
	struct hub *hub = context;
	atomic_store(&hub->node->redis_up, is_up);
	hub->sink.redis_state(hub->sink.context, is_up);
}

static void on_turn(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct hub *hub = argument;
	atomic_store_explicit(&hub->node->hub_turned_ms, clock_mono_ms(), memory_order_relaxed);
}

static void on_stop(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct hub *hub = argument;
	event_base_loopbreak(hub->base);
}

static void *run_thread(void *argument)
{
	struct hub *hub = argument;
	const struct upstream_owner owner = {
	    .on_message = on_message, .on_read_end = on_read_end, .on_state = on_state, .context = hub};
	if (metrics_join() != OK)
		log_warn("hub", "out of memory, this thread counts nothing");
	if (upstream_new(hub->base, &hub->settings, owner, &hub->upstream) != OK)
		log_error("hub", "out of memory, nothing is received from Redis");
	on_turn(-1, 0, hub);
	event_base_dispatch(hub->base);
	upstream_free(hub->upstream);
	flush_batch(hub);
	atomic_store(&hub->node->redis_up, false);
	return NULL;
}

static enum err copy_names(const char *option, struct config_list list, struct intake_names *ret_names, char *ret_why)
{
	if (list.count > INTAKE_NAMES_MAX) {
		snprintf(ret_why, 256, "%s: more than %d names", option, INTAKE_NAMES_MAX);
		return ERR_RANGE;
	}
	for (size_t i = 0; i < list.count; i++)
		ret_names->names[i] = list.items[i];
	ret_names->count = list.count;
	return OK;
}

static enum err read_config(struct hub *hub, char ret_why[256])
{
	const struct config *config = hub->config;
	char why[URL_WHY_BYTES];
	enum err error = copy_names("fields.session", config->fields_session, &hub->fields.session, ret_why);
	if (!error)
		error = copy_names("fields.agent", config->fields_agent, &hub->fields.agent, ret_why);
	if (!error)
		error = copy_names("fields.type", config->fields_type, &hub->fields.type, ret_why);
	if (error)
		return error;
	error = url_parse(config->redis_url, &hub->url, why);
	if (error) {
		snprintf(ret_why, 256, "redis.url: %.240s", why);
		return error;
	}
	hub->settings = (struct upstream_settings){
	    .url = &hub->url,
	    .prefix = config->redis_prefix,
	    .node_name = hub->node->name,
	    .patterns = config->redis_patterns.items,
	    .pattern_count = config->redis_patterns.count,
	    .connect_timeout_ns = config->redis_connect_timeout,
	    .backoff_min_ns = config->redis_backoff_min,
	    .backoff_max_ns = config->redis_backoff_max,
	    .heartbeat_ns = config->redis_heartbeat,
	    .payload_bytes_max = config->limits_event_bytes,
	};
	return OK;
}

static enum err make_loop(struct hub *hub)
{
	if (evthread_use_pthreads() < 0)
		return ERR_NOMEM;
	hub->base = event_base_new();
	if (!hub->base)
		return ERR_NOMEM;
	hub->stop = event_new(hub->base, -1, 0, on_stop, hub);
	hub->turn = event_new(hub->base, -1, EV_PERSIST, on_turn, hub);
	const struct timeval turn = {.tv_usec = TURN_MS * 1000};
	if (!hub->stop || !hub->turn || event_add(hub->turn, &turn) < 0)
		return ERR_NOMEM;
	return OK;
}

static void free_hub(struct hub *hub)
{
	admin_server_free(hub->admin);
	if (hub->stop)
		event_free(hub->stop);
	if (hub->turn)
		event_free(hub->turn);
	if (hub->base)
		event_base_free(hub->base);
	url_fini(&hub->url);
	free(hub);
}

static void on_libevent_line(int severity, const char *line)
{
	if (severity >= EVENT_LOG_WARN)
		log_warn("hub", "libevent", log_text("text", line));
}

static enum err set_up(struct hub *hub, const struct admin *admin, char ret_why[256])
{
	enum err error = read_config(hub, ret_why);
	if (error)
		return error;
	event_set_log_callback(on_libevent_line);
	snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
	error = make_loop(hub);
	if (error || !hub->config->admin_listen || !*hub->config->admin_listen)
		return error;
	char why[256];
	error = admin_server_new(hub->base, hub->config->admin_listen, admin, &hub->admin, why);
	if (error)
		snprintf(ret_why, 256, "admin.listen: %.240s", why);
	return error;
}

enum err hub_start(const struct config *config, struct node *node, const struct admin *admin, struct hub_sink sink,
                   struct hub **ret_hub, char ret_why[256])
{
	struct hub *hub = calloc(1, sizeof *hub);
	if (!hub) {
		snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	*hub = (struct hub){.config = config, .node = node, .sink = sink};
	enum err error = set_up(hub, admin, ret_why);
	if (!error) {
		error = thread_start(&hub->thread, "hub", run_thread, hub);
		if (error)
			snprintf(ret_why, 256, "the hub's thread could not be started");
	}
	if (error) {
		free_hub(hub);
		return error;
	}
	*ret_hub = hub;
	return OK;
}

uint16_t hub_admin_port(const struct hub *hub)
{
	return hub->admin ? admin_server_port(hub->admin) : 0;
}

void hub_stop(struct hub *hub)
{
	event_active(hub->stop, EV_TIMEOUT, 0);
	thread_join(&hub->thread);
	free_hub(hub);
}
