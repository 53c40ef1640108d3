#include "gateway/redis/upstream.h"

#include <ctype.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "gateway/metrics/metrics.h"
#include "gateway/redis/backoff.h"
#include "gateway/redis/link.h"
#include "gateway/redis/pubsub.h"
#include "gateway/redis/sentinel.h"

#define HEARTBEATS_LATE 3     /* this many heartbeats without one: broken */
#define HEARTBEATS_BACKLOG 10 /* the same while the pub/sub link brings other things, which come first */
#define SENTINEL_EVERY 10     /* heartbeats between two questions to the sentinels */
#define REPEAT_LOG_NS (10 * NS_PER_S)

/* LINKED: logged in, and the owner has not said yet that it is time to subscribe. ENDING: the owner is being told. */
enum upstream_state { WAITING, LOCATING, OPENING, LINKED, SUBSCRIBING, PROVING, UP, ENDING };

struct upstream {
	struct event_base *base;
	struct upstream_settings settings;
	struct upstream_owner owner;
	enum upstream_state state;
	struct event *attempt; /* timer: the next attempt */
	struct event *tick;    /* timer: heartbeats, from LINKED on */
	struct backoff backoff;
	struct random random; /* jitter, and a heartbeat channel of its own */
	unsigned attempts; /* since it was up last */
	struct sentinel *sentinel;
	size_t sentinel_first;
	bool has_feed; /* anything to subscribe to */
	struct link *commands, *feed;
	bool is_command_up, is_feed_up;
	struct pubsub *pubsub;
	struct pubsub_settings subscription;
	struct place place; /* of the present attempt; place_host owns its text where a sentinel named it */
	char place_host[256];
	uint64_t proved_ns;  /* the last proof of the receiving path, or the begin of the wait for it */
	uint64_t ticked_ns;  /* the last tick */
	uint64_t asked_ns;   /* the oldest heartbeat that Redis has not acknowledged; 0: none */
	uint64_t up_ns;      /* since when it is up */
	uint64_t generation; /* of the pair of links: only a heartbeat of the present pair proves it */
	char generation_text[24];
	unsigned ticks;
	char channel[256], channel_prefix[128], client_name[160];
	char logged_why[256];
	uint64_t logged_ns;
};

/* The link whose reads prove the path. */
static const struct link *proved_link(const struct upstream *upstream)
{
	return upstream->has_feed ? upstream->feed : upstream->commands;
}

static void arm(struct event *timer, uint64_t ns)
{
	struct timeval wait = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_usec = (suseconds_t)(ns % NS_PER_S / 1000)};
	event_add(timer, &wait);
}

/* Closing a link answers its pending requests with NULL at once, so nothing of this pair is heard of later. */
static void close_all(struct upstream *upstream)
{
	sentinel_free(upstream->sentinel);
	link_close(upstream->commands);
	link_close(upstream->feed);
	pubsub_free(upstream->pubsub);
	upstream->sentinel = NULL;
	upstream->commands = upstream->feed = NULL;
	upstream->pubsub = NULL;
	upstream->is_command_up = upstream->is_feed_up = false;
	event_del(upstream->tick);
}

/* A loss is logged always; an attempt that fails like the one before it only now and then. */
static void log_failure(struct upstream *upstream, const char *why)
{
	uint64_t now_ns = clock_mono_ns();
	char server[160] = "";
	if (upstream->place.host || upstream->place.path)
		place_text(&upstream->place, server, sizeof server);
	if (upstream->state == UP) {
		log_warn("redis", upstream->has_feed ? "connection lost, not ready" : "connection for commands lost",
		         log_text("cause", why), log_text("server", server));
	} else if (strcmp(upstream->logged_why, why) == 0 && now_ns - upstream->logged_ns < REPEAT_LOG_NS) {
		return;
	} else {
		log_warn("redis", upstream->has_feed ? "cannot connect, not ready" : "cannot connect for commands",
		         log_text("cause", why), log_text("server", server), log_int("attempt", upstream->attempts));
	}
	snprintf(upstream->logged_why, sizeof upstream->logged_why, "%s", why);
	upstream->logged_ns = now_ns;
}

