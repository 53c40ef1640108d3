/* Streams: each is one request, the responder of its call. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "gateway/http/admission_refusal.h"
#include "gateway/metrics/metrics.h"
#include "gateway/wire/connection_log.h"
#include "gateway/wire/http2_inside.h"
#include "gateway/wire/http_inside.h"

#define ROOM "wire"
#define FIELDS_MAX 24 /* of an answer's head */

static struct http2_stream *stream_of(const struct responder *responder)
{
	return (struct http2_stream *)(uintptr_t)responder;
}

/* Of its client. */
static const struct ip *address_of(const struct http2_stream *stream)
{
	return &stream->responder.admission->client;
}

/* As of an HTTP/1.1 connection. */
static const struct session *session_of(const struct http2_stream *stream)
{
	return stream->call && stream->status < 400 ? stream->call->session : NULL;
}

static bool is_written(const struct http2_stream *stream)
{
	return stream->out.len == 0 && !stream->connection->is_blocked;
}

/* A client may neither owe its body nor leave the answer lying for longer than the timeout. */
static void set_stall(struct http2_stream *stream)
{
	bool owes_body = !stream->is_input_over && !stream->has_body_end && !stream->is_held && stream->phase == HTTP2_ANSWERING;
	if (!owes_body && is_written(stream))
		deadline_stop(&stream->stall);
	else if (!deadline_is_set(&stream->stall))
		deadlines_start(&stream->connection->owner->stalls, &stream->stall);
}

static ssize_t read_out(nghttp2_session *session, int32_t id, uint8_t *room, size_t room_len, uint32_t *ret_flags,
			nghttp2_data_source *source, void *context)
{
	struct http2_stream *stream = source->ptr;
	size_t len = stream->out.len < room_len ? stream->out.len : room_len;
	(void)session;
	(void)id;
	(void)context;
	if (len)
		memcpy(room, stream->out.bytes, len);
	buf_drop_front(&stream->out, len);
	if (len)
		http2_stream_sent(stream);
	if (stream->out.len == 0 && stream->phase == HTTP2_FINISHED)
		*ret_flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (len == 0)
		stream->is_idle = true;
	return len || *ret_flags & NGHTTP2_DATA_FLAG_EOF ? (ssize_t)len : NGHTTP2_ERR_DEFERRED;
}

static void send_more(struct http2_stream *stream)
{
	if (stream->is_idle)
		nghttp2_session_resume_data(stream->connection->session, stream->id);
	stream->is_idle = false;
	http2_pump(stream->connection);
}

static bool belongs_to_http1(struct slice name)
{
	return slice_is(name, "connection") || slice_is(name, "transfer-encoding");
}

/* The lines of the head as fields, in place: names in lower case (RFC 9113 section 8.2), what belongs to the connection left out. */
static size_t fields_of(char *head, nghttp2_nv *ret_fields)
{
	size_t count = 0;
	char *line = strstr(head, "\r\n");
	while (line && count < FIELDS_MAX) {
		char *name = line + 2, *colon = strchr(name, ':');
		line = strstr(name, "\r\n");
		if (!line || !colon || colon > line)
			break;
		for (char *at = name; at < colon; at++)
			*at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
		if (belongs_to_http1((struct slice){name, (size_t)(colon - name)}))
			continue;
		ret_fields[count++] = (nghttp2_nv){
			.name = (uint8_t *)name,
			.namelen = (size_t)(colon - name),
			.value = (uint8_t *)colon + 2,
			.valuelen = (size_t)(line - colon - 2),
		};
	}
	return count;
}

