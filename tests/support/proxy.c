#include "tests/support/proxy.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/data/buf.h"

/* poll(2) takes no more descriptors than RLIMIT_NOFILE, whose usual soft limit is 1024. */
#define CONNECTIONS_MAX 500
#define HELD_MAX (256 * 1024)

/* One direction of one connection: bytes read and not yet written. */
struct lane {
	int from, to;
	bool at_end;          /* from is read to its end */
	struct buf held;
	uint64_t due_ms;      /* when the held bytes may go on */
};

struct link {
	bool open;
	struct lane lanes[2]; /* to the target, from the target */
};

struct proxy {
	uint16_t port, target_port;
	int listener, wake;
	pthread_t thread;
	_Atomic bool ends, frozen, refuses, cuts;
	_Atomic uint64_t delay_ms;
	_Atomic unsigned accepted, open;
	struct link links[CONNECTIONS_MAX]; /* the thread's */
};

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void reset_socket(int fd)
{
	struct linger at_once = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}

static void drop_link(struct proxy *proxy, struct link *link)
{
	if (!link->open)
		return;
	reset_socket(link->lanes[0].from);
	reset_socket(link->lanes[0].to);
	buf_fini(&link->lanes[0].held);
	buf_fini(&link->lanes[1].held);
	link->open = false;
	proxy->open--;
}

static void adopt(struct proxy *proxy, int client)
{
	struct sockaddr_in target = loopback(proxy->target_port);
	struct link *link = proxy->links;
	int on = 1;
	proxy->accepted++;
	while (link < proxy->links + CONNECTIONS_MAX && link->open)
		link++;
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (proxy->refuses || link == proxy->links + CONNECTIONS_MAX ||
	    connect(server, (struct sockaddr *)&target, sizeof target)) {
		reset_socket(client);
		close(server);
		return;
	}
	fcntl(client, F_SETFL, O_NONBLOCK);
	fcntl(server, F_SETFL, O_NONBLOCK);
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	*link = (struct link){.open = true, .lanes = {{.from = client, .to = server}, {.from = server, .to = client}}};
	proxy->open++;
}

/* False: the connection broke. */
static bool take_in(struct proxy *proxy, struct lane *lane, bool from_target)
{
	char bytes[16384];
	ssize_t got = recv(lane->from, bytes, sizeof bytes, 0);
	if (got < 0)
		return errno == EAGAIN;
	if (got == 0)
		lane->at_end = true;
	if (lane->held.len == 0)
		lane->due_ms = clock_mono_ms() + (from_target ? proxy->delay_ms : 0);
	buf_append(&lane->held, bytes, (size_t)got);
	return true;
}

