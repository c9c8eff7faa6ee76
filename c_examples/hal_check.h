/*
 * What the parts of hal_check share: hal_check.c (the table), hal_check_os.c, hal_check_tcp.c,
 * hal_check_tls.c, hal_check_kv.c (the rows) and hal_check_peer.c (the network peers).
 */
#ifndef HAL_CHECK_H
#define HAL_CHECK_H

#include <pthread.h>
#include <stdint.h>

#define NO_HANDLE ((uintptr_t)-1)

/* What a row saw, and whether it was wrong. */
typedef struct {
    int  failed;
    char seen[200];
} result_t;

extern result_t result;

/* Notes what was seen; the first thing that is wrong stays. */
void see(int right, const char *format, ...);

/* The system's own clock and sleep: the port's are under test. */
long now_ms(void);
void pause_ms(long ms);

/* Whether a wait that was to take ms milliseconds took long enough, and not for ever. */
int took(long start, long ms);

pthread_t start_thread(void *(*routine)(void *), void *arg);

/* Peers on 127.0.0.1. What each does once a device has connected:
 *   SILENT      nothing, and reads nothing
 *   HALVES      sends "abc", and "def" 300 ms later
 *   DRIP        sends 50 digits, one every 2 ms
 *   LAST_WORDS  sends "last" and closes
 *   HANG_UP     closes
 *   RESET       resets the connection after the first byte
 *   ECHO        sends everything back
 *   NONSENSE    answers in another protocol than TLS */
typedef enum { SILENT, HALVES, DRIP, LAST_WORDS, HANG_UP, RESET, ECHO, NONSENSE } behaviour_t;

/* Starts a peer that lives as long as the row; its port. */
uint16_t peer(behaviour_t behaviour);

/* A socket on a free port of 127.0.0.1, where nobody listens yet; port -1 on failure. */
int bound_socket(int *port);

/* The server of --tls. */
extern const char *tls_host;
extern int         tls_port;
extern const char *tls_ca;

/* The rows. */
void os_memory(void);
void os_clock(void);
void os_sleep(void);
void os_random_bits(void);
void os_random_region(void);
void os_format(void);
void os_mutex(void);
void os_semaphore_timeout(void);
void os_semaphore_count(void);
void os_semaphore_wake(void);
void os_thread(void);
void os_version(void);
void tcp_names(void);
void tcp_refused(void);
void tcp_unknown_name(void);
void tcp_fill(void);
void tcp_drip(void);
void tcp_partial(void);
void tcp_timeout(void);
void tcp_nothing(void);
void tcp_close(void);
void tcp_reset(void);
void tcp_write_timeout(void);
void tcp_write_closed(void);
void tcp_both_ways(void);
void tcp_release(void);
void tls_arguments(void);
void tls_nonsense(void);
void tls_hang_up(void);
void tls_silent(void);
void tls_handshake(void);
void tls_untrusted(void);
void kv_basic(void);
void kv_small_buffer(void);
void kv_long(void);
void kv_persistent(void);
void kv_power_cut(void);

#endif
