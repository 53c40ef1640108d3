#include "gateway/redis/pubsub.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/data/buf.h"
#include "gateway/filter/glob.h"
#include "gateway/metrics/metrics.h"
#include "gateway/redis/link.h"

#if HIREDIS_MAJOR >= 1
typedef size_t array_size;
#else
typedef int array_size;
#endif

#define PARTS_MAX 3 /* of a message, before its last */
#define SCRATCH_KEEP_BYTES 4096

struct pattern {
	struct slice text;
	bool may_overlap; /* with one before it */
};

/* What the reader has parsed of the array under way: the parts before the last are copied, since the reader's buffer
 * moves when a message comes in several reads; the last, the payload, is passed up from the reader's buffer. */
struct message {
	size_t elements;
	size_t part_at[PARTS_MAX], part_len[PARTS_MAX];
	struct buf scratch;
};

struct pubsub {
	const struct pubsub_settings *settings;
	struct pubsub_owner owner;
	struct message message;
	struct slice channels[3]; /* the heartbeat's, the live one, the control one, as far as they are */
	size_t channel_count;
	size_t answered, denied; /* of the subscriptions: the channels' first, then the patterns' */
	struct pattern patterns[];
};

static char parsed; /* what the reader gets for everything that was parsed */

static struct slice message_part(const struct message *message, size_t index)
{
	if (message->part_len[index] == 0)
		return SLICE_LITERAL("");
	return (struct slice){message->scratch.bytes + message->part_at[index], message->part_len[index]};
}

static struct slice subscription_name(const struct pubsub *pubsub, size_t index)
{
	if (index >= pubsub->channel_count)
		return pubsub->patterns[index - pubsub->channel_count].text;
	return pubsub->channels[index];
}

static size_t subscription_count(const struct pubsub *pubsub)
{
	return pubsub->channel_count + pubsub->settings->pattern_count;
}

static void count_answer(struct pubsub *pubsub)
{
	char why[128];
	size_t count = subscription_count(pubsub);
	if (++pubsub->answered < count)
		return;
	if (pubsub->denied == 0) {
		pubsub->owner.on_ready(pubsub->owner.context);
		return;
	}
	snprintf(why, sizeof why, "%zu of %zu subscriptions were refused", pubsub->denied, count);
	pubsub->owner.on_refused(pubsub->owner.context, why);
}

static void handle_error(struct pubsub *pubsub, const char *text, size_t len)
{
	char why[256];
	snprintf(why, sizeof why, "%.*s", len < sizeof why ? (int)len : (int)sizeof why - 1, text);
	if (pubsub->answered == subscription_count(pubsub)) {
		pubsub->owner.on_refused(pubsub->owner.context, why);
		return;
	}
	pubsub->owner.on_denied(pubsub->owner.context, subscription_name(pubsub, pubsub->answered), why);
	pubsub->denied++;
	count_answer(pubsub);
}

/* True when an earlier pattern matches the channel too: the message was, or will be, passed up for that one. */
static bool is_repeated(const struct pubsub *pubsub, struct slice pattern, struct slice channel)
{
	size_t index = 0;
	while (index < pubsub->settings->pattern_count && !slice_equal(pubsub->patterns[index].text, pattern))
		index++;
	if (index == pubsub->settings->pattern_count || !pubsub->patterns[index].may_overlap)
		return false;
	while (index-- > 0) {
		if (glob_match(pubsub->patterns[index].text, channel))
			return true;
	}
	return false;
}

static bool is_live(const struct pubsub *pubsub, struct slice channel)
{
	return pubsub->settings->live_channel.len > 0 && slice_equal(channel, pubsub->settings->live_channel);
}

static bool is_control(const struct pubsub *pubsub, struct slice channel)
{
	return pubsub->settings->control_channel.len > 0 && slice_equal(channel, pubsub->settings->control_channel);
}

static void handle_pattern_message(struct pubsub *pubsub, struct slice payload)
{
	struct slice pattern = message_part(&pubsub->message, 1);
	struct slice channel = message_part(&pubsub->message, 2);
	if (slice_begins_with(channel, pubsub->settings->heartbeat_prefix) || is_live(pubsub, channel) ||
	    is_control(pubsub, channel) || is_repeated(pubsub, pattern, channel))
		return;
	if (payload.len > pubsub->settings->payload_bytes_max) {
		metric_add(METRIC_DROPPED_OVERSIZE, 1);
		return;
	}
	pubsub->owner.on_message(pubsub->owner.context, pattern, channel, payload);
}

static void handle_control_message(const struct pubsub *pubsub, struct slice payload)
{
	if (payload.len > PUBSUB_CONTROL_BYTES_MAX)
		metric_add(METRIC_DROPPED_OVERSIZE, 1);
	else
		pubsub->owner.on_control(pubsub->owner.context, payload);
}

static void handle_channel_message(struct pubsub *pubsub, struct slice payload)
{
	if (is_live(pubsub, message_part(&pubsub->message, 1)))
		pubsub->owner.on_live(pubsub->owner.context, payload);
	else if (is_control(pubsub, message_part(&pubsub->message, 1)))
		handle_control_message(pubsub, payload);
	else
		pubsub->owner.on_heartbeat(pubsub->owner.context, payload);
}

