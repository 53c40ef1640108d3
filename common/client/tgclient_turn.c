/* How a client turns: what it waits for, and one step when that has come. */
#include <limits.h>
#include <poll.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/client/tgclient_inside.h"

int tgc_fd(const struct tgc_client *client)
{
	return client->link.fd;
}

short tgc_events(const struct tgc_client *client)
{
	return client->link.fd >= 0 ? tgc_link_events(&client->link) : 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t silent_at(const struct tgc_client *client)
{
	return client->silence_ms == TGC_NEVER ? TGC_NEVER : client->heard_at_ms + client->silence_ms;
}

/* The moment at which the client must be turned even if nothing comes. */
static uint64_t due_at(const struct tgc_client *client)
{
	switch (client->state) {
	case TGC_WAITING:
		return client->retry_at_ms;
	case TGC_CONNECTING:
		return earlier(client->link.deadline_ms, client->welcome_by_ms);
	case TGC_OPEN:
		if (tgc_subscriptions_wait(client))
			return earlier(client->hold_until_ms, silent_at(client));
		return client->has_work ? 0 : silent_at(client);
	case TGC_IDLE:
	case TGC_CLOSED:
		break;
	}
	return TGC_NEVER;
}

int tgc_timeout_ms(const struct tgc_client *client)
{
	uint64_t due_ms = due_at(client), now_ms = clock_mono_ms();
	if (due_ms == TGC_NEVER)
		return -1;
	uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static void begin(struct tgc_client *client, uint64_t now_ms)
{
	uint64_t connection = client->connection;
	if (client->is_moving)
		client->url_at = (client->url_at + 1) % client->url_count;
	client->is_moving = false;
	client->state = TGC_CONNECTING;
	client->reason[0] = '\0';
	client->code = 0;
	tgc_tell_state(client);
	if (client->connection != connection)
		return;
	if (!tgc_link_open(&client->link, &client->urls[client->url_at], client->token, client->connect_timeout_ms, now_ms))
		tgc_lose(client, false, 0, client->link.why, 0);
}

static void fail_link(struct tgc_client *client)
{
	const struct tgc_link *link = &client->link;
	tgc_lose(client, tgc_status_is_final(link->status), link->status, link->why, link->retry_after_ms);
}

static void turn_link(struct tgc_client *client, short revents, uint64_t now_ms)
{
	uint64_t connection = client->connection;
	enum tgc_link_news news = tgc_link_step(&client->link, revents, now_ms);
	if (news == TGC_LINK_IS_OPEN)
		client->welcome_by_ms = now_ms + client->connect_timeout_ms;
	if (news == TGC_LINK_HEARD || news == TGC_LINK_IS_OPEN) {
		client->heard_at_ms = now_ms;
		tgc_dispatch(client, now_ms);
	}
	if (client->connection == connection && news == TGC_LINK_FAILED)
		fail_link(client);
}

/* What only the time ends. */
static void look_at_the_time(struct tgc_client *client, uint64_t now_ms)
{
	char reason[TGC_WHY_MAX];
	if (client->state == TGC_CONNECTING && now_ms >= client->welcome_by_ms) {
		tgc_lose(client, false, 0, "no welcome in time", 0);
	} else if (client->state == TGC_OPEN && now_ms >= silent_at(client)) {
		snprintf(reason, sizeof reason, "nothing was heard for %llu ms", (unsigned long long)(now_ms - client->heard_at_ms));
		tgc_lose(client, false, 0, reason, 0);
	}
}

static bool is_at_rest(const struct tgc_client *client)
{
	return client->state == TGC_IDLE || client->state == TGC_CLOSED;
}

enum tgc_result tgc_step(struct tgc_client *client, short revents)
{
	uint64_t now_ms = clock_mono_ms();
	tgc_enter(client);
	if (client->state == TGC_WAITING && now_ms >= client->retry_at_ms)
		begin(client, now_ms);
	else if (client->link.fd >= 0)
		turn_link(client, revents, now_ms);
	look_at_the_time(client, now_ms);
	tgc_subscriptions_sweep(client, now_ms);
	tgc_link_flush(&client->link);
	enum tgc_result result = is_at_rest(client) ? TGC_ENDED : TGC_OK;
	tgc_leave(client);
	return result;
}

enum tgc_result tgc_poll(struct tgc_client *client, int timeout_ms)
{
	int due_ms = tgc_timeout_ms(client);
	struct pollfd poll_fd = {.fd = tgc_fd(client), .events = tgc_events(client)};
	if (is_at_rest(client))
		return TGC_ENDED;
	if (due_ms < 0 || (timeout_ms >= 0 && timeout_ms < due_ms))
		due_ms = timeout_ms;
	int ready = poll(&poll_fd, 1, due_ms);
	return tgc_step(client, ready > 0 ? poll_fd.revents : 0);
}
