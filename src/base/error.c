/* The table of error codes and the slot in which the running task's last error lies. */
#include "base/fail.h"

#include "base/alloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static __thread rill_error *thread_error;
/* Written to when there is no memory for a slot of one's own, and read by nobody. */
static __thread rill_error scratch_error;
__thread rill_error **rill__error_owner __attribute__((tls_model("initial-exec")));

struct entry {
    int code;
    int parents[2];
    const char *name;
    const char *text;
};

static const struct entry entries[] = {
#define ENTRY(name, value, parent, second, meaning) { value, { parent, second }, #name, meaning },
    RILL_ERROR_TABLE(ENTRY)
#undef ENTRY
};

static const struct entry *find(int code)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if (entries[i].code == code)
            return &entries[i];
    return NULL;
}

bool rill_code_is(int code, int ancestor)
{
    /* The tree is at most a handful of levels deep, so the recursion is too. */
    const struct entry *entry = code < 0 ? find(code) : NULL;
    if (!entry)
        return false;
    return code == ancestor || rill_code_is(entry->parents[0], ancestor) ||
           rill_code_is(entry->parents[1], ancestor);
}

bool rill_error_is(const rill_error *error, int code)
{
    return error && rill_code_is(error->code, code);
}

const char *rill_code_name(int code)
{
    const struct entry *entry = find(code);
    return entry ? entry->name : "RILL_E?";
}

const char *rill_code_text(int code)
{
    const struct entry *entry = find(code);
    return entry ? entry->text : "a number that is no code of rill";
}

static rill_error **owner(void)
{
    return rill__error_owner ? rill__error_owner : &thread_error;
}

/* ---- errors of threads ---- */

static pthread_key_t thread_end;

static void free_thread_error(void *memory)
{
    (void)memory;
    rill__error_free(&thread_error);
}

static void watch_threads(void)
{
    pthread_key_create(&thread_end, free_thread_error);
}

/* A thread that ends leaves nothing behind. */
static void free_with_thread(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_threads);
    pthread_setspecific(thread_end, thread_error);
}

/* What stands for an error for which there was no memory: it is never written to, and a failure
 * never looks like none. */
static rill_error lost_error = {
    .code = RILL_ENOMEM,
    .message = "out of memory, even for the words of what failed",
};

rill_error *rill__error_slot(void)
{
    rill_error **place = owner();
    if (*place && *place != &lost_error)
        return *place;
    rill_error *slot = rill__zalloc(sizeof *slot);
    if (!slot) {
        *place = &lost_error;
        scratch_error = lost_error;
        return &scratch_error;
    }
    if (*place)
        *slot = lost_error;
    *place = slot;
    if (place == &thread_error)
        free_with_thread();
    return slot;
}

const rill_error *rill_last_error(void)
{
    static const rill_error none;
    const rill_error *error = *owner();
    return error ? error : &none;
}

int rill_errcode(void)
{
    return rill_last_error()->code;
}

const char *rill__error_words(int code)
{
    const rill_error *error = rill_last_error();
    return error->code == code ? error->message : rill_code_text(code);
}

static void mark_cut(char *text, size_t size, size_t wanted)
{
    if (wanted >= size)
        memcpy(text + size - 4, "...", 4);
}

static void fill(rill_error *error, int code, int os_errno, const char *format, va_list args)
{
    /* The arguments may point into the slot itself: format before anything is overwritten. */
    char message[sizeof error->message];
    int len = vsnprintf(message, sizeof message, format, args);
    if (os_errno && len >= 0 && (size_t)len < sizeof message)
        len += snprintf(message + len, sizeof message - (size_t)len, ": %s", strerror(os_errno));
    mark_cut(message, sizeof message, len < 0 ? 0 : (size_t)len);
    *error = (rill_error){ .code = code, .os_errno = os_errno };
    memcpy(error->message, message, sizeof message);
}

int rill__vfail(int code, const char *format, va_list args)
{
    fill(rill__error_slot(), code, 0, format, args);
    return code;
}

int rill__fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rill__vfail(code, format, args);
    va_end(args);
    return code;
}

int rill_fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int rc = rill__vfail(code < 0 ? code : RILL_EFAILED, format, args);
    va_end(args);
    return rc;
}

int rill__fail_errno(int code, int os_errno, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(rill__error_slot(), code, os_errno, format, args);
    va_end(args);
    return code;
}

int rill__fail_nomem(void)
{
    return rill__fail(RILL_ENOMEM, "out of memory");
}

int rill__code_of_errno(int os_errno)
{
    switch (os_errno) {
    case ECONNREFUSED:
        return RILL_EREFUSED;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return RILL_ERESET;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case ENETDOWN:
        return RILL_EUNREACHABLE;
    case ETIMEDOUT:
        return RILL_ESERVER_TIMEOUT;
    case ENOMEM:
        return RILL_ENOMEM;
    case EBUSY:
        return RILL_EBUSY;
    default:
        return RILL_ESOCKET;
    }
}

int rill__error_prefix(const char *format, ...)
{
    rill_error *error = rill__error_slot();
    char message[sizeof error->message];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof message)
        len += snprintf(message + len, sizeof message - (size_t)len, "%s", error->message);
    mark_cut(message, sizeof message, len < 0 ? 0 : (size_t)len);
    memcpy(error->message, message, sizeof message);
    return error->code;
}

int rill__error_recode(int code)
{
    rill_error *error = rill__error_slot();
    if (error->code != code) {
        error->cause = error->code;
        error->code = code;
    }
    return code;
}

int rill__error_where(const char *where)
{
    rill_error *error = rill__error_slot();
    size_t len = strlen(where);
    memcpy(error->where, where, len < sizeof error->where ? len + 1 : sizeof error->where - 1);
    error->where[sizeof error->where - 1] = '\0';
    mark_cut(error->where, sizeof error->where, len);
    return error->code;
}

int rill__error_status(int status)
{
    rill_error *error = rill__error_slot();
    error->status = status;
    return error->code;
}

void rill__error_move(rill_error **from, rill_error **to)
{
    if (!*from)
        return;
    rill__error_free(to);
    *to = *from;
    *from = NULL;
}

void rill__error_free(rill_error **place)
{
    if (*place != &lost_error)
        rill__free(*place);
    *place = NULL;
}
