#include "tests/bench/fanout.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/net.h"

#define NAME_MAX_LEN 64
/* The key has the length of the gateway's, so that both send the same number of bytes. */
static const char message_head[] = "{\"op\":\"events\",\"sub\":\"0123456789abcdef\",\"events\":[";
#define HEAD_LEN (sizeof message_head - 1)
#define ELEMENT_OVERHEAD 64 /* of an event beside channel and payload, at most */

struct group {
	char name[NAME_MAX_LEN];
	size_t name_len;
	struct client **members;
	size_t count, capacity;
	char *frame; /* NET_HEADER_MAX bytes for the header, the head, the elements */
	size_t frame_len, frame_capacity;
};

static size_t hash(struct slice text)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < text.len; i++)
		sum = (sum ^ (unsigned char)text.ptr[i]) * UINT64_C(0x100000001b3);
	return (size_t)sum;
}

/* The slot of a session: its group, or NULL where it would be. */
static struct group **find_slot(struct fanout *fanout, struct slice session)
{
	for (size_t i = hash(session);; i++) {
		struct group **slot = &fanout->groups[i % FANOUT_GROUPS_MAX];
		if (!*slot || slice_equal((struct slice){(*slot)->name, (*slot)->name_len}, session))
			return slot;
	}
}

static struct group *new_group(struct fanout *fanout, struct slice session)
{
	if (session.len > NAME_MAX_LEN || fanout->group_count == FANOUT_GROUPS_MAX / 2) {
		errno = 0;
		die("too many or too long sessions");
	}
	struct group *group = must(calloc(1, sizeof *group));
	if (session.len)
		memcpy(group->name, session.ptr, session.len);
	group->name_len = session.len;
	fanout->group_count++;
	return group;
}

void fanout_init(struct fanout *fanout, int epoll_fd)
{
	*fanout = (struct fanout){.epoll_fd = epoll_fd};
	fanout->touched = must(calloc(FANOUT_GROUPS_MAX, sizeof(struct group *)));
	fanout->everything = new_group(fanout, SLICE_NONE);
}

void fanout_join(struct fanout *fanout, struct client *client, struct slice session)
{
	struct group *group = fanout->everything;
	if (session.len) {
		struct group **slot = find_slot(fanout, session);
		if (!*slot)
			*slot = new_group(fanout, session);
		group = *slot;
	}
	if (group->count == group->capacity) {
		group->capacity = group->capacity ? group->capacity * 2 : 16;
		group->members = must(realloc(group->members, group->capacity * sizeof(struct client *)));
	}
	client->group = group;
	client->place = group->count;
	group->members[group->count++] = client;
}

