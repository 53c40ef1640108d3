/* tgcli watches a gateway from a terminal: one line an event, in order; gaps and notices on standard error. */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/client/elements.h"
#include "common/client/inbox.h"
#include "common/client/upgrade.h"
#include "common/client/url.h"
#include "common/codec/json.h"
#include "common/codec/wsframe.h"
#include "common/data/buf.h"

#define EXIT_LOST 1  /* the gateway ended the connection for good */
#define EXIT_USAGE 2
#define MESSAGE_BYTES_MAX ((size_t)128 * 1024 * 1024)
#define READ_BYTES ((size_t)256 * 1024)
#define ATTEMPT_MS 10000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000

static const char usage[] =
	"Usage: tgcli watch [options]\n"
	"  --url URL        ws://host[:port][/path], default ws://127.0.0.1:8080\n"
	"  --channel GLOB   only these channels; may be given several times\n"
	"  --session S      only this session; --agent A, --type T likewise; each may be given several times\n"
	"  --where JSON     conditions, as in docs/protocol.md: '[{\"path\":\"/durationMs\",\"op\":\">\",\"value\":1000}]'\n"
	"  --token T        sent as Authorization: Bearer\n"
	"  --json           the whole event, as it came, instead of channel and payload\n"
	"  --count N        end after N events\n"
	"Exit status: 0 after N events or Ctrl-C, 1 when the gateway refuses or ends it for good, 2 for a wrong option.\n";

struct lists {
	struct buf channels, session, agent, type;
};

struct options {
	const char *url, *token, *where;
	struct lists lists;
	bool whole;
	uint64_t count; /* 0: no end */
};

struct watch {
	const struct options *options;
	struct tgc_url url;
	struct tgc_inbox inbox;
	int fd;
	uint64_t shown;
	bool is_subscribed, is_over;
	int status; /* the exit status once is_over */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static void end(struct watch *watch, int status)
{
	watch->is_over = true;
	watch->status = status;
}

static void add(struct buf *list, const char *text)
{
	buf_append_char(list, list->len ? ',' : '[');
	json_append_string(list, slice_of(text));
}

static void append_list(struct buf *out, const char *name, const struct buf *list, bool *is_first)
{
	if (!list->len)
		return;
	buf_printf(out, "%s\"%s\":", *is_first ? "" : ",", name);
	buf_append_slice(out, buf_slice(list));
	buf_append_char(out, ']');
	*is_first = false;
}

static void append_subscribe(struct buf *out, const struct options *options)
{
	bool is_first = false;
	buf_append_text(out, "{\"id\":1,\"op\":\"subscribe\"");
	append_list(out, "channels", &options->lists.channels, &is_first);
	buf_append_text(out, ",\"filter\":{");
	is_first = true;
	append_list(out, "session", &options->lists.session, &is_first);
	append_list(out, "agent", &options->lists.agent, &is_first);
	append_list(out, "type", &options->lists.type, &is_first);
	if (options->where)
		buf_printf(out, "%s\"where\":%s", is_first ? "" : ",", options->where);
	buf_append_text(out, "}}");
}

static bool send_all(int fd, struct slice bytes)
{
	while (bytes.len) {
		ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
		if (sent < 0)
			return false;
		bytes = (struct slice){bytes.ptr + sent, bytes.len - (size_t)sent};
	}
	return true;
}

static bool send_frame(int fd, enum wsframe_op op, struct slice payload)
{
	uint8_t header[WSFRAME_HEADER_MAX], mask[4];
	if (getrandom(mask, sizeof mask, 0) != sizeof mask)
		return false;
	size_t header_len = wsframe_header_masked(header, op, payload.len, mask);
	struct buf frame;
	buf_init(&frame);
	buf_append(&frame, header, header_len);
	buf_append_slice(&frame, payload);
	bool is_sent = !buf_has_failed(&frame);
	if (is_sent) {
		wsframe_mask((uint8_t *)frame.bytes + header_len, payload.len, mask);
		is_sent = send_all(fd, buf_slice(&frame));
	}
	buf_fini(&frame);
	return is_sent;
}

static int dial(const struct tgc_url *url)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	if (getaddrinfo(url->host, url->port, &hints, &found) != 0)
		return -1;
	int fd = -1;
	for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	return fd;
}

/* Waits for bytes and takes them into the inbox. False: the connection ended, or a signal came. */
static bool receive(struct watch *watch, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = watch->fd, .events = POLLIN};
	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return false;
	char *room = tgc_inbox_room(&watch->inbox, READ_BYTES);
	ssize_t got = room ? recv(watch->fd, room, READ_BYTES, 0) : -1;
	if (room)
		tgc_inbox_received(&watch->inbox, READ_BYTES, got > 0 ? (size_t)got : 0);
	return got > 0;
}

