/* iotx-test: c++ shared valgrind
 *
 * The JSON helpers that C parts kept from the SDK use, with good and bad input and with short memory.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infra_cjson.h"
#include "infra_json_parser.h"
#include "wrappers.h"

static unsigned allocations, frees, fail_at;

#ifdef __cplusplus
extern "C" {
#endif
static void *counting_malloc(unsigned int size)
{
    return ++allocations == fail_at ? NULL : malloc(size);
}

static void counting_free(void *block)
{
    frees++;
    free(block);
}

static int join_members(char *name, int name_len, char *value, int value_len, int type, void *out)
{
    char piece[64];

    snprintf(piece, sizeof(piece), "%.*s=%.*s/%d;", name_len, name, value_len, value, type);
    strcat((char *)out, piece);
    return strncmp(name, "stop", 4) == 0 ? JSON_PARSE_FINISH : JSON_PARSE_OK;
}
#ifdef __cplusplus
}
#endif

#define CHECK(condition)                               \
    do {                                               \
        if (!(condition)) {                            \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                  \
        }                                              \
    } while (0)

static int is(const lite_cjson_t *item, int type, const char *text)
{
    return item->type == type && item->value_length == (int)strlen(text)
           && memcmp(item->value, text, strlen(text)) == 0;
}

static int item(lite_cjson_t *from, const char *key, lite_cjson_t *to)
{
    return lite_cjson_object_item(from, key, (int)strlen(key), to);
}

static int parse(const char *text, lite_cjson_t *out)
{
    return lite_cjson_parse(text, (int)strlen(text), out);
}

static int reading(void)
{
    static const char text[] =
        " {\"id\":\"7\\\"\",\"params\":{\"list\":[1,{\"deep\":[true,null]},-2.5e1],\"dot.ted\":0},"
        "\"big\":1e999,\"small\":-99999999999,\"no\":false,\"empty\":{},\"id\":2} rest";
    lite_cjson_t root, at, key;
    size_t       length;

    CHECK(parse(text, &root) == 0);
    CHECK(root.type == cJSON_Object && root.size == 7);
    CHECK(root.value == text + 1 && root.value_length == (int)strlen(text) - 6);
    CHECK(lite_cjson_is_object(&root) == 1 && lite_cjson_is_array(&root) == 0);
    CHECK(item(&root, "id", &at) == 0 && is(&at, cJSON_String, "7\\\""));
    CHECK(lite_cjson_is_string(&at) == 1);
    CHECK(item(&root, "params.list", &at) == 0 && at.size == 3 && lite_cjson_is_array(&at) == 1);
    CHECK(lite_cjson_array_item(&at, 2, &key) == 0);
    CHECK(lite_cjson_is_number(&key) == 1 && key.value_double == -25 && key.value_int == -25);
    CHECK(lite_cjson_array_item(&at, 3, &key) == -1 && lite_cjson_array_item(&at, -1, &key) == -1);
    CHECK(key.value_int == -25);
    CHECK(item(&root, "params.list[1].deep[0]", &at) == 0 && lite_cjson_is_true(&at) == 1);
    CHECK(item(&root, "params.list[1].deep[1]", &at) == 0 && lite_cjson_is_null(&at) == 1);
    CHECK(item(&root, "no", &at) == 0 && lite_cjson_is_false(&at) == 1);
    CHECK(lite_cjson_is_true(&at) == 0);
    CHECK(item(&root, "big", &at) == 0 && at.value_int == INT_MAX && at.value_double > 1e308);
    CHECK(item(&root, "small", &at) == 0 && at.value_int == INT_MIN && at.value_double == -99999999999.0);
    CHECK(item(&root, "empty", &at) == 0 && at.size == 0 && item(&at, "x", &key) == -1);
    CHECK(lite_cjson_object_item_by_index(&root, 1, &key, &at) == 0);
    CHECK(is(&key, cJSON_String, "params") && at.size == 2);
    CHECK(lite_cjson_object_item_by_index(&root, 0, NULL, NULL) == 0);
    CHECK(lite_cjson_object_item_by_index(&root, 7, &key, &at) == -1);
    CHECK(lite_cjson_object_item_by_index(&root, -1, &key, &at) == -1);
    /* Source and result may be one. */
    at = root;
    CHECK(item(&at, "params", &at) == 0 && at.size == 2);

    /* What leads nowhere. */
    {
        static const char *const nowhere[] = {
            "params.list[3]", "params.list[]", "params.list[x]", "params.list[-1]", "params.list[99999999999]",
            "params.list.x", "id.x", "id[0]", "dot.ted", ".", "params.", ".params", "[0]", "]", "params.list[0"};
        size_t each;

        for (each = 0; each < sizeof(nowhere) / sizeof(nowhere[0]); each++) {
            at.value_int = 4711;
            if (item(&root, nowhere[each], &at) != -1 || at.value_int != 4711) {
                printf("%s leads somewhere\n", nowhere[each]);
                return 1;
            }
        }
    }
    /* The key has a length and need not be terminated. */
    CHECK(lite_cjson_object_item(&root, "idXX.y", 2, &at) == 0);
    CHECK(lite_cjson_object_item(&root, "id", 0, &at) == -1);
    CHECK(lite_cjson_object_item(&root, "id", -1, &at) == -1);
    CHECK(lite_cjson_object_item(&root, NULL, 2, &at) == -1);
    CHECK(lite_cjson_object_item(NULL, "id", 2, &at) == -1);
    CHECK(lite_cjson_object_item(&root, "id", 2, NULL) == -1);
    CHECK(lite_cjson_array_item(NULL, 0, &at) == -1 && lite_cjson_array_item(&root, 0, &at) == -1);
    CHECK(lite_cjson_object_item_by_index(NULL, 0, &at, &at) == -1);
    CHECK(lite_cjson_is_string(NULL) == -1 && lite_cjson_is_number(NULL) == -1);

    /* Cut anywhere inside, the object is no object; each copy is exactly as long, for valgrind to see. */
    for (length = 1; length < strlen(text) - 5; length++) {
        char *part = (char *)malloc(length);
        int   result;

        memcpy(part, text, length);
        result = lite_cjson_parse(part, (int)length, &at);
        free(part);
        CHECK(result == -1 && at.type == cJSON_Invalid && at.value == NULL && at.value_length == 0);
    }
    CHECK(lite_cjson_parse(NULL, 3, &at) == -1 && lite_cjson_parse("1", 0, &at) == -1);
    CHECK(lite_cjson_parse("1", -5, &at) == -1 && lite_cjson_parse("1", 1, NULL) == -1);
    CHECK(parse("{\"a\":1,}", &at) == -1 && parse("[1 2]", &at) == -1 && parse("{'a':1}", &at) == -1);
    CHECK(lite_cjson_parse("[1,\0002]", 6, &at) == -1);
    CHECK(lite_cjson_parse("\"a\0b\"", 5, &at) == -1);
    CHECK(lite_cjson_parse("{\"a\":1}\0\0", 9, &at) == 0 && at.value_length == 7);
    CHECK(parse("\"\xff\xfe\"", &at) == -1);
    CHECK(parse("12x", &at) == 0 && is(&at, cJSON_Number, "12"));
    {
        static char deep[400001];
        char        digits[400];

        memset(deep, '[', 200000);
        memset(deep + 200000, ']', 200000);
        CHECK(parse(deep, &at) == -1);
        CHECK(lite_cjson_parse(deep, 200000, &at) == -1);
        CHECK(lite_cjson_parse(deep + 200000 - 1001, 2002, &at) == -1);
        CHECK(lite_cjson_parse(deep + 200000 - 1000, 2000, &at) == 0 && at.size == 1);
        memset(digits, '9', sizeof(digits));
        CHECK(lite_cjson_parse(digits, (int)sizeof(digits), &at) == 0);
        CHECK(at.value_length == (int)sizeof(digits) && at.value_int == INT_MAX);
    }
    return 0;
}

