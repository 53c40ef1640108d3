/* A subscribed client that gives what it is sent one thing at a time: each event of a batch, gaps, notices, the end. Every
 * message is checked to be strict JSON in a text frame (so strict UTF-8 too); server pings are answered. What it cannot do
 * fails the test, except where a result says otherwise. Used by one thread. */
#ifndef TESTS_SUPPORT_WATCHER_H
#define TESTS_SUPPORT_WATCHER_H

#include <stdint.h>

#include "tests/support/raw.h"

struct watcher {
	struct raw raw;
	struct buf message; /* the message at hand */
	struct slice rest;  /* what is left of its events, inside it */
	struct buf sub;     /* the key of the subscription made first */
	struct buf text;    /* backs the unescaped channel */
};

enum watched_kind { WATCHED_EVENT, WATCHED_GAP, WATCHED_NOTICE, WATCHED_REPLY, WATCHED_CLOSE, WATCHED_END, WATCHED_LATE };

struct watched { /* texts are valid until the next call; empty where they do not belong */
	enum watched_kind kind;
	struct slice json;    /* the event or the message as it came */
	struct slice sub;     /* raw, without quotes */
	struct slice channel; /* unescaped */
	struct slice data;    /* raw JSON */
	struct slice format;  /* "" "text" "base64" */
	uint64_t dropped;     /* of a gap */
	unsigned code;        /* of a close */
};

/* Connects and subscribes with these further members: "\"channels\":[\"trace:*\"]", "" everything. */
void watcher_open(struct watcher *watcher, uint16_t port, const char *members);
/* The same with a small SO_RCVBUF: it soon counts as slow when it is not read. */
void watcher_open_small(struct watcher *watcher, uint16_t port, const char *members);
void watcher_close(struct watcher *watcher);

enum watched_kind watcher_next(struct watcher *watcher, struct watched *ret_watched, struct deadline deadline);
/* The next thing must be an event with that payload (raw JSON), in time. */
void watcher_expect(struct watcher *watcher, const char *data);
/* Reads on to the event with that payload; gives the events before it and adds what gaps say to ret_dropped (may be NULL). */
uint64_t watcher_skip_to(struct watcher *watcher, const char *data, uint64_t *ret_dropped);

/* Sends a request and reads its reply, which must come next but for events; valid until the next call. */
struct slice watcher_ask(struct watcher *watcher, const char *request);

#endif
