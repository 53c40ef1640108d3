#define _GNU_SOURCE
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/thread/thread.h"
#include "tests/support/suite.h"

struct seen {
	sem_t go;
	bool blocks_term, blocks_int;
	int argument;
};

static void *look(void *argument)
{
	struct seen *seen = argument;
	sigset_t blocked;
	sem_wait(&seen->go);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	seen->blocks_term = sigismember(&blocked, SIGTERM) == 1;
	seen->blocks_int = sigismember(&blocked, SIGINT) == 1;
	seen->argument++;
	return NULL;
}

START_TEST(runs_with_signals_blocked_and_leaves_those_of_the_starter)
{
	struct seen seen = {.argument = 41};
	struct thread thread;
	sigset_t before;
	ck_assert_int_eq(sem_init(&seen.go, 0, 1), 0);
	ck_assert_int_eq(thread_start(&thread, "looker", look, &seen), OK);
	thread_join(&thread);
	ck_assert_int_eq(seen.argument, 42);
	ck_assert(seen.blocks_term && seen.blocks_int);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	ck_assert_int_eq(sigismember(&before, SIGTERM), 0);
	sem_destroy(&seen.go);
}
END_TEST

static void *give_way(void *argument)
{
	struct sched_param parameters;
	thread_give_way();
	pthread_getschedparam(pthread_self(), argument, &parameters);
	return NULL;
}

START_TEST(gives_way_alone_when_asked_to)
{
	struct thread thread;
	struct sched_param parameters;
	int policy = -1, starters = -1;
	ck_assert_int_eq(thread_start(&thread, "polite", give_way, &policy), OK);
	thread_join(&thread);
	ck_assert_int_eq(policy, SCHED_BATCH);
	ck_assert_int_eq(pthread_getschedparam(pthread_self(), &starters, &parameters), 0);
	ck_assert_int_ne(starters, SCHED_BATCH);
}
END_TEST

START_TEST(shows_its_name_cut_to_what_the_kernel_takes)
{
	struct seen seen = {.argument = 0};
	struct thread thread;
	char name[16];
	ck_assert_int_eq(sem_init(&seen.go, 0, 0), 0);
	ck_assert_int_eq(thread_start(&thread, "a-name-that-is-too-long", look, &seen), OK);
	ck_assert_int_eq(pthread_getname_np(thread.handle, name, sizeof name), 0);
	ck_assert_str_eq(name, "a-name-that-is-");
	sem_post(&seen.go);
	thread_join(&thread);
	sem_destroy(&seen.go);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("thread");
	TCase *cases = tcase_create("thread");
	tcase_add_test(cases, runs_with_signals_blocked_and_leaves_those_of_the_starter);
	tcase_add_test(cases, gives_way_alone_when_asked_to);
	tcase_add_test(cases, shows_its_name_cut_to_what_the_kernel_takes);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
