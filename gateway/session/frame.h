/* The last step of every message: what its client gets of it. In front of the payload comes the header of the front's frame; where the
 * client takes that, and it is worth it, the payload is compressed. So a batch is compressed once for all of its cohort. */
#ifndef GATEWAY_SESSION_FRAME_H
#define GATEWAY_SESSION_FRAME_H

#include <stddef.h>

#include "common/base/slice.h"
#include "gateway/session/front.h"

struct exchange;

/* Makes the frame where the payload is, in front of which FRONT_HEADROOM bytes are free. */
struct slice frame_finish(struct exchange *exchange, const struct front *front, char *payload, size_t len);

#endif
