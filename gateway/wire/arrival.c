#define _GNU_SOURCE
#include "gateway/wire/arrival.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/http/admission_refusal.h"
#include "gateway/http/proxy_header.h"
#include "gateway/http/refusal.h"
#include "gateway/metrics/metrics.h"

#define ROOM "wire"

/* A connection of a proxy whose header is not whole yet. */
struct waiting {
	uv_poll_t poll;
	bool is_watched;
	struct deadline deadline;
	struct list link;
	struct arrivals *arrivals;
	int fd;
	struct admission admission;
	struct buf header; /* what was read of it */
};

static void turn_away(struct arrivals *arrivals, int fd, const struct refusal *refusal, const struct ip *client)
{
	struct buf response;
	buf_init(&response);
	if (!arrivals->settings.speaks_tls)
		refusal_write(&response, refusal, SLICE_NONE);
	metric_add(refusal->metric, 1);
	log_debug(ROOM, "connection refused", log_int("status", refusal->status), log_text("code", refusal->code),
		  log_text("cause", refusal->message), log_ip("address", client));
	farewell_take(arrivals->farewell, fd, buf_has_failed(&response) ? SLICE_NONE : buf_slice(&response));
	buf_fini(&response);
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Lets go of everything but the descriptor and the admission, which the caller passes on. */
static void forget(struct waiting *waiting)
{
	deadline_stop(&waiting->deadline);
	list_remove(&waiting->link);
	buf_fini(&waiting->header);
	if (waiting->is_watched)
		uv_close((uv_handle_t *)&waiting->poll, on_poll_closed);
	else
		free(waiting);
}

static void give_up(struct waiting *waiting)
{
	int fd = waiting->fd;
	metric_add(METRIC_REFUSED_PROXY, 1);
	connections_release(waiting->arrivals->settings.connections, &waiting->admission);
	forget(waiting);
	close(fd);
}

/* A header without an address is of the proxy's own connection, such as a check of health. */
static void pass_on(struct waiting *waiting, const struct ip *source)
{
	struct arrivals *arrivals = waiting->arrivals;
	struct admission admission = waiting->admission;
	int fd = waiting->fd;
	uint64_t head_due_ns = waiting->deadline.at_ns;
	forget(waiting);
	if (source->is_known) {
		bool is_proxy = proxies_have(&arrivals->settings.proxies, source);
		admission.peer = admission.client = *source;
		enum connections_verdict verdict = connections_move(arrivals->settings.connections, &admission,
								    is_proxy ? address_key_none : address_key_of(source));
		if (verdict != CONNECTIONS_ADMITTED) {
			connections_release(arrivals->settings.connections, &admission);
			turn_away(arrivals, fd, admission_refusal(verdict), source);
			return;
		}
	}
	arrivals->arrived(arrivals->context, fd, &admission, head_due_ns);
}

/* Reads no more than the header: what is behind it belongs to whom it goes on to. */
static bool take(struct waiting *waiting, size_t len)
{
	char bytes[PROXY_HEADER_MAX];
	ssize_t got = recv(waiting->fd, bytes, len, MSG_DONTWAIT);
	return got >= 0 && (size_t)got == len;
}

/* False: the waiting is over. */
static bool hear(struct waiting *waiting)
{
	char bytes[PROXY_HEADER_MAX];
	size_t before = waiting->header.len;
	ssize_t got = recv(waiting->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got > 0)
		buf_append(&waiting->header, bytes, (size_t)got);
	struct proxy_header header;
	enum proxy_header_status status = PROXY_HEADER_BAD;
	if (got > 0 && !buf_has_failed(&waiting->header))
		status = proxy_header_read(buf_slice(&waiting->header), &header);
	size_t fresh = status == PROXY_HEADER_COMPLETE ? header.len - before : waiting->header.len - before;
	if (status == PROXY_HEADER_BAD || !take(waiting, fresh)) {
		log_debug(ROOM, "a trusted proxy sent no PROXY header, or a bad one", log_ip("address", &waiting->admission.client));
		give_up(waiting);
		return false;
	}
	if (status == PROXY_HEADER_PARTIAL)
		return true;
	pass_on(waiting, &header.source);
	return false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct waiting *waiting = poll->data;
	if (status < 0)
		give_up(waiting);
	else
		hear(waiting);
}

static void on_expired(struct deadline *deadline)
{
	struct waiting *waiting = LIST_ENTRY(deadline, struct waiting, deadline);
	log_debug(ROOM, "a trusted proxy sent no PROXY header in time", log_ip("address", &waiting->admission.client));
	give_up(waiting);
}

static bool watch(struct waiting *waiting)
{
	if (uv_poll_init_socket(waiting->arrivals->loop, &waiting->poll, waiting->fd) != 0)
		return false;
	waiting->is_watched = true;
	waiting->poll.data = waiting;
	return uv_poll_start(&waiting->poll, UV_READABLE, on_readable) == 0;
}

/* The header has often come with the connection: then no watcher is needed. */
static void await_header(struct arrivals *arrivals, int fd, struct admission *admission)
{
	struct waiting *waiting = calloc(1, sizeof *waiting);
	if (!waiting) {
		connections_release(arrivals->settings.connections, admission);
		close(fd);
		return;
	}
	waiting->arrivals = arrivals;
	waiting->fd = fd;
	waiting->admission = *admission;
	buf_init(&waiting->header);
	list_append(&arrivals->waiting, &waiting->link);
	deadlines_start(&arrivals->deadlines, &waiting->deadline);
	if (hear(waiting) && !watch(waiting))
		give_up(waiting);
}

void arrivals_accept(struct arrivals *arrivals, int fd, const struct sockaddr *peer)
{
	const struct proxies *proxies = &arrivals->settings.proxies;
	struct ip ip = ip_of(peer);
	struct admission admission;
	bool is_proxy = proxies_have(proxies, &ip);
	if (proxies->send_header && !is_proxy) {
		metric_add(METRIC_REFUSED_PROXY, 1);
		log_debug(ROOM, "connection refused: not from a trusted proxy", log_ip("address", &ip));
		close(fd);
		return;
	}
	enum connections_verdict verdict =
		connections_admit(arrivals->settings.connections, &ip, is_proxy ? address_key_none : address_key_of(&ip), &admission);
	if (verdict != CONNECTIONS_ADMITTED)
		turn_away(arrivals, fd, admission_refusal(verdict), &ip);
	else if (proxies->send_header)
		await_header(arrivals, fd, &admission);
	else
		arrivals->arrived(arrivals->context, fd, &admission, clock_mono_ns() + arrivals->settings.timeout_ns);
}

void arrivals_init(struct arrivals *arrivals, uv_loop_t *loop, const struct arrivals_settings *settings, struct farewell *farewell,
		   arrivals_arrived *arrived, void *context)
{
	*arrivals = (struct arrivals){
		.settings = *settings,
		.loop = loop,
		.farewell = farewell,
		.arrived = arrived,
		.context = context,
	};
	list_init(&arrivals->waiting);
	deadlines_init(&arrivals->deadlines, loop, settings->timeout_ns, on_expired);
}

void arrivals_close(struct arrivals *arrivals)
{
	LIST_FOREACH(&arrivals->waiting, at, following)
		give_up(LIST_ENTRY(at, struct waiting, link));
	deadlines_close(&arrivals->deadlines);
}
