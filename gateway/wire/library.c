#include "gateway/wire/library.h"

#include "gateway/wire/compression.h"

/* An idle connection holds a receive buffer of this size; longer messages come in pieces. */
#define RECEIVE_BYTES 256
/* One write is not cut below this; without it the receive buffer's size would be the limit. */
#define SEND_BYTES (1 << 20)
/* The heads that the library parses are written by the gateway itself (websocket.c) and short. */
#define HEAD_BYTES 1024

struct lws_context *library_open(uv_loop_t *loop, lws_callback_function *callback, void *owner)
{
	/* All zero: no pings of the library's own, the session has its heartbeat. */
	static const lws_retry_bo_t no_keepalive;
	/* UTF-8 is looked at where whole messages are (websocket.c): the library would look at compressed ones. */
	void *loops[] = {loop};
	const struct lws_protocols protocols[] = {
		{.name = "tracegate",
		 .callback = callback,
		 .rx_buffer_size = RECEIVE_BYTES,
		 .tx_packet_size = SEND_BYTES},
		{0},
	};
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.options = LWS_SERVER_OPTION_LIBUV,
		.foreign_loops = loops,
		.protocols = protocols,
		.extensions = compression_extensions,
		.user = owner,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
		.max_http_header_data = HEAD_BYTES,
		.retry_and_idle_policy = &no_keepalive,
	};
	/* It writes its lines into one buffer for all threads; and what it calls an error is mostly a peer that left. */
	lws_set_log_level(0, NULL);
	return lws_create_context(&info);
}

void library_close_begin(struct lws_context *context)
{
	lws_context_destroy(context);
}

void library_close_end(struct lws_context *context)
{
	lws_context_destroy(context);
}
