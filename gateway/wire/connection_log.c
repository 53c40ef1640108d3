#include "gateway/wire/connection_log.h"

#include "common/base/log.h"
#include "gateway/session/session.h"

#define ROOM "wire"

void connection_log_opened(const struct session *session, const struct ip *address)
{
	if (session)
		log_debug(ROOM, "connection opened", log_int("session", session_id(session)), log_ip("address", address));
}

void connection_log_closed(const struct session *session, const struct ip *address)
{
	if (session)
		log_debug(ROOM, "connection closed", log_int("session", session_id(session)),
			  log_text("cause", close_name(session_cause(session))), log_int("closeCode", close_code(session_cause(session))),
			  log_ip("address", address));
}
