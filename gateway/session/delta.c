#include "gateway/session/delta.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"
#include "gateway/metrics/metrics.h"

/* Scratch memory that grew beyond this is given back. */
#define SCRATCH_KEEP_BYTES ((size_t)64 * 1024)

/* The last text of a channel. */
struct text {
	struct list in_store, in_chain;
	struct delta_chain *chain;
	struct record *record; /* a reference; its payload is the text */
	uint64_t batch;        /* in which it was sent */
	size_t channel_len;
	char channel[]; /* as clients see it */
};

void delta_store_init(struct delta_store *store, size_t bytes_max)
{
	*store = (struct delta_store){.bytes_max = bytes_max};
	list_init(&store->texts);
	fossil_encoder_init(&store->encoder);
	buf_init(&store->delta);
	buf_init(&store->channel);
}

void delta_store_fini(struct delta_store *store)
{
	fossil_encoder_fini(&store->encoder);
	buf_fini(&store->delta);
	buf_fini(&store->channel);
}

struct delta_chain *delta_chain_new(struct delta_store *store)
{
	struct delta_chain *chain = malloc(sizeof *chain);
	if (!chain)
		return NULL;
	*chain = (struct delta_chain){.store = store, .refers_to = DELTA_REFERS_TO_NONE};
	table_init(&chain->by_channel);
	list_init(&chain->texts);
	return chain;
}

static size_t size_of(const struct text *text)
{
	return sizeof *text + text->channel_len + sizeof *text->record + text->record->element.len;
}

static void forget(struct text *text)
{
	struct delta_chain *chain = text->chain;
	table_remove(&chain->by_channel, (struct slice){text->channel, text->channel_len});
	chain->store->bytes -= size_of(text);
	list_remove(&text->in_store);
	list_remove(&text->in_chain);
	record_unref(text->record);
	free(text);
	metric_gauge_add(METRIC_DELTA_TEXTS, -1);
}

void delta_chain_forget(struct delta_chain *chain)
{
	LIST_FOREACH(&chain->texts, at, following)
		forget(LIST_ENTRY(at, struct text, in_chain));
}

void delta_chain_free(struct delta_chain *chain)
{
	if (!chain)
		return;
	delta_chain_forget(chain);
	table_fini(&chain->by_channel);
	free(chain);
}

void delta_chain_begin(struct delta_chain *chain)
{
	chain->batch++;
	chain->refers_to = DELTA_REFERS_TO_NONE;
}

/* A channel that is not UTF-8 is another one to a client, who keeps texts by what it is shown. Empty: no memory. */
static struct slice shown_channel(struct delta_store *store, struct slice channel)
{
	if (json_is_utf8(channel))
		return channel;
	struct buf *shown = &store->channel;
	buf_clear(shown);
	char *place = buf_extend(shown, json_escape(channel, NULL));
	if (!place)
		return SLICE_NONE;
	json_escape(channel, place);
	return (struct slice){place, json_unescape(buf_slice(shown), place)};
}

static struct text *text_new(struct delta_chain *chain, struct slice channel)
{
	struct text *text = malloc(sizeof *text + channel.len);
	if (!text)
		return NULL;
	text->chain = chain;
	text->record = NULL;
	text->channel_len = channel.len;
	memcpy(text->channel, channel.ptr, channel.len);
	list_init(&text->in_store);
	list_init(&text->in_chain);
	if (table_put(&chain->by_channel, (struct slice){text->channel, channel.len}, text) != OK) {
		free(text);
		return NULL;
	}
	metric_gauge_add(METRIC_DELTA_TEXTS, 1);
	return text;
}

/* The newest one always stays, so that a store that is too small for two is of use still. */
static void make_room(struct delta_chain *chain, const struct text *newest)
{
	struct delta_store *store = chain->store;
	while (store->bytes > store->bytes_max && store->texts.next != &newest->in_store)
		forget(LIST_ENTRY(store->texts.next, struct text, in_store)); /* NOLINT(clang-analyzer-unix.Malloc): it has left the list */
	if (table_count(&chain->by_channel) > DELTA_CHANNELS_MAX)
		forget(LIST_ENTRY(chain->texts.next, struct text, in_chain));
}

/* The record is the text that the next delta of its channel refers to. Without memory that one is sent in full. */
static void remember(struct delta_chain *chain, struct text *text, struct slice channel, const struct record *record)
{
	if (!text && !(text = text_new(chain, channel)))
		return;
	if (text->record) {
		chain->store->bytes -= size_of(text);
		record_unref(text->record);
	}
	/* Counting a reference changes no part of the record that anyone reads. */
	text->record = record_ref((struct record *)(uintptr_t)record);
	text->batch = chain->batch;
	chain->store->bytes += size_of(text);
	list_remove(&text->in_store);
	list_append(&chain->store->texts, &text->in_store);
	list_remove(&text->in_chain);
	list_append(&chain->texts, &text->in_chain);
	make_room(chain, text);
}

/* What the text takes in a message, without what stands around it. */
static size_t encoded_size(const struct codec *codec, struct slice text)
{
	return codec->is_binary ? text.len : json_escape(text, NULL);
}

/* False: it would not be smaller. */
static bool make_delta(struct delta_store *store, const struct codec *codec, const struct text *text, const struct record *record)
{
	buf_shrink(&store->delta, SCRATCH_KEEP_BYTES);
	if (!fossil_encode(&store->encoder, text->record->payload, record->payload, !codec->is_binary, &store->delta))
		return false;
	size_t delta = encoded_size(codec, buf_slice(&store->delta));
	if (delta < record->payload.len)
		metric_add(METRIC_DELTA_SAVED_BYTES, record->payload.len - delta);
	return delta < record->payload.len || delta < encoded_size(codec, record->payload);
}

void delta_append_full(const struct codec *codec, struct buf *batch, const struct record *record, bool is_first)
{
	if (record->format == RECORD_JSON)
		codec->events_add_text(batch, record, "full", record->payload, is_first);
	else
		codec->events_add(batch, record, is_first);
}

void delta_append(struct delta_chain *chain, const struct codec *codec, struct buf *batch, const struct record *record, bool is_first)
{
	struct delta_store *store = chain->store;
	if (record->format != RECORD_JSON) {
		codec->events_add(batch, record, is_first);
		return;
	}
	struct slice channel = shown_channel(store, record->channel);
	struct text *text = channel.len ? table_get(&chain->by_channel, channel) : NULL;
	if (text && make_delta(store, codec, text, record)) {
		codec->events_add_text(batch, record, "delta", buf_slice(&store->delta), is_first);
		if (text->batch < chain->refers_to)
			chain->refers_to = text->batch;
		metric_add(METRIC_DELTAS, 1);
	} else {
		delta_append_full(codec, batch, record, is_first);
		metric_add(METRIC_DELTA_FULL, 1);
	}
	if (channel.len)
		remember(chain, text, channel, record);
	else
		delta_chain_forget(chain); /* it is not known whose text this was */
}
