/*
 * Prints what a device with a secret must send to connect.
 *
 *   sign_example PRODUCT_KEY DEVICE_NAME DEVICE_SECRET [REGION]
 *
 * REGION is shanghai (default), singapore, japan, us-west or germany. Without arguments a made-up
 * device is used. The secret itself is never printed; the password is derived from it and is a
 * secret too, so it is masked unless --show-password is the last argument.
 */
#include <stdio.h>
#include <string.h>

#include "infra_compat.h"
#include "dev_sign_api.h"
#include "wrappers.h"

static const char *const regions[] = {"shanghai", "singapore", "japan", "us-west", "germany"};
#define REGIONS ((int)(sizeof(regions) / sizeof(regions[0])))

static int copy(char *to, size_t size, const char *from, const char *name)
{
    if (strlen(from) >= size) {
        fprintf(stderr, "%s is longer than %u characters\n", name, (unsigned int)(size - 1));
        return -1;
    }
    memcpy(to, from, strlen(from) + 1);
    return 0;
}

int main(int argc, char **argv)
{
    iotx_dev_meta_info_t meta;
    iotx_sign_mqtt_t     sign;
    int                  region = 0;
    int                  show   = 0;
    int32_t              res;

    if (argc > 1 && strcmp(argv[argc - 1], "--show-password") == 0) {
        show = 1;
        argc--;
    }
    if (argc != 1 && argc != 4 && argc != 5) {
        fprintf(stderr, "usage: %s [PRODUCT_KEY DEVICE_NAME DEVICE_SECRET [REGION]] [--show-password]\n", argv[0]);
        return 2;
    }
    if (argc == 5) {
        while (region < REGIONS && strcmp(argv[4], regions[region]) != 0) {
            region++;
        }
        if (region == REGIONS) {
            fprintf(stderr, "unknown region %s\n", argv[4]);
            return 2;
        }
    }

    memset(&meta, 0, sizeof(meta));
    if (copy(meta.product_key, sizeof(meta.product_key), argc > 1 ? argv[1] : "a1B2c3D4e5F", "the product key") != 0
        || copy(meta.device_name, sizeof(meta.device_name), argc > 1 ? argv[2] : "lamp-001", "the device name") != 0
        || copy(meta.device_secret, sizeof(meta.device_secret), argc > 1 ? argv[3] : "no real secret", "the secret") != 0) {
        return 2;
    }

    res = IOT_Sign_MQTT((iotx_mqtt_region_types_t)region, &meta, &sign);
    memset(&meta, 0, sizeof(meta));
    if (res != 0) {
        fprintf(stderr, "signing failed: -0x%04X\n", (unsigned int)-res);
        return 1;
    }
    printf("host      %s\n", sign.hostname);
    printf("port      %u\n", (unsigned int)sign.port);
    printf("client id %s\n", sign.clientid);
    printf("user name %s\n", sign.username);
    if (show) {
        printf("password  %s\n", sign.password);
    } else {
        printf("password  %.4s... (%u digits, --show-password prints them)\n", sign.password,
               (unsigned int)strlen(sign.password));
    }
    return 0;
}
