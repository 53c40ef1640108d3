#define _GNU_SOURCE
#include "tests/bench/clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/bench/net.h"
#include "tests/bench/publisher.h"

#define SCRATCH_BYTES ((size_t)8 << 20)
#define READ_BYTES ((size_t)256 << 10)
#define PEEK_BYTES 256  /* enough for the head of a frame whose rest is thrown away */
#define SKIP_WORTH 4096 /* frames from this length on are not read by clients that nobody watches */
#define TURN_EVENTS 512
#define CONNECTING_MAX 256
#define CLIENTS_PER_ADDRESS 8000
#define OPEN_TIMEOUT_NS (120 * NS_PER_S)

static const char events_start[] = "{\"op\":\"events\"";
static const char list_start[] = "\"events\":[";

static void complain(struct clients *clients, const char *what, const char *text, size_t len)
{
	if (clients->broken++ == 0)
		fprintf(stderr, "load: %s %.*s\n", what, (int)(len < 200 ? len : 200), text);
}

static void watch(struct clients *clients, struct client *client, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = client};
	if (epoll_ctl(clients->epoll_fd, operation, client->fd, &event) < 0)
		die("epoll_ctl");
}

void clients_init(struct clients *clients, uint16_t port, size_t count, size_t watched)
{
	struct epoll_event timer = {.events = EPOLLIN};
	*clients = (struct clients){.count = count, .port = port};
	clients->all = must(calloc(count ? count : 1, sizeof *clients->all));
	for (size_t i = 0; i < count; i++)
		clients->all[i].is_watched = i * watched / count != (i + 1) * watched / count;
	clients->scratch = must(malloc(SCRATCH_BYTES));
	clients->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	clients->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (clients->epoll_fd < 0 || clients->timer_fd < 0)
		die("epoll, timerfd");
	if (epoll_ctl(clients->epoll_fd, EPOLL_CTL_ADD, clients->timer_fd, &timer) < 0)
		die("epoll_ctl");
}

static void lose_client(struct clients *clients, struct client *client, const char *why)
{
	complain(clients, "connection lost:", why, strlen(why));
	client->state = CLIENT_CLOSED;
	client->rest_len = 0;
	close(client->fd);
}

static void send_frame(struct clients *clients, struct client *client, uint8_t op, const char *payload, size_t len)
{
	char frame[NET_HEADER_MAX + 4096];
	size_t header_len = net_frame_header(frame, op, true, len);
	if (len > sizeof frame - NET_HEADER_MAX)
		die("message too long");
	memcpy(frame + header_len, payload, len);
	if (send(client->fd, frame, header_len + len, MSG_NOSIGNAL) != (ssize_t)(header_len + len))
		lose_client(clients, client, "a message could not be sent");
}

void clients_say(struct clients *clients, size_t number, const char *text)
{
	send_frame(clients, &clients->all[number], NET_OP_TEXT, text, strlen(text));
}

static uint64_t take_digits(const char *at, size_t count)
{
	uint64_t number = 0;
	for (size_t i = 0; i < count; i++)
		number = number * 10 + (uint64_t)(at[i] - '0');
	return number;
}

/* Learns from a message with one event where things are. */
static bool learn_shape(struct clients *clients, struct client *client, const char *text, size_t len)
{
	const char *list = memmem(text, len, list_start, sizeof list_start - 1);
	const char *mark = memmem(text, len, PUBLISHER_MARK, sizeof PUBLISHER_MARK - 1);
	if (!list || !mark || text[len - 1] != '}' || text[len - 2] != ']') {
		complain(clients, "not an events message:", text, len);
		return false;
	}
	client->single_len = (uint32_t)len;
	client->element_len = (uint32_t)(len - (size_t)(list - text) - sizeof list_start + 1 - 2);
	client->mark_at = (uint32_t)(mark - text);
	client->has_shape = true;
	clients->shaped++;
	return true;
}

static void check_event(struct clients *clients, struct client *client, const char *mark, uint64_t now_ns,
                        uint64_t number)
{
	const char *stamp = mark + sizeof PUBLISHER_MARK - 1;
	const char *digits = stamp + PUBLISHER_STAMP_DIGITS + sizeof PUBLISHER_NUMBER - 1;
	if (memcmp(mark, PUBLISHER_MARK, sizeof PUBLISHER_MARK - 1) != 0) {
		complain(clients, "no mark where one should be:", mark, client->element_len);
		return;
	}
	uint64_t sent_ns = take_digits(stamp, PUBLISHER_STAMP_DIGITS);
	if (take_digits(digits, PUBLISHER_NUMBER_DIGITS) != number)
		complain(clients, "missing or out of order:", mark, client->element_len);
	if (sent_ns >= clients->latency_from_ns && sent_ns < clients->latency_to_ns)
		histogram_add(&clients->latency, now_ns - sent_ns);
}

