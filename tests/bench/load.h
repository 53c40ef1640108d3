/* The load generator's settings and modes. A mode runs one measurement against one server and prints its result as one
 * line of JSON on standard output. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdint.h>

#include "tests/bench/clients.h"
#include "tests/bench/publisher.h"

/* All settings are numbers: --name VALUE. */
struct load_settings {
	uint64_t port, redis_port;
	uint64_t pid; /* of the server, for its CPU time; 0: not measured */
	uint64_t clients;
	uint64_t watched;  /* clients that check every event and take latencies */
	uint64_t sessions; /* 0: every client wants everything; else client i wants session i modulo this, exactly */
	uint64_t subscriptions; /* mode unwanted: distinct subscriptions, spread over the clients */
	uint64_t payload;       /* bytes */
	uint64_t rate;          /* events a second */
	uint64_t window;        /* mode flood: events that the slowest client may be behind */
	uint64_t count;         /* mode lone: events */
	uint64_t tokens;        /* mode connect: 1: each client has a token, a line of standard input */
	uint64_t warmup_ms, measure_ms;
	uint64_t rest_ms; /* mode paced: clients that are not watched are read once in this time; 0: when something comes */
};

struct load {
	struct load_settings settings;
	struct clients clients;
	struct publisher publisher;
	struct publisher marker; /* mode unwanted: events that one client wants, to see when all before them was dealt with */
	struct histogram late; /* paced events: how long after their time they were published */
};

typedef void load_mode(struct load *load);
load_mode load_flood;    /* as fast as the slowest client receives */
load_mode load_paced;    /* at a rate, whatever comes out */
load_mode load_lone;     /* one event, wait for it, the next */
load_mode load_unwanted; /* at a rate, events that no subscription wants */
load_mode load_connect;  /* clients connect, some hundred at a time; how many a second */
load_mode
    load_idle; /* connections, subscribed where sessions is not 0; prints "open", stays until standard input ends */

#endif
