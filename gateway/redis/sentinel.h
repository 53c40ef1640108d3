/* One question to the sentinels: where is the primary now? They are asked in turn, from `first` on, until one knows.
 * They get the credentials of the url only when they ask for some. Owned by one loop; done is called exactly once, unless
 * sentinel_free came first, and may free the question. */
#ifndef GATEWAY_REDIS_SENTINEL_H
#define GATEWAY_REDIS_SENTINEL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "gateway/redis/url.h"

struct event_base;
struct sentinel;

struct sentinel_settings {
	const struct url *url; /* borrowed */
	uint64_t timeout_ns;   /* for each sentinel */
	size_t first;          /* index of the one to ask first */
};

/* primary: borrowed for the call; NULL: why says what the last one said. index: of the one that answered. */
typedef void sentinel_done_fn(void *context, const struct place *primary, size_t index, const char *why);

enum err sentinel_start(struct event_base *base, const struct sentinel_settings *settings, sentinel_done_fn *done,
			void *context, struct sentinel **ret_sentinel) MUST_USE; /* ERR_NOMEM */
void sentinel_free(struct sentinel *sentinel);                                  /* NULL is fine */

#endif
