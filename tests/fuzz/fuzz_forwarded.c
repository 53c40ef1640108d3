/* X-Forwarded-For: the client is known, and is the peer where that is no proxy; what stands in front of the list changes nothing unless
 * all of it is of proxies. Also addresses and networks: what is read is written and read as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http/forwarded.h"
#include "gateway/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_address(struct slice text)
{
	struct ip ip, again;
	struct ip_network network;
	char written[IP_TEXT];
	if (ip_read_with_port(text, &ip)) {
		size_t written_len = ip_write(written, &ip);
		if (!ip_read((struct slice){written, written_len}, &again) || !ip_equal(&ip, &again))
			abort();
	}
	if (ip_network_read(text, &network) && !ip_network_has(&network, &network.ip) && !ip_is_v4(&network.ip))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ip_network network;
	struct ip proxy, stranger;
	if (!ip_network_read(slice_of("10.0.0.0/8"), &network) || !ip_read(slice_of("10.0.0.1"), &proxy) ||
	    !ip_read(slice_of("2001:db8::1"), &stranger))
		abort();
	const struct proxies proxies = {.networks = &network, .count = 1};
	static struct head head;
	head.field_count = 2;
	head.fields[0] = (struct head_field){slice_of("X-Forwarded-For"), slice_of("192.0.2.77")};
	head.fields[1] = (struct head_field){slice_of("x-forwarded-for"), {(const char *)bytes, len}};
	struct ip client = forwarded_client(&head, &proxies, &proxy);
	struct ip unmoved = forwarded_client(&head, &proxies, &stranger);
	head.fields[0].value = slice_of("192.0.2.78");
	struct ip other = forwarded_client(&head, &proxies, &proxy);
	struct ip first;
	bool is_first = ip_read(slice_of("192.0.2.77"), &first) && ip_equal(&client, &first);
	if (!client.is_known || !ip_equal(&unmoved, &stranger) || (!is_first && !ip_equal(&client, &other)))
		abort();
	check_address((struct slice){(const char *)bytes, len});
	return 0;
}
