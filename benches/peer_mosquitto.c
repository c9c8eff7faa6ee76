/* Benchmark peer on libmosquitto, used as its manual shows: loop thread for publishing,
 * mosquitto_loop for receiving. It is also the sender of every "flood". */
#include "peer.h"

#include <mosquitto.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int connected, subscribed, published, received;
static double first_at, last_at;

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

static void on_message(struct mosquitto *m, void *context, const struct mosquitto_message *message)
{
    (void)m;
    (void)context;
    (void)message;
    last_at = bench_now();
    if (received == 0) {
        first_at = last_at;
    }
    bump(&received);
}

static struct mosquitto *open_client(const bench_args *a)
{
    struct mosquitto *m = mosquitto_new(NULL, true, NULL);
    mosquitto_connect_callback_set(m, on_connect);
    mosquitto_subscribe_callback_set(m, on_subscribe);
    mosquitto_publish_callback_set(m, on_publish);
    mosquitto_message_callback_set(m, on_message);
    mosquitto_username_pw_set(m, "bench", "secret");
    if (a->ca_file != NULL) {
        mosquitto_tls_set(m, a->ca_file, NULL, NULL, NULL, NULL);
        mosquitto_tls_opts_set(m, 1, "tlsv1.2", NULL);
    }
    if (mosquitto_connect(m, a->host, a->port, 60) != MOSQ_ERR_SUCCESS) {
        bench_fail("connect");
    }
    return m;
}

int main(int argc, char **argv)
{
    bench_args a = bench_parse(argc, argv);
    char *payload = calloc(1, (size_t)a.size + 1);
    struct mosquitto *m;
    double start;
    int i;

    mosquitto_lib_init();
    memset(payload, 'x', (size_t)a.size);
    if (strcmp(a.mode, "connect") == 0) {
        start = bench_now();
        for (i = 0; i < a.count; i++) {
            m = open_client(&a);
            while (connected <= i) {
                if (mosquitto_loop(m, 1000, 1) != MOSQ_ERR_SUCCESS) {
                    bench_fail("loop");
                }
            }
            mosquitto_disconnect(m);
            mosquitto_destroy(m);
        }
        bench_report(&a, bench_now() - start);
        return 0;
    }
    m = open_client(&a);
    mosquitto_max_inflight_messages_set(m, 128);
    mosquitto_loop_start(m);
    wait_for(&connected, 1);
    if (strcmp(a.mode, "pub0") == 0 || strcmp(a.mode, "pub1") == 0) {
        int qos = a.mode[3] - '0';
        start = bench_now();
        for (i = 0; i < a.count; i++) {
            if (mosquitto_publish(m, NULL, BENCH_TOPIC, a.size, payload, qos, false) != MOSQ_ERR_SUCCESS) {
                bench_fail("publish");
            }
        }
        wait_for(&published, a.count);
        bench_report(&a, bench_now() - start);
    } else if (strcmp(a.mode, "flood") == 0) {
        mosquitto_subscribe(m, NULL, BENCH_TOPIC, 0);
        wait_for(&subscribed, 1);
        puts("READY");
        fflush(stdout);
        wait_for(&received, a.count);
        bench_report(&a, last_at - first_at);
    } else if (strcmp(a.mode, "rtt") == 0) {
        mosquitto_subscribe(m, NULL, BENCH_TOPIC, 0);
        wait_for(&subscribed, 1);
        start = bench_now();
        for (i = 0; i < a.count; i++) {
            mosquitto_publish(m, NULL, BENCH_TOPIC, a.size, payload, 0, false);
            wait_for(&received, i + 1);
        }
        bench_report(&a, bench_now() - start);
    } else {
        bench_fail("unknown mode");
    }
    mosquitto_disconnect(m);
    mosquitto_loop_stop(m, false);
    mosquitto_destroy(m);
    return 0;
}
