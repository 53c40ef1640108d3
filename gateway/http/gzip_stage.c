#include "gateway/http/gzip_stage.h"

#include <stdlib.h>

#include "common/codec/gzip.h"
#include "gateway/http/responder.h"

/* A shorter body is in one packet anyway. */
#define BODY_BYTES_MIN 1024
#define KEEP_BYTES ((size_t)64 * 1024)

struct stage {
	struct responder responder;
	struct responder *inner;
	struct gzip *gzip; /* NULL: the answer goes as it is */
	struct buf packed;
};

static struct stage *stage_of(const struct responder *responder)
{
	return (struct stage *)(uintptr_t)responder;
}

static void drop_gzip(struct stage *stage)
{
	gzip_free(stage->gzip);
	stage->gzip = NULL;
}

static void begin(struct responder *responder, const struct response *response)
{
	struct stage *stage = stage_of(responder);
	struct response own = *response;
	if (response->status != 200)
		drop_gzip(stage);
	else
		own.varies_by_coding = true;
	if (stage->gzip) {
		own.is_gzip = true;
		own.length = RESPONSE_STREAMED;
	}
	stage->inner->ops->begin(stage->inner, &own);
}

static enum responder_result write_packed(struct stage *stage)
{
	if (!buf_has_failed(&stage->packed))
		return stage->inner->ops->write(stage->inner, buf_slice(&stage->packed));
	stage->inner->ops->cut(stage->inner, "out of memory");
	return RESPONDER_DEAD;
}

static enum responder_result write_piece(struct responder *responder, struct slice bytes)
{
	struct stage *stage = stage_of(responder);
	if (!stage->gzip)
		return stage->inner->ops->write(stage->inner, bytes);
	buf_shrink(&stage->packed, KEEP_BYTES);
	gzip_write(stage->gzip, bytes, &stage->packed);
	return write_packed(stage);
}

static bool is_clear(const struct responder *responder)
{
	const struct stage *stage = stage_of(responder);
	return stage->inner->ops->is_clear(stage->inner);
}

static void again(struct responder *responder)
{
	struct stage *stage = stage_of(responder);
	stage->inner->ops->again(stage->inner);
}

static void finish(struct responder *responder)
{
	struct stage *stage = stage_of(responder);
	buf_shrink(&stage->packed, KEEP_BYTES);
	if (stage->gzip)
		gzip_finish(stage->gzip, &stage->packed);
	if (!stage->gzip || write_packed(stage) != RESPONDER_DEAD)
		stage->inner->ops->finish(stage->inner);
}

static void cut(struct responder *responder, const char *why)
{
	struct stage *stage = stage_of(responder);
	stage->inner->ops->cut(stage->inner, why);
}

static struct port_delivery delivery(const struct responder *responder)
{
	const struct stage *stage = stage_of(responder);
	return stage->inner->ops->delivery(stage->inner);
}

static const struct responder_ops stage_ops = {
	.begin = begin,
	.write = write_piece,
	.is_clear = is_clear,
	.again = again,
	.finish = finish,
	.cut = cut,
	.delivery = delivery,
};

struct responder *gzip_stage_open(struct responder *responder)
{
	if (responder->coding == RESPONDER_CODING_NONE)
		return responder;
	struct stage *stage = calloc(1, sizeof *stage);
	if (!stage)
		return responder;
	stage->responder = *responder;
	stage->responder.ops = &stage_ops;
	stage->inner = responder;
	buf_init(&stage->packed);
	if (responder->coding == RESPONDER_CODING_GZIP)
		stage->gzip = gzip_new(GZIP_LEVEL);
	return &stage->responder;
}

void gzip_stage_close(struct responder *responder)
{
	struct stage *stage = stage_of(responder);
	if (responder->ops != &stage_ops)
		return;
	drop_gzip(stage);
	buf_fini(&stage->packed);
	free(stage);
}

struct slice gzip_whole(const struct responder *responder, struct response *response, struct slice body, struct buf *packed)
{
	if (response->status != 200 || !body.len || responder->ops == &stage_ops || responder->coding == RESPONDER_CODING_NONE)
		return body;
	response->varies_by_coding = true;
	if (responder->coding != RESPONDER_CODING_GZIP || body.len < BODY_BYTES_MIN)
		return body;
	struct gzip *gzip = gzip_new(GZIP_LEVEL);
	if (!gzip)
		return body;
	gzip_write(gzip, body, packed);
	gzip_finish(gzip, packed);
	gzip_free(gzip);
	if (buf_has_failed(packed) || packed->len >= body.len)
		return body;
	response->is_gzip = true;
	response->length = packed->len;
	return buf_slice(packed);
}
