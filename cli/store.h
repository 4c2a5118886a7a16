/*
 * The history of checks in a SQLite file, so that a restart keeps it.
 *
 *     endpoints   one row a URL: how many checks there have been since the first one
 *     results     the newest checks of each, numbered by that count; older ones are dropped
 *
 * Every call blocks on the disk. Make them on a worker thread, one at a time; no thread is tied to
 * the store. A failure returns its kind and fills a sentence, and what was stored before stays: a
 * batch goes in whole or not at all, and a file that is not ours is never written to. After
 * STORE_LOCKED, STORE_FULL and STORE_IO the same batch may be given again later; the caller keeps
 * it, and decides how many results are worth keeping.
 */
#ifndef RILL_CLI_STORE_H
#define RILL_CLI_STORE_H

#include "result.h"

#include <stddef.h>

struct store;

enum store_code {
    STORE_OK = 0,
    STORE_LOCKED,    /* another process is writing: worth trying again soon */
    STORE_FULL,      /* no space left, or over a quota */
    STORE_READ_ONLY, /* the file or its file system cannot be written */
    STORE_NO_ACCESS, /* the file cannot be opened, or its folder cannot be made */
    STORE_NOT_OURS,  /* not a database, or that of another program */
    STORE_TOO_NEW,   /* written by a newer version */
    STORE_CORRUPT,   /* damaged; the file is left as it is */
    STORE_IO,        /* the disk failed */
    STORE_NO_MEMORY,
};

struct store_error {
    enum store_code code;
    char message[320]; /* "/home/me/watch.db: the disk is full" */
};

/* How many results of an endpoint are kept unless the caller says otherwise: half a day of checks
 * every five seconds, a week of one a minute, about 1 MB. */
#define STORE_KEEP 10000
/* How many endpoints are kept; beyond that the one that was checked longest ago is dropped. */
#define STORE_ENDPOINTS_MAX 10000

struct store_entry {
    const char *url; /* or any other name that a restart finds again */
    struct check_result result;
};

struct store_history {
    struct check_result *results; /* the newest, oldest of them first; free it */
    size_t count;
    int64_t checks;   /* since first_ms, those that were dropped included */
    int64_t failures; /* of these */
    int64_t first_ms; /* when the first check began; 0 when there was none */
};

/* Where the history is kept by default: $XDG_DATA_HOME/rill/watch.db, else under ~/.local/share.
 * To be freed; NULL when neither HOME nor XDG_DATA_HOME is set, or memory is short. */
char *store_default_path(void);

/* Opens the file, which is made (0600) if absent, as is its folder (0700). `keep` is the number of
 * results an endpoint keeps, 0 for STORE_KEEP. NULL on failure. */
struct store *store_open(const char *path, int64_t keep, struct store_error *ret_error);

/* Adds the results in one transaction; all of them or, on failure, none. */
enum store_code store_add(struct store *store, const struct store_entry *entries, size_t count,
                          struct store_error *ret_error);

/* Loads the last `max` results of an endpoint. A URL that was never seen has an empty history. */
enum store_code store_load(struct store *store, const char *url, size_t max,
                           struct store_history *ret_history, struct store_error *ret_error);

/* Takes NULL. */
void store_close(struct store *store);

#endif
