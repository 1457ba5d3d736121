package loop

var backends = []backendKind{
	{"epoll", newEpoll},
	{"goroutine", newGoroutine},
}