/* An item that could not be added still belongs to the caller. */
static void put(lite_cjson_item_t *object, const char *name, lite_cjson_item_t *value)
{
    lite_cjson_add_item_to_object(object, name, value);
    if (value != NULL && value->string == NULL) {
        lite_cjson_delete(value);
    }
}

static void push(lite_cjson_item_t *array, lite_cjson_item_t *value)
{
    lite_cjson_add_item_to_array(array, value);
    if (array == NULL) {
        lite_cjson_delete(value);
    }
}

static lite_cjson_item_t *example(void)
{
    static const int    ints[] = {1, -2};
    static const float  floats[] = {0.5f};
    static const double doubles[] = {0.1, 1e300};
    const char         *strings[] = {"a", "b"};
    lite_cjson_item_t  *root = lite_cjson_create_object();
    lite_cjson_item_t  *list = lite_cjson_create_array();

    put(root, "text", lite_cjson_create_string("q\"\n\x01\xc3\xa9"));
    put(root, "n", lite_cjson_create_number(5));
    put(root, "t", lite_cjson_create_true());
    put(root, "f", lite_cjson_create_false());
    put(root, "b", lite_cjson_create_bool(7));
    put(root, "z", lite_cjson_create_null());
    push(list, lite_cjson_create_intArray(ints, 2));
    push(list, lite_cjson_create_floatArray(floats, 1));
    push(list, lite_cjson_create_doubleArray(doubles, 2));
    push(list, lite_cjson_create_stringArray(strings, 2));
    put(root, "list", list);
    return root;
}

