/* A redis-server of the test's own on a free loopback port, without persistence. Dies with the test. Whatever it cannot do
 * fails the test. Used by one thread. */
#ifndef TESTS_SUPPORT_REDIS_SERVER_H
#define TESTS_SUPPORT_REDIS_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct redis_server;

struct publication {
	struct slice channel, payload; /* borrowed */
};

/* extra: more arguments ("--requirepass", "secret"), NULL at their end; NULL: none. Gives it back when it answers. With a
 * password as the last "--requirepass" argument, commands log in by themselves. */
struct redis_server *redis_server_start(const char *const *extra);
void redis_server_free(struct redis_server *server); /* NULL is fine */

uint16_t redis_server_port(const struct redis_server *server);
const char *redis_server_url(const struct redis_server *server); /* "redis://127.0.0.1:40000"; lives with the server */

void redis_server_stop(struct redis_server *server);     /* at once; its port stays reserved for restart */
void redis_server_restart(struct redis_server *server);  /* the same port and arguments, empty, when it answers */
void redis_server_pause(struct redis_server *server);    /* SIGSTOP: sockets stay open, nothing answers */
void redis_server_continue(struct redis_server *server);

/* A command, printf-like as hiredis takes it. The reply is the caller's (freeReplyObject) and may be an error. */
redisReply *redis_server_command(struct redis_server *server, const char *format, ...) MUST_USE;
/* The same for commands that must succeed and whose reply nobody needs. */
void redis_server_do(struct redis_server *server, const char *format, ...);

/* PUBLISH; gives the number of receivers. */
long long redis_server_publish(struct redis_server *server, struct slice channel, struct slice payload);
/* Many of them in a few round trips, in order. */
void redis_server_publish_many(struct redis_server *server, const struct publication *publications, size_t count);

#endif
