#include "common/base/err.h"

const char *err_name(enum err error)
{
	switch (error) {
	case OK: return "ok";
	case ERR_NOMEM: return "out of memory";
	case ERR_INVALID: return "malformed input";
	case ERR_RANGE: return "out of range";
	case ERR_LIMIT: return "limit reached";
	case ERR_NOTFOUND: return "not found";
	case ERR_EXISTS: return "exists already";
	case ERR_DENIED: return "not permitted";
	case ERR_UNSUPPORTED: return "not supported";
	case ERR_AGAIN: return "not yet";
	case ERR_TIMEOUT: return "timed out";
	case ERR_CLOSED: return "closed";
	case ERR_IO: return "input/output error";
	}
	return "unknown error";
}
