#include "gateway/feed/ring.h"

#include <stdlib.h>

struct ring {
	size_t records_max, bytes_max, bytes;
	struct record_id start;
	uint64_t first, next; /* places of the oldest record and behind the newest one */
	struct record *records[];
};

static struct record **slot_of(struct ring *ring, uint64_t place)
{
	return &ring->records[place % ring->records_max];
}

static const struct record *look_at(const struct ring *ring, uint64_t place)
{
	return ring->records[place % ring->records_max];
}

struct ring *ring_new(size_t records_max, size_t bytes_max)
{
	if (records_max > (SIZE_MAX - sizeof(struct ring)) / sizeof(struct record *))
		return NULL;
	struct ring *ring = calloc(1, sizeof *ring + records_max * sizeof(struct record *));
	if (!ring)
		return NULL;
	ring->records_max = records_max;
	ring->bytes_max = bytes_max;
	return ring;
}

static void drop_oldest(struct ring *ring)
{
	struct record *oldest = *slot_of(ring, ring->first++);
	ring->start = oldest->id;
	ring->bytes -= oldest->element.len;
	record_unref(oldest);
}

static void drop_all(struct ring *ring)
{
	while (ring->first < ring->next)
		drop_oldest(ring);
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	drop_all(ring);
	free(ring);
}

/* A place is left out, so that who waits at the end for what follows finds nothing there instead of what does not
 * follow. */
void ring_reset(struct ring *ring, struct record_id at)
{
	drop_all(ring);
	ring->first = ++ring->next;
	ring->start = at;
}

static void push(struct ring *ring, struct record *record)
{
	if (ring->records_max == 0 || record->element.len > ring->bytes_max) {
		drop_all(ring);
		ring->start = record->id;
		return;
	}
	while (ring->next - ring->first >= ring->records_max || ring->bytes + record->element.len > ring->bytes_max)
		drop_oldest(ring);
	*slot_of(ring, ring->next++) = record_ref(record);
	ring->bytes += record->element.len;
}

void ring_push(struct ring *ring, const struct record_batch *batch)
{
	if (!batch->is_recorded)
		return;
	if (record_id_compare(batch->after, ring_end(ring)) != 0)
		ring_reset(ring, batch->after);
	for (size_t i = 0; i < batch->count; i++)
		push(ring, batch->records[i]);
}

void ring_limit(struct ring *ring, size_t bytes_max)
{
	ring->bytes_max = bytes_max;
	while (ring->bytes > bytes_max)
		drop_oldest(ring);
}

struct record_id ring_start(const struct ring *ring)
{
	return ring->start;
}

struct record_id ring_end(const struct ring *ring)
{
	return ring->first < ring->next ? look_at(ring, ring->next - 1)->id : ring->start;
}

bool ring_covers(const struct ring *ring, struct record_id after)
{
	return record_id_compare(after, ring->start) >= 0;
}

size_t ring_count(const struct ring *ring)
{
	return (size_t)(ring->next - ring->first);
}

uint64_t ring_find(const struct ring *ring, struct record_id after)
{
	uint64_t low = ring->first, high = ring->next;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (record_id_compare(look_at(ring, middle)->id, after) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct record *ring_at(const struct ring *ring, uint64_t place)
{
	if (place < ring->first || place >= ring->next)
		return NULL;
	return ring->records[place % ring->records_max];
}
