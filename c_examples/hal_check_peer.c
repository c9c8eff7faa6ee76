/* The network peers, on plain POSIX sockets. */
#define _XOPEN_SOURCE 700

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hal_check.h"

typedef struct {
    int         listener;
    behaviour_t behaviour;
} peer_t;

static void serve(int fd, behaviour_t behaviour)
{
    struct linger reset = {1, 0};
    char          buf[4096];
    ssize_t       got;
    int           i;

    switch (behaviour) {
        case HALVES:
            (void)!write(fd, "abc", 3);
            pause_ms(300);
            (void)!write(fd, "def", 3);
            break;
        case DRIP:
            for (i = 0; i < 50; i++) {
                (void)!write(fd, &"0123456789"[i % 10], 1);
                pause_ms(2);
            }
            break;
        case LAST_WORDS:
            (void)!write(fd, "last", 4);
            return;
        case HANG_UP:
            return;
        case RESET:
            (void)!read(fd, buf, 1);
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            return;
        case ECHO:
            while ((got = read(fd, buf, sizeof(buf))) > 0) {
                if (write(fd, buf, (size_t)got) != got) {
                    return;
                }
            }
            return;
        case NONSENSE:
            (void)!read(fd, buf, sizeof(buf));
            (void)!write(fd, "HTTP/1.0 400 Bad Request\r\n\r\n", 28);
            break;
        default:
            break;
    }
    /* Silent, reading nothing, until the device is gone. */
    for (;;) {
        pause_ms(20);
        if (recv(fd, buf, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
            return;
        }
    }
}

static void *accept_all(void *arg)
{
    peer_t *peer = (peer_t *)arg;
    int     fd;

    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        serve(fd, peer->behaviour);
        close(fd);
    }
    return NULL;
}

int bound_socket(int *port)
{
    struct sockaddr_in address;
    socklen_t          len = sizeof(address);
    int                fd  = socket(AF_INET, SOCK_STREAM, 0);

    *port = -1;
    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0
        && getsockname(fd, (struct sockaddr *)&address, &len) == 0) {
        *port = ntohs(address.sin_port);
    } else {
        see(0, "the check itself failed: no socket");
    }
    return fd;
}

uint16_t peer(behaviour_t behaviour)
{
    static peer_t peers[4];
    static int    used;
    peer_t       *self = &peers[used++];
    int           port;

    self->behaviour = behaviour;
    self->listener  = bound_socket(&port);
    listen(self->listener, 16);
    start_thread(accept_all, self);
    return (uint16_t)port;
}
