#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/process.h"

#define ARGUMENTS_MAX 48
#define PIPELINE 500

struct redis_server {
	uint16_t port;
	char url[64], port_text[8];
	const char *arguments[ARGUMENTS_MAX]; /* the extra ones are borrowed from the test */
	const char *password;
	struct process *process;
	redisContext *context; /* made at the first command after each start */
};

static uint16_t find_free_port(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void fill_arguments(struct redis_server *server, const char *const *extra)
{
	const char *const own[] = {"redis-server", "--port", server->port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly",
				   "no", "--daemonize", "no", "--loglevel", "warning"};
	size_t count = 0;
	for (; count < sizeof own / sizeof own[0]; count++)
		server->arguments[count] = own[count];
	for (; extra && *extra; extra++) {
		ck_assert_uint_lt(count, ARGUMENTS_MAX - 1);
		if (slice_is(slice_of(*extra), "--requirepass"))
			server->password = extra[1];
		server->arguments[count++] = *extra;
	}
}

/* A connection that answers PING, or NULL. */
static redisContext *try_connect(const struct redis_server *server)
{
	redisContext *context = redisConnectWithTimeout("127.0.0.1", server->port, (struct timeval){.tv_sec = 5});
	if (!context || context->err)
		goto fail_connection;
	if (server->password)
		freeReplyObject(redisCommand(context, "AUTH %s", server->password));
	redisReply *pong = redisCommand(context, "PING");
	bool is_good = pong && pong->type != REDIS_REPLY_ERROR;
	freeReplyObject(pong);
	if (!is_good)
		goto fail_connection;
	redisSetTimeout(context, (struct timeval){.tv_sec = DEADLINE_MS / 1000});
	return context;
fail_connection:
	if (context)
		redisFree(context);
	return NULL;
}

/* False when it ended by itself, as with a port that somebody took meanwhile. */
static bool launch(struct redis_server *server)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	server->process = process_start(&(struct process_options){.arguments = server->arguments});
	while (!(server->context = try_connect(server))) {
		ck_assert_msg(deadline_next_look(deadline), "redis-server does not answer on port %d", server->port);
		if (!process_is_running(server->process)) {
			process_free(server->process);
			server->process = NULL;
			return false;
		}
	}
	return true;
}

struct redis_server *redis_server_start(const char *const *extra)
{
	struct redis_server *server = calloc(1, sizeof *server);
	ck_assert_ptr_nonnull(server);
	for (int attempt = 0; attempt < 5; attempt++) {
		server->port = find_free_port();
		snprintf(server->port_text, sizeof server->port_text, "%d", server->port);
		snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%d", server->port);
		fill_arguments(server, extra);
		if (launch(server))
			return server;
	}
	ck_abort_msg("redis-server does not start (is the package redis-server there?)");
	return NULL;
}

static void disconnect(struct redis_server *server)
{
	if (server->context)
		redisFree(server->context);
	server->context = NULL;
}

void redis_server_free(struct redis_server *server)
{
	if (!server)
		return;
	disconnect(server);
	process_free(server->process);
	free(server);
}

uint16_t redis_server_port(const struct redis_server *server)
{
	return server->port;
}

const char *redis_server_url(const struct redis_server *server)
{
	return server->url;
}

void redis_server_stop(struct redis_server *server)
{
	disconnect(server);
	process_free(server->process);
	server->process = NULL;
}

void redis_server_restart(struct redis_server *server)
{
	redis_server_stop(server);
	ck_assert_msg(launch(server), "redis-server does not come back on port %d", server->port);
}

void redis_server_pause(struct redis_server *server)
{
	process_signal(server->process, SIGSTOP);
}

void redis_server_continue(struct redis_server *server)
{
	process_signal(server->process, SIGCONT);
}

static redisReply *run(struct redis_server *server, const char *format, va_list arguments)
{
	ck_assert_ptr_nonnull(server->process);
	redisReply *reply = redisvCommand(server->context, format, arguments);
	ck_assert_msg(reply != NULL, "redis-server: %s: %s", format, server->context->errstr);
	return reply;
}

redisReply *redis_server_command(struct redis_server *server, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	redisReply *reply = run(server, format, arguments);
	va_end(arguments);
	return reply;
}

void redis_server_do(struct redis_server *server, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	redisReply *reply = run(server, format, arguments);
	va_end(arguments);
	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "redis-server: %s: %s", format, reply->str);
	freeReplyObject(reply);
}

static void send_publish(struct redis_server *server, const struct publication *one)
{
	const char *words[] = {"PUBLISH", one->channel.ptr ? one->channel.ptr : "", one->payload.ptr ? one->payload.ptr : ""};
	size_t lengths[] = {7, one->channel.len, one->payload.len};
	ck_assert_int_eq(redisAppendCommandArgv(server->context, 3, words, lengths), REDIS_OK);
}

static long long receive_receivers(struct redis_server *server)
{
	void *reply = NULL;
	ck_assert_msg(redisGetReply(server->context, &reply) == REDIS_OK, "redis-server: PUBLISH: %s", server->context->errstr);
	long long receivers = ((redisReply *)reply)->integer;
	ck_assert_int_eq(((redisReply *)reply)->type, REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
	return receivers;
}

long long redis_server_publish(struct redis_server *server, struct slice channel, struct slice payload)
{
	send_publish(server, &(struct publication){channel, payload});
	return receive_receivers(server);
}

void redis_server_publish_many(struct redis_server *server, const struct publication *publications, size_t count)
{
	for (size_t done = 0; done < count;) {
		size_t some = count - done < PIPELINE ? count - done : PIPELINE;
		for (size_t i = 0; i < some; i++)
			send_publish(server, &publications[done + i]);
		for (size_t i = 0; i < some; i++)
			receive_receivers(server);
		done += some;
	}
}