/* Whether the owner was given something that is taken away from it now. */
static bool is_owner_told(const struct upstream *upstream, enum upstream_state state)
{
	return state == UP || (upstream->owner.on_linked && state >= LINKED);
}

static void count_loss(const struct upstream *upstream, enum upstream_state state)
{
	if (!upstream->has_feed)
		return;
	if (state >= PROVING)
		metric_add(METRIC_REDIS_DISCONNECTS, 1);
	if (state == UP)
		metric_gauge_set(METRIC_REDIS_UP, 0);
}

/* The one way out of every state: whatever the cause, all begins anew after a while. */
static void fail(struct upstream *upstream, const char *why)
{
	if (upstream->state == WAITING || upstream->state == ENDING)
		return;
	enum upstream_state state = upstream->state;
	char cause[256];
	snprintf(cause, sizeof cause, "%s", why); /* it may belong to a link that is closed below */
	log_failure(upstream, cause);
	upstream->state = ENDING;
	count_loss(upstream, state);
	if (upstream->has_feed)
		upstream->owner.on_read_end(upstream->owner.context);
	if (is_owner_told(upstream, state))
		upstream->owner.on_state(upstream->owner.context, false);
	upstream->state = WAITING;
	close_all(upstream);
	/* A link that breaks again and again as soon as it is up must not come back at full speed. */
	if (state == UP && clock_mono_ns() - upstream->up_ns > upstream->settings.backoff_max_ns)
		backoff_reset(&upstream->backoff);
	arm(upstream->attempt, backoff_next_ns(&upstream->backoff, random_next(&upstream->random)));
}

static void note_up(struct upstream *upstream)
{
	upstream->state = UP;
	upstream->up_ns = clock_mono_ns();
	log_info("redis", upstream->has_feed ? "connected, receiving" : "connected for commands",
	         log_text("server", link_address(proved_link(upstream))), log_int("attempt", upstream->attempts));
	upstream->attempts = 0;
	upstream->logged_why[0] = '\0';
	if (upstream->has_feed)
		metric_gauge_set(METRIC_REDIS_UP, 1);
	upstream->owner.on_state(upstream->owner.context, true);
}

static void note_proof(struct upstream *upstream)
{
	upstream->proved_ns = clock_mono_ns();
	if (upstream->state == PROVING)
		note_up(upstream);
}

static void on_heartbeat(void *context, struct slice payload)
{
	struct upstream *upstream = context;
	if (slice_is(payload, upstream->generation_text))
		note_proof(upstream);
}

static void on_beat_answered(void *context, const struct redisReply *reply)
{
	struct upstream *upstream = context;
	if (!reply)
		return;
	upstream->asked_ns = 0;
	if (reply->type == REDIS_REPLY_ERROR) {
		char why[256];
		snprintf(why, sizeof why, "%s: %.200s", upstream->has_feed ? "PUBLISH of the heartbeat" : "PING",
		         reply->str);
		fail(upstream, why);
	} else if (!upstream->has_feed) {
		note_proof(upstream);
	}
}

static void on_role(void *context, const struct redisReply *reply)
{
	struct upstream *upstream = context;
	if (!reply || (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
	               reply->element[0]->type == REDIS_REPLY_STRING && strcmp(reply->element[0]->str, "master") == 0))
		return;
	fail(upstream, "the server is not the primary any more");
}

