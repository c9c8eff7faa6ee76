/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of iotx_event_post. The MQTT client itself does not use it. */
#ifndef IOTX_EXPORT_EVENT_H
#define IOTX_EXPORT_EVENT_H

#ifdef __cplusplus
extern "C" {
#endif

enum iotx_event_t {
    IOTX_AWSS_START = 4096,
    IOTX_AWSS_ENABLE = 4097,
    IOTX_AWSS_LOCK_CHAN = 4098,
    IOTX_AWSS_CS_ERR = 4099,
    IOTX_AWSS_PASSWD_ERR = 4100,
    IOTX_AWSS_GOT_SSID_PASSWD = 4101,
    IOTX_AWSS_CONNECT_ADHA = 4102,
    IOTX_AWSS_CONNECT_ADHA_FAIL = 4103,
    IOTX_AWSS_CONNECT_AHA = 4104,
    IOTX_AWSS_CONNECT_AHA_FAIL = 4105,
    IOTX_AWSS_SETUP_NOTIFY = 4106,
    IOTX_AWSS_CONNECT_ROUTER = 4107,
    IOTX_AWSS_CONNECT_ROUTER_FAIL = 4108,
    IOTX_AWSS_GOT_IP = 4109,
    IOTX_AWSS_SUC_NOTIFY = 4110,
    IOTX_AWSS_BIND_NOTIFY = 4111,
    IOTX_AWSS_ENABLE_TIMEOUT = 4112,
    IOTX_CONN_CLOUD = 8192,
    IOTX_CONN_CLOUD_FAIL = 8193,
    IOTX_CONN_CLOUD_SUC = 8194,
    IOTX_RESET = 12288
};

/* Sets the one callback of iotx_event_post; NULL removes it. Returns 0. */
int iotx_event_regist_cb(void (*monitor_cb)(int event));

/* Calls that callback with event on this thread. Returns 0, or -1 without a callback. */
int iotx_event_post(int event);

#ifdef __cplusplus
}
#endif

#endif /* IOTX_EXPORT_EVENT_H */
