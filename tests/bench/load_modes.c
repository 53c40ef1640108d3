#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/bench/load.h"
#include "tests/bench/net.h"

#define NS_PER_US 1000.0
#define SHAPE_TIMEOUT_NS (30 * NS_PER_S)
#define DRAIN_TIMEOUT_NS (10 * NS_PER_S)
#define TICK_MIN_NS 50000

/* What a measurement starts or ends with; the difference of two is the result. */
struct reading {
	uint64_t now_ns, cpu_ns, deliveries, published;
};

/* CPU time that all threads of the server have used, at the clock's resolution (the ticks of /proc/PID/stat are 10 ms).
 */
static uint64_t cpu_ns(uint64_t pid)
{
	clockid_t clock;
	struct timespec time;
	if (!pid)
		return 0;
	errno = clock_getcpuclockid((pid_t)pid, &clock);
	if (errno || clock_gettime(clock, &time) < 0)
		die("CPU time of process %" PRIu64, pid);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

static struct reading take_reading(const struct load *load)
{
	return (struct reading){clock_mono_ns(), cpu_ns(load->settings.pid), load->clients.deliveries,
	                        load->publisher.published};
}

static uint64_t expected_by(const struct load *load, size_t client)
{
	return publisher_count(&load->publisher, (uint32_t)(client % load->publisher.sessions));
}

static uint64_t count_missing(const struct load *load)
{
	uint64_t missing = 0;
	for (size_t i = 0; i < load->clients.count; i++)
		missing += expected_by(load, i) - load->clients.all[i].events;
	return missing;
}

/* Waits until everybody has everything or the time is over. */
static void drain(struct load *load, uint64_t timeout_ns)
{
	uint64_t deadline_ns = clock_mono_ns() + timeout_ns;
	while (count_missing(load) && clock_mono_ns() < deadline_ns)
		clients_turn(&load->clients, 10);
}

static void print_result(const struct load *load, struct reading from, struct reading to, uint64_t lost)
{
	const struct histogram *latency = &load->clients.latency;
	double seconds = (double)(to.now_ns - from.now_ns) / NS_PER_S;
	double events = (double)(to.published - from.published), cpu = (double)(to.cpu_ns - from.cpu_ns);
	printf("{\"seconds\":%.6f,\"eventsPerSecond\":%.1f,\"deliveriesPerSecond\":%.1f,\"lost\":%" PRIu64
	       ",\"broken\":%" PRIu64 ",\"cpuSeconds\":%.6f,\"cpuMicrosPerEvent\":%.4f,\"p50Micros\":%.2f,"
	       "\"p99Micros\":%.2f,\"p999Micros\":%.2f,\"lateP99Micros\":%.2f}\n",
	       seconds, events / seconds, (double)(to.deliveries - from.deliveries) / seconds, lost,
	       load->clients.broken, cpu / NS_PER_S, events > 0 ? cpu / NS_PER_US / events : 0,
	       (double)histogram_quantile(latency, 0.5) / NS_PER_US,
	       (double)histogram_quantile(latency, 0.99) / NS_PER_US,
	       (double)histogram_quantile(latency, 0.999) / NS_PER_US,
	       (double)histogram_quantile(&load->late, 0.99) / NS_PER_US);
}

/* Opens the clients, subscribes each and shows each one event, so that the shape of a frame is known. */
static void open_subscribed(struct load *load)
{
	const struct load_settings *settings = &load->settings;
	char text[256];
	uint32_t sessions = settings->sessions ? (uint32_t)settings->sessions : 1;
	publisher_init(&load->publisher, (uint16_t)settings->redis_port, settings->payload, 's', sessions);
	clients_init(&load->clients, (uint16_t)settings->port, settings->clients, settings->watched);
	clients_open(&load->clients);
	for (size_t i = 0; i < settings->clients; i++) {
		snprintf(text, sizeof text, "{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"trace:*\"]}");
		if (settings->sessions)
			snprintf(text, sizeof text,
			         "{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"trace:*\"],\"filter\":{\"session\":["
			         "\"s%04u\"]}}",
			         (unsigned)(i % sessions));
		clients_say(&load->clients, i, text);
	}
	clients_await_replies(&load->clients, settings->clients);
	for (uint32_t i = 0; i < sessions; i++)
		publisher_add(&load->publisher, clock_mono_ns());
	publisher_flush(&load->publisher);
	drain(load, SHAPE_TIMEOUT_NS);
	errno = 0;
	if (load->clients.shaped < settings->clients)
		die("only %zu of %" PRIu64 " clients got the first event", load->clients.shaped, settings->clients);
}

static void publish(struct load *load, uint64_t count)
{
	uint64_t now_ns = clock_mono_ns();
	for (uint64_t i = 0; i < count; i++)
		publisher_add(&load->publisher, now_ns);
	publisher_flush(&load->publisher);
}

static uint64_t slowest(const struct load *load)
{
	uint64_t least = UINT64_MAX;
	for (size_t i = 0; i < load->clients.count; i++)
		if (load->clients.all[i].events < least)
			least = load->clients.all[i].events;
	return least;
}

static void flood_until(struct load *load, uint64_t end_ns)
{
	while (clock_mono_ns() < end_ns) {
		uint64_t behind = load->publisher.published - slowest(load);
		if (behind < load->settings.window)
			publish(load, load->settings.window - behind);
		clients_turn(&load->clients, 10);
	}
}

void load_flood(struct load *load)
{
	open_subscribed(load);
	uint64_t start_ns = clock_mono_ns();
	flood_until(load, start_ns + load->settings.warmup_ms * NS_PER_MS);
	struct reading from = take_reading(load);
	load->clients.latency_from_ns = from.now_ns;
	load->clients.latency_to_ns = UINT64_MAX;
	flood_until(load, from.now_ns + load->settings.measure_ms * NS_PER_MS);
	struct reading to = take_reading(load);
	drain(load, DRAIN_TIMEOUT_NS);
	print_result(load, from, to, count_missing(load));
	clients_close(&load->clients);
}

struct pacing {
	uint64_t start_ns, base; /* event number base is due at start_ns */
	uint64_t from_ns;        /* events due from here on count in late */
};

static void note_lateness(struct load *load, const struct pacing *pacing, uint64_t until, uint64_t now_ns)
{
	double period_ns = (double)NS_PER_S / (double)load->settings.rate;
	for (uint64_t i = load->publisher.published; i < until; i++) {
		uint64_t due_ns = pacing->start_ns + (uint64_t)((double)(i - pacing->base) * period_ns);
		if (due_ns >= pacing->from_ns && due_ns < now_ns)
			histogram_add(&load->late, now_ns - due_ns);
	}
}

/* Publishes what is due until end_ns. */
static void pace_until(struct load *load, const struct pacing *pacing, uint64_t end_ns)
{
	for (;;) {
		uint64_t now_ns = clock_mono_ns();
		if (now_ns >= end_ns)
			return;
		double passed_ns = (double)(now_ns - pacing->start_ns);
		uint64_t due = pacing->base + (uint64_t)(passed_ns * (double)load->settings.rate / NS_PER_S);
		if (due > load->publisher.published) {
			note_lateness(load, pacing, due, now_ns);
			publish(load, due - load->publisher.published);
		}
		clients_turn(&load->clients, 10);
	}
}

static void run_for(struct load *load, uint64_t ms)
{
	struct pacing pacing = {.base = load->publisher.published, .start_ns = clock_mono_ns()};
	pacing.from_ns = load->clients.latency_from_ns;
	pace_until(load, &pacing, pacing.start_ns + ms * NS_PER_MS);
}

/* settle waits until the server has done all its work for what was published, so that none of it goes uncounted: a server that
 * is behind would look cheap. */
static void pace(struct load *load, void (*settle)(struct load *load), struct reading *ret_from, struct reading *ret_to)
{
	const struct load_settings *settings = &load->settings;
	uint64_t period_ns = NS_PER_S / (settings->rate ? settings->rate : 1);
	load->clients.latency_from_ns = UINT64_MAX;
	clients_tick(&load->clients, period_ns > TICK_MIN_NS ? period_ns : TICK_MIN_NS);
	clients_rest(&load->clients, settings->rest_ms * NS_PER_MS);
	run_for(load, settings->warmup_ms);
	clients_rest(&load->clients, 0);
	settle(load);
	*ret_from = take_reading(load);
	load->clients.latency_from_ns = ret_from->now_ns;
	load->clients.latency_to_ns = UINT64_MAX;
	clients_rest(&load->clients, settings->rest_ms * NS_PER_MS);
	run_for(load, settings->measure_ms);
	clients_rest(&load->clients, 0);
	*ret_to = take_reading(load);
	load->clients.latency_to_ns = ret_to->now_ns;
	settle(load);
	ret_to->cpu_ns = cpu_ns(settings->pid);
	clients_tick(&load->clients, 0);
}

static void await_all(struct load *load)
{
	drain(load, DRAIN_TIMEOUT_NS);
}

void load_paced(struct load *load)
{
	struct reading from, to;
	open_subscribed(load);
	pace(load, await_all, &from, &to);
	print_result(load, from, to, count_missing(load));
	clients_close(&load->clients);
}

void load_lone(struct load *load)
{
	open_subscribed(load);
	struct reading from = {0};
	for (uint64_t i = 0; i < load->settings.count + load->settings.count / 10; i++) {
		if (i == load->settings.count / 10) {
			from = take_reading(load);
			load->clients.latency_from_ns = from.now_ns;
			load->clients.latency_to_ns = UINT64_MAX;
		}
		publish(load, 1);
		drain(load, DRAIN_TIMEOUT_NS);
	}
	print_result(load, from, take_reading(load), count_missing(load));
	clients_close(&load->clients);
}

/* Of four subscriptions one is for a session, one for an agent, one for a type, one for a channel; all are distinct. */
static void subscribe_distinct(struct load *load)
{
	static const struct {
		const char *before, *after;
	} forms[] = {
	    {"\"filter\":{\"session\":[\"", "\"]}}"},
	    {"\"filter\":{\"agent\":[\"", "\"]}}"},
	    {"\"filter\":{\"type\":[\"", "\"]}}"},
	    {"\"channels\":[\"trace:", "\"]}"},
	};
	char text[256];
	for (unsigned i = 0; i < load->settings.subscriptions; i++) {
		snprintf(text, sizeof text, "{\"id\":1,\"op\":\"subscribe\",%sother-%06u%s", forms[i % 4].before, i,
		         forms[i % 4].after);
		clients_say(&load->clients, i % load->settings.clients, text);
		if (i % 64 == 63)
			clients_await_replies(&load->clients, i + 1);
	}
	clients_await_replies(&load->clients, load->settings.subscriptions);
}

/* Behind all that was published on the same connection to Redis. */
static void await_marker(struct load *load)
{
	uint64_t deadline_ns = clock_mono_ns() + DRAIN_TIMEOUT_NS;
	publisher_add(&load->marker, clock_mono_ns());
	publisher_flush(&load->marker);
	while (load->clients.deliveries < load->marker.published && clock_mono_ns() < deadline_ns)
		clients_turn(&load->clients, 10);
}

void load_unwanted(struct load *load)
{
	const struct load_settings *settings = &load->settings;
	struct reading from, to;
	publisher_init(&load->publisher, (uint16_t)settings->redis_port, settings->payload, 'n', 1);
	publisher_init(&load->marker, (uint16_t)settings->redis_port, settings->payload, 'm', 1);
	close(load->marker.fd);
	load->marker.fd = load->publisher.fd;
	clients_init(&load->clients, (uint16_t)settings->port, settings->clients, 0);
	clients_open(&load->clients);
	subscribe_distinct(load);
	clients_say(&load->clients, 0, "{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"session\":[\"m0000\"]}}");
	clients_await_replies(&load->clients, settings->subscriptions + 1);
	pace(load, await_marker, &from, &to);
	if (load->clients.deliveries != load->marker.published)
		load->clients.broken++;
	print_result(load, from, to, 0);
	clients_close(&load->clients);
}

static char **read_tokens(size_t count)
{
	char **tokens = calloc(count, sizeof *tokens);
	size_t room = 0;
	for (size_t i = 0; tokens && i < count; i++, room = 0) {
		ssize_t len = getline(&tokens[i], &room, stdin);
		if (len <= 1)
			die("standard input holds only %zu of %zu tokens", i, count);
		tokens[i][len - 1] = '\0';
	}
	return tokens;
}

void load_connect(struct load *load)
{
	const struct load_settings *settings = &load->settings;
	clients_init(&load->clients, (uint16_t)settings->port, settings->clients, 0);
	load->clients.tokens = settings->tokens ? read_tokens(settings->clients) : NULL;
	uint64_t start_ns = clock_mono_ns(), start_cpu_ns = cpu_ns(settings->pid);
	clients_open(&load->clients);
	double seconds = (double)(clock_mono_ns() - start_ns) / NS_PER_S, count = (double)settings->clients;
	printf("{\"connectionsPerSecond\":%.1f,\"cpuMicros\":%.2f,\"broken\":%" PRIu64 "}\n", count / seconds,
	       (double)(cpu_ns(settings->pid) - start_cpu_ns) / NS_PER_US / count, load->clients.broken);
	clients_close(&load->clients);
}

void load_idle(struct load *load)
{
	const struct load_settings *settings = &load->settings;
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	clients_init(&load->clients, (uint16_t)settings->port, settings->clients, 0);
	clients_open(&load->clients);
	if (settings->sessions) {
		for (size_t i = 0; i < settings->clients; i++)
			clients_say(&load->clients, i, "{\"id\":1,\"op\":\"subscribe\"}");
		clients_await_replies(&load->clients, settings->clients);
	}
	puts("open");
	fflush(stdout);
	while (poll(&input, 1, 0) == 0)
		clients_turn(&load->clients, 100);
	printf("{\"broken\":%" PRIu64 "}\n", load->clients.broken);
	clients_close(&load->clients);
}
