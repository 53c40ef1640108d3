/* Why a connection ends: one table for the close code, the reason that the peer reads, the log field and the metric. */
#ifndef GATEWAY_SESSION_CLOSE_H
#define GATEWAY_SESSION_CLOSE_H

#include <stdint.h>

enum close_cause {
#define CLOSE(id, code, name, reason) id,
#include "gateway/session/close.def"
#undef CLOSE
	CLOSE_CAUSES
};

uint16_t close_code(enum close_cause cause);      /* 0: the peer went by itself */
const char *close_name(enum close_cause cause);   /* "draining" */
const char *close_reason(enum close_cause cause); /* a short English sentence */

#endif
