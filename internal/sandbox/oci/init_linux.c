/*
 * The first process of every environment ("init", PID 1 of its pid namespace).
 *
 * It exists so that the runtime is an ordinary process: PID 1 ignores signals
 * it sends itself and must reap orphans, and a function may not notice that.
 * It runs as a constructor of the same binary, before the Go runtime starts,
 * so that an environment pays a few private pages for it and not a Go heap.
 *
 * argv: <binary> hearth-init [program arguments...]
 * fd 3: the control stream. Inherited by the program; when there are no
 *       program arguments, read here (see StartSpec in package sandbox).
 * fd 4: write end of the status pipe: one int, the program's wait status. The
 *       node holds the read end: when that is closed, the node is gone, and
 *       the environment ends. (A parent death signal would be no help: it is
 *       sent when the thread that forked ends, and a Go program ends threads.)
 * fd 5: the seccomp filter, an array of struct sock_filter, shared by all
 *       environments and therefore read by offset.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL = 3, STATUS = 4, FILTER = 5, MAX_START = 1 << 20, MAX_FILTER = 4096 };

/*
 * The timer slack, in nanoseconds, is by how much timers may fire late so that
 * the kernel can serve several at once. Linux's own is 50 microseconds; we
 * inherited the node's. A custom runtime is mostly a Go program, in which a
 * thread looks after the others and sleeps for 20 microseconds between two
 * looks: with Linux's slack it wakes up several times in each invocation,
 * which takes a quarter of the processor time that one costs.
 */
enum { SLACK = 50 * 1000, SLACK_CUSTOM = 4 * 1000 * 1000 };

static void set_timer_slack(unsigned long ns)
{
	prctl(PR_SET_TIMERSLACK, ns, 0, 0, 0); /* no harm where there is no such thing */
}

/* die tells on standard error, which is the function's log, why nothing runs. */
static void die(const char *what)
{
	dprintf(2, "hearth: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void install_filter(void)
{
	static struct sock_filter code[MAX_FILTER];
	ssize_t n = pread(FILTER, code, sizeof code, 0);
	if (n <= 0 || n % sizeof code[0] != 0)
		die("read the system call filter");
	struct sock_fprog prog = { .len = n / sizeof code[0], .filter = code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("no_new_privs");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
		die("install the system call filter");
	close(FILTER);
}

static void read_full(char *buf, size_t n)
{
	while (n > 0) {
		ssize_t r = read(CONTROL, buf, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			_exit(0); /* never started: the node let go of us */
		if (r < 0)
			die("read the start message");
		buf += r;
		n -= r;
	}
}

/* read_start waits for the start message and cuts it into argv and envp. */
static void read_start(char ***argv, char ***envp)
{
	unsigned char head[4];
	read_full((char *)head, sizeof head);
	size_t len = head[0] | head[1] << 8 | head[2] << 16 | (size_t)head[3] << 24;
	if (len == 0 || len > MAX_START) {
		errno = EMSGSIZE;
		die("start message");
	}
	char *buf = malloc(len + 1);
	if (!buf)
		die("start message");
	read_full(buf, len);
	buf[len] = 0;
	size_t strings = 0;
	for (size_t i = 0; i < len; i++)
		strings += buf[i] == 0;
	char **list = calloc(strings + 2, sizeof *list);
	if (!list)
		die("start message");
	size_t argc = strtoul(buf, NULL, 10), k = 0;
	if (argc == 0 || argc + 1 > strings) {
		errno = EINVAL;
		die("start message");
	}
	*argv = list;
	char *p = buf + strlen(buf) + 1;
	while (p < buf + len) {
		if (k == argc)
			list[k++] = NULL, *envp = list + k;
		list[k++] = p;
		p += strlen(p) + 1;
	}
	if (k == argc)
		list[k++] = NULL, *envp = list + k;
	list[k] = NULL;
}

/* node_gone ends the environment if the node has ended. */
static void node_gone(int signal)
{
	(void)signal;
	struct pollfd status = { .fd = STATUS };
	if (poll(&status, 1, 0) == 1 && (status.revents & POLLERR))
		_exit(0); /* and the kernel kills the others */
}

static void watch_node(void)
{
	struct sigaction action = { .sa_handler = node_gone };
	int flags = fcntl(STATUS, F_GETFL);
	if (sigaction(SIGIO, &action, NULL) != 0 || fcntl(STATUS, F_SETOWN, getpid()) != 0 ||
	    fcntl(STATUS, F_SETFL, flags | O_ASYNC) != 0)
		die("watch the node");
	node_gone(0); /* it may have ended before */
}

static void run(int argc, char **argv, char **envp)
{
	install_filter();
	int held = argc == 0;
	if (held)
		read_start(&argv, &envp);
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		close(STATUS);
		if (held) {
			close(CONTROL);
			if (chdir("/var/task") != 0)
				die("chdir /var/task");
		}
		set_timer_slack(held ? SLACK_CUSTOM : SLACK);
		execve(argv[0], argv, envp);
		die(argv[0]);
	}
	close(CONTROL);
	/* The program has our user id: keep it from tracing us. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	watch_node();
	for (;;) {
		int status;
		pid_t pid = wait(&status);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			_exit(0);
		if (pid == child) {
			/* The kernel kills what is left when PID 1 ends. */
			if (write(STATUS, &status, sizeof status) != sizeof status)
				_exit(1);
			_exit(0);
		}
	}
}

__attribute__((constructor)) static void hearth_init(int argc, char **argv, char **envp)
{
	if (argc >= 2 && strcmp(argv[1], "hearth-init") == 0)
		run(argc - 2, argv + 2, envp);
}
