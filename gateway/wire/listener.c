#define _GNU_SOURCE
#include "gateway/wire/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/metrics/metrics.h"
#include "gateway/wire/address.h"

#define ROOM "wire"
#define ACCEPTS_PER_TURN 64     /* so that a storm of connections does not starve those that are there */
#define TURNED_AWAY_PER_TURN 16 /* for want of descriptors; then the listener rests */
#define BACKLOG_MAX 8192
#define REST_MS 50
#define WARN_EVERY_MS 5000
#define SPARED_DESCRIPTORS 32 /* for Redis, the admin port, files; at most an eighth of the limit */
/* Unacknowledged for so long: the peer is gone (tcp(7), TCP_USER_TIMEOUT). The heartbeat is meant to be sooner; a
 * peer that does not read for so long is gone too, since Linux counts probes of its window the same way. */
#define PEER_LOST_MS 120000
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_PROBES 3

static void set_option(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof value);
}

static void make_ready(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, PEER_LOST_MS);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static int open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int listener_descriptors_end(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > (rlim_t)INT32_MAX)
		return INT32_MAX;
	int end = (int)limit.rlim_cur;
	return end - (end / 8 < SPARED_DESCRIPTORS ? end / 8 : SPARED_DESCRIPTORS);
}

enum take { TAKEN, TURNED_AWAY, NOTHING_LEFT };

/* No descriptor is left to accept with: the reserve is given up for a moment, so that the peer is closed, not left
 * waiting in the queue where it would wake the loop for ever. */
static enum take turn_away_with_reserve(struct listener *listener)
{
	if (listener->reserve_fd < 0)
		listener->reserve_fd = open_reserve();
	if (listener->reserve_fd >= 0)
		close(listener->reserve_fd);
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	bool is_empty = fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
	if (fd >= 0)
		close(fd);
	listener->reserve_fd = open_reserve();
	return is_empty ? NOTHING_LEFT : TURNED_AWAY;
}

static enum take take_one(struct listener *listener)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof peer;
	int fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			return turn_away_with_reserve(listener);
		return errno == ECONNABORTED || errno == EINTR ? TAKEN : NOTHING_LEFT;
	}
	if (fd >= listener->descriptors_end) {
		close(fd);
		return TURNED_AWAY;
	}
	make_ready(fd);
	metric_add(METRIC_ACCEPTED, 1);
	listener->accepted(listener->context, fd, (struct sockaddr *)&peer);
	return TAKEN;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_rested(uv_timer_t *timer)
{
	struct listener *listener = timer->data;
	if (!uv_is_closing((uv_handle_t *)&listener->poll))
		uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void warn(struct listener *listener)
{
	uint64_t now_ms = clock_mono_ms();
	if (listener->warned_ms && now_ms - listener->warned_ms < WARN_EVERY_MS)
		return;
	listener->warned_ms = now_ms;
	log_warn(ROOM, "no descriptors left for new connections; they are turned away",
		 log_int("limit", listener->descriptors_end));
}

static void rest(struct listener *listener, unsigned turned_away)
{
	metric_add(METRIC_REFUSED_DESCRIPTORS, turned_away);
	warn(listener);
	uv_poll_stop(&listener->poll);
	uv_timer_start(&listener->rest, on_rested, REST_MS, 0);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	struct listener *listener = poll->data;
	unsigned turned_away = 0;
	for (unsigned i = 0; i < ACCEPTS_PER_TURN && turned_away < TURNED_AWAY_PER_TURN; i++) {
		enum take take = take_one(listener);
		if (take == NOTHING_LEFT)
			break;
		turned_away += take == TURNED_AWAY;
	}
	if (turned_away)
		rest(listener, turned_away);
}

enum err listener_open(struct listener *listener, uv_loop_t *loop, struct slice address, bool joins,
		       listener_accepted *accepted, void *context, char ret_why[256])
{
	int fd;
	enum err error = address_listen(address, joins, &fd, &listener->port, ret_why);
	if (error != OK)
		return error;
	if (uv_poll_init_socket(loop, &listener->poll, fd) != 0) {
		snprintf(ret_why, 256, "cannot watch the listening socket");
		close(fd);
		return ERR_IO;
	}
	uv_timer_init(loop, &listener->rest);
	listener->poll.data = listener->rest.data = listener;
	listener->fd = fd;
	listener->reserve_fd = open_reserve();
	listener->descriptors_end = listener_descriptors_end();
	listener->warned_ms = 0;
	listener->accepted = accepted;
	listener->context = context;
	uv_poll_start(&listener->poll, UV_READABLE, on_readable);
	return OK;
}

void listener_drain(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	for (unsigned i = 0; i < BACKLOG_MAX && take_one(listener) == TAKEN; i++)
		continue;
}

void listener_close(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	uv_close((uv_handle_t *)&listener->poll, NULL);
	uv_close((uv_handle_t *)&listener->rest, NULL);
	close(listener->fd);
	if (listener->reserve_fd >= 0)
		close(listener->reserve_fd);
	listener->fd = listener->reserve_fd = -1;
}
