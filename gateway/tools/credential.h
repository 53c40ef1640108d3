/* The token or API key that tgcli shows, where it stands in a file that somebody renews (--token-file). The file is read again when the
 * node warns that the credential expires, then once a second until it holds another one, which is brought on the open connection;
 * and when a node closed or refused the connection for its credential. Without a file nothing here does anything but give the token.
 * Owned by the command that has the client; its handlers tell it what comes. */
#ifndef GATEWAY_TOOLS_CREDENTIAL_H
#define GATEWAY_TOOLS_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/client/tgclient.h"
#include "common/data/buf.h"

struct credential {
	const char *file;     /* NULL: none */
	const char *token;    /* without a file; NULL: none */
	struct buf text;      /* what the client was given last, NUL-terminated; with a file only */
	bool is_judged;       /* the connection lives by it, or a node refused it; false: a node has only taken it for later */
	bool is_wanted;       /* the node warned: another one is looked for */
	bool has_told;        /* that there is none yet, and why */
	uint64_t look_at_ms;  /* monotonic */
};

/* Both are borrowed. False: said why the file cannot be used. */
bool credential_open(struct credential *credential, const char *token, const char *file);
void credential_close(struct credential *credential);
const char *credential_text(const struct credential *credential); /* NULL: there is none */

/* In on_notice and in on_state, first. True: the node has closed the client for what it showed, and it goes on with something else. */
void credential_notice(struct credential *credential, struct tgc_client *client, const struct tgc_notice *notice);
bool credential_renew(struct credential *credential, struct tgc_client *client, const struct tgc_status *status);
/* Between turns of the client. */
void credential_look(struct credential *credential, struct tgc_client *client);

#endif
