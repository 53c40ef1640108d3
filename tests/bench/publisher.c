#include "tests/bench/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/net.h"

#define SESSION_DIGITS 4
#define COMMAND_OVERHEAD 128

static void put_digits(char *at, size_t digits, uint64_t number)
{
	for (size_t i = digits; i-- > 0; number /= 10)
		at[i] = (char)('0' + number % 10);
}

static char *fill_payload(char *at, size_t payload_bytes, char letter)
{
	static const char tail[] = "\"}}";
	int len =
	    sprintf(at,
	            "{\"sessionId\":\"%c0000\"," PUBLISHER_MARK "0000000000000000000" PUBLISHER_NUMBER "0000000000\","
	            "\"type\":\"tool.call\",\"agentId\":\"agent-7\",\"durationMs\":12.75,"
	            "\"data\":{\"tool\":\"search\",\"tokens\":1532,\"ok\":true,\"input\":\"",
	            letter);
	if ((size_t)len + sizeof tail > payload_bytes) {
		errno = 0;
		die("a payload has at least %zu bytes", (size_t)len + sizeof tail);
	}
	memset(at + len, 'x', payload_bytes - (size_t)len);
	memcpy(at + payload_bytes - sizeof tail + 1, tail, sizeof tail - 1);
	return at + payload_bytes;
}

static size_t place_of(const struct publisher *publisher, const char *text)
{
	return (size_t)(strstr(publisher->command, text) - publisher->command) + strlen(text);
}

void publisher_init(struct publisher *publisher, uint16_t redis_port, size_t payload_bytes, char letter,
                    uint32_t sessions)
{
	static const char no_replies[] = "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n";
	*publisher = (struct publisher){.sessions = sessions};
	publisher->command = must(malloc(payload_bytes + COMMAND_OVERHEAD));
	char *at = publisher->command;
	at += sprintf(at, "*3\r\n$7\r\nPUBLISH\r\n$11\r\ntrace:%c0000\r\n$%zu\r\n", letter, payload_bytes);
	at = fill_payload(at, payload_bytes, letter);
	at += sprintf(at, "\r\n");
	publisher->command_len = (size_t)(at - publisher->command);
	publisher->channel_at = place_of(publisher, "\r\ntrace:") + 1;
	publisher->session_at = place_of(publisher, "\"sessionId\":\"") + 1;
	publisher->stamp_at = place_of(publisher, PUBLISHER_MARK);
	publisher->number_at = place_of(publisher, PUBLISHER_NUMBER);
	publisher->fd = net_connect(redis_port);
	net_send_all(publisher->fd, no_replies, sizeof no_replies - 1);
}

void publisher_add(struct publisher *publisher, uint64_t now_ns)
{
	uint64_t session = publisher->published % publisher->sessions;
	put_digits(publisher->command + publisher->channel_at, SESSION_DIGITS, session);
	put_digits(publisher->command + publisher->session_at, SESSION_DIGITS, session);
	put_digits(publisher->command + publisher->stamp_at, PUBLISHER_STAMP_DIGITS, now_ns);
	put_digits(publisher->command + publisher->number_at, PUBLISHER_NUMBER_DIGITS,
	           publisher->published / publisher->sessions);
	if (publisher->out_len + publisher->command_len > publisher->out_capacity) {
		publisher->out_capacity = 2 * (publisher->out_capacity + publisher->command_len);
		publisher->out = must(realloc(publisher->out, publisher->out_capacity));
	}
	memcpy(publisher->out + publisher->out_len, publisher->command, publisher->command_len);
	publisher->out_len += publisher->command_len;
	publisher->published++;
}

void publisher_flush(struct publisher *publisher)
{
	if (publisher->out_len)
		net_send_all(publisher->fd, publisher->out, publisher->out_len);
	publisher->out_len = 0;
}

uint64_t publisher_count(const struct publisher *publisher, uint32_t session)
{
	return publisher->published / publisher->sessions + (publisher->published % publisher->sessions > session);
}
