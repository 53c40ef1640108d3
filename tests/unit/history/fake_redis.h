/* A log and the streams of its sessions behind an archive, without Redis: what the archive asks is held until
 * fake_redis_answer(), so that a test decides when answers come. Entry n (from 1 on) has the id <10 n>-0 and belongs to
 * session "a" when n is odd, else to "b". */
#ifndef TESTS_UNIT_HISTORY_FAKE_REDIS_H
#define TESTS_UNIT_HISTORY_FAKE_REDIS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/history/archive.h"

#define FAKE_ENTRIES 4000
#define FAKE_CALLS 2048
#define FAKE_ANSWERS 4096
#define FAKE_WALL_MS UINT64_C(1000000)

enum fake_kind { FAKE_READ, FAKE_INSPECT, FAKE_PUBLISH, FAKE_LIST };

struct fake_call {
	enum fake_kind kind;
	uint64_t ticket;
	char session[16], channel[32];
	struct page_query query;
	size_t count;
};

static struct fake_redis {
	struct archive *archive;
	size_t last;              /* entries 1 to last were written */
	size_t first, a_first;    /* the first that the log, and the stream of "a", still hold */
	size_t deleted;           /* one entry deleted by hand; 0: none */
	bool has_a;               /* false: the stream of "a" has gone */
	struct fake_call calls[FAKE_CALLS];
	size_t asked, answered;   /* calls */
	size_t reads, session_reads, inspections;
	struct answer *answers[FAKE_ANSWERS];
	size_t answer_count;
	enum err fails;           /* what ops.read gives */
	const char *why;          /* what Redis refuses with */
} fake;

static struct record_id fake_id(size_t n)
{
	return (struct record_id){10 * n, 0};
}

static struct fake_call *fake_hold(enum fake_kind kind, uint64_t ticket)
{
	ck_assert_uint_lt(fake.asked, FAKE_CALLS);
	struct fake_call *call = &fake.calls[fake.asked++];
	*call = (struct fake_call){.kind = kind, .ticket = ticket};
	return call;
}

static enum err fake_read(void *context, uint64_t ticket, const struct page_query *query, size_t count)
{
	(void)context;
	if (fake.fails)
		return fake.fails;
	struct fake_call *call = fake_hold(FAKE_READ, ticket);
	call->query = *query;
	call->count = count;
	snprintf(call->session, sizeof call->session, "%.*s", (int)query->session.len, query->session.ptr);
	*(query->session.len ? &fake.session_reads : &fake.reads) += 1;
	return OK;
}

static enum err fake_inspect(void *context, uint64_t ticket, struct slice session)
{
	(void)context;
	struct fake_call *call = fake_hold(FAKE_INSPECT, ticket);
	snprintf(call->session, sizeof call->session, "%.*s", (int)session.len, session.ptr);
	fake.inspections++;
	return OK;
}

static enum err fake_publish(void *context, uint64_t ticket, struct slice channel, struct slice payload, struct slice session)
{
	(void)context;
	(void)payload;
	(void)session;
	struct fake_call *call = fake_hold(FAKE_PUBLISH, ticket);
	snprintf(call->channel, sizeof call->channel, "%.*s", (int)channel.len, channel.ptr);
	return OK;
}

static enum err fake_list(void *context, uint64_t ticket, uint64_t cursor, size_t limit)
{
	(void)context;
	(void)cursor;
	(void)limit;
	fake_hold(FAKE_LIST, ticket);
	return OK;
}

static void fake_answer(void *context, struct answer *answer)
{
	(void)context;
	ck_assert_uint_lt(fake.answer_count, FAKE_ANSWERS);
	fake.answers[fake.answer_count++] = answer;
}

static bool fake_holds(const struct fake_call *call, size_t n)
{
	if (n == fake.deleted || n < fake.first)
		return false;
	if (!*call->session)
		return true;
	return (n % 2 == 1) == (*call->session == 'a') && (*call->session != 'a' || (fake.has_a && n >= fake.a_first));
}

/* The session's stream may reach back further than the log. */
static bool fake_is_there(const struct fake_call *call, size_t n)
{
	if (*call->session == 'a' && fake.has_a && n % 2 == 1 && n >= fake.a_first && n != fake.deleted)
		return true;
	return fake_holds(call, n);
}

