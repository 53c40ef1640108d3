#include "gateway/app/listen.h"

#include <stdio.h>
#include <stdlib.h>

static enum err take_all(struct listen_list *list, const struct config_list *configured)
{
	for (size_t i = 0; i < configured->count; i++) {
		char *copy = strdup(configured->items[i].ptr);
		if (!copy)
			return ERR_NOMEM;
		list->addresses[list->count++] = slice_of(copy);
	}
	return OK;
}

enum err listen_list_init(struct listen_list *list, const struct config *config)
{
	size_t count = config->listen.count + config->tls_listen.count;
	list->count = 0;
	list->tls_from = config->tls_listen.count ? config->listen.count : 0;
	list->addresses = calloc(count ? count : 1, sizeof *list->addresses);
	if (!list->addresses)
		return ERR_NOMEM;
	enum err error = take_all(list, &config->listen);
	return error != OK ? error : take_all(list, &config->tls_listen);
}

static void free_text(struct slice text)
{
	free((char *)(uintptr_t)text.ptr);
}

void listen_list_fini(struct listen_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free_text(list->addresses[i]);
	free(list->addresses);
	list->addresses = NULL;
	list->count = 0;
}

enum err listen_list_settle(struct listen_list *list, size_t at, uint16_t port)
{
	struct slice address = list->addresses[at];
	size_t host_len = address.len;
	while (host_len && address.ptr[host_len - 1] != ':')
		host_len--;
	size_t size = host_len + sizeof "65535";
	char *settled = malloc(size);
	if (!settled)
		return ERR_NOMEM;
	snprintf(settled, size, "%.*s%u", (int)host_len, address.ptr, (unsigned)port);
	free_text(address);
	list->addresses[at] = slice_of(settled);
	return OK;
}
