/*
 * Writes to a store until killed, or a number of rounds.
 * Arguments: file, key, rounds (0: for ever). Every round stores 1500 bytes that tell its number
 * and, once stored, reports the number on standard output.
 */
#include "hal.h"

#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static uint32_t value[375];
    uint32_t rounds;
    uint32_t round;
    int i;

    CHECK(argc == 4);
    CHECK(iotx_kv_set_path(argv[1]) == 0);
    rounds = (uint32_t)strtoul(argv[3], NULL, 10);
    for (round = 1; rounds == 0 || round <= rounds; round++) {
        for (i = 0; i < 375; i++) {
            value[i] = round;
        }
        CHECK(HAL_Kv_Set(argv[2], value, sizeof(value), 1) == 0);
        CHECK(write(1, &round, sizeof(round)) == sizeof(round));
    }
    return 0;
}
