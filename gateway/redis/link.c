#include "gateway/redis/link.h"

#include <errno.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/data/buf.h"
#include "gateway/redis/dial.h"
#include "gateway/redis/login.h"
#include "gateway/redis/tls.h"

/* A socket is read in large pieces, but the reader of hiredis moves what is left in its buffer after every KiB that it
 * consumed (redisReaderGetReply), so it is fed in small ones. */
#define COMMAND_READ_BYTES ((size_t)16 * 1024)
#define STREAM_READ_BYTES ((size_t)256 * 1024)
#define FEED_BYTES ((size_t)16 * 1024)
#define TLS_RETRY_MS 5

enum link_state { LINK_DIALING, LINK_LOGIN, LINK_UP, LINK_STREAM, LINK_CLOSED };

struct request {
	link_reply_fn *on_reply;
	void *context;
};

struct link {
	struct event_base *base;
	struct link_settings settings;
	struct link_owner owner;
	enum link_state state;
	unsigned depth; /* callbacks of the loop that are inside this link: it is freed when the last one leaves */
	char *place_memory;
	char address[160];
	struct dial *dial;
	redisContext *context;
	struct event *readable, *writable, *deadline;
	struct event *rewrite; /* timer, over TLS only: see on_writable */
	struct login login;
	struct link_stream stream;
	char *input;
	size_t input_bytes;
	bool wants_room; /* a stream, or a link whose answers fill the small input */
	uint64_t read_ns;
	struct buf requests; /* of struct request, oldest at `answered` */
	size_t answered;     /* bytes of requests that are done */
};

static void advance_login(struct link *link);

static void free_link(struct link *link)
{
	if (link->context)
		redisFree(link->context);
	buf_fini(&link->requests);
	free(link->input);
	free(link->place_memory);
	free(link);
}

static struct event *drop_event(struct event *event)
{
	if (event)
		event_free(event);
	return NULL;
}

static bool take_request(struct link *link, struct request *ret_request)
{
	if (link->answered == link->requests.len)
		return false;
	memcpy(ret_request, link->requests.bytes + link->answered, sizeof *ret_request);
	link->answered += sizeof *ret_request;
	if (link->answered == link->requests.len) {
		buf_clear(&link->requests);
		link->answered = 0;
	} else if (link->answered >= 4096) {
		buf_drop_front(&link->requests, link->answered);
		link->answered = 0;
	}
	return true;
}

/* The one way to end: why is NULL when the owner wanted it. */
static void end(struct link *link, const char *why)
{
	if (link->state == LINK_CLOSED)
		return;
	link->state = LINK_CLOSED;
	struct link_owner owner = link->owner;
	link->owner = (struct link_owner){0};
	dial_free(link->dial);
	link->dial = NULL;
	link->readable = drop_event(link->readable);
	link->writable = drop_event(link->writable);
	link->deadline = drop_event(link->deadline);
	link->rewrite = drop_event(link->rewrite);
	struct request request;
	while (take_request(link, &request))
		request.on_reply(request.context, NULL);
	if (why && owner.on_down)
		owner.on_down(owner.context, why);
}

static void enter(struct link *link)
{
	link->depth++;
}

static void leave(struct link *link)
{
	if (--link->depth == 0 && link->state == LINK_CLOSED)
		free_link(link);
}

