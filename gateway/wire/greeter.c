#define _GNU_SOURCE
#include "gateway/wire/greeter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/data/buf.h"
#include "gateway/auth/grants.h"
#include "gateway/http/admission_refusal.h"
#include "gateway/http/api.h"
#include "gateway/http/head.h"
#include "gateway/http/upgrade.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/relief.h"

#define ROOM "wire"
#define READ_BYTES 4096
#define READS_PER_TURN 16 /* of one socket */
#define EAGER_BYTES 1024  /* up to here every byte is judged at once, above it every line */
#define RETRY_AFTER_S 2

struct greeting {
	uv_poll_t poll;
	bool is_watched;
	struct deadline deadline;
	struct list link;
	struct greeter *greeter;
	int fd;
	struct admission admission;
	struct buf head;
	size_t judged_bytes; /* how much of head was judged last */
	bool is_kept;        /* an earlier request was answered: the peer owes no other */
};

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Lets go of everything but the descriptor and the admission, which the caller passes on. */
static void forget(struct greeting *greeting)
{
	deadline_stop(&greeting->deadline);
	list_remove(&greeting->link);
	buf_fini(&greeting->head);
	metric_gauge_add(METRIC_HANDSHAKES, -1);
	if (greeting->is_watched)
		uv_close((uv_handle_t *)&greeting->poll, on_poll_closed);
	else
		free(greeting);
}

static void give_up(struct greeting *greeting)
{
	int fd = greeting->fd;
	connections_release(greeting->greeter->settings.connections, &greeting->admission);
	forget(greeting);
	close(fd);
}

/* The page that may read the answer, as far as what there is of the head says it, whether it can be read as a whole or not. */
static struct slice find_reader(const struct greeting *greeting)
{
	const struct greeter_settings *settings = &greeting->greeter->settings;
	struct head head;
	head_read_fields(buf_slice(&greeting->head), &head);
	return cors_reader(&settings->cors, tls_relays_have(settings->relays, greeting->fd), &head);
}

static void refuse(struct greeting *greeting, const struct refusal *refusal)
{
	int fd = greeting->fd;
	struct farewell *farewell = greeting->greeter->farewell;
	struct buf response;
	buf_init(&response);
	refusal_write(&response, refusal, find_reader(greeting));
	metric_add(refusal->metric, 1);
	log_debug(ROOM, "handshake refused", log_int("status", refusal->status), log_text("code", refusal->code),
		  log_text("cause", refusal->message), log_ip("address", &greeting->admission.client));
	connections_release(greeting->greeter->settings.connections, &greeting->admission);
	forget(greeting);
	farewell_take(farewell, fd, buf_has_failed(&response) ? SLICE_NONE : buf_slice(&response));
	buf_fini(&response);
}

static void welcome(struct greeting *greeting, const struct head *head, const struct front *front, struct grants *grants)
{
	struct greeter *greeter = greeting->greeter;
	struct slice all = buf_slice(&greeting->head);
	struct handshake handshake = {
		.fd = greeting->fd,
		.admission = greeting->admission,
		.front = front,
		.grants = grants,
		.names_protocol = head_lists(head, "Sec-WebSocket-Protocol", front->name),
		.behind = {all.ptr + head->len, all.len - head->len},
	};
	head_get(head, "Sec-WebSocket-Key", &handshake.key, NULL);
	if (greeter->settings.deflates)
		handshake.deflate = deflate_offer_choose(head);
	/* The watcher has to be off the descriptor before another is put on it; the bytes have to outlive that. */
	struct buf bytes = greeting->head;
	buf_init(&greeting->head);
	forget(greeting);
	greeter->upgraded(greeter->context, &handshake);
	grants_unref(grants);
	buf_fini(&bytes);
}

static void hand_on(struct greeting *greeting, const struct head *head, greeter_requested *receiver)
{
	struct greeter *greeter = greeting->greeter;
	struct greeted_request request = {
		.fd = greeting->fd,
		.admission = greeting->admission,
		.bytes = greeting->head,
		.head = head,
		.head_due_ns = greeting->deadline.at_ns,
	};
	buf_init(&greeting->head);
	forget(greeting);
	receiver(greeter->context, &request);
}