static void begin(struct responder *responder, const struct response *response)
{
	struct http2_stream *stream = stream_of(responder);
	const struct response_form form = {.minor = 1, .origin = responder->origin};
	nghttp2_nv fields[FIELDS_MAX + 1];
	nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_out};
	static uint8_t name[] = ":status";
	char status[12];
	struct buf head;
	if (stream->status)
		return;
	stream->status = response->status;
	http_count_status(response->status);
	if (response->error)
		log_debug(ROOM, "request refused", log_int("status", response->status), log_text("code", response->error),
			  log_ip("address", address_of(stream)));
	snprintf(status, sizeof status, "%u", response->status);
	buf_init(&head);
	response_write_head(&head, response, &form);
	buf_append_char(&head, '\0');
	bool has_body = response->content_type && response->length && !responder->is_head_only;
	fields[0] = (nghttp2_nv){name, (uint8_t *)status, sizeof name - 1, strlen(status), NGHTTP2_NV_FLAG_NONE};
	size_t count = buf_has_failed(&head) ? 0 : 1 + fields_of(head.bytes, fields + 1);
	if (count == 0 || nghttp2_submit_response(stream->connection->session, stream->id, fields, count,
						  has_body ? &provider : NULL) != 0)
		responder->ops->cut(responder, "out of memory");
	buf_fini(&head);
}

static enum responder_result write_body(struct responder *responder, struct slice bytes)
{
	struct http2_stream *stream = stream_of(responder);
	if (stream->phase != HTTP2_ANSWERING)
		return RESPONDER_DEAD;
	if (responder->is_head_only)
		return RESPONDER_SENT;
	buf_append_slice(&stream->out, bytes);
	if (buf_has_failed(&stream->out)) {
		responder->ops->cut(responder, "out of memory");
		return RESPONDER_DEAD;
	}
	if (!stream->call || !stream->call->is_endless)
		metric_add(METRIC_BYTES_OUT, bytes.len);
	send_more(stream);
	if (stream->connection->is_dead)
		return RESPONDER_DEAD;
	stream->is_waiting = !is_written(stream);
	set_stall(stream);
	return stream->is_waiting ? RESPONDER_BUFFERED : RESPONDER_SENT;
}

static bool is_clear(const struct responder *responder)
{
	const struct http2_stream *stream = stream_of(responder);
	return stream->phase == HTTP2_ANSWERING && !stream->connection->is_dead && is_written(stream);
}

static void again(struct responder *responder)
{
	struct http2_stream *stream = stream_of(responder);
	http2_stream_wake(stream);
	http2_wake(stream->connection);
}

static void finish(struct responder *responder)
{
	struct http2_stream *stream = stream_of(responder);
	if (stream->phase != HTTP2_ANSWERING)
		return;
	stream->phase = HTTP2_FINISHED;
	if (stream->status < 400)
		log_debug(ROOM, "answered", log_int("status", stream->status), log_ip("address", address_of(stream)));
	send_more(stream);
	http2_wake(stream->connection);
}

static void cut_off(struct http2_stream *stream, uint32_t error)
{
	if (stream->phase != HTTP2_ANSWERING && stream->phase != HTTP2_FINISHED)
		return;
	stream->phase = HTTP2_CUT;
	nghttp2_submit_rst_stream(stream->connection->session, NGHTTP2_FLAG_NONE, stream->id, error);
	http2_wake(stream->connection);
}

static void cut(struct responder *responder, const char *why)
{
	struct http2_stream *stream = stream_of(responder);
	if (stream->phase != HTTP2_ANSWERING)
		return;
	log_warn(ROOM, "an answer over HTTP was cut off", log_int("status", stream->status), log_text("cause", why),
		 log_ip("address", address_of(stream)));
	metric_add(METRIC_HTTP_CUT, 1);
	cut_off(stream, NGHTTP2_INTERNAL_ERROR);
}

/* Of the connection: what of it is this stream's nobody can tell. */
static struct port_delivery delivery(const struct responder *responder)
{
	const struct http2_connection *connection = stream_of(responder)->connection;
	return tls_relays_delivery(connection->owner->settings.relays, connection->fd);
}

const struct responder_ops http2_responder_ops = {
	.begin = begin,
	.write = write_body,
	.is_clear = is_clear,
	.again = again,
	.finish = finish,
	.cut = cut,
	.delivery = delivery,
};

