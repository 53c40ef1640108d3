#include "gateway/session/writers.h"

#include "common/base/clock.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

/* Live events wait no longer than this for those who catch up. */
#define RUN_NS (4 * NS_PER_MS)
#define RUN_PIECES_MAX 256

void writer_init(struct writer *writer, struct session *session, bool is_paced, writer_write *write)
{
	list_init(&writer->in_session);
	writer->session = session;
	writer->is_paced = is_paced;
	writer->reads_past = false;
	writer->write = write;
}

void writers_wake(struct session *session)
{
	if (session->state == SESSION_OPEN && !list_is_empty(&session->writers) && list_is_empty(&session->in_writing))
		list_append(&session->exchange->writing, &session->in_writing);
}

void writers_forget(struct session *session)
{
	list_remove(&session->in_writing);
	alarm_stop(&session->pace);
}

void writer_want(struct writer *writer)
{
	if (!list_is_empty(&writer->in_session))
		return;
	list_append(&writer->session->writers, &writer->in_session);
	writers_wake(writer->session);
}

void writer_rest(struct writer *writer)
{
	list_remove(&writer->in_session);
}

/* The writer whose turn it is; NULL: all of them wait for a bucket, which wakes the session. */
static struct writer *next_of(struct session *session, uint64_t now_ns)
{
	bool is_over = bucket_wait_ms(&session->events, 1, now_ns) > 0;
	bool is_past_over = bucket_wait_ms(&session->past_events, 1, now_ns) > 0;
	LIST_FOREACH(&session->writers, at, following) {
		struct writer *writer = LIST_ENTRY(at, struct writer, in_session);
		if (!(is_over && writer->is_paced) && !(is_past_over && writer->reads_past))
			return writer;
	}
	if (!list_is_empty(&session->writers))
		session_pace(session);
	return NULL;
}

/* One piece of one writer; it goes behind the others of its session, and the session behind the other sessions. */
static void run_one(struct session *session, uint64_t now_ns)
{
	struct writer *writer = next_of(session, now_ns);
	if (!writer)
		return;
	struct arena *arena = &session->exchange->arena;
	struct arena_mark mark = arena_mark(arena);
	list_remove(&writer->in_session);
	if (writer->write(writer) && list_is_empty(&writer->in_session))
		list_append(&session->writers, &writer->in_session);
	arena_back(arena, mark);
	writers_wake(session);
}

bool writers_run(struct exchange *exchange)
{
	uint64_t start_ns = clock_mono_ns(), now_ns = start_ns;
	for (int pieces = 0; pieces < RUN_PIECES_MAX && now_ns - start_ns < RUN_NS; pieces++) {
		if (list_is_empty(&exchange->writing))
			return false;
		struct session *session = LIST_ENTRY(exchange->writing.next, struct session, in_writing);
		list_remove(&session->in_writing);
		if (session->state == SESSION_OPEN && session_is_clear(session))
			run_one(session, now_ns);
		now_ns = clock_mono_ns();
	}
	return !list_is_empty(&exchange->writing);
}
