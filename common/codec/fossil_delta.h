/* Deltas in the format of Fossil (https://fossil-scm.org/home/doc/trunk/www/delta_format.wiki): how a target is made from a base,
 * by copies of parts of the base and by new bytes, with the size and a checksum of the target.
 *   <size>\n  then  <count>@<offset>,  or  <count>:<bytes>  any number of times, then  <checksum>;
 * Numbers are in base 64, digits 0-9 A-Z _ a-z ~, of 32 bits. Pure; an encoder is scratch memory that belongs to one thread. */
#ifndef COMMON_CODEC_FOSSIL_DELTA_H
#define COMMON_CODEC_FOSSIL_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/data/buf.h"

struct fossil_encoder {
	uint32_t *slots; /* where in the base the blocks of a hash are; kept from one delta to the next */
	size_t capacity;
};

void fossil_encoder_init(struct fossil_encoder *encoder);
void fossil_encoder_fini(struct fossil_encoder *encoder);

/* Appends a delta that makes target from base. False: it would not be smaller than the target, one of them has more than
 * 2^31-1 bytes, or there is no memory; out is as it was.
 * keeps_characters: no new bytes begin or end inside a UTF-8 character of the target, so that the delta is UTF-8 where the
 * target is. */
bool fossil_encode(struct fossil_encoder *encoder, struct slice base, struct slice target, bool keeps_characters,
		   struct buf *out) MUST_USE;

/* Appends the target. ERR_INVALID: that is no delta, or not against this base: it copies what the base does not have, makes
 * more or less than it says, or its checksum differs. ERR_LIMIT: it says that it makes more than limit bytes. ERR_NOMEM.
 * In all of them out is as it was. */
enum err fossil_apply(struct slice base, struct slice delta, size_t limit, struct buf *out) MUST_USE;

uint32_t fossil_checksum(struct slice bytes);

#endif
