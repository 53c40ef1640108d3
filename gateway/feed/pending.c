#include "gateway/feed/pending.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/feed/stamps.h"

#define BUCKETS_MIN 256
#define SPARES_MAX 4096

static struct pending_record *at_order(struct list *link)
{
	return LIST_ENTRY(link, struct pending_record, order);
}

enum err pending_init(struct pending *pending)
{
	*pending = (struct pending){.bucket_count = BUCKETS_MIN};
	list_init(&pending->order);
	pending->unsent = pending->undelivered = &pending->order;
	pending->buckets = calloc(BUCKETS_MIN, sizeof *pending->buckets);
	return pending->buckets ? OK : ERR_NOMEM;
}

void pending_fini(struct pending *pending)
{
	for (struct pending_record *at; (at = pending_oldest(pending));)
		record_unref(pending_take(pending, at));
	while (pending->spare) {
		struct pending_record *spare = pending->spare;
		pending->spare = spare->next_in_bucket;
		free(spare);
	}
	free(pending->buckets);
}

static size_t bytes_of(const struct record *record)
{
	size_t outside = record->format == RECORD_JSON ? 0 : record->payload.len;
	return sizeof(struct pending_record) + sizeof *record + record->element.len + record->channel.len + outside;
}

static bool is_same(const struct hash128 *a, const struct hash128 *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Where the oldest record with this hash hangs, or would. */
static struct pending_record **find_place(const struct pending *pending, const struct hash128 *hash)
{
	uint64_t bits;
	memcpy(&bits, hash->bytes, sizeof bits);
	struct pending_record **place = &pending->buckets[bits & (pending->bucket_count - 1)];
	while (*place && !is_same(&(*place)->hash, hash))
		place = &(*place)->next_in_bucket;
	return place;
}

static void file(struct pending *pending, struct pending_record *at)
{
	struct pending_record **place = find_place(pending, &at->hash);
	list_init(&at->same);
	at->next_in_bucket = NULL;
	if (*place)
		list_append(&(*place)->same, &at->same);
	else
		*place = at;
}

static void unfile(struct pending *pending, struct pending_record *at)
{
	struct pending_record **place = find_place(pending, &at->hash);
	if (*place == at) {
		if (list_is_empty(&at->same)) {
			*place = at->next_in_bucket;
		} else {
			*place = LIST_ENTRY(at->same.next, struct pending_record, same);
			(*place)->next_in_bucket = at->next_in_bucket;
		}
	}
	list_remove(&at->same);
}

static void file_all(struct pending *pending)
{
	memset(pending->buckets, 0, pending->bucket_count * sizeof *pending->buckets);
	LIST_FOREACH(&pending->order, link, following)
	file(pending, at_order(link));
}

/* Without memory it stays as it is, and is slower. */
static void grow(struct pending *pending)
{
	struct pending_record **buckets = calloc(2 * pending->bucket_count, sizeof *buckets);
	if (!buckets)
		return;
	free(pending->buckets);
	pending->buckets = buckets;
	pending->bucket_count *= 2;
	file_all(pending);
}

static struct pending_record *take_spare(struct pending *pending)
{
	struct pending_record *at = pending->spare;
	if (!at)
		return malloc(sizeof *at);
	pending->spare = at->next_in_bucket;
	pending->spare_count--;
	return at;
}

static void give_spare(struct pending *pending, struct pending_record *at)
{
	if (pending->spare_count >= SPARES_MAX) {
		free(at);
		return;
	}
	at->next_in_bucket = pending->spare;
	pending->spare = at;
	pending->spare_count++;
}

struct pending_record *pending_add(struct pending *pending, struct record *record, struct hash128 hash, uint64_t link)
{
	struct pending_record *at = take_spare(pending);
	if (!at)
		return NULL;
	if (pending->count >= pending->bucket_count)
		grow(pending);
	*at = (struct pending_record){.record = record, .hash = hash, .heard_ns = record->received_ns, .link = link};
	list_append(&pending->order, &at->order);
	if (pending->unsent == &pending->order)
		pending->unsent = &at->order;
	if (pending->undelivered == &pending->order)
		pending->undelivered = &at->order;
	file(pending, at);
	pending->count++;
	pending->bytes += bytes_of(record);
	return at;
}

struct record *pending_take(struct pending *pending, struct pending_record *at)
{
	struct record *record = at->record;
	if (pending->unsent == &at->order)
		pending->unsent = at->order.next;
	if (pending->undelivered == &at->order)
		pending->undelivered = at->order.next;
	unfile(pending, at);
	list_remove(&at->order);
	pending->count--;
	pending->bytes -= bytes_of(record);
	give_spare(pending, at);
	return record;
}

struct pending_record *pending_oldest(const struct pending *pending)
{
	return list_is_empty(&pending->order) ? NULL : at_order(pending->order.next);
}

struct pending_record *pending_find(const struct pending *pending, struct hash128 hash)
{
	return *find_place(pending, &hash);
}

struct pending_record *pending_next_same(const struct pending *pending, const struct pending_record *at)
{
	struct pending_record *next = LIST_ENTRY(at->same.next, struct pending_record, same);
	return next == pending_find(pending, at->hash) ? NULL : next;
}

struct pending_record *pending_next_unsent(struct pending *pending)
{
	while (pending->unsent != &pending->order) {
		struct pending_record *at = at_order(pending->unsent);
		if (!at->call && !at->is_announced)
			return at;
		pending->unsent = pending->unsent->next;
	}
	return NULL;
}

struct pending_record *pending_next_undelivered(struct pending *pending)
{
	while (pending->undelivered != &pending->order) {
		struct pending_record *at = at_order(pending->undelivered);
		if (!at->is_delivered)
			return at->is_announced ? NULL : at;
		pending->undelivered = pending->undelivered->next;
	}
	return NULL;
}

void pending_unsend(struct pending *pending, const struct record_call *call)
{
	LIST_FOREACH(&pending->order, link, following)
	{
		struct pending_record *at = at_order(link);
		if (!call || at->call == call)
			at->call = NULL;
	}
	pending->unsent = pending->order.next;
}

void pending_unannounce(struct pending *pending, struct pending_record *at)
{
	at->is_announced = false;
	pending->unsent = pending->order.next;
}

void pending_rehash(struct pending *pending, uint64_t epoch)
{
	LIST_FOREACH(&pending->order, link, following)
	{
		struct pending_record *at = at_order(link);
		at->hash = stamp_hash(epoch, at->record->channel, at->record->payload);
	}
	file_all(pending);
}
