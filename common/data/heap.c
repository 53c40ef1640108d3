#include "common/data/heap.h"

void heap_init(struct heap *heap)
{
	heap->first = NULL;
}

void heap_node_init(struct heap_node *node)
{
	*node = (struct heap_node){0};
}

/* Makes the holder point to the node, or to nothing. */
static void hold(struct heap_node **holder, struct heap_node *node)
{
	*holder = node;
	if (node)
		node->holder = holder;
}

/* One tree of two: the root that does not come first becomes a child of the other. What held them, and their siblings, is the
 * caller's to set. */
static struct heap_node *pair(struct heap_node *a, struct heap_node *b, heap_order *order)
{
	bool is_b_first = order(b, a);
	struct heap_node *parent = is_b_first ? b : a, *child = is_b_first ? a : b;
	hold(&child->sibling, parent->child);
	hold(&parent->child, child);
	return parent;
}

/* One tree of the children that their parent leaves, in the two passes from which the bound comes: neighbours are paired from left to
 * right, and the pairs, the last one first, joined to one. NULL: there are none. */
static struct heap_node *join(struct heap_node *children, heap_order *order)
{
	struct heap_node *pairs = NULL, *tree = NULL;
	while (children) {
		struct heap_node *left = children, *right = left->sibling;
		children = right ? right->sibling : NULL;
		struct heap_node *paired = right ? pair(left, right, order) : left;
		paired->sibling = pairs;
		pairs = paired;
	}
	while (pairs) {
		struct heap_node *following = pairs->sibling;
		tree = tree ? pair(tree, pairs, order) : pairs;
		pairs = following;
	}
	return tree;
}

/* A node that is in no heap is the root of a tree, as that of a whole heap is. */
void heap_add(struct heap *heap, struct heap_node *node, heap_order *order)
{
	struct heap_node *first = heap->first ? pair(heap->first, node, order) : node;
	first->sibling = NULL;
	hold(&heap->first, first);
}

/* What was below the node takes its place: it comes after all that was above. */
void heap_remove(struct heap_node *node, heap_order *order)
{
	if (!node->holder)
		return;
	struct heap_node *below = join(node->child, order);
	if (below) {
		hold(&below->sibling, node->sibling);
		hold(node->holder, below);
	} else {
		hold(node->holder, node->sibling);
	}
	heap_node_init(node);
}

void heap_take_all(struct heap *heap, struct heap *other, heap_order *order)
{
	struct heap_node *root = other->first;
	heap_init(other);
	if (root)
		heap_add(heap, root, order);
}
