/* Pieces of MessagePack for those in this room that copy the text themselves; private to it. */
#ifndef COMMON_CODEC_MSGPACK_WRITE_H
#define COMMON_CODEC_MSGPACK_WRITE_H

#include "common/codec/msgpack.h"

void msgpack_append_nil(struct buf *out);
void msgpack_append_bool(struct buf *out, bool boolean);
void msgpack_append_string_head(struct buf *out, size_t len); /* so many bytes of UTF-8 follow */
void msgpack_append_bytes(struct buf *out, struct slice bytes); /* a bin */

#endif
