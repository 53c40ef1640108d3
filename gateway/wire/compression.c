#include "gateway/wire/compression.h"

#include "gateway/wire/websocket.h"

#define KEEP_BYTES ((size_t)128 * 1024)

/* The library asks for the options that it may answer with, and answers with each that the offer has (libwebsockets 4.1,
 * lib/roles/ws/server-ws.c): ours is one option, the whole text that was decided. All that is sent and received passes. */
static int on_extension(struct lws_context *context, const struct lws_extension *extension, struct lws *wsi,
			enum lws_extension_callback_reasons reason, void *user, void *in, size_t len)
{
	const struct websockets *websockets = lws_context_user(context);
	(void)extension, (void)wsi, (void)user, (void)len;
	if (reason == LWS_EXT_CB_CONSTRUCT)
		*(const struct lws_ext_options **)in = websockets->compression.terms;
	return 0;
}

const struct lws_extension compression_extensions[] = {
	{.name = "permessage-deflate", .callback = on_extension},
	{0},
};

void compression_init(struct compression *compression)
{
	*compression = (struct compression){.inflater = NULL};
	buf_init(&compression->message);
}

void compression_fini(struct compression *compression)
{
	inflater_free(compression->inflater);
	buf_fini(&compression->message);
}

void compression_agree(struct compression *compression, const char *parameters)
{
	compression->terms[0] = (struct lws_ext_options){.name = parameters, .type = EXTARG_NONE};
}

size_t compression_bound(size_t message_bytes_max)
{
	return message_bytes_max + message_bytes_max / 64 + 64;
}

enum err compression_read(struct compression *compression, struct slice compressed, size_t limit, struct slice *ret_message)
{
	if (!compression->inflater)
		compression->inflater = inflater_new();
	if (!compression->inflater)
		return ERR_NOMEM;
	buf_shrink(&compression->message, KEEP_BYTES);
	enum err error = inflater_run(compression->inflater, compressed, limit, &compression->message);
	if (error == OK)
		*ret_message = buf_slice(&compression->message);
	return error;
}