static void judge_whole(struct greeting *greeting, const struct head *head)
{
	const struct greeter_settings *settings = &greeting->greeter->settings;
	enum connections_verdict verdict = forwarded_place(head, &settings->proxies, settings->connections, &greeting->admission);
	if (verdict != CONNECTIONS_ADMITTED) {
		refuse(greeting, admission_refusal(verdict));
		return;
	}
	if (api_knows(head->path)) {
		hand_on(greeting, head, greeting->greeter->requested);
		return;
	}
	struct upgrade_policy policy = {
		.cors = settings->cors,
		.draining = greeting->greeter->is_draining,
		.retry_after_s = RETRY_AFTER_S,
		.auth = settings->auth,
		.is_over_memory = exchange_is_over_memory(settings->exchange),
		.connections = settings->connections,
		.admission = &greeting->admission,
	};
	struct grants *grants = NULL;
	policy.cors.is_tls = tls_relays_have(settings->relays, greeting->fd);
	const struct front *front = NULL;
	struct refusal refusal;
	if (upgrade_decide(head, &policy, &front, &grants, &refusal) == UPGRADE_GO)
		welcome(greeting, head, front, grants);
	else
		refuse(greeting, &refusal);
}

/* What is too long is known to be before all of it was read: who may read the answer stands in what has come already, perhaps. Of a first
 * line nothing is kept. */
