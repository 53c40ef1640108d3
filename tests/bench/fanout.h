/* The yardstick's clients and who gets what: a group is everybody who wants the same, its events are collected in one
 * frame, and each member costs one send() of that frame. What a full socket does not take is kept for that client up to
 * a bound; beyond it the client is dropped and counted. One thread. */
#ifndef TESTS_BENCH_FANOUT_H
#define TESTS_BENCH_FANOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"

#define FANOUT_PENDING_MAX ((size_t)1 << 20) /* bytes kept for a client whose socket is full */
#define FANOUT_GROUPS_MAX 16384

struct group;

struct client {
	int fd;
	bool is_upgraded, is_dead, waits_writable;
	struct group *group; /* NULL: it has not subscribed */
	size_t place;        /* in the group */
	char *pending;
	size_t pending_len, pending_capacity;
	struct client *next_dead;
};

struct fanout {
	int epoll_fd;
	struct group *groups[FANOUT_GROUPS_MAX]; /* a hash table by session; "" wants everything */
	struct group *everything;
	struct group **touched; /* groups with events that are not sent yet */
	size_t touched_count, group_count;
	struct client *dead;
	uint64_t dropped; /* clients that were too slow */
};

void fanout_init(struct fanout *fanout, int epoll_fd);
void fanout_join(struct fanout *fanout, struct client *client, struct slice session);
void fanout_event(struct fanout *fanout, struct slice channel, struct slice payload, struct slice ts_digits);
void fanout_flush(struct fanout *fanout); /* sends what is collected */

void client_send(struct fanout *fanout, struct client *client, const char *bytes, size_t len);
void client_writable(struct fanout *fanout, struct client *client);
void client_kill(struct fanout *fanout, struct client *client); /* the memory lives until fanout_bury() */
void fanout_bury(struct fanout *fanout);                        /* at the end of a turn */

#endif
