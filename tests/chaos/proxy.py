"""A TCP proxy on loopback in a thread, between a node and its Redis: it cuts, swallows and delays."""
import selectors
import socket
import threading
import time


class Pipe:
    """One direction of one connection."""

    def __init__(self, source, sink):
        self.source, self.sink, self.waiting = source, sink, []


class Proxy:
    def __init__(self, test, target_port):
        self.target_port = target_port
        self.delay_s, self.is_frozen, self.is_cut, self.is_over = 0, False, False, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pipes = {}
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        test.addCleanup(self.end)

    def end(self):
        self.is_over = True
        self.thread.join()

    def cut(self):
        self.is_cut = True

    def accept(self):
        near = self.listener.accept()[0]
        try:
            far = socket.create_connection(("127.0.0.1", self.target_port), 1)
        except OSError:
            near.close()
            return
        for source, sink in ((near, far), (far, near)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pipes[source] = Pipe(source, sink)

    def close(self, pipe):
        for side in (pipe.source, pipe.sink):
            self.pipes.pop(side, None)
            side.close()

    def carry(self, pipe, now):
        while pipe.waiting and pipe.waiting[0][0] + self.delay_s <= now:
            pipe.sink.sendall(pipe.waiting.pop(0)[1])

    def take(self, pipe, now):
        part = pipe.source.recv(1 << 18)
        if not part:
            raise ConnectionError
        pipe.waiting.append((now, part))

    def step(self):
        if self.is_cut:
            self.is_cut = False
            for pipe in list(self.pipes.values()):
                self.close(pipe)
        readable = set()
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            for source in () if self.is_frozen else self.pipes:
                selector.register(source, selectors.EVENT_READ)
            readable = {key.fileobj for key, _ in selector.select(0.005)}
        now = time.monotonic()
        if self.listener in readable:
            self.accept()
        for pipe in list(self.pipes.values()):
            try:
                if pipe.source in readable and pipe.source in self.pipes:
                    self.take(pipe, now)
                if pipe.source in self.pipes and not self.is_frozen:
                    self.carry(pipe, now)
            except OSError:
                self.close(pipe)

    def run(self):
        while not self.is_over:
            self.step()
        for pipe in list(self.pipes.values()):
            self.close(pipe)
        self.listener.close()
