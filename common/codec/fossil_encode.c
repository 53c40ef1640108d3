/* Making a delta. What base and target have in common at both ends is copied; between that, blocks of the base are looked up
 * by a hash wherever the target has not been covered, and equal bytes grow in both directions from there. Behind a copy the
 * place that follows it in the base is tried first: where one value took the place of another of the same length, texts go on
 * in step. */
#include <stdlib.h>

#include "common/codec/fossil_delta.h"

#define BYTES_MAX ((size_t)INT32_MAX)
#define BLOCK sizeof(uint64_t) /* bytes that are looked up at once */
#define STRIDE 4               /* from one block of the base that is kept to the next */
#define STRIDE_OF_LONG 16      /* the same in a base of more than LONG_BYTES */
#define LONG_BYTES ((size_t)64 * 1024)
#define SLOTS_MIN 64
#define SLOTS_KEPT ((size_t)64 * 1024) /* the memory of more is given back */
#define COPY_GAIN_MIN 3                /* bytes: the new bytes around a copy become two segments for it */
#define CHECKSUM_BYTES_MAX 7           /* with what ends it */
#define HASTE_SHIFT 6                  /* the longer nothing is found, the wider are the steps */

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

void fossil_encoder_init(struct fossil_encoder *encoder)
{
	*encoder = (struct fossil_encoder){NULL, 0};
}

void fossil_encoder_fini(struct fossil_encoder *encoder)
{
	free(encoder->slots);
	fossil_encoder_init(encoder);
}

/* A delta that is being made: it has everything of the target before done, and what would follow the last copy in the base
 * is at base_done. */
struct making {
	struct slice base, target;
	bool keeps_characters, has_failed;
	struct buf *out;
	size_t start, done, base_done;
	uint32_t *slots; /* one more than where a block of that hash is; 0: there is none */
	size_t mask;
};

/* What is searched: target from at to end, in base from from to end. */
struct middle {
	size_t base_from, base_end, at, end;
};

static size_t count_digits(size_t number)
{
	size_t count = 1;
	while (number >>= 6)
		count++;
	return count;
}

static void put_number(struct buf *out, size_t number, char behind)
{
	char text[12];
	size_t count = count_digits(number);
	text[count] = behind;
	for (size_t at = count; at-- > 0; number >>= 6)
		text[at] = digits[number & 63];
	buf_append(out, text, count + 1);
}

/* The new bytes up to there, unless the delta gets too long with them. */
static void put_new(struct making *making, size_t end)
{
	size_t count = end - making->done, spent = making->out->len - making->start;
	if (spent + count + CHECKSUM_BYTES_MAX >= making->target.len) {
		making->has_failed = true;
		return;
	}
	if (count) {
		put_number(making->out, count, ':');
		buf_append(making->out, making->target.ptr + making->done, count);
	}
	making->done = end;
}

static bool is_inside_character(const struct making *making, size_t at)
{
	return making->keeps_characters && at < making->target.len && ((unsigned char)making->target.ptr[at] & 0xC0) == 0x80;
}

/* Copies as much of these equal bytes as is worth it. False: nothing is. */
static bool put_copy(struct making *making, size_t base_at, size_t target_at, size_t count)
{
	for (; count && is_inside_character(making, target_at); count--, target_at++)
		base_at++;
	while (count && is_inside_character(making, target_at + count))
		count--;
	if (count < count_digits(count) + count_digits(base_at) + 2 + COPY_GAIN_MIN)
		return false;
	put_new(making, target_at);
	if (making->has_failed)
		return true;
	put_number(making->out, count, '@');
	put_number(making->out, base_at, ',');
	making->done = target_at + count;
	making->base_done = base_at + count;
	return true;
}