static char *append(char *at, const char *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static void collect(struct fanout *fanout, struct group *group, struct slice channel, struct slice payload,
                    struct slice ts)
{
	if (!group->count)
		return;
	size_t needed = group->frame_len + NET_HEADER_MAX + HEAD_LEN + channel.len + payload.len + ELEMENT_OVERHEAD;
	if (needed > group->frame_capacity) {
		group->frame_capacity = needed * 2;
		group->frame = must(realloc(group->frame, group->frame_capacity));
	}
	char *at = group->frame + group->frame_len;
	if (!group->frame_len) {
		at = append(at + NET_HEADER_MAX, message_head, HEAD_LEN);
		fanout->touched[fanout->touched_count++] = group;
	} else {
		*at++ = ',';
	}
	at = append(at, "{\"channel\":\"", 12);
	at = append(at, channel.ptr, channel.len);
	at = append(at, "\",\"ts\":", 7);
	at = append(at, ts.ptr, ts.len);
	at = append(at, ",\"data\":", 8);
	at = append(at, payload.ptr, payload.len);
	*at++ = '}';
	group->frame_len = (size_t)(at - group->frame);
}

void fanout_event(struct fanout *fanout, struct slice channel, struct slice payload, struct slice ts_digits)
{
	const char *colon = memchr(channel.ptr, ':', channel.len);
	collect(fanout, fanout->everything, channel, payload, ts_digits);
	if (!colon)
		return;
	struct slice session = {colon + 1, channel.len - (size_t)(colon + 1 - channel.ptr)};
	struct group *group = *find_slot(fanout, session);
	if (group)
		collect(fanout, group, channel, payload, ts_digits);
}

static void flush_group(struct fanout *fanout, struct group *group)
{
	char header[NET_HEADER_MAX];
	group->frame[group->frame_len++] = ']';
	group->frame[group->frame_len++] = '}';
	size_t payload_len = group->frame_len - NET_HEADER_MAX;
	size_t header_len = net_frame_header(header, NET_OP_TEXT, false, payload_len);
	char *frame = group->frame + NET_HEADER_MAX - header_len;
	memcpy(frame, header, header_len);
	/* Backwards: a client that dies in here is replaced by the last member, which has its frame already. */
	for (size_t i = group->count; i-- > 0;)
		client_send(fanout, group->members[i], frame, header_len + payload_len);
	group->frame_len = 0;
}

void fanout_flush(struct fanout *fanout)
{
	for (size_t i = 0; i < fanout->touched_count; i++)
		flush_group(fanout, fanout->touched[i]);
	fanout->touched_count = 0;
}

static void watch(struct fanout *fanout, struct client *client, bool writable)
{
	struct epoll_event event = {.events = EPOLLIN | (writable ? (uint32_t)EPOLLOUT : 0), .data.ptr = client};
	if (client->waits_writable == writable)
		return;
	client->waits_writable = writable;
	if (epoll_ctl(fanout->epoll_fd, EPOLL_CTL_MOD, client->fd, &event) < 0)
		die("epoll_ctl");
}

static void keep(struct fanout *fanout, struct client *client, const char *bytes, size_t len)
{
	if (client->pending_len + len > FANOUT_PENDING_MAX) {
		fanout->dropped++;
		client_kill(fanout, client);
		return;
	}
	if (client->pending_len + len > client->pending_capacity) {
		client->pending_capacity = 2 * (client->pending_len + len);
		client->pending = must(realloc(client->pending, client->pending_capacity));
	}
	memcpy(client->pending + client->pending_len, bytes, len);
	client->pending_len += len;
	watch(fanout, client, true);
}

/* Gives how much the socket took; a failed socket takes nothing and kills the client. */
static size_t try_send(struct fanout *fanout, struct client *client, const char *bytes, size_t len)
{
	ssize_t sent = send(client->fd, bytes, len, MSG_NOSIGNAL);
	if (sent >= 0)
		return (size_t)sent;
	if (errno != EAGAIN && errno != EINTR)
		client_kill(fanout, client);
	return 0;
}

void client_send(struct fanout *fanout, struct client *client, const char *bytes, size_t len)
{
	size_t sent = client->pending_len ? 0 : try_send(fanout, client, bytes, len);
	if (sent < len && !client->is_dead)
		keep(fanout, client, bytes + sent, len - sent);
}

void client_writable(struct fanout *fanout, struct client *client)
{
	size_t sent = try_send(fanout, client, client->pending, client->pending_len);
	if (client->is_dead)
		return;
	client->pending_len -= sent;
	memmove(client->pending, client->pending + sent, client->pending_len);
	watch(fanout, client, client->pending_len > 0);
}

void client_kill(struct fanout *fanout, struct client *client)
{
	struct group *group = client->group;
	if (client->is_dead)
		return;
	client->is_dead = true;
	close(client->fd);
	if (group) {
		struct client *last = group->members[--group->count];
		group->members[client->place] = last;
		last->place = client->place;
	}
	client->next_dead = fanout->dead;
	fanout->dead = client;
}

void fanout_bury(struct fanout *fanout)
{
	while (fanout->dead) {
		struct client *client = fanout->dead;
		fanout->dead = client->next_dead;
		free(client->pending);
		free(client);
	}
}
