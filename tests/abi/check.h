/* SPDX-License-Identifier: Apache-2.0 */
/* What the C test programs share: a check that names itself when it fails. The program ends with 1
 * then, after all its checks have run. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

static int failures;
static int checks;

#define CHECK(condition)                                                            \
    do {                                                                            \
        checks++;                                                                   \
        if (!(condition)) {                                                         \
            failures++;                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);         \
        }                                                                           \
    } while (0)

static int finish(void)
{
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}

#endif /* CHECK_H */