static uint64_t load(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t count_equal(const char *a, const char *b, size_t limit)
{
	size_t count = 0;
	while (limit - count >= BLOCK && load(a + count) == load(b + count))
		count += BLOCK;
	while (count < limit && a[count] == b[count])
		count++;
	return count;
}

/* The same from the ends backwards. */
static size_t count_equal_back(const char *a, const char *b, size_t limit)
{
	size_t count = 0;
	while (limit - count >= BLOCK && load(a - count - BLOCK) == load(b - count - BLOCK))
		count += BLOCK;
	while (count < limit && *(a - count - 1) == *(b - count - 1))
		count++;
	return count;
}

/* Multiplicative hashing (Knuth, The Art of Computer Programming, 6.4): the high bits of the product are well mixed. */
static size_t slot_of(const struct making *making, const char *block)
{
	return (size_t)(load(block) * UINT64_C(0x9E3779B97F4A7C15) >> 32) & making->mask;
}

static bool reserve_slots(struct fossil_encoder *encoder, size_t count)
{
	if (count <= encoder->capacity && encoder->capacity <= SLOTS_KEPT)
		return true;
	if (count == encoder->capacity)
		return true;
	uint32_t *slots = realloc(encoder->slots, count * sizeof *slots);
	if (!slots)
		return false;
	encoder->slots = slots;
	encoder->capacity = count;
	return true;
}

/* Of equal blocks the first one is kept. */
static bool keep_blocks(struct making *making, struct fossil_encoder *encoder, const struct middle *middle)
{
	size_t len = middle->base_end - middle->base_from, stride = len > LONG_BYTES ? STRIDE_OF_LONG : STRIDE;
	size_t count = (len - BLOCK) / stride + 1, slots = SLOTS_MIN;
	while (slots < count * 2)
		slots *= 2;
	if (!reserve_slots(encoder, slots))
		return false;
	making->slots = encoder->slots;
	making->mask = slots - 1;
	memset(making->slots, 0, slots * sizeof *making->slots);
	while (count-- > 0) {
		size_t at = middle->base_from + count * stride;
		making->slots[slot_of(making, making->base.ptr + at)] = (uint32_t)at + 1;
	}
	return true;
}

/* Copies what is equal around these places, if a block is there. False: nothing. */
static bool copy_around(struct making *making, const struct middle *middle, size_t base_at, size_t at)
{
	const char *base = making->base.ptr + base_at, *target = making->target.ptr + at;
	if (load(base) != load(target))
		return false;
	size_t back = count_equal_back(base, target, smaller(base_at, at - making->done));
	size_t count = count_equal(base, target, smaller(making->base.len - base_at, middle->end - at));
	return put_copy(making, base_at - back, at - back, back + count);
}

/* Where the target would go on in the base as it did behind the last copy. */
static bool copy_in_step(struct making *making, const struct middle *middle, size_t at)
{
	size_t base_at = making->base_done + (at - making->done);
	return base_at + BLOCK <= making->base.len && copy_around(making, middle, base_at, at);
}

static bool copy_known(struct making *making, const struct middle *middle, size_t at)
{
	uint32_t slot = making->slots[slot_of(making, making->target.ptr + at)];
	return slot && copy_around(making, middle, slot - 1, at);
}

static void search(struct making *making, const struct middle *middle)
{
	size_t at = middle->at;
	while (at + BLOCK <= middle->end && !making->has_failed) {
		if (copy_in_step(making, middle, at) || copy_known(making, middle, at))
			at = making->done;
		else
			at += 1 + ((at - making->done) >> HASTE_SHIFT);
	}
}

/* False: no memory, or it cannot get smaller than the target. */
static bool put_segments(struct making *making, struct fossil_encoder *encoder)
{
	struct slice base = making->base, target = making->target;
	size_t shorter = smaller(base.len, target.len), front = count_equal(base.ptr, target.ptr, shorter);
	size_t back = count_equal_back(base.ptr + base.len, target.ptr + target.len, shorter - front);
	if (!put_copy(making, 0, 0, front))
		front = 0;
	struct middle middle = {front, base.len - back, front, target.len - back};
	if (middle.base_end - middle.base_from >= BLOCK && middle.end - middle.at >= BLOCK) {
		if (!keep_blocks(making, encoder, &middle))
			return false;
		search(making, &middle);
	}
	if (!making->has_failed && back)
		put_copy(making, base.len - back, target.len - back, back);
	if (!making->has_failed)
		put_new(making, target.len);
	return !making->has_failed;
}

bool fossil_encode(struct fossil_encoder *encoder, struct slice base, struct slice target, bool keeps_characters,
		   struct buf *out)
{
	if (base.len < BLOCK || target.len < BLOCK || base.len > BYTES_MAX || target.len > BYTES_MAX || out->failed)
		return false;
	struct making making = {
		.base = base,
		.target = target,
		.keeps_characters = keeps_characters,
		.out = out,
		.start = out->len,
	};
	put_number(out, target.len, '\n');
	if (put_segments(&making, encoder)) {
		put_number(out, fossil_checksum(target), ';');
		if (!out->failed && out->len - making.start < target.len)
			return true;
	}
	out->len = making.start;
	out->failed = false;
	return false;
}