static int writing(void)
{
    static const char  wanted[] =
        "{\"text\":\"q\\\"\\n\\u0001\xc3\xa9\",\"n\":5,\"t\":true,\"f\":false,\"b\":true,\"z\":null,"
        "\"list\":[[1,-2],[0.5],[0.1,1e+300],[\"a\",\"b\"]]}";
    lite_cjson_hooks   hooks = {counting_malloc, counting_free}, half = {counting_malloc, NULL};
    lite_cjson_hooks   back = {HAL_Malloc, HAL_Free};
    lite_cjson_item_t *root, *array;
    char              *text;
    int                depth;

    root = example();
    text = lite_cjson_print_unformatted(root);
    if (strcmp(text, wanted) != 0) {
        printf("%s\n%s\n", text, wanted);
        return 1;
    }
    HAL_Free(text);
    lite_cjson_delete(root);

    lite_cjson_init_hooks(NULL);
    lite_cjson_init_hooks(&half);
    root = lite_cjson_create_object();
    lite_cjson_add_number_to_object(root, "a", 15);
    lite_cjson_add_string_to_object(root, "s", "");
    lite_cjson_add_bool_to_object(root, "b", 0);
    lite_cjson_add_true_to_object(root, "t");
    lite_cjson_add_false_to_object(root, "f");
    lite_cjson_add_null_to_object(root, "z");
    array = lite_cjson_create_array();
    lite_cjson_add_item_to_array(array, lite_cjson_create_bool(0));
    lite_cjson_add_item_to_array(array, lite_cjson_create_object());
    lite_cjson_add_item_to_object(root, "l", array);
    CHECK(allocations == 0);
    text = lite_cjson_print(root);
    CHECK(strcmp(text, "{\n\t\"a\":\t15,\n\t\"s\":\t\"\",\n\t\"b\":\tfalse,\n\t\"t\":\ttrue,\n\t\"f\":\tfalse,"
                       "\n\t\"z\":\tnull,\n\t\"l\":\t[false, {\n\t\t}]\n}") == 0);
    HAL_Free(text);
    lite_cjson_delete(root);

    /* Short memory: nothing leaks and nothing is freed twice; each of the counted blocks fails once. */
    lite_cjson_init_hooks(&hooks);
    for (fail_at = 1; fail_at < 100; fail_at++) {
        allocations = frees = 0;
        root = example();
        text = lite_cjson_print_unformatted(root);
        if (text != NULL) {
            counting_free(text);
        }
        lite_cjson_delete(root);
        if (allocations < fail_at) {
            CHECK(allocations == frees && allocations > 20);
            break;
        }
        /* All but the one that was not given. */
        CHECK(allocations == frees + 1);
    }
    CHECK(fail_at < 100);
    fail_at = 0;
    lite_cjson_init_hooks(&back);

    /* Numbers JSON cannot say, and values that read back the same. */
    {
        static const double numbers[] = {0, -1, 1e15, 123456789012345678.0, 0.1, -2.5e-9, 1.7976931348623157e308, 3.14};
        size_t              each;
        lite_cjson_t        back_again;

        for (each = 0; each < sizeof(numbers) / sizeof(numbers[0]); each++) {
            root = lite_cjson_create_number(numbers[each]);
            text = lite_cjson_print_unformatted(root);
            CHECK(lite_cjson_parse(text, (int)strlen(text), &back_again) == 0);
            CHECK(back_again.value_double == numbers[each]);
            HAL_Free(text);
            lite_cjson_delete(root);
        }
        root = lite_cjson_create_number(strtod("nan", NULL));
        text = lite_cjson_print(root);
        CHECK(root->valueint == 0 && strcmp(text, "null") == 0);
        HAL_Free(text);
        lite_cjson_delete(root);
        root = lite_cjson_create_number(-1e99);
        CHECK(root->valueint == INT_MIN && root->valuedouble == -1e99 && root->type == cJSON_Number);
        lite_cjson_delete(root);
    }

    /* Raw text, bytes that are no UTF-8, an unknown type. */
    root = lite_cjson_create_string("\xff");
    text = lite_cjson_print(root);
    CHECK(strcmp(text, "\"\xff\"") == 0);
    HAL_Free(text);
    root->type = cJSON_Raw;
    text = lite_cjson_print(root);
    CHECK(strcmp(text, "\xff") == 0);
    HAL_Free(text);
    root->type = cJSON_Invalid;
    CHECK(lite_cjson_print(root) == NULL);
    lite_cjson_delete(root);

    /* A tree too deep to print can still be deleted. */
    root = lite_cjson_create_null();
    for (depth = 0; depth < 200000; depth++) {
        array = lite_cjson_create_array();
        lite_cjson_add_item_to_array(array, root);
        root = array;
        if (depth == 999) {
            text = lite_cjson_print_unformatted(root);
            CHECK(strlen(text) == 2004);
            HAL_Free(text);
        } else if (depth == 1000) {
            CHECK(lite_cjson_print_unformatted(root) == NULL);
        }
    }
    CHECK(lite_cjson_print(root) == NULL);
    lite_cjson_delete(root);

    root = lite_cjson_create_array();
    lite_cjson_add_item_to_array(root, root);
    lite_cjson_add_item_to_object(root, "self", root);
    lite_cjson_add_item_to_object(root, NULL, root);
    lite_cjson_add_item_to_array(NULL, root);
    lite_cjson_add_item_to_array(root, NULL);
    lite_cjson_add_item_to_object(NULL, "x", root);
    lite_cjson_add_item_to_object(root, "x", NULL);
    CHECK(root->child == NULL);
    lite_cjson_delete(root);
    lite_cjson_delete(NULL);
    CHECK(lite_cjson_print(NULL) == NULL && lite_cjson_create_string(NULL) == NULL);
    CHECK(lite_cjson_create_intArray(NULL, 1) == NULL && lite_cjson_create_floatArray(NULL, 1) == NULL);
    CHECK(lite_cjson_create_doubleArray(NULL, 1) == NULL && lite_cjson_create_stringArray(NULL, 1) == NULL);
    {
        int         one = 1;
        const char *with_null[] = {"a", NULL};

        CHECK(lite_cjson_create_intArray(&one, -1) == NULL);
        CHECK(lite_cjson_create_stringArray(with_null, 2) == NULL);
        root = lite_cjson_create_intArray(&one, 0);
        CHECK(root != NULL && root->child == NULL);
        lite_cjson_delete(root);
        root = lite_cjson_create_true();
        CHECK(root->type == cJSON_True);
        lite_cjson_delete(root);
        root = lite_cjson_create_false();
        CHECK(root->type == cJSON_False);
        lite_cjson_delete(root);
    }
    return 0;
}

