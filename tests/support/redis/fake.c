#include "tests/support/redis/fake.h"

#include <check.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/list.h"

#define WORDS_MAX 16

struct fake {
	struct evconnlistener *listener;
	uint16_t port;
	fake_answer_fn *answer;
	void *context;
	unsigned accepted;
	struct list peers;
};

struct peer {
	struct list link;
	struct fake *fake;
	unsigned number;
	struct bufferevent *stream;
	redisReader *reader;
	char heartbeat[256]; /* the channel that it subscribed to */
};

static void free_peer(struct peer *peer)
{
	list_remove(&peer->link);
	bufferevent_free(peer->stream);
	redisReaderFree(peer->reader);
	free(peer);
}

static void send_bulk(struct bufferevent *stream, struct slice text)
{
	struct evbuffer *out = bufferevent_get_output(stream);
	evbuffer_add_printf(out, "$%zu\r\n", text.len);
	evbuffer_add(out, text.ptr, text.len);
	evbuffer_add(out, "\r\n", 2);
}

static void send_text(struct bufferevent *stream, const char *text)
{
	bufferevent_write(stream, text, strlen(text));
}

/* A heartbeat is what comes back to those who subscribed to its channel. */
static void publish(struct fake *fake, struct slice channel, struct slice payload)
{
	LIST_FOREACH(&fake->peers, at, following)
	{
		struct peer *peer = LIST_ENTRY(at, struct peer, link);
		if (!slice_is(channel, peer->heartbeat))
			continue;
		send_text(peer->stream, "*3\r\n$7\r\nmessage\r\n");
		send_bulk(peer->stream, channel);
		send_bulk(peer->stream, payload);
	}
}

static void answer_subscribe(struct peer *peer, const struct slice *words)
{
	bool is_pattern = slice_is(words[0], "PSUBSCRIBE");
	if (!is_pattern && words[1].len < sizeof peer->heartbeat)
		memcpy(peer->heartbeat, words[1].ptr, words[1].len);
	send_text(peer->stream, "*3\r\n");
	send_bulk(peer->stream, is_pattern ? SLICE_LITERAL("psubscribe") : SLICE_LITERAL("subscribe"));
	send_bulk(peer->stream, words[1]);
	send_text(peer->stream, ":1\r\n");
}

static void answer_ordinarily(struct peer *peer, size_t count, const struct slice *words)
{
	if (slice_is(words[0], "SUBSCRIBE") || slice_is(words[0], "PSUBSCRIBE")) {
		answer_subscribe(peer, words);
	} else if (slice_is(words[0], "PUBLISH") && count == 3) {
		publish(peer->fake, words[1], words[2]);
		send_text(peer->stream, ":1\r\n");
	} else if (slice_is(words[0], "ROLE")) {
		send_text(peer->stream, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
	} else {
		send_text(peer->stream, "+OK\r\n");
	}
}

/* False: the peer is gone. */
static bool answer(struct peer *peer, const redisReply *command)
{
	struct slice words[WORDS_MAX];
	ck_assert_int_eq(command->type, REDIS_REPLY_ARRAY);
	ck_assert_uint_le(command->elements, WORDS_MAX);
	for (size_t i = 0; i < command->elements; i++)
		words[i] = (struct slice){command->element[i]->str, command->element[i]->len};
	const char *text = peer->fake->answer(peer->fake->context, peer->number, command->elements, words);
	if (!text)
		return true;
	if (strcmp(text, FAKE_CLOSE) == 0) {
		free_peer(peer);
		return false;
	}
	if (strcmp(text, FAKE_ORDINARY) == 0)
		answer_ordinarily(peer, command->elements, words);
	else
		send_text(peer->stream, text);
	return true;
}

static void on_bytes(struct bufferevent *stream, void *argument)
{
	struct peer *peer = argument;
	struct evbuffer *in = bufferevent_get_input(stream);
	size_t len = evbuffer_get_length(in);
	redisReaderFeed(peer->reader, (const char *)evbuffer_pullup(in, -1), len);
	evbuffer_drain(in, len);
	void *command = NULL;
	while (redisReaderGetReply(peer->reader, &command) == REDIS_OK && command) {
		bool is_there = answer(peer, command);
		freeReplyObject(command);
		if (!is_there)
			return;
	}
}

static void on_end(struct bufferevent *stream, short what, void *argument)
{
	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		free_peer(argument);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len,
                      void *argument)
{
	(void)address;
	(void)len;
	struct fake *fake = argument;
	struct peer *peer = calloc(1, sizeof *peer);
	peer->fake = fake;
	peer->number = ++fake->accepted;
	peer->reader = redisReaderCreate();
	peer->stream = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	list_append(&fake->peers, &peer->link);
	bufferevent_setcb(peer->stream, on_bytes, NULL, on_end, peer);
	bufferevent_enable(peer->stream, EV_READ | EV_WRITE);
}

struct fake *fake_start(struct event_base *base, fake_answer_fn *answer_with, void *context)
{
	struct fake *fake = calloc(1, sizeof *fake);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	ck_assert_ptr_nonnull(fake);
	*fake = (struct fake){.answer = answer_with, .context = context};
	list_init(&fake->peers);
	fake->listener = evconnlistener_new_bind(base, on_accept, fake, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
	                                         64, (struct sockaddr *)&address, sizeof address);
	ck_assert_ptr_nonnull(fake->listener);
	getsockname(evconnlistener_get_fd(fake->listener), (struct sockaddr *)&address, &len);
	fake->port = ntohs(address.sin_port);
	return fake;
}

void fake_free(struct fake *fake)
{
	LIST_FOREACH(&fake->peers, at, following)
	free_peer(LIST_ENTRY(at, struct peer, link));
	evconnlistener_free(fake->listener);
	free(fake);
}

uint16_t fake_port(const struct fake *fake)
{
	return fake->port;
}

unsigned fake_accepted(const struct fake *fake)
{
	return fake->accepted;
}
