/* The os group through the C ABI. */
#include "hal.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#define THREADS 4
#define ROUNDS 20000

static void *mutex;
static void *sem;
static long counter;

static void memory(void)
{
    unsigned char *block = HAL_Malloc(1000);
    void *none = HAL_Malloc(0);

    CHECK(block != NULL && ((uintptr_t)block % 16) == 0);
    memset(block, 0xA5, 1000);
    CHECK(none != NULL);
    HAL_Free(block);
    HAL_Free(none);
    HAL_Free(NULL);
}

static void ignore(int signal_number)
{
    (void)signal_number;
}

/* Sleeps with a signal every 5 ms: none may cut the sleep short. */
static void time_and_signals(void)
{
    struct sigaction action;
    struct itimerval every = {{0, 5000}, {0, 5000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    uint64_t start = HAL_UptimeMs();
    uint64_t last = start;
    int i;

    for (i = 0; i < 10000; i++) {
        uint64_t now = HAL_UptimeMs();
        CHECK(now >= last);
        last = now;
    }
    memset(&action, 0, sizeof(action));
    action.sa_handler = ignore;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    start = HAL_UptimeMs();
    HAL_SleepMs(60);
    CHECK(HAL_UptimeMs() - start >= 59);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    HAL_SleepMs(0);
}

/* 60000 draws over 6: each count is within 5 standard deviations (91) of 10000. */
static void randomness(void)
{
    long counts[6] = {0};
    uint32_t all_or = 0;
    uint32_t all_and = 0xFFFFFFFFu;
    uint32_t first;
    int i;
    int repeats = 0;

    for (i = 0; i < 60000; i++) {
        uint32_t number = HAL_Random(6);
        CHECK(number < 6);
        counts[number]++;
    }
    for (i = 0; i < 6; i++) {
        CHECK(counts[i] > 9540 && counts[i] < 10460);
    }
    for (i = 0; i < 1000; i++) {
        uint32_t number = HAL_Random(0);
        all_or |= number;
        all_and &= number;
        CHECK(HAL_Random(1) == 0);
        CHECK(HAL_Random(0x80000001u) <= 0x80000000u);
    }
    CHECK(all_or == 0xFFFFFFFFu && all_and == 0);
    /* A seed has no influence. */
    HAL_Srandom(1);
    first = HAL_Random(0);
    for (i = 0; i < 3; i++) {
        HAL_Srandom(1);
        repeats += HAL_Random(0) == first;
    }
    CHECK(repeats < 3);
}

static int format(char *buf, int len, const char *fmt, ...)
{
    va_list ap;
    int needed;

    va_start(ap, fmt);
    needed = HAL_Vsnprintf(buf, len, fmt, ap);
    va_end(ap);
    return needed;
}

static void printing(void)
{
    char buf[8];

    memset(buf, 'x', sizeof(buf));
    CHECK(HAL_Snprintf(buf, sizeof(buf), "%s-%d", "abc", 7) == 5 && strcmp(buf, "abc-7") == 0);
    CHECK(HAL_Snprintf(buf, sizeof(buf), "%d", 1234567890) == 10 && strcmp(buf, "1234567") == 0);
    CHECK(HAL_Snprintf(NULL, 0, "%u", 12345u) == 5);
    CHECK(HAL_Snprintf(buf, -1, "x") == -1);
    CHECK(HAL_Snprintf(NULL, 4, "x") == -1);
    CHECK(HAL_Snprintf(buf, 4, NULL) == -1);
    CHECK(format(buf, sizeof(buf), "%c%05.1f", 'a', 2.25) == 6 && strcmp(buf, "a002.2") == 0);
    /* The caller of this program reads it. */
    HAL_Printf("%s %d %.2f\n", "printed", 42, 1.5);
    HAL_Printf(NULL);
}

static void *count_up(void *arg)
{
    int i;

    for (i = 0; i < ROUNDS; i++) {
        HAL_MutexLock(mutex);
        counter++;
        HAL_MutexUnlock(mutex);
    }
    HAL_SemaphorePost(sem);
    return arg;
}

static void *unlock_foreign(void *arg)
{
    HAL_MutexUnlock(mutex);
    HAL_SemaphorePost(sem);
    return arg;
}

static void *take_and_give(void *arg)
{
    HAL_MutexLock(mutex);
    *(int *)arg = 1;
    HAL_MutexUnlock(mutex);
    HAL_SemaphorePost(sem);
    return NULL;
}

static void threads_and_locks(void)
{
    thread_param_t param = {0, NULL, 2048, 1, "a name longer than sixteen bytes"};
    void *handles[THREADS];
    void *joinable = NULL;
    void *result = NULL;
    int stack_used = 77;
    int taken = 0;
    int i;

    mutex = HAL_MutexCreate();
    sem = HAL_SemaphoreCreate();
    CHECK(mutex != NULL && sem != NULL);

    for (i = 0; i < THREADS; i++) {
        CHECK(HAL_ThreadCreate(&handles[i], count_up, NULL, &param, &stack_used) == 0);
        CHECK(stack_used == 0);
    }
    for (i = 0; i < THREADS; i++) {
        CHECK(HAL_SemaphoreWait(sem, 0xFFFFFFFFu) == 0);
    }
    CHECK(counter == (long)THREADS * ROUNDS);
    CHECK(HAL_SemaphoreWait(sem, 0) == -1);

    /* Without parameters the thread can be joined, and its result arrives. */
    CHECK(HAL_ThreadCreate(&joinable, count_up, &counter, NULL, NULL) == 0);
    CHECK(pthread_join((pthread_t)joinable, &result) == 0 && result == &counter);
    CHECK(HAL_SemaphoreWait(sem, 0) == 0);

    CHECK(HAL_ThreadCreate(NULL, count_up, NULL, NULL, NULL) < 0);
    CHECK(HAL_ThreadCreate(&joinable, NULL, NULL, NULL, NULL) < 0);

    /* An unlock by a thread that does not hold the mutex must not open it. */
    HAL_MutexLock(mutex);
    HAL_MutexLock(mutex); /* a second lock by the owner does not hang */
    CHECK(HAL_ThreadCreate(&joinable, unlock_foreign, NULL, NULL, NULL) == 0);
    HAL_ThreadDetach(joinable);
    CHECK(HAL_SemaphoreWait(sem, 10000) == 0);
    CHECK(HAL_ThreadCreate(&joinable, take_and_give, &taken, NULL, NULL) == 0);
    HAL_ThreadDetach(joinable);
    CHECK(HAL_SemaphoreWait(sem, 100) == -1);
    HAL_MutexUnlock(mutex);
    CHECK(HAL_SemaphoreWait(sem, 10000) == 0 && taken == 1);

    HAL_MutexDestroy(mutex);
    HAL_SemaphoreDestroy(sem);
    HAL_ThreadDetach(NULL);
}

static void semaphores(void)
{
    void *s = HAL_SemaphoreCreate();
    uint64_t start = HAL_UptimeMs();

    CHECK(HAL_SemaphoreWait(s, 80) == -1);
    CHECK(HAL_UptimeMs() - start >= 79);
    HAL_SemaphorePost(s);
    HAL_SemaphorePost(s);
    CHECK(HAL_SemaphoreWait(s, 0) == 0);
    CHECK(HAL_SemaphoreWait(s, 1000) == 0);
    CHECK(HAL_SemaphoreWait(s, 0) == -1);
    HAL_SemaphoreDestroy(s);

    CHECK(HAL_SemaphoreWait(NULL, 0xFFFFFFFFu) == -1);
    HAL_SemaphorePost(NULL);
    HAL_SemaphoreDestroy(NULL);
    HAL_MutexLock(NULL);
    HAL_MutexUnlock(NULL);
    HAL_MutexDestroy(NULL);
}

static void versions_and_identity(void)
{
    char version[65];
    char key20[20];
    char text[65];
    char long_text[66];

    memset(version, 'x', sizeof(version));
    CHECK(HAL_GetFirmwareVersion(version) == 23);
    CHECK(strcmp(version, "app-1.0.0-20180101.1000") == 0);
    CHECK(HAL_GetFirmwareVesion(version) == 23);
    CHECK(HAL_GetFirmwareVersion(NULL) <= 0);

    CHECK(HAL_GetProductKey(text) == 0 && text[0] == 0);
    CHECK(HAL_SetProductKey("a1B2c3D4e5F") == 11);
    CHECK(HAL_GetProductKey(key20) == 11 && strcmp(key20, "a1B2c3D4e5F") == 0);
    CHECK(HAL_SetProductKey("123456789012345678901") == -1);
    CHECK(HAL_GetProductKey(key20) == 11);
    /* The longest value fills the declared 20 bytes exactly and touches nothing behind them. */
    CHECK(HAL_SetProductKey("12345678901234567890") == 20);
    memset(text, 'x', sizeof(text));
    CHECK(HAL_GetProductKey(text) == 20);
    CHECK(memcmp(text, "12345678901234567890x", 21) == 0);

    CHECK(HAL_SetDeviceName("name") == 4 && HAL_GetDeviceName(text) == 4);
    CHECK(strcmp(text, "name") == 0);
    memset(long_text, 'z', 65);
    long_text[65] = 0;
    CHECK(HAL_SetDeviceSecret(long_text) == -1 && HAL_SetProductSecret(long_text) == -1);
    CHECK(HAL_SetDeviceName(long_text) == -1);
    CHECK(HAL_SetDeviceSecret(long_text + 1) == 64 && HAL_GetDeviceSecret(text) == 64);
    CHECK(HAL_SetProductSecret("ps") == 2 && HAL_GetProductSecret(text) == 2);
    CHECK(strcmp(text, "ps") == 0);
    CHECK(HAL_SetProductSecret("") == 0 && HAL_GetProductSecret(text) == 0 && text[0] == 0);
    CHECK(HAL_SetProductKey(NULL) == -1 && HAL_GetProductKey(NULL) == -1);
}

int main(void)
{
    memory();
    time_and_signals();
    randomness();
    printing();
    semaphores();
    threads_and_locks();
    versions_and_identity();
    return 0;
}
