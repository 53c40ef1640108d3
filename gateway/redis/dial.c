#define _GNU_SOURCE
#include "gateway/redis/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "gateway/redis/resolve.h"

#define ADDRESSES_MAX 8

struct address {
	struct sockaddr_storage bytes;
	socklen_t len;
};

struct dial {
	struct event_base *base;
	const struct place *place;
	struct dial_settings settings;
	dial_done_fn *done;
	void *context;
	uint64_t deadline_ns;
	struct resolve *resolve;
	struct event *turn; /* a timer: the next step, or the end of patience */
	struct event *writable;
	int fd;
	struct address addresses[ADDRESSES_MAX];
	size_t count, tried;
	char why[256]; /* what failed last */
};

static void finish(struct dial *dial, int fd, const char *why)
{
	dial->fd = -1;
	event_del(dial->turn);
	dial->done(dial->context, fd, why);
}

static void drop_socket(struct dial *dial)
{
	if (dial->writable)
		event_free(dial->writable);
	dial->writable = NULL;
	if (dial->fd >= 0)
		close(dial->fd);
	dial->fd = -1;
}

static const struct address *current(const struct dial *dial)
{
	return &dial->addresses[(dial->tried - 1 + dial->settings.rotation) % dial->count];
}

static void note_failure(struct dial *dial, const char *what)
{
	const struct address *address = current(dial);
	char host[INET6_ADDRSTRLEN + 24] = "";
	char shown[sizeof host + 16];
	if (address->bytes.ss_family == AF_UNIX || getnameinfo((const struct sockaddr *)&address->bytes, address->len,
	                                                       host, sizeof host, NULL, 0, NI_NUMERICHOST))
		place_text(dial->place, shown, sizeof shown);
	else
		place_text(&(struct place){.host = host, .port = dial->place->port}, shown, sizeof shown);
	snprintf(dial->why, sizeof dial->why, "connect to %s: %s", shown, what);
}

static void set_option(int fd, int level, int name, int value)
{
	/* Best effort: a connection without them works, its end is only noticed later. */
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

static void set_options(int fd, int family, uint64_t silence_ns)
{
	if (family == AF_UNIX)
		return;
	uint64_t silence_ms = silence_ns / NS_PER_MS;
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	if (silence_ms > 0 && silence_ms <= INT32_MAX)
		set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)silence_ms);
}

static struct timeval time_left(uint64_t ns)
{
	return (struct timeval){.tv_sec = (time_t)(ns / NS_PER_S), .tv_usec = (suseconds_t)(ns % NS_PER_S / 1000)};
}

static void try_soon(struct dial *dial)
{
	struct timeval now = {0};
	event_add(dial->turn, &now);
}

static void on_writable(evutil_socket_t fd, short what, void *argument)
{
	(void)what;
	struct dial *dial = argument;
	int error = 0;
	socklen_t size = sizeof error;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	event_free(dial->writable);
	dial->writable = NULL;
	if (error) {
		note_failure(dial, strerror(error));
		drop_socket(dial);
		try_soon(dial);
		return;
	}
	finish(dial, fd, NULL);
}

static bool connect_next(struct dial *dial)
{
	const struct address *address = current(dial);
	int family = address->bytes.ss_family;
	dial->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0)
		return false;
	set_options(dial->fd, family, dial->settings.silence_ns);
	if (connect(dial->fd, (const struct sockaddr *)&address->bytes, address->len) < 0 && errno != EINPROGRESS)
		return false;
	dial->writable = event_new(dial->base, dial->fd, EV_WRITE, on_writable, dial);
	if (!dial->writable) {
		errno = ENOMEM;
		return false;
	}
	event_add(dial->writable, NULL);
	return true;
}

/* The turn's timer: the address under way, if any, had its time; on to the next. */
static void on_turn(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct dial *dial = argument;
	if (dial->fd >= 0) {
		note_failure(dial, "no answer in time");
		drop_socket(dial);
	}
	uint64_t now_ns = clock_mono_ns();
	if (dial->count == 0) {
		finish(dial, -1, "the name was not resolved in time");
		return;
	}
	if (dial->tried == dial->count || now_ns >= dial->deadline_ns) {
		finish(dial, -1, dial->why[0] ? dial->why : "no time left to connect");
		return;
	}
	struct timeval patience = time_left((dial->deadline_ns - now_ns) / (dial->count - dial->tried));
	dial->tried++;
	if (!connect_next(dial)) {
		note_failure(dial, strerror(errno));
		drop_socket(dial);
		patience = (struct timeval){0};
	}
	event_add(dial->turn, &patience);
}

static void on_resolved(void *context, const struct addrinfo *addresses, const char *why)
{
	struct dial *dial = context;
	for (const struct addrinfo *at = addresses; at && dial->count < ADDRESSES_MAX; at = at->ai_next) {
		struct address *address = &dial->addresses[dial->count++];
		memcpy(&address->bytes, at->ai_addr, at->ai_addrlen);
		address->len = at->ai_addrlen;
	}
	if (dial->count == 0) {
		snprintf(dial->why, sizeof dial->why, "resolve %.200s: %s", dial->place->host,
		         why ? why : "no address");
		finish(dial, -1, dial->why);
		return;
	}
	try_soon(dial);
}

static void add_unix_address(struct dial *dial)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path, sizeof name.sun_path, "%s", dial->place->path);
	memcpy(&dial->addresses[0].bytes, &name, sizeof name);
	dial->addresses[0].len = sizeof name;
	dial->count = 1;
}

/* A lookup that cannot even begin is reported when the time of the dial is over: the turn's timer does it. */
static enum err begin(struct dial *dial)
{
	if (dial->place->path) {
		add_unix_address(dial);
		try_soon(dial);
		return OK;
	}
	struct timeval patience = time_left(dial->settings.timeout_ns);
	event_add(dial->turn, &patience);
	enum err error =
	    resolve_start(dial->base, dial->place->host, dial->place->port, on_resolved, dial, &dial->resolve);
	return error == ERR_NOMEM ? error : OK;
}

enum err dial_start(struct event_base *base, const struct place *place, const struct dial_settings *settings,
                    dial_done_fn *done, void *context, struct dial **ret_dial)
{
	struct dial *dial = calloc(1, sizeof *dial);
	if (!dial)
		return ERR_NOMEM;
	*dial = (struct dial){
	    .base = base, .place = place, .settings = *settings, .done = done, .context = context, .fd = -1};
	dial->deadline_ns = clock_mono_ns() + settings->timeout_ns;
	dial->turn = evtimer_new(base, on_turn, dial);
	if (!dial->turn || begin(dial) != OK) {
		dial_free(dial);
		return ERR_NOMEM;
	}
	*ret_dial = dial;
	return OK;
}

void dial_free(struct dial *dial)
{
	if (!dial)
		return;
	drop_socket(dial);
	resolve_free(dial->resolve);
	if (dial->turn)
		event_free(dial->turn);
	free(dial);
}
