#include "common/base/clock.h"
#include "gateway/feed/feed_inside.h"

#define PATIENCE_LEASES 2

/* Which node may take the lease. A recorder records what it holds pending, in the order it was heard. What it never
 * heard, for its link is younger, would come into the log behind later events of the same publisher if another node
 * holds it. So a node that does not know better asks on the live channel before it takes the lease, and names the
 * oldest event that it holds; whoever holds that one and older ones takes the lease first. (Of events alike whoever
 * holds more holds older ones.) A node knows better, it is complete, as soon as everything that was published before
 * some moment of its link is in the log, as far as anybody knows of it; for it hears the rest itself:
 *   - a recorder's stamp named an event that this link brought: what the recorder heard before, it recorded before;
 *   - one recorder was left alone for so long that others would have taken the lease by force for what it never heard;
 *   - it records itself: nobody had to go first.
 * Where links broke and each node lacks what another holds, none is first: who has asked for long enough goes ahead. */

void precedence_reset(struct feed *feed)
{
	feed->precedence = (struct precedence){0};
}

void precedence_complete(struct feed *feed)
{
	feed->precedence.is_complete = true;
}

static uint64_t count_alike(const struct feed *feed, const struct pending_record *at)
{
	uint64_t count = 0;
	for (; at; at = pending_next_same(&feed->pending, at))
		count++;
	return count;
}

static bool is_patient(const struct feed *feed, uint64_t now_ns)
{
	const struct precedence *precedence = &feed->precedence;
	return !precedence->is_complete &&
	       (precedence->first_asked_ns == 0 ||
	        now_ns - precedence->first_asked_ns < PATIENCE_LEASES * feed->settings.lease_ns);
}

struct slice precedence_question(struct feed *feed, uint64_t now_ns)
{
	struct precedence *precedence = &feed->precedence;
	const struct pending_record *oldest = pending_oldest(&feed->pending);
	if (!is_patient(feed, now_ns) || (precedence->take_ns && precedence->take_ns <= now_ns))
		return SLICE_NONE;
	size_t len = 0;
	precedence->is_asking = true;
	if (oldest && !oldest->is_announced)
		len = stamps_write_oldest(precedence->question, oldest->hash, count_alike(feed, oldest));
	return (struct slice){precedence->question, len};
}

bool precedence_waits(const struct feed *feed, uint64_t now_ns)
{
	return now_ns < feed->precedence.wait_until_ns && is_patient(feed, now_ns);
}

void precedence_on_change(struct feed *feed)
{
	feed->precedence.is_asking = false;
	feed->precedence.take_ns = feed->precedence.first_asked_ns = feed->precedence.held_ns = 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One that goes first may have been asking at the same time. Asking again does not put it off. Within the wait each
 * node looks at the lease, even if it hears no question. */
uint64_t precedence_on_asked(struct feed *feed, uint64_t now_ns)
{
	struct precedence *precedence = &feed->precedence;
	uint64_t lease_ns = feed->settings.lease_ns, wait_ns = lease_ns * 5 / 12;
	precedence->held_ns = 0;
	precedence->asked_ns = now_ns;
	if (precedence->first_asked_ns == 0)
		precedence->first_asked_ns = now_ns;
	if (!precedence->is_asking || precedence_waits(feed, now_ns))
		precedence->take_ns = 0;
	else if (precedence->take_ns == 0)
		precedence->take_ns = now_ns + wait_ns;
	return earlier(precedence->take_ns ? precedence->take_ns : now_ns + wait_ns,
	               precedence->first_asked_ns + PATIENCE_LEASES * lease_ns);
}

void precedence_on_held(struct feed *feed, uint64_t now_ns)
{
	struct precedence *precedence = &feed->precedence;
	precedence->take_ns = precedence->first_asked_ns = 0;
	if (precedence->held_ns == 0 || precedence->held_ns < feed->awake_ns)
		precedence->held_ns = now_ns;
	if (now_ns - precedence->held_ns >= feed->settings.deaf_ns + feed->settings.lease_ns)
		precedence_complete(feed);
}

/* What the asker holds and this node does not, this node never heard, unless it knows the log better. */
void precedence_on_question(struct feed *feed, const struct stamps *question)
{
	struct precedence *precedence = &feed->precedence;
	const struct pending_record *oldest = pending_oldest(&feed->pending);
	const struct pending_record *same = question->alike ? pending_find(&feed->pending, question->oldest) : NULL;
	uint64_t alike = count_alike(feed, same);
	if (slice_is(question->token, feed->recorder.token))
		return;
	if (precedence->is_complete || alike > question->alike || (alike == question->alike && oldest != same)) {
		recorder_on_call(feed);
	} else if (alike < question->alike) {
		precedence->take_ns = 0;
		precedence->wait_until_ns = clock_mono_ns() + feed->settings.lease_ns;
	}
}
