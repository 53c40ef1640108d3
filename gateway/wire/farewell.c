#define _GNU_SOURCE
#include "gateway/wire/farewell.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"

#define FAREWELL_NS (1 * NS_PER_S)
#define FAREWELL_BYTES_MAX ((size_t)1 << 20) /* read and thrown away of one peer */
#define FAREWELL_SOCKETS_MAX 1024            /* above it sockets are closed at once */

struct leaving {
	uv_poll_t poll;
	struct deadline deadline;
	struct list link;
	struct farewell *farewell;
	int fd;
	size_t discarded_bytes;
};

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void end(struct leaving *leaving)
{
	deadline_stop(&leaving->deadline);
	list_remove(&leaving->link);
	leaving->farewell->count--;
	uv_close((uv_handle_t *)&leaving->poll, on_poll_closed);
	close(leaving->fd);
}

static void on_expired(struct deadline *deadline)
{
	end(LIST_ENTRY(deadline, struct leaving, deadline));
}

/* Throws away what waits. False: the peer has closed, or sent too much. */
static bool discard(int fd, size_t *discarded_bytes)
{
	char bytes[16384];
	while (*discarded_bytes < FAREWELL_BYTES_MAX) {
		ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (got <= 0)
			return got < 0 && (errno == EAGAIN || errno == EINTR);
		*discarded_bytes += (size_t)got;
	}
	return false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct leaving *leaving = poll->data;
	if (status < 0 || !discard(leaving->fd, &leaving->discarded_bytes))
		end(leaving);
}

static bool watch(struct farewell *farewell, int fd, size_t discarded_bytes)
{
	struct leaving *leaving = calloc(1, sizeof *leaving);
	if (!leaving)
		return false;
	if (uv_poll_init_socket(farewell->loop, &leaving->poll, fd) != 0) {
		free(leaving);
		return false;
	}
	leaving->poll.data = leaving;
	leaving->farewell = farewell;
	leaving->fd = fd;
	leaving->discarded_bytes = discarded_bytes;
	list_append(&farewell->sockets, &leaving->link);
	farewell->count++;
	deadlines_start(&farewell->deadlines, &leaving->deadline);
	uv_poll_start(&leaving->poll, UV_READABLE, on_readable);
	return true;
}

void farewell_init(struct farewell *farewell, uv_loop_t *loop)
{
	farewell->loop = loop;
	list_init(&farewell->sockets);
	farewell->count = 0;
	deadlines_init(&farewell->deadlines, loop, FAREWELL_NS, on_expired);
}

void farewell_close(struct farewell *farewell)
{
	LIST_FOREACH(&farewell->sockets, at, following)
		end(LIST_ENTRY(at, struct leaving, link));
	deadlines_close(&farewell->deadlines);
}

void farewell_take(struct farewell *farewell, int fd, struct slice words)
{
	size_t discarded_bytes = 0;
	if (words.len)
		(void)!send(fd, words.ptr, words.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	if (!discard(fd, &discarded_bytes) || farewell->count >= FAREWELL_SOCKETS_MAX ||
	    !watch(farewell, fd, discarded_bytes))
		close(fd);
}
