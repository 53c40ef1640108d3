#include "gateway/http/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/base/decimal.h"

#define V1_MAX 107 /* with CR LF, section 2.1 */
#define V2_FIXED 16
#define SIGNATURE_LEN 12

static const char v1_start[] = {'P', 'R', 'O', 'X', 'Y', ' '};
/* NOLINTNEXTLINE(bugprone-string-literal-with-embedded-nul) */
static const char v2_signature[SIGNATURE_LEN + 1] = "\r\n\r\n\0\r\nQUIT\n";

/* Whether the bytes begin as the start does, as far as both go. */
static bool begins(struct slice bytes, const char *start, size_t len)
{
	return memcmp(bytes.ptr, start, bytes.len < len ? bytes.len : len) == 0;
}

/* The next word, up to one space or the end. */
static struct slice take_word(struct slice *line)
{
	const char *space = line->len ? memchr(line->ptr, ' ', line->len) : NULL;
	struct slice word = {line->ptr, space ? (size_t)(space - line->ptr) : line->len};
	size_t taken = word.len + (space != NULL);
	*line = (struct slice){line->ptr + taken, line->len - taken};
	return word;
}

static bool is_v4_text(struct slice text)
{
	return text.len && memchr(text.ptr, '.', text.len) && !memchr(text.ptr, ':', text.len);
}

/* Section 2.1: addresses in their canonical forms; no zone, no brackets. */
static bool take_address(struct slice *line, bool is_v4, struct ip *ret_ip)
{
	struct slice word = take_word(line);
	return word.len && !memchr(word.ptr, '%', word.len) && is_v4_text(word) == is_v4 && ip_read(word, ret_ip);
}

static bool take_port(struct slice *line)
{
	uint64_t port;
	return decimal_read(take_word(line), UINT16_MAX, &port);
}

static bool read_v1_line(struct slice line, struct ip *ret_source)
{
	struct slice family = take_word(&line);
	struct ip source = {.is_known = false}, destination;
	bool is_v4 = slice_is(family, "TCP4");
	if (!slice_is(family, "UNKNOWN")) {
		if (!is_v4 && !slice_is(family, "TCP6"))
			return false;
		if (!take_address(&line, is_v4, &source) || !take_address(&line, is_v4, &destination) || !take_port(&line) ||
		    !take_port(&line) || line.len)
			return false;
	}
	*ret_source = source;
	return true;
}

static enum proxy_header_status read_v1(struct slice bytes, struct proxy_header *ret_header)
{
	struct slice head = {bytes.ptr, bytes.len < V1_MAX ? bytes.len : V1_MAX};
	const char *end = memchr(head.ptr, '\n', head.len);
	if (!end)
		return bytes.len < V1_MAX ? PROXY_HEADER_PARTIAL : PROXY_HEADER_BAD;
	size_t len = (size_t)(end - bytes.ptr) + 1;
	if (len < sizeof v1_start + 2 || end[-1] != '\r')
		return PROXY_HEADER_BAD;
	struct slice line = {bytes.ptr + sizeof v1_start, len - sizeof v1_start - 2};
	if (!read_v1_line(line, &ret_header->source))
		return PROXY_HEADER_BAD;
	ret_header->len = len;
	return PROXY_HEADER_COMPLETE;
}

/* Section 2.2: family in the upper half, transport in the lower; stream is 1. What is longer than the addresses carries more fields. */
static bool read_v2_addresses(unsigned family, struct slice addresses, struct ip *ret_source)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	switch (family) {
	case 0x11:
		if (addresses.len < 12)
			return false;
		memcpy(&v4.sin_addr, addresses.ptr, 4);
		*ret_source = ip_of((const struct sockaddr *)&v4);
		return true;
	case 0x21:
		if (addresses.len < 36)
			return false;
		memcpy(&v6.sin6_addr, addresses.ptr, 16);
		*ret_source = ip_of((const struct sockaddr *)&v6);
		return true;
	case 0x00:
	case 0x31:
		*ret_source = (struct ip){.is_known = false};
		return true;
	default:
		return false;
	}
}

static enum proxy_header_status read_v2(struct slice bytes, struct proxy_header *ret_header)
{
	if (bytes.len < V2_FIXED)
		return PROXY_HEADER_PARTIAL;
	const unsigned char *fixed = (const unsigned char *)bytes.ptr;
	unsigned command = fixed[12], family = fixed[13];
	size_t len = (size_t)fixed[14] << 8 | fixed[15];
	if ((command != 0x20 && command != 0x21) || V2_FIXED + len > PROXY_HEADER_MAX)
		return PROXY_HEADER_BAD;
	if (bytes.len < V2_FIXED + len)
		return PROXY_HEADER_PARTIAL;
	struct ip source = {.is_known = false};
	if (command == 0x21 && !read_v2_addresses(family, (struct slice){bytes.ptr + V2_FIXED, len}, &source))
		return PROXY_HEADER_BAD;
	*ret_header = (struct proxy_header){.len = V2_FIXED + len, .source = source};
	return PROXY_HEADER_COMPLETE;
}

enum proxy_header_status proxy_header_read(struct slice bytes, struct proxy_header *ret_header)
{
	if (bytes.len == 0)
		return PROXY_HEADER_PARTIAL;
	if (begins(bytes, v2_signature, SIGNATURE_LEN))
		return read_v2(bytes, ret_header);
	if (begins(bytes, v1_start, sizeof v1_start))
		return read_v1(bytes, ret_header);
	return PROXY_HEADER_BAD;
}
