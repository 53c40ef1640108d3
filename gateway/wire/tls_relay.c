#define _GNU_SOURCE
#include "gateway/wire/tls_relay.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "gateway/http/refusal.h"
#include "gateway/metrics/metrics.h"
#include "gateway/wire/delivery.h"
#include "gateway/wire/listener.h"
#include "gateway/wire/tls_relay_inside.h"

#define ROOM "wire"
/* What may lie in the pair each way; Linux doubles it (socket(7)). Little, so that a client that does not read shows soon. */
#define PAIR_BYTES (64 * 1024)
/* For what is left when nobody holds the other end any more; a plain socket's rest the kernel keeps for as long and longer. */
#define LEAVE_NS (30 * NS_PER_S)
#define LEAVING_MAX 1024 /* above it what is left is dropped */

static void on_poll_closed(uv_handle_t *handle)
{
	struct tls_relay *relay = handle->data;
	if (--relay->watchers == 0)
		free(relay);
}

static struct slice key_of(const uint64_t *cookie)
{
	return (struct slice){(const char *)cookie, sizeof *cookie};
}

/* 0: not to be had. */
static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof cookie;
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

void tls_relay_enter(struct tls_relay *relay, enum tls_phase phase)
{
	struct tls_relays *owner = relay->owner;
	if (phase <= relay->phase)
		return;
	if (relay->phase == TLS_SHAKING)
		metric_gauge_add(METRIC_HANDSHAKES, -1);
	owner->leaving_count += phase == TLS_LEAVING;
	owner->leaving_count -= relay->phase == TLS_LEAVING;
	relay->phase = phase;
	deadline_stop(&relay->deadline);
	if (phase == TLS_LEAVING)
		deadlines_start(&owner->leavings, &relay->deadline);
}

/* Lets go of all but the client's socket. */
static void let_go(struct tls_relay *relay)
{
	bool was_shaking = relay->phase == TLS_SHAKING;
	tls_relay_enter(relay, TLS_ENDED);
	list_remove(&relay->link);
	if (relay->cookie)
		table_remove(&relay->owner->open, key_of(&relay->cookie));
	metric_gauge_add(METRIC_TLS_CONNECTIONS, -1);
	if (was_shaking)
		connections_release(relay->owner->settings.connections, &relay->admission);
	SSL_free(relay->ssl);
	relay->ssl = NULL;
	buf_fini(&relay->to_client);
	buf_fini(&relay->to_inner);
	uv_close((uv_handle_t *)&relay->poll, on_poll_closed);
	if (relay->inner_fd >= 0) {
		uv_close((uv_handle_t *)&relay->inner_poll, on_poll_closed);
		close(relay->inner_fd);
	}
	relay->inner_fd = -1;
}

void tls_relay_end(struct tls_relay *relay)
{
	if (relay->phase == TLS_ENDED)
		return;
	let_go(relay);
	close(relay->fd);
}

/* Words are sent as they are, not by TLS. */
static void part_with(struct tls_relay *relay, struct slice words)
{
	struct tls_relays *owner = relay->owner;
	let_go(relay);
	if (owner->is_closing)
		close(relay->fd);
	else
		farewell_take(owner->settings.farewell, relay->fd, words);
}

void tls_relay_part(struct tls_relay *relay)
{
	part_with(relay, SLICE_NONE);
}

