/* Rows of the os group. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <string.h>

#include "hal_check.h"
#include "iotx.h"
#include "wrappers.h"

void os_memory(void)
{
    unsigned char *blocks[100];
    int            i;
    int            j;

    for (i = 0; i < 100; i++) {
        blocks[i] = (unsigned char *)HAL_Malloc((uint32_t)(i * 13 + 1));
        if (blocks[i] == NULL || (uintptr_t)blocks[i] % sizeof(uint64_t) != 0) {
            see(0, "block %d is %p", i, (void *)blocks[i]);
            return;
        }
        memset(blocks[i], i, (size_t)i * 13 + 1);
    }
    for (i = 0; i < 100; i++) {
        for (j = 0; j < i * 13 + 1; j++) {
            if (blocks[i][j] != i) {
                see(0, "block %d was overwritten", i);
                return;
            }
        }
        HAL_Free(blocks[i]);
    }
    HAL_Free(NULL);
    see(1, "100 blocks kept their contents");
}

void os_clock(void)
{
    uint64_t start = HAL_UptimeMs();
    uint64_t last  = start;
    uint64_t now;
    long     real = now_ms();
    long     passed;

    while (now_ms() - real < 300) {
        now = HAL_UptimeMs();
        if (now < last) {
            see(0, "went back by %lu ms", (unsigned long)(last - now));
            return;
        }
        last = now;
    }
    real   = now_ms() - real;
    passed = (long)(HAL_UptimeMs() - start);
    see(passed >= real - 20 && passed <= real + 50, "%ld ms in %ld ms", passed, real);
}

void os_sleep(void)
{
    long start = now_ms();

    HAL_SleepMs(150);
    see(took(start, 150), "%ld ms", now_ms() - start);
}

void os_random_bits(void)
{
    uint32_t first   = HAL_Random(0);
    uint32_t changed = 0;
    int      i;

    for (i = 0; i < 200; i++) {
        changed |= HAL_Random(0) ^ first;
    }
    see(changed == 0xFFFFFFFFu, "bits that change in 200 numbers: 0x%08lX", (unsigned long)changed);
}

void os_random_region(void)
{
    int      counts[10] = {0};
    uint32_t number;
    int      i;

    for (i = 0; i < 1000; i++) {
        number = HAL_Random(10);
        if (number >= 10) {
            see(0, "HAL_Random(10) is %lu", (unsigned long)number);
            return;
        }
        counts[number]++;
    }
    for (i = 0; i < 10; i++) {
        see(counts[i] > 0, "of 1000 numbers %d are %d", counts[i], i);
    }
    number = HAL_Random(1);
    see(number == 0, "all of 0...9, HAL_Random(1) is %lu", (unsigned long)number);
}

void os_format(void)
{
    char buf[8] = "xxxxxxx";
    int  needed = HAL_Snprintf(buf, 4, "%s-%d", "abc", 12);

    see(needed == 6 && strcmp(buf, "abc") == 0 && buf[4] == 'x', "returned %d, wrote \"%.7s\"", needed, buf);
}

static void       *mutex;
static volatile int inside;

static void *hold_mutex(void *arg)
{
    HAL_MutexLock(mutex);
    inside = 1;
    pause_ms(200);
    inside = 2;
    HAL_MutexUnlock(mutex);
    return arg;
}

void os_mutex(void)
{
    pthread_t thread;

    mutex = HAL_MutexCreate();
    if (mutex == NULL) {
        see(0, "HAL_MutexCreate returned NULL");
        return;
    }
    thread = start_thread(hold_mutex, NULL);
    while (inside == 0) {
        pause_ms(1);
    }
    HAL_MutexLock(mutex);
    see(inside == 2, inside == 2 ? "the second thread waited" : "two threads held it");
    HAL_MutexUnlock(mutex);
    pthread_join(thread, NULL);
    HAL_MutexDestroy(mutex);
}

void os_semaphore_timeout(void)
{
    void *sem   = HAL_SemaphoreCreate();
    long  start = now_ms();
    int   at_once;
    int   later;

    at_once = HAL_SemaphoreWait(sem, 0);
    see(at_once == -1 && took(start, 0), "Wait(0) returned %d after %ld ms", at_once, now_ms() - start);
    start = now_ms();
    later = HAL_SemaphoreWait(sem, 200);
    see(later == -1 && took(start, 200), "Wait(200) returned %d after %ld ms", later, now_ms() - start);
    HAL_SemaphoreDestroy(sem);
}

void os_semaphore_count(void)
{
    void *sem = HAL_SemaphoreCreate();
    int   got[4];
    int   i;

    for (i = 0; i < 3; i++) {
        HAL_SemaphorePost(sem);
    }
    for (i = 0; i < 4; i++) {
        got[i] = HAL_SemaphoreWait(sem, 20);
    }
    see(got[0] == 0 && got[1] == 0 && got[2] == 0 && got[3] == -1, "%d %d %d %d", got[0], got[1], got[2], got[3]);
    HAL_SemaphoreDestroy(sem);
}

static void *post_later(void *sem)
{
    pause_ms(150);
    HAL_SemaphorePost(sem);
    return NULL;
}

void os_semaphore_wake(void)
{
    void     *sem    = HAL_SemaphoreCreate();
    long      start  = now_ms();
    pthread_t thread = start_thread(post_later, sem);
    int       got    = HAL_SemaphoreWait(sem, (uint32_t)PLATFORM_WAIT_INFINITE);

    see(got == 0 && took(start, 150), "returned %d after %ld ms", got, now_ms() - start);
    pthread_join(thread, NULL);
    HAL_SemaphoreDestroy(sem);
}

static volatile int thread_ran;

static void *work(void *arg)
{
    thread_ran = *(int *)arg;
    return NULL;
}

void os_thread(void)
{
    static int            argument = 7;
    static char           name[]   = "check";
    hal_os_thread_param_t param;
    void                 *thread = NULL;
    int                   stack  = -1;
    int                   res;
    int                   round;
    int                   i;

    memset(&param, 0, sizeof(param));
    param.stack_size   = 65536;
    param.detach_state = 1;
    param.name         = name;
    for (round = 0; round < 2; round++) {
        thread_ran = 0;
        res        = HAL_ThreadCreate(&thread, work, &argument, round == 0 ? NULL : &param, &stack);
        for (i = 0; i < 200 && thread_ran == 0; i++) {
            pause_ms(5);
        }
        see(res == 0 && thread_ran == argument, "%s parameters: returned %d, the thread %s",
            round == 0 ? "without" : "with", res, thread_ran == argument ? "ran" : "did not run");
    }
}

void os_version(void)
{
    char buf[IOTX_FIRMWARE_VER_LEN + 1 + 16];
    int  len;
    int  i;

    memset(buf, '#', sizeof(buf));
    len = HAL_GetFirmwareVersion(buf);
    for (i = IOTX_FIRMWARE_VER_LEN + 1; i < (int)sizeof(buf); i++) {
        see(buf[i] == '#', "wrote more than %d bytes", IOTX_FIRMWARE_VER_LEN + 1);
    }
    if (len > 0) {
        see(len <= IOTX_FIRMWARE_VER_LEN && memchr(buf, '\0', sizeof(buf)) == buf + len, "returned %d for \"%.64s\"", len, buf);
    } else {
        see(1, "%d: none", len);
    }
}
