/* tgcli talks to gateways from a terminal: it follows events, reads the past, shows states, publishes, measures. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/tools/commands.h"

#define SIGNAL_BEAT_MS 200 /* a signal that comes just before the wait is seen this much later */

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

static int run(enum command_id command, int argc, char **argv)
{
	static int (*const runs[COMMANDS])(const struct arguments *arguments) = {
		[COMMAND_WATCH] = command_watch,   [COMMAND_HISTORY] = command_history, [COMMAND_STATE] = command_state,
		[COMMAND_REPLAY] = command_replay, [COMMAND_PUBLISH] = command_publish, [COMMAND_PING] = command_ping};
	struct arguments arguments;
	int status = EXIT_USAGE;
	if (!arguments_read(&arguments, command, argc, argv)) {
		arguments_fini(&arguments);
		return status;
	}
	if (arguments.wants_help) {
		usage_write_command(stdout, command);
		status = EXIT_SUCCESS;
	} else {
		status = runs[command](&arguments);
	}
	arguments_fini(&arguments);
	return status;
}

static int refuse_command(const char *name)
{
	char names[COMMAND_LIST_BYTES];
	command_list((1u << COMMANDS) - 1, names);
	fprintf(stderr, "tgcli: unknown command %s; there are %s (see tgcli --help)\n", name, names);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: waits end at once */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (argc < 2) {
		usage_write(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage_write(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("tgcli " TGCLI_VERSION);
		return EXIT_SUCCESS;
	}
	enum command_id command = command_find(argv[1]);
	return command == COMMANDS ? refuse_command(argv[1]) : run(command, argc - 2, argv + 2);
}
