/* An order to disconnect, as the admin port and as the control channel bring it: what is taken is told on as the same order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http/disconnect.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct disconnect order, told;
	char why[DISCONNECT_WHY] = "", from[DISCONNECT_FROM_LEN + 1];
	struct slice text = {(const char *)bytes, len};
	bool is_order = disconnect_read(text, &order, why) == OK || disconnect_read_told(text, &order, from, why) == OK;
	if (!is_order)
		return 0;
	struct buf out;
	buf_init(&out);
	disconnect_write_told(&out, &order, "0123456789abcdef");
	if (disconnect_read_told(buf_slice(&out), &told, from, why) != OK || strcmp(told.identity, order.identity) != 0 ||
	    strcmp(told.node, order.node) != 0 || strcmp(told.reason, order.reason) != 0 || told.client != order.client)
		abort();
	buf_fini(&out);
	return 0;
}