void http2_stream_stalled(struct deadline *stall)
{
	static const struct refusal late = {
		.status = 408,
		.code = "request_timeout",
		.message = "the body did not come in time",
	};
	struct http2_stream *stream = LIST_ENTRY(stall, struct http2_stream, stall);
	metric_add(METRIC_HTTP_STALLED, 1);
	log_debug(ROOM, "a client of the HTTP API stalls", log_int("status", stream->status), log_ip("address", address_of(stream)));
	if (stream->connection->is_blocked)
		http2_die(stream->connection);
	else if (!stream->status)
		responder_refuse(&stream->responder, &late);
	else
		cut_off(stream, NGHTTP2_CANCEL);
}

struct http2_stream *http2_stream_new(struct http2_connection *connection, int32_t id)
{
	struct http2_stream *stream = calloc(1, sizeof *stream);
	if (!stream)
		return NULL;
	stream->responder.ops = &http2_responder_ops;
	connections_share(&connection->admission, &stream->admission);
	stream->responder.admission = &stream->admission;
	stream->responder.is_tls = tls_relays_have(connection->owner->settings.relays, connection->fd);
	stream->connection = connection;
	stream->id = id;
	head_text_init(&stream->text);
	buf_init(&stream->request);
	buf_init(&stream->in);
	buf_init(&stream->out);
	list_init(&stream->link);
	list_append(&connection->streams, &stream->link);
	return stream;
}

void http2_stream_free(struct http2_stream *stream)
{
	struct http2_connection *connection = stream->connection;
	connection_log_closed(session_of(stream), address_of(stream));
	if (stream->call)
		stream->call->ops->free(stream->call);
	if (stream->is_counted) {
		connection->request_count--;
		connection->owner->stream_count--;
		if (!connection->admission.is_stranger)
			deadline_stop(&connection->idle); /* it begins anew */
		metric_gauge_add(METRIC_HTTP_REQUESTS, -1);
	}
	nghttp2_session_set_stream_user_data(connection->session, stream->id, NULL);
	connections_release(connection->owner->settings.connections, &stream->admission);
	deadline_stop(&stream->stall);
	list_remove(&stream->link);
	head_text_fini(&stream->text);
	buf_fini(&stream->request);
	buf_fini(&stream->in);
	buf_fini(&stream->out);
	free(stream);
}

void http2_stream_field(struct http2_stream *stream, struct slice name, struct slice value)
{
	size_t bytes = name.len + value.len + 4; /* ": " and the line's end */
	if (bytes <= stream->connection->owner->settings.header_bytes_max - stream->head_bytes) {
		stream->head_bytes += bytes;
		head_text_add(&stream->text, name, value);
		return;
	}
	stream->is_head_too_big = true;
	if (slice_is(name, ":path")) /* which nobody asks for then, but without one there is no text to read the other fields from */
		head_text_add(&stream->text, name, SLICE_LITERAL("/"));
}

/* What the call is told of the body: its length, if the client says one. */
static bool open_body(struct http2_stream *stream, const struct head *head, bool has_body, struct refusal *ret_refusal)
{
	struct slice length;
	if (!body_open(&stream->body, head, ret_refusal))
		return false;
	if (!has_body)
		stream->body = (struct body){.state = BODY_OVER};
	else if (!head_get(head, "Content-Length", &length, NULL))
		stream->body = (struct body){.state = BODY_CHUNK_SIZE, .is_chunked = true};
	return true;
}

/* The client waits for a word before it sends the body (RFC 9110 section 10.1.1). */
static void ask_for_body(struct http2_stream *stream)
{
	static uint8_t name[] = ":status", value[] = "100";
	const nghttp2_nv status = {name, value, sizeof name - 1, sizeof value - 1, NGHTTP2_NV_FLAG_NONE};
	nghttp2_submit_headers(stream->connection->session, NGHTTP2_FLAG_NONE, stream->id, NULL, &status, 1, NULL);
}

static void answer(struct http2_stream *stream, const struct head *head, bool has_body)
{
	const struct http2_settings *settings = &stream->connection->owner->settings;
	struct refusal refusal;
	api_meet(settings->api, head, &stream->responder);
	enum connections_verdict verdict = forwarded_place(head, &settings->proxies, settings->connections, &stream->admission);
	if (verdict != CONNECTIONS_ADMITTED) {
		responder_refuse(&stream->responder, admission_refusal(verdict));
		return;
	}
	if (!open_body(stream, head, has_body, &refusal)) {
		responder_refuse(&stream->responder, &refusal);
		return;
	}
	stream->call = api_open(settings->api, head, &stream->body, &stream->responder);
	if (has_body && !stream->status && head_lists(head, "Expect", "100-continue"))
		ask_for_body(stream);
}

