/*
 * Checks a port: every contract of docs/porting.md, one row each. Link it with the port as the firmware
 * is linked, and run it on a POSIX system; it brings the network peers itself.
 *
 *   hal_check [--only os|tcp|tls|kv] [--ram-kv] [--tls HOST PORT CA_FILE]
 *
 * --ram-kv  the store need not outlive the process
 * --tls     a TLS server, and the certificates to trust, for a real handshake
 *
 * The first line says which groups are the port's and which the library's own. A group that should be the
 * port's and is not was lost on the link line: see docs/porting.md.
 *
 * Each row runs in a process of its own: a port that crashes or hangs fails in that row alone. The
 * store's test keys start with "hal_check". Exit status: 0 all rows passed, 1 not, 2 wrong arguments.
 */
#define _XOPEN_SOURCE 700

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hal_check.h"
#include "iotx.h"

/* How long a row may take, in seconds; a slow one. */
#define ROW_LIMIT_S  20
#define SLOW_LIMIT_S 60

const char *tls_host;
int         tls_port;
const char *tls_ca;

result_t result;

void see(int right, const char *format, ...)
{
    va_list ap;

    if (!result.failed) {
        result.failed = !right;
        va_start(ap, format);
        vsnprintf(result.seen, sizeof(result.seen), format, ap);
        va_end(ap);
    }
}

long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_ms(long ms)
{
    struct timespec left;

    left.tv_sec  = ms / 1000;
    left.tv_nsec = ms % 1000 * 1000000;
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

int took(long start, long ms)
{
    long passed = now_ms() - start;

    return passed >= ms - 2 && passed < ms + 1500;
}

pthread_t start_thread(void *(*routine)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, routine, arg) != 0) {
        see(0, "the check itself failed: no thread");
        memset(&thread, 0, sizeof(thread));
    }
    return thread;
}

/* ---- the table -------------------------------------------------------------------------------- */

#define PERSISTENT 1
#define SERVER     2
#define SLOW       4

typedef struct {
    const char *group;
    const char *name;
    const char *expected;
    void (*check)(void);
    int needs;
} row_t;

static const row_t rows[] = {
    {"os", "memory", "aligned blocks that keep their contents; Free(NULL) is harmless", os_memory, 0},
    {"os", "clock", "HAL_UptimeMs runs with real time and never goes back", os_clock, 0},
    {"os", "sleep", "HAL_SleepMs(150) takes 150 ms", os_sleep, 0},
    {"os", "random bits", "HAL_Random(0): every bit changes", os_random_bits, 0},
    {"os", "random region", "HAL_Random(10): 0 to 9, all of them", os_random_region, 0},
    {"os", "format", "HAL_Snprintf cuts, ends with NUL, returns the length needed (6)", os_format, 0},
    {"os", "mutex", "one thread at a time", os_mutex, 0},
    {"os", "semaphore time-out", "-1 after the time given", os_semaphore_timeout, 0},
    {"os", "semaphore count", "as many Waits as Posts: 0 0 0 -1", os_semaphore_count, 0},
    {"os", "semaphore wake", "a Post wakes a Wait without limit: 0 after 150 ms", os_semaphore_wake, 0},
    {"os", "thread", "0, and the routine runs with its argument, with and without parameters", os_thread, 0},
    {"os", "firmware version", "at most 64 bytes and NUL, returns the length; 0 or less: none", os_version, 0},
    {"tcp", "connect", "address and name connect, Destroy returns 0", tcp_names, 0},
    {"tcp", "refused", "-1 when nobody listens", tcp_refused, 0},
    {"tcp", "unknown name", "-1 within 30 s", tcp_unknown_name, SLOW},
    {"tcp", "read fills", "6 bytes that come in two parts", tcp_fill, 0},
    {"tcp", "read drip", "50 bytes that come one by one", tcp_drip, 0},
    {"tcp", "read partial", "what came until the time-out, the rest later: 3, then 3", tcp_partial, 0},
    {"tcp", "read time-out", "0 after 200 ms", tcp_timeout, 0},
    {"tcp", "read nothing", "length 0 returns 0 at once", tcp_nothing, 0},
    {"tcp", "peer close", "the last bytes, then -1", tcp_close, 0},
    {"tcp", "peer reset", "an error (-1 or -2)", tcp_reset, 0},
    {"tcp", "write time-out", "fewer bytes than given after 300 ms", tcp_write_timeout, 0},
    {"tcp", "write closed", "-1 sooner or later, and no SIGPIPE", tcp_write_closed, 0},
    {"tcp", "both ways", "one thread writes while another reads", tcp_both_ways, 0},
    {"tcp", "release", "Destroy gives the connection back", tcp_release, 0},
    {"tls", "arguments", "host NULL and text that is no certificate: 0; Destroy(0): 0; hooks NULL: -1", tls_arguments, SLOW},
    {"tls", "no TLS", "0 for a peer that does not speak TLS", tls_nonsense, 0},
    {"tls", "peer close", "0 for a peer that hangs up", tls_hang_up, 0},
    {"tls", "silent peer", "0 within 45 s", tls_silent, SLOW},
    {"tls", "handshake", "a handle; Read: 0 after 200 ms of silence; Destroy: 0", tls_handshake, SERVER},
    {"tls", "untrusted", "0 for a server that the certificates given do not vouch for", tls_untrusted, SERVER},
    {"kv", "set, get, delete", "any bytes come back; -1 for a missing key", kv_basic, 0},
    {"kv", "small buffer", "-1, and the length needed (10)", kv_small_buffer, 0},
    {"kv", "long values", "500 bytes and a key of 63; 6000 bytes whole or refused", kv_long, 0},
    {"kv", "persistence", "a value outlives its process", kv_persistent, PERSISTENT},
    {"kv", "power cut", "old or new value whole, others untouched", kv_power_cut, PERSISTENT},
};

