/* A farewell: a socket whose last words were sent is not closed while its peer still sends, because the kernel would
 * then answer with a reset that can overtake those words (RFC 9112 section 9.6). Its write side is shut, what still
 * comes is read and thrown away until the peer closes, too much came or the time is up. Owned by one loop, touched on
 * its thread. */
#ifndef GATEWAY_WIRE_FAREWELL_H
#define GATEWAY_WIRE_FAREWELL_H

#include <stddef.h>
#include <uv.h>

#include "common/base/list.h"
#include "common/base/slice.h"
#include "gateway/wire/deadlines.h"

struct farewell {
	uv_loop_t *loop;
	struct list sockets;
	size_t count;
	struct deadlines deadlines;
};

void farewell_init(struct farewell *farewell, uv_loop_t *loop);
void farewell_close(struct farewell *farewell); /* closes all; its memory is free to go after the loop ran once more */

/* Owns the descriptor from now on, and no other watcher of the loop may have it. Sends the words as far as the kernel
 * takes them at once. */
void farewell_take(struct farewell *farewell, int fd, struct slice words);

#endif
