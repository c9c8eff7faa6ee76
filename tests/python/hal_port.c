/*
 * A port under the control of the test, preloaded in front of the library: the HAL's clock, sleep and
 * randomness, and the system's resolver and connect. A sleep takes no time, the clock moves instead; time also
 * passes by itself, since sockets are real.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- clock ------------------------------------------------------------------------------------ */

static _Atomic int64_t ahead;
static _Atomic int narrow;
static _Atomic uint64_t slept;

static uint64_t real_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t HAL_UptimeMs(void)
{
    uint64_t now = real_ms() + (uint64_t)ahead;

    return narrow ? (uint32_t)now : now;
}

void HAL_SleepMs(uint32_t ms)
{
    slept += ms;
    ahead += ms;
}

/* Moves the clock, backwards too. */
void test_skip(int64_t ms)
{
    ahead += ms;
}

/* Sets the clock; with bits 32 it is a tick that starts again at 0. */
void test_clock(uint64_t now, int bits)
{
    narrow = bits == 32;
    ahead  = (int64_t)(now - real_ms());
}

/* Milliseconds of all sleeps. */
uint64_t test_slept(void)
{
    return slept;
}

/* ---- randomness ------------------------------------------------------------------------------- */

static _Atomic int random_mode; /* 0 any, 1 always the smallest, 2 always the largest */

uint32_t HAL_Random(uint32_t region)
{
    uint32_t any;

    if (random_mode == 1 || region == 0) {
        return 0;
    }
    if (random_mode == 2) {
        return region - 1;
    }
    return getentropy(&any, sizeof any) == 0 ? any % region : 0;
}

void test_random(int mode)
{
    random_mode = mode;
}

/* ---- resolver --------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int resolver_error; /* what getaddrinfo answers, 0 for the truth */
static int resolver_left;  /* how often, -1 for ever */
static int resolver_delay_ms;
static char addresses[256]; /* IPv4 addresses separated by blanks, in place of the truth */
static _Atomic int questions;

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

void test_resolver(int error, int times, int delay_ms, const char *list)
{
    pthread_mutex_lock(&lock);
    resolver_error    = error;
    resolver_left     = times;
    resolver_delay_ms = delay_ms;
    strncpy(addresses, list, sizeof addresses - 1);
    pthread_mutex_unlock(&lock);
}

int test_questions(void)
{
    return questions;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    lookup *next = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo **end = result;
    char list[sizeof addresses], *rest = list, *one;
    int error = 0, delay;

    questions++;
    pthread_mutex_lock(&lock);
    delay = resolver_delay_ms;
    if (resolver_left != 0) {
        resolver_left -= resolver_left > 0;
        error = resolver_error;
    }
    memcpy(list, addresses, sizeof list);
    pthread_mutex_unlock(&lock);
    usleep((useconds_t)delay * 1000);
    if (error != 0) {
        return error;
    }
    if (list[0] == '\0') {
        return next(node, service, hints, result);
    }
    *result = NULL;
    while ((one = strsep(&rest, " ")) != NULL) {
        if (next(one, service, hints, end) != 0) {
            return EAI_FAIL;
        }
        while (*end != NULL) {
            end = &(*end)->ai_next;
        }
    }
    return 0;
}

/* ---- connect ---------------------------------------------------------------------------------- */

static _Atomic int connect_error; /* errno of the next connects over IP, 0 for the truth */
static _Atomic int connect_left;

void test_connect(int error, int times)
{
    connect_left  = times;
    connect_error = error;
}

int connect(int socket, const struct sockaddr *address, socklen_t length)
{
    typedef int function(int, const struct sockaddr *, socklen_t);
    function *next = (function *)dlsym(RTLD_NEXT, "connect");

    if (address->sa_family != AF_UNIX && connect_error != 0 && connect_left != 0) {
        connect_left -= connect_left > 0;
        errno = connect_error;
        return -1;
    }
    return next(socket, address, length);
}
