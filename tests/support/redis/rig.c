#include "tests/support/redis/rig.h"

#include <check.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <signal.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/metrics/metrics.h"

#define BEAT_MS 2

static void on_beat(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
}

static void on_log_line(const char *line, size_t len, void *context)
{
	struct rig *rig = context;
	buf_append(&rig->logged, line, len);
	if (len == 0 || line[len - 1] != '\n')
		buf_append_char(&rig->logged, '\n');
}

static void on_message(void *context, struct slice channel, struct slice payload)
{
	struct rig *rig = context;
	rig->messages++;
	buf_append_slice(&rig->received, channel);
	buf_append_char(&rig->received, ' ');
	buf_append_slice(&rig->received, payload);
	buf_append_char(&rig->received, '\n');
}

static void on_live(void *context, struct slice payload)
{
	struct rig *rig = context;
	rig->lives++;
	buf_append_text(&rig->received, "live ");
	buf_append_slice(&rig->received, payload);
	buf_append_char(&rig->received, '\n');
}

static void on_linked(void *context)
{
	struct rig *rig = context;
	rig->links++;
	rig->commands_at_link = upstream_commands(rig->upstream);
}

static void on_read_end(void *context)
{
	struct rig *rig = context;
	rig->reads++;
}

static void on_state(void *context, bool is_up)
{
	struct rig *rig = context;
	if (is_up)
		rig->ups++;
	else
		rig->downs++;
	if (rig->on_state)
		rig->on_state(rig, is_up);
}

void rig_init(struct rig *rig, const char *url)
{
	static const char *const patterns[] = {"trace:*", "agent:*", "swarm:*", "performance:*", NULL};
	const struct timeval beat = {.tv_usec = BEAT_MS * 1000};
	char why[URL_WHY_BYTES] = "";
	*rig = (struct rig){0};
	signal(SIGPIPE, SIG_IGN);
	evthread_use_pthreads();
	ck_assert_int_eq(metrics_join(), OK);
	buf_init(&rig->received);
	buf_init(&rig->logged);
	log_capture(on_log_line, rig);
	rig->base = event_base_new();
	rig->beat = event_new(rig->base, -1, EV_PERSIST, on_beat, NULL);
	event_add(rig->beat, &beat);
	ck_assert_msg(url_parse(url, &rig->url, why) == OK, "%s", why);
	rig->settings = (struct upstream_settings){
	    .url = &rig->url,
	    .prefix = "tg:",
	    .node_name = "node-under-test",
	    .connect_timeout_ns = 1000 * NS_PER_MS,
	    .backoff_min_ns = 5 * NS_PER_MS,
	    .backoff_max_ns = 100 * NS_PER_MS,
	    .heartbeat_ns = 100 * NS_PER_MS,
	    .payload_bytes_max = 1024 * 1024,
	};
	rig_set_patterns(rig, patterns);
}

void rig_set_patterns(struct rig *rig, const char *const *patterns)
{
	size_t count = 0;
	for (; patterns[count]; count++)
		rig->patterns[count] = slice_of(patterns[count]);
	rig->settings.patterns = rig->patterns;
	rig->settings.pattern_count = count;
}

void rig_start(struct rig *rig)
{
	const struct upstream_owner owner = {
	    .on_message = on_message,
	    .on_live = on_live,
	    .on_read_end = on_read_end,
	    .on_linked = rig->holds_back ? on_linked : NULL,
	    .on_state = on_state,
	    .context = rig,
	};
	ck_assert_int_eq(upstream_new(rig->base, &rig->settings, owner, &rig->upstream), OK);
}

void rig_fini(struct rig *rig)
{
	upstream_free(rig->upstream);
	ck_assert_uint_eq(metric_read(METRIC_REDIS_UP), 0);
	event_free(rig->beat);
	event_base_free(rig->base);
	url_fini(&rig->url);
	log_capture(NULL, NULL);
	buf_fini(&rig->received);
	buf_fini(&rig->logged);
	metrics_reset();
}

void rig_turn(struct rig *rig)
{
	event_base_loop(rig->base, EVLOOP_ONCE);
}

void rig_run_ms(struct rig *rig, uint64_t ms)
{
	struct deadline deadline = deadline_in(ms);
	while (!deadline_has_passed(deadline))
		rig_turn(rig);
}

void rig_run_until_up(struct rig *rig, unsigned ups)
{
	RIG_UNTIL(rig, rig->ups >= ups && upstream_is_up(rig->upstream));
}

void rig_run_until_down(struct rig *rig, unsigned downs)
{
	RIG_UNTIL(rig, rig->downs >= downs);
}

void rig_run_until_messages(struct rig *rig, unsigned messages)
{
	RIG_UNTIL(rig, rig->messages >= messages);
}

void rig_run_until_logged(struct rig *rig, const char *text)
{
	RIG_UNTIL(rig, rig_has_logged(rig, text));
}

unsigned rig_count(const struct buf *text, const char *what)
{
	unsigned count = 0;
	size_t len = strlen(what);
	for (size_t at = 0; at + len <= text->len; at++)
		count += memcmp(text->bytes + at, what, len) == 0;
	return count;
}

bool rig_has_logged(const struct rig *rig, const char *text)
{
	return rig_count(&rig->logged, text) > 0;
}
