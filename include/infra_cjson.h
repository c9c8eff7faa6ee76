/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for C parts of the SDK that a firmware keeps. The library defines no cJSON_* symbol, and the names of
 * this header stand beside those of an application's cJSON.h. */
#ifndef _INFRA_CJSON_H_
#define _INFRA_CJSON_H_

#ifdef __cplusplus
extern "C" {
#endif

/* Types. Spelled as in cJSON.h, so that both headers may be included. */
#define cJSON_Invalid (0)
#define cJSON_False  (1 << 0)
#define cJSON_True   (1 << 1)
#define cJSON_NULL   (1 << 2)
#define cJSON_Number (1 << 3)
#define cJSON_String (1 << 4)
#define cJSON_Array  (1 << 5)
#define cJSON_Object (1 << 6)
#define cJSON_Raw    (1 << 7)

/* Flags of an item: its children and text, or its name, belong to somebody else. */
#define cJSON_IsReference 256
#define cJSON_StringIsConst 512

/* Deepest nesting the library accepts; defining it otherwise changes nothing. */
#ifndef LITE_CJSON_NESTING_LIMIT
#define LITE_CJSON_NESTING_LIMIT 1000
#endif

/* A parsed value. It points into the text it was parsed from and lasts as long as that. */
typedef struct lite_cjson_st {
    int type;
    /* Where the value starts; not terminated. A string without its quotation marks, escapes as
     * written. */
    char *value;
    int value_length;
    /* Elements of an array, members of an object. */
    int size;
    /* A number; value_int is cut to an integer and stops at INT_MIN and INT_MAX. */
    double value_double;
    int value_int;
} lite_cjson_t;

/* Parses the first value in src_len bytes of JSON (RFC 8259, UTF-8) and ignores what follows it. Returns
 * 0, or -1 and an invalid value. */
int lite_cjson_parse(const char *src, int src_len, lite_cjson_t *lite);

/* 1 if the value is of that type, 0 if not, -1 for NULL. */
int lite_cjson_is_false(lite_cjson_t *lite);
int lite_cjson_is_true(lite_cjson_t *lite);
int lite_cjson_is_null(lite_cjson_t *lite);
int lite_cjson_is_number(lite_cjson_t *lite);
int lite_cjson_is_string(lite_cjson_t *lite);
int lite_cjson_is_array(lite_cjson_t *lite);
int lite_cjson_is_object(lite_cjson_t *lite);

/* Each returns 0, or -1 when there is no such value, and then leaves the result alone. Indices count
 * from 0. A key of lite_cjson_object_item joins names by dots and may end a name with an index:
 * "params.list[2].id". Names are compared as written. */
int lite_cjson_array_item(lite_cjson_t *lite, int index, lite_cjson_t *lite_item);
int lite_cjson_object_item(lite_cjson_t *lite, const char *key, int key_len,
                           lite_cjson_t *lite_item);
int lite_cjson_object_item_by_index(lite_cjson_t *lite, int index, lite_cjson_t *lite_item_key,
                                    lite_cjson_t *lite_item_value);

#if !defined(cJSON__h)
/* cJSON.h has the same type; including both in this order needs C11 or C++. */
typedef int cJSON_bool;
#endif

/* A value in a tree that is to be printed. */
typedef struct lite_cjson_item_t {
    struct lite_cjson_item_t *next, *prev;
    struct lite_cjson_item_t *child;
    int type;
    char *valuestring;
    int valueint;
    double valuedouble;
    char *string;
} lite_cjson_item_t;

/* Where items and printed texts come from: HAL_Malloc and HAL_Free, unless set otherwise. */
typedef struct {
    void *(*malloc_fn)(unsigned int sz);
    void (*free_fn)(void *ptr);
} lite_cjson_hooks;

void lite_cjson_init_hooks(lite_cjson_hooks *hooks);

/* Prints a tree into a new block, which the caller frees; NULL when that is not possible. */
char *lite_cjson_print(lite_cjson_item_t *item);
char *lite_cjson_print_unformatted(lite_cjson_item_t *item);

/* Frees an item with what is below it. */
void lite_cjson_delete(lite_cjson_item_t *item);

/* Puts an item at the end; it then belongs to the array or object. The name is copied. */
void lite_cjson_add_item_to_array(lite_cjson_item_t *array, lite_cjson_item_t *item);
void lite_cjson_add_item_to_object(lite_cjson_item_t *object, const char *string,
                                   lite_cjson_item_t *item);

/* New items; NULL when memory is short. Strings are copied. */
lite_cjson_item_t *lite_cjson_create_null(void);
lite_cjson_item_t *lite_cjson_create_true(void);
lite_cjson_item_t *lite_cjson_create_false(void);
lite_cjson_item_t *lite_cjson_create_bool(int b);
lite_cjson_item_t *lite_cjson_create_number(double num);
lite_cjson_item_t *lite_cjson_create_string(const char *string);
lite_cjson_item_t *lite_cjson_create_array(void);
lite_cjson_item_t *lite_cjson_create_object(void);
lite_cjson_item_t *lite_cjson_create_intArray(const int *numbers, int count);
lite_cjson_item_t *lite_cjson_create_floatArray(const float *numbers, int count);
lite_cjson_item_t *lite_cjson_create_doubleArray(const double *numbers, int count);
lite_cjson_item_t *lite_cjson_create_stringArray(const char **strings, int count);

#define lite_cjson_add_null_to_object(object, name) \
    lite_cjson_add_item_to_object(object, name, lite_cjson_create_null())
#define lite_cjson_add_true_to_object(object, name) \
    lite_cjson_add_item_to_object(object, name, lite_cjson_create_true())
#define lite_cjson_add_false_to_object(object, name) \
    lite_cjson_add_item_to_object(object, name, lite_cjson_create_false())
#define lite_cjson_add_bool_to_object(object, name, b) \
    lite_cjson_add_item_to_object(object, name, lite_cjson_create_bool(b))
#define lite_cjson_add_number_to_object(object, name, n) \
    lite_cjson_add_item_to_object(object, name, lite_cjson_create_number(n))
#define lite_cjson_add_string_to_object(object, name, s) \
    lite_cjson_add_item_to_object(object, name, lite_cjson_create_string(s))

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_CJSON_H_ */
