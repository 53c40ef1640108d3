/* tgcli talks to gateways from a terminal: it follows events, reads the past, shows states, publishes, measures. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/tools/commands.h"

#define SIGNAL_BEAT_MS 200 /* a signal that comes just before the wait is seen this much later */

static const char usage[] =
	"Usage: tgcli watch [options]                    follows what is published, for ever\n"
	"       tgcli history [options]                  shows what was published\n"
	"       tgcli state --session S [options]        shows what the state of a session was\n"
	"       tgcli replay [options]                   plays what was published again\n"
	"       tgcli publish [options] CHANNEL JSON     publishes one event and says its id\n"
	"       tgcli ping [options]                     says whether a node answers, and how fast\n"
	"All:\n"
	"  --url URL        ws:// or wss://host[:port][/path], default ws://127.0.0.1:8080; several with commas or one by one:\n"
	"                   when one node fails, the next is taken\n"
	"  --token T        a JWT or an API key; else that of the environment, TGCLI_TOKEN\n"
	"  --token-file F   the same, from a file, which is read again when the token expires or is no longer taken\n"
	"  --ca-file FILE   wss://: the authorities of nodes' certificates, in PEM; else the system's\n"
	"  --cert FILE      wss://: this client's certificate, --key FILE its key where it is not in the same file\n"
	"  --insecure       wss://: takes any certificate; only for tests\n"
	"  --uncompressed   asks for no compression\n"
	"watch, history and replay:\n"
	"  --channel GLOB   only these channels; may be given several times\n"
	"  --session S      only this session; --agent A, --type T likewise; each may be given several times\n"
	"  --where JSON     conditions, as in docs/protocol.md: '[{\"path\":\"/durationMs\",\"op\":\">\",\"value\":1000}]'\n"
	"  --format F       text (channel and payload, a line each), ndjson (the whole event, a line each; also --json),\n"
	"                   json (one array)\n"
	"watch:\n"
	"  --since TIME     first what came after that: an id or cursor, ms, ISO 8601, earliest, -5m\n"
	"  --slow POLICY    catchup, drop, conflate, disconnect\n"
	"  --delta          events come as what changed on their channel, and are shown whole\n"
	"  --count N        end after N events\n"
	"history and replay:\n"
	"  --from TIME      and --to TIME: both included\n"
	"history:\n"
	"  --limit N        at most N events\n"
	"  --reverse        the newest first\n"
	"replay:\n"
	"  --speed X        0.1 to 1000 times as fast as it was, or max\n"
	"  --max-gap MS     cuts longer silences to that\n"
	"  --live           goes on with what is published, without a gap\n"
	"  --control        takes commands from standard input, a line each, also where that is no terminal, and waits for them\n"
	"                   at the end: pause, play, step [N], back [N], seek TIME, speed X, state, stop\n"
	"state:\n"
	"  --at TIME        as it was then; else as it is now\n"
	"  --diff-from TIME what changed since then, as a JSON Merge Patch\n"
	"Exit status: 0 when done or after Ctrl-C, 1 when a gateway refuses, ends it for good or cannot be reached (watch goes on\n"
	"trying), also for a token that has expired where --token-file has no other, 2 for a wrong option.\n";

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

bool commands_interrupted(void)
{
	return interrupted;
}

struct tgc_client *commands_client(const struct arguments *arguments, struct credential *credential, const struct tgc_handlers *handlers)
{
	char why[TGC_WHY_MAX];
	if (!credential_open(credential, arguments->token, arguments->token_file))
		return NULL;
	const struct tgc_options options = {.urls = arguments->urls,
					    .url_count = arguments->url_count,
					    .token = credential_text(credential),
					    .ca_file = arguments->ca_file,
					    .certificate_file = arguments->certificate_file,
					    .key_file = arguments->key_file,
					    .is_insecure = arguments->insecure,
					    .is_uncompressed = arguments->uncompressed,
					    .handlers = *handlers,
					    .message_bytes_max = (size_t)256 * 1024 * 1024};
	struct tgc_client *client = tgc_new(&options, why);
	if (!client)
		fprintf(stderr, "tgcli: %s\n", why);
	else
		tgc_open(client);
	return client;
}

bool commands_turn(struct tgc_client *client, struct credential *credential, int timeout_ms)
{
	if (timeout_ms < 0 || timeout_ms > SIGNAL_BEAT_MS)
		timeout_ms = SIGNAL_BEAT_MS;
	enum tgc_result result = tgc_poll(client, timeout_ms);
	credential_look(credential, client);
	return fflush(stdout) == 0 && result == TGC_OK;
}

bool commands_turn_beside(struct tgc_client *client, struct credential *credential, int fd, bool *ret_is_readable)
{
	int timeout_ms = tgc_timeout_ms(client);
	struct pollfd polled[] = {{.fd = tgc_fd(client), .events = tgc_events(client)}, {.fd = fd, .events = POLLIN}};
	if (timeout_ms < 0 || timeout_ms > SIGNAL_BEAT_MS)
		timeout_ms = SIGNAL_BEAT_MS;
	int count = poll(polled, 2, timeout_ms);
	*ret_is_readable = count > 0 && polled[1].revents;
	enum tgc_result result = tgc_step(client, count > 0 ? polled[0].revents : 0);
	credential_look(credential, client);
	return fflush(stdout) == 0 && result == TGC_OK;
}

/* Whether the command takes what was given; an option that does nothing is a mistake. */
static bool fits(const char *command, size_t words, const struct arguments *arguments)
{
	bool is_watch = strcmp(command, "watch") == 0, is_history = strcmp(command, "history") == 0;
	bool is_state = strcmp(command, "state") == 0;
	bool of_watch = arguments->since || arguments->slow || arguments->count || arguments->delta;
	bool is_replay = strcmp(command, "replay") == 0;
	bool of_replay = arguments->speed || arguments->max_gap_ms || arguments->live || arguments->control;
	bool of_history = arguments->limit || arguments->reverse;
	if (arguments->word_count != words)
		fprintf(stderr, "tgcli: %s takes %zu words beside its options (see tgcli --help)\n", command, words);
	else if (of_watch && !is_watch)
		fprintf(stderr, "tgcli: --since, --slow, --delta and --count belong to watch (see tgcli --help)\n");
	else if ((arguments->from || arguments->to) && !is_history && !is_replay)
		fprintf(stderr, "tgcli: --from and --to belong to history and replay (see tgcli --help)\n");
	else if (of_history && !is_history)
		fprintf(stderr, "tgcli: --limit and --reverse belong to history (see tgcli --help)\n");
	else if (of_replay && !is_replay)
		fprintf(stderr, "tgcli: --speed, --max-gap, --live and --control belong to replay (see tgcli --help)\n");
	else if ((arguments->at || arguments->diff_from) && !is_state)
		fprintf(stderr, "tgcli: --at and --diff-from belong to state (see tgcli --help)\n");
	else
		return true;
	return false;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct arguments *arguments);
		size_t words;
	} commands[] = {
		{"watch", command_watch, 0}, {"history", command_history, 0}, {"state", command_state, 0}, {"replay", command_replay, 0},
		{"publish", command_publish, 2}, {"ping", command_ping, 0}};
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waits end at once */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof commands[0]; i++) {
		struct arguments arguments;
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		bool is_right = arguments_read(&arguments, argc - 2, argv + 2) && fits(argv[1], commands[i].words, &arguments);
		int status = is_right ? commands[i].run(&arguments) : EXIT_USAGE;
		arguments_fini(&arguments);
		return status;
	}
	fputs(usage, stderr);
	return EXIT_USAGE;
}
