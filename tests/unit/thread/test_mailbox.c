#include <check.h>
#include <semaphore.h>
#include <stdlib.h>

#include "common/thread/mailbox.h"
#include "common/thread/thread.h"
#include "tests/support/suite.h"

#define SENDERS 4
#define MAILS_EACH 5000

struct letter {
	struct mail mail;
	int sender, number;
};

static struct mailbox box;
static sem_t woken;
static _Atomic unsigned wakes;

static void on_wake(void *receiver)
{
	atomic_fetch_add(&wakes, 1);
	sem_post(receiver);
}

static void open_box(void)
{
	atomic_store(&wakes, 0);
	ck_assert_int_eq(sem_init(&woken, 0, 0), 0);
	mailbox_init(&box, on_wake, &woken);
}

static void post(int sender, int number)
{
	struct letter *letter = malloc(sizeof *letter);
	if (!letter)
		abort();
	*letter = (struct letter){.sender = sender, .number = number};
	mailbox_post(&box, &letter->mail);
}

static int take(struct mail **at)
{
	struct letter *letter = (struct letter *)*at;
	int number = letter->number;
	*at = letter->mail.next;
	free(letter);
	return number;
}

START_TEST(is_empty_at_first)
{
	open_box();
	ck_assert_ptr_null(mailbox_take_all(&box));
	ck_assert_uint_eq(wakes, 0);
}
END_TEST

START_TEST(gives_oldest_first_and_wakes_once_for_many)
{
	open_box();
	for (int i = 1; i <= 3; i++)
		post(0, i);
	ck_assert_uint_eq(wakes, 1);
	struct mail *at = mailbox_take_all(&box);
	for (int i = 1; i <= 3; i++)
		ck_assert_int_eq(take(&at), i);
	ck_assert_ptr_null(at);
	ck_assert_ptr_null(mailbox_take_all(&box));
	post(0, 4);
	ck_assert_uint_eq(wakes, 2);
	at = mailbox_take_all(&box);
	ck_assert_int_eq(take(&at), 4);
}
END_TEST

static void *send(void *argument)
{
	for (int i = 0; i < MAILS_EACH; i++)
		post(*(int *)argument, i);
	return NULL;
}

START_TEST(keeps_the_order_of_each_of_several_senders_and_loses_nothing)
{
	struct thread threads[SENDERS];
	int names[SENDERS], expected[SENDERS] = {0};
	unsigned taken = 0;
	open_box();
	for (int i = 0; i < SENDERS; i++) {
		names[i] = i;
		ck_assert_int_eq(thread_start(&threads[i], "sender", send, &names[i]), OK);
	}
	while (taken < SENDERS * MAILS_EACH) {
		/* A lost wake-up would let this wait for good; the time limit of the test then ends it. */
		ck_assert_int_eq(sem_wait(&woken), 0);
		for (struct mail *at = mailbox_take_all(&box); at; taken++) {
			int sender = ((struct letter *)at)->sender;
			ck_assert_int_eq(take(&at), expected[sender]++);
		}
	}
	for (int i = 0; i < SENDERS; i++)
		thread_join(&threads[i]);
	ck_assert_ptr_null(mailbox_take_all(&box));
	ck_assert_uint_le(wakes, SENDERS * MAILS_EACH);
	sem_destroy(&woken);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mailbox");
	TCase *cases = tcase_create("mailbox");
	tcase_add_test(cases, is_empty_at_first);
	tcase_add_test(cases, gives_oldest_first_and_wakes_once_for_many);
	tcase_add_test(cases, keeps_the_order_of_each_of_several_senders_and_loses_nothing);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
