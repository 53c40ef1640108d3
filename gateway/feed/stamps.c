#include "gateway/feed/stamps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/decimal.h"

#define LENGTH_DIGITS_MAX 9 /* of a channel name */

static bool take_char(struct slice *text, char expected)
{
	if (text->len == 0 || text->ptr[0] != expected)
		return false;
	text->ptr++;
	text->len--;
	return true;
}

/* What stands before the next end, which is taken too. */
static bool take_until(struct slice *text, char end, struct slice *ret_word)
{
	const char *at = text->len ? memchr(text->ptr, end, text->len) : NULL;
	if (!at)
		return false;
	*ret_word = (struct slice){text->ptr, (size_t)(at - text->ptr)};
	text->ptr += ret_word->len + 1;
	text->len -= ret_word->len + 1;
	return true;
}

static bool take_id(struct slice *text, char end, struct record_id *ret_id)
{
	struct slice word;
	return take_until(text, end, &word) && record_id_parse(word, ret_id) == OK;
}

static bool take_epoch(struct slice *text, uint64_t *ret_epoch)
{
	struct slice word;
	return take_until(text, ' ', &word) && epoch_parse(word, ret_epoch) == OK;
}

static bool take_hash(struct slice *text, struct hash128 *ret_hash)
{
	if (text->len < sizeof ret_hash->bytes)
		return false;
	memcpy(ret_hash->bytes, text->ptr, sizeof ret_hash->bytes);
	text->ptr += sizeof ret_hash->bytes;
	text->len -= sizeof ret_hash->bytes;
	return true;
}

static bool take_length(struct slice *text, size_t *ret_length)
{
	struct slice word;
	uint64_t length;
	if (!take_until(text, '\n', &word) || word.len > LENGTH_DIGITS_MAX || !decimal_read(word, SIZE_MAX, &length))
		return false;
	*ret_length = (size_t)length;
	return true;
}

/* rest becomes the id with the space behind it: stamps_next() reads it. */
static bool read_published(struct slice text, struct stamps *stamps)
{
	struct slice id = text;
	struct record_id ignored;
	size_t channel_len;
	if (!take_id(&text, ' ', &ignored))
		return false;
	id.len -= text.len;
	if (!take_length(&text, &channel_len) || channel_len > text.len)
		return false;
	stamps->rest = id;
	stamps->channel = (struct slice){text.ptr, channel_len};
	stamps->payload = (struct slice){text.ptr + channel_len, text.len - channel_len};
	return true;
}

static bool read_fence(struct slice text, struct stamps *stamps)
{
	return take_until(&text, '\n', &stamps->token) && stamps->token.len && text.len == 0;
}

static bool read_question(struct slice text, struct stamps *stamps)
{
	if (!take_until(&text, '\n', &stamps->token) || !stamps->token.len)
		return false;
	return text.len == 0 ||
	       (take_hash(&text, &stamps->oldest) && decimal_read(text, UINT64_MAX, &stamps->alike) && stamps->alike);
}

static bool read_recorded(struct slice text, struct stamps *stamps)
{
	stamps->rest = text;
	return text.len != 0;
}

enum err stamps_read(struct slice message, struct stamps *ret_stamps)
{
	static const struct {
		char letter, end_of_before;
		bool (*read)(struct slice text, struct stamps *stamps);
	} kinds[] = {
	    [STAMPS_RECORDED] = {'S', '\n', read_recorded},
	    [STAMPS_PUBLISHED] = {'P', ' ', read_published},
	    [STAMPS_FENCE] = {'F', ' ', read_fence},
	    [STAMPS_QUESTION] = {'Q', ' ', read_question},
	};
	for (enum stamps_kind kind = STAMPS_RECORDED; kind <= STAMPS_QUESTION; kind++) {
		struct stamps stamps = {.kind = kind};
		struct slice text = message;
		if (!take_char(&text, kinds[kind].letter))
			continue;
		if (!take_char(&text, ' ') || !take_epoch(&text, &stamps.epoch) ||
		    !take_id(&text, kinds[kind].end_of_before, &stamps.before) || !kinds[kind].read(text, &stamps))
			return ERR_INVALID;
		*ret_stamps = stamps;
		return OK;
	}
	return ERR_INVALID;
}

bool stamps_next(struct stamps *stamps, struct stamp *ret_stamp, enum err *ret_error)
{
	struct stamp stamp;
	struct slice *rest = &stamps->rest;
	*ret_error = OK;
	if (rest->len == 0)
		return false;
	*ret_error = ERR_INVALID;
	if (stamps->kind == STAMPS_RECORDED) {
		if (!take_hash(rest, &stamp.hash))
			return false;
	} else {
		stamp.hash = stamp_hash(stamps->epoch, stamps->channel, stamps->payload);
	}
	if (!take_id(rest, stamps->kind == STAMPS_RECORDED ? '\n' : ' ', &stamp.id) ||
	    record_id_compare(stamp.id, stamps->before) <= 0)
		return false;
	stamps->before = stamp.id;
	*ret_error = OK;
	*ret_stamp = stamp;
	return true;
}

size_t stamps_write_oldest(char out[QUESTION_MAX], struct hash128 oldest, uint64_t alike)
{
	memcpy(out, oldest.bytes, sizeof oldest.bytes);
	return sizeof oldest.bytes +
	       (size_t)snprintf(out + sizeof oldest.bytes, QUESTION_MAX - sizeof oldest.bytes, "%" PRIu64, alike);
}

struct hash128 stamp_hash(uint64_t epoch, struct slice channel, struct slice payload)
{
	return hash128(payload, hash64(channel, epoch));
}
