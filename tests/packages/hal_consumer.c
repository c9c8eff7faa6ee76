/* The smallest user of libiotx_hal. Valid C99 and C++. */
#include <stdio.h>
#include <string.h>

#include "wrappers.h"

int main(void)
{
    char  text[16];
    void *block = HAL_Malloc(64);
    void *mutex = HAL_MutexCreate();

    if (block == NULL || mutex == NULL || HAL_Random(10) >= 10) {
        return 1;
    }
    HAL_MutexLock(mutex);
    HAL_MutexUnlock(mutex);
    HAL_MutexDestroy(mutex);
    HAL_Free(block);
    if (HAL_Snprintf(text, (int)sizeof(text), "%s-%d", "hal", 1) != 5) {
        return 2;
    }
    printf("%s\n", text);
    return 0;
}
