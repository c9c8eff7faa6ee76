/* Rows of the kv group. */
#define _XOPEN_SOURCE 700

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal_check.h"
#include "iotx.h"
#include "wrappers.h"

#define KEY       "hal_check"
#define KEY_OTHER "hal_check_other"

void kv_basic(void)
{
    static const char value[] = {'a', 0, 'b', (char)0xFF};
    char              buf[64];
    int               len = sizeof(buf);
    int               set = HAL_Kv_Set(KEY, value, sizeof(value), 1);
    int               get = HAL_Kv_Get(KEY, buf, &len);
    int               del;

    see(set == 0 && get == 0 && len == (int)sizeof(value) && memcmp(buf, value, sizeof(value)) == 0,
        "Set %d, Get %d with %d bytes", set, get, len);
    set = HAL_Kv_Set(KEY, "short", 2, 1);
    len = sizeof(buf);
    get = HAL_Kv_Get(KEY, buf, &len);
    see(set == 0 && get == 0 && len == 2 && memcmp(buf, "sh", 2) == 0, "again: Set %d, Get %d with %d bytes", set, get, len);
    del = HAL_Kv_Del(KEY);
    len = sizeof(buf);
    get = HAL_Kv_Get(KEY, buf, &len);
    see(del == 0 && get == -1, "Del %d, then Get %d", del, get);
    del = HAL_Kv_Del(KEY);
    see(del == -1, "Del of a missing key: %d", del);
}

void kv_small_buffer(void)
{
    char buf[16];
    int  len = 4;
    int  get;

    memset(buf, '#', sizeof(buf));
    (void)HAL_Kv_Set(KEY, "0123456789", 10, 0);
    get = HAL_Kv_Get(KEY, buf, &len);
    see(get == -1 && len == 10 && buf[4] == '#', "Get into 4 bytes: %d, length %d%s", get, len,
        buf[4] == '#' ? "" : ", wrote behind the buffer");
}

void kv_long(void)
{
    static char value[6000];
    static char back[6000];
    char        key[64];
    int         sizes[2] = {500, 6000};
    int         i;
    int         len;
    int         set;

    memset(key, 'k', 63);
    memcpy(key, KEY, sizeof(KEY) - 1);
    key[63] = '\0';
    for (i = 0; i < 2; i++) {
        memset(value, 'a' + i, sizeof(value));
        set = HAL_Kv_Set(key, value, sizes[i], 0);
        if (set != 0) {
            see(i == 1, "Set of %d bytes: %d", sizes[i], set);
            continue;
        }
        len = sizeof(back);
        see(HAL_Kv_Get(key, back, &len) == 0 && len == sizes[i] && memcmp(value, back, (size_t)len) == 0,
            "of %d bytes %d came back", sizes[i], len);
    }
    (void)HAL_Kv_Del(key);
}

/* Runs a function in another process; with kill_after_ms >= 0 kills it after that time. */
static void elsewhere(void (*function)(void), long kill_after_ms)
{
    pid_t child = fork();

    if (child == 0) {
        function();
        _exit(0);
    }
    if (kill_after_ms >= 0) {
        pause_ms(kill_after_ms);
        kill(child, SIGKILL);
    }
    waitpid(child, NULL, 0);
}

static void store_one(void)
{
    (void)HAL_Kv_Set(KEY, "kept", 4, 1);
}

void kv_persistent(void)
{
    char buf[16] = "";
    int  len     = sizeof(buf);
    int  get;

    (void)HAL_Kv_Del(KEY);
    elsewhere(store_one, -1);
    get = HAL_Kv_Get(KEY, buf, &len);
    see(get == 0 && len == 4 && memcmp(buf, "kept", 4) == 0, "Get %d, %d bytes", get, len);
    (void)HAL_Kv_Del(KEY);
}

static void store_forever(void)
{
    char value[400];
    int  i;

    for (i = 0;; i++) {
        memset(value, 'a' + i % 26, sizeof(value));
        (void)HAL_Kv_Set(KEY, value, i % 2 == 0 ? 400 : 250, 1);
    }
}

static char power_cut_seen[100];

static void look_after_power_cut(void)
{
    char buf[500];
    int  len = sizeof(buf);
    int  i;

    if (HAL_Kv_Get(KEY, buf, &len) != 0 || (len != 400 && len != 250)) {
        _exit(1);
    }
    for (i = 0; i < len; i++) {
        if (buf[i] != buf[0]) {
            _exit(2);
        }
    }
    len = sizeof(buf);
    if (HAL_Kv_Get(KEY_OTHER, buf, &len) != 0 || len != 5 || memcmp(buf, "other", 5) != 0) {
        _exit(3);
    }
    _exit(0);
}

void kv_power_cut(void)
{
    static const char *const wrong[] = {"", "the value is lost", "the value is torn", "another value is lost"};
    char                     first[400];
    int                      cut;
    int                      status;
    pid_t                    child;

    memset(first, 'a', sizeof(first));
    (void)HAL_Kv_Set(KEY_OTHER, "other", 5, 1);
    (void)HAL_Kv_Set(KEY, first, sizeof(first), 1);
    for (cut = 0; cut < 40; cut++) {
        elsewhere(store_forever, cut % 20);
        child = fork();
        if (child == 0) {
            look_after_power_cut();
        }
        waitpid(child, &status, 0);
        status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        if (status != 0) {
            snprintf(power_cut_seen, sizeof(power_cut_seen), "cut %d: %s", cut + 1, wrong[status & 3]);
            see(0, "%s", power_cut_seen);
            return;
        }
    }
    see(1, "40 cuts, every time the old or the new value");
    (void)HAL_Kv_Del(KEY);
    (void)HAL_Kv_Del(KEY_OTHER);
}
