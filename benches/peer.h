/* What every benchmark peer shares: arguments, clock, one line of result.
 *
 * A peer is called as
 *     peer MODE HOST PORT CA_FILE|- SIZE COUNT
 * with MODE one of connect, pub0, pub1, flood, rtt, and prints one JSON object. "flood" prints the
 * line READY once it is subscribed and measures from the first to the last message. */
#ifndef IOTX_BENCH_PEER_H
#define IOTX_BENCH_PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_TOPIC "/bench/peer/user/get"

typedef struct {
    const char *mode;
    const char *host;
    int port;
    const char *ca_file; /* NULL: plain TCP */
    int size;
    int count;
} bench_args;

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline bench_args bench_parse(int argc, char **argv)
{
    bench_args a;
    if (argc != 7) {
        fprintf(stderr, "usage: %s MODE HOST PORT CA_FILE|- SIZE COUNT\n", argv[0]);
        exit(2);
    }
    a.mode = argv[1];
    a.host = argv[2];
    a.port = atoi(argv[3]);
    a.ca_file = strcmp(argv[4], "-") == 0 ? NULL : argv[4];
    a.size = atoi(argv[5]);
    a.count = atoi(argv[6]);
    return a;
}

/* Peak resident memory of this program. getrusage would count what was there before exec as well. */
static inline long bench_peak_kb(void)
{
    char line[256];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "VmHWM: %ld", &peak) == 1) {
            break;
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return peak;
}

static inline void bench_report(const bench_args *a, double seconds)
{
    printf("{\"mode\":\"%s\",\"size\":%d,\"count\":%d,\"seconds\":%.6f,\"per_second\":%.1f,\"rss_kb\":%ld}\n",
           a->mode, a->size, a->count, seconds, (double)a->count / seconds, bench_peak_kb());
    fflush(stdout);
}

static inline void bench_fail(const char *what)
{
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

#endif
