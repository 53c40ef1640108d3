#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/feed/feed_inside.h"
#include "gateway/metrics/metrics.h"

#define NODE_BYTES_MAX 64 /* of a node's name in the token */
#define FORCED_WAIT_MAX_NS (30 * NS_PER_S)
#define CLAIM_FAILED_WAIT_NS NS_PER_S

static void move_to(struct recorder *recorder, enum recorder_state to)
{
	static const bool is_allowed[RECORDER_STATES][RECORDER_STATES] = {
	    [RECORDER_NONE] = {[RECORDER_CLAIMING] = true},
	    [RECORDER_CLAIMING] = {[RECORDER_NONE] = true, [RECORDER_FENCING] = true},
	    [RECORDER_FENCING] = {[RECORDER_NONE] = true, [RECORDER_RECORDING] = true},
	    [RECORDER_RECORDING] = {[RECORDER_NONE] = true},
	};
	if (is_allowed[recorder->state][to])
		recorder->state = to;
}

enum err recorder_init(struct feed *feed)
{
	struct recorder *recorder = &feed->recorder;
	list_init(&recorder->calls);
	recorder->forced_wait_ns = feed->settings.deaf_ns;
	recorder->entries = calloc(feed->settings.record_batch_max, sizeof *recorder->entries);
	return recorder->entries ? OK : ERR_NOMEM;
}