static void read_on(struct greeting *greeting)
{
	char bytes[READ_BYTES];
	ssize_t got;
	for (unsigned i = 0; i < READS_PER_TURN && (got = recv(greeting->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0; i++) {
		if (!memchr(greeting->head.bytes, '\n', greeting->head.len))
			buf_clear(&greeting->head);
		buf_append(&greeting->head, bytes, (size_t)got);
	}
}

static void refuse_unreadable(struct greeting *greeting, enum head_status status, const char *why)
{
	if (status == HEAD_TARGET_TOO_LONG || status == HEAD_TOO_MANY_FIELDS)
		read_on(greeting);
	struct refusal refusal = refusal_for_head(status, why);
	refuse(greeting, &refusal);
}

/* A first line that fills the room is a target too long, else it is the fields. */
static enum head_status too_long(const struct greeting *greeting)
{
	bool has_line = memchr(greeting->head.bytes, '\n', greeting->head.len) != NULL;
	return has_line ? HEAD_TOO_MANY_FIELDS : HEAD_TARGET_TOO_LONG;
}

/* Whether the new bytes can change the judgement: reading the whole head again for every byte of a slow peer would cost
 * the square of its length. */
static bool is_worth_judging(const struct greeting *greeting)
{
	const struct buf *head = &greeting->head;
	size_t fresh = head->len - greeting->judged_bytes;
	return head->len <= EAGER_BYTES || fresh >= greeting->judged_bytes ||
	       memchr(head->bytes + greeting->judged_bytes, '\n', fresh) != NULL;
}

static bool is_preface(const struct head *head)
{
	return head->why && strcmp(head->why, HEAD_WHY_PREFACE) == 0;
}

/* False: the greeting is over. */
static bool judge(struct greeting *greeting)
{
	size_t limit = greeting->greeter->settings.header_bytes_max;
	if (!is_worth_judging(greeting) && greeting->head.len <= limit)
		return true;
	struct head head;
	enum head_status status = head_read(buf_slice(&greeting->head), &head);
	greeting->judged_bytes = greeting->head.len;
	if (status == HEAD_PARTIAL && greeting->head.len <= limit)
		return true;
	if (status == HEAD_PARTIAL)
		refuse_unreadable(greeting, too_long(greeting), NULL);
	else if (status == HEAD_VERSION && is_preface(&head) && greeting->greeter->prefaced)
		hand_on(greeting, NULL, greeting->greeter->prefaced);
	else if (status != HEAD_COMPLETE)
		refuse_unreadable(greeting, status, head.why);
	else if (head.len > limit)
		refuse_unreadable(greeting, too_long(greeting), NULL);
	else
		judge_whole(greeting, &head);
	return false;
}

/* Reads what is there. False: the greeting is over. */
static bool hear(struct greeting *greeting)
{
	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		char bytes[READ_BYTES];
		ssize_t got = recv(greeting->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (got > 0)
			buf_append(&greeting->head, bytes, (size_t)got);
		if (got <= 0 || buf_has_failed(&greeting->head)) {
			give_up(greeting);
			return false;
		}
		if (!judge(greeting))
			return false;
	}
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct greeting *greeting = poll->data;
	if (status < 0)
		give_up(greeting);
	else
		hear(greeting);
}

static void on_expired(struct deadline *deadline)
{
	struct greeting *greeting = LIST_ENTRY(deadline, struct greeting, deadline);
	if (greeting->head.len == 0) {
		metric_add(METRIC_REFUSED_TIMEOUT, !greeting->is_kept);
		if (!greeting->is_kept)
			log_debug(ROOM, "no request came in time", log_ip("address", &greeting->admission.client));
		give_up(greeting);
		return;
	}
	struct refusal refusal = {
		.status = 408,
		.code = "request_timeout",
		.message = "The request head did not come in time.",
		.metric = METRIC_REFUSED_TIMEOUT,
	};
	refuse(greeting, &refusal);
}

static bool watch(struct greeting *greeting)
{
	if (uv_poll_init_socket(greeting->greeter->loop, &greeting->poll, greeting->fd) != 0)
		return false;
	greeting->is_watched = true;
	greeting->poll.data = greeting;
	return uv_poll_start(&greeting->poll, UV_READABLE, on_readable) == 0;
}

/* NULL: no memory, and the descriptor and the admission are let go. */
static struct greeting *greeting_new(struct greeter *greeter, int fd, const struct admission *admission, uint64_t head_due_ns)
{
	struct greeting *greeting = calloc(1, sizeof *greeting);
	if (!greeting) {
		struct admission lost = *admission;
		connections_release(greeter->settings.connections, &lost);
		close(fd);
		return NULL;
	}
	greeting->greeter = greeter;
	greeting->fd = fd;
	greeting->admission = *admission;
	buf_init(&greeting->head);
	list_append(&greeter->greetings, &greeting->link);
	metric_gauge_add(METRIC_HANDSHAKES, 1);
	deadlines_start_at(&greeter->deadlines, &greeting->deadline, head_due_ns);
	return greeting;
}

/* The head has often come with the connection: then no watcher is needed. */
static void start(struct greeting *greeting)
{
	if (hear(greeting) && !watch(greeting))
		give_up(greeting);
}

void greeter_accept(struct greeter *greeter, int fd, const struct admission *admission, uint64_t head_due_ns)
{
	struct greeting *greeting = greeting_new(greeter, fd, admission, head_due_ns);
	if (greeting)
		start(greeting);
}

static void give_back_address(struct greeting *greeting)
{
	enum connections_verdict verdict = connections_move(greeting->greeter->settings.connections, &greeting->admission, address_key_none);
	(void)verdict; /* nothing is taken, so nothing can be refused */
	greeting->admission.client = greeting->admission.peer;
}

/* When the head of a next request is due. Whoever has shown no credential yet has the time of a first head in all: with requests that
 * need none it could hold its place for ever. */
static uint64_t next_due_ns(const struct greeter *greeter, const struct admission *admission)
{
	return (admission->is_stranger ? admission->admitted_ns : clock_mono_ns()) + greeter->settings.timeout_ns;
}

void greeter_resume(struct greeter *greeter, int fd, const struct admission *admission, struct buf *bytes)
{
	struct greeting *greeting = greeting_new(greeter, fd, admission, next_due_ns(greeter, admission));
	if (!greeting) {
		buf_fini(bytes);
		return;
	}
	greeting->is_kept = true;
	if (bytes->len == 0)
		buf_fini(bytes);
	connections_forget(greeter->settings.connections, &greeting->admission);
	/* What comes next through a proxy may be of another client. */
	if (proxies_have(&greeter->settings.proxies, &greeting->admission.peer))
		give_back_address(greeting);
	greeting->head = *bytes;
	if (greeting->head.len == 0 || judge(greeting))
		start(greeting);
}

void greeter_init(struct greeter *greeter, uv_loop_t *loop, const struct greeter_settings *settings,
		  struct farewell *farewell, greeter_upgraded *upgraded, greeter_requested *requested, void *context)
{
	greeter->settings = *settings;
	greeter->loop = loop;
	greeter->farewell = farewell;
	greeter->upgraded = upgraded;
	greeter->requested = requested;
	greeter->prefaced = NULL;
	greeter->context = context;
	greeter->is_draining = false;
	list_init(&greeter->greetings);
	deadlines_init(&greeter->deadlines, loop, settings->timeout_ns, on_expired);
}

void greeter_drain(struct greeter *greeter)
{
	greeter->is_draining = true;
	LIST_FOREACH(&greeter->greetings, at, following) {
		struct greeting *greeting = LIST_ENTRY(at, struct greeting, link);
		if (greeting->is_kept && greeting->head.len == 0)
			give_up(greeting);
	}
}

void greeter_close(struct greeter *greeter)
{
	LIST_FOREACH(&greeter->greetings, at, following)
		give_up(LIST_ENTRY(at, struct greeting, link));
	deadlines_close(&greeter->deadlines);
}
