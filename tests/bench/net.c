#define _DEFAULT_SOURCE
#include "tests/bench/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void die(const char *format, ...)
{
	int error = errno;
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, error ? ": %s\n" : "\n", strerror(error));
	exit(1);
}

void *must(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

static struct sockaddr_in loopback(uint16_t port, uint32_t offset)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + offset),
	};
}

void net_set_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("fcntl");
}

void net_set_nodelay(int fd)
{
	int on = 1;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
		die("TCP_NODELAY");
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	return fd;
}

int net_listen(uint16_t port)
{
	int fd = new_socket(), on = 1;
	struct sockaddr_in address = loopback(port, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
		die("port %u", (unsigned)port);
	net_set_nonblocking(fd);
	return fd;
}

int net_connect(uint16_t port)
{
	int fd = new_socket();
	struct sockaddr_in address = loopback(port, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		die("connect to port %u", (unsigned)port);
	net_set_nodelay(fd);
	return fd;
}

int net_connect_start(uint16_t port, uint32_t source)
{
	int fd = new_socket();
	struct linger reset = {.l_onoff = 1}; /* thousands of sockets in TIME_WAIT would exhaust the ports */
	struct sockaddr_in from = loopback(0, source), to = loopback(port, 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	net_set_nonblocking(fd);
	net_set_nodelay(fd);
	if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
		die("bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
		die("connect to port %u", (unsigned)port);
	return fd;
}

void net_send_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	while (len) {
		ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			die("send");
		at += sent;
		len -= (size_t)sent;
	}
}

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
	uint64_t number = 0;
	for (size_t i = 0; i < count; i++)
		number = number << 8 | bytes[i];
	return number;
}

bool net_frame_read(const char *bytes, size_t len, struct net_frame *ret_frame)
{
	const uint8_t *b = (const uint8_t *)bytes;
	if (len < 2)
		return false;
	uint8_t short_len = b[1] & 0x7f;
	size_t len_size = short_len == 126 ? 2 : short_len == 127 ? 8 : 0;
	bool masked = b[1] & 0x80;
	size_t header_len = 2 + len_size + (masked ? 4 : 0);
	if (len < header_len)
		return false;
	*ret_frame = (struct net_frame){
	    .op = b[0] & 0x0f,
	    .masked = masked,
	    .header_len = header_len,
	    .payload_len = len_size ? big_endian(b + 2, len_size) : short_len,
	};
	if (masked)
		memcpy(ret_frame->mask, b + 2 + len_size, 4);
	return true;
}

size_t net_frame_header(char ret_header[NET_HEADER_MAX], uint8_t op, bool masked, uint64_t payload_len)
{
	size_t len_size = payload_len < 126 ? 0 : payload_len < 65536 ? 2 : 8;
	uint8_t short_len = len_size == 0 ? (uint8_t)payload_len : len_size == 2 ? 126 : 127;
	uint8_t header[NET_HEADER_MAX] = {(uint8_t)(0x80 | op), (uint8_t)(short_len | (masked ? 0x80 : 0))};
	for (size_t i = 0; i < len_size; i++)
		header[2 + i] = (uint8_t)(payload_len >> 8 * (len_size - 1 - i));
	size_t header_len = 2 + len_size + (masked ? 4 : 0);
	memcpy(ret_header, header, header_len);
	return header_len;
}
