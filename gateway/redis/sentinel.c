#include "gateway/redis/sentinel.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "gateway/redis/link.h"

struct sentinel {
	struct event_base *base;
	struct sentinel_settings settings;
	sentinel_done_fn *done;
	void *context;
	struct link *link;
	struct event *patience; /* for one sentinel; also the turn in which the next one is asked */
	size_t tried;           /* how many were given up */
	bool has_login;         /* the present one asked for credentials */
	char why[256];
};

static size_t current_index(const struct sentinel *sentinel)
{
	return (sentinel->settings.first + sentinel->tried) % sentinel->settings.url->place_count;
}

static void set_patience(struct sentinel *sentinel, uint64_t ns)
{
	struct timeval wait = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_usec = (suseconds_t)(ns % NS_PER_S / 1000)};
	event_add(sentinel->patience, &wait);
}

/* The link is gone, or is closed here; the next one is asked in a turn of its own. */
static void give_up_on_one(struct sentinel *sentinel, const char *why)
{
	char shown[160];
	place_text(&sentinel->settings.url->places[current_index(sentinel)], shown, sizeof shown);
	snprintf(sentinel->why, sizeof sentinel->why, "sentinel %.100s: %.120s", shown, why);
	link_close(sentinel->link);
	sentinel->link = NULL;
	sentinel->has_login = false;
	sentinel->tried++;
	set_patience(sentinel, 0);
}

static bool is_text(const struct redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING && reply->len > 0;
}

static bool read_place(const struct redisReply *reply, struct place *ret_place)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !is_text(reply->element[0]) ||
	    !is_text(reply->element[1]))
		return false;
	unsigned long port = strtoul(reply->element[1]->str, NULL, 10);
	if (port == 0 || port > UINT16_MAX)
		return false;
	*ret_place = (struct place){.host = reply->element[0]->str, .port = (uint16_t)port};
	return true;
}

static void on_answer(void *context, const struct redisReply *reply)
{
	struct sentinel *sentinel = context;
	struct place primary;
	if (!reply)
		return; /* the link ended, on_down comes; or it is we who closed it */
	if (read_place(reply, &primary)) {
		event_del(sentinel->patience);
		sentinel->done(sentinel->context, &primary, current_index(sentinel), NULL);
		return;
	}
	if (reply->type != REDIS_REPLY_ERROR) {
		give_up_on_one(sentinel, "it does not know the primary by that name");
		return;
	}
	if (strncmp(reply->str, "NOAUTH", 6) == 0 && !sentinel->has_login &&
	    url_has_credentials(sentinel->settings.url)) {
		link_close(sentinel->link);
		sentinel->link = NULL;
		sentinel->has_login = true;
		set_patience(sentinel, 0);
		return;
	}
	give_up_on_one(sentinel, reply->str);
}

static void on_up(void *context)
{
	struct sentinel *sentinel = context;
	const char *words[] = {"SENTINEL", "get-master-addr-by-name", sentinel->settings.url->primary};
	if (link_send(sentinel->link, 3, words, NULL, on_answer, sentinel) != OK)
		give_up_on_one(sentinel, err_name(ERR_NOMEM));
}

static void on_down(void *context, const char *why)
{
	struct sentinel *sentinel = context;
	sentinel->link = NULL;
	give_up_on_one(sentinel, why);
}

static void ask(struct sentinel *sentinel)
{
	const struct link_settings link = {
	    .place = sentinel->settings.url->places[current_index(sentinel)],
	    .url = sentinel->settings.url,
	    .timeout_ns = sentinel->settings.timeout_ns,
	    .is_sentinel = true,
	    .is_plain = !sentinel->has_login,
	};
	const struct link_owner owner = {.on_up = on_up, .on_down = on_down, .context = sentinel};
	if (link_open(sentinel->base, &link, owner, &sentinel->link) != OK)
		give_up_on_one(sentinel, err_name(ERR_NOMEM));
	else
		set_patience(sentinel, sentinel->settings.timeout_ns + 20 * NS_PER_MS);
}

static void on_patience(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct sentinel *sentinel = argument;
	if (sentinel->link)
		give_up_on_one(sentinel, "no answer in time");
	else if (sentinel->tried < sentinel->settings.url->place_count)
		ask(sentinel);
	else
		sentinel->done(sentinel->context, NULL, 0, sentinel->why);
}

enum err sentinel_start(struct event_base *base, const struct sentinel_settings *settings, sentinel_done_fn *done,
                        void *context, struct sentinel **ret_sentinel)
{
	struct sentinel *sentinel = calloc(1, sizeof *sentinel);
	if (!sentinel)
		return ERR_NOMEM;
	*sentinel = (struct sentinel){.base = base, .settings = *settings, .done = done, .context = context};
	sentinel->patience = evtimer_new(base, on_patience, sentinel);
	if (!sentinel->patience) {
		free(sentinel);
		return ERR_NOMEM;
	}
	set_patience(sentinel, 0);
	*ret_sentinel = sentinel;
	return OK;
}

void sentinel_free(struct sentinel *sentinel)
{
	if (!sentinel)
		return;
	link_close(sentinel->link);
	event_free(sentinel->patience);
	free(sentinel);
}
