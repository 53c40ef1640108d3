/* A base and what follows it: taken as a delta against it, which may only be refused or make what it says; and as a target,
 * whose delta must make it again. The first two bytes say where the base ends. */
#include <stdint.h>
#include <stdlib.h>

#include "common/codec/fossil_delta.h"
#include "common/codec/json.h"

#define LIMIT ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void judge(struct slice base, struct slice target, bool keeps_characters)
{
	struct fossil_encoder encoder;
	struct buf delta, again;
	fossil_encoder_init(&encoder);
	buf_init(&delta);
	buf_init(&again);
	if (fossil_encode(&encoder, base, target, keeps_characters, &delta)) {
		check(delta.len < target.len);
		check(fossil_apply(base, buf_slice(&delta), target.len, &again) == OK);
		check(slice_equal(buf_slice(&again), target));
		check(!keeps_characters || !json_is_utf8(target) || json_is_utf8(buf_slice(&delta)));
	}
	buf_fini(&delta);
	buf_fini(&again);
	fossil_encoder_fini(&encoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len < 2)
		return 0;
	const char *text = (const char *)bytes + 2;
	size_t left = len - 2, cut = (size_t)bytes[0] << 8 | bytes[1];
	cut = cut < left ? cut : left;
	struct slice base = {text, cut}, rest = {text + cut, left - cut};
	struct buf out;
	buf_init(&out);
	if (fossil_apply(base, rest, LIMIT, &out) == OK)
		check(out.len <= LIMIT);
	else
		check(out.len == 0);
	buf_fini(&out);
	judge(base, rest, true);
	judge(base, rest, false);
	return 0;
}
