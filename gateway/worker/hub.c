#include "gateway/worker/hub.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/thread/thread.h"
#include "gateway/metrics/metrics.h"
#include "gateway/worker/admin_server.h"
#include "gateway/worker/disconnection.h"
#include "gateway/worker/hub_feed.h"
#include "gateway/worker/memory.h"

#define TURN_MS 500
#define LAST_WORDS_US 5000 /* for a lease that is given up at the very end */

struct hub {
	const struct config *config;
	struct node *node;
	struct event_base *base;
	struct thread thread;
	struct event *stop, *turn;
	struct memory memory;
	struct hub_sink sink;
	struct admin_server *admin; /* NULL: no admin port */
	struct hub_feed *feed;
};

static void on_turn(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct hub *hub = argument;
	atomic_store_explicit(&hub->node->hub_turned_ms, clock_mono_ms(), memory_order_relaxed);
	enum memory_news news = memory_look(&hub->memory);
	if (news != MEMORY_FINE)
		hub->sink.memory(hub->sink.context, news == MEMORY_OVER);
}

/* It records to the end, for there may be nobody else; then another node is to take over at once. */
static void on_stop(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct hub *hub = argument;
	const struct timeval wait = {.tv_usec = atomic_load(&hub->node->is_recorder) ? LAST_WORDS_US : 0};
	hub_feed_retire(hub->feed);
	event_base_loopexit(hub->base, &wait);
}

static void *run_thread(void *argument)
{
	struct hub *hub = argument;
	thread_give_way(); /* on a shared core it would cut the workers' fan-outs in pieces, for one event each */
	if (metrics_join() != OK)
		log_warn("hub", "out of memory, this thread counts nothing");
	on_turn(-1, 0, hub);
	event_base_dispatch(hub->base);
	hub_feed_end(hub->feed);
	return NULL;
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
	hub_feed_free(hub->feed);
	if (hub->stop)
		event_free(hub->stop);
	if (hub->turn)
		event_free(hub->turn);
	if (hub->base)
		event_base_free(hub->base);
	free(hub);
}

static void on_libevent_line(int severity, const char *line)
{
	if (severity >= EVENT_LOG_WARN)
		log_warn("hub", "libevent", log_text("text", line));
}

/* Here first, so that it happens also where nobody else can be told. */
static bool on_disconnect(void *context, struct disconnection *disconnection)
{
	struct hub *hub = context;
	const struct disconnect *order = &disconnection->order;
	if (!order->client || strcmp(order->node, hub->node->name) == 0)
		hub->sink.disconnect(hub->sink.context, disconnection);
	return hub_feed_tell(hub->feed, order);
}

static enum err set_up(struct hub *hub, const struct admin *admin, struct hub_sink sink, char ret_why[256])
{
	const struct admin_deeds deeds = {.disconnect = on_disconnect, .context = hub};
	event_set_log_callback(on_libevent_line);
	snprintf(ret_why, 256, "%s", err_name(ERR_NOMEM));
	enum err error = make_loop(hub);
	if (!error)
		error = hub_feed_new(hub->base, hub->config, hub->node, sink, &hub->feed, ret_why);
	if (error || !hub->config->admin_listen || !*hub->config->admin_listen)
		return error;
	char why[256];
	error = admin_server_new(hub->base, hub->config->admin_listen, admin, deeds, &hub->admin, why);
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
	memory_init(&hub->memory, node, config->limits_memory);
	enum err error = set_up(hub, admin, sink, ret_why);
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
