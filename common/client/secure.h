/* TLS for a link, where the library was built with it (TGC_WITH_TLS, and OpenSSL): whom a client trusts, and one session over a connected,
 * non-blocking socket. The peer's certificate must come from an authority that is trusted and be good for the host, unless the client
 * was told to take any. Used by one thread at a time; never raises SIGPIPE. */
#ifndef COMMON_CLIENT_SECURE_H
#define COMMON_CLIENT_SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/client/tgclient.h"

struct tgc_trust;  /* of a client */
struct tgc_secure; /* of a connection */

bool tgc_secure_is_built_in(void);

/* NULL: ret_why says what is wrong. ca_file NULL: the system's authorities. The files are read here, once. */
struct tgc_trust *tgc_trust_new(const struct tgc_options *options, char ret_why[TGC_WHY_MAX]);
void tgc_trust_free(struct tgc_trust *trust); /* NULL is fine */

/* host: a name or an address, for which the certificate must be good. The socket stays the caller's. NULL: no memory. */
struct tgc_secure *tgc_secure_new(const struct tgc_trust *trust, int fd, const char *host);
void tgc_secure_free(struct tgc_secure *secure); /* NULL is fine */

enum tgc_shake { TGC_SHAKE_DONE, TGC_SHAKE_AGAIN, TGC_SHAKE_FAILED };
enum tgc_shake tgc_secure_shake(struct tgc_secure *secure, char ret_why[TGC_WHY_MAX]);
/* As recv(2) and send(2): -1 with errno EAGAIN: later, after tgc_secure_events(); 0 of a read: the peer says no more. Bytes that were
 * not written must be given again. */
ssize_t tgc_secure_read(struct tgc_secure *secure, void *ret_bytes, size_t len);
ssize_t tgc_secure_write(struct tgc_secure *secure, const void *bytes, size_t len);
/* What the session waits for beside what its user does: POLLIN, POLLOUT. */
short tgc_secure_events(const struct tgc_secure *secure);
void tgc_secure_goodbye(struct tgc_secure *secure); /* close_notify, as far as the socket takes it */

#endif
