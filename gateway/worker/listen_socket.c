#define _GNU_SOURCE
#include "gateway/worker/listen_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128

struct parts {
	char host[256], port[6];
};

static bool split(const char *address, struct parts *ret_parts)
{
	const char *colon = strrchr(address, ':');
	if (!colon || !colon[1] || strlen(colon + 1) >= sizeof ret_parts->port ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	const char *host = address;
	size_t len = (size_t)(colon - address);
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	} else if (memchr(host, ':', len)) {
		return false;
	}
	if (len == 0 || len >= sizeof ret_parts->host)
		return false;
	snprintf(ret_parts->host, sizeof ret_parts->host, "%.*s", (int)len, host);
	snprintf(ret_parts->port, sizeof ret_parts->port, "%s", colon + 1);
	return true;
}

static int open_one(const struct addrinfo *at)
{
	int on = 1, off = 0;
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (at->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof name;
	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return 0;
	if (name.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
	return ntohs(((struct sockaddr_in *)&name)->sin_port);
}

static int open_host(const char *host, const char *port, int *ret_lookup)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	int fd = -1;
	*ret_lookup = getaddrinfo(host, port, &hints, &found);
	if (*ret_lookup != 0)
		return -1;
	for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
		fd = open_one(at);
	int error = errno;
	freeaddrinfo(found);
	errno = error;
	return fd;
}

enum err listen_socket_open(const char *address, int *ret_fd, uint16_t *ret_port, char ret_why[256])
{
	struct parts parts;
	int lookup = 0;
	if (!split(address, &parts)) {
		snprintf(ret_why, 256, "%.180s: not host:port or [IPv6]:port", address);
		return ERR_INVALID;
	}
	int fd = open_host(parts.host, parts.port, &lookup);
	/* Where the system has no IPv6, "every address" is every IPv4 address. */
	if (fd < 0 && strcmp(parts.host, "::") == 0 &&
	    (lookup != 0 || errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = open_host("0.0.0.0", parts.port, &lookup);
	if (fd < 0) {
		snprintf(ret_why, 256, "%.180s: %s", address, lookup ? gai_strerror(lookup) : strerror(errno));
		return ERR_IO;
	}
	*ret_fd = fd;
	*ret_port = bound_port(fd);
	return OK;
}