static void handle_reply(struct link *link, struct redisReply *reply)
{
	char why[256];
	struct request request;
	if (link->state == LINK_LOGIN) {
		if (login_accept(&link->login, reply, why, sizeof why))
			advance_login(link);
		else
			end(link, why);
	} else if (take_request(link, &request)) {
		request.on_reply(request.context, reply);
	} else {
		end(link, reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that nobody asked for");
	}
}

static void drain_reader(struct link *link)
{
	void *reply = NULL;
	while (link->state != LINK_CLOSED) {
		redisReader *reader = link->context->reader; /* link_stream replaces it */
		bool is_stream = link->state == LINK_STREAM;
		int result = redisReaderGetReply(reader, &reply);
		if (link->state == LINK_CLOSED)
			return; /* by a callback in the midst of parsing: of a stream, whose objects need no free */
		if (result != REDIS_OK) {
			end(link, reader->errstr);
			return;
		}
		if (!reply)
			return;
		if (is_stream)
			continue;
		handle_reply(link, reply);
		freeReplyObject(reply);
	}
}

static bool feed(struct link *link, const char *bytes, size_t len)
{
	for (size_t at = 0; at < len && link->state != LINK_CLOSED; at += FEED_BYTES) {
		size_t piece = len - at < FEED_BYTES ? len - at : FEED_BYTES;
		if (redisReaderFeed(link->context->reader, bytes + at, piece) != REDIS_OK) {
			end(link, link->context->reader->errstr);
			return false;
		}
		drain_reader(link);
	}
	return link->state != LINK_CLOSED;
}

static bool read_plain(struct link *link)
{
	ssize_t len = recv(link->context->fd, link->input, link->input_bytes, 0);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (len <= 0) {
		end(link, len == 0 ? "the server closed the connection" : strerror(errno));
		return false;
	}
	link->read_ns = clock_mono_ns();
	link->wants_room |= (size_t)len == link->input_bytes;
	return feed(link, link->input, (size_t)len);
}

static bool read_tls(struct link *link)
{
	if (redisBufferRead(link->context) != REDIS_OK) {
		end(link, link->context->errstr);
		return false;
	}
	link->read_ns = clock_mono_ns();
	drain_reader(link);
	return link->state != LINK_CLOSED;
}

/* Without memory for it the small one does, more slowly. */
static void enlarge_input(struct link *link)
{
	char *input = malloc(STREAM_READ_BYTES);
	if (!input)
		return;
	free(link->input);
	link->input = input;
	link->input_bytes = STREAM_READ_BYTES;
}

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct link *link = argument;
	enter(link);
	if (link->wants_room && link->input_bytes < STREAM_READ_BYTES)
		enlarge_input(link);
	bool is_alive = link->settings.url->kind == URL_TLS ? read_tls(link) : read_plain(link);
	if (is_alive && link->state == LINK_STREAM && link->stream.on_read_end)
		link->stream.on_read_end(link->stream.context);
	leave(link);
}

static void on_rewrite(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct link *link = argument;
	event_add(link->writable, NULL);
}

/* Over TLS a socket may take bytes while the session must read first, and hiredis does not say so: waiting for the
 * socket would spin, so what was not written is tried again a little later. */
static void hold_back(struct link *link)
{
	const struct timeval while_ms = {.tv_usec = TLS_RETRY_MS * 1000};
	event_del(link->writable);
	event_add(link->rewrite, &while_ms);
}

static void on_writable(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct link *link = argument;
	int done = 0;
	enter(link);
	if (redisBufferWrite(link->context, &done) != REDIS_OK)
		end(link, link->context->errstr);
	else if (done)
		event_del(link->writable);
	else if (link->rewrite)
		hold_back(link);
	leave(link);
}

static void on_deadline(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct link *link = argument;
	enter(link);
	end(link, "no answer to the login in time");
	leave(link);
}

static enum err append(struct link *link, size_t count, const char **words, const size_t *lens)
{
	if (redisAppendCommandArgv(link->context, (int)count, words, lens) != REDIS_OK)
		return ERR_NOMEM;
	event_add(link->writable, NULL);
	return OK;
}

static void advance_login(struct link *link)
{
	const char *words[LOGIN_WORDS_MAX];
	size_t count = login_next(&link->login, words);
	if (count > 0) {
		if (append(link, count, words, NULL) != OK)
			end(link, err_name(ERR_NOMEM));
		return;
	}
	link->state = LINK_UP;
	event_del(link->deadline);
	link->owner.on_up(link->owner.context);
}

/* Takes the socket over; false: it is closed again and ret_why set. */
static bool adopt_socket(struct link *link, int fd, char *ret_why, size_t why_size)
{
	link->context = redisConnectFd(fd);
	if (!link->context) {
		close(fd);
		snprintf(ret_why, why_size, "%s", err_name(ERR_NOMEM));
		return false;
	}
	link->context->flags &= ~REDIS_BLOCK;
	bool is_tls = link->settings.url->kind == URL_TLS;
	if (is_tls && tls_begin(link->context, link->settings.place.host, ret_why, why_size) != OK)
		return false;
	link->rewrite = is_tls ? evtimer_new(link->base, on_rewrite, link) : NULL;
	link->readable = event_new(link->base, fd, EV_READ | EV_PERSIST, on_readable, link);
	link->writable = event_new(link->base, fd, EV_WRITE | EV_PERSIST, on_writable, link);
	if (!link->readable || !link->writable || (is_tls && !link->rewrite)) {
		snprintf(ret_why, why_size, "%s", err_name(ERR_NOMEM));
		return false;
	}
	event_add(link->readable, NULL);
	return true;
}

