/* What the port of port.c counts, and what it answers so that its answers can be told from ours. The
 * counters belong to main.c: a program that refers to nothing in its port must still get it. */
#ifndef IOTX_TESTS_OVERRIDE_PORT_H
#define IOTX_TESTS_OVERRIDE_PORT_H

#define PORT_CA      "the port's iotx_ca_crt"
#define PORT_CERT    "the port's g_cli_crt"
#define PORT_KEY     "the port's g_cli_key"
#define PORT_VERSION "port-7.7"
#define PORT_ANSWER  4711

/* Every function that an application may define, with its group. */
#define PORT_FUNCTIONS(X)                                                                          \
    X(OS, HAL_Malloc) X(OS, HAL_Free) X(OS, HAL_UptimeMs) X(OS, HAL_SleepMs) X(OS, HAL_Srandom)    \
    X(OS, HAL_Random) X(OS, HAL_Snprintf) X(OS, HAL_Vsnprintf) X(OS, HAL_Printf)                   \
    X(OS, HAL_MutexCreate) X(OS, HAL_MutexDestroy) X(OS, HAL_MutexLock) X(OS, HAL_MutexUnlock)     \
    X(OS, HAL_SemaphoreCreate) X(OS, HAL_SemaphoreDestroy) X(OS, HAL_SemaphorePost)                \
    X(OS, HAL_SemaphoreWait) X(OS, HAL_ThreadCreate) X(OS, HAL_ThreadDetach)                       \
    X(OS, HAL_GetFirmwareVersion) X(OS, HAL_GetFirmwareVesion) X(OS, HAL_GetProductKey)            \
    X(OS, HAL_GetProductSecret) X(OS, HAL_GetDeviceName) X(OS, HAL_GetDeviceSecret)                \
    X(OS, HAL_SetProductKey) X(OS, HAL_SetProductSecret) X(OS, HAL_SetDeviceName)                  \
    X(OS, HAL_SetDeviceSecret)                                                                     \
    X(TCP, HAL_TCP_Establish) X(TCP, HAL_TCP_Destroy) X(TCP, HAL_TCP_Write) X(TCP, HAL_TCP_Read)   \
    X(TLS, HAL_SSL_Establish) X(TLS, HAL_SSL_Destroy) X(TLS, HAL_SSL_Write) X(TLS, HAL_SSL_Read)   \
    X(TLS, ssl_hooks_set)                                                                          \
    X(KV, HAL_Kv_Set) X(KV, HAL_Kv_Get) X(KV, HAL_Kv_Del)

enum {
#define X(group, name) CALLS_##name,
    PORT_FUNCTIONS(X)
#undef X
    CALLS_COUNT
};

extern int port_calls[CALLS_COUNT];

/* 1 once the port's HAL_SSL_Establish was handed PORT_CA. */
extern int port_saw_ca;

/* Blocks of HAL_Malloc that were not given back. */
extern int port_live;

/* What went through HAL_Printf, cut to the size. */
extern char port_log[8192];

/* Payload of the version report that reached the port's server. */
extern char port_report[512];

#endif
