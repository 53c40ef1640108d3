/* A session whose client brought another credential: what it asked for before goes on as far as the new grants let it. Subscriptions
 * keep their key and their place, and get what is left of their wish from there on; what may not go on at all is ended, and the client
 * told by a notice. Private to this room. */
#ifndef GATEWAY_SESSION_REGRANT_H
#define GATEWAY_SESSION_REGRANT_H

struct grants;
struct session;

/* former: the grants until now; the session has the new ones already. */
void regrant(struct session *session, const struct grants *former);

#endif