static void on_dialed(void *context, int fd, const char *why)
{
	struct link *link = context;
	char failure[256];
	enter(link);
	if (fd < 0) {
		snprintf(failure, sizeof failure, "%s", why); /* the dial is freed before the owner reads it */
		end(link, failure);
	} else if (!adopt_socket(link, fd, failure, sizeof failure)) {
		end(link, failure);
	} else {
		dial_free(link->dial);
		link->dial = NULL;
		link->read_ns = clock_mono_ns();
		link->state = LINK_LOGIN;
		login_init(&link->login, &link->settings);
		advance_login(link);
	}
	leave(link);
}

static bool copy_place(struct link *link)
{
	struct place *place = &link->settings.place;
	const char *text = place->path ? place->path : place->host;
	size_t size = strlen(text) + 1;
	link->place_memory = malloc(size);
	if (!link->place_memory)
		return false;
	memcpy(link->place_memory, text, size);
	*(place->path ? &place->path : &place->host) = link->place_memory;
	place_text(place, link->address, sizeof link->address);
	return true;
}

static enum err begin(struct link *link)
{
	const struct dial_settings dial = {.timeout_ns = link->settings.timeout_ns,
	                                   .silence_ns = link->settings.silence_ns,
	                                   .rotation = link->settings.rotation};
	/* The dial ends in time by itself and can say which address failed; the deadline is for the login, so it comes
	 * a little later. */
	uint64_t patience_ns = link->settings.timeout_ns + 10 * NS_PER_MS;
	struct timeval patience = {.tv_sec = (time_t)(patience_ns / NS_PER_S),
	                           .tv_usec = (suseconds_t)(patience_ns % NS_PER_S / 1000)};
	link->input = malloc(link->input_bytes);
	link->deadline = evtimer_new(link->base, on_deadline, link);
	if (!link->input || !link->deadline || !copy_place(link) || event_add(link->deadline, &patience) < 0)
		return ERR_NOMEM;
	return dial_start(link->base, &link->settings.place, &dial, on_dialed, link, &link->dial);
}

enum err link_open(struct event_base *base, const struct link_settings *settings, struct link_owner owner,
                   struct link **ret_link)
{
	struct link *link = calloc(1, sizeof *link);
	if (!link)
		return ERR_NOMEM;
	*link = (struct link){.base = base, .settings = *settings, .owner = owner, .input_bytes = COMMAND_READ_BYTES};
	buf_init(&link->requests);
	if (begin(link) != OK) {
		link_close(link);
		return ERR_NOMEM;
	}
	*ret_link = link;
	return OK;
}

void link_close(struct link *link)
{
	int done;
	if (!link)
		return;
	enter(link);
	if (link->state == LINK_UP)
		(void)redisBufferWrite(link->context, &done);
	end(link, NULL);
	leave(link);
}

static enum err push_request(struct link *link, link_reply_fn *on_reply, void *context)
{
	const struct request request = {on_reply, context};
	if (link->state != LINK_UP)
		return ERR_CLOSED;
	char *room = buf_extend(&link->requests, sizeof request);
	if (!room)
		return ERR_NOMEM;
	memcpy(room, &request, sizeof request);
	return OK;
}

enum err link_send_formatted(struct link *link, struct slice command, link_reply_fn *on_reply, void *context)
{
	enum err error = push_request(link, on_reply, context);
	if (error)
		return error;
	if (redisAppendFormattedCommand(link->context, command.ptr, command.len) != REDIS_OK) {
		link->requests.len -= sizeof(struct request);
		return ERR_NOMEM;
	}
	event_add(link->writable, NULL);
	return OK;
}

enum err link_send(struct link *link, size_t count, const char **words, const size_t *lens, link_reply_fn *on_reply,
                   void *context)
{
	enum err error = push_request(link, on_reply, context);
	if (error)
		return error;
	error = append(link, count, words, lens);
	if (error)
		link->requests.len -= sizeof(struct request);
	return error;
}

/* The reader is replaced, not turned over: it may have begun on the reply that comes next, with its own functions. */
enum err link_stream(struct link *link, const struct link_stream *stream)
{
	redisReader *reader = redisReaderCreateWithFunctions(stream->functions);
	if (!reader)
		return ERR_NOMEM;
	reader->privdata = stream->context;
	redisReaderFree(link->context->reader);
	link->context->reader = reader;
	link->stream = *stream;
	link->state = LINK_STREAM;
	link->wants_room = true;
	return OK;
}

enum err link_stream_send(struct link *link, size_t count, const char **words, const size_t *lens)
{
	return link->state == LINK_STREAM ? append(link, count, words, lens) : ERR_CLOSED;
}

uint64_t link_read_ns(const struct link *link)
{
	return link->read_ns;
}

const char *link_address(const struct link *link)
{
	return link->address;
}
