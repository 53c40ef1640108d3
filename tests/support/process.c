#define _GNU_SOURCE /* memmem, pipe2, execvpe, prctl */
#include "tests/support/process.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/data/buf.h"

#define LAST_WORDS_MS 2000

struct process {
	pid_t pid;
	int pid_fd;
	bool ended;
	int status;
	pthread_t reader;
	int pipes[2], stop[2];
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more;
	struct buf text[2];
	bool at_end[2];
};

static void keep_output(struct process *process, int stream)
{
	char bytes[16384];
	ssize_t got = read(process->pipes[stream], bytes, sizeof bytes);
	if (got < 0 && errno == EINTR)
		return;
	pthread_mutex_lock(&process->lock);
	if (got > 0)
		buf_append(&process->text[stream], bytes, (size_t)got);
	else
		process->at_end[stream] = true;
	pthread_cond_broadcast(&process->more);
	pthread_mutex_unlock(&process->lock);
}

static void *collect_output(void *argument)
{
	struct process *process = argument;
	bool open[2] = {true, true};
	while (open[0] || open[1]) {
		struct pollfd ready[3] = {{.fd = open[0] ? process->pipes[0] : -1, .events = POLLIN},
					  {.fd = open[1] ? process->pipes[1] : -1, .events = POLLIN},
					  {.fd = process->stop[0], .events = POLLIN}};
		if (poll(ready, 3, -1) < 0 && errno != EINTR)
			break;
		for (int stream = 0; stream < 2; stream++) {
			if (!open[stream] || !ready[stream].revents)
				continue;
			keep_output(process, stream);
			open[stream] = !process->at_end[stream]; /* written by this thread only */
		}
		if (ready[2].revents && !ready[0].revents && !ready[1].revents)
			break;
	}
	return NULL;
}

static void limit_descriptors(uint64_t limit)
{
	struct rlimit files = {limit, limit};
	if (limit && setrlimit(RLIMIT_NOFILE, &files))
		_exit(126);
}

/* Between fork and exec only async-signal-safe calls: the test may have threads. */
static void become(const struct process_options *options, char *const *environment, const int out[2])
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(nothing, 0);
	dup2(out[0], 1);
	dup2(out[1], 2);
	limit_descriptors(options->descriptor_limit);
	char *const *arguments = (char *const *)(uintptr_t)options->arguments;
	execvpe(arguments[0], arguments, environment);
	_exit(127);
}

static const char **join_environment(const char *const *extra)
{
	size_t count = 0, extra_count = 0;
	while (environ[count])
		count++;
	while (extra && extra[extra_count])
		extra_count++;
	const char **all = calloc(count + extra_count + 1, sizeof *all);
	ck_assert_ptr_nonnull(all);
	for (size_t i = 0; i < extra_count; i++) /* in front: the first of a name counts */
		all[i] = extra[i];
	for (size_t i = 0; i < count; i++)
		all[extra_count + i] = environ[i];
	return all;
}

static void init_capture(struct process *process)
{
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&process->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&process->lock, NULL);
	buf_init(&process->text[0]);
	buf_init(&process->text[1]);
}

struct process *process_start(const struct process_options *options)
{
	struct process *process = calloc(1, sizeof *process);
	ck_assert_ptr_nonnull(process);
	int out[2], err[2];
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(process->stop, O_CLOEXEC), 0);
	const char **environment = join_environment(options->environment);
	process->pid = fork();
	ck_assert_msg(process->pid >= 0, "fork: %s", strerror(errno));
	if (process->pid == 0)
		become(options, (char *const *)(uintptr_t)environment, (int[2]){out[1], err[1]});
	free(environment);
	close(out[1]);
	close(err[1]);
	process->pipes[0] = out[0];
	process->pipes[1] = err[0];
	process->pid_fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	ck_assert_msg(process->pid_fd >= 0, "pidfd_open: %s", strerror(errno));
	init_capture(process);
	ck_assert_int_eq(pthread_create(&process->reader, NULL, collect_output, process), 0);
	return process;
}