/* Runs one row in a process of its own. */
static result_t run(const row_t *row)
{
    struct pollfd wait;
    result_t      got;
    int           ends[2];
    int           status = 0;
    int           limit_s = (row->needs & SLOW) != 0 ? SLOW_LIMIT_S : ROW_LIMIT_S;
    pid_t         child;

    memset(&got, 0, sizeof(got));
    got.failed = 1;
    if (pipe(ends) != 0 || (child = fork()) < 0) {
        snprintf(got.seen, sizeof(got.seen), "the check itself failed: %s", strerror(errno));
        return got;
    }
    if (child == 0) {
        close(ends[0]);
        row->check();
        (void)!write(ends[1], &result, sizeof(result));
        _exit(0);
    }
    close(ends[1]);
    wait.fd     = ends[0];
    wait.events = POLLIN;
    if (poll(&wait, 1, limit_s * 1000) <= 0) {
        snprintf(got.seen, sizeof(got.seen), "no end within %d s", limit_s);
        kill(child, SIGKILL);
    } else if (read(ends[0], &got, sizeof(got)) != (ssize_t)sizeof(got)) {
        got.failed = 1;
        snprintf(got.seen, sizeof(got.seen), "ended without a result");
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    if (got.failed && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
        snprintf(got.seen, sizeof(got.seen), "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    return got;
}

static char *load(const char *path)
{
    static char text[65536];
    FILE       *file = fopen(path, "rb");
    size_t      len  = 0;

    if (file != NULL) {
        len = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
    }
    text[len] = '\0';
    return len > 0 ? text : NULL;
}

int main(int argc, char **argv)
{
    const char *only     = NULL;
    int         features = PERSISTENT | SLOW;
    int         passed   = 0;
    int         failed   = 0;
    int         usage    = 0;
    size_t      i;
    int         arg;
    char        whose[80];

    for (arg = 1; arg < argc; arg++) {
        if (strcmp(argv[arg], "--ram-kv") == 0) {
            features &= ~PERSISTENT;
        } else if (strcmp(argv[arg], "--only") == 0 && arg + 1 < argc) {
            only = argv[++arg];
        } else if (strcmp(argv[arg], "--tls") == 0 && arg + 3 < argc) {
            features |= SERVER;
            tls_host = argv[arg + 1];
            tls_port = atoi(argv[arg + 2]);
            tls_ca   = load(argv[arg + 3]);
            arg += 3;
            usage |= tls_ca == NULL || tls_port <= 0 || tls_port > 65535;
        } else {
            usage = 1;
        }
    }
    if (usage) {
        fprintf(stderr, "usage: %s [--only os|tcp|tls|kv] [--ram-kv] [--tls HOST PORT CA_FILE]\n", argv[0]);
        return 2;
    }
    if (iotx_hal_in_use(whose, (int)sizeof(whose)) > 0) {
        printf("HAL: %s\n", whose);
    }
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        result_t seen;

        if ((only != NULL && strcmp(only, rows[i].group) != 0) || (rows[i].needs & ~features) != 0) {
            continue;
        }
        fflush(stdout);
        seen = run(&rows[i]);
        *(seen.failed ? &failed : &passed) += 1;
        printf("%-4s  %-3s  %-18s  %s\n", seen.failed ? "FAIL" : "pass", rows[i].group, rows[i].name, seen.seen);
        if (seen.failed) {
            printf("           %-18s  expected: %s\n", "", rows[i].expected);
        }
    }
    if (passed + failed == 0) {
        fprintf(stderr, "there is no group %s\n", only != NULL ? only : "");
        return 2;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