static int by_name(void)
{
    char  text[] = "{\"a\":\"x\\u0041\",\"e\":\"\",\"z\":null,\"o\":{\"in\":{\"er\":[1,2]}},\"t\":true,\"stop\":-1,\"q\":5}";
    char  a[] = "a", e[] = "e", z[] = "z", o[] = "o", er[] = "o.in.er", none[] = "o.in.x", empty[] = "";
    char  all[256] = "", bad[] = "{\"a\":\"x\",", list[] = "[1]", kept;
    char *value;
    int   length = -1, type = -1;

    value = json_get_value_by_name(text, (int)strlen(text), a, &length, &type);
    CHECK(value == text + 6 && length == 7 && type == JSTRING);
    value = json_get_value_by_name_len(text, (int)strlen(text), er, 1, &length, &type);
    CHECK(type == JOBJECT && length == 19 && strncmp(value, "{\"in\":{\"er\":[1,2]}}", 19) == 0);
    CHECK(json_get_value_by_name(text, (int)strlen(text), a, NULL, NULL) == text + 6);
    CHECK(json_get_value_by_name(text, (int)strlen(text), e, &length, &type) == NULL && length == 0);
    CHECK(json_get_value_by_name(text, (int)strlen(text), z, &length, &type) == NULL);
    CHECK(json_get_value_by_name(text, (int)strlen(text), empty, &length, &type) == NULL);
    CHECK(json_get_value_by_name(text, (int)strlen(text), NULL, &length, &type) == NULL);
    CHECK(json_get_value_by_name(text, 20, a, &length, &type) == NULL);
    CHECK(json_get_value_by_name(text, 0, a, &length, &type) == NULL);
    CHECK(json_get_value_by_name(text, -1, a, &length, &type) == NULL);
    CHECK(json_get_value_by_name(NULL, 9, a, &length, &type) == NULL);
    CHECK(json_get_value_by_name(bad, (int)strlen(bad), a, &length, &type) == NULL);

    CHECK(json_parse_name_value(text, (int)strlen(text), join_members, all) == JSON_RESULT_OK);
    CHECK(strcmp(all, "a=x\\u0041/0;o={\"in\":{\"er\":[1,2]}}/1;t=true/4;stop=-1/3;") == 0);
    CHECK(json_parse_name_value(bad, (int)strlen(bad), join_members, all) == JSON_RESULT_ERR);
    CHECK(json_parse_name_value(list, (int)strlen(list), join_members, all) == JSON_RESULT_ERR);
    CHECK(json_parse_name_value(text, (int)strlen(text), NULL, all) == JSON_RESULT_ERR);
    CHECK(json_parse_name_value(NULL, 3, join_members, all) == JSON_RESULT_ERR);

    value = LITE_json_value_of(er, text, 0x1234, "note");
    CHECK(strcmp(value, "[1,2]") == 0);
    HAL_Free(value);
    value = LITE_json_value_of(o, text);
    CHECK(strcmp(value, "{\"in\":{\"er\":[1,2]}}") == 0);
    HAL_Free(value);
    CHECK(LITE_json_value_of(none, text) == NULL && LITE_json_value_of(empty, text) == NULL);
    CHECK(LITE_json_value_of(a, bad) == NULL);
    CHECK(LITE_json_value_of(NULL, text) == NULL && LITE_json_value_of(a, NULL) == NULL);

    backup_json_str_last_char(text, 3, kept);
    CHECK(strcmp(text, "{\"a") == 0);
    restore_json_str_last_char(text, 3, kept);
    CHECK(text[3] == '"');
    return 0;
}

int main(void)
{
    if (reading() || writing() || by_name()) {
        return 1;
    }
    puts("ok");
    return 0;
}