static void send_heartbeat(struct upstream *upstream)
{
	const char *words[] = {"PUBLISH", upstream->channel, upstream->generation_text};
	const char *ping[] = {"PING"};
	enum err error =
	    upstream->has_feed ? link_send(upstream->commands, 3, words, NULL, on_beat_answered, upstream)
	                       : link_send(upstream->commands, 1, ping, NULL, on_beat_answered, upstream);
	if (!error && upstream->settings.url->kind == URL_SENTINEL) {
		const char *role[] = {"ROLE"};
		error = link_send(upstream->commands, 1, role, NULL, on_role, upstream);
	}
	if (error)
		fail(upstream, err_name(error));
	else if (upstream->asked_ns == 0)
		upstream->asked_ns = clock_mono_ns();
}

static void on_sentinel_checked(void *context, const struct place *primary, size_t index, const char *why)
{
	(void)why; /* sentinels that do not answer are no reason to leave a primary that works */
	struct upstream *upstream = context;
	bool is_other =
	    primary && (primary->port != upstream->place.port || strcmp(primary->host, upstream->place.host) != 0);
	if (primary)
		upstream->sentinel_first = index;
	sentinel_free(upstream->sentinel);
	upstream->sentinel = NULL;
	if (is_other)
		fail(upstream, "the sentinels name another primary");
}

static enum err ask_sentinels(struct upstream *upstream, sentinel_done_fn *done)
{
	const struct sentinel_settings settings = {.url = upstream->settings.url,
	                                           .timeout_ns = upstream->settings.connect_timeout_ns,
	                                           .first = upstream->sentinel_first};
	return sentinel_start(upstream->base, &settings, done, upstream, &upstream->sentinel);
}

/* What is wrong with the links, NULL: nothing. */
static const char *judge(const struct upstream *upstream, uint64_t now_ns)
{
	uint64_t heartbeat_ns = upstream->settings.heartbeat_ns;
	uint64_t silent_ns = now_ns - upstream->proved_ns;
	if (upstream->state == LINKED)
		return silent_ns > upstream->settings.connect_timeout_ns ? "the log was not opened in time" : NULL;
	if (upstream->state == SUBSCRIBING)
		return silent_ns > upstream->settings.connect_timeout_ns ? "no answer to the subscriptions in time"
		                                                         : NULL;
	if (upstream->asked_ns && now_ns - upstream->asked_ns > HEARTBEATS_LATE * heartbeat_ns)
		return "Redis does not answer";
	bool is_busy = now_ns - link_read_ns(proved_link(upstream)) < heartbeat_ns;
	if (silent_ns > (is_busy ? HEARTBEATS_BACKLOG : HEARTBEATS_LATE) * heartbeat_ns)
		return upstream->has_feed ? "no heartbeat comes back through pub/sub" : "PING is not answered";
	return NULL;
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct upstream *upstream = argument;
	uint64_t now_ns = clock_mono_ns();
	/* After a stall of our own (a stopped process, a loop that was busy) what came meanwhile is read first, and the time in which
	 * nothing could be read does not count against Redis. */
	if (now_ns - upstream->ticked_ns > 2 * upstream->settings.heartbeat_ns) {
		upstream->proved_ns = now_ns;
		upstream->asked_ns = upstream->asked_ns ? now_ns : 0;
	}
	const char *why = judge(upstream, now_ns);
	upstream->ticked_ns = now_ns;
	if (why) {
		fail(upstream, why);
		return;
	}
	if (upstream->state >= PROVING)
		send_heartbeat(upstream);
	if (upstream->state == UP && upstream->settings.url->kind == URL_SENTINEL && !upstream->sentinel &&
	    ++upstream->ticks % SENTINEL_EVERY == 0)
		(void)!ask_sentinels(upstream, on_sentinel_checked);
}

static void on_message(void *context, struct slice pattern, struct slice channel, struct slice payload)
{
	(void)pattern;
	struct upstream *upstream = context;
	upstream->owner.on_message(upstream->owner.context, channel, payload);
}

static void on_live(void *context, struct slice payload)
{
	struct upstream *upstream = context;
	upstream->owner.on_live(upstream->owner.context, payload);
}

static void on_control(void *context, struct slice payload)
{
	struct upstream *upstream = context;
	upstream->owner.on_control(upstream->owner.context, payload);
}

