/* The load generator: opens WebSocket clients, publishes to Redis, measures what arrives.
 *
 *   load MODE --port PORT --redis-port PORT [--name NUMBER]...
 *
 * Modes and settings are listed in load.h. */
#include "tests/bench/load.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	load_mode *run;
} modes[] = {
    {"flood", load_flood}, {"paced", load_paced}, {"lone", load_lone}, {"unwanted", load_unwanted}, {"idle", load_idle},
    {"connect", load_connect},
};

#define SETTING(name, field)                                                                                           \
	{                                                                                                              \
		name, offsetof(struct load_settings, field)                                                            \
	}
static const struct {
	const char *name;
	size_t offset;
} names[] = {
    SETTING("--port", port),
    SETTING("--redis-port", redis_port),
    SETTING("--pid", pid),
    SETTING("--clients", clients),
    SETTING("--watched", watched),
    SETTING("--sessions", sessions),
    SETTING("--subscriptions", subscriptions),
    SETTING("--payload", payload),
    SETTING("--rate", rate),
    SETTING("--window", window),
    SETTING("--count", count),
    SETTING("--tokens", tokens),
    SETTING("--warmup-ms", warmup_ms),
    SETTING("--measure-ms", measure_ms),
    SETTING("--rest-ms", rest_ms),
};
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static bool set(struct load_settings *settings, const char *name, const char *value)
{
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (strcmp(name, names[i].name) != 0)
			continue;
		uint64_t number = strtoull(value, NULL, 10);
		memcpy((char *)settings + names[i].offset, &number, sizeof number);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static struct load load = {
	    .settings = {.clients = 1,
	                 .watched = UINT64_MAX,
	                 .payload = 300,
	                 .rate = 1000,
	                 .window = 512,
	                 .count = 100,
	                 .warmup_ms = 500,
	                 .measure_ms = 2000},
	};
	bool is_wrong = argc < 2 || argc % 2;
	for (int i = 2; !is_wrong && i < argc; i += 2)
		is_wrong = !set(&load.settings, argv[i], argv[i + 1]);
	if (load.settings.watched > load.settings.clients)
		load.settings.watched = load.settings.clients;
	for (size_t i = 0; !is_wrong && i < COUNT_OF(modes); i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		modes[i].run(&load);
		return 0;
	}
	fprintf(stderr,
	        "usage: load flood|paced|lone|unwanted|idle|connect --port PORT --redis-port PORT [--name NUMBER]...\n");
	return 2;
}
