#include "gateway/session/system_event.h"

#include <inttypes.h>

#include "common/base/clock.h"
#include "common/codec/json.h"
#include "gateway/filter/filter.h"

void system_event_write(struct buf *channel, struct buf *payload, const char *node, const char *type, struct slice more)
{
	buf_append_text(channel, FILTER_SYSTEM_PREFIX);
	buf_append_text(channel, node);
	buf_printf(payload, "{\"type\":\"%s\",\"node\":", type);
	json_append_string(payload, slice_of(node));
	buf_printf(payload, ",\"at\":%" PRIu64, clock_wall_ms());
	buf_append_slice(payload, more);
	buf_append_char(payload, '}');
}