void tls_relay_leave(struct tls_relay *relay)
{
	struct linger at_once = {.l_onoff = 1};
	if (relay->phase != TLS_OPEN)
		return;
	if (relay->is_cut) {
		setsockopt(relay->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		tls_relay_end(relay);
	} else if (relay->owner->leaving_count >= LEAVING_MAX) {
		tls_relay_end(relay);
	} else {
		tls_relay_enter(relay, TLS_LEAVING);
	}
}

static void on_ready(uv_poll_t *poll, int status, int events);
static void on_inner_ready(uv_poll_t *poll, int status, int events);

static void set_events(uv_poll_t *poll, int *events, int wanted, uv_poll_cb callback)
{
	if (*events == wanted)
		return;
	*events = wanted;
	if (wanted)
		uv_poll_start(poll, wanted, callback);
	else
		uv_poll_stop(poll);
}

static void watch(struct tls_relay *relay)
{
	if (relay->phase == TLS_ENDED || relay->phase == TLS_SHAKING)
		return;
	set_events(&relay->poll, &relay->events, tls_relay_wants(relay), on_ready);
	set_events(&relay->inner_poll, &relay->inner_events, tls_relay_wants_inner(relay), on_inner_ready);
}

static void go_on(struct tls_relay *relay)
{
	tls_relay_move(relay);
	/* The loop ends soon: what is not taken now never is. */
	if (relay->owner->is_closing && (relay->to_client.len || relay->phase == TLS_LEAVING))
		tls_relay_end(relay);
	watch(relay);
}

static void on_inner_ready(uv_poll_t *poll, int status, int events)
{
	struct tls_relay *relay = poll->data;
	(void)events;
	if (status < 0)
		tls_relay_leave(relay);
	go_on(relay);
}

static bool enlist(struct tls_relay *relay, int fd)
{
	uint64_t cookie = cookie_of(fd);
	relay->cookie = cookie;
	if (cookie && table_put(&relay->owner->open, key_of(&relay->cookie), relay) == OK)
		return true;
	relay->cookie = 0;
	return false;
}

/* Makes the pair. The other end, or -1: there are no descriptors left, or no memory. */
static int open_pair(struct tls_relay *relay)
{
	struct tls_relays *owner = relay->owner;
	int pair[2], bytes = PAIR_BYTES;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	if (pair[0] >= owner->descriptors_end || pair[1] >= owner->descriptors_end || !enlist(relay, pair[1]) ||
	    uv_poll_init_socket(owner->loop, &relay->inner_poll, pair[0]) != 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	relay->inner_poll.data = relay;
	relay->inner_fd = pair[0];
	relay->watchers++;
	return pair[1];
}

static void tell_of_revoked(const struct tls_relay *relay)
{
	log_info(ROOM, "a connection is cut off: its client certificate was revoked", log_ip("address", &relay->admission.client));
}

static void open_relay(struct tls_relay *relay)
{
	struct tls_relays *owner = relay->owner;
	if (!tls_keys_admit(owner->settings.keys, relay->ssl)) {
		metric_add(METRIC_TLS_ERRORS_CERTIFICATE, 1);
		tell_of_revoked(relay);
		tls_relay_end(relay);
		return;
	}
	int fd = open_pair(relay);
	if (fd < 0) {
		metric_add(METRIC_REFUSED_DESCRIPTORS, 1);
		tls_relay_end(relay);
		return;
	}
	metric_add(METRIC_TLS_HANDSHAKES, 1);
	tls_relay_enter(relay, TLS_OPEN);
	owner->settings.opened(owner->settings.context, fd, &relay->admission, relay->deadline.at_ns);
	go_on(relay);
}

static enum metric class_of(unsigned long error)
{
	switch (ERR_GET_REASON(error)) {
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_WRONG_VERSION_NUMBER:
		return METRIC_TLS_ERRORS_PLAIN;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
		return METRIC_TLS_ERRORS_CERTIFICATE;
	default:
		return METRIC_TLS_ERRORS_PROTOCOL;
	}
}

/* Who speaks plain HTTP to this port is told so in plain HTTP. */
static void refuse_plain(struct tls_relay *relay)
{
	const struct refusal refusal = {
		.status = 400,
		.code = "tls_required",
		.message = "This port speaks TLS: use https:// or wss://.",
		.metric = METRIC_REFUSED_BAD_REQUEST,
	};
	struct buf words;
	buf_init(&words);
	refusal_write(&words, &refusal, SLICE_NONE);
	metric_add(refusal.metric, 1);
	part_with(relay, buf_has_failed(&words) ? SLICE_NONE : buf_slice(&words));
	buf_fini(&words);
}

/* OpenSSL has sent its alert, which is not to be overtaken by a reset. */
static void fail_handshake(struct tls_relay *relay, int error)
{
	unsigned long reason = ERR_peek_error();
	bool is_closed = error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN || reason == 0 ||
			 ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	metric_add(is_closed ? METRIC_TLS_ERRORS_CLOSED : class_of(reason), 1);
	const char *text = ERR_reason_error_string(reason);
	if (ERR_GET_REASON(reason) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		text = X509_verify_cert_error_string(SSL_get_verify_result(relay->ssl));
	log_debug(ROOM, "TLS handshake failed", log_text("cause", is_closed || !text ? "closed" : text),
		  log_ip("address", &relay->admission.client));
	if (!is_closed && ERR_GET_REASON(reason) == SSL_R_HTTP_REQUEST)
		refuse_plain(relay);
	else
		tls_relay_part(relay);
	ERR_clear_error();
}

static void shake(struct tls_relay *relay)
{
	ERR_clear_error();
	int result = SSL_do_handshake(relay->ssl);
	int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(relay->ssl, result);
	if (error == SSL_ERROR_NONE)
		open_relay(relay);
	else if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		set_events(&relay->poll, &relay->events, error == SSL_ERROR_WANT_READ ? UV_READABLE : UV_WRITABLE, on_ready);
	else
		fail_handshake(relay, error);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct tls_relay *relay = poll->data;
	(void)events;
	if (status < 0 && relay->phase == TLS_SHAKING)
		metric_add(METRIC_TLS_ERRORS_CLOSED, 1);
	if (status < 0)
		tls_relay_end(relay);
	else if (relay->phase == TLS_SHAKING)
		shake(relay);
	else
		go_on(relay);
}

static void on_late_handshake(struct deadline *deadline)
{
	struct tls_relay *relay = LIST_ENTRY(deadline, struct tls_relay, deadline);
	metric_add(METRIC_TLS_ERRORS_TIMEOUT, 1);
	log_debug(ROOM, "TLS handshake failed", log_text("cause", "timeout"), log_ip("address", &relay->admission.client));
	tls_relay_end(relay);
}

static void on_late_leave(struct deadline *deadline)
{
	tls_relay_end(LIST_ENTRY(deadline, struct tls_relay, deadline));
}

/* NULL: no memory. */
static struct tls_relay *relay_new(struct tls_relays *owner, int fd, const struct admission *admission, uint64_t head_due_ns)
{
	struct tls_relay *relay = calloc(1, sizeof *relay);
	if (!relay)
		return NULL;
	relay->ssl = tls_keys_session(owner->settings.keys);
	if (!relay->ssl || SSL_set_fd(relay->ssl, fd) != 1 || uv_poll_init_socket(owner->loop, &relay->poll, fd) != 0) {
		SSL_free(relay->ssl);
		free(relay);
		return NULL;
	}
	SSL_set_accept_state(relay->ssl);
	relay->poll.data = relay;
	relay->watchers = 1;
	relay->owner = owner;
	relay->fd = fd;
	relay->inner_fd = -1;
	relay->admission = *admission;
	buf_init(&relay->to_client);
	buf_init(&relay->to_inner);
	list_append(&owner->relays, &relay->link);
	metric_gauge_add(METRIC_TLS_CONNECTIONS, 1);
	metric_gauge_add(METRIC_HANDSHAKES, 1);
	deadlines_start_at(&owner->handshakes, &relay->deadline, head_due_ns);
	return relay;
}

void tls_relays_init(struct tls_relays *relays, uv_loop_t *loop, const struct tls_relays_settings *settings)
{
	*relays = (struct tls_relays){.settings = *settings, .loop = loop, .descriptors_end = listener_descriptors_end()};
	list_init(&relays->relays);
	table_init(&relays->open);
	deadlines_init(&relays->handshakes, loop, 0, on_late_handshake);
	deadlines_init(&relays->leavings, loop, LEAVE_NS, on_late_leave);
}

void tls_relays_close(struct tls_relays *relays)
{
	relays->is_closing = true;
	LIST_FOREACH(&relays->relays, at, following) {
		struct tls_relay *relay = LIST_ENTRY(at, struct tls_relay, link);
		if (relay->phase != TLS_OPEN || relay->to_client.len)
			tls_relay_end(relay);
	}
	deadlines_close(&relays->handshakes);
	deadlines_close(&relays->leavings);
}

void tls_relays_accept(struct tls_relays *relays, int fd, const struct admission *admission, uint64_t head_due_ns)
{
	struct tls_relay *relay = relay_new(relays, fd, admission, head_due_ns);
	if (relay) {
		shake(relay);
		return;
	}
	struct admission lost = *admission;
	connections_release(relays->settings.connections, &lost);
	close(fd);
}

void tls_relays_look(struct tls_relays *relays)
{
	unsigned readings = tls_keys_readings(relays->settings.keys);
	if (relays->readings == readings)
		return;
	relays->readings = readings;
	LIST_FOREACH(&relays->relays, at, following) {
		struct tls_relay *relay = LIST_ENTRY(at, struct tls_relay, link);
		if (relay->phase == TLS_SHAKING || !tls_keys_have_revoked(relays->settings.keys, relay->ssl))
			continue;
		tell_of_revoked(relay);
		tls_relay_end(relay);
	}
}

static struct tls_relay *find(const struct tls_relays *relays, int fd)
{
	if (list_is_empty(&relays->relays))
		return NULL;
	uint64_t cookie = cookie_of(fd);
	return cookie ? table_get(&relays->open, key_of(&cookie)) : NULL;
}

bool tls_relays_have(const struct tls_relays *relays, int fd)
{
	return find(relays, fd) != NULL;
}

struct port_delivery tls_relays_delivery(const struct tls_relays *relays, int fd)
{
	int waiting = 0;
	struct tls_relay *relay = find(relays, fd);
	struct port_delivery delivery = delivery_of_socket(relay ? relay->fd : fd);
	if (!relay)
		return delivery;
	bool has_waiting = ioctl(relay->inner_fd, FIONREAD, &waiting) == 0 && waiting > 0;
	delivery.has_unacked |= has_waiting || relay->to_client.len > 0;
	return delivery;
}

void tls_relays_reset(const struct tls_relays *relays, int fd)
{
	struct linger at_once = {.l_onoff = 1};
	struct tls_relay *relay = find(relays, fd);
	if (relay)
		relay->is_cut = true;
	else
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(fd);
}
