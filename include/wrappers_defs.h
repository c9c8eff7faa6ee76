/* SPDX-License-Identifier: Apache-2.0 */
/* Types of the hardware abstraction layer (HAL). */
#ifndef _WRAPPERS_DEFS_H_
#define _WRAPPERS_DEFS_H_

#include <stdio.h>
#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Waits for ever, time-out of HAL_SemaphoreWait. */
#define PLATFORM_WAIT_INFINITE           (~0)

/* Memory functions for a TLS port. */
typedef struct {
    void *(*malloc)(uint32_t size);
    void (*free)(void *ptr);
} ssl_hooks_t;

/* Thread parameters; NULL instead of the block selects the defaults. */
typedef enum {
    os_thread_priority_idle = -3,
    os_thread_priority_low = -2,
    os_thread_priority_belowNormal = -1,
    os_thread_priority_normal = 0,
    os_thread_priority_aboveNormal = 1,
    os_thread_priority_high = 2,
    os_thread_priority_realtime = 3,
    os_thread_priority_error = 132
} hal_os_thread_priority_t;

typedef struct _hal_os_thread {
    hal_os_thread_priority_t priority;
    void *stack_addr;
    int stack_size;
    int detach_state;
    char *name;
} hal_os_thread_param_t;

/* Origin of HAL_Fseek. */
typedef enum {
    HAL_SEEK_SET = 0,
    HAL_SEEK_CUR = 1,
    HAL_SEEK_END = 2
} hal_fs_seek_type_t;

/* DTLS: results, options and the context of a port. */
#define DTLS_ERROR_BASE                  16777216
#define DTLS_SUCCESS                     0
#define DTLS_INVALID_PARAM               (DTLS_ERROR_BASE | 1)
#define DTLS_INVALID_CA_CERTIFICATE      (DTLS_ERROR_BASE | 2)
#define DTLS_HANDSHAKE_IN_PROGRESS       (DTLS_ERROR_BASE | 3)
#define DTLS_HANDSHAKE_FAILED            (DTLS_ERROR_BASE | 4)
#define DTLS_FATAL_ALERT_MESSAGE         (DTLS_ERROR_BASE | 5)
#define DTLS_PEER_CLOSE_NOTIFY           (DTLS_ERROR_BASE | 6)
#define DTLS_SESSION_CREATE_FAILED       (DTLS_ERROR_BASE | 7)
#define DTLS_READ_DATA_FAILED            (DTLS_ERROR_BASE | 8)

typedef void DTLSContext;

typedef struct {
    unsigned char *p_ca_cert_pem;
    char *p_host;
    unsigned short port;
} coap_dtls_options_t;

/* Wi-Fi provisioning. */
enum AWSS_LINK_TYPE {
    AWSS_LINK_TYPE_NONE = 0,
    AWSS_LINK_TYPE_PRISM = 1,
    AWSS_LINK_TYPE_80211_RADIO = 2,
    AWSS_LINK_TYPE_80211_RADIO_AVS = 3,
    AWSS_LINK_TYPE_HT40_CTRL = 4
};

enum AWSS_ENC_TYPE {
    AWSS_ENC_TYPE_NONE = 0,
    AWSS_ENC_TYPE_WEP = 1,
    AWSS_ENC_TYPE_TKIP = 2,
    AWSS_ENC_TYPE_AES = 3,
    AWSS_ENC_TYPE_TKIPAES = 4,
    AWSS_ENC_TYPE_MAX = 4,
    AWSS_ENC_TYPE_INVALID = 255
};

enum AWSS_AUTH_TYPE {
    AWSS_AUTH_TYPE_OPEN = 0,
    AWSS_AUTH_TYPE_SHARED = 1,
    AWSS_AUTH_TYPE_WPAPSK = 2,
    AWSS_AUTH_TYPE_WPA8021X = 3,
    AWSS_AUTH_TYPE_WPA2PSK = 4,
    AWSS_AUTH_TYPE_WPA28021X = 5,
    AWSS_AUTH_TYPE_WPAPSKWPA2PSK = 6,
    AWSS_AUTH_TYPE_MAX = 6,
    AWSS_AUTH_TYPE_INVALID = 255
};

typedef enum HAL_Awss_Frame_Type {
    FRAME_ACTION = 0,
    FRAME_BEACON = 1,
    FRAME_PROBE_REQ = 2,
    FRAME_PROBE_RESPONSE = 3,
    FRAME_DATA = 4
} HAL_Awss_Frame_Type_t;

struct HAL_Ht40_Ctrl {
    uint16_t length;
    uint8_t filter;
    signed char rssi;
};

typedef int (*awss_recv_80211_frame_cb_t)(char *buf, int length, enum AWSS_LINK_TYPE link_type, int with_fcs, signed char rssi);
typedef void (*awss_wifi_mgmt_frame_cb_t)(uint8_t *buffer, int len, signed char rssi_dbm, int buffer_type);

#if defined(AT_PARSER_ENABLED)
typedef enum {
    DATA_WIDTH_5BIT = 0,
    DATA_WIDTH_6BIT = 1,
    DATA_WIDTH_7BIT = 2,
    DATA_WIDTH_8BIT = 3,
    DATA_WIDTH_9BIT = 4
} hal_uart_data_width_t;

typedef enum {
    STOP_BITS_1 = 0,
    STOP_BITS_2 = 1
} hal_uart_stop_bits_t;

typedef enum {
    FLOW_CONTROL_DISABLED = 0,
    FLOW_CONTROL_CTS = 1,
    FLOW_CONTROL_RTS = 2,
    FLOW_CONTROL_CTS_RTS = 3
} hal_uart_flow_control_t;

typedef enum {
    NO_PARITY = 0,
    ODD_PARITY = 1,
    EVEN_PARITY = 2
} hal_uart_parity_t;

typedef enum {
    MODE_TX = 0,
    MODE_RX = 1,
    MODE_TX_RX = 2
} hal_uart_mode_t;

typedef struct {
    uint32_t baud_rate;
    hal_uart_data_width_t data_width;
    hal_uart_parity_t parity;
    hal_uart_stop_bits_t stop_bits;
    hal_uart_flow_control_t flow_control;
    hal_uart_mode_t mode;
} at_uart_config_t;

typedef struct {
    uint8_t port;
    at_uart_config_t config;
    void *priv;
} uart_dev_t;
#endif

#if defined(AT_TCP_ENABLED)
typedef enum {
    TCP_SERVER = 0,
    TCP_CLIENT = 1,
    SSL_CLIENT = 2,
    UDP_BROADCAST = 3,
    UDP_UNICAST = 4
} CONN_TYPE;

typedef struct {
    int fd;
    CONN_TYPE type;
    char *addr;
    int32_t r_port;
    int32_t l_port;
    uint32_t tcp_keep_alive;
    void *param;
} at_conn_t;

struct at_conn_input {
    int fd;
    void *data;
    uint32_t datalen;
    char *remote_ip;
    uint16_t remote_port;
};
#endif

#if defined(AT_TCP_ENABLED) && defined(AT_SSL_ENABLED)
typedef enum {
    ROOT_CERT = 0,
    CLIENT_CERT = 1
} CERT_TYPE;

typedef struct {
    int cert_len;
    const char *cert_data;
    CERT_TYPE cert_type;
} cert_info_t;
#endif

#ifdef __cplusplus
}
#endif

#endif /* _WRAPPERS_DEFS_H_ */
