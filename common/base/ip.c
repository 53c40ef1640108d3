#include "common/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/decimal.h"

#define V4_AT 12 /* where IPv4 lies in its mapped form */
#define V4_BITS 96

static const uint8_t mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};

static struct ip from_v4(const void *bytes)
{
	struct ip ip = {.is_known = true};
	memcpy(ip.bytes, mapped, V4_AT);
	memcpy(ip.bytes + V4_AT, bytes, 4);
	return ip;
}

static struct ip from_v6(const void *bytes)
{
	struct ip ip = {.is_known = true};
	memcpy(ip.bytes, bytes, sizeof ip.bytes);
	return ip;
}

struct ip ip_of(const struct sockaddr *address)
{
	if (address && address->sa_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, address, sizeof v4);
		return from_v4(&v4.sin_addr);
	}
	if (address && address->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, address, sizeof v6);
		return from_v6(&v6.sin6_addr);
	}
	return (struct ip){.is_known = false};
}

bool ip_is_v4(const struct ip *ip)
{
	return ip->is_known && memcmp(ip->bytes, mapped, V4_AT) == 0;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->is_known == b->is_known && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Without its zone. False: a zone that is empty, or where none can be. */
static bool cut_zone(struct slice *text)
{
	const char *percent = text->len ? memchr(text->ptr, '%', text->len) : NULL;
	if (!percent)
		return true;
	size_t len = (size_t)(percent - text->ptr);
	bool is_good = len + 1 < text->len && memchr(text->ptr, ':', len) != NULL;
	text->len = len;
	return is_good;
}

bool ip_read(struct slice text, struct ip *ret_ip)
{
	char terminated[IP_TEXT];
	unsigned char bytes[16];
	if (!cut_zone(&text) || text.len == 0 || text.len >= sizeof terminated || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(terminated, text.ptr, text.len);
	terminated[text.len] = '\0';
	if (inet_pton(AF_INET, terminated, bytes) == 1)
		*ret_ip = from_v4(bytes);
	else if (inet_pton(AF_INET6, terminated, bytes) == 1)
		*ret_ip = from_v6(bytes);
	else
		return false;
	return true;
}

static bool is_port(struct slice text)
{
	uint64_t port;
	return decimal_read(text, UINT16_MAX, &port);
}

static bool read_bracketed(struct slice text, struct ip *ret_ip)
{
	const char *end = memchr(text.ptr, ']', text.len);
	if (!end)
		return false;
	struct slice inside = {text.ptr + 1, (size_t)(end - text.ptr) - 1};
	struct slice behind = {end + 1, text.len - inside.len - 2};
	if (behind.len && (behind.ptr[0] != ':' || !is_port((struct slice){behind.ptr + 1, behind.len - 1})))
		return false;
	struct ip ip;
	if (!memchr(inside.ptr, ':', inside.len) || !ip_read(inside, &ip))
		return false;
	*ret_ip = ip;
	return true;
}

/* More than one colon is IPv6 without a port: with one it stands in brackets (RFC 3986 section 3.2.2). */
bool ip_read_with_port(struct slice text, struct ip *ret_ip)
{
	if (text.len && text.ptr[0] == '[')
		return read_bracketed(text, ret_ip);
	const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
	if (!colon)
		return ip_read(text, ret_ip);
	struct slice host = {text.ptr, (size_t)(colon - text.ptr)};
	struct slice port = {colon + 1, text.len - host.len - 1};
	if (!memchr(port.ptr, ':', port.len))
		return is_port(port) && ip_read(host, ret_ip);
	return ip_read(text, ret_ip);
}

size_t ip_write(char text[IP_TEXT], const struct ip *ip)
{
	text[0] = '-';
	text[1] = '\0';
	if (ip_is_v4(ip))
		inet_ntop(AF_INET, ip->bytes + V4_AT, text, IP_TEXT);
	else if (ip->is_known)
		inet_ntop(AF_INET6, ip->bytes, text, IP_TEXT);
	return strlen(text);
}

bool ip_network_read(struct slice text, struct ip_network *ret_network)
{
	const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
	struct slice address = {text.ptr, slash ? (size_t)(slash - text.ptr) : text.len};
	struct ip_network network;
	if (!ip_read(address, &network.ip))
		return false;
	/* In the notation of its text: a mapped address that is written as IPv6 has the prefix of IPv6. */
	bool is_v6_text = memchr(address.ptr, ':', address.len) != NULL;
	uint64_t bits = is_v6_text ? 128 : 32;
	if (slash && !decimal_read((struct slice){slash + 1, text.len - address.len - 1}, bits, &bits))
		return false;
	network.bits = (unsigned)bits + (is_v6_text ? 0 : V4_BITS);
	*ret_network = network;
	return true;
}

bool ip_network_has(const struct ip_network *network, const struct ip *ip)
{
	bool is_v4_network = ip_is_v4(&network->ip) && network->bits >= V4_BITS;
	if (!ip->is_known || ip_is_v4(ip) != is_v4_network)
		return false;
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	if (memcmp(ip->bytes, network->ip.bytes, whole) != 0)
		return false;
	return rest == 0 || ((ip->bytes[whole] ^ network->ip.bytes[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

bool ip_networks_have(const struct ip_network *networks, size_t count, const struct ip *ip)
{
	for (size_t i = 0; i < count; i++) {
		if (ip_network_has(&networks[i], ip))
			return true;
	}
	return false;
}
