/* The last text of each channel of a subscription with deltas, which the next delta of that channel refers to. Bounded: beyond
 * bytes_max the one used longest ago is forgotten. Owned by its subscription. */
#ifndef COMMON_CLIENT_TEXTS_H
#define COMMON_CLIENT_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/list.h"
#include "common/base/slice.h"
#include "common/data/buf.h"
#include "common/data/table.h"

struct tgc_texts {
	struct table by_channel;
	struct list by_use; /* longest ago first */
	size_t bytes, bytes_max;
};

void tgc_texts_init(struct tgc_texts *texts, size_t bytes_max);
void tgc_texts_clear(struct tgc_texts *texts); /* what fini does too */

/* Borrowed until it is changed. False: there is none. */
bool tgc_texts_get(const struct tgc_texts *texts, struct slice channel, struct slice *ret_text);
/* Takes over the bytes of text, which is empty then. Without memory the channel has no text any more. */
void tgc_texts_put(struct tgc_texts *texts, struct slice channel, struct buf *text);

#endif