static void take_events(struct clients *clients, struct client *client, const char *text, size_t seen, uint64_t len)
{
	if (!client->has_shape && !learn_shape(clients, client, text, len))
		return;
	uint64_t more = len - client->single_len, step = client->element_len + 1;
	if (len < client->single_len || more % step) {
		complain(clients, "a frame of impossible length:", text, seen);
		return;
	}
	uint64_t count = more / step + 1;
	if (client->is_watched) {
		uint64_t now_ns = clock_mono_ns();
		for (uint64_t i = 0; i < count; i++)
			check_event(clients, client, text + client->mark_at + i * step, now_ns, client->events + i);
	}
	client->events += count;
	clients->deliveries += count;
}

static bool starts_with(const char *text, size_t len, const char *start)
{
	return len >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

static void take_text(struct clients *clients, struct client *client, const char *text, size_t seen, uint64_t len)
{
	if (starts_with(text, seen, events_start)) {
		take_events(clients, client, text, seen, len);
	} else if (starts_with(text, seen, "{\"op\":\"gap\"")) {
		complain(clients, "a gap:", text, seen);
	} else if (starts_with(text, seen, "{\"id\"")) {
		client->replies++;
		clients->replies++;
		if (memmem(text, seen, "\"error\"", 7))
			complain(clients, "refused:", text, seen);
	}
}

/* payload has seen of the frame's bytes: all of them, or at least the start of an events message. */
static void take_frame(struct clients *clients, struct client *client, const struct net_frame *frame,
                       const char *payload, size_t seen)
{
	client->last_len = frame->payload_len;
	if (frame->op == NET_OP_TEXT)
		take_text(clients, client, payload, seen, frame->payload_len);
	else if (frame->op == NET_OP_PING)
		send_frame(clients, client, NET_OP_PONG, payload, seen);
	else if (frame->op == NET_OP_CLOSE)
		lose_client(clients, client, seen > 2 ? "closed by the server, with a reason" : "closed by the server");
}

static bool may_skip(const struct client *client, const struct net_frame *frame, const char *payload, size_t seen)
{
	return !client->is_watched && client->has_shape && frame->payload_len >= SKIP_WORTH &&
	       starts_with(payload, seen, events_start);
}

/* Gives how many bytes it took. */
static size_t take_frames(struct clients *clients, struct client *client, const char *bytes, size_t len)
{
	size_t at = 0;
	struct net_frame frame;
	while (client->state == CLIENT_OPEN && net_frame_read(bytes + at, len - at, &frame)) {
		const char *payload = bytes + at + frame.header_len;
		size_t seen = len - at - frame.header_len;
		bool is_whole = seen >= frame.payload_len;
		if (!is_whole && !may_skip(client, &frame, payload, seen))
			break;
		if (is_whole)
			seen = (size_t)frame.payload_len;
		take_frame(clients, client, &frame, payload, seen);
		client->skip = frame.payload_len - seen;
		at += frame.header_len + seen;
	}
	return at;
}

/* Gives how many bytes it took: the whole head of the answer, or none. */
static size_t take_upgrade(struct clients *clients, struct client *client, const char *bytes, size_t len)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);
	if (!end)
		return 0;
	if (!starts_with(bytes, len, "HTTP/1.1 101 ")) {
		fprintf(stderr, "%.*s\n", (int)len, bytes);
		lose_client(clients, client, "the upgrade was refused");
		return len;
	}
	client->state = CLIENT_OPEN;
	clients->open++;
	return (size_t)(end + 4 - bytes);
}

static void keep_rest(struct client *client, const char *bytes, size_t len)
{
	client->rest_len = len;
	if (!len) {
		free(client->rest);
		client->rest = NULL;
		client->rest_capacity = 0;
		return;
	}
	if (len > client->rest_capacity) {
		client->rest_capacity = 2 * len;
		client->rest = must(realloc(client->rest, client->rest_capacity));
	}
	memcpy(client->rest, bytes, len);
}

/* Throws bytes away without copying them (tcp(7), MSG_TRUNC). */
static void skip_bytes(struct clients *clients, struct client *client)
{
	ssize_t got = recv(client->fd, clients->scratch, client->skip, MSG_TRUNC);
	if (got > 0)
		client->skip -= (uint64_t)got;
	else if (got == 0 || errno != EAGAIN)
		lose_client(clients, client, "closed while a frame was read");
}

