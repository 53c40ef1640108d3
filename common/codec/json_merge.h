/* JSON Merge Patch (RFC 7396): applied to a document, and made of two. Texts keep their spelling: 1.0 and 1 are different.
 * Pure. */
#ifndef COMMON_CODEC_JSON_MERGE_H
#define COMMON_CODEC_JSON_MERGE_H

#include "common/codec/json_document.h"

/* Merges nodes[at] of the patch, which is an object, into an object of the document; same seed. Merged into an empty one it
 * is the patch without what is null. False: no memory, the object is merged in part. */
bool json_merge(struct json_document *document, struct json_object *object, const struct json_flat *patch,
                size_t at) MUST_USE;

/* Appends the patch that makes "to" of "from"; documents of one seed. Exact where no object holds null, as is the case for what
 * json_merge() made. */
void json_diff(const struct json_object *from, const struct json_object *to, struct buf *out);

#endif
