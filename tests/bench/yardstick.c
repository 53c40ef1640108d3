/* The yardstick: what a gateway's speed is measured against. A bare epoll server that takes events from Redis by
 * PSUBSCRIBE and sends the same frames as the gateway with one send() for each client and batch. It parses no JSON,
 * checks no handshake, limits nothing and pings nobody.
 *
 *   yardstick PORT REDIS_PORT each    one frame an event
 *   yardstick PORT REDIS_PORT batch   one frame for all that is there in the socket from Redis
 *
 * A client's first message that holds "session":["NAME"] wants channels "...:NAME" only, any other everything; it is
 * answered like a subscribe. Prints "ready" when Redis has subscribed; SIGTERM ends it. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/bench/fanout.h"
#include "tests/bench/net.h"
#include "tests/bench/resp.h"

#define INPUT_MAX ((size_t)1 << 20)
#define MESSAGE_MAX 8192 /* of a client */
#define TURN_EVENTS 512

static const char patterns[] =
    "*5\r\n$10\r\nPSUBSCRIBE\r\n$7\r\ntrace:*\r\n$7\r\nagent:*\r\n$7\r\nswarm:*\r\n$13\r\nperformance:*\r\n";
#define PATTERN_COUNT 4

struct yardstick {
	struct fanout fanout;
	int epoll_fd, listen_fd, redis_fd;
	bool joins_events; /* mode "batch" */
	unsigned subscribed;
	char *input; /* from Redis */
	size_t input_len;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void watch_readable(int epoll_fd, int fd, void *owner)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void accept_clients(struct yardstick *yardstick)
{
	int fd;
	while ((fd = accept4(yardstick->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *client = must(calloc(1, sizeof *client));
		client->fd = fd;
		net_set_nodelay(fd);
		watch_readable(yardstick->epoll_fd, fd, client);
	}
}

static void send_text(struct fanout *fanout, struct client *client, struct slice text)
{
	char frame[NET_HEADER_MAX + 128];
	size_t header_len = net_frame_header(frame, NET_OP_TEXT, false, text.len);
	memcpy(frame + header_len, text.ptr, text.len);
	client_send(fanout, client, frame, header_len + text.len);
}

static void upgrade(struct fanout *fanout, struct client *client)
{
	/* Nobody checks the key here. */
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
	client->is_upgraded = true;
	client_send(fanout, client, answer, sizeof answer - 1);
}

/* The first message subscribes; what comes later is not looked at. */
static void subscribe(struct fanout *fanout, struct client *client, char *bytes, size_t len)
{
	static const char key[] = "\"session\":[\"";
	struct net_frame frame;
	if (client->group || !net_frame_read(bytes, len, &frame) || frame.op != NET_OP_TEXT)
		return;
	char *text = bytes + frame.header_len;
	size_t text_len = len - frame.header_len;
	for (size_t i = 0; frame.masked && i < text_len; i++)
		text[i] = (char)(text[i] ^ frame.mask[i % 4]);
	struct slice session = SLICE_NONE;
	char *found = memmem(text, text_len, key, sizeof key - 1);
	if (found) {
		session.ptr = found + sizeof key - 1;
		const char *quote = memchr(session.ptr, '"', text_len - (size_t)(session.ptr - text));
		session.len = quote ? (size_t)(quote - session.ptr) : 0;
	}
	fanout_join(fanout, client, session);
	send_text(fanout, client, SLICE_LITERAL("{\"id\":1,\"ok\":{\"sub\":\"0123456789abcdef\"}}"));
}

static void read_client(struct fanout *fanout, struct client *client)
{
	char bytes[MESSAGE_MAX];
	ssize_t got = recv(client->fd, bytes, sizeof bytes, 0);
	if (got > 0 && !client->is_upgraded)
		upgrade(fanout, client);
	else if (got > 0)
		subscribe(fanout, client, bytes, (size_t)got);
	else if (got == 0 || errno != EAGAIN)
		client_kill(fanout, client);
}

static void take_push(struct yardstick *yardstick, const struct resp_array *push, struct slice ts_digits)
{
	if (push->count == 4) {
		fanout_event(&yardstick->fanout, push->items[2], push->items[3], ts_digits);
		if (!yardstick->joins_events)
			fanout_flush(&yardstick->fanout);
	} else if (++yardstick->subscribed == PATTERN_COUNT) {
		puts("ready");
		fflush(stdout);
	}
}

static void take_input(struct yardstick *yardstick)
{
	char digits[24];
	struct slice ts = {digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, clock_wall_ms())};
	size_t used = 0;
	struct resp_array push;
	while (resp_read((struct slice){yardstick->input + used, yardstick->input_len - used}, &push)) {
		take_push(yardstick, &push, ts);
		used += push.len;
	}
	fanout_flush(&yardstick->fanout);
	yardstick->input_len -= used;
	memmove(yardstick->input, yardstick->input + used, yardstick->input_len);
	if (yardstick->input_len == INPUT_MAX)
		die("an event does not fit");
}

static void read_redis(struct yardstick *yardstick)
{
	ssize_t got;
	do {
		got = recv(yardstick->redis_fd, yardstick->input + yardstick->input_len,
		           INPUT_MAX - yardstick->input_len, 0);
		if (got == 0)
			die("Redis has closed the connection");
		if (got > 0)
			yardstick->input_len += (size_t)got;
	} while (got > 0 && yardstick->input_len < INPUT_MAX);
	take_input(yardstick);
}

static void serve(struct yardstick *yardstick)
{
	struct epoll_event events[TURN_EVENTS];
	int count = epoll_wait(yardstick->epoll_fd, events, TURN_EVENTS, -1);
	for (int i = 0; i < count; i++) {
		void *owner = events[i].data.ptr;
		struct client *client = owner;
		if (owner == &yardstick->listen_fd) {
			accept_clients(yardstick);
		} else if (owner == &yardstick->redis_fd) {
			read_redis(yardstick);
		} else if (!client->is_dead) {
			if (events[i].events & EPOLLOUT)
				client_writable(&yardstick->fanout, client);
			if (!client->is_dead && events[i].events & ~(uint32_t)EPOLLOUT)
				read_client(&yardstick->fanout, client);
		}
	}
	fanout_bury(&yardstick->fanout);
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

int main(int argc, char **argv)
{
	static struct yardstick yardstick;
	if (argc != 4 || (strcmp(argv[3], "each") != 0 && strcmp(argv[3], "batch") != 0)) {
		fprintf(stderr, "usage: yardstick PORT REDIS_PORT each|batch\n");
		return 2;
	}
	catch_signals();
	yardstick.joins_events = strcmp(argv[3], "batch") == 0;
	yardstick.input = must(malloc(INPUT_MAX));
	yardstick.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (yardstick.epoll_fd < 0)
		die("epoll_create1");
	fanout_init(&yardstick.fanout, yardstick.epoll_fd);
	yardstick.listen_fd = net_listen((uint16_t)strtoul(argv[1], NULL, 10));
	yardstick.redis_fd = net_connect((uint16_t)strtoul(argv[2], NULL, 10));
	net_send_all(yardstick.redis_fd, patterns, sizeof patterns - 1);
	net_set_nonblocking(yardstick.redis_fd);
	watch_readable(yardstick.epoll_fd, yardstick.listen_fd, &yardstick.listen_fd);
	watch_readable(yardstick.epoll_fd, yardstick.redis_fd, &yardstick.redis_fd);
	while (!stopping)
		serve(&yardstick);
	if (yardstick.fanout.dropped)
		fprintf(stderr, "yardstick: dropped %" PRIu64 " clients that were too slow\n",
		        yardstick.fanout.dropped);
	return 0;
}
