/* The least that can stand between a serial line and a TCP client: it hands on what comes, in both
 * directions, and looks at none of it. The benchmarks take it for the limit.
 *
 * forwarder DEVICE PORT
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static char buffer[65536];

static void check(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

/* Both ends block, so that a slow reader holds the writer back without a buffer of our own. */
static int hand_on(int from, int to)
{
    ssize_t size = read(from, buffer, sizeof buffer);

    if (size <= 0)
        return 0;
    for (ssize_t done = 0; done < size;) {
        ssize_t written = write(to, buffer + done, size - done);

        if (written < 0)
            return 0;
        done += written;
    }
    return 1;
}

static void watch(int poll, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};

    check(epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
}

int main(int count, char **arguments)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct termios settings;
    int one = 1, serial, listener, poll, client;

    check(count == 3, "usage: forwarder DEVICE PORT");
    serial = open(arguments[1], O_RDWR | O_NOCTTY);
    check(serial >= 0, arguments[1]);
    check(tcgetattr(serial, &settings) == 0, "tcgetattr");
    cfmakeraw(&settings);
    check(tcsetattr(serial, TCSANOW, &settings) == 0, "tcsetattr");

    listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    address.sin_port = htons(atoi(arguments[2]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    check(listen(listener, 1) == 0, "listen");

    for (;;) {
        client = accept(listener, NULL, NULL);
        check(client >= 0, "accept");
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        poll = epoll_create1(0);
        watch(poll, serial);
        watch(poll, client);
        for (int there = 1; there;) {
            struct epoll_event events[2];
            int ready = epoll_wait(poll, events, 2, -1);

            check(ready >= 0 || errno == EINTR, "epoll_wait");
            for (int i = 0; i < ready && there; i++) {
                int from = events[i].data.fd;

                there = hand_on(from, from == serial ? client : serial);
            }
        }
        close(poll);
        close(client);
    }
}
