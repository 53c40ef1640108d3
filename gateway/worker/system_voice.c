#include "gateway/worker/system_voice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/data/buf.h"
#include "gateway/redis/link.h"
#include "gateway/session/system_event.h"

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
		system_voice_say(voice, "node.up", "");
		return;
	}
	snprintf(more, sizeof more, ",\"since\":%" PRIu64, voice->down_wall_ms);
	system_voice_say(voice, "redis.down", more);
	system_voice_say(voice, "redis.up", more);
}

void system_voice_down(struct system_voice *voice)
{
	if (voice->link)
		voice->down_wall_ms = clock_wall_ms();
	voice->link = NULL;
}
