/*
 * An intrusive doubly linked list with a head. A linked node knows how to leave by itself; a node
 * that is on no list is zeroed, or points to itself.
 */
#ifndef RILL_SRC_BASE_LIST_H
#define RILL_SRC_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rill__list {
    struct rill__list *next, *prev;
} rill__list;

#define rill__container(node, type, member)                                                        \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Visits every element; the body may unlink the current one. */
#define rill__list_each(node, head)                                                                \
    for (rill__list *node = (head)->next, *node##_next = node->next; node != (head);               \
         node = node##_next, node##_next = node->next)

static inline void rill__list_init(rill__list *head)
{
    head->next = head->prev = head;
}

static inline bool rill__list_empty(const rill__list *head)
{
    return head->next == head;
}

static inline bool rill__list_linked(const rill__list *node)
{
    return node->next && node->next != node;
}

static inline void rill__list_append(rill__list *head, rill__list *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static inline void rill__list_prepend(rill__list *head, rill__list *node)
{
    node->next = head->next;
    node->prev = head;
    head->next->prev = node;
    head->next = node;
}

static inline void rill__list_remove(rill__list *node)
{
    if (!node->next)
        return;
    node->next->prev = node->prev;
    node->prev->next = node->next;
    node->next = node->prev = NULL;
}

/* Takes the first node off, or NULL. */
static inline rill__list *rill__list_pop(rill__list *head)
{
    rill__list *node = head->next;
    if (node == head)
        return NULL;
    rill__list_remove(node);
    return node;
}

#endif
