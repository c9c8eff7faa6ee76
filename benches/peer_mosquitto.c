/* Benchmark peer on libmosquitto, used as its manual shows: its own loop thread, except for
 * connecting, which mosquitto_loop does. */
#include "peer.h"

#include <mosquitto.h>
#include <pthread.h>

static bench_args a;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int connected, subscribed, published, received;
static double asked_at;
static char *payload;

static void bump(int *counter)
{
    pthread_mutex_lock(&lock);
    (*counter)++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(const int *counter, int value)
{
    pthread_mutex_lock(&lock);
    while (*counter < value) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void on_connect(struct mosquitto *m, void *context, int code)
{
    (void)m;
    (void)context;
    if (code != 0) {
        bench_fail("CONNACK");
    }
    bump(&connected);
}

static void on_subscribe(struct mosquitto *m, void *context, int id, int count, const int *qos)
{
    (void)m;
    (void)context;
    (void)id;
    (void)count;
    (void)qos;
    bump(&subscribed);
}

static void on_publish(struct mosquitto *m, void *context, int id)
{
    (void)m;
    (void)context;
    (void)id;
    bump(&published);
}

/* "flood": counts without waking anybody before the last. "rtt": the answer goes out here, as in
 * every peer that calls back. */
static void on_message(struct mosquitto *m, void *context, const struct mosquitto_message *message)
{
    (void)context;
    (void)message;
    if (bench_is(&a, "rtt")) {
        double now = bench_now();
        bench_note(&a, now - asked_at);
        if (++received < a.count) {
            asked_at = bench_now();
            mosquitto_publish(m, NULL, BENCH_TOPIC, a.size, payload, 0, false);
            return;
        }
        received--;
    } else {
        if (received == 0) {
            bench_begin(&a);
        }
        if (received + 1 < a.count) {
            received++;
            return;
        }
    }
    a.ended = bench_now();
    bump(&received);
}

static struct mosquitto *open_client(void)
{
    struct mosquitto *m = mosquitto_new(NULL, true, NULL);
    mosquitto_connect_callback_set(m, on_connect);
    mosquitto_subscribe_callback_set(m, on_subscribe);
    mosquitto_publish_callback_set(m, on_publish);
    mosquitto_message_callback_set(m, on_message);
    mosquitto_username_pw_set(m, "bench", "secret");
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    if (a.ca_file != NULL) {
        mosquitto_tls_set(m, a.ca_file, NULL, a.cert_file, a.key_file, NULL);
        mosquitto_tls_opts_set(m, 1, "tlsv1.2", NULL);
    }
    if (mosquitto_connect(m, a.host, a.port, 60) != MOSQ_ERR_SUCCESS) {
        bench_fail("connect");
    }
    return m;
}

int main(int argc, char **argv)
{
    struct mosquitto *m;
    double before;
    int i;

    a = bench_parse(argc, argv);
    payload = calloc(1, (size_t)a.size + 1);
    mosquitto_lib_init();
    memset(payload, 'x', (size_t)a.size);
    if (bench_is(&a, "connect")) {
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            before = bench_now();
            m = open_client();
            while (connected <= i) {
                if (mosquitto_loop(m, 1000, 1) != MOSQ_ERR_SUCCESS) {
                    bench_fail("loop");
                }
            }
            bench_note(&a, bench_now() - before);
            mosquitto_disconnect(m);
            mosquitto_destroy(m);
        }
        bench_report(&a);
        return 0;
    }
    if (bench_is(&a, "many")) {
        bench_heap_begin(&a);
        for (i = 0; i < a.count; i++) {
            m = open_client();
            while (connected <= i) {
                if (mosquitto_loop(m, 1000, 1) != MOSQ_ERR_SUCCESS) {
                    bench_fail("loop");
                }
            }
        }
        bench_report(&a);
        return 0;
    }
    m = open_client();
    mosquitto_max_inflight_messages_set(m, 128);
    mosquitto_loop_start(m);
    wait_for(&connected, 1);
    if (bench_is(&a, "pub0") || bench_is(&a, "pub1")) {
        int qos = a.mode[3] - '0';
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            if (mosquitto_publish(m, NULL, BENCH_TOPIC, a.size, payload, qos, false) != MOSQ_ERR_SUCCESS) {
                bench_fail("publish");
            }
        }
        wait_for(&published, a.count);
        bench_report(&a);
    } else if (bench_is(&a, "flood") || bench_is(&a, "rtt")) {
        mosquitto_subscribe(m, NULL, BENCH_TOPIC, 0);
        wait_for(&subscribed, 1);
        if (bench_is(&a, "flood")) {
            bench_ready();
        } else {
            bench_begin(&a);
            asked_at = a.started;
            mosquitto_publish(m, NULL, BENCH_TOPIC, a.size, payload, 0, false);
        }
        wait_for(&received, a.count);
        bench_report(&a);
    } else if (bench_is(&a, "idle")) {
        bench_begin(&a);
        bench_sleep_ms(a.size);
        bench_report(&a);
    } else {
        bench_fail("unknown mode");
    }
    mosquitto_disconnect(m);
    mosquitto_loop_stop(m, false);
    mosquitto_destroy(m);
    return 0;
}
