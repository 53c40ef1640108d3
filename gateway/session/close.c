#include "gateway/session/close.h"

static const struct {
	uint16_t code;
	const char *name, *reason;
} causes[CLOSE_CAUSES] = {
#define CLOSE(id, number, label, text) [id] = {.code = (number), .name = (label), .reason = (text)},
#include "gateway/session/close.def"
#undef CLOSE
};

uint16_t close_code(enum close_cause cause)
{
	return causes[cause].code;
}

const char *close_name(enum close_cause cause)
{
	return causes[cause].name;
}

const char *close_reason(enum close_cause cause)
{
	return causes[cause].reason;
}
