/* The address of a gateway: ws://host[:port][/path][?query], or wss://, taken apart; http:// and https:// mean the same. Pure; owns its texts. */
#ifndef COMMON_CLIENT_URL_H
#define COMMON_CLIENT_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

#define TGC_HOST_MAX 254
#define TGC_TARGET_MAX 8192

struct tgc_url {
	bool is_secure;                 /* wss:// */
	char host[TGC_HOST_MAX];        /* a name or an address, no brackets */
	char port[6];
	char authority[TGC_HOST_MAX + 9]; /* for the Host header: brackets and port as needed */
	char *target;                   /* path and query; owned, freed by tgc_url_fini */
};

/* ERR_INVALID: malformed; ERR_NOMEM. */
enum err tgc_url_parse(struct tgc_url *url, const char *text) MUST_USE;
void tgc_url_fini(struct tgc_url *url);

#endif