static bool pass_on(struct lane *lane)
{
	if (lane->held.len && clock_mono_ms() >= lane->due_ms) {
		ssize_t sent = send(lane->to, lane->held.bytes, lane->held.len, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN;
		buf_drop_front(&lane->held, (size_t)sent);
	}
	if (lane->held.len == 0 && lane->at_end && lane->from >= 0)
		shutdown(lane->to, SHUT_WR);
	return true;
}

static void carry(struct proxy *proxy, struct link *link)
{
	for (int i = 0; i < 2; i++) {
		struct lane *lane = &link->lanes[i];
		bool has_room = !lane->at_end && lane->held.len < HELD_MAX;
		if ((has_room && !take_in(proxy, lane, i == 1)) || !pass_on(lane)) {
			drop_link(proxy, link);
			return;
		}
	}
	if (link->lanes[0].at_end && link->lanes[1].at_end && !link->lanes[0].held.len && !link->lanes[1].held.len)
		drop_link(proxy, link);
}

/* Fills what poll(2) shall watch for a connection and gives how long it may wait. */
static int watch(const struct link *link, struct pollfd *sockets)
{
	int wait_ms = -1;
	uint64_t now_ms = clock_mono_ms();
	for (int i = 0; i < 2; i++) {
		const struct lane *lane = &link->lanes[i];
		short in = !lane->at_end && lane->held.len < HELD_MAX ? POLLIN : 0;
		sockets[i].fd = lane->from;
		sockets[i].events |= in;
		sockets[!i].events |= lane->held.len && now_ms >= lane->due_ms ? POLLOUT : 0;
		if (lane->held.len && now_ms < lane->due_ms)
			wait_ms = (int)(lane->due_ms - now_ms);
	}
	return wait_ms;
}

static void turn(struct proxy *proxy)
{
	static _Thread_local struct pollfd sockets[2 + 2 * CONNECTIONS_MAX];
	int wait_ms = -1;
	sockets[0] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
	sockets[1] = (struct pollfd){.fd = proxy->wake, .events = POLLIN};
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct pollfd *pair = &sockets[2 + 2 * i];
		pair[0] = pair[1] = (struct pollfd){.fd = -1};
		int due_ms = proxy->links[i].open && !proxy->frozen ? watch(&proxy->links[i], pair) : -1;
		if (due_ms >= 0 && (wait_ms < 0 || due_ms < wait_ms))
			wait_ms = due_ms;
	}
	poll(sockets, 2 + 2 * CONNECTIONS_MAX, wait_ms);
	if (sockets[1].revents) {
		uint64_t count;
		(void)!read(proxy->wake, &count, sizeof count);
	}
	bool cuts = atomic_exchange(&proxy->cuts, false);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (cuts)
			drop_link(proxy, &proxy->links[i]);
		else if (proxy->links[i].open && !proxy->frozen)
			carry(proxy, &proxy->links[i]);
	}
	if (sockets[0].revents) {
		int client = accept(proxy->listener, NULL, NULL);
		if (client >= 0)
			adopt(proxy, client);
	}
}

static void *run(void *argument)
{
	struct proxy *proxy = argument;
	while (!proxy->ends)
		turn(proxy);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		drop_link(proxy, &proxy->links[i]);
	return NULL;
}

struct proxy *proxy_start(uint16_t target_port)
{
	struct proxy *proxy = calloc(1, sizeof *proxy);
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof address;
	ck_assert_ptr_nonnull(proxy);
	proxy->target_port = target_port;
	proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	proxy->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_eq(bind(proxy->listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(proxy->listener, 512), 0);
	ck_assert_int_eq(getsockname(proxy->listener, (struct sockaddr *)&address, &len), 0);
	fcntl(proxy->listener, F_SETFL, O_NONBLOCK);
	proxy->port = ntohs(address.sin_port);
	ck_assert_int_eq(pthread_create(&proxy->thread, NULL, run, proxy), 0);
	return proxy;
}

static void wake(struct proxy *proxy)
{
	uint64_t one = 1;
	(void)!write(proxy->wake, &one, sizeof one);
}

void proxy_free(struct proxy *proxy)
{
	if (!proxy)
		return;
	proxy->ends = true;
	wake(proxy);
	pthread_join(proxy->thread, NULL);
	close(proxy->listener);
	close(proxy->wake);
	free(proxy);
}

uint16_t proxy_port(const struct proxy *proxy)
{
	return proxy->port;
}

void proxy_cut(struct proxy *proxy)
{
	proxy->cuts = true;
	wake(proxy);
}

void proxy_freeze(struct proxy *proxy, bool frozen)
{
	proxy->frozen = frozen;
	wake(proxy);
}

void proxy_refuse(struct proxy *proxy, bool refuses)
{
	proxy->refuses = refuses;
	wake(proxy);
}

void proxy_delay_ms(struct proxy *proxy, uint64_t delay_ms)
{
	proxy->delay_ms = delay_ms;
	wake(proxy);
}

unsigned proxy_accepted(struct proxy *proxy)
{
	return proxy->accepted;
}

unsigned proxy_open(struct proxy *proxy)
{
	return proxy->open;
}