/* The array is complete with its last element. */
static void handle_message(struct pubsub *pubsub, struct slice last)
{
	const struct message *message = &pubsub->message;
	if (message->elements < 2)
		return;
	struct slice kind = message_part(message, 0);
	if (message->elements == 4 && slice_equal(kind, SLICE_LITERAL("pmessage")))
		handle_pattern_message(pubsub, last);
	else if (message->elements == 3 && slice_equal(kind, SLICE_LITERAL("message")))
		handle_channel_message(pubsub, last);
	else if (message->elements == 3 &&
	         (slice_equal(kind, SLICE_LITERAL("subscribe")) || slice_equal(kind, SLICE_LITERAL("psubscribe"))))
		count_answer(pubsub);
}

static bool is_root(const redisReadTask *task)
{
	return !task->parent;
}

static bool is_last(const redisReadTask *task)
{
	return is_root(task->parent) && task->idx == task->parent->elements - 1;
}

static void *handle_element(const redisReadTask *task, const char *bytes, size_t len)
{
	struct pubsub *pubsub = task->privdata;
	struct message *message = &pubsub->message;
	if (is_last(task)) {
		handle_message(pubsub, (struct slice){bytes, len});
		return &parsed;
	}
	if (!is_root(task->parent) || task->idx >= PARTS_MAX)
		return &parsed;
	message->part_at[task->idx] = message->scratch.len;
	message->part_len[task->idx] = len;
	buf_append(&message->scratch, bytes, len);
	return buf_has_failed(&message->scratch) ? NULL : &parsed;
}

static void *on_string(const redisReadTask *task, char *bytes, size_t len)
{
	if (!is_root(task))
		return handle_element(task, bytes, len);
	if (task->type == REDIS_REPLY_ERROR)
		handle_error(task->privdata, bytes, len);
	return &parsed;
}

static void *on_array(const redisReadTask *task, array_size elements)
{
	struct pubsub *pubsub = task->privdata;
	if (!is_root(task))
		return &parsed;
	struct message *message = &pubsub->message;
	buf_shrink(&message->scratch, SCRATCH_KEEP_BYTES);
	message->elements = elements > 0 ? (size_t)elements : 0;
	memset(message->part_len, 0, sizeof message->part_len);
	memset(message->part_at, 0, sizeof message->part_at);
	return &parsed;
}

static void *on_integer(const redisReadTask *task, long long number)
{
	(void)number;
	return is_root(task) ? &parsed : handle_element(task, "", 0);
}

static void *on_nil(const redisReadTask *task)
{
	return is_root(task) ? &parsed : handle_element(task, "", 0);
}

static void on_free(void *object)
{
	(void)object; /* nothing is allocated for what was parsed */
}

static redisReplyObjectFunctions functions = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = on_free,
};

static void on_read_end(void *context)
{
	struct pubsub *pubsub = context;
	pubsub->owner.on_read_end(pubsub->owner.context);
}

static size_t literal_len(struct slice pattern)
{
	size_t len = 0;
	while (len < pattern.len && !strchr("*?[\\", pattern.ptr[len]))
		len++;
	return len;
}

/* Two patterns whose literal beginnings differ match nothing in common. */
static bool may_both_match(struct slice a, struct slice b)
{
	size_t len_a = literal_len(a), len_b = literal_len(b);
	size_t shorter = len_a < len_b ? len_a : len_b;
	return memcmp(a.ptr, b.ptr, shorter) == 0;
}

static void set_channels(struct pubsub *pubsub)
{
	const struct slice channels[] = {
	    pubsub->settings->heartbeat_channel, pubsub->settings->live_channel, pubsub->settings->control_channel};
	for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
		if (channels[i].len > 0)
			pubsub->channels[pubsub->channel_count++] = channels[i];
	}
}

static void set_patterns(struct pubsub *pubsub)
{
	for (size_t i = 0; i < pubsub->settings->pattern_count; i++) {
		struct pattern *pattern = &pubsub->patterns[i];
		pattern->text = pubsub->settings->patterns[i];
		for (size_t before = 0; before < i; before++)
			pattern->may_overlap |= may_both_match(pattern->text, pubsub->patterns[before].text);
	}
}

static enum err send_subscriptions(struct pubsub *pubsub, struct link *link)
{
	for (size_t i = 0; i < subscription_count(pubsub); i++) {
		struct slice name = subscription_name(pubsub, i);
		const char *words[] = {i < pubsub->channel_count ? "SUBSCRIBE" : "PSUBSCRIBE", name.ptr};
		const size_t lens[] = {strlen(words[0]), name.len};
		enum err error = link_stream_send(link, 2, words, lens);
		if (error)
			return error;
	}
	return OK;
}

void pubsub_free(struct pubsub *pubsub)
{
	if (!pubsub)
		return;
	buf_fini(&pubsub->message.scratch);
	free(pubsub);
}

enum err pubsub_start(struct link *link, const struct pubsub_settings *settings, struct pubsub_owner owner,
                      struct pubsub **ret_pubsub)
{
	struct pubsub *pubsub = calloc(1, sizeof *pubsub + settings->pattern_count * sizeof pubsub->patterns[0]);
	if (!pubsub)
		return ERR_NOMEM;
	pubsub->settings = settings;
	pubsub->owner = owner;
	set_channels(pubsub);
	buf_init(&pubsub->message.scratch);
	set_patterns(pubsub);
	const struct link_stream stream = {.functions = &functions, .on_read_end = on_read_end, .context = pubsub};
	enum err error = link_stream(link, &stream);
	if (!error)
		error = send_subscriptions(pubsub, link);
	if (error)
		pubsub_free(pubsub);
	else
		*ret_pubsub = pubsub;
	return error;
}
