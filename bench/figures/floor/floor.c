// The floor: what one request costs a server that does nothing but receive
// and send. A level-triggered epoll loop answers with fixed bytes.
//
//	floor RESPONSE_FILE each-read         one answer per read
//	floor RESPONSE_FILE each-request      one answer per CR LF CR LF received
//	floor RESPONSE_FILE each-connection   one answer, then the connection is closed
//
// It listens on a free port of 127.0.0.1 and prints the address.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 20000, MAX_ANSWERS = 64, MAX_EVENTS = 256, BUFFER = 65536 };

static char *answers; // the response, MAX_ANSWERS times
static size_t answer_size;
static uint8_t matched[MAX_FD]; // bytes of CR LF CR LF seen at the end of the last read
static char in[BUFFER];

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void load(const char *path) {
	FILE *f = fopen(path, "rb");
	if (!f) die(path);
	answer_size = fread(in, 1, sizeof in, f);
	fclose(f);
	answers = malloc(answer_size * MAX_ANSWERS);
	for (int i = 0; i < MAX_ANSWERS; i++) memcpy(answers + i * answer_size, in, answer_size);
}

static int listen_and_print(void) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (void *)&a, len) || listen(fd, 1024) || getsockname(fd, (void *)&a, &len)) die("listen");
	printf("listening 127.0.0.1:%d\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

static void accept_all(int ep, int listener) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
		if (fd < 0) return;
		if (fd >= MAX_FD) { close(fd); continue; }
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		matched[fd] = 0;
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev)) die("epoll_ctl");
	}
}

static int count_requests(int fd, ssize_t n) {
	static const char end[4] = "\r\n\r\n";
	int count = 0, m = matched[fd];
	for (ssize_t i = 0; i < n; i++) {
		// A line end is rare: skip to the next one unless in the middle of one.
		if (m == 0) {
			char *cr = memchr(in + i, '\r', n - i);
			if (!cr) break;
			i = cr - in;
		}
		m = in[i] == end[m] ? m + 1 : in[i] == '\r';
		if (m == 4) count++, m = 0;
	}
	matched[fd] = m;
	return count;
}

enum mode { EACH_READ, EACH_REQUEST, EACH_CONNECTION };

static void serve(int fd, enum mode mode) {
	ssize_t n = read(fd, in, sizeof in);
	if (n < 0 && errno == EAGAIN) return;
	if (n <= 0) { close(fd); return; }
	int count = mode == EACH_REQUEST ? count_requests(fd, n) : 1;
	while (count > 0) {
		int some = count < MAX_ANSWERS ? count : MAX_ANSWERS;
		ssize_t want = some * answer_size, wrote = write(fd, answers, want);
		if (wrote != want) { close(fd); return; } // the client notices
		count -= some;
	}
	if (mode == EACH_CONNECTION) close(fd);
}

int main(int argc, char **argv) {
	if (argc != 3) { fprintf(stderr, "usage: floor RESPONSE_FILE each-read|each-request|each-connection\n"); return 2; }
	load(argv[1]);
	enum mode mode = !strcmp(argv[2], "each-request") ? EACH_REQUEST : !strcmp(argv[2], "each-connection") ? EACH_CONNECTION : EACH_READ;
	int listener = listen_and_print(), ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener}, got[MAX_EVENTS];
	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev)) die("epoll");
	for (;;) {
		int n = epoll_wait(ep, got, MAX_EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (got[i].data.fd == listener) accept_all(ep, listener);
			else serve(got[i].data.fd, mode);
		}
	}
}