/* Reads the response to the handshake; what follows it stays in the inbox. */
static bool finish_handshake(struct watch *watch, const char *key)
{
	uint64_t end_ms = clock_mono_ms() + ATTEMPT_MS;
	for (;;) {
		struct slice bytes = {watch->inbox.bytes.bytes + watch->inbox.at, watch->inbox.bytes.len - watch->inbox.at};
		struct tgc_upgrade_answer answer;
		enum err error = tgc_upgrade_read(bytes, key, &answer);
		if (error == OK && answer.status == 101) {
			watch->inbox.at += answer.head_len;
			return true;
		}
		if (error == OK) {
			fprintf(stderr, "tgcli: the gateway answered %u\n", answer.status);
			if (answer.status >= 400 && answer.status < 500 && answer.status != 429 && answer.status != 408)
				end(watch, EXIT_LOST);
			return false;
		}
		if (error != ERR_AGAIN) {
			fprintf(stderr, "tgcli: %s\n", answer.why);
			end(watch, EXIT_LOST);
			return false;
		}
		uint64_t now_ms = clock_mono_ms();
		if (now_ms >= end_ms || !receive(watch, (int)(end_ms - now_ms)))
			return false;
	}
}

static bool open_connection(struct watch *watch)
{
	uint8_t nonce[TGC_NONCE_BYTES];
	char key[TGC_KEY_CHARS + 1];
	tgc_inbox_reset(&watch->inbox);
	watch->fd = dial(&watch->url);
	if (watch->fd < 0 || getrandom(nonce, sizeof nonce, 0) != sizeof nonce)
		return false;
	tgc_upgrade_key(nonce, key);
	struct buf request;
	buf_init(&request);
	tgc_upgrade_request(&request, &watch->url, key, watch->options->token, NULL);
	bool is_open = !buf_has_failed(&request) && send_all(watch->fd, buf_slice(&request)) && finish_handshake(watch, key);
	buf_clear(&request);
	append_subscribe(&request, watch->options);
	is_open = is_open && !buf_has_failed(&request) && send_frame(watch->fd, WSFRAME_TEXT, buf_slice(&request));
	buf_fini(&request);
	return is_open;
}

static struct slice member(struct slice json, const char *pointer)
{
	struct slice raw = SLICE_NONE;
	enum json_kind kind;
	json_find(json, slice_of(pointer), &raw, &kind);
	return raw;
}

/* A string member unescaped, on standard output; control characters of a publisher must not reach the terminal. */
static void print_name(struct slice raw)
{
	char *text = raw.len >= 2 ? malloc(raw.len) : NULL;
	if (!text)
		return;
	size_t len = json_unescape((struct slice){raw.ptr + 1, raw.len - 2}, text);
	for (size_t i = 0; i < len; i++)
		putchar((unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i]);
	free(text);
}

static void show_event(struct watch *watch, struct slice event)
{
	if (watch->options->count && watch->shown >= watch->options->count)
		return;
	if (watch->options->whole) {
		fwrite(event.ptr, 1, event.len, stdout);
	} else {
		struct slice data = member(event, "/data");
		print_name(member(event, "/channel"));
		putchar(' ');
		fwrite(data.ptr, 1, data.len, stdout);
	}
	putchar('\n');
	if (++watch->shown == watch->options->count)
		end(watch, EXIT_SUCCESS);
}

static void show_message(struct watch *watch, struct slice message)
{
	struct slice op = member(message, "/op");
	if (slice_is(op, "\"events\"")) {
		struct slice rest = member(message, "/events"), event;
		while (tgc_elements_next(&rest, &event))
			show_event(watch, event);
		fflush(stdout);
	} else if (member(message, "/error").len) {
		struct slice error = member(message, "/error/message");
		fprintf(stderr, "tgcli: %.*s\n", (int)error.len, error.ptr);
		end(watch, EXIT_LOST);
	} else if (slice_is(op, "\"gap\"") || slice_is(op, "\"notice\"")) {
		fprintf(stderr, "%.*s\n", (int)message.len, message.ptr);
	} else if (member(message, "/ok").len && !watch->is_subscribed) {
		watch->is_subscribed = true;
		fprintf(stderr, "tgcli: watching %s\n", watch->options->url);
	}
}

