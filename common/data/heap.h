/* A heap gives its first member again and again, whatever their number: an intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan,
 * "The pairing heap: a new form of self-adjusting heap", Algorithmica 1, 1986). The node lives in the member, so joining and leaving
 * allocate nothing; joining and looking at the first are O(1), leaving is O(log n) amortised for any member. Nothing recurses.
 * A node must be heap_node_init-ed before its first use; a heap with members must not move. Owned by one thread. */
#ifndef COMMON_DATA_HEAP_H
#define COMMON_DATA_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A tree: no child comes before its parent. */
struct heap_node {
	struct heap_node *child, *sibling;
	struct heap_node **holder; /* what points to this node: the heap, its parent's child or a sibling's sibling; NULL: it is in no heap */
};

struct heap {
	struct heap_node *first;
};

#define HEAP_ENTRY(node, type, member) ((type *)((uintptr_t)(node) - offsetof(type, member)))

/* Whether a comes before b; false for equal ones. The same one for all calls about a heap, and its answers must not change while both
 * are in. */
typedef bool heap_order(const struct heap_node *a, const struct heap_node *b);

void heap_init(struct heap *heap);
void heap_node_init(struct heap_node *node);

void heap_add(struct heap *heap, struct heap_node *node, heap_order *order); /* which must be in no heap */
void heap_remove(struct heap_node *node, heap_order *order);                 /* harmless when it is in none */
/* Moves all members of another heap here, in O(1). */
void heap_take_all(struct heap *heap, struct heap *other, heap_order *order);

static inline struct heap_node *heap_first(const struct heap *heap) /* NULL: it is empty */
{
	return heap->first;
}

static inline bool heap_node_is_in(const struct heap_node *node)
{
	return node->holder != NULL;
}

#endif
