#include "gateway/redis/resolve.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/refcount.h"
#include "common/thread/thread.h"

/* Shared by the asker and the thread; the last of them frees it. */
struct lookup {
	struct refcount refs;
	pthread_mutex_t lock;
	struct event *wake; /* the asker's; NULL once it gave up. Under the lock. */
	struct addrinfo *addresses;
	int failure; /* of getaddrinfo */
	char port[8];
	char host[];
};

struct resolve {
	struct event *wake;
	struct lookup *lookup;
	resolve_done_fn *done;
	void *context;
};

static _Atomic unsigned threads;

static void unref_lookup(struct lookup *lookup)
{
	if (!refcount_drop(&lookup->refs))
		return;
	if (lookup->addresses)
		freeaddrinfo(lookup->addresses);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup);
}

static struct lookup *new_lookup(const char *host, uint16_t port)
{
	size_t len = strlen(host);
	struct lookup *lookup = calloc(1, sizeof *lookup + len + 1);
	if (!lookup)
		return NULL;
	refcount_init(&lookup->refs);
	pthread_mutex_init(&lookup->lock, NULL);
	snprintf(lookup->port, sizeof lookup->port, "%u", (unsigned)port);
	memcpy(lookup->host, host, len + 1);
	return lookup;
}

static int look_up(struct lookup *lookup, int flags)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	return getaddrinfo(lookup->host, lookup->port, &hints, &lookup->addresses);
}

static void *run_thread(void *argument)
{
	struct lookup *lookup = argument;
	lookup->failure = look_up(lookup, 0);
	pthread_mutex_lock(&lookup->lock);
	if (lookup->wake)
		event_active(lookup->wake, EV_READ, 0);
	pthread_mutex_unlock(&lookup->lock);
	unref_lookup(lookup);
	atomic_fetch_sub(&threads, 1);
	return NULL;
}

static enum err start_thread(struct lookup *lookup)
{
	if (atomic_fetch_add(&threads, 1) >= RESOLVE_THREADS_MAX) {
		atomic_fetch_sub(&threads, 1);
		return ERR_LIMIT;
	}
	refcount_take(&lookup->refs);
	struct thread thread;
	enum err error = thread_start(&thread, "resolve", run_thread, lookup);
	if (error) {
		(void)refcount_drop(&lookup->refs); /* not the last one: the asker's is left */
		atomic_fetch_sub(&threads, 1);
		return error;
	}
	pthread_detach(thread.handle);
	return OK;
}

static void on_answer(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	struct resolve *resolve = argument;
	struct lookup *lookup = resolve->lookup;
	pthread_mutex_lock(&lookup->lock); /* orders what the thread wrote before what is read here */
	int failure = lookup->failure;
	pthread_mutex_unlock(&lookup->lock);
	if (failure)
		resolve->done(resolve->context, NULL, gai_strerror(failure));
	else
		resolve->done(resolve->context, lookup->addresses, NULL);
}

enum err resolve_start(struct event_base *base, const char *host, uint16_t port, resolve_done_fn *done, void *context,
                       struct resolve **ret_resolve)
{
	enum err error = ERR_NOMEM;
	struct resolve *resolve = calloc(1, sizeof *resolve);
	if (!resolve)
		return ERR_NOMEM;
	*resolve = (struct resolve){.done = done, .context = context};
	resolve->wake = event_new(base, -1, 0, on_answer, resolve);
	if (!resolve->wake)
		goto fail_resolve;
	resolve->lookup = new_lookup(host, port);
	if (!resolve->lookup)
		goto fail_wake;
	resolve->lookup->wake = resolve->wake;
	if (look_up(resolve->lookup, AI_NUMERICHOST) == 0) {
		event_active(resolve->wake, EV_READ, 0);
	} else {
		error = start_thread(resolve->lookup);
		if (error)
			goto fail_lookup;
	}
	*ret_resolve = resolve;
	return OK;

fail_lookup:
	unref_lookup(resolve->lookup);
fail_wake:
	event_free(resolve->wake);
fail_resolve:
	free(resolve);
	return error;
}

void resolve_free(struct resolve *resolve)
{
	if (!resolve)
		return;
	pthread_mutex_lock(&resolve->lookup->lock);
	resolve->lookup->wake = NULL;
	pthread_mutex_unlock(&resolve->lookup->lock);
	event_free(resolve->wake);
	unref_lookup(resolve->lookup);
	free(resolve);
}