static void on_read_end(void *context)
{
	struct upstream *upstream = context;
	upstream->owner.on_read_end(upstream->owner.context);
}

static void begin_proof(struct upstream *upstream)
{
	upstream->state = PROVING;
	upstream->proved_ns = clock_mono_ns();
	send_heartbeat(upstream);
}

static void on_subscribed(void *context)
{
	begin_proof(context);
}

static void on_denied(void *context, struct slice name, const char *why)
{
	struct upstream *upstream = context;
	if (upstream->attempts <= 1 || clock_mono_ns() - upstream->logged_ns >= REPEAT_LOG_NS)
		log_error("redis", "subscription refused", log_slice("pattern", name), log_text("cause", why));
}

static void on_refused(void *context, const char *why)
{
	fail(context, why);
}

void upstream_subscribe(struct upstream *upstream)
{
	const struct pubsub_owner owner = {
	    .on_message = on_message,
	    .on_live = on_live,
	    .on_control = on_control,
	    .on_heartbeat = on_heartbeat,
	    .on_read_end = on_read_end,
	    .on_ready = on_subscribed,
	    .on_refused = on_refused,
	    .on_denied = on_denied,
	    .context = upstream,
	};
	if (upstream->state != LINKED)
		return;
	if (!upstream->has_feed) {
		begin_proof(upstream);
		return;
	}
	upstream->state = SUBSCRIBING;
	upstream->proved_ns = clock_mono_ns();
	enum err error = pubsub_start(upstream->feed, &upstream->subscription, owner, &upstream->pubsub);
	if (error)
		fail(upstream, err_name(error));
}

static void note_linked(struct upstream *upstream)
{
	if (!upstream->is_command_up || (upstream->has_feed && !upstream->is_feed_up))
		return;
	upstream->state = LINKED;
	upstream->generation++;
	snprintf(upstream->generation_text, sizeof upstream->generation_text, "%llu",
	         (unsigned long long)upstream->generation);
	upstream->asked_ns = 0;
	upstream->proved_ns = upstream->ticked_ns = clock_mono_ns();
	arm(upstream->tick, upstream->settings.heartbeat_ns);
	if (upstream->owner.on_linked)
		upstream->owner.on_linked(upstream->owner.context);
	else
		upstream_subscribe(upstream);
}

static void on_command_up(void *context)
{
	struct upstream *upstream = context;
	upstream->is_command_up = true;
	note_linked(upstream);
}

static void on_feed_up(void *context)
{
	struct upstream *upstream = context;
	upstream->is_feed_up = true;
	note_linked(upstream);
}

static void on_command_down(void *context, const char *why)
{
	struct upstream *upstream = context;
	upstream->commands = NULL;
	fail(upstream, why);
}

static void on_feed_down(void *context, const char *why)
{
	struct upstream *upstream = context;
	upstream->feed = NULL;
	fail(upstream, why);
}

static void open_links(struct upstream *upstream)
{
	const struct link_settings link = {
	    .place = upstream->place,
	    .url = upstream->settings.url,
	    .client_name = upstream->client_name,
	    .timeout_ns = upstream->settings.connect_timeout_ns,
	    .silence_ns = HEARTBEATS_LATE * upstream->settings.heartbeat_ns,
	    .rotation = upstream->attempts - 1,
	    .must_be_primary = upstream->settings.url->kind == URL_SENTINEL,
	};
	const struct link_owner commands = {.on_up = on_command_up, .on_down = on_command_down, .context = upstream};
	const struct link_owner feed = {.on_up = on_feed_up, .on_down = on_feed_down, .context = upstream};
	upstream->state = OPENING;
	if (link_open(upstream->base, &link, commands, &upstream->commands) != OK ||
	    (upstream->has_feed && link_open(upstream->base, &link, feed, &upstream->feed) != OK))
		fail(upstream, err_name(ERR_NOMEM));
}

