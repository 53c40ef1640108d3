#define _GNU_SOURCE
#include "gateway/wire/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define HOST_MAX 256
#define PORT_MAX 6

struct host_port {
	char host[HOST_MAX], port[PORT_MAX];
};

/* Splits at the last colon and takes brackets off the host. */
static bool split(struct slice address, struct host_port *ret_parts)
{
	const char *colon = address.len ? memrchr(address.ptr, ':', address.len) : NULL;
	if (!colon)
		return false;
	struct slice host = {address.ptr, (size_t)(colon - address.ptr)};
	struct slice port = {colon + 1, address.len - host.len - 1};
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = (struct slice){host.ptr + 1, host.len - 2};
	if (host.len >= HOST_MAX || port.len == 0 || port.len >= PORT_MAX)
		return false;
	snprintf(ret_parts->host, HOST_MAX, "%.*s", (int)host.len, host.ptr ? host.ptr : "");
	snprintf(ret_parts->port, PORT_MAX, "%.*s", (int)port.len, port.ptr);
	return true;
}

static int open_socket(const struct addrinfo *info, bool shares)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int on = 1, off = 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (shares)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, info->ai_addr, info->ai_addrlen) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* A sharing socket would join the port of another process of the same user without a word: one that does not share
 * finds out whether anybody has it. */
static bool is_free(const struct addrinfo *info)
{
	int fd = open_socket(info, false);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int listen_on(const struct addrinfo *info, bool joins)
{
	if (!joins && !is_free(info))
		return -1;
	int fd = open_socket(info, true);
	if (fd >= 0 && listen(fd, BACKLOG) != 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {.v6 = {0}};
	socklen_t len = sizeof address;
	if (getsockname(fd, &address.any, &len) != 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static int listen_on_first(const struct addrinfo *found, bool joins)
{
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		int fd = listen_on(at, joins);
		if (fd >= 0 || errno == EADDRINUSE || errno == EACCES)
			return fd;
	}
	return -1;
}

static int resolve(const struct host_port *parts, const char *host, struct addrinfo **ret_found)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	return getaddrinfo(*host ? host : NULL, parts->port, &hints, ret_found);
}

enum err address_listen(struct slice address, bool joins, int *ret_fd, uint16_t *ret_port,
			char ret_why[ADDRESS_WHY_MAX])
{
	int shown = address.len < 128 ? (int)address.len : 128;
	struct host_port parts;
	if (!split(address, &parts)) {
		snprintf(ret_why, ADDRESS_WHY_MAX, "cannot listen on %.*s: not host:port or [v6]:port", shown,
			 address.ptr);
		return ERR_IO;
	}
	struct addrinfo *found;
	int failed = resolve(&parts, parts.host, &found);
	if (failed) {
		snprintf(ret_why, ADDRESS_WHY_MAX, "cannot listen on %.*s: %s", shown, address.ptr,
			 gai_strerror(failed));
		return ERR_IO;
	}
	int fd = listen_on_first(found, joins);
	freeaddrinfo(found);
	bool has_no_ipv6 = fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
	if (has_no_ipv6 && strcmp(parts.host, "::") == 0 && resolve(&parts, "0.0.0.0", &found) == 0) {
		fd = listen_on_first(found, joins);
		freeaddrinfo(found);
	}
	if (fd < 0) {
		snprintf(ret_why, ADDRESS_WHY_MAX, "cannot listen on %.*s: %s", shown, address.ptr, strerror(errno));
		return ERR_IO;
	}
	*ret_fd = fd;
	*ret_port = port_of(fd);
	return OK;
}
