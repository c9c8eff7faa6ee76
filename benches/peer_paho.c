/* Benchmark peer on paho.mqtt.c's blocking client with callbacks. */
#include "peer.h"

#include <MQTTClient.h>
#include <pthread.h>

static bench_args a;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int acknowledged, received, finished;
static double asked_at;
static char *payload;

static void publish(MQTTClient client, int qos)
{
    MQTTClient_deliveryToken token;
    if (MQTTClient_publish(client, BENCH_TOPIC, a.size, payload, qos, 0, &token) != MQTTCLIENT_SUCCESS) {
        bench_fail("publish");
    }
}

static void finish(void)
{
    pthread_mutex_lock(&lock);
    finished = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_delivered(void *client, MQTTClient_deliveryToken token)
{
    (void)client;
    (void)token;
    if (++acknowledged == a.count) {
        finish();
    }
}

static int on_message(void *client, char *topic, int topic_length, MQTTClient_message *message)
{
    double now = bench_now();
    (void)topic_length;
    if (bench_is(&a, "rtt")) {
        bench_note(&a, now - asked_at);
    } else if (received == 0) {
        bench_begin(&a);
    }
    if (++received == a.count) {
        a.ended = now;
        finish();
    } else if (bench_is(&a, "rtt")) {
        asked_at = bench_now();
        publish(*(MQTTClient *)client, 0);
    }
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
    return 1;
}

static void wait_finished(void)
{
    pthread_mutex_lock(&lock);
    while (!finished) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void open_client(MQTTClient *client, int callbacks)
{
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
    MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
    char url[300];
    snprintf(url, sizeof url, "%s://%s:%d", a.ca_file != NULL ? "ssl" : "tcp", a.host, a.port);
    if (MQTTClient_create(client, url, "bench-paho", MQTTCLIENT_PERSISTENCE_NONE, NULL) != MQTTCLIENT_SUCCESS) {
        bench_fail("create");
    }
    if (callbacks) {
        MQTTClient_setCallbacks(*client, client, NULL, on_message, on_delivered);
    }
    options.username = "bench";
    options.password = "secret";
    options.keepAliveInterval = 60;
    options.cleansession = 1;
    options.reliable = 0;
    options.maxInflightMessages = 128;
    options.MQTTVersion = MQTTVERSION_3_1_1;
    if (a.ca_file != NULL) {
        tls.trustStore = a.ca_file;
        tls.keyStore = a.cert_file;
        tls.privateKey = a.key_file;
        tls.enableServerCertAuth = 1;
        tls.verify = 1;
        options.ssl = &tls;
    }
    if (MQTTClient_connect(*client, &options) != MQTTCLIENT_SUCCESS) {
        bench_fail("connect");
    }
}

int main(int argc, char **argv)
{
    MQTTClient client;
    double before;
    int i;

    a = bench_parse(argc, argv);
    payload = calloc(1, (size_t)a.size + 1);
    memset(payload, 'x', (size_t)a.size);
    if (bench_is(&a, "connect")) {
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            before = bench_now();
            open_client(&client, 0);
            bench_note(&a, bench_now() - before);
            MQTTClient_disconnect(client, 0);
            MQTTClient_destroy(&client);
        }
        bench_report(&a);
        return 0;
    }
    open_client(&client, 1);
    if (bench_is(&a, "pub0") || bench_is(&a, "pub1")) {
        int qos = a.mode[3] - '0';
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            publish(client, qos);
        }
        if (qos == 1) {
            wait_finished();
        }
        bench_report(&a);
    } else if (bench_is(&a, "flood") || bench_is(&a, "rtt")) {
        if (MQTTClient_subscribe(client, BENCH_TOPIC, 0) != MQTTCLIENT_SUCCESS) {
            bench_fail("subscribe");
        }
        if (bench_is(&a, "flood")) {
            bench_ready();
        } else {
            bench_begin(&a);
            asked_at = a.started;
            publish(client, 0);
        }
        wait_finished();
        bench_report(&a);
    } else if (bench_is(&a, "idle")) {
        bench_begin(&a);
        bench_sleep_ms(a.size);
        bench_report(&a);
    } else {
        bench_fail("unknown mode");
    }
    MQTTClient_disconnect(client, 1000);
    MQTTClient_destroy(&client);
    return 0;
}
