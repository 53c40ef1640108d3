/* Chooses the permessage-deflate (RFC 7692) of a WebSocket connection from what its client offers. Neither side keeps a context
 * from one message to the next: so frames are shared, and no client costs a window. Pure. */
#ifndef GATEWAY_HTTP_DEFLATE_OFFER_H
#define GATEWAY_HTTP_DEFLATE_OFFER_H

#include "gateway/http/head.h"

#define DEFLATE_TERMS_MAX 128 /* bytes of the longest answer, with its NUL */

struct deflate_terms {
	unsigned server_bits; /* the window for what the gateway sends, DEFLATE_BITS_MIN to _MAX; 0: nothing is compressed either way */
	/* What Sec-WebSocket-Extensions of the answer says behind "permessage-deflate; ". */
	char parameters[DEFLATE_TERMS_MAX];
};

/* The first offer that can be met, over all fields in their order. What is no offer is passed over, as is one with a parameter that
 * is unknown, given twice, or has a value that it must not have; and one of a window of 8 bits, which zlib cannot write. */
struct deflate_terms deflate_offer_choose(const struct head *head);

#endif
