/*
 * Opens many keep-alive connections, makes one request on each, and holds them.
 *
 * Usage: idle_clients PORT COUNT SECONDS. Prints "ready COUNT" once every connection had its
 * answer, holds them for the time given (or until stdin ends, whichever is first), then says how
 * many the server had closed meanwhile. Fails when a connection was refused or not answered. It
 * needs as many descriptors as connections: run.py raises the limit, by hand it is `ulimit -n`.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

static int connect_to(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    return fd;
}

/* One request and its answer, which is small enough to come in one piece. */
static int ask(int fd)
{
    char answer[4096];
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
        return -1;
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    if (got < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0) {
        errno = EPROTO;
        return -1;
    }
    return 0;
}

static int closed_by_server(const int *fds, int count)
{
    int closed = 0;
    for (int i = 0; i < count; i++) {
        char byte;
        ssize_t got = recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK);
        closed += got == 0 || (got < 0 && errno != EAGAIN);
    }
    return closed;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: idle_clients PORT COUNT SECONDS\n");
        return 2;
    }
    int port = atoi(argv[1]), count = atoi(argv[2]);
    int *fds = calloc((size_t)count, sizeof *fds);
    if (!fds)
        return 1;
    for (int i = 0; i < count; i++) {
        fds[i] = connect_to(port);
        if (fds[i] < 0 || ask(fds[i]) < 0) {
            fprintf(stderr, "idle_clients: connection %d: %s\n", i, strerror(errno));
            return 1;
        }
    }
    printf("ready %d\n", count);
    fflush(stdout);
    poll(&(struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN }, 1, atoi(argv[3]) * 1000);
    printf("closed %d\n", closed_by_server(fds, count));
    return 0;
}