static void refuse_head(struct http2_stream *stream, enum head_status status, const char *why)
{
	struct head head;
	head_read_fields(buf_slice(&stream->request), &head);
	api_meet(stream->connection->owner->settings.api, &head, &stream->responder);
	struct refusal refusal = refusal_for_head(status, why);
	responder_refuse(&stream->responder, &refusal);
}

static void judge_head(struct http2_stream *stream, bool has_body)
{
	struct head head;
	bool has_text = head_text_write(&stream->text, &stream->request);
	head_text_fini(&stream->text);
	head_text_init(&stream->text);
	enum head_status status = has_text ? head_read(buf_slice(&stream->request), &head) : HEAD_BAD;
	if (stream->is_head_too_big)
		refuse_head(stream, HEAD_TOO_MANY_FIELDS, NULL);
	else if (status != HEAD_COMPLETE)
		refuse_head(stream, status, has_text && head.why ? head.why : "the request's fields are no head of a request");
	else
		answer(stream, &head, has_body);
}

void http2_stream_open(struct http2_stream *stream, bool has_body)
{
	stream->phase = HTTP2_ANSWERING;
	stream->is_counted = true;
	stream->connection->request_count++;
	stream->connection->has_asked = true;
	stream->connection->owner->stream_count++;
	metric_gauge_add(METRIC_HTTP_REQUESTS, 1);
	judge_head(stream, has_body);
	stream->has_body_end = !stream->call || !stream->call->ops->body;
	connection_log_opened(session_of(stream), address_of(stream));
	set_stall(stream);
	http2_wake(stream->connection);
}

/* A body that nobody wants is read away; the answer's end resets the stream. */
void http2_stream_hear(struct http2_stream *stream, struct slice piece)
{
	if (stream->has_body_end || stream->phase != HTTP2_ANSWERING) {
		nghttp2_session_consume_stream(stream->connection->session, stream->id, piece.len);
		return;
	}
	buf_append_slice(&stream->in, piece);
	if (buf_has_failed(&stream->in))
		cut(&stream->responder, "out of memory");
	if (!stream->call->is_body_short)
		deadline_stop(&stream->stall);
	http2_wake(stream->connection);
}

void http2_stream_end_input(struct http2_stream *stream)
{
	stream->is_input_over = true;
	http2_wake(stream->connection);
}

void http2_stream_wake(struct http2_stream *stream)
{
	stream->is_due = true;
	stream->is_held = false;
}

void http2_stream_sent(struct http2_stream *stream)
{
	if (deadline_is_set(&stream->stall))
		deadlines_start(&stream->connection->owner->stalls, &stream->stall);
}

static void read_body(struct http2_stream *stream)
{
	struct call *call = stream->call;
	if (stream->has_body_end || stream->phase != HTTP2_ANSWERING)
		return;
	if (stream->in.len && !stream->is_held) {
		size_t taken = call->ops->body(call, buf_slice(&stream->in));
		stream->is_held = taken < stream->in.len;
		buf_drop_front(&stream->in, taken);
		nghttp2_session_consume_stream(stream->connection->session, stream->id, taken);
	}
	if (stream->in.len || !stream->is_input_over || stream->phase != HTTP2_ANSWERING)
		return;
	stream->has_body_end = true;
	if (call->ops->body_end)
		call->ops->body_end(call);
}

void http2_stream_go_on(struct http2_stream *stream)
{
	if (stream->is_waiting && is_written(stream)) {
		stream->is_waiting = false;
		http2_stream_wake(stream);
	}
	if (stream->is_due && stream->call && is_clear(&stream->responder)) {
		stream->is_due = false;
		stream->call->ops->go_on(stream->call);
	}
	read_body(stream);
	if (stream->phase == HTTP2_GONE)
		http2_stream_free(stream);
	else
		set_stall(stream);
}
