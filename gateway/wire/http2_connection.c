/* Connections: the socket, nghttp2's session, and which streams there are. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/metrics/metrics.h"
#include "gateway/wire/http2_inside.h"

#define ROOM "wire"
#define READ_BYTES ((size_t)16 * 1024)
#define READS_PER_TURN 4
#define OUT_BYTES ((size_t)64 * 1024) /* frames that are gathered for one send */
/* Requests that a client may take back before it is sent away, at once and a second: each costs us its whole beginning
 * (CVE-2023-44487). */
#define RESETS_BURST 1000
#define RESETS_PER_SECOND 33
/* Frames that may wait for a client that makes us say much and reads nothing (CVE-2019-9514); what is asked of us in earnest takes some for
 * each stream. */
#define WAITING_FRAMES_MAX 1000

static struct http2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct http2_connection *connection = context;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct http2_stream *stream = http2_stream_new(connection, frame->hd.stream_id);
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
	return 0;
}

/* Fields behind the body (trailers) are read over. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *context)
{
	struct http2_stream *stream = stream_of(session, frame->hd.stream_id);
	(void)flags;
	(void)context;
	if (stream && stream->phase == HTTP2_HEAD)
		http2_stream_field(stream, (struct slice){(const char *)name, name_len},
				   (struct slice){(const char *)value, value_len});
	return 0;
}

/* Of one whose answer was owed, whoever said the reset: a client can make us say it (CVE-2025-8671). */
static void count_reset(struct http2_connection *connection)
{
	if (bucket_take(&connection->resets, 1, clock_mono_ns()))
		return;
	log_debug(ROOM, "a client of HTTP/2 takes too many requests back", log_ip("address", &connection->admission.client));
	nghttp2_session_terminate_session(connection->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	(void)context;
	bool is_end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct http2_stream *stream = stream_of(session, frame->hd.stream_id);
	if (!stream || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (stream->phase == HTTP2_HEAD)
		http2_stream_open(stream, !is_end);
	if (is_end)
		http2_stream_end_input(stream);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *context)
{
	struct http2_stream *stream = stream_of(session, id);
	(void)flags;
	(void)context;
	/* The window of the connection is open always; that of a stream opens as its call takes what came. */
	nghttp2_session_consume_connection(session, len);
	if (stream)
		http2_stream_hear(stream, (struct slice){(const char *)bytes, len});
	else
		nghttp2_session_consume_stream(session, id, len);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
	struct http2_connection *connection = context;
	struct http2_stream *stream = stream_of(session, id);
	if (!stream)
		return 0;
	if (error != NGHTTP2_NO_ERROR && (stream->phase == HTTP2_HEAD || stream->phase == HTTP2_ANSWERING))
		count_reset(connection);
	stream->phase = HTTP2_GONE;
	http2_wake(connection);
	return 0;
}

/* The answer is whole before the request was: the client need not send the rest (RFC 9113 section 8.1). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	struct http2_stream *stream = stream_of(session, frame->hd.stream_id);
	bool may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	(void)context;
	if (stream && may_end && frame->hd.flags & NGHTTP2_FLAG_END_STREAM && !stream->is_input_over)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
	return 0;
}

static enum err open_session(struct http2_connection *connection)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	const nghttp2_settings_entry entries[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_READ_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)connection->owner->settings.header_bytes_max},
	};
	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		return ERR_NOMEM;
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	int failed = nghttp2_option_new(&option);
	if (!failed) {
		nghttp2_option_set_no_auto_window_update(option, 1);
		failed = nghttp2_session_server_new2(&connection->session, callbacks, connection, option);
		nghttp2_option_del(option);
	}
	nghttp2_session_callbacks_del(callbacks);
	if (failed || nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, entries,
					      sizeof entries / sizeof entries[0]) != 0)
		return ERR_NOMEM;
	return OK;
}

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void end(struct http2_connection *connection)
{
	struct http2_connections *owner = connection->owner;
	while (!list_is_empty(&connection->streams))
		http2_stream_free(LIST_ENTRY(connection->streams.next, struct http2_stream, link));
	nghttp2_session_del(connection->session);
	deadline_stop(&connection->idle);
	list_remove(&connection->woken.link);
	list_remove(&connection->link);
	buf_fini(&connection->out);
	connections_release(owner->settings.connections, &connection->admission);
	metric_gauge_add(METRIC_HTTP2_CONNECTIONS, -1);
	uv_poll_stop(&connection->poll);
	if (connection->is_dead)
		close(connection->fd);
	else
		farewell_take(owner->settings.farewell, connection->fd, SLICE_NONE);
	uv_close((uv_handle_t *)&connection->poll, on_poll_closed);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct http2_connection *connection)
{
	int events = UV_READABLE | (connection->is_blocked ? UV_WRITABLE : 0);
	if (events == connection->events)
		return;
	connection->events = events;
	if (uv_poll_start(&connection->poll, events, on_poll) != 0)
		connection->is_dead = true;
}

void http2_die(struct http2_connection *connection)
{
	connection->is_dead = true;
	http2_wake(connection);
}

/* False: the kernel takes no more, or the client is gone. */
static bool send_out(struct http2_connection *connection)
{
	struct buf *out = &connection->out;
	if (out->len) {
		ssize_t sent = send(connection->fd, out->bytes, out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			http2_die(connection);
			return false;
		}
		buf_drop_front(out, sent > 0 ? (size_t)sent : 0);
	}
	connection->has_drained = connection->has_drained || (connection->is_blocked && out->len == 0);
	connection->is_blocked = out->len > 0;
	watch(connection);
	return !connection->is_blocked;
}

/* Appends frames until there are enough for one send. False: there are no more. */
static bool gather(struct http2_connection *connection)
{
	const uint8_t *bytes;
	connection->is_inside = true;
	ssize_t len = 0;
	while (connection->out.len < OUT_BYTES && (len = nghttp2_session_mem_send(connection->session, &bytes)) > 0)
		buf_append(&connection->out, bytes, (size_t)len);
	connection->is_inside = false;
	if (len < 0 || buf_has_failed(&connection->out))
		http2_die(connection);
	return len > 0 && !connection->is_dead;
}

void http2_pump(struct http2_connection *connection)
{
	bool has_more = true;
	if (connection->is_inside || connection->is_dead)
		return;
	while (send_out(connection) && has_more)
		has_more = gather(connection) || (connection->out.len && !connection->is_dead);
}

static bool is_over(const struct http2_connection *connection)
{
	return connection->is_dead || (!connection->is_blocked && !nghttp2_session_want_read(connection->session) &&
				       !nghttp2_session_want_write(connection->session));
}

/* Whoever has shown no credential has the time of a first head in all, whatever it asks for meanwhile. */
static void set_idle(struct http2_connection *connection)
{
	if (connection->request_count && !connection->admission.is_stranger)
		deadline_stop(&connection->idle);
	else if (!deadline_is_set(&connection->idle))
		deadlines_start(&connection->owner->idles, &connection->idle);
}

/* What was in the way of one stream was in the way of all. */
static void wake_all(struct http2_connection *connection)
{
	LIST_FOREACH(&connection->streams, at, following)
		http2_stream_wake(LIST_ENTRY(at, struct http2_stream, link));
	connection->has_drained = false;
}

/* Each time another one is the first, since the first may fill the connection. */
static void go_on_streams(struct http2_connection *connection)
{
	if (connection->has_drained)
		wake_all(connection);
	LIST_FOREACH(&connection->streams, at, following)
		http2_stream_go_on(LIST_ENTRY(at, struct http2_stream, link));
	if (list_is_empty(&connection->streams))
		return;
	struct list *first = connection->streams.next;
	list_remove(first);
	list_append(&connection->streams, first);
}

/* What a connection does when something happened to it. It may be gone afterwards. */
static void go_on(struct http2_connection *connection)
{
	*connection->owner->settings.stirred = true;
	http2_pump(connection);
	go_on_streams(connection);
	http2_pump(connection);
	if (connection->has_drained)
		http2_wake(connection);
	if (connection->is_leaving && connection->request_count == 0) {
		nghttp2_session_terminate_session(connection->session, NGHTTP2_NO_ERROR);
		http2_pump(connection);
	}
	if (is_over(connection))
		end(connection);
	else
		set_idle(connection);
}

void http2_wake(struct http2_connection *connection)
{
	wakes_add(&connection->owner->wakes, &connection->woken);
}

static void on_woken(struct wake *wake)
{
	go_on(LIST_ENTRY(wake, struct http2_connection, woken));
}

static void take_bytes(struct http2_connection *connection, struct slice bytes)
{
	connection->is_inside = true;
	ssize_t taken = nghttp2_session_mem_recv(connection->session, (const uint8_t *)bytes.ptr, bytes.len);
	connection->is_inside = false;
	bool is_flooded = nghttp2_session_get_outbound_queue_size(connection->session) > WAITING_FRAMES_MAX;
	if (is_flooded)
		log_debug(ROOM, "a client of HTTP/2 makes more to be said than it reads", log_ip("address", &connection->admission.client));
	if (taken < 0 || is_flooded) /* no memory, or no preface: for all else nghttp2 says GOAWAY itself */
		connection->is_dead = true;
}

static void hear(struct http2_connection *connection)
{
	char bytes[READ_BYTES];
	for (unsigned i = 0; i < READS_PER_TURN && !connection->is_dead; i++) {
		ssize_t got = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0)
			connection->is_dead = true;
		else
			take_bytes(connection, (struct slice){bytes, (size_t)got});
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct http2_connection *connection = poll->data;
	if (status < 0)
		connection->is_dead = true;
	else if (events & UV_READABLE)
		hear(connection);
	go_on(connection);
}

static void leave(struct http2_connection *connection)
{
	if (connection->is_leaving)
		return;
	connection->is_leaving = true;
	nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(connection->session),
			      NGHTTP2_NO_ERROR, NULL, 0);
	http2_wake(connection);
}

/* It has asked for nothing in the time that a first head has, or shown no credential: it goes at once, with GOAWAY if it takes that. */
static void turn_out(struct http2_connection *connection)
{
	metric_add(METRIC_REFUSED_TIMEOUT, 1);
	log_debug(ROOM, connection->has_asked ? "no credential came in time" : "no request came in time",
		  log_ip("address", &connection->admission.client));
	nghttp2_session_terminate_session(connection->session, NGHTTP2_NO_ERROR);
	http2_pump(connection);
	if (!is_over(connection))
		connection->is_dead = true;
	http2_wake(connection);
}

/* Whoever does not go when told to, or does not even hear it, is cut off the next time. */
static void on_idle(struct deadline *deadline)
{
	struct http2_connection *connection = LIST_ENTRY(deadline, struct http2_connection, idle);
	if (connection->is_leaving)
		http2_die(connection);
	else if (connection->has_asked && !connection->admission.is_stranger)
		leave(connection);
	else
		turn_out(connection);
}

void http2_connections_init(struct http2_connections *connections, uv_loop_t *loop, const struct http2_settings *settings)
{
	*connections = (struct http2_connections){.settings = *settings, .loop = loop};
	list_init(&connections->open);
	wakes_init(&connections->wakes, loop, on_woken);
	deadlines_init(&connections->idles, loop, settings->idle_timeout_ns, on_idle);
	deadlines_init(&connections->stalls, loop, settings->stall_timeout_ns, http2_stream_stalled);
}

void http2_connections_drain(struct http2_connections *connections)
{
	LIST_FOREACH(&connections->open, at, following)
		leave(LIST_ENTRY(at, struct http2_connection, link));
}

void http2_connections_close(struct http2_connections *connections)
{
	LIST_FOREACH(&connections->open, at, following)
		end(LIST_ENTRY(at, struct http2_connection, link));
	wakes_close(&connections->wakes);
	deadlines_close(&connections->idles);
	deadlines_close(&connections->stalls);
}

static void refuse(struct http2_connections *connections, struct greeted_request *request)
{
	buf_fini(&request->bytes);
	connections_release(connections->settings.connections, &request->admission);
	close(request->fd);
}

void http2_connections_take(struct http2_connections *connections, struct greeted_request *request)
{
	struct http2_connection *connection = calloc(1, sizeof *connection);
	if (!connection) {
		refuse(connections, request);
		return;
	}
	connection->owner = connections;
	connection->fd = request->fd;
	connection->admission = request->admission;
	list_init(&connection->streams);
	list_init(&connection->woken.link);
	buf_init(&connection->out);
	bucket_init(&connection->resets, RESETS_PER_SECOND, RESETS_BURST, clock_mono_ns());
	if (open_session(connection) != OK || uv_poll_init_socket(connections->loop, &connection->poll, connection->fd) != 0) {
		nghttp2_session_del(connection->session);
		free(connection);
		refuse(connections, request);
		return;
	}
	connection->poll.data = connection;
	list_append(&connections->open, &connection->link);
	metric_gauge_add(METRIC_HTTP2_CONNECTIONS, 1);
	deadlines_start_at(&connections->idles, &connection->idle, request->head_due_ns);
	take_bytes(connection, buf_slice(&request->bytes));
	buf_fini(&request->bytes);
	http2_wake(connection);
	watch(connection);
	set_idle(connection);
	if (connections->settings.api->is_draining)
		leave(connection);
}