/* Deals with one item of the inbox. False: the connection is over. */
static bool take(struct watch *watch, const struct tgc_inbox_item *item)
{
	switch (item->kind) {
	case TGC_INBOX_MESSAGE:
		if (json_is_valid(item->payload, NULL, NULL))
			show_message(watch, item->payload);
		return true;
	case TGC_INBOX_PING:
		return send_frame(watch->fd, WSFRAME_PONG, item->payload);
	case TGC_INBOX_CLOSE:
		fprintf(stderr, "tgcli: closed by the gateway: %u %.*s\n", item->code, (int)item->payload.len, item->payload.ptr);
		send_frame(watch->fd, WSFRAME_CLOSE, SLICE_NONE);
		if (item->code >= 4400 && item->code < 4500)
			end(watch, EXIT_LOST);
		return false;
	case TGC_INBOX_BAD:
		fprintf(stderr, "tgcli: %s\n", item->why);
		end(watch, EXIT_LOST);
		return false;
	default:
		return true;
	}
}

static void read_events(struct watch *watch)
{
	do {
		struct tgc_inbox_item item;
		do {
			item = tgc_inbox_next(&watch->inbox);
			if (!take(watch, &item))
				return;
		} while (item.kind != TGC_INBOX_MORE && !watch->is_over);
	} while (!watch->is_over && !interrupted && receive(watch, -1));
}

/* Watches until it is over; connects again, with growing pauses, whenever the connection is lost. */
static int run(struct watch *watch)
{
	int wait_ms = BACKOFF_MIN_MS;
	while (!watch->is_over && !interrupted) {
		if (open_connection(watch)) {
			read_events(watch);
			wait_ms = BACKOFF_MIN_MS;
		}
		if (watch->fd >= 0)
			close(watch->fd);
		watch->is_subscribed = false;
		if (watch->is_over || interrupted)
			break;
		fprintf(stderr, "tgcli: no connection to %s, trying again in %d ms\n", watch->options->url, wait_ms);
		poll(NULL, 0, wait_ms);
		wait_ms = wait_ms * 2 < BACKOFF_MAX_MS ? wait_ms * 2 : BACKOFF_MAX_MS;
	}
	return watch->is_over ? watch->status : EXIT_SUCCESS;
}

/* Takes one option and its value. False: there is no such option, or the value is wrong. */
static bool read_option(struct options *options, const char *name, const char *value)
{
	struct {
		const char *name;
		struct buf *list;
	} const lists[] = {
		{"--channel", &options->lists.channels},
		{"--session", &options->lists.session},
		{"--agent", &options->lists.agent},
		{"--type", &options->lists.type},
	};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		if (strcmp(name, lists[i].name) == 0) {
			add(lists[i].list, value);
			return true;
		}
	}
	char *rest = NULL;
	if (strcmp(name, "--url") == 0)
		options->url = value;
	else if (strcmp(name, "--token") == 0)
		options->token = value;
	else if (strcmp(name, "--where") == 0)
		options->where = value;
	else if (strcmp(name, "--count") == 0)
		options->count = strtoull(value, &rest, 10);
	else
		return false;
	if (rest)
		return *value >= '1' && *value <= '9' && *rest == '\0';
	if (options->where && !json_is_valid(slice_of(options->where), NULL, NULL))
		return false;
	return !options->token || tgc_upgrade_is_header_value(options->token);
}

static bool read_options(int argc, char **argv, struct options *options)
{
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			options->whole = true;
		} else if (i + 1 < argc && read_option(options, argv[i], argv[i + 1])) {
			i++;
		} else {
			fprintf(stderr, "tgcli: wrong option or value: %s\n%s", argv[i], usage);
			return false;
		}
	}
	return true;
}

static int watch_gateway(const struct options *options)
{
	struct watch watch = {.options = options, .fd = -1};
	if (tgc_url_parse(&watch.url, options->url) != OK) {
		fprintf(stderr, "tgcli: --url: ws://host[:port][/path] is needed (no TLS), not %s\n", options->url);
		return EXIT_USAGE;
	}
	tgc_inbox_init(&watch.inbox, MESSAGE_BYTES_MAX);
	int status = run(&watch);
	tgc_inbox_fini(&watch.inbox);
	tgc_url_fini(&watch.url);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {.url = "ws://127.0.0.1:8080"};
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waits end at once */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (argc < 2 || strcmp(argv[1], "watch") != 0) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	int status = read_options(argc, argv, &options) ? watch_gateway(&options) : EXIT_USAGE;
	buf_fini(&options.lists.channels);
	buf_fini(&options.lists.session);
	buf_fini(&options.lists.agent);
	buf_fini(&options.lists.type);
	return status;
}
