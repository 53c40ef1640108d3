/* A listener takes new sockets off one listening socket and hands them on, made ready: non-blocking, no delay, dead
 * peers found by the kernel. It keeps the process alive when descriptors run out: some are spared for the rest of the
 * node, what is above is closed at once, and then it rests a little. Owned by one loop, touched on its thread. */
#ifndef GATEWAY_WIRE_LISTENER_H
#define GATEWAY_WIRE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "common/base/err.h"
#include "common/base/slice.h"

/* Descriptors from here on are spared for the rest of the node. */
int listener_descriptors_end(void);

/* Owns the descriptor from now on. */
typedef void listener_accepted(void *context, int fd, const struct sockaddr *peer);

struct listener {
	uv_poll_t poll;
	uv_timer_t rest;
	int fd, reserve_fd;  /* -1: none */
	int descriptors_end; /* descriptors from here on are spared */
	uint16_t port;
	uint64_t warned_ms; /* when the want of descriptors was logged last; 0: never */
	listener_accepted *accepted;
	void *context;
};

/* As address_listen(). */
enum err listener_open(struct listener *listener, uv_loop_t *loop, struct slice address, bool joins,
		       listener_accepted *accepted, void *context, char ret_why[256]) MUST_USE;
void listener_drain(struct listener *listener); /* takes all that is queued in the kernel */
/* Once or more; its memory is free to go after the loop ran once more. */
void listener_close(struct listener *listener);

#endif
