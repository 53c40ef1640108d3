/* What an encoding costs: many clients that ask for everything in one encoding and throw away what comes, events as agents
 * publish them (300 to 800 bytes, of which little changes from one to the next of an agent) at a rate, in bursts, so that
 * batches are as they are under load. Prints the server's CPU time an event and the bytes that each client got.
 *
 *   encodings json|msgpack|delta|deflate|... --port PORT --redis-port PORT --pid PID --clients N --rate N --measure-ms N
 *
 * Clients of a cohort get the same bytes: one that has fewer than another in the end has lost something. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "common/base/clock.h"
#include "tests/bench/net.h"

#define AGENTS 10
#define TICK_NS (20 * NS_PER_MS)
#define WARMUP_TICKS 25
#define QUIET_MS 500
#define SCRATCH_BYTES ((size_t)1 << 20)
#define TURN_EVENTS 512
#define PAYLOAD_MAX 1024
#define BURST_MAX 4096

#define SUBSCRIBE "{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"agent:*\"]"
#define SUBSCRIBE_PACKED "\x83\xA2id\x01\xA2op\xA9subscribe\xA8" "channels\x91\xA7" "agent:*"
#define SUBSCRIBE_PACKED_DELTA "\x84\xA2id\x01\xA2op\xA9subscribe\xA8" "channels\x91\xA7" "agent:*\xA5" "delta\xA6" "fossil"
#define NET_OP_BINARY 2
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"

static const struct encoding {
	const char *name, *protocol, *extensions;
	uint8_t op;
	const char *subscribe;
	size_t subscribe_len;
} encodings[] = {
	{"json", "tracegate.v1.json", "", NET_OP_TEXT, SUBSCRIBE "}", sizeof SUBSCRIBE},
	{"msgpack", "tracegate.v1.msgpack", "", NET_OP_BINARY, SUBSCRIBE_PACKED, sizeof SUBSCRIBE_PACKED - 1},
	{"delta", "tracegate.v1.json", "", NET_OP_TEXT, SUBSCRIBE ",\"delta\":\"fossil\"}", sizeof SUBSCRIBE + 17},
	{"deflate", "tracegate.v1.json", DEFLATE, NET_OP_TEXT, SUBSCRIBE "}", sizeof SUBSCRIBE},
	{"msgpack-delta", "tracegate.v1.msgpack", "", NET_OP_BINARY, SUBSCRIBE_PACKED_DELTA, sizeof SUBSCRIBE_PACKED_DELTA - 1},
	{"msgpack-deflate", "tracegate.v1.msgpack", DEFLATE, NET_OP_BINARY, SUBSCRIBE_PACKED, sizeof SUBSCRIBE_PACKED - 1},
	{"delta-deflate", "tracegate.v1.json", DEFLATE, NET_OP_TEXT, SUBSCRIBE ",\"delta\":\"fossil\"}", sizeof SUBSCRIBE + 17},
};

static struct {
	uint64_t port, redis_port, pid, clients, rate, measure_ms;
} settings = {.clients = 1000, .rate = 1000, .measure_ms = 4000};

struct reader {
	int fd;
	uint64_t bytes;
};

static struct reader *readers;
static int epoll_fd, redis_fd;
static char *scratch;
static uint64_t published, payload_bytes, lost_connections;

static size_t write_payload(char *at, uint64_t number)
{
	static const char *const states[] = {"thinking", "acting", "waiting", "reviewing"};
	static const char *const tools[] = {"search", "read_file", "run_tests", "edit_file", "ask_human"};
	static const char *const notes[] = {
		"Reads the report of the planner before it decides what to look at next.",
		"Two of the three sources agree; the third one is older and says less.",
		"The tests fail in one place only. Looks at how that place is reached, and at who changed it last, before it edits anything.",
		"Done with the first part."};
	uint64_t agent = number % AGENTS, step = number / AGENTS;
	int len = snprintf(
		at, PAYLOAD_MAX,
		"{\"type\":\"agent.state\",\"sessionId\":\"5f0c1b52-7a6b-4d0e-9a53-0f1f6d4b7a11\",\"agentId\":\"agent-%" PRIu64
		"\",\"seq\":%" PRIu64 ",\"at\":\"2026-11-25T12:%02u:%02u.%03uZ\",\"state\":{\"status\":\"%s\",\"step\":%" PRIu64
		",\"goal\":\"Find out why the nightly build of the gateway takes longer than it did a week ago\","
		"\"plan\":[\"read\",\"measure\",\"compare\",\"explain\"],\"tool\":{\"name\":\"%s\",\"calls\":%" PRIu64 ",\"lastMs\":%u.%u},"
		"\"tokens\":{\"in\":%" PRIu64 ",\"out\":%" PRIu64 "},\"note\":\"%s\",\"model\":\"large-2\",\"temperature\":0.2}}",
		agent, step, (unsigned)(step / 60 % 60), (unsigned)(step % 60), (unsigned)(number * 37 % 1000), states[step % 4], step / 5,
		tools[step / 3 % 5], step / 2, (unsigned)(number * 7919 % 3000), (unsigned)(number % 10), 1200 + step * 731, 310 + step * 57,
		notes[step / 8 % 4]);
	return (size_t)len;
}

static void publish(uint64_t count)
{
	static char commands[BURST_MAX * (PAYLOAD_MAX + 64)];
	char payload[PAYLOAD_MAX];
	size_t at = 0;
	for (uint64_t i = 0; i < count; i++) {
		size_t len = write_payload(payload, published);
		at += (size_t)sprintf(commands + at, "*3\r\n$7\r\nPUBLISH\r\n$8\r\nagent:a%" PRIu64 "\r\n$%zu\r\n%s\r\n", published % AGENTS,
				      len, payload);
		published++;
		payload_bytes += len;
	}
	net_send_all(redis_fd, commands, at);
}

static void start(struct reader *reader, const struct encoding *encoding)
{
	char request[1024];
	reader->fd = net_connect((uint16_t)settings.port);
	int len = snprintf(request, sizeof request,
			   "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			   "Sec-WebSocket-Protocol: %s\r\n%s\r\n",
			   encoding->protocol, encoding->extensions);
	net_send_all(reader->fd, request, (size_t)len);
	size_t got = 0;
	while (!memmem(scratch, got, "\r\n\r\n", 4)) {
		ssize_t more = recv(reader->fd, scratch + got, SCRATCH_BYTES - got, 0);
		if (more <= 0)
			die("a connection was not upgraded");
		got += (size_t)more;
	}
	bool is_deflated = memmem(scratch, got, "permessage-deflate", 18) != NULL;
	errno = 0;
	if (strncmp(scratch, "HTTP/1.1 101 ", 13) != 0 || is_deflated != (*encoding->extensions != '\0'))
		die("a connection was not upgraded as asked for: %.*s", (int)(got < 400 ? got : 400), scratch);
	len = (int)net_frame_header(request, encoding->op, true, encoding->subscribe_len);
	memcpy(request + len, encoding->subscribe, encoding->subscribe_len);
	net_send_all(reader->fd, request, (size_t)len + encoding->subscribe_len);
	/* The reply is shorter than what is compressed. */
	for (got = 0; !memmem(scratch, got, "recorded", 8);) {
		ssize_t more = recv(reader->fd, scratch + got, SCRATCH_BYTES - got, 0);
		if (more <= 0 || memmem(scratch, got + (size_t)more, "error", 5))
			die("a subscription was refused");
		got += (size_t)more;
	}
	net_set_nonblocking(reader->fd);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, reader->fd, &event) < 0)
		die("epoll_ctl");
}