static bool fake_is_wanted(const struct page_query *query, struct record_id id)
{
	int from = record_id_compare(id, query->from), to = record_id_compare(id, query->to);
	return query->is_reverse ? from < 0 && to >= 0 : from > 0 && to <= 0;
}

static void fake_answer_read(const struct fake_call *call)
{
	static struct log_entry entries[FAKE_ENTRIES];
	size_t count = 0;
	for (size_t i = 1; i <= fake.last && count < call->count; i++) {
		size_t n = call->query.is_reverse ? fake.last + 1 - i : i;
		if (!fake_is_there(call, n) || !fake_is_wanted(&call->query, fake_id(n)))
			continue;
		entries[count++] = (struct log_entry){
		    .id = fake_id(n),
		    .before = *call->session ? fake_id(0) : fake_id(n - 1),
		    .channel = n % 2 ? SLICE_LITERAL("trace:a") : SLICE_LITERAL("trace:b"),
		    .payload = SLICE_LITERAL("{\"type\":\"t\"}"),
		};
	}
	archive_on_read(fake.archive, call->ticket, fake.why ? NULL : entries, fake.why ? 0 : count, fake.why);
}

static void fake_answer_facts(const struct fake_call *call)
{
	struct stream_facts facts = {0};
	for (size_t n = 1; n <= fake.last; n++) {
		bool is_of_stream = !*call->session || (n % 2 == 1) == (*call->session == 'a');
		facts.entries_added += is_of_stream;
		if (!fake_is_there(call, n))
			continue;
		facts.first = facts.length++ ? facts.first : fake_id(n);
		facts.last = fake_id(n);
		facts.exists = true;
	}
	if (!*call->session && fake.last) {
		facts.exists = true;
		facts.last = fake_id(fake.last);
	}
	/* A stream that went and came again has counted anew. */
	if (*call->session == 'a' && !fake.has_a)
		facts = (struct stream_facts){0};
	const struct log_position position = {.epoch = 1, .last = fake_id(fake.last)};
	archive_on_facts(fake.archive, call->ticket, &facts, &position, fake.why);
}

/* Answers the oldest call that waits; false: none does. */
static bool fake_redis_answer_one(void)
{
	if (fake.answered == fake.asked)
		return false;
	struct fake_call call = fake.calls[fake.answered++];
	if (call.kind == FAKE_READ)
		fake_answer_read(&call);
	else if (call.kind == FAKE_INSPECT)
		fake_answer_facts(&call);
	else if (call.kind == FAKE_PUBLISH)
		archive_on_published(fake.archive, call.ticket, fake_id(++fake.last), fake.why);
	else
		archive_on_list(fake.archive, call.ticket, fake.why ? NULL : session_list_new(0, NULL, 0), fake.why);
	return true;
}

static void fake_redis_answer(void)
{
	while (fake_redis_answer_one())
		;
}

static const struct archive_ops fake_ops = {
    .read = fake_read, .inspect = fake_inspect, .publish = fake_publish, .list = fake_list, .answer = fake_answer};

static void fake_redis_forget_answers(void)
{
	for (size_t i = 0; i < fake.answer_count; i++)
		answer_free(fake.answers[i]);
	fake.answer_count = 0;
}

static void fake_redis_start(size_t entries)
{
	clock_fake(NS_PER_S, FAKE_WALL_MS);
	fake = (struct fake_redis){.last = entries, .first = 1, .a_first = 1, .has_a = true};
	const struct archive_settings settings = {
	    .fields = intake_fields_default,
	    .page_entries = 100,
	    .page_bytes = 1 << 20,
	    .reads_in_flight_max = 4,
	    .waiting_max = 3000,
	    .kept_bytes_max = 1 << 20,
	    .kept_ns = NS_PER_S,
	    .session_idle_ms = 5000,
	};
	fake.archive = archive_new(&settings, &fake_ops, NULL);
	ck_assert_ptr_nonnull(fake.archive);
	archive_link(fake.archive, true);
	archive_position(fake.archive, &(struct log_position){.epoch = 1, .last = fake_id(entries)});
}

static void fake_redis_stop(void)
{
	archive_free(fake.archive);
	fake_redis_forget_answers();
	clock_real();
}

#endif
