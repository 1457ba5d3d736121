// Both ends of the WebSocket figures.
//
//	wsload floor                                 the floor: parses nothing
//	wsload echo ADDR PORT CONNECTIONS SECONDS    128 bytes on each, again and again
//	wsload broadcast ADDR PORT CONNECTIONS SECONDS BURST GAP_MS
//
// The loads print "messages N" after they have warmed up and run; in between
// they print "begin" and "end" and wait for a line on standard input, so that
// the caller can read the server's clock.
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
#include <time.h>
#include <unistd.h>

enum { MAX_FD = 20000, BUFFER = 65536, ECHO = 128, FRAME_IN = 8 + ECHO, FRAME_OUT = 4 + ECHO, NEWS = 256, NEWS_OUT = 4 + NEWS };

static char buffer[BUFFER];
static char frame_in[FRAME_IN], frame_out[FRAME_OUT], news[64 * NEWS_OUT];
static char opened[MAX_FD];
static int fds[MAX_FD], count;
static int left[MAX_FD]; // of the frame that is awaited

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void make_frames(void) {
	memcpy(frame_in, "\x81\xfe\0\x80\0\0\0\0", 8); // a mask of zeros
	memset(frame_in + 8, 'x', ECHO);
	memcpy(frame_out, "\x81\x7e\0\x80", 4);
	memset(frame_out + 4, 'x', ECHO);
	for (int i = 0; i < 64; i++) {
		memcpy(news + i * NEWS_OUT, "\x81\x7e\1\0", 4);
		memset(news + i * NEWS_OUT + 4, 'n', NEWS);
	}
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void watch(int ep, int fd) {
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev)) die("epoll_ctl");
}

static void send_all(int fd, const char *b, size_t n) {
	if (send(fd, b, n, MSG_NOSIGNAL) != (ssize_t)n) die("send");
}

// The floor

static void floor_serve(int fd) {
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
	ssize_t n = recv(fd, buffer, sizeof buffer, 0);
	if (n <= 0) {
		close(fd);
		opened[fd] = 0;
	} else if (!opened[fd]) {
		opened[fd] = 1;
		fds[count++] = fd;
		send_all(fd, answer, sizeof answer - 1);
	} else if (n < FRAME_IN) { // "broadcast N"
		buffer[n] = 0;
		int burst = atoi(buffer + 6 + 10);
		for (int i = 0; i < count; i++) send_all(fds[i], news, burst * NEWS_OUT);
	} else {
		send_all(fd, frame_out, FRAME_OUT);
	}
}

static void floor_main(void) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0), one = 1;
	if (bind(listener, (void *)&a, len) || listen(listener, 1024) || getsockname(listener, (void *)&a, &len)) die("listen");
	printf("listening 127.0.0.1:%d\n", ntohs(a.sin_port));
	fflush(stdout);
	watch(ep, listener);
	struct epoll_event events[256];
	for (;;) {
		int n = epoll_wait(ep, events, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd != listener) {
				floor_serve(fd);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
				watch(ep, fd);
			}
		}
	}
}

// The loads

static void open_one(int ep, struct sockaddr_in *a) {
	static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct linger reset = {.l_onoff = 1}; // at the end: thousands in TIME_WAIT would keep their ports
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	if (connect(fd, (void *)a, sizeof *a)) die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	send_all(fd, request, sizeof request - 1);
	size_t got = 0;
	while (got < 4 || memcmp(buffer + got - 4, "\r\n\r\n", 4)) {
		ssize_t n = recv(fd, buffer + got, sizeof buffer - got, 0);
		if (n <= 0) die("handshake");
		got += n;
	}
	if (memcmp(buffer, "HTTP/1.1 101", 12)) die("handshake refused");
	fds[count++] = fd;
	watch(ep, fd);
}

// receive takes what has come on all connections and returns how many bytes.
static long receive(int ep, int echo) {
	struct epoll_event events[512];
	int n = epoll_wait(ep, events, 512, 1000);
	long bytes = 0;
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;
		ssize_t got = recv(fd, buffer, sizeof buffer, 0);
		if (got <= 0) die("a connection has ended");
		bytes += got;
		if (!echo) continue;
		left[fd] -= got;
		if (left[fd] == 0) {
			left[fd] = FRAME_OUT;
			send_all(fd, frame_in, FRAME_IN);
		}
	}
	return bytes;
}

static long echo_for(int ep, double seconds) {
	long bytes = 0;
	for (double end = now() + seconds; now() < end;) bytes += receive(ep, 1);
	return bytes / FRAME_OUT;
}

static long broadcast_for(int ep, double seconds, int burst, int gap_ms) {
	long messages = 0;
	char trigger[32] = "\x81\x80\0\0\0\0";
	int n = sprintf(trigger + 6, "broadcast %d", burst);
	trigger[1] = 0x80 | n;
	for (double end = now() + seconds; now() < end;) {
		long want = (long)count * burst * NEWS_OUT;
		double began = now();
		send_all(fds[0], trigger, 6 + n);
		while (want > 0) want -= receive(ep, 0);
		if (want < 0) die("more than was sent");
		messages += (long)count * burst;
		double rest = gap_ms / 1e3 - (now() - began);
		if (rest > 0) usleep(rest * 1e6);
	}
	return messages;
}

static void ask(const char *what) {
	char line[16];
	printf("%s\n", what);
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin)) exit(1);
}

int main(int argc, char **argv) {
	make_frames();
	if (argc == 2 && !strcmp(argv[1], "floor")) floor_main();
	if (argc < 6) return 2;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
	inet_pton(AF_INET, argv[2], &a.sin_addr);
	int ep = epoll_create1(0), connections = atoi(argv[4]), echo = !strcmp(argv[1], "echo");
	double seconds = atof(argv[5]);
	while (count < connections) open_one(ep, &a);
	long messages;
	if (echo) {
		for (int i = 0; i < count; i++) {
			left[fds[i]] = FRAME_OUT;
			send_all(fds[i], frame_in, FRAME_IN);
		}
		echo_for(ep, 0.3);
		ask("begin");
		messages = echo_for(ep, seconds);
	} else {
		int burst = atoi(argv[6]), gap = atoi(argv[7]);
		broadcast_for(ep, 0.3, burst, gap);
		ask("begin");
		messages = broadcast_for(ep, seconds, burst, gap);
	}
	ask("end");
	printf("messages %ld\n", messages);
	return 0;
}
