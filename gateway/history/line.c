#include "gateway/history/line.h"

#include <stdlib.h>

struct lane {
	struct list link; /* in line.lanes */
	const void *asker;
	struct list items;
};

void line_init(struct line *line)
{
	list_init(&line->lanes);
	line->count = 0;
}

void line_fini(struct line *line)
{
	LIST_FOREACH(&line->lanes, at, following)
	{
		struct lane *lane = LIST_ENTRY(at, struct lane, link);
		list_remove(&lane->link);
		free(lane);
	}
	line->count = 0;
}

static struct lane *lane_of(struct line *line, const void *asker)
{
	LIST_FOREACH(&line->lanes, at, following)
	{
		struct lane *lane = LIST_ENTRY(at, struct lane, link);
		if (lane->asker == asker)
			return lane;
	}
	struct lane *lane = calloc(1, sizeof *lane);
	if (!lane)
		return NULL;
	lane->asker = asker;
	list_init(&lane->items);
	list_append(&line->lanes, &lane->link);
	return lane;
}

/* Appending before the first is what putting in front is, in a ring. */
static enum err join(struct line *line, const void *asker, struct line_item *item, bool is_front)
{
	struct lane *lane = lane_of(line, asker);
	if (!lane)
		return ERR_NOMEM;
	list_append(is_front ? lane->items.next : &lane->items, &item->link);
	item->lane = lane;
	line->count++;
	return OK;
}

enum err line_join(struct line *line, const void *asker, struct line_item *item)
{
	return join(line, asker, item, false);
}

enum err line_rejoin(struct line *line, const void *asker, struct line_item *item)
{
	return join(line, asker, item, true);
}

void line_leave(struct line *line, struct line_item *item)
{
	if (!item->lane)
		return;
	list_remove(&item->link);
	item->lane = NULL;
	line->count--;
}

struct line_item *line_next(struct line *line)
{
	LIST_FOREACH(&line->lanes, at, following)
	{
		struct lane *lane = LIST_ENTRY(at, struct lane, link);
		if (list_is_empty(&lane->items))
			continue;
		struct line_item *item = LIST_ENTRY(lane->items.next, struct line_item, link);
		line_leave(line, item);
		list_remove(&lane->link);
		list_append(&line->lanes, &lane->link);
		return item;
	}
	return NULL;
}

void line_each(struct line *line, void (*visit)(struct line_item *item, void *context), void *context)
{
	LIST_FOREACH(&line->lanes, lane_at, lane_following)
	{
		struct lane *lane = LIST_ENTRY(lane_at, struct lane, link);
		LIST_FOREACH(&lane->items, at, following)
		{
			visit(LIST_ENTRY(at, struct line_item, link), context);
		}
	}
}
