#include "tests/support/gateway.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/raw.h"

#define ARGUMENTS_MAX 64
#define LOG_SHOWN 4000 /* bytes; Check takes no message above 8 KiB */

struct gateway {
	struct process *process;
	uint16_t port, admin_port;
	char url[64];
};

static void append_all(const char **arguments, size_t *count, const char *const *more)
{
	for (; more && *more; more++) {
		ck_assert_uint_lt(*count, ARGUMENTS_MAX - 1);
		arguments[(*count)++] = *more;
	}
}

/* With a heartbeat that a node on a machine that is busy with other tests does not miss three times. */
struct process *gateway_launch(const struct gateway_options *options)
{
	const char *own[] = {options->program, "--preset", "test", "--listen", "127.0.0.1:0", "--admin.listen", "127.0.0.1:0",
			     "--log.format", "json", "--redis.url", options->redis_url, "--redis.heartbeat", "1s", NULL};
	const char *arguments[ARGUMENTS_MAX] = {0};
	size_t count = 0;
	append_all(arguments, &count, options->wrapper);
	append_all(arguments, &count, own);
	append_all(arguments, &count, options->flags);
	return process_start(&(struct process_options){.arguments = arguments,
						       .environment = options->environment,
						       .descriptor_limit = options->descriptor_limit});
}

/* The port that the log line has in this field. */
static uint16_t read_port(const char *line, const char *field)
{
	char key[32];
	snprintf(key, sizeof key, "\"%s\":", field);
	const char *port = strstr(line, key);
	ck_assert_msg(port != NULL, "no %s in: %s", field, line);
	return (uint16_t)strtoul(port + strlen(key), NULL, 10);
}

static void fail_with_log(const struct gateway *gateway, const char *what)
{
	char *log = process_text(gateway->process, PROCESS_ERROR);
	size_t len = strlen(log);
	ck_abort_msg("the gateway %s; the end of its log:\n%s", what, len > LOG_SHOWN ? log + len - LOG_SHOWN : log);
}

struct gateway *gateway_open(const struct gateway_options *options)
{
	struct gateway *gateway = calloc(1, sizeof *gateway);
	ck_assert_ptr_nonnull(gateway);
	gateway->process = gateway_launch(options);
	char *line = process_wait_line(gateway->process, PROCESS_ERROR, "\"message\":\"listening\"", NULL, deadline_in(DEADLINE_MS));
	if (!line)
		fail_with_log(gateway, "does not open its ports");
	gateway->port = read_port(line, "listen");
	gateway->admin_port = read_port(line, "admin");
	free(line);
	snprintf(gateway->url, sizeof gateway->url, "ws://127.0.0.1:%d", gateway->port);
	return gateway;
}

struct gateway *gateway_start(const char *program, const char *redis_url, const char *const *flags)
{
	struct gateway *gateway = gateway_open(&(struct gateway_options){.program = program, .redis_url = redis_url, .flags = flags});
	gateway_wait_ready(gateway, true);
	return gateway;
}

void gateway_free(struct gateway *gateway)
{
	if (!gateway)
		return;
	process_free(gateway->process);
	free(gateway);
}

void gateway_end(struct gateway *gateway)
{
	int status;
	process_signal(gateway->process, SIGTERM);
	ck_assert_msg(process_wait(gateway->process, deadline_in(DEADLINE_MS), &status), "the gateway does not end");
	if (status != 0)
		fail_with_log(gateway, "ended by an error");
	gateway_free(gateway);
}

uint16_t gateway_port(const struct gateway *gateway)
{
	return gateway->port;
}

uint16_t gateway_admin_port(const struct gateway *gateway)
{
	return gateway->admin_port;
}

const char *gateway_url(const struct gateway *gateway)
{
	return gateway->url;
}

struct process *gateway_process(struct gateway *gateway)
{
	return gateway->process;
}

int gateway_get(struct gateway *gateway, const char *path, struct buf *ret_body)
{
	return raw_http_get(gateway->admin_port, path, ret_body);
}

void gateway_wait_ready(struct gateway *gateway, bool ready)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (gateway_get(gateway, "/readyz", NULL) != (ready ? 200 : 503)) {
		if (deadline_next_look(deadline))
			continue;
		fail_with_log(gateway, ready ? "is not ready" : "is not unready");
	}
}

/* Adds the line's value if it is a series of that name with that label. */
static bool add_series(const char *line, const char *name, const char *label, double *sum)
{
	size_t len = strlen(name);
	if (strncmp(line, "tracegate_", 10) == 0 && strncmp(name, "tracegate_", 10) != 0)
		line += 10;
	if (strncmp(line, name, len) != 0 || (line[len] != ' ' && line[len] != '{'))
		return false;
	const char *value = strrchr(line, ' '), *found = strstr(line, label);
	if (!value || !found || found > value)
		return false;
	*sum += strtod(value + 1, NULL);
	return true;
}

double gateway_metric(struct gateway *gateway, const char *name, const char *label)
{
	struct buf body;
	double sum = 0;
	bool is_found = false;
	buf_init(&body);
	ck_assert_int_eq(gateway_get(gateway, "/metrics", &body), 200);
	buf_append_char(&body, '\0');
	char *rest = NULL;
	for (char *line = strtok_r(body.bytes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		is_found |= add_series(line, name, label, &sum);
	ck_assert_msg(is_found, "no metric %s{%s}", name, label);
	buf_fini(&body);
	return sum;
}

static void wait_metric(struct gateway *gateway, const char *name, const char *label, double value, bool exactly)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	double now;
	while (now = gateway_metric(gateway, name, label), now < value || (exactly && now > value))
		ck_assert_msg(deadline_next_look(deadline), "%s{%s} is %g, not %s%g", name, label, now, exactly ? "" : "at least ", value);
}

void gateway_wait_metric_at_least(struct gateway *gateway, const char *name, const char *label, double value)
{
	wait_metric(gateway, name, label, value, false);
}

void gateway_wait_metric(struct gateway *gateway, const char *name, const char *label, double value)
{
	wait_metric(gateway, name, label, value, true);
}
