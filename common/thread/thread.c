#define _GNU_SOURCE
#include "common/thread/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

enum err thread_start(struct thread *thread, const char *name, void *(*body)(void *), void *argument)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&thread->handle, NULL, body, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) {
		errno = failed;
		return ERR_IO;
	}
	char shown[16];
	snprintf(shown, sizeof shown, "%s", name);
	pthread_setname_np(thread->handle, shown);
	return OK;
}

void thread_give_way(void)
{
	const struct sched_param none = {0};
	pthread_setschedparam(pthread_self(), SCHED_BATCH, &none); /* where it is refused nothing is worse than before */
}

void thread_join(struct thread *thread)
{
	pthread_join(thread->handle, NULL);
}
