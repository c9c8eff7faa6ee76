/* The kv group through the C ABI, in a working directory of its own. */
#include "hal.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int get(const char *key, char *buf, int size)
{
    int len = size;

    return HAL_Kv_Get(key, buf, &len) == 0 ? len : -1;
}

static void basics(void)
{
    char buf[64];
    struct stat info;
    int len;

    CHECK(get("missing", buf, sizeof(buf)) == -1);
    len = 64;
    CHECK(HAL_Kv_Get("missing", buf, &len) == -1 && len == 0);
    CHECK(HAL_Kv_Del("missing") == -1);
    CHECK(access("iotx_kv.bin", F_OK) != 0);

    CHECK(HAL_Kv_Set("seed_key", "12345", 5, 1) == 0);
    CHECK(stat("iotx_kv.bin", &info) == 0 && (info.st_mode & 0777) == 0600);
    CHECK(stat("iotx_kv.bin.lock", &info) == 0 && (info.st_mode & 0777) == 0600);
    CHECK(access("iotx_kv.bin.tmp", F_OK) != 0);
    CHECK(get("seed_key", buf, sizeof(buf)) == 5 && memcmp(buf, "12345", 5) == 0);
    CHECK(HAL_Kv_Set("seed_key", "abc", 3, 0) == 0);
    CHECK(get("seed_key", buf, sizeof(buf)) == 3 && memcmp(buf, "abc", 3) == 0);

    /* Too small a buffer: the size needed, and not one byte written. */
    memset(buf, 'x', sizeof(buf));
    len = 2;
    CHECK(HAL_Kv_Get("seed_key", buf, &len) == -1 && len == 3 && buf[0] == 'x');
    len = 0;
    CHECK(HAL_Kv_Get("seed_key", NULL, &len) == -1 && len == 3);
    len = 3;
    CHECK(HAL_Kv_Get("seed_key", buf, &len) == 0 && len == 3 && buf[3] == 'x');

    /* Binary values and empty ones. */
    CHECK(HAL_Kv_Set("bin", "\0\xff\n", 3, 1) == 0);
    CHECK(get("bin", buf, sizeof(buf)) == 3 && memcmp(buf, "\0\xff\n", 3) == 0);
    CHECK(HAL_Kv_Set("empty", NULL, 0, 1) == 0 && get("empty", buf, sizeof(buf)) == 0);

    CHECK(HAL_Kv_Del("seed_key") == 0 && HAL_Kv_Del("seed_key") == -1);
    CHECK(get("seed_key", buf, sizeof(buf)) == -1 && get("bin", buf, sizeof(buf)) == 3);
}

static void bad_arguments(void)
{
    char buf[8];
    char key[200];
    static char value[5000];
    int len = 8;

    memset(key, 'k', sizeof(key));
    CHECK(HAL_Kv_Set(NULL, "v", 1, 1) == -1 && HAL_Kv_Set("", "v", 1, 1) == -1);
    CHECK(HAL_Kv_Set("k", NULL, 1, 1) == -1 && HAL_Kv_Set("k", "v", -1, 1) == -1);
    CHECK(HAL_Kv_Get(NULL, buf, &len) == -1 && HAL_Kv_Get("k", buf, NULL) == -1);
    len = -1;
    CHECK(HAL_Kv_Get("bin", buf, &len) == -1);
    len = 8;
    CHECK(HAL_Kv_Get("bin", NULL, &len) == -1 && len == 3);
    CHECK(HAL_Kv_Del(NULL) == -1 && HAL_Kv_Del("") == -1);

    key[128] = 0;
    CHECK(HAL_Kv_Set(key, "v", 1, 1) == -1);
    /* Not cut to a key that exists. */
    key[127] = 0;
    CHECK(HAL_Kv_Set(key, "v", 1, 1) == 0 && get(key, buf, 8) == 1);
    key[127] = 'k';
    CHECK(get(key, buf, 8) == -1 && HAL_Kv_Del(key) == -1);
    key[127] = 0;
    CHECK(HAL_Kv_Del(key) == 0);

    CHECK(HAL_Kv_Set("big", value, 4097, 1) == -1 && HAL_Kv_Set("big", value, 4096, 1) == 0);
    CHECK(get("big", value, sizeof(value)) == 4096);
    CHECK(HAL_Kv_Del("big") == 0);

    CHECK(iotx_kv_set_path(NULL) == -1 && iotx_kv_set_path("") == -1);
    CHECK(iotx_kv_set_path(".") == -1 && iotx_kv_set_path("no/") == -1);
}

/* 256 items at most, and 256 KiB; what does not fit changes nothing. */
static void limits(void)
{
    static char value[4096];
    char key[16];
    char buf[8];
    int stored;
    int i;

    CHECK(iotx_kv_set_path("many.bin") == 0);
    CHECK(get("bin", buf, sizeof(buf)) == -1);
    for (i = 0; i < 256; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        CHECK(HAL_Kv_Set(key, "v", 1, 0) == 0);
    }
    CHECK(HAL_Kv_Set("one more", "v", 1, 0) == -1);
    CHECK(HAL_Kv_Set("k7", "new", 3, 0) == 0);
    CHECK(HAL_Kv_Del("k8") == 0 && HAL_Kv_Set("one more", "v", 1, 0) == 0);

    CHECK(iotx_kv_set_path("./large.bin") == 0);
    for (stored = 0; stored < 256; stored++) {
        snprintf(key, sizeof(key), "%04d", stored);
        if (HAL_Kv_Set(key, value, sizeof(value), 0) != 0) {
            break;
        }
    }
    CHECK(stored == 63); /* 63 * 4100 < 262144 < 64 * 4100 */
    CHECK(HAL_Kv_Set("last", value, 262144 - 63 * 4100 - 4, 0) == 0);
    CHECK(HAL_Kv_Set("y", value, 1, 0) == -1);
}

static void no_access(void)
{
    char buf[8];

    CHECK(iotx_kv_set_path("no-such-directory/kv.bin") == 0);
    CHECK(HAL_Kv_Set("k", "v", 1, 1) == -1 && get("k", buf, sizeof(buf)) == -1);
}

int main(void)
{
    basics();
    bad_arguments();
    limits();
    no_access();
    return 0;
}
