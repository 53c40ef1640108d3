#include "common/codec/json_flat.h"

#include <stdlib.h>

#include "common/codec/json_grammar.h"
#include "common/data/hash.h"

#define NODES_FIRST 64
#define NODES_KEPT 65536 /* what is above goes back with the next text that is small */
#define FEW_MEMBERS 16

void json_flat_init(struct json_flat *flat, uint64_t seed)
{
	*flat = (struct json_flat){.seed = seed};
	arena_init(&flat->texts, SIZE_MAX);
}

void json_flat_fini(struct json_flat *flat)
{
	free(flat->nodes);
	free(flat->slots);
	arena_fini(&flat->texts);
	json_flat_init(flat, flat->seed);
}

uint32_t json_key_hash(struct slice key, uint64_t seed)
{
	return (uint32_t)hash64(key, seed);
}

bool json_key_spell(struct arena *texts, struct slice raw_inside, struct slice *ret_key)
{
	*ret_key = raw_inside;
	if (!json_has_escapes(raw_inside))
		return true;
	char *plain = arena_alloc(texts, raw_inside.len);
	if (!plain)
		return false;
	struct slice text = {plain, json_unescape(raw_inside, plain)};
	size_t len = json_escape(text, NULL);
	char *spelled = arena_alloc(texts, len ? len : 1);
	if (!spelled)
		return false;
	json_escape(text, spelled);
	*ret_key = (struct slice){spelled, len};
	return true;
}

static struct json_node *add_node(struct json_flat *flat)
{
	if (flat->count == flat->capacity) {
		size_t capacity = flat->capacity ? 2 * flat->capacity : NODES_FIRST;
		struct json_node *nodes =
		    capacity > UINT32_MAX ? NULL : realloc(flat->nodes, capacity * sizeof *flat->nodes);
		if (!nodes)
			return NULL;
		flat->nodes = nodes;
		flat->capacity = capacity;
	}
	return &flat->nodes[flat->count++];
}

static bool is_same_key(const struct json_node *a, const struct json_node *b)
{
	return a->hash == b->hash && slice_equal(a->key, b->key);
}

/* Few members: only those whose hashes have the same six bits are compared. */
static void mark_few(struct json_flat *flat, size_t at)
{
	struct json_node *members[FEW_MEMBERS];
	size_t count = 0;
	uint64_t seen = 0;
	for (size_t i = at + 1; i < flat->nodes[at].end; i = flat->nodes[i].end) {
		struct json_node *member = &flat->nodes[i];
		uint64_t mark = UINT64_C(1) << (member->hash & 63);
		for (size_t j = 0; (seen & mark) && j < count; j++)
			members[j]->is_dead = members[j]->is_dead || is_same_key(members[j], member);
		seen |= mark;
		members[count++] = member;
	}
}

static bool reserve_slots(struct json_flat *flat, size_t members)
{
	size_t count = 64;
	while (count < 2 * members)
		count *= 2;
	if (count > flat->slot_count) {
		free(flat->slots);
		flat->slots = malloc(count * sizeof *flat->slots);
		flat->slot_count = flat->slots ? count : 0;
	}
	if (!flat->slots)
		return false;
	memset(flat->slots, 0, flat->slot_count * sizeof *flat->slots);
	return true;
}

static bool mark_many(struct json_flat *flat, size_t at, size_t members)
{
	if (!reserve_slots(flat, members))
		return false;
	for (size_t i = at + 1; i < flat->nodes[at].end; i = flat->nodes[i].end) {
		size_t slot = flat->nodes[i].hash & (flat->slot_count - 1);
		while (flat->slots[slot] && !is_same_key(&flat->nodes[flat->slots[slot]], &flat->nodes[i]))
			slot = (slot + 1) & (flat->slot_count - 1);
		if (flat->slots[slot])
			flat->nodes[flat->slots[slot]].is_dead = true;
		flat->slots[slot] = (uint32_t)i; /* 0 is the whole, and no member */
	}
	return true;
}

