/* Benchmark peer on the SDK's API. */
#include "peer.h"

#include <pthread.h>

#include "dev_sign_api.h"
#include "infra_compat.h"
#include "infra_state.h"
#include "iotx.h"
#include "mqtt_api.h"
#include "wrappers.h"

static bench_args a;
static volatile int acknowledged;
static volatile int stopping;
static int received;
static double asked_at;
static char *payload;

static void on_event(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    (void)client;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_SUCCESS) {
        acknowledged++;
    }
}

/* "flood" */
static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    (void)client;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        if (received++ == 0) {
            bench_begin(&a);
        }
        if (received == a.count) {
            a.ended = bench_now();
        }
    }
}

/* "rtt": Yield lasts its whole time, so each message is answered in the handler of the last. */
static void on_echo(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    double now = bench_now();
    (void)context;
    if (msg->event_type != IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        return;
    }
    bench_note(&a, now - asked_at);
    if (++received < a.count) {
        asked_at = bench_now();
        IOT_MQTT_Publish_Simple(client, BENCH_TOPIC, 0, payload, a.size);
    } else {
        a.ended = now;
    }
}

/* As an application with QoS 1 traffic would: one thread reads, another publishes. */
static void *reader(void *client)
{
    while (!stopping) {
        IOT_MQTT_Yield(client, 20);
    }
    return NULL;
}

static void *construct(const char *ca)
{
    iotx_mqtt_param_t param;
    char host[300];
    void *client;
    memset(&param, 0, sizeof param);
    snprintf(host, sizeof host, "%s%s", ca == NULL ? "mqtt://" : "", a.host);
    param.host = host;
    param.port = (uint16_t)a.port;
    param.pub_key = ca;
    param.clean_session = 1;
    param.write_buf_size = (uint32_t)a.size + 1024;
    param.read_buf_size = (uint32_t)a.size + 1024;
    param.handle_event.h_fp = on_event;
    client = IOT_MQTT_Construct(&param);
    if (client == NULL) {
        bench_fail("Construct");
    }
    return client;
}

/* COUNT clients of the library's own interface. */
static void many(void)
{
    iotx_client_t **clients = calloc((size_t)a.count, sizeof *clients);
    int i;
    bench_heap_begin(&a);
    for (i = 0; i < a.count; i++) {
        iotx_client_options_t options;
        char url[300], id[40];
        iotx_client_options_init(&options, sizeof options);
        snprintf(url, sizeof url, "%s://%s:%d", a.ca_file == NULL ? "mqtt" : "mqtts", a.host, a.port);
        snprintf(id, sizeof id, "bench-iotx-%d", i);
        options.url = url;
        options.client_id = id;
        options.clean_session = 1;
        options.ca.file = a.ca_file;
        if (iotx_client_create(&options, &clients[i]) != 0 || iotx_client_connect(clients[i], 10000) != 0) {
            bench_fail("client");
        }
    }
    bench_report(&a);
    for (i = 0; i < a.count; i++) {
        if (iotx_client_is_connected(clients[i]) != 1) {
            bench_fail("a client has lost its connection");
        }
        iotx_client_destroy(clients[i]);
    }
    free(clients);
}

int main(int argc, char **argv)
{
    char *ca;
    void *client = NULL;
    double before;
    int i, sent_before;

    a = bench_parse(argc, argv);
    ca = a.ca_file == NULL ? NULL : bench_read_file(a.ca_file);
    if (a.cert_file != NULL) {
        g_cli_crt = bench_read_file(a.cert_file);
        g_cli_key = bench_read_file(a.key_file);
    }
    payload = calloc(1, (size_t)a.size + 1);
    IOT_SetLogLevel(IOT_LOG_NONE);
    IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, (void *)"bench");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, (void *)"iotx");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, (void *)"secret");
    memset(payload, 'x', (size_t)a.size);

    if (bench_is(&a, "many")) {
        many();
        return 0;
    }
    /* "connect" is about full handshakes. */
    iotx_tls_set_session_resumption(bench_is(&a, "resume"));
    if (bench_is(&a, "connect") || bench_is(&a, "resume")) {
        if (bench_is(&a, "resume")) {
            client = construct(ca); /* the session to resume */
            IOT_MQTT_Destroy(&client);
        }
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            before = bench_now();
            client = construct(ca);
            bench_note(&a, bench_now() - before);
            IOT_MQTT_Destroy(&client);
        }
        bench_report(&a);
        return 0;
    }
    client = construct(ca);
    while (acknowledged == 0) { /* the version report */
        IOT_MQTT_Yield(client, 10);
    }
    if (bench_is(&a, "pub0")) {
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            if (IOT_MQTT_Publish_Simple(client, BENCH_TOPIC, 0, payload, a.size) < 0) {
                bench_fail("Publish");
            }
        }
        bench_report(&a);
    } else if (bench_is(&a, "pub1")) {
        struct timespec pause = {0, 20000};
        pthread_t thread;

        sent_before = acknowledged;
        pthread_create(&thread, NULL, reader, client);
        bench_begin(&a);
        for (i = 0; i < a.count;) {
            int code = IOT_MQTT_Publish_Simple(client, BENCH_TOPIC, 1, payload, a.size);
            if (code > 0) {
                i++;
            } else if (code == STATE_MQTT_QOS1_REPUB_EXCEED_MAX) {
                nanosleep(&pause, NULL); /* the window of 128 is full */
            } else {
                bench_fail("Publish");
            }
        }
        while (acknowledged - sent_before < a.count) {
            nanosleep(&pause, NULL);
        }
        bench_report(&a);
        stopping = 1;
        pthread_join(thread, NULL);
    } else if (bench_is(&a, "flood") || bench_is(&a, "rtt")) {
        int flood = bench_is(&a, "flood");
        iotx_mqtt_event_handle_func_fpt handler = flood ? on_message : on_echo;

        if (IOT_MQTT_Subscribe_Sync(client, BENCH_TOPIC, IOTX_MQTT_QOS0, handler, NULL, 5000) < 0) {
            bench_fail("Subscribe");
        }
        before = bench_now();
        if (flood) {
            bench_ready();
        } else {
            bench_begin(&a);
            asked_at = a.started;
            IOT_MQTT_Publish_Simple(client, BENCH_TOPIC, 0, payload, a.size);
        }
        while (received < a.count && bench_now() - before < 60) {
            IOT_MQTT_Yield(client, 10);
        }
        if (received < a.count) {
            bench_fail("messages lost");
        }
        bench_report(&a);
    } else if (bench_is(&a, "idle")) {
        bench_begin(&a);
        before = a.started;
        while (bench_now() - before < a.size / 1e3) {
            IOT_MQTT_Yield(client, 1000);
        }
        bench_report(&a);
    } else {
        bench_fail("unknown mode");
    }
    IOT_MQTT_Destroy(&client);
    return 0;
}
