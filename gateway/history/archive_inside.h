/* What the files of the archive share; nobody else includes it. archive.c takes questions and gives answers, archive_read.c
 * makes the reads of pages: an inquiry (a question that is not answered yet) waits in a line or has joined a reading. */
#ifndef GATEWAY_HISTORY_ARCHIVE_INSIDE_H
#define GATEWAY_HISTORY_ARCHIVE_INSIDE_H

#include "common/base/list.h"
#include "common/data/table.h"
#include "gateway/history/archive.h"
#include "gateway/history/line.h"
#include "gateway/history/scope.h"
#include "gateway/history/shelf.h"

/* How many entries the next read asks for, so that it comes to about page_bytes. */
struct pace {
	size_t entries;
};

struct inquiry {
	struct line_item item;   /* in a line, or else in reading->inquiries */
	struct list all;         /* in archive->inquiries */
	struct question *question; /* owned */
	struct {
		uint64_t asker, ticket;
	} key;                   /* in archive->by_ticket */
	struct reading *reading; /* NULL: it waits in a line */
	uint64_t asked;          /* archive->sent when it came */
	/* How often it joined a reading that did not reach as far as it stands, and how far that one reached: it is choosier
	 * from then on, so that those who are far behind cannot hold up those who are not. */
	unsigned misses;
	uint64_t reach_ms;
	bool is_second; /* the piece was read for another a moment ago: its page is worth keeping now */
	bool is_late;   /* it joined one that was sent before it asked and did not see what came since: not again */
};

/* One thing asked of Redis, for all who joined. */
struct reading {
	struct list link; /* in archive->readings */
	uint64_t ticket;
	enum question_kind kind;
	struct list inquiries;
	/* QUESTION_PAGE: */
	struct page_query query; /* its session points into bytes */
	bool is_open;            /* its end lies where the stream's end is, whatever comes */
	uint64_t sent;           /* its number in archive->sent */
	struct log_position log; /* known when it was sent */
	size_t count;            /* of the read under way */
	bool is_through_log;     /* the session's stream has lost something: the log is read for it */
	struct record_id log_to; /* up to where */
	bool awaits_page, awaits_facts, has_facts;
	struct stream_facts facts;
	/* The page that came, and what is known of its first entry (its channel and payload are gone). */
	struct page *page;
	struct record_id reached;
	bool is_exhausted, has_first;
	struct log_entry first;
	/* While the log is read: what the session's own stream gave. */
	struct page *own;
	struct record_id own_reached;
	bool is_own_exhausted;
	char bytes[];
};

struct archive {
	struct archive_settings settings;
	struct archive_ops ops;
	void *context;
	bool is_up;
	struct log_position log;
	struct line pages, publishes; /* of inquiries; lists of sessions wait with the pages */
	struct list inquiries;        /* all, by struct inquiry.all */
	struct table by_ticket;
	struct list readings;
	size_t reads_in_flight, publishes_in_flight;
	uint64_t last_ticket, sent;
	uint64_t due_ns; /* no deadline is earlier */
	struct shelf shelf;
	struct pace log_pace, session_pace;
};

/* Answers and frees the inquiry. */
void archive_answer(struct archive *archive, struct inquiry *inquiry, enum err error, const char *why, struct page *page);
void archive_fail(struct archive *archive, struct reading *reading, enum err error, const char *why); /* all of it; frees it */
void archive_join(struct reading *reading, struct inquiry *inquiry); /* which is in no line */
void archive_end(struct archive *archive, struct reading *reading);  /* nobody may be left in it */
struct reading *archive_begin(struct archive *archive, enum question_kind kind, size_t bytes) MUST_USE;
void archive_pump(struct archive *archive);

/* archive_read.c. Takes the inquiry out of no line: it is in none. */
void archive_read_page(struct archive *archive, struct inquiry *inquiry);
bool archive_join_under_way(struct archive *archive, struct inquiry *inquiry);
void archive_read_came(struct archive *archive, struct reading *reading, const struct log_entry *entries, size_t count);
void archive_facts_came(struct archive *archive, struct reading *reading, const struct stream_facts *facts);

#endif
