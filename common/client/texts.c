#include "common/client/texts.h"

#include <stdlib.h>
#include <string.h>

struct kept {
	struct list link;
	struct buf text;
	size_t channel_len;
	char channel[];
};

void tgc_texts_init(struct tgc_texts *texts, size_t bytes_max)
{
	*texts = (struct tgc_texts){.bytes_max = bytes_max};
	table_init(&texts->by_channel);
	list_init(&texts->by_use);
}

static struct slice channel_of(const struct kept *kept)
{
	return (struct slice){kept->channel, kept->channel_len};
}

static size_t size_of(const struct kept *kept)
{
	return sizeof *kept + kept->channel_len + kept->text.capacity;
}

static void forget(struct tgc_texts *texts, struct kept *kept)
{
	table_remove(&texts->by_channel, channel_of(kept));
	list_remove(&kept->link);
	texts->bytes -= size_of(kept);
	buf_fini(&kept->text);
	free(kept);
}

void tgc_texts_clear(struct tgc_texts *texts)
{
	while (!list_is_empty(&texts->by_use))
		forget(texts, LIST_ENTRY(texts->by_use.next, struct kept, link));
	table_fini(&texts->by_channel);
}

bool tgc_texts_get(const struct tgc_texts *texts, struct slice channel, struct slice *ret_text)
{
	const struct kept *kept = table_get(&texts->by_channel, channel);
	if (!kept)
		return false;
	*ret_text = buf_slice(&kept->text);
	return true;
}

static struct kept *add(struct tgc_texts *texts, struct slice channel)
{
	struct kept *kept = malloc(sizeof *kept + channel.len);
	if (!kept)
		return NULL;
	kept->channel_len = channel.len;
	if (channel.len)
		memcpy(kept->channel, channel.ptr, channel.len);
	buf_init(&kept->text);
	list_init(&kept->link);
	if (table_put(&texts->by_channel, channel_of(kept), kept) != OK) {
		free(kept);
		return NULL;
	}
	texts->bytes += size_of(kept);
	return kept;
}

void tgc_texts_put(struct tgc_texts *texts, struct slice channel, struct buf *text)
{
	struct kept *kept = table_get(&texts->by_channel, channel);
	if (!kept && !(kept = add(texts, channel))) {
		buf_fini(text);
		return;
	}
	texts->bytes -= size_of(kept);
	buf_fini(&kept->text);
	kept->text = *text;
	buf_init(text);
	texts->bytes += size_of(kept);
	list_remove(&kept->link);
	list_append(&texts->by_use, &kept->link);
	while (texts->bytes > texts->bytes_max && texts->by_use.next != &kept->link)
		forget(texts, LIST_ENTRY(texts->by_use.next, struct kept, link));
}
