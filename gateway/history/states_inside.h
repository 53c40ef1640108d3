/* What the files of the states share; nobody else includes it. states.c takes questions and gives answers, states_run.c folds: a
 * task is a question that is not answered yet, a run the way to one state. A task has a run for each moment it asks for. */
#ifndef GATEWAY_HISTORY_STATES_INSIDE_H
#define GATEWAY_HISTORY_STATES_INSIDE_H

#include "common/base/list.h"
#include "common/data/table.h"
#include "gateway/history/fold.h"
#include "gateway/history/line.h"
#include "gateway/history/states.h"
#include "gateway/history/warm.h"

struct run {
	uint64_t ticket;          /* of what is asked of Redis at present */
	struct record_id to;
	bool awaits_facts, awaits_snapshot, awaits_page;
	struct stream_facts facts;
	struct fold *fold;        /* NULL: not begun; of a snapshot until a start was chosen */
	uint64_t epoch;           /* of that snapshot */
	unsigned recalls;
	size_t count;             /* entries asked for */
	/* What the first entry of the page must be, so that nothing was lost on the way to it; zero: it may be any. */
	struct record_id expected;
	bool overlaps;            /* that entry is in the fold already */
	unsigned restarts;
	bool is_from_scratch;     /* what was kept did not fit */
};

struct task {
	struct line_item item;    /* in the line, or in the followers of one at work, or in none */
	struct list all;          /* in states->tasks */
	struct list at_work;      /* in states->working */
	bool is_at_work;
	struct question *question; /* owned */
	struct {
		uint64_t asker, ticket;
	} key;                    /* in states->by_ticket */
	uint64_t patience_ns;
	struct list followers;    /* tasks for the same session, by item.link */
	struct blob *from;        /* the state at diff_from, once it is there */
	struct run run;
};

struct states {
	struct states_settings settings;
	struct states_ops ops;
	void *context;
	bool is_up;
	struct log_position log;
	struct fold_rules *rules;
	struct warm *warm;
	struct line line;
	struct list tasks, working;
	size_t working_count;
	bool is_crowded; /* one gave way: until another ends nothing is begun beside what is at work */
	struct table by_ticket;
	uint64_t last_ticket;
	uint64_t progressed_ns, told_ns; /* when Redis last gave something; when those who wait were last told that it does */
	size_t page_entries;             /* of the next read */
};

/* Answers and frees the task. */
void states_fail(struct states *states, struct task *task, enum err error, const char *why);
void states_state_came(struct states *states, struct task *task, struct blob *state, struct record_id at); /* takes a reference */

/* The folds at work need more than they may together: the task waits in line again, in front. It has no fold. May fail the task. */
void states_give_way(struct states *states, struct task *task);
void states_pump(struct states *states); /* after whatever may have ended a task */

/* states_run.c */
void states_run(struct states *states, struct task *task, struct record_id to);
void states_restart(struct states *states, struct task *task, bool is_from_scratch); /* may fail the task */
void states_drop_fold(struct states *states, struct task *task);                   /* keeps it warm where it is of use */

#endif
