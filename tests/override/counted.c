/*
 * A port's HAL_Malloc that counts, and fails at its COUNTED_FAIL_AT-th call, or from it on with COUNTED_AND_ON=1.
 * The last line of the program is the number of calls and of blocks that were not freed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "wrappers.h"

static long calls, live, fail_at;
static int  and_on;

__attribute__((constructor)) static void configure(void)
{
    fail_at = getenv("COUNTED_FAIL_AT") != NULL ? atol(getenv("COUNTED_FAIL_AT")) : 0;
    and_on  = getenv("COUNTED_AND_ON") != NULL;
}

__attribute__((destructor)) static void tell(void)
{
    printf("memory %ld %ld\n", calls, live);
}

void *HAL_Malloc(uint32_t size)
{
    void *block = NULL;

    calls++;
    if (fail_at == 0 || (and_on ? calls < fail_at : calls != fail_at)) {
        block = malloc(size);
    }
    live += block != NULL;
    return block;
}

void HAL_Free(void *ptr)
{
    live -= ptr != NULL;
    free(ptr);
}
