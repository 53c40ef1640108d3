#include "common/protocol/record.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/decimal.h"

/* A time with fewer digits is padded with spaces in front, which JSON allows there; for one with more the bytes before
 * it move into the room kept for the id. */
void record_set_ts(struct record *record, uint64_t ts_ms)
{
	char digits[DECIMAL_DIGITS_MAX];
	size_t count = decimal_write(digits, ts_ms), width = strcspn(record->ts_at, ",");
	if (count > width) {
		size_t more = count - width;
		memmove(record->plain_element - more, record->plain_element,
		        (size_t)(record->ts_at - record->plain_element));
		record->plain_element -= more;
		record->ts_at -= more;
		record->element.ptr -= more;
		record->element.len += more;
		width = count;
	}
	memset(record->ts_at, ' ', width - count);
	memcpy(record->ts_at + width - count, digits, count);
	record->ts_ms = ts_ms;
}

void record_stamp(struct record *record, struct record_id id)
{
	char head[RECORD_ID_ROOM] = "{\"id\":\"";
	size_t len = strlen(head);
	const char *element_end = record->element.ptr + record->element.len;
	record_set_ts(record, id.ms);
	len += record_id_write(head + len, id);
	head[len++] = '"';
	head[len++] = ','; /* over the plain element's brace */
	char *start = record->plain_element + 1 - len;
	memcpy(start, head, len);
	record->element = (struct slice){start, (size_t)(element_end - start)};
	record->id = id;
}

struct record *record_ref(struct record *record)
{
	refcount_take(&record->refs);
	return record;
}

void record_unref(struct record *record)
{
	if (!record || !refcount_drop(&record->refs))
		return;
	blob_unref(atomic_load_explicit(&record->packed, memory_order_acquire));
	free(record);
}

const struct blob *record_packed(const struct record *record)
{
	return atomic_load_explicit(&record->packed, memory_order_acquire);
}

/* The one thing of a shared record that changes: once, from nothing to what everybody would have made. */
const struct blob *record_keep_packed(const struct record *record, struct blob *made)
{
	struct record *owner = (struct record *)(uintptr_t)record;
	struct blob *kept = NULL;
	if (atomic_compare_exchange_strong_explicit(&owner->packed, &kept, made, memory_order_acq_rel, memory_order_acquire))
		return made;
	blob_unref(made);
	return kept;
}

static const char *const kind_names[RECORD_KINDS] = {
    [RECORD_TRACE] = "trace", [RECORD_AGENT] = "agent", [RECORD_SWARM] = "swarm", [RECORD_PERFORMANCE] = "performance",
    [RECORD_SYSTEM] = "system", [RECORD_OTHER] = "other",
};

enum record_kind record_kind_of(struct slice channel)
{
	const char *colon = channel.len ? memchr(channel.ptr, ':', channel.len) : NULL;
	if (!colon)
		return RECORD_OTHER;
	struct slice front = {channel.ptr, (size_t)(colon - channel.ptr)};
	for (enum record_kind kind = RECORD_TRACE; kind < RECORD_OTHER; kind++) {
		if (slice_is(front, kind_names[kind]))
			return kind;
	}
	return RECORD_OTHER;
}

const char *record_kind_name(enum record_kind kind)
{
	return kind_names[kind];
}

struct record_batch *record_batch_new(size_t capacity)
{
	if (capacity > (SIZE_MAX - sizeof(struct record_batch)) / sizeof(struct record *))
		return NULL;
	struct record_batch *batch = malloc(sizeof *batch + capacity * sizeof(struct record *));
	if (!batch)
		return NULL;
	refcount_init(&batch->refs);
	batch->after = (struct record_id){0};
	batch->is_recorded = false;
	batch->count = 0;
	batch->capacity = capacity;
	return batch;
}

void record_batch_add(struct record_batch *batch, struct record *record)
{
	batch->records[batch->count++] = record;
}

struct record_batch *record_batch_ref(struct record_batch *batch)
{
	refcount_take(&batch->refs);
	return batch;
}

void record_batch_unref(struct record_batch *batch)
{
	if (!batch || !refcount_drop(&batch->refs))
		return;
	for (size_t i = 0; i < batch->count; i++)
		record_unref(batch->records[i]);
	free(batch);
}
