/* A line holds what waits for its turn, fairly: each asker has a lane of its own, in order, and the lanes take turns. Items
 * are embedded in what waits; lanes stay for the line's life, so askers should be few (the workers of a node). Owned by one
 * thread. */
#ifndef GATEWAY_HISTORY_LINE_H
#define GATEWAY_HISTORY_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/list.h"

struct lane;

struct line {
	struct list lanes; /* the next to be asked first */
	size_t count;      /* items in all lanes */
};

struct line_item {
	struct list link;
	struct lane *lane; /* NULL: in no line */
};

void line_init(struct line *line);
void line_fini(struct line *line); /* forgets what is left */

/* The item must be in no line. ERR_NOMEM. */
enum err line_join(struct line *line, const void *asker, struct line_item *item) MUST_USE;
/* Before all others of its asker: it has waited already. */
enum err line_rejoin(struct line *line, const void *asker, struct line_item *item) MUST_USE;
void line_leave(struct line *line, struct line_item *item); /* harmless when it is in no line */
struct line_item *line_next(struct line *line);             /* takes it out; NULL: nobody waits */

/* Walks all items, in no order that matters. visit may take its item out of the line. */
void line_each(struct line *line, void (*visit)(struct line_item *item, void *context), void *context);

#endif
