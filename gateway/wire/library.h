/* A libwebsockets context on a uv loop that is not its own, without sockets, signal handlers or extensions of its own:
 * connections come to it by adoption only. */
#ifndef GATEWAY_WIRE_LIBRARY_H
#define GATEWAY_WIRE_LIBRARY_H

#include <libwebsockets.h>
#include <uv.h>

/* callback serves all connections; owner is what lws_context_user() gives. NULL: the library could not start. */
struct lws_context *library_open(uv_loop_t *loop, lws_callback_function *callback, void *owner);
/* Destruction takes two steps with libuv (libwebsockets 4.1, lib/core/context.c): begin closes every connection and
 * starts closing the handles; when the loop has run until none is left, end frees. Neither inside of a callback of the
 * library. */
void library_close_begin(struct lws_context *context);
void library_close_end(struct lws_context *context);

#endif
