/* What every benchmark peer shares: arguments, clock, one line of result.
 *
 * A peer is called as
 *     peer MODE HOST PORT CA_FILE|- SIZE COUNT [CERT_FILE KEY_FILE]
 * and prints one JSON object. MODE is one of
 *     connect  COUNT connections one after the other; the time of each ends with CONNACK
 *     resume   the same with TLS sessions resumed (where the peer can)
 *     pub0     COUNT messages of SIZE bytes at QoS 0, until the last is handed to the network
 *     pub1     the same at QoS 1, until the last is acknowledged
 *     flood    prints READY once subscribed, measures from the first to the last of COUNT messages
 *     rtt      COUNT messages to itself, the next when the last has come back
 *     idle     connected for SIZE milliseconds without traffic
 *     many     COUNT clients in one process; heap and threads per client (where the peer can)
 * The processor time is that of the whole process between start and end of the measurement. */
#ifndef IOTX_BENCH_PEER_H
#define IOTX_BENCH_PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <malloc.h>
#include <time.h>

#define BENCH_TOPIC "/bench/peer/user/get"

typedef struct {
    const char *mode;
    const char *host;
    int port;
    const char *ca_file; /* NULL: plain TCP */
    int size;
    int count;
    const char *cert_file; /* NULL: no client certificate */
    const char *key_file;
    double started, cpu_started, ended;
    double *each; /* seconds of each connection or round trip */
    int measured;
    size_t heap_before; /* "many" */
} bench_args;

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Processor seconds of this process, all threads. */
static inline double bench_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void bench_fail(const char *what)
{
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static inline bench_args bench_parse(int argc, char **argv)
{
    bench_args a;
    memset(&a, 0, sizeof a);
    if (argc != 7 && argc != 9) {
        fprintf(stderr, "usage: %s MODE HOST PORT CA_FILE|- SIZE COUNT [CERT_FILE KEY_FILE]\n", argv[0]);
        exit(2);
    }
    a.mode = argv[1];
    a.host = argv[2];
    a.port = atoi(argv[3]);
    a.ca_file = strcmp(argv[4], "-") == 0 ? NULL : argv[4];
    a.size = atoi(argv[5]);
    a.count = atoi(argv[6]);
    if (argc == 9) {
        a.cert_file = argv[7];
        a.key_file = argv[8];
    }
    a.each = calloc((size_t)a.count + 1, sizeof *a.each);
    if (a.count < 1 || a.each == NULL) {
        bench_fail("COUNT");
    }
    return a;
}

static inline int bench_is(const bench_args *a, const char *mode)
{
    return strcmp(a->mode, mode) == 0;
}

static inline void bench_begin(bench_args *a)
{
    a->cpu_started = bench_cpu();
    a->started = bench_now();
}

/* Notes the time of one connection or round trip. */
static inline void bench_note(bench_args *a, double seconds)
{
    if (a->measured < a->count) {
        a->each[a->measured++] = seconds;
    }
}

/* A line of /proc/self/status, in its unit. getrusage would count what was there before exec. */
static inline long bench_status(const char *name)
{
    char line[256];
    long value = 0;
    size_t length = strlen(name);
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            value = atol(line + length + 1);
            break;
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return value;
}

static inline int bench_compare(const void *left, const void *right)
{
    double l = *(const double *)left, r = *(const double *)right;
    return (l > r) - (l < r);
}

/* "many": begins and ends with the heap in use, which glibc counts. */
static inline void bench_heap_begin(bench_args *a)
{
    a->heap_before = mallinfo2().uordblks + mallinfo2().hblkhd;
    bench_begin(a);
}

static inline double bench_heap_each(const bench_args *a)
{
    return (double)(mallinfo2().uordblks + mallinfo2().hblkhd - a->heap_before) / a->count;
}

/* Prints the result. The end is now, unless the peer has noted an earlier one in `ended`. */
static inline void bench_report(bench_args *a)
{
    double cpu = bench_cpu() - a->cpu_started;
    double seconds = (a->ended > 0 ? a->ended : bench_now()) - a->started;
    printf("{\"mode\":\"%s\",\"size\":%d,\"count\":%d,\"seconds\":%.6f,\"cpu\":%.6f,\"rss_kb\":%ld", a->mode,
           a->size, a->count, seconds, cpu, bench_status("VmHWM"));
    if (a->measured > 0) {
        qsort(a->each, (size_t)a->measured, sizeof *a->each, bench_compare);
        printf(",\"p50_us\":%.2f,\"p99_us\":%.2f", 1e6 * a->each[a->measured / 2],
               1e6 * a->each[(size_t)a->measured * 99 / 100]);
    }
    if (bench_is(a, "many")) {
        printf(",\"heap_bytes\":%.0f,\"threads\":%ld", bench_heap_each(a), bench_status("Threads"));
    }
    puts("}");
    fflush(stdout);
}

static inline void bench_ready(void)
{
    puts("READY");
    fflush(stdout);
}

static inline char *bench_read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 65536);
    if (file == NULL || text == NULL || fread(text, 1, 65535, file) == 0) {
        bench_fail("file");
    }
    fclose(file);
    return text;
}

static inline void bench_sleep_ms(int ms)
{
    struct timespec pause = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&pause, NULL);
}

#endif
