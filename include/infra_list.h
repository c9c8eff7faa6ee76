/* SPDX-License-Identifier: Apache-2.0 */
/* Linked lists for C parts of the SDK that a firmware keeps: dlist, a ring that goes through its head, and
 * slist, a chain that ends in NULL. A node is a member of the structure it links; the macros lead from
 * node to structure. list_* are other names of dlist_*. */
#ifndef _INFRA_LIST_H_
#define _INFRA_LIST_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define aos_offsetof(type, member) offsetof(type, member)
#define aos_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#ifndef offset_of
#define offset_of aos_offsetof
#endif
#ifndef container_of
#define container_of aos_container_of
#endif

typedef struct dlist_s {
    struct dlist_s *prev;
    struct dlist_s *next;
} dlist_t;

/* An empty list is a head that points to itself. */
#define AOS_DLIST_INIT(list) {&(list), &(list)}
#define AOS_DLIST_HEAD_INIT(name) {&(name), &(name)}
#define AOS_DLIST_HEAD(name) dlist_t name = AOS_DLIST_HEAD_INIT(name)

static __inline void dlist_init(dlist_t *node)
{
    node->prev = node;
    node->next = node;
}

static __inline void INIT_AOS_DLIST_HEAD(dlist_t *list)
{
    dlist_init(list);
}

static __inline int dlist_empty(const dlist_t *head)
{
    return head->next == head;
}

/* Puts node between two neighbours. */
static __inline void __dlist_add(dlist_t *node, dlist_t *prev, dlist_t *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

/* To the front. */
static __inline void dlist_add(dlist_t *node, dlist_t *queue)
{
    __dlist_add(node, queue, queue->next);
}

/* To the end. */
static __inline void dlist_add_tail(dlist_t *node, dlist_t *queue)
{
    __dlist_add(node, queue->prev, queue);
}

/* The node itself keeps its pointers. */
static __inline void dlist_del(dlist_t *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

static __inline int __dlist_entry_number(dlist_t *queue)
{
    const dlist_t *at;
    int number = 0;

    for (at = queue->next; at != queue; at = at->next) {
        number++;
    }
    return number;
}

#define dlist_entry_number(head) __dlist_entry_number(head)
#define dlist_entry(addr, type, member) aos_container_of(addr, type, member)
#define dlist_first_entry(ptr, type, member) aos_container_of((ptr)->next, type, member)

#define dlist_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)

/* The loops called safe read the node behind first: the present one may be removed. */
#define dlist_for_each_safe(pos, n, head) \
    for (pos = (head)->next, n = pos->next; pos != (head); pos = n, n = pos->next)

#define dlist_for_each_entry(queue, node, type, member)                                   \
    for (node = aos_container_of((queue)->next, type, member); &node->member != (queue);  \
         node = aos_container_of(node->member.next, type, member))

/* Here n is a pointer to a node. */
#define dlist_for_each_entry_safe(queue, n, node, type, member)                           \
    for (n = (queue)->next, node = aos_container_of(n, type, member), n = n->next;        \
         &node->member != (queue); node = aos_container_of(n, type, member), n = n->next)

#define dlist_for_each_entry_reverse(pos, head, member, type)                             \
    for (pos = aos_container_of((head)->prev, type, member); &pos->member != (head);      \
         pos = aos_container_of(pos->member.prev, type, member))

typedef struct slist_s {
    struct slist_s *next;
} slist_t;

#define AOS_SLIST_HEAD_INIT(name) {0}
#define AOS_SLIST_HEAD(name) slist_t name = AOS_SLIST_HEAD_INIT(name)

static __inline void slist_init(slist_t *head)
{
    head->next = NULL;
}

static __inline int slist_empty(const slist_t *head)
{
    return head->next == NULL;
}

/* To the front. */
static __inline void slist_add(slist_t *node, slist_t *head)
{
    node->next = head->next;
    head->next = node;
}

/* To the end. */
static __inline void slist_add_tail(slist_t *node, slist_t *head)
{
    slist_t *last = head;

    while (last->next != NULL) {
        last = last->next;
    }
    slist_add(node, last);
}

static __inline void slist_del(slist_t *node, slist_t *head)
{
    slist_t *before = head;

    while (before->next != NULL && before->next != node) {
        before = before->next;
    }
    if (before->next != NULL) {
        before->next = node->next;
    }
}

static __inline int slist_entry_number(slist_t *queue)
{
    const slist_t *at;
    int number = 0;

    for (at = queue->next; at != NULL; at = at->next) {
        number++;
    }
    return number;
}

/* NULL for NULL. */
#define slist_entry(addr, type, member) \
    ((addr) ? aos_container_of(addr, type, member) : (type *)NULL)
#define slist_first_entry(ptr, type, member) slist_entry((ptr)->next, type, member)

/* node is NULL behind the last. */
#define slist_for_each_entry(queue, node, type, member)                       \
    for (node = slist_entry((queue)->next, type, member); node != NULL;       \
         node = slist_entry(node->member.next, type, member))

/* tmp is a pointer to a node. */
#define slist_for_each_entry_safe(queue, tmp, node, type, member)                            \
    for (tmp = (queue)->next, node = slist_entry(tmp, type, member), tmp = tmp ? tmp->next : NULL; \
         node != NULL; node = slist_entry(tmp, type, member), tmp = tmp ? tmp->next : NULL)

#define list_head                        dlist_s
#define list_head_t                      dlist_t
#define LIST_HEAD                        AOS_DLIST_HEAD
#define LIST_HEAD_INIT                   AOS_DLIST_INIT
#define LIST_INIT                        AOS_DLIST_INIT
#define INIT_LIST_HEAD                   INIT_AOS_DLIST_HEAD
#define list_init                        dlist_init
#define list_add                         dlist_add
#define list_add_tail                    dlist_add_tail
#define list_del                         dlist_del
#define list_empty                       dlist_empty
#define list_entry_number                dlist_entry_number
#define list_entry                       aos_container_of
#define list_first_entry                 dlist_first_entry
#define list_for_each                    dlist_for_each
#define list_for_each_safe               dlist_for_each_safe
#define list_for_each_entry_reverse      dlist_for_each_entry_reverse
#define list_for_each_entry(pos, head, member, type) \
    dlist_for_each_entry(head, pos, type, member)
#define list_next_entry(pos, member, type) aos_container_of((pos)->member.next, type, member)

/* Here n is a pointer to a structure. */
#define list_for_each_entry_safe(pos, n, head, member, type)                              \
    for (pos = aos_container_of((head)->next, type, member), n = list_next_entry(pos, member, type); \
         &pos->member != (head); pos = n, n = list_next_entry(n, member, type))

static __inline void list_del_init(dlist_t *entry)
{
    dlist_del(entry);
    dlist_init(entry);
}

static __inline int list_is_last(const dlist_t *list, const dlist_t *head)
{
    return list->next == head;
}

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_LIST_H_ */