static void read_client(struct clients *clients, struct client *client)
{
	if (client->skip)
		skip_bytes(clients, client);
	if (client->skip || client->state == CLIENT_CLOSED)
		return;
	bool peeks = !client->is_watched && client->last_len >= SKIP_WORTH;
	size_t kept = client->rest_len;
	if (kept + READ_BYTES > SCRATCH_BYTES)
		die("a frame is too long");
	if (kept)
		memcpy(clients->scratch, client->rest, kept);
	ssize_t got = recv(client->fd, clients->scratch + kept, peeks ? PEEK_BYTES : READ_BYTES, 0);
	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			lose_client(clients, client, "closed by the server without a word");
		return;
	}
	size_t len = kept + (size_t)got, at = 0;
	if (client->state == CLIENT_UPGRADING)
		at = take_upgrade(clients, client, clients->scratch, len);
	at += take_frames(clients, client, clients->scratch + at, len - at);
	keep_rest(client, clients->scratch + at, client->state == CLIENT_CLOSED ? 0 : len - at);
	if (client->skip)
		skip_bytes(clients, client);
}

static void ask_upgrade(struct clients *clients, struct client *client)
{
	static char request[4096];
	int len = snprintf(request, sizeof request,
	                   "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
	                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	                   "Sec-WebSocket-Protocol: tracegate.v1.json\r\n%s%s%s\r\n",
	                   clients->tokens ? "Authorization: Bearer " : "",
	                   clients->tokens ? clients->tokens[client - clients->all] : "", clients->tokens ? "\r\n" : "");
	client->state = CLIENT_UPGRADING;
	watch(clients, client, EPOLL_CTL_MOD, EPOLLIN);
	if (len >= (int)sizeof request || send(client->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		die("the server does not take connections");
}

void clients_rest(struct clients *clients, uint64_t period_ns)
{
	bool was_resting = clients->rest_ns != 0;
	clients->rest_ns = period_ns;
	clients->rest_from_ns = clock_mono_ns();
	clients->rest_reads = 0;
	for (size_t i = 0; i < clients->count && was_resting != (period_ns != 0); i++) {
		struct client *client = &clients->all[i];
		if (!client->is_watched && client->state != CLIENT_CLOSED)
			watch(clients, client, period_ns ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, EPOLLIN);
	}
}

/* Those whose turn has come. */
static void read_resting(struct clients *clients)
{
	double passed_ns = (double)(clock_mono_ns() - clients->rest_from_ns);
	uint64_t due = (uint64_t)(passed_ns * (double)clients->count / (double)clients->rest_ns);
	for (; clients->rest_reads < due; clients->rest_reads++) {
		struct client *client = &clients->all[clients->rest_reads % clients->count];
		if (!client->is_watched && client->state != CLIENT_CLOSED)
			read_client(clients, client);
	}
}

void clients_turn(struct clients *clients, int timeout_ms)
{
	if (clients->rest_ns)
		read_resting(clients);
	struct epoll_event events[TURN_EVENTS];
	int count = epoll_wait(clients->epoll_fd, events, TURN_EVENTS, timeout_ms);
	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;
		uint64_t ticks;
		if (!client) {
			if (read(clients->timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
				die("timerfd");
		} else if (client->state == CLIENT_CONNECTING) {
			ask_upgrade(clients, client);
		} else if (client->state != CLIENT_CLOSED) {
			read_client(clients, client);
		}
	}
}

void clients_open(struct clients *clients)
{
	uint64_t deadline_ns = clock_mono_ns() + OPEN_TIMEOUT_NS;
	while (clients->open < clients->count) {
		while (clients->started < clients->count && clients->started - clients->open < CONNECTING_MAX) {
			uint32_t number = (uint32_t)clients->started++;
			struct client *client = &clients->all[number];
			client->fd = net_connect_start(clients->port, number / CLIENTS_PER_ADDRESS);
			watch(clients, client, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
		}
		clients_turn(clients, 100);
		errno = 0;
		if (clients->broken || clock_mono_ns() > deadline_ns)
			die("only %zu of %zu clients could connect", clients->open, clients->count);
	}
}

void clients_await_replies(struct clients *clients, uint64_t count)
{
	uint64_t deadline_ns = clock_mono_ns() + OPEN_TIMEOUT_NS;
	while (clients->replies < count) {
		clients_turn(clients, 100);
		errno = 0;
		if (clients->broken || clock_mono_ns() > deadline_ns)
			die("not all subscriptions were answered");
	}
}

void clients_tick(struct clients *clients, uint64_t period_ns)
{
	struct timespec period = {.tv_sec = (time_t)(period_ns / NS_PER_S), .tv_nsec = (long)(period_ns % NS_PER_S)};
	struct itimerspec timer = {.it_interval = period, .it_value = period};
	if (timerfd_settime(clients->timer_fd, 0, &timer, NULL) < 0)
		die("timerfd");
}

void clients_close(struct clients *clients)
{
	for (size_t i = 0; i < clients->started; i++) {
		if (clients->all[i].state != CLIENT_CLOSED)
			close(clients->all[i].fd);
		free(clients->all[i].rest);
	}
	close(clients->epoll_fd);
	close(clients->timer_fd);
	free(clients->all);
	free(clients->scratch);
}
