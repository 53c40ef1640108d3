/* The archive answers the questions of all workers of a node about the past. Reads that ask for the same piece are made
 * once: a question joins a read that is on its way, or is served from a page that was read a moment ago. Reads are bounded in
 * entries, adapted to the size of what comes, and in number; the rest waits in line, fairly by asker. Pure: Redis is behind
 * archive_ops. Owned by the historian, one thread. */
#ifndef GATEWAY_HISTORY_ARCHIVE_H
#define GATEWAY_HISTORY_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/protocol/log.h"
#include "gateway/feed/intake.h"
#include "gateway/history/page.h"
#include "gateway/history/question.h"

struct archive;

struct archive_settings {
	struct intake_fields fields;
	size_t page_entries;        /* most entries in one read */
	size_t page_bytes;          /* what a read should come to; its entries are adapted to it */
	size_t reads_in_flight_max;
	size_t waiting_max;         /* questions in line; beyond it they are answered with ERR_LIMIT */
	size_t kept_bytes_max;      /* pages kept for those who ask next */
	uint64_t kept_ns;           /* how long */
	uint64_t session_idle_ms;   /* after so long without an entry a session's stream goes; 0: never */
};

/* What Redis says of a stream: XINFO STREAM, or that it has none (exists false). */
struct stream_facts {
	bool exists;
	uint64_t length, entries_added;
	struct record_id first, last, max_deleted;
};

/* Answers come by archive_on_...(ticket), also of what fails, never inside the call. */
struct archive_ops {
	enum err (*read)(void *context, uint64_t ticket, const struct page_query *query, size_t count);
	enum err (*inspect)(void *context, uint64_t ticket, struct slice session); /* facts of the stream, and of the log */
	enum err (*publish)(void *context, uint64_t ticket, struct slice channel, struct slice payload, struct slice session);
	enum err (*list)(void *context, uint64_t ticket, uint64_t cursor, size_t limit);
	void (*answer)(void *context, struct answer *answer); /* owned by the receiver */
};

struct archive *archive_new(const struct archive_settings *settings, const struct archive_ops *ops, void *context) MUST_USE;
void archive_free(struct archive *archive); /* NULL is fine; answers nobody */

void archive_ask(struct archive *archive, struct question *question); /* owns it from now on */
void archive_link(struct archive *archive, bool is_up); /* it begins down; down: what waits is answered with ERR_CLOSED */
/* Where the log stands, as the feed heard; to be told before the workers are. Another epoch: nothing that was kept counts. */
void archive_position(struct archive *archive, const struct log_position *position);
uint64_t archive_tick(struct archive *archive, uint64_t now_ns); /* deadlines; gives the next, UINT64_MAX: none */

/* why: NULL, or what Redis refused. */
void archive_on_read(struct archive *archive, uint64_t ticket, const struct log_entry *entries, size_t count, const char *why);
void archive_on_facts(struct archive *archive, uint64_t ticket, const struct stream_facts *stream, const struct log_position *log,
		      const char *why);
void archive_on_published(struct archive *archive, uint64_t ticket, struct record_id id, const char *why);
void archive_on_list(struct archive *archive, uint64_t ticket, struct session_list *list, const char *why); /* owned; NULL with why */

#endif
