/* What a client offers in one or more fields. What is chosen for it is an offer that is chosen again, in the same words. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/deflate.h"
#include "gateway/http/deflate_offer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* The lines are values of fields. */
static struct deflate_terms choose(struct slice text)
{
	static struct head head;
	head.field_count = 0;
	while (text.len && head.field_count < HEAD_FIELDS_MAX) {
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;
		head.fields[head.field_count++] = (struct head_field){SLICE_LITERAL("Sec-WebSocket-Extensions"), {text.ptr, len}};
		len += end != NULL;
		text = (struct slice){text.ptr + len, text.len - len};
	}
	return deflate_offer_choose(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char offer[sizeof "permessage-deflate; " + DEFLATE_TERMS_MAX];
	struct deflate_terms terms = choose((struct slice){(const char *)bytes, len});
	if (!terms.server_bits)
		return 0;
	check(terms.server_bits >= DEFLATE_BITS_MIN && terms.server_bits <= DEFLATE_BITS_MAX);
	snprintf(offer, sizeof offer, "permessage-deflate; %s", terms.parameters);
	struct deflate_terms again = choose(slice_of(offer));
	check(again.server_bits == terms.server_bits && strcmp(again.parameters, terms.parameters) == 0);
	return 0;
}
