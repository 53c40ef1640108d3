/* The load generator's WebSocket clients: many sockets, one thread, as little work for each event as can be, so that
 * the server is what is measured. All events have the same length, so a frame's length tells how many it holds: the
 * first frame of each client, which must hold one event, shows the shape. Watched clients read every byte, check
 * numbers and take latencies; the others let the kernel throw away what they need not see. */
#ifndef TESTS_BENCH_CLIENTS_H
#define TESTS_BENCH_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/histogram.h"

enum client_state { CLIENT_CONNECTING, CLIENT_UPGRADING, CLIENT_OPEN, CLIENT_CLOSED };

struct client {
	int fd;
	enum client_state state;
	bool is_watched;
	bool has_shape;
	uint32_t single_len, element_len, mark_at; /* the shape, in bytes: a message of one event, an event, its mark */
	uint32_t replies;                          /* answers to requests */
	uint64_t events;                           /* received */
	uint64_t skip;                             /* bytes of the current frame that nobody needs */
	uint64_t last_len;                         /* of the frame before */
	char *rest;                                /* an incomplete frame */
	size_t rest_len, rest_capacity;
};

struct clients {
	struct client *all;
	size_t count, started, open, shaped;
	uint16_t port;
	char **tokens; /* of each client, borrowed; NULL: they come without */
	int epoll_fd, timer_fd;
	char *scratch;
	uint64_t deliveries, replies;
	uint64_t broken; /* frames of impossible length, numbers out of order, error replies, connections lost, gaps */
	uint64_t rest_ns, rest_from_ns; /* unwatched clients are read once in this time, since then; 0: when something comes */
	uint64_t rest_reads;
	uint64_t latency_from_ns, latency_to_ns; /* events sent in this time count in latency */
	struct histogram latency;
};

void clients_init(struct clients *clients, uint16_t port, size_t count, size_t watched);
void clients_open(struct clients *clients);                                 /* until all are upgraded */
void clients_say(struct clients *clients, size_t number, const char *text); /* one text message */
void clients_await_replies(struct clients *clients, uint64_t count);        /* in all */
void clients_turn(struct clients *clients, int timeout_ms);                 /* waits once, reads what is there */
void clients_tick(struct clients *clients, uint64_t period_ns); /* turns end at least this often; 0: no more */
/* From now on unwatched clients are read once in period_ns, in turn, and what comes meanwhile waits in their sockets: thousands of
 * reads of one event each would cost the generator more than a server needs to send them. 0: when something comes. */
void clients_rest(struct clients *clients, uint64_t period_ns);
void clients_close(struct clients *clients);

#endif