/* The object is complete: marks what has a later double. */
static bool mark_doubles(struct json_flat *flat, size_t at, size_t members)
{
	if (members > FEW_MEMBERS)
		return mark_many(flat, at, members);
	mark_few(flat, at);
	return true;
}

struct flattening {
	struct json_flat *flat;
	struct slice key; /* of the member whose value comes next */
	uint32_t hash;
	struct {
		size_t at, members;
	} open[JSON_DEPTH_MAX];
};

static INLINED bool add_value(struct flattening *flattening, const struct json_piece *piece, unsigned depth)
{
	struct json_node *node = add_node(flattening->flat);
	if (!node)
		return false;
	*node = (struct json_node){.key = flattening->key,
	                           .raw = piece->raw,
	                           .hash = flattening->hash,
	                           .end = (uint32_t)flattening->flat->count,
	                           .kind = piece->kind};
	flattening->key = SLICE_NONE;
	flattening->hash = 0;
	if (piece->piece == JSON_PIECE_OPEN) {
		flattening->open[depth - 1].at = flattening->flat->count - 1;
		flattening->open[depth - 1].members = 0;
	}
	return true;
}

static INLINED bool add_piece(struct flattening *flattening, const struct json_piece *piece, unsigned depth)
{
	struct json_flat *flat = flattening->flat;
	if (piece->piece == JSON_PIECE_KEY) {
		flattening->open[depth - 1].members++;
		if (!json_key_spell(&flat->texts, piece->raw, &flattening->key))
			return false;
		flattening->hash = json_key_hash(flattening->key, flat->seed);
		return true;
	}
	if (piece->piece != JSON_PIECE_CLOSE)
		return add_value(flattening, piece, depth);
	size_t at = flattening->open[depth].at;
	flat->nodes[at].end = (uint32_t)flat->count;
	return piece->kind != JSON_OBJECT || mark_doubles(flat, at, flattening->open[depth].members);
}

enum err json_flat_read(struct json_flat *flat, struct slice text, unsigned depth_max)
{
	struct json_reader reader;
	struct flattening flattening;
	struct json_piece piece;
	flattening.flat = flat;
	flattening.key = SLICE_NONE;
	flattening.hash = 0;
	json_grammar_begin(&reader, text);
	reader.depth_max = depth_max;
	if (flat->capacity > NODES_KEPT && text.len < NODES_KEPT)
		json_flat_fini(flat);
	arena_reset(&flat->texts);
	flat->count = 0;
	while (json_grammar_next(&reader, &piece)) {
		if (!add_piece(&flattening, &piece, reader.depth))
			return ERR_NOMEM;
	}
	return reader.error ? ERR_INVALID : OK;
}

static void write_begin(const struct json_node *node, struct buf *out)
{
	if (node->key.ptr) {
		buf_append_char(out, '"');
		buf_append_slice(out, node->key);
		buf_append(out, "\":", 2);
	}
	buf_append_slice(out, node->raw);
}

void json_flat_write(const struct json_flat *flat, size_t at, struct buf *out)
{
	struct {
		size_t end;
		char close;
		bool is_first;
	} open[JSON_DEPTH_MAX + 1];
	size_t depth = 0, end = flat->nodes[at].end, next;
	for (size_t i = at; i < end; i = next) {
		const struct json_node *node = &flat->nodes[i];
		bool is_list = node->kind == JSON_ARRAY || node->kind == JSON_OBJECT;
		next = is_list && !node->is_dead ? i + 1 : node->end;
		if (i != at && !node->is_dead) {
			if (!open[depth - 1].is_first)
				buf_append_char(out, ',');
			open[depth - 1].is_first = false;
			write_begin(node, out);
		} else if (i == at) {
			buf_append_slice(out, node->raw);
		}
		if (is_list && !node->is_dead) {
			open[depth].end = node->end;
			open[depth].close = node->kind == JSON_ARRAY ? ']' : '}';
			open[depth++].is_first = true;
		}
		while (depth && open[depth - 1].end == next)
			buf_append_char(out, open[--depth].close);
	}
}
