/* What the log says of a session's connection, whatever carries it. Its lines, like all about a connection, have the address of the client:
 * behind trusted proxies not that of the proxy but whom it speaks for (gateway/http/forwarded.h). */
#ifndef GATEWAY_WIRE_CONNECTION_LOG_H
#define GATEWAY_WIRE_CONNECTION_LOG_H

struct ip;
struct session;

/* Without a session (NULL) nothing is said. */
void connection_log_opened(const struct session *session, const struct ip *address);
void connection_log_closed(const struct session *session, const struct ip *address); /* while the session is there still */

#endif
