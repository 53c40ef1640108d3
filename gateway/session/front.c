#include "gateway/session/front.h"

#include "common/codec/deflate.h"
#include "common/codec/sse.h"
#include "common/codec/wsframe.h"

static size_t text_frame_header(uint8_t *ret_header, uint64_t payload_len)
{
	return wsframe_header(ret_header, WSFRAME_TEXT, payload_len);
}

static size_t binary_frame_header(uint8_t *ret_header, uint64_t payload_len)
{
	return wsframe_header(ret_header, WSFRAME_BINARY, payload_len);
}

/* Holds a byte, because libwebsockets does not report the pong of an empty ping (4.1, lib/roles/ws/ops-ws.c). */
static size_t ping_frame(uint8_t *ret_frame)
{
	size_t len = wsframe_header(ret_frame, WSFRAME_PING, 1);
	ret_frame[len] = 't';
	return len + 1;
}

#define JSON_FRONT(bits)                                                                                                       \
	{.name = "tracegate.v1.json", .codec = &codec_json, .frame_header = text_frame_header, .ping = ping_frame, .deflate_bits = (bits)}
#define MSGPACK_FRONT(bits)                                                                                                    \
	{.name = "tracegate.v1.msgpack",                                                                                       \
	 .codec = &codec_msgpack,                                                                                              \
	 .frame_header = binary_frame_header,                                                                                  \
	 .ping = ping_frame,                                                                                                   \
	 .deflate_bits = (bits)}
#define FOR_EACH_WINDOW(front) {front(9), front(10), front(11), front(12), front(13), front(14), front(15)}
#define WINDOWS (DEFLATE_BITS_MAX - DEFLATE_BITS_MIN + 1)

const struct front front_json = JSON_FRONT(0);
const struct front front_msgpack = MSGPACK_FRONT(0);
static const struct front json_deflated[WINDOWS] = FOR_EACH_WINDOW(JSON_FRONT);
static const struct front msgpack_deflated[WINDOWS] = FOR_EACH_WINDOW(MSGPACK_FRONT);

static const struct front *const front_all[] = {&front_json, &front_msgpack};

const struct front *front_deflated(const struct front *front, unsigned bits)
{
	if (bits < DEFLATE_BITS_MIN || bits > DEFLATE_BITS_MAX)
		return front;
	return front == &front_msgpack ? &msgpack_deflated[bits - DEFLATE_BITS_MIN] : &json_deflated[bits - DEFLATE_BITS_MIN];
}

const struct front *front_find(struct slice subprotocol)
{
	for (size_t i = 0; i < sizeof front_all / sizeof front_all[0]; i++)
		if (slice_is(subprotocol, front_all[i]->name))
			return front_all[i];
	return NULL;
}

static size_t no_header(uint8_t *ret_header, uint64_t payload_len)
{
	(void)ret_header;
	(void)payload_len;
	return 0;
}

static size_t comment(uint8_t *ret_frame)
{
	memcpy(ret_frame, SSE_COMMENT, sizeof SSE_COMMENT - 1);
	return sizeof SSE_COMMENT - 1;
}

const struct front front_sse = {
	.name = "sse",
	.codec = &codec_sse,
	.frame_header = no_header,
	.ping = comment,
	.event = sse_event,
	.cursor = sse_cursor,
	.is_one_way = true,
};
