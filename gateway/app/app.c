#define _GNU_SOURCE
#include "gateway/app/app.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/app/descriptors.h"
#include "gateway/app/keys.h"
#include "gateway/app/listen.h"
#include "gateway/http/admin.h"
#include "gateway/limiter/connections.h"
#include "gateway/limiter/rates.h"
#include "gateway/metrics/metrics.h"
#include "gateway/metrics/node.h"
#include "gateway/wire/tls_keys.h"
#include "gateway/worker/historian.h"
#include "gateway/worker/hub.h"
#include "gateway/worker/redis_settings.h"
#include "gateway/worker/worker.h"

#define ROOM "app"
/* While draining, how often the number of remaining sessions is looked at. */
#define DRAIN_LOOK_MS 20
/* How often files with keys are looked at. */
#define KEYS_LOOK_MS 1000
/* While the node is not ready, how often it is looked whether it is. */
#define START_LOOK_MS 50

struct app {
	const struct config *config;
	struct node node;
	struct admin admin;
	struct intake_fields fields;
	struct auth *auth;
	struct connections *connections;
	struct rates *request_rates;
	struct ip_network *proxies; /* trusted_proxies */
	struct listen_list listen;
	struct tls_keys *tls_keys; /* NULL: no TLS */
	struct worker **workers;
	size_t worker_count;
	struct historian *historian; /* NULL: history.enabled = no */
	struct hub *hub;
	bool was_ready; /* of the main thread: what the log says last */
};

static void on_batch(void *context, struct record_batch *batch)
{
	struct app *app = context;
	for (size_t i = 0; i < app->worker_count; i++)
		worker_deliver(app->workers[i], batch);
}

/* The historian first: who asks it about a log that it does not know yet may be told of another one. */
static void on_feed_state(void *context, const struct feed_state *state)
{
	struct app *app = context;
	if (app->historian && state->log.epoch)
		historian_tell(app->historian, &state->log);
	for (size_t i = 0; i < app->worker_count; i++)
		worker_feed_state(app->workers[i], state);
}

static void on_answer(struct answer *answer)
{
	worker_answer(answer->asker, answer);
}

static void on_redis_state(void *context, bool is_up)
{
	struct app *app = context;
	for (size_t i = 0; i < app->worker_count; i++)
		worker_notice(app->workers[i], is_up ? NOTICE_REDIS_UP : NOTICE_REDIS_DOWN);
}

static void on_memory(void *context, bool is_over)
{
	struct app *app = context;
	for (size_t i = 0; i < app->worker_count; i++)
		worker_memory(app->workers[i], is_over);
	if (app->historian && is_over)
		historian_relieve(app->historian);
}

static void on_disconnect(void *context, struct disconnection *disconnection)
{
	struct app *app = context;
	for (size_t i = 0; i < app->worker_count; i++)
		worker_disconnect(app->workers[i], disconnection);
}

static uint64_t oldest_turn_ms(void *context)
{
	const struct app *app = context;
	uint64_t oldest = atomic_load(&app->node.hub_turned_ms);
	for (size_t i = 0; i < app->worker_count; i++) {
		uint64_t turned = worker_turned_ms(app->workers[i]);
		oldest = turned < oldest ? turned : oldest;
	}
	return oldest;
}

static void name_node(struct app *app)
{
	if (*app->config->node_name) {
		snprintf(app->node.name, sizeof app->node.name, "%s", app->config->node_name);
		return;
	}
	char host[64] = "node";
	gethostname(host, sizeof host - 1);
	snprintf(app->node.name, sizeof app->node.name, "%s-%ld", host, (long)getpid());
}

static size_t worker_count(const struct config *config)
{
	if (config->workers)
		return config->workers;
	cpu_set_t cores;
	CPU_ZERO(&cores);
	int count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
	return count > 1 ? (size_t)count - 1 : 1;
}

static struct server_settings server_settings(const struct app *app)
{
	const struct config *config = app->config;
	return (struct server_settings){
		.listen = app->listen.addresses,
		.listen_count = app->listen.count,
		.tls_keys = app->tls_keys,
		.tls_from = app->listen.tls_from,
		.origins = config->cors_origins.items,
		.origin_count = config->cors_origins.count,
		.gzips = config->http_gzip,
		.deflates = config->deflate_enabled,
		.header_bytes_max = config->limits_header_bytes,
		.message_bytes_max = config->limits_message_bytes,
		.handshake_timeout_ns = config->handshake_timeout,
		.close_timeout_ns = config->close_timeout,
		.speaks_http2 = config->http2_enabled,
		.http_timeout_ns = config->http_timeout,
		.connections = app->connections,
		.auth = app->auth,
		.proxies = {app->proxies, config->trusted_proxies.count, config->proxy_protocol},
	};
}

