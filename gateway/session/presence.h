/* Tells the fleet on system:<node> that a client came, once it is known who it is, and that it went (docs/protocol.md); silent unless
 * system.clients is on. The events are published through the log's script like those of clients, without waiting for an answer: where
 * Redis is away, or more wait than history.requests, they are lost. */
#ifndef GATEWAY_SESSION_PRESENCE_H
#define GATEWAY_SESSION_PRESENCE_H

struct session;

void presence_connected(struct session *session);    /* its bearer has grants; the second time it does nothing */
void presence_disconnected(struct session *session); /* does nothing where the first was not told */

#endif
