/* SPDX-License-Identifier: Apache-2.0 */
/* Log level, log lines and memory counters, read where an application takes them: in its own
 * iotx_log_write. */
#include "iotx.h"

#include "check.h"

static char lines[64][600];
static int count;
static int nested;

#ifdef __cplusplus
extern "C"
#endif
void iotx_log_write(const char *line)
{
    if (count < 64) {
        strncpy(lines[count], line, sizeof(lines[0]) - 1);
    }
    count++;
    if (nested) {
        /* What the application's function causes is not logged again. */
        IOT_SetLogLevel(IOT_LOG_DEBUG);
    }
}

static int holds(const char *text)
{
    int found = 0;

    for (int at = 0; at < count && at < 64; at++) {
        found += strstr(lines[at], text) != NULL;
    }
    return found;
}

static void clear(void)
{
    count = 0;
    memset(lines, 0, sizeof(lines));
}

static int connected(void)
{
    return 0;
}

int main(void)
{
    int number = 99;

    /* Default level: a refused option is a debug message and not printed. */
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &number) == -1);
    CHECK(count == 0);

    for (int level = IOT_LOG_NONE; level <= IOT_LOG_DEBUG; level++) {
        char wanted[8];

        clear();
        sprintf(wanted, " %d", level);
        IOT_SetLogLevel((IOT_LogLevel)level);
        CHECK(count == 1 && strncmp(lines[0], "[info] log: ", 12) == 0);
        CHECK(strstr(lines[0], wanted) != NULL);
        CHECK(strchr(lines[0], '\n') == NULL && strchr(lines[0], '\033') == NULL);
    }

    /* DEBUG is in force: the refused option is printed; an unknown level changes nothing. */
    clear();
    IOT_SetLogLevel((IOT_LogLevel)6);
    CHECK(count == 1 && strncmp(lines[0], "[error] log: ", 13) == 0);
    IOT_SetLogLevel((IOT_LogLevel)-1);
    CHECK(count == 2);
    clear();
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &number) == -1);
    CHECK(count == 1 && strncmp(lines[0], "[debug] ffi::ioctl: ", 20) == 0);
    /* No value of a setting is in the log. */
    clear();
    char secret[66] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX";
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, secret) == -1);
    secret[64] = '\0';
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, secret) == 0);
    CHECK(count == 1 && !holds("0123"));

    nested = 1;
    clear();
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &number) == -1);
    CHECK(count == 1);
    nested = 0;

    /* Counters, again and again, and only when the level is printed. */
    for (int round = 0; round < 3; round++) {
        clear();
        IOT_DumpMemoryStats(IOT_LOG_DEBUG);
        CHECK(count >= 4);
        CHECK(holds("[info] memory: blocks handed to the application: 0") == 1);
        CHECK(holds("registered callbacks: 0") == 1);
    }
    void *block = HAL_Malloc(100);
    clear();
    IOT_DumpMemoryStats(IOT_LOG_DEBUG);
    CHECK(holds("blocks of HAL_Malloc in use: 1") == 1);
    HAL_Free(block);
    clear();
    IOT_DumpMemoryStats(IOT_LOG_DEBUG);
    CHECK(holds("blocks of HAL_Malloc in use: 0") == 1);
    IOT_RegisterCallback(ITE_STATE_EVERYTHING, NULL);
    IOT_RegisterCallback(ITE_CONNECT_SUCC, connected);
    clear();
    IOT_DumpMemoryStats((IOT_LogLevel)77);
    CHECK(holds("registered callbacks: 1") == 1);
    IOT_RegisterCallback(ITE_CONNECT_SUCC, NULL);

    IOT_SetLogLevel(IOT_LOG_WARNING);
    clear();
    IOT_DumpMemoryStats(IOT_LOG_INFO);
    CHECK(count == 0);
    IOT_DumpMemoryStats(IOT_LOG_WARNING);
    CHECK(count >= 4);

    IOT_OpenLog("name");
    IOT_CloseLog();
    clear();
    IOT_DumpMemoryStats(IOT_LOG_NONE);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &number) == -1);
    CHECK(count == 0);
    return finish();
}
