/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a JSON object by name, for C parts of the SDK that a firmware keeps. Members whose value is
 * null or the empty string count as missing; text that is not one JSON object has no members. */
#ifndef _INFRA_JSON_PARSER_H_
#define _INFRA_JSON_PARSER_H_

#ifdef __cplusplus
extern "C" {
#endif

/* Name and value inside a text. */
typedef struct JSON_NV {
    int nLen;
    int vLen;
    int vType;
    char *pN;
    char *pV;
} JSON_NV;

/* Types of values. */
enum JSONTYPE {
    JNONE = -1,
    JSTRING = 0,
    JOBJECT,
    JARRAY,
    JNUMBER,
    JBOOLEAN,
    JTYPEMAX
};

/* What a json_parse_cb answers; FINISH ends the walk. */
enum JSON_PARSE_CODE {
    JSON_PARSE_ERR,
    JSON_PARSE_OK,
    JSON_PARSE_FINISH
};

enum JSON_PARSE_RESULT {
    JSON_RESULT_ERR = -1,
    JSON_RESULT_OK
};

/* Called with one member; name and value are not terminated. */
typedef int (*json_parse_cb)(char *p_cName, int iNameLen, char *p_cValue, int iValueLen,
                             int iValueType, void *p_Result);

/* Walks through the members. Returns JSON_RESULT_OK, or JSON_RESULT_ERR when there are none. */
int json_parse_name_value(char *p_cJsonStr, int iStrLen, json_parse_cb pfnCB, void *p_CBData);

/* The value inside the text, not terminated, a string without its quotation marks; NULL when there is none.
 * Length and type go where the last two pointers say, unless they are NULL. */
char *json_get_value_by_name(char *p_cJsonStr, int iStrLen, char *p_cName, int *p_iValueLen,
                             int *p_iValueType);
char *json_get_value_by_name_len(char *p_cJsonStr, int iStrLen, char *p_cName, int p_cNameLen,
                                 int *p_iValueLen, int *p_iValueType);

/* A terminated copy of the value that a key, names joined by dots, leads to; freed with HAL_Free. NULL when
 * there is none. */
char *LITE_json_value_of(char *key, char *src, ...);

/* Ends a text at str_len with a NUL and keeps the byte that was there, and puts it back. */
#define backup_json_str_last_char(json_str, str_len, kept) \
    {                                                      \
        kept = *((char *)json_str + str_len);              \
        *((char *)json_str + str_len) = '\0';              \
    }
#define restore_json_str_last_char(json_str, str_len, kept) \
    {                                                       \
        *((char *)json_str + str_len) = kept;               \
    }

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_JSON_PARSER_H_ */