static struct exchange_settings exchange_settings(const struct app *app)
{
	const struct config *config = app->config;
	return (struct exchange_settings){
		.node = app->node.name,
		.version = TRACEGATE_VERSION,
		.served = {config->redis_patterns.items, config->redis_patterns.count},
		.tells_clients = config->system_clients,
		.heartbeat_ns = config->heartbeat_interval,
		.batch_interval_ns = config->batch_interval,
		.batch_max_delay_ns = config->batch_max_delay,
		.batch_max_events = config->batch_max_events,
		.batch_max_bytes = config->batch_max_bytes,
		.slow_threshold_bytes = config->slow_threshold,
		.deflate_level = (int)config->deflate_level,
		.deflate_min_bytes = config->deflate_min_bytes,
		.subscriptions_max = config->limits_subscriptions,
		.message_bytes_max = config->limits_message_bytes,
		.commands_per_second = config->limits_commands_per_second,
		.request_rates = app->request_rates,
		.events_per_second = config->limits_events_per_second,
		.connections = app->connections,
		.auth = app->auth,
		.auth_timeout_ns = config->auth_timeout,
		.history_events_per_second = config->limits_history_events_per_second,
		.connections_per_identity = config->limits_connections_per_identity,
		.fields = &app->fields,
		.past_timeout_ns = config->history_timeout,
		.past_requests_max = config->history_requests_per_client,
		.ring_records_max = config->history_ring_events,
		.ring_bytes_max = config->history_ring_bytes,
		.delta_bytes_max = config->delta_memory,
	};
}

static enum err start_workers(struct app *app, char why[256])
{
	size_t count = worker_count(app->config);
	app->workers = calloc(count, sizeof(struct worker *));
	if (!app->workers) {
		snprintf(why, 256, "%s", err_name(ERR_NOMEM));
		return ERR_NOMEM;
	}
	struct exchange_settings exchange = exchange_settings(app);
	for (size_t i = 0; i < count; i++) {
		struct server_settings server = server_settings(app);
		enum err error = worker_start(&server, &exchange, app->historian, (unsigned)i, &app->workers[i], why);
		if (error != OK)
			return error;
		app->worker_count++;
		/* The first worker's sockets settle the ports that were left to the system. */
		for (size_t at = 0; i == 0 && at < app->listen.count; at++) {
			error = listen_list_settle(&app->listen, at, worker_port(app->workers[0], at));
			if (error != OK)
				return error;
		}
	}
	return OK;
}

/* Each was looked at when the configuration was read. False: no memory. */
static bool read_proxies(struct app *app)
{
	const struct config_list *list = &app->config->trusted_proxies;
	app->proxies = calloc(list->count + 1, sizeof *app->proxies);
	for (size_t i = 0; app->proxies && i < list->count; i++) {
		if (!ip_network_read(list->items[i], &app->proxies[i]))
			return false;
	}
	return app->proxies != NULL;
}

static struct connections *count_connections(const struct config *config)
{
	struct connections_limits limits = {
		.node = config->limits_connections,
		.address = config->limits_connections_per_address,
		.identity = config->limits_connections_per_identity,
		.strangers = config->limits_unauthenticated,
		.must_identify = config->auth_required,
	};
	return connections_new(&limits);
}

static enum err start(struct app *app, char why[256])
{
	const struct config *config = app->config;
	snprintf(why, 256, "%s", err_name(ERR_NOMEM));
	enum err error = listen_list_init(&app->listen, config);
	if (error != OK)
		return error;
	app->connections = count_connections(config);
	app->request_rates = rates_new();
	if (!app->connections || !app->request_rates || !read_proxies(app))
		return ERR_NOMEM;
	error = keys_open(config, &app->auth, why);
	if (error == OK)
		error = redis_settings_fields(config, &app->fields, why);
	if (error == OK && config->history_enabled)
		error = historian_start(config, &app->node, on_answer, &app->historian, why);
	if (error == OK)
		error = keys_open_tls(config, &app->tls_keys, why);
	if (error == OK)
		error = start_workers(app, why);
	if (error != OK)
		return error;
	app->admin = (struct admin){.node = &app->node,
				     .has_history = config->history_enabled,
				     .oldest_turn_ms = oldest_turn_ms,
				     .context = app};
	struct hub_sink sink = {
	    .batch = on_batch, .feed_state = on_feed_state, .memory = on_memory, .redis_state = on_redis_state, .disconnect = on_disconnect, .context = app};
	return hub_start(config, &app->node, &app->admin, sink, &app->hub, why);
}

static void stop(struct app *app)
{
	if (app->hub)
		hub_stop(app->hub);
	historian_stop(app->historian);
	for (size_t i = 0; i < app->worker_count; i++)
		worker_stop(app->workers[i]);
	historian_free(app->historian); /* workers could ask it until they stopped */
	free(app->workers);
	auth_free(app->auth);
	connections_free(app->connections);
	rates_free(app->request_rates);
	free(app->proxies);
	listen_list_fini(&app->listen);
	tls_keys_free(app->tls_keys);
	metrics_reset();
}

