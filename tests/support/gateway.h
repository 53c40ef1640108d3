/* A gateway process of the test's own: preset test, free loopback ports learned from its log, JSON logs captured. Dies with
 * the test. Whatever it cannot do fails the test. Used by one thread. */
#ifndef TESTS_SUPPORT_GATEWAY_H
#define TESTS_SUPPORT_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/data/buf.h"
#include "tests/support/deadline.h"
#include "tests/support/process.h"

struct gateway;

struct gateway_options {
	const char *program;            /* TEST_GATEWAY */
	const char *redis_url;
	const char *const *flags;       /* more flags, later ones win, NULL at their end; NULL: none */
	const char *const *environment; /* as process.h; NULL: nothing */
	const char *const *wrapper;     /* put in front: {"unshare", "-fp", NULL}; NULL: none */
	uint64_t descriptor_limit;      /* 0: as it is */
};

/* The process with those options, nothing waited for: for starts that must fail. */
struct process *gateway_launch(const struct gateway_options *options);
/* Gives it back when its sockets are open; Redis may be away. */
struct gateway *gateway_open(const struct gateway_options *options);
/* Gives it back when /readyz says 200. flags as above. */
struct gateway *gateway_start(const char *program, const char *redis_url, const char *const *flags);
void gateway_free(struct gateway *gateway); /* kills it if it still runs; NULL is fine */
/* SIGTERM, and it must end with status 0 within the deadline: the way for a test to end in good order. Frees it. */
void gateway_end(struct gateway *gateway);

uint16_t gateway_port(const struct gateway *gateway);       /* for clients */
uint16_t gateway_admin_port(const struct gateway *gateway);
const char *gateway_url(const struct gateway *gateway);     /* "ws://127.0.0.1:40000" */
struct process *gateway_process(struct gateway *gateway);

void gateway_wait_ready(struct gateway *gateway, bool ready); /* /readyz is 200 (503) */

/* GET of the admin port. The status, 0 when it does not answer; the body is appended to ret_body (may be NULL). */
int gateway_get(struct gateway *gateway, const char *path, struct buf *ret_body);
/* The sum of a metric's series whose labels hold all of label ("" any): ("events_dropped_total", "reason=\"slow\""); the
 * prefix tracegate_ is added unless the name is found without it. Fails the test if there is no such series. */
double gateway_metric(struct gateway *gateway, const char *name, const char *label);
/* Waits until the metric is at least (exactly) that. Fails the test at the deadline. */
void gateway_wait_metric_at_least(struct gateway *gateway, const char *name, const char *label, double value);
void gateway_wait_metric(struct gateway *gateway, const char *name, const char *label, double value);

#endif
