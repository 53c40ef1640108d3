#include "gateway/session/conflation.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/data/table.h"

struct kept {
	struct list link; /* in the order of arrival */
	struct record *record;
	size_t key_len;
	char key[]; /* the length of the channel, the channel, the agent: so no two pairs share a key */
};

struct conflation {
	struct table by_key;
	struct list order;
	size_t bytes, limit_bytes;
};

struct conflation *conflation_new(size_t limit_bytes)
{
	struct conflation *conflation = malloc(sizeof *conflation);
	if (!conflation)
		return NULL;
	table_init(&conflation->by_key);
	list_init(&conflation->order);
	conflation->bytes = 0;
	conflation->limit_bytes = limit_bytes;
	return conflation;
}

void conflation_free(struct conflation *conflation)
{
	if (!conflation)
		return;
	struct record *record;
	while ((record = conflation_take(conflation)))
		record_unref(record);
	table_fini(&conflation->by_key);
	free(conflation);
}

static struct slice key_of(const struct kept *kept)
{
	return (struct slice){kept->key, kept->key_len};
}

/* Gives the record's reference to the caller. */
static struct record *forget(struct conflation *conflation, struct kept *kept)
{
	struct record *record = kept->record;
	table_remove(&conflation->by_key, key_of(kept));
	list_remove(&kept->link);
	conflation->bytes -= record->element.len;
	free(kept);
	return record;
}

static struct kept *new_kept(struct record *record)
{
	size_t channel = record->channel.len, agent = record->agent.len;
	struct kept *kept = malloc(sizeof *kept + sizeof channel + channel + agent);
	if (!kept)
		return NULL;
	kept->record = record_ref(record);
	kept->key_len = sizeof channel + channel + agent;
	memcpy(kept->key, &channel, sizeof channel);
	if (channel)
		memcpy(kept->key + sizeof channel, record->channel.ptr, channel);
	if (agent)
		memcpy(kept->key + sizeof channel + channel, record->agent.ptr, agent);
	list_init(&kept->link);
	return kept;
}

size_t conflation_put(struct conflation *conflation, struct record *record)
{
	struct kept *kept = new_kept(record);
	if (!kept)
		return 1;
	size_t gone = 0;
	struct kept *older = table_get(&conflation->by_key, key_of(kept));
	if (older) {
		record_unref(forget(conflation, older));
		gone++;
	}
	if (table_put(&conflation->by_key, key_of(kept), kept) != OK) {
		record_unref(kept->record);
		free(kept);
		return gone + 1;
	}
	list_append(&conflation->order, &kept->link);
	conflation->bytes += record->element.len;
	while (conflation->bytes > conflation->limit_bytes && conflation_count(conflation) > 1) {
		record_unref(conflation_take(conflation));
		gone++;
	}
	return gone;
}

struct record *conflation_take(struct conflation *conflation)
{
	if (list_is_empty(&conflation->order))
		return NULL;
	return forget(conflation, LIST_ENTRY(conflation->order.next, struct kept, link));
}

size_t conflation_count(const struct conflation *conflation)
{
	return table_count(&conflation->by_key);
}
