/* A telling is a message that nobody asked for: a notice, a gap, the end of a replay. Its tree is made in the arena of the exchange, and
 * given back when it is sent: however many clients are told something in one turn, that takes the memory of one. Between its begin and
 * its end others may be told something too.
 * Life: telling_begin() or telling_begin_notice(), telling_put_...(), then one of telling_send() and telling_write(). Private to this
 * room. */
#ifndef GATEWAY_SESSION_TELLING_H
#define GATEWAY_SESSION_TELLING_H

#include "common/base/arena.h"
#include "common/protocol/log.h"
#include "common/protocol/value.h"

struct session;

struct telling {
	struct session *session;
	struct arena *arena; /* for its values */
	struct arena_mark mark;
	struct value *map; /* NULL: no memory, which closes the session in the end */
};

struct telling telling_begin(struct session *session, const char *op) MUST_USE;
struct telling telling_begin_notice(struct session *session, const char *code) MUST_USE; /* {"op":"notice","code":...} */
/* Texts are borrowed until it is sent. */
void telling_put(struct telling *telling, const char *name, struct value *value); /* value NULL: no memory */
void telling_put_text(struct telling *telling, const char *name, const char *text);
void telling_put_id(struct telling *telling, const char *name, struct record_id id); /* null for zero */

/* A gap, of the member "sub" or "replay"; its "after" is put between the two. before zero, dropped 0: not known. */
struct telling telling_begin_gap(struct session *session, const char *member, const char *key) MUST_USE;
void telling_end_gap(struct telling *gap, struct record_id before, uint64_t dropped, const char *reason);

void telling_send(const struct telling *telling);  /* at once, or behind what waits */
void telling_write(const struct telling *telling); /* ahead of what waits; the port is clear, the session open */

#endif
