#include "gateway/wire/delivery.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct port_delivery delivery_of_socket(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return (struct port_delivery){0};
	return (struct port_delivery){
		.acked_bytes = info.tcpi_bytes_acked,
		.has_unacked = info.tcpi_unacked || info.tcpi_notsent_bytes,
	};
}
