/* permessage-deflate on the connections of one server. The library only negotiates it, in the words that were decided before
 * (gateway/http/deflate_offer.h), and lets its frames pass as they are; compressed messages are read here, one after the other
 * with the same memory. Touched only by the server's thread. */
#ifndef GATEWAY_WIRE_COMPRESSION_H
#define GATEWAY_WIRE_COMPRESSION_H

#include <libwebsockets.h>

#include "common/base/err.h"
#include "common/codec/deflate.h"
#include "common/data/buf.h"

struct compression {
	struct lws_ext_options terms[2]; /* what the library answers to the offer at hand, and the end of the list */
	struct inflater *inflater;       /* NULL until a compressed message came */
	struct buf message;              /* the last one */
};

/* The extensions for library_open(). */
extern const struct lws_extension compression_extensions[];

void compression_init(struct compression *compression);
void compression_fini(struct compression *compression);
/* What the library is to answer when the next connection offers the extension; lives until then. */
void compression_agree(struct compression *compression, const char *parameters);

/* A message may be this long when it is compressed: DEFLATE can add a little to what does not shrink. */
size_t compression_bound(size_t message_bytes_max);
/* Gives the message, valid until the next. ERR_LIMIT, ERR_INVALID, ERR_NOMEM. */
enum err compression_read(struct compression *compression, struct slice compressed, size_t limit, struct slice *ret_message) MUST_USE;

#endif
