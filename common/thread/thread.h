/* Starts and joins the few threads of a process, named for top(1), with every signal blocked: signals belong to main. */
#ifndef COMMON_THREAD_THREAD_H
#define COMMON_THREAD_THREAD_H

#include <pthread.h>

#include "common/base/err.h"

struct thread {
	pthread_t handle;
};

/* name: at most 15 bytes are shown. body runs on the new thread with its argument. ERR_IO: errno is set. */
enum err thread_start(struct thread *thread, const char *name, void *(*body)(void *), void *argument) MUST_USE;
/* The calling thread no longer interrupts others when it wakes on a core that is busy: it waits until they sleep or their share is
 * over (SCHED_BATCH, sched(7)). For who feeds others and would only cut their work in pieces; with a core to itself it
 * loses nothing. */
void thread_give_way(void);
void thread_join(struct thread *thread);

#endif