static size_t count_sessions(const struct app *app)
{
	size_t sessions = 0;
	for (size_t i = 0; i < app->worker_count; i++)
		sessions += worker_session_count(app->workers[i]);
	return sessions;
}

static void stop_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
}

void app_block_signals(void)
{
	sigset_t signals;
	stop_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* As process 1 of a container it inherits orphans: ignored children are reaped by the kernel (wait(2)). */
	signal(SIGCHLD, SIG_IGN);
}

/* Waits for a signal to stop. False: time is up. A process that was stopped and goes on waits for the rest of the time. */
static bool wait_for_signal(uint64_t wait_ns)
{
	sigset_t signals;
	int number;
	uint64_t now_ns = clock_mono_ns(), end_ns = now_ns + wait_ns;
	stop_signals(&signals);
	do {
		uint64_t left_ns = end_ns > now_ns ? end_ns - now_ns : 0;
		struct timespec left = {.tv_sec = (time_t)(left_ns / NS_PER_S), .tv_nsec = (long)(left_ns % NS_PER_S)};
		number = sigtimedwait(&signals, NULL, &left);
		now_ns = clock_mono_ns();
	} while (number < 0 && errno == EINTR);
	return number > 0;
}

/* Lets load balancers see that the node is not ready, then sends the clients away, spread over drain.time. A second
 * signal ends it at once. */
static void drain(struct app *app)
{
	const struct config *config = app->config;
	atomic_store(&app->node.draining, true);
	log_info(ROOM, "draining", log_int("sessions", count_sessions(app)), log_int("ms", config->drain_time / NS_PER_MS));
	if (config->drain_delay && wait_for_signal(config->drain_delay))
		return;
	for (size_t i = 0; i < app->worker_count; i++)
		worker_drain(app->workers[i], config->drain_time);
	uint64_t end_ms = clock_mono_ms() + (config->drain_time + config->close_timeout) / NS_PER_MS;
	while (clock_mono_ms() < end_ms && !wait_for_signal(DRAIN_LOOK_MS * NS_PER_MS))
		if (count_sessions(app) == 0)
			break;
}

/* Says once when the node is ready to have clients, and later whenever it no longer is, or is again. */
static void tell_readiness(struct app *app)
{
	bool is_ready = admin_is_ready(&app->admin);
	if (is_ready == app->was_ready)
		return;
	app->was_ready = is_ready;
	if (is_ready)
		log_info(ROOM, "ready");
	else
		log_info(ROOM, "not ready");
}

static void look_after_keys(struct app *app)
{
	if (app->tls_keys)
		tls_keys_look(app->tls_keys);
	if (!keys_refresh(app->auth))
		return;
	for (size_t i = 0; i < app->worker_count; i++)
		worker_auth_reloaded(app->workers[i]);
}

/* Until a signal to stop. */
static void watch(struct app *app)
{
	uint64_t keys_at_ms = 0;
	if (metrics_join() != OK)
		log_warn(ROOM, "out of memory, this thread counts nothing");
	do {
		uint64_t now_ms = clock_mono_ms();
		tell_readiness(app);
		if (now_ms < keys_at_ms)
			continue;
		look_after_keys(app);
		keys_at_ms = now_ms + KEYS_LOOK_MS;
	} while (!wait_for_signal((app->was_ready ? KEYS_LOOK_MS : START_LOOK_MS) * NS_PER_MS));
}

static void log_listening(const struct app *app)
{
	uint16_t tls_port = app->tls_keys ? worker_port(app->workers[0], app->listen.tls_from) : 0;
	log_info(ROOM, "listening", log_int("listen", worker_port(app->workers[0], 0)), log_int("tls", tls_port),
		 log_int("admin", hub_admin_port(app->hub)),
		 log_int("workers", app->worker_count), log_text("version", TRACEGATE_VERSION));
}

static void log_warnings(const struct config *config)
{
	struct buf warnings;
	buf_init(&warnings);
	config_write_warnings(&warnings, config);
	for (size_t at = 0; at < warnings.len;) {
		size_t len = (size_t)((const char *)memchr(warnings.bytes + at, '\n', warnings.len - at) - (warnings.bytes + at));
		log_warn(ROOM, "the configuration is hardly meant so", log_slice("cause", ((struct slice){warnings.bytes + at, len})));
		at += len + 1;
	}
	buf_fini(&warnings);
}

int app_run(const struct config *config)
{
	struct app app = {.config = config};
	char why[256] = "";
	name_node(&app);
	app.node.started_mono_ms = clock_mono_ms();
	if (log_setup(config->log_level, strcmp(config->log_format, "json") == 0, app.node.name) != OK)
		return 1;
	log_warnings(config);
	descriptors_provide(config);
	enum err error = start(&app, why);
	if (error == OK) {
		log_listening(&app);
		watch(&app);
		drain(&app);
		log_info(ROOM, "stopped", log_int("sessions", count_sessions(&app)));
	} else {
		log_error(ROOM, "cannot start", log_text("cause", why));
	}
	stop(&app);
	return error == OK ? 0 : 1;
}
