/* Uses the TLS group of the HAL and nothing else of the library.
 *
 * usage: hal_tls HOST PORT CA_FILE
 * Sends one line, expects it reversed. Exit status 3: the server was refused. With -DOWN_PRINTF the
 * program's own HAL_Printf gets what the library logs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wrappers.h"

#ifdef OWN_PRINTF
#include <stdarg.h>
#undef HAL_Printf
void HAL_Printf(const char *format, ...);
void HAL_Printf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("captured: ", stdout);
    vprintf(format, arguments);
    va_end(arguments);
}
#endif

int main(int argc, char **argv)
{
    static char ca[65536];
    char        answer[8] = "";
    FILE       *file;
    size_t      size;
    uintptr_t   session;

    if (argc != 4 || (file = fopen(argv[3], "rb")) == NULL) {
        return 2;
    }
    size = fread(ca, 1, sizeof(ca) - 1, file);
    fclose(file);

    session = HAL_SSL_Establish(argv[1], (uint16_t)atoi(argv[2]), ca, (uint32_t)size + 1);
    if (session == 0) {
        return 3;
    }
    if (HAL_SSL_Write(session, "hello\n", 6, 5000) != 6) {
        return 4;
    }
    if (HAL_SSL_Read(session, answer, 6, 5000) != 6 || strcmp(answer, "olleh\n") != 0) {
        return 5;
    }
    if (HAL_SSL_Destroy(session) != 0) {
        return 6;
    }
    puts("hal: verified, line reversed");
    return 0;
}
