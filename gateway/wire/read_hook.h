/* Looks over what libwebsockets reads from the sockets of its connections. The library has no callback for it, so this room defines
 * recv(2) for the whole program, as a shared library's calls are bound to the program's own definition first; for all other
 * descriptors it is what it always is. Each thread has hooks of its own. */
#ifndef GATEWAY_WIRE_READ_HOOK_H
#define GATEWAY_WIRE_READ_HOOK_H

#include <stddef.h>

#include "common/base/err.h"

/* What came is in bytes; gives how many of its front the reader is to get. Fewer: the rest is gone. 0: it is told to try later. */
typedef size_t read_hook(void *context, const void *bytes, size_t len);

/* From now on, on this thread. ERR_NOMEM. */
enum err read_hook_set(int fd, read_hook *hook, void *context) MUST_USE;
void read_hook_clear(int fd, const void *context); /* harmless when the descriptor has another one by now */
void read_hook_end(void);                          /* before the thread ends: gives the memory back */

#endif
