#include "common/data/blob.h"

#include <stdlib.h>
#include <string.h>

struct blob *blob_new(const void *bytes, size_t len)
{
	if (len > SIZE_MAX - sizeof(struct blob))
		return NULL;
	struct blob *blob = malloc(sizeof *blob + len);
	if (!blob)
		return NULL;
	refcount_init(&blob->refs);
	blob->len = len;
	if (len)
		memcpy(blob->bytes, bytes, len);
	return blob;
}

struct blob *blob_ref(struct blob *blob)
{
	refcount_take(&blob->refs);
	return blob;
}

void blob_unref(struct blob *blob)
{
	if (blob && refcount_drop(&blob->refs))
		free(blob);
}
