/*
 * The tcp group where it must be alone in its process: descriptor numbers, signals.
 * Arguments: port of a server that echoes, port of one that resets every connection
 * after its first byte.
 */
#include "hal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static void echo(uintptr_t fd)
{
    char buf[4];

    CHECK(HAL_TCP_Write(fd, "ping", 4, 5000) == 4);
    CHECK(HAL_TCP_Read(fd, buf, 4, 5000) == 4 && memcmp(buf, "ping", 4) == 0);
}

static void handles(uint16_t port)
{
    char buf[4];
    uintptr_t fd;
    int spare;
    int file;

    CHECK(HAL_TCP_Establish(NULL, port) == (uintptr_t)-1);
    CHECK(HAL_TCP_Establish("", port) == (uintptr_t)-1);

    fd = HAL_TCP_Establish("127.0.0.1", port);
    CHECK(fd != (uintptr_t)-1);
    CHECK((fcntl((int)fd, F_GETFD) & FD_CLOEXEC) != 0);
    echo(fd);
    CHECK(HAL_TCP_Read(fd, NULL, 4, 1) == -2 && HAL_TCP_Write(fd, NULL, 4, 1) == -1);
    CHECK(HAL_TCP_Read(fd, NULL, 0, 1000) == 0 && HAL_TCP_Write(fd, NULL, 0, 1000) == 0);
    CHECK(HAL_TCP_Destroy(fd) == 0);
    CHECK(HAL_TCP_Destroy(fd) == -1);
    CHECK(HAL_TCP_Read(fd, buf, 4, 1) == -2 && HAL_TCP_Write(fd, buf, 4, 1) == -1);

    CHECK(HAL_TCP_Destroy((uintptr_t)-1) == -1 && HAL_TCP_Destroy((uintptr_t)-2) == -1);
    CHECK(HAL_TCP_Read((uintptr_t)-1, buf, 4, 1) == -2);
    CHECK(HAL_TCP_Write((uintptr_t)-1, buf, 4, 1) == -1);
#if UINTPTR_MAX > 0xFFFFFFFFu
    /* Not cut to 32 bits, where it would be descriptor 1. */
    CHECK(HAL_TCP_Destroy(((uintptr_t)1 << 32) + 1) == -1);
#endif

    /* A descriptor that is not a socket stays open. */
    file = open("/dev/null", O_RDWR);
    CHECK(file >= 0);
    CHECK(HAL_TCP_Destroy((uintptr_t)file) == -1);
    CHECK(HAL_TCP_Read((uintptr_t)file, buf, 4, 1) == -2);
    CHECK(fcntl(file, F_GETFD) >= 0);
    close(file);

    /* Descriptor 0 is a handle like any other. */
    spare = dup(0);
    close(0);
    CHECK(HAL_TCP_Establish("127.0.0.1", port) == 0);
    echo(0);
    CHECK(HAL_TCP_Destroy(0) == 0);
    if (spare >= 0) {
        CHECK(dup2(spare, 0) == 0);
        close(spare);
    }
}

/* Beyond what select() can take. */
static void high_descriptors(uint16_t port)
{
    struct rlimit limit;
    uintptr_t fd;
    int i;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < 1200) {
        limit.rlim_cur = 1200;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
    for (i = 0; i < 1030;) {
        i = open("/dev/null", O_RDONLY);
        CHECK(i >= 0);
    }
    fd = HAL_TCP_Establish("127.0.0.1", port);
    CHECK(fd != (uintptr_t)-1 && fd > 1024);
    echo(fd);
    CHECK(HAL_TCP_Destroy(fd) == 0);
}

static volatile sig_atomic_t alarms;

static void count_alarm(int signal_number)
{
    (void)signal_number;
    alarms++;
}

/* Signals interrupt the waiting system call every 5 ms: neither an error nor an early end. */
static void interrupted(uint16_t port)
{
    struct sigaction action;
    struct itimerval every = {{0, 5000}, {0, 5000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    uint64_t start;
    char buf[4];
    uintptr_t fd = HAL_TCP_Establish("127.0.0.1", port);

    CHECK(fd != (uintptr_t)-1);
    memset(&action, 0, sizeof(action));
    action.sa_handler = count_alarm;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    start = HAL_UptimeMs();
    CHECK(HAL_TCP_Read(fd, buf, 4, 150) == 0);
    CHECK(HAL_UptimeMs() - start >= 149);
    CHECK(alarms >= 5);
    echo(fd);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(HAL_TCP_Destroy(fd) == 0);
}

/* SIGPIPE has its default action here, which would end the process. */
static void write_after_reset(uint16_t port)
{
    char buf[16] = {0};
    uintptr_t fd = HAL_TCP_Establish("127.0.0.1", port);
    int i;

    CHECK(fd != (uintptr_t)-1);
    CHECK(HAL_TCP_Write(fd, "x", 1, 5000) == 1);
    CHECK(HAL_TCP_Read(fd, buf, 4, 5000) == -2);
    for (i = 0; i < 3; i++) {
        CHECK(HAL_TCP_Write(fd, buf, sizeof(buf), 1000) == -1);
    }
    CHECK(HAL_TCP_Destroy(fd) == 0);
}

static uintptr_t read_for_a_minute_on;
static int32_t read_result;

static void *read_for_a_minute(void *arg)
{
    char buf[4];

    (void)arg;
    read_result = HAL_TCP_Read(read_for_a_minute_on, buf, 4, 60000);
    return NULL;
}

/* Ending a connection ends the wait of another thread on it. */
static void destroy_wakes_the_reader(uint16_t port)
{
    uint64_t start = HAL_UptimeMs();
    void *thread;

    read_for_a_minute_on = HAL_TCP_Establish("127.0.0.1", port);
    CHECK(read_for_a_minute_on != (uintptr_t)-1);
    CHECK(HAL_ThreadCreate(&thread, read_for_a_minute, NULL, NULL, NULL) == 0);
    HAL_SleepMs(50);
    CHECK(HAL_TCP_Destroy(read_for_a_minute_on) == 0);
    CHECK(pthread_join((pthread_t)thread, NULL) == 0);
    CHECK(read_result < 0);
    CHECK(HAL_UptimeMs() - start < 10000);
}

int main(int argc, char **argv)
{
    uint16_t echoing;
    uint16_t resetting;

    CHECK(argc == 3);
    echoing = (uint16_t)atoi(argv[1]);
    resetting = (uint16_t)atoi(argv[2]);
    signal(SIGPIPE, SIG_DFL);
    handles(echoing);
    interrupted(echoing);
    write_after_reset(resetting);
    destroy_wakes_the_reader(echoing);
    high_descriptors(echoing);
    return 0;
}