static void on_located(void *context, const struct place *primary, size_t index, const char *why)
{
	struct upstream *upstream = context;
	if (!primary) {
		fail(upstream, why);
		return;
	}
	upstream->sentinel_first = index;
	snprintf(upstream->place_host, sizeof upstream->place_host, "%s", primary->host);
	upstream->place = (struct place){.host = upstream->place_host, .port = primary->port};
	sentinel_free(upstream->sentinel);
	upstream->sentinel = NULL;
	open_links(upstream);
}

static void on_attempt(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct upstream *upstream = argument;
	upstream->attempts++;
	metric_add(METRIC_REDIS_CONNECTS, 1);
	if (upstream->settings.url->kind != URL_SENTINEL) {
		upstream->place = upstream->settings.url->places[0];
		open_links(upstream);
		return;
	}
	upstream->state = LOCATING;
	if (ask_sentinels(upstream, on_located) != OK)
		fail(upstream, err_name(ERR_NOMEM));
}

/* CLIENT SETNAME takes no spaces and no control characters. */
static void set_names(struct upstream *upstream)
{
	unsigned long long unique = (unsigned long long)random_next(&upstream->random);
	const char *node = upstream->settings.node_name;
	snprintf(upstream->client_name, sizeof upstream->client_name, "tracegate-%.130s%s", node,
	         upstream->has_feed ? "" : "-commands");
	for (char *at = upstream->client_name; *at; at++) {
		if (!isgraph((unsigned char)*at))
			*at = '-';
	}
	snprintf(upstream->channel_prefix, sizeof upstream->channel_prefix, "%.100shb:", upstream->settings.prefix);
	snprintf(upstream->channel, sizeof upstream->channel, "%s%.100s-%016llx", upstream->channel_prefix, node,
	         unique);
	upstream->subscription = (struct pubsub_settings){
	    .heartbeat_channel = slice_of(upstream->channel),
	    .heartbeat_prefix = slice_of(upstream->channel_prefix),
	    .live_channel = slice_of(upstream->settings.live_channel),
	    .control_channel = slice_of(upstream->settings.control_channel),
	    .patterns = upstream->settings.patterns,
	    .pattern_count = upstream->settings.pattern_count,
	    .payload_bytes_max = upstream->settings.payload_bytes_max,
	};
}

enum err upstream_new(struct event_base *base, const struct upstream_settings *settings, struct upstream_owner owner,
                      struct upstream **ret_upstream)
{
	struct upstream *upstream = calloc(1, sizeof *upstream);
	if (!upstream)
		return ERR_NOMEM;
	*upstream = (struct upstream){.base = base, .settings = *settings, .owner = owner};
	upstream->has_feed = settings->pattern_count > 0 || settings->live_channel;
	random_init(&upstream->random);
	upstream->backoff = (struct backoff){.low_ns = settings->backoff_min_ns, .high_ns = settings->backoff_max_ns};
	set_names(upstream);
	upstream->attempt = evtimer_new(base, on_attempt, upstream);
	upstream->tick = event_new(base, -1, EV_PERSIST, on_tick, upstream);
	if (!upstream->attempt || !upstream->tick) {
		upstream_free(upstream);
		return ERR_NOMEM;
	}
	arm(upstream->attempt, 0);
	*ret_upstream = upstream;
	return OK;
}

void upstream_free(struct upstream *upstream)
{
	if (!upstream)
		return;
	if (upstream->attempt && upstream->tick)
		close_all(upstream);
	if (upstream->has_feed)
		metric_gauge_set(METRIC_REDIS_UP, 0);
	if (upstream->attempt)
		event_free(upstream->attempt);
	if (upstream->tick)
		event_free(upstream->tick);
	free(upstream);
}

bool upstream_is_up(const struct upstream *upstream)
{
	return upstream->state == UP;
}

struct link *upstream_commands(const struct upstream *upstream)
{
	return upstream->state >= LINKED ? upstream->commands : NULL;
}
