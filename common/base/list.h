/* Doubly linked intrusive list: the link lives in the member, so joining and leaving allocate nothing.
 * A head is a link that is its own neighbour when the list is empty. A member's link must be list_init-ed
 * (or on a list) before list_remove; removing twice is harmless. */
#ifndef COMMON_BASE_LIST_H
#define COMMON_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define LIST_ENTRY(link, type, member) ((type *)((char *)(link) - offsetof(type, member)))

/* The current member may be removed from the list inside the loop; no other member may. */
#define LIST_FOREACH(head, at, following) \
	for (struct list *at = (head)->next, *following = at->next; at != (head); at = following, following = at->next)

static inline void list_init(struct list *link)
{
	link->next = link->prev = link;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_append(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

#endif