void process_free(struct process *process)
{
	if (!process)
		return;
	if (!process->ended) {
		kill(process->pid, SIGKILL);
		process_wait(process, deadline_in(DEADLINE_MS), NULL);
	}
	(void)!write(process->stop[1], "", 1);
	pthread_join(process->reader, NULL);
	for (int i = 0; i < 2; i++) {
		close(process->pipes[i]);
		close(process->stop[i]);
		buf_fini(&process->text[i]);
	}
	close(process->pid_fd);
	pthread_cond_destroy(&process->more);
	pthread_mutex_destroy(&process->lock);
	free(process);
}

pid_t process_pid(const struct process *process)
{
	return process->pid;
}

void process_signal(struct process *process, int signal)
{
	if (!process->ended)
		kill(process->pid, signal);
}

bool process_wait(struct process *process, struct deadline deadline, int *ret_status)
{
	if (!process->ended) {
		int status;
		if (!deadline_wait_fd(process->pid_fd, POLLIN, deadline))
			return false;
		if (waitpid(process->pid, &status, 0) != process->pid)
			return false;
		process->ended = true;
		process->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	if (ret_status)
		*ret_status = process->status;
	return true;
}

bool process_is_running(struct process *process)
{
	return !process_wait(process, deadline_in(0), NULL);
}

/* A process that ended has said all, but it may still be on its way to us; children that it left keep the pipe open. */
static void await_end(struct process *process, enum process_stream stream)
{
	struct deadline deadline = deadline_in(LAST_WORDS_MS);
	struct timespec until = {(time_t)(deadline.at_ms / 1000), (long)(deadline.at_ms % 1000) * 1000000L};
	while (process->ended && !process->at_end[stream]) {
		if (pthread_cond_timedwait(&process->more, &process->lock, &until) == ETIMEDOUT)
			return;
	}
}

char *process_text(struct process *process, enum process_stream stream)
{
	pthread_mutex_lock(&process->lock);
	await_end(process, stream);
	const struct buf *text = &process->text[stream];
	char *copy = malloc(text->len + 1);
	ck_assert_ptr_nonnull(copy);
	if (text->len)
		memcpy(copy, text->bytes, text->len);
	copy[text->len] = '\0';
	pthread_mutex_unlock(&process->lock);
	return copy;
}

/* The first whole line at or behind *at that holds text; moves *at behind it, else behind the last whole line. */
static char *find_line(const struct buf *all, const char *text, size_t *at)
{
	while (*at < all->len) {
		const char *line = all->bytes + *at;
		const char *end = memchr(line, '\n', all->len - *at);
		if (!end)
			return NULL;
		size_t len = (size_t)(end - line);
		*at += len + 1;
		if (memmem(line, len, text, strlen(text)))
			return strndup(line, len);
	}
	return NULL;
}

char *process_wait_line(struct process *process, enum process_stream stream, const char *text, size_t *at, struct deadline deadline)
{
	size_t start = 0;
	if (!at)
		at = &start;
	struct timespec until = {(time_t)(deadline.at_ms / 1000), (long)(deadline.at_ms % 1000) * 1000000L};
	pthread_mutex_lock(&process->lock);
	char *line = find_line(&process->text[stream], text, at);
	while (!line && !process->at_end[stream]) {
		if (pthread_cond_timedwait(&process->more, &process->lock, &until) == ETIMEDOUT)
			break;
		line = find_line(&process->text[stream], text, at);
	}
	pthread_mutex_unlock(&process->lock);
	return line;
}

/* The text of /proc/<pid>/<name>, cut to the buffer. False when the process is gone. */
static bool read_proc(const struct process *process, const char *name, char *ret_text, size_t size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)process->pid, name);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	size_t got = fread(ret_text, 1, size - 1, file);
	ret_text[got] = '\0';
	fclose(file);
	return got > 0;
}

uint64_t process_resident_bytes(const struct process *process)
{
	char text[4096];
	const char *line = read_proc(process, "status", text, sizeof text) ? strstr(text, "VmRSS:") : NULL;
	return line ? strtoull(line + 6, NULL, 10) * 1024 : 0;
}

unsigned process_descriptors(const struct process *process)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd", (int)process->pid);
	DIR *folder = opendir(path);
	unsigned count = 0;
	if (!folder)
		return 0;
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

uint64_t process_cpu_ms(const struct process *process)
{
	char text[1024];
	unsigned long user, system;
	const char *behind_name = read_proc(process, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
	if (!behind_name || sscanf(behind_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		return 0;
	return (user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
}
