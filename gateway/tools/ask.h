/* One request at a time to whatever node answers first: what history, publish and ping have in common. It gives up when all
 * nodes have failed in turn; a few times in turn where one was there before. */
#ifndef GATEWAY_TOOLS_ASK_H
#define GATEWAY_TOOLS_ASK_H

#include <stdint.h>

#include "gateway/tools/commands.h"

struct ask {
	const struct arguments *arguments;
	struct tgc_client *client;
	struct credential credential;
	void *context;
	void (*write)(struct ask *ask, struct buf *out);                       /* the request that is due */
	void (*on_reply)(struct ask *ask, const struct tgc_reply *reply);      /* calls ask_end or ask_again in the end */
	uint64_t again_at_ms; /* monotonic: when the request is sent; UINT64_MAX: it waits for its reply */
	unsigned trials;      /* of a request, one after another */
	bool was_open, is_over, has_told;
	int status;
};

int ask_run(struct ask *ask); /* the exit status */
void ask_end(struct ask *ask, int status);
void ask_next(struct ask *ask); /* the next request, at once */
/* The same request again, on an error that time may heal; else, or too often: says it and ends. */
void ask_again(struct ask *ask, const struct tgc_reply *error);

#endif