void recorder_fini(struct feed *feed)
{
	struct recorder *recorder = &feed->recorder;
	calls_forget(feed);
	while (recorder->spare_calls) {
		struct record_call *call = recorder->spare_calls;
		recorder->spare_calls = (struct record_call *)(void *)call->link.next;
		free(call);
	}
	free(recorder->entries);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t renew_interval(const struct feed *feed)
{
	return feed->settings.lease_ns / 3;
}

/* Questions of others make it ask no more often. */
static uint64_t may_ask_again(const struct feed *feed)
{
	return feed->precedence.asked_ns + renew_interval(feed) / 4;
}

void recorder_stop(struct feed *feed, bool is_released)
{
	struct recorder *recorder = &feed->recorder;
	if (recorder->state == RECORDER_NONE)
		return;
	if (is_released)
		feed->ops.release(feed->context, slice_of(recorder->token));
	move_to(recorder, RECORDER_NONE);
	recorder->claim_ticket = recorder->renew_ticket = 0;
	recorder->claim_ns = clock_mono_ns();
	if (!recorder->is_called)
		recorder->claim_ns += feed_jitter(feed, renew_interval(feed));
	recorder->failures = 0;
	calls_forget(feed);
	feed->state.is_recorder = false;
	delivery_tell(feed);
}

/* What was heard waits for a stamp though somebody holds the lease: since when, for as long as this node ran and
 * listened. */
static bool is_deaf(const struct feed *feed, uint64_t now_ns)
{
	const struct recorder *recorder = &feed->recorder;
	const struct pending_record *oldest = pending_oldest(&feed->pending);
	if (!oldest)
		return false;
	uint64_t since = oldest->heard_ns > recorder->quiet_ns ? oldest->heard_ns : recorder->quiet_ns;
	since = since > feed->awake_ns ? since : feed->awake_ns;
	return now_ns >= since + recorder->forced_wait_ns;
}

static void make_token(struct feed *feed)
{
	struct slice node = feed->settings.node;
	int len = (int)(node.len < NODE_BYTES_MAX ? node.len : NODE_BYTES_MAX);
	snprintf(feed->recorder.token, TOKEN_MAX, "%.*s.%016llx", len, len ? node.ptr : "",
	         (unsigned long long)random_next(&feed->random));
}

static void fail_claim(struct feed *feed, uint64_t now_ns)
{
	move_to(&feed->recorder, RECORDER_NONE);
	feed->recorder.claim_ns = now_ns + feed_jitter(feed, CLAIM_FAILED_WAIT_NS);
	precedence_on_change(feed);
	feed_ask_open(feed); /* the log may have gone */
}

static void claim(struct feed *feed, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	recorder->by_force = is_deaf(feed, now_ns);
	recorder->claim_ticket = feed_new_ticket(feed);
	recorder->is_fence_heard = false;
	recorder->renew_ns = now_ns + renew_interval(feed);
	make_token(feed);
	move_to(recorder, RECORDER_CLAIMING);
	if (feed->ops.claim(feed->context, recorder->claim_ticket, slice_of(recorder->token), recorder->by_force,
	                    precedence_question(feed, now_ns))) {
		recorder->claim_ticket = 0;
		fail_claim(feed, now_ns);
	}
}

/* One that drains claims only what would not be recorded in time, or in order, without it. One that waits for another
 * asks all the same before a third goes ahead. One that did not run for a while first hears what was said meanwhile:
 * what it holds may be in the log. */
static bool may_claim(const struct feed *feed, uint64_t now_ns)
{
	const struct recorder *recorder = &feed->recorder;
	if (feed->awake_ns > feed->precedence.up_ns && now_ns < feed->awake_ns + renew_interval(feed))
		return false;
	if (recorder->is_called)
		return true;
	return !precedence_waits(feed, now_ns) && (!recorder->is_retired || is_deaf(feed, now_ns));
}

static void try_claim(struct feed *feed, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	bool may = may_claim(feed, now_ns);
	recorder->is_called = false;
	if (may)
		claim(feed, now_ns);
	else
		recorder->claim_ns = now_ns + feed_jitter(feed, renew_interval(feed));
}

static void on_claimed(struct feed *feed, enum claim_answer answer, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	if (answer == CLAIM_FAILED) {
		fail_claim(feed, now_ns);
	} else if (answer == CLAIM_HELD_BY_OTHER) {
		move_to(recorder, RECORDER_NONE);
		precedence_on_held(feed, now_ns);
		recorder->claim_ns = now_ns + feed_jitter(feed, renew_interval(feed));
	} else if (answer == CLAIM_ASKED) {
		move_to(recorder, RECORDER_NONE);
		recorder->claim_ns = precedence_on_asked(feed, now_ns);
		if (recorder->is_called)
			recorder->claim_ns = earlier(recorder->claim_ns, may_ask_again(feed));
	} else {
		move_to(recorder, RECORDER_FENCING);
		precedence_on_change(feed);
		recorder->fence_by_ns = now_ns + feed->settings.deaf_ns + feed->settings.lease_ns;
		if (recorder->by_force) {
			recorder->quiet_ns = now_ns;
			recorder->forced_wait_ns *= 2;
			if (recorder->forced_wait_ns > FORCED_WAIT_MAX_NS)
				recorder->forced_wait_ns = FORCED_WAIT_MAX_NS;
		}
		recorder_try_begin(feed);
	}
}

void feed_on_claim(struct feed *feed, uint64_t ticket, enum claim_answer answer)
{
	struct recorder *recorder = &feed->recorder;
	uint64_t now_ns = clock_mono_ns();
	if (ticket && ticket == recorder->claim_ticket) {
		recorder->claim_ticket = 0;
		on_claimed(feed, answer, now_ns);
	} else if (ticket && ticket == recorder->renew_ticket) {
		recorder->renew_ticket = 0;
		if (answer == CLAIM_HELD_BY_OTHER)
			recorder_stop(feed, false);
		else if (answer == CLAIM_TAKEN)
			recorder->is_called = false;
	}
	delivery_flush(feed);
}

/* Another's fence: the lease is not ours any more, and whoever has it shall have time to record. */
void recorder_on_fence(struct feed *feed, const struct stamps *fence)
{
	struct recorder *recorder = &feed->recorder;
	bool is_waiting = recorder->state == RECORDER_CLAIMING || recorder->state == RECORDER_FENCING;
	if (is_waiting && slice_is(fence->token, recorder->token)) {
		recorder->is_fence_heard = true;
		recorder->fence_last = fence->before;
		return;
	}
	precedence_on_change(feed);
	recorder->forced_wait_ns = feed->settings.deaf_ns;
	recorder->quiet_ns = clock_mono_ns();
	if (recorder->state == RECORDER_RECORDING || recorder->is_fence_heard)
		recorder_stop(feed, false);
}

/* Whoever thinks that it holds the lease looks again. */
void recorder_on_call(struct feed *feed)
{
	struct recorder *recorder = &feed->recorder;
	recorder->renew_ns = 0;
	recorder->is_called = true;
	if (recorder->state == RECORDER_NONE)
		recorder->claim_ns = earlier(recorder->claim_ns, may_ask_again(feed));
}

void recorder_on_progress(struct feed *feed, bool was_oldest)
{
	feed->recorder.forced_wait_ns = feed->settings.deaf_ns;
	if (was_oldest)
		feed->recorder.quiet_ns = clock_mono_ns();
}

/* Everything that earlier recorders did is known once the fence came through this node's own feed, and what came before
 * it was delivered: what is pending then is in no log. */
void recorder_try_begin(struct feed *feed)
{
	struct recorder *recorder = &feed->recorder;
	if (recorder->state != RECORDER_FENCING || !recorder->is_fence_heard || !feed_is_ready(feed) ||
	    record_id_compare(feed->head, recorder->fence_last) < 0)
		return;
	move_to(recorder, RECORDER_RECORDING);
	recorder->is_fence_heard = false;
	precedence_complete(feed);
	metric_add(recorder->by_force ? METRIC_RECORD_TAKEOVERS_FORCED : METRIC_RECORD_TAKEOVERS, 1);
	feed->state.is_recorder = true;
	delivery_tell(feed);
	calls_send(feed, clock_mono_ns());
}

void feed_retire(struct feed *feed)
{
	feed->recorder.is_retired = true;
	feed->recorder.is_called = false;
	recorder_stop(feed, true);
}

static void renew(struct feed *feed, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	recorder->renew_ns = now_ns + renew_interval(feed);
	if (recorder->renew_ticket)
		return;
	recorder->renew_ticket = feed_new_ticket(feed);
	if (feed->ops.renew(feed->context, recorder->renew_ticket, slice_of(recorder->token)))
		recorder->renew_ticket = 0;
}

/* A fence that does not come back: others may have better luck. Reading up to one that came is given time while it goes
 * on. */
static uint64_t fence_ends(const struct feed *feed)
{
	const struct recorder *recorder = &feed->recorder;
	uint64_t more_ns = feed->settings.deaf_ns + feed->settings.lease_ns;
	if (recorder->is_fence_heard && feed->heal.is_active &&
	    feed->heal.progress_ns + more_ns > recorder->fence_by_ns)
		return feed->heal.progress_ns + more_ns;
	return recorder->fence_by_ns;
}

static uint64_t hold(struct feed *feed, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	if (recorder->renew_ns <= now_ns)
		renew(feed, now_ns);
	if (recorder->state == RECORDER_RECORDING)
		return recorder->renew_ns;
	if (fence_ends(feed) > now_ns)
		return earlier(recorder->renew_ns, fence_ends(feed));
	recorder_stop(feed, true);
	recorder->claim_ns = now_ns + feed_jitter(feed, feed->settings.deaf_ns);
	return recorder->claim_ns;
}

uint64_t recorder_tick(struct feed *feed, uint64_t now_ns)
{
	struct recorder *recorder = &feed->recorder;
	uint64_t looks_ns = calls_tick(feed, now_ns);
	if (recorder->state == RECORDER_CLAIMING)
		return looks_ns;
	if (recorder->state != RECORDER_NONE)
		return earlier(looks_ns, hold(feed, now_ns));
	if (!feed_is_ready(feed))
		return looks_ns;
	if (recorder->claim_ns <= now_ns)
		try_claim(feed, now_ns);
	return recorder->state == RECORDER_NONE ? earlier(looks_ns, recorder->claim_ns) : looks_ns;
}