/* Throws away what came. Gives whether something did. */
static bool turn(int timeout_ms)
{
	struct epoll_event events[TURN_EVENTS];
	int count = epoll_wait(epoll_fd, events, TURN_EVENTS, timeout_ms);
	for (int i = 0; i < count; i++) {
		struct reader *reader = events[i].data.ptr;
		ssize_t got = recv(reader->fd, scratch, SCRATCH_BYTES, MSG_TRUNC);
		if (got > 0) {
			reader->bytes += (uint64_t)got;
		} else if (got == 0 || errno != EAGAIN) {
			epoll_ctl(epoll_fd, EPOLL_CTL_DEL, reader->fd, NULL);
			lost_connections++;
		}
	}
	return count > 0;
}

static void run_ticks(uint64_t ticks)
{
	uint64_t next_ns = clock_mono_ns();
	for (uint64_t i = 0; i < ticks; i++) {
		publish(settings.rate * TICK_NS / NS_PER_S);
		next_ns += TICK_NS;
		for (uint64_t now_ns; (now_ns = clock_mono_ns()) < next_ns;)
			turn((int)((next_ns - now_ns) / NS_PER_MS) + 1);
	}
}

static void settle(void)
{
	while (turn(QUIET_MS))
		continue;
}

static uint64_t cpu_ns(void)
{
	clockid_t clock;
	struct timespec time;
	errno = clock_getcpuclockid((pid_t)settings.pid, &clock);
	if (errno || clock_gettime(clock, &time) < 0)
		die("CPU time of process %" PRIu64, settings.pid);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static void measure(void)
{
	uint64_t cpu = cpu_ns(), from = published, from_bytes = payload_bytes, most = 0, behind = 0;
	for (uint64_t i = 0; i < settings.clients; i++)
		readers[i].bytes = 0;
	run_ticks(settings.measure_ms * NS_PER_MS / TICK_NS);
	settle();
	cpu = cpu_ns() - cpu;
	for (uint64_t i = 0; i < settings.clients; i++)
		most = readers[i].bytes > most ? readers[i].bytes : most;
	for (uint64_t i = 0; i < settings.clients; i++)
		behind += readers[i].bytes < most;
	double events = (double)(published - from);
	printf("{\"events\":%.0f,\"payloadBytesPerEvent\":%.2f,\"bytesPerEvent\":%.2f,\"cpuMicrosPerEvent\":%.4f,\"behind\":%" PRIu64
	       ",\"broken\":%" PRIu64 "}\n",
	       events, (double)(payload_bytes - from_bytes) / events, (double)most / events, (double)cpu / 1000.0 / events, behind,
	       lost_connections);
}

static bool set(const char *name, const char *value)
{
	const struct {
		const char *name;
		uint64_t *place;
	} names[] = {{"--port", &settings.port},       {"--redis-port", &settings.redis_port}, {"--pid", &settings.pid},
		     {"--clients", &settings.clients}, {"--rate", &settings.rate},             {"--measure-ms", &settings.measure_ms}};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(name, names[i].name) == 0) {
			*names[i].place = strtoull(value, NULL, 10);
			return true;
		}
	}
	return false;
}

static const struct encoding *find(const char *name)
{
	for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++)
		if (strcmp(name, encodings[i].name) == 0)
			return &encodings[i];
	return NULL;
}

int main(int argc, char **argv)
{
	static const char no_replies[] = "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n";
	const struct encoding *encoding = argc > 1 ? find(argv[1]) : NULL;
	bool is_wrong = !encoding || argc % 2;
	for (int i = 2; !is_wrong && i < argc; i += 2)
		is_wrong = !set(argv[i], argv[i + 1]);
	if (is_wrong || settings.rate * TICK_NS / NS_PER_S > BURST_MAX) {
		fprintf(stderr, "usage: encodings json|msgpack|delta|deflate|msgpack-delta|msgpack-deflate|delta-deflate [--name NUMBER]...\n");
		return 2;
	}
	scratch = must(malloc(SCRATCH_BYTES));
	readers = must(calloc(settings.clients, sizeof *readers));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	redis_fd = net_connect((uint16_t)settings.redis_port);
	net_send_all(redis_fd, no_replies, sizeof no_replies - 1);
	for (uint64_t i = 0; i < settings.clients; i++)
		start(&readers[i], encoding);
	run_ticks(WARMUP_TICKS);
	settle();
	measure();
	return 0;
}
