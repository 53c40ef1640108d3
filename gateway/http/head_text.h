/* Writes the fields of an HTTP/2 request as the head of an HTTP/1.1 request, so that heads are read and judged in one place
 * (head.h), whatever brought them (RFC 9113 section 8.3). What could be read differently there than it was meant here is refused.
 * Pure. */
#ifndef GATEWAY_HTTP_HEAD_TEXT_H
#define GATEWAY_HTTP_HEAD_TEXT_H

#include <stdbool.h>

#include "common/base/slice.h"
#include "common/data/buf.h"

struct head_text {
	struct buf fields;      /* lines of HTTP/1.1 */
	struct buf method, path, authority;
	bool has_authority, is_bad;
};

void head_text_init(struct head_text *text);
void head_text_fini(struct head_text *text);
/* One field, pseudo-fields included, in the order they came. */
void head_text_add(struct head_text *text, struct slice name, struct slice value);
/* Appends the whole head. False: a field held what no line can hold, or there is no memory. */
bool head_text_write(const struct head_text *text, struct buf *out);

#endif
