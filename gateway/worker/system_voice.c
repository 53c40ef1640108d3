#include "gateway/worker/system_voice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/data/buf.h"
#include "common/data/hash.h"
#include "gateway/filter/filter.h"
#include "gateway/redis/link.h"
#include "gateway/session/system_event.h"

#define UP "node.up"
#define UP_BEGIN "{\"type\":\"" UP "\","

static void on_published(void *context, const struct redisReply *reply)
{
	(void)context;
	(void)reply;
}

void system_voice_init(struct system_voice *voice, const char *node)
{
	*voice = (struct system_voice){.node = node};
}

void system_voice_say(struct system_voice *voice, const char *type, const char *more)
{
	struct buf channel, text;
	if (!voice->node || !voice->link)
		return;
	buf_init(&channel);
	buf_init(&text);
	system_event_write(&channel, &text, voice->node, type, slice_of(more));
	if (strcmp(type, UP) == 0 && !buf_has_failed(&text))
		voice->up_hash = hash64(buf_slice(&text), 0);
	const char *words[] = {"PUBLISH", channel.bytes, text.bytes};
	const size_t lens[] = {strlen(words[0]), channel.len, text.len};
	if (!buf_has_failed(&channel) && !buf_has_failed(&text)) {
		enum err error = link_send(voice->link, 3, words, lens, on_published, NULL);
		(void)error; /* it is ending; nobody is told then */
	}
	buf_fini(&channel);
	buf_fini(&text);
}

void system_voice_up(struct system_voice *voice, struct link *link)
{
	char more[64];
	bool is_first = voice->down_wall_ms == 0;
	voice->link = link;
	if (is_first) {
		system_voice_say(voice, UP, "");
		return;
	}
	snprintf(more, sizeof more, ",\"since\":%" PRIu64, voice->down_wall_ms);
	system_voice_say(voice, "redis.down", more);
	system_voice_say(voice, "redis.up", more);
}

/* Its own words come back to a node as they were: the time in them makes them differ from those of another. */
bool system_voice_is_double(const struct system_voice *voice, struct slice channel, struct slice payload)
{
	const struct slice prefix = SLICE_LITERAL(FILTER_SYSTEM_PREFIX);
	if (!voice->node || !voice->up_hash || !slice_begins_with(channel, prefix) || !slice_begins_with(payload, SLICE_LITERAL(UP_BEGIN)))
		return false;
	return slice_is((struct slice){channel.ptr + prefix.len, channel.len - prefix.len}, voice->node) &&
	       hash64(payload, 0) != voice->up_hash;
}

void system_voice_down(struct system_voice *voice)
{
	if (voice->link)
		voice->down_wall_ms = clock_wall_ms();
	voice->link = NULL;
}
