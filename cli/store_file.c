/*
 * Opening the history: its folder, the file, and the check that the file is ours before a byte of
 * it is changed.
 */
#include "store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "rill" in the header of the file, by which we know our own. */
#define APPLICATION_ID 0x72696c6c
#define SCHEMA_VERSION 1
/* Long enough for another process to end its write, short enough to report it soon. */
#define BUSY_MS 250

/* The version is set in the same transaction: a file is either untouched or complete. */
static const char schema[] =
    "CREATE TABLE endpoints ("
    "  id INTEGER PRIMARY KEY,"
    "  url TEXT NOT NULL UNIQUE,"
    "  checks INTEGER NOT NULL DEFAULT 0,"
    "  failures INTEGER NOT NULL DEFAULT 0,"
    "  first_ms INTEGER NOT NULL,"
    "  last_ms INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX endpoints_by_age ON endpoints (last_ms, id);"
    "CREATE TABLE results ("
    "  endpoint INTEGER NOT NULL REFERENCES endpoints (id),"
    "  number INTEGER NOT NULL," /* the endpoint's count of checks at that time */
    "  time_ms INTEGER NOT NULL,"
    "  ok INTEGER NOT NULL,"
    "  status INTEGER NOT NULL,"
    "  error TEXT NOT NULL,"
    "  message TEXT NOT NULL,"
    "  duration_ms REAL NOT NULL,"
    "  bytes INTEGER NOT NULL,"
    "  PRIMARY KEY (endpoint, number)"
    ") STRICT, WITHOUT ROWID;"
    "PRAGMA application_id = 1919511660;"
    "PRAGMA user_version = 1;";

_Static_assert(APPLICATION_ID == 1919511660 && SCHEMA_VERSION == 1, "the schema sets them");

char *store_default_path(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int len = -1;
    /* The XDG specification has relative paths ignored. */
    if (data && *data == '/')
        len = asprintf(&path, "%s/rill/watch.db", data);
    else if (home && *home)
        len = asprintf(&path, "%s/.local/share/rill/watch.db", home);
    return len < 0 ? NULL : path;
}

/* Makes the folders above the file that do not exist yet. */
static enum store_code make_folders(const char *path, struct store_error *error)
{
    char *copy = strdup(path);
    if (!copy)
        return store__fail(error, STORE_NO_MEMORY, path, "out of memory");
    enum store_code code = STORE_OK;
    for (char *slash = strchr(copy + 1, '/'); slash && !code; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST) {
            char why[128];
            int reason = errno;
            snprintf(why, sizeof why, "the folder cannot be made: %s", strerror(reason));
            code = reason == ENOSPC || reason == EDQUOT ? STORE_FULL
                   : reason == EROFS                    ? STORE_READ_ONLY
                                                        : STORE_NO_ACCESS;
            store__fail(error, code, copy, why);
        }
        *slash = '/';
    }
    free(copy);
    return code;
}

/* SQLite would make the file readable by all; its companions take over the mode of the file. */
static void make_private(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

/* One number from a PRAGMA or a SELECT; SQLITE_OK or the error. */
static int ask(sqlite3 *db, const char *question, int64_t *ret_answer)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(db, question, -1, &query, NULL);
    if (rc == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW)
        *ret_answer = sqlite3_column_int64(query, 0);
    int end = sqlite3_finalize(query);
    return rc == SQLITE_OK ? end : rc;
}

/* Makes the tables in an empty file. Another process may do the same at this moment, therefore the
 * version is asked for again under the lock. */
static int make_tables(sqlite3 *db)
{
    int64_t version = 0;
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = ask(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK && version == 0)
        rc = sqlite3_exec(db, schema, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    int extended = rc == SQLITE_OK ? rc : sqlite3_extended_errcode(db);
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return extended;
}

/* Whether the file is one of ours, or empty. Only reads. */
static enum store_code identify(struct store *store, bool *ret_empty, struct store_error *error)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = ask(store->db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = ask(store->db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = ask(store->db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return store__fail_sqlite(error, store->path, store->db, rc);
    *ret_empty = application == 0 && version == 0 && tables == 0;
    if (!*ret_empty && application != APPLICATION_ID)
        return store__fail(error, STORE_NOT_OURS, store->path,
                           "it is the database of another program");
    if (version > SCHEMA_VERSION)
        return store__fail(error, STORE_TOO_NEW, store->path,
                           "it was written by a newer version of rill");
    return STORE_OK;
}

static enum store_code set_up(struct store *store, struct store_error *error)
{
    bool empty = false;
    sqlite3_busy_timeout(store->db, BUSY_MS);
    enum store_code code = identify(store, &empty, error);
    if (code)
        return code;
    if (sqlite3_db_readonly(store->db, "main"))
        return store__fail(error, STORE_READ_ONLY, store->path, "it cannot be written to");
    int rc = sqlite3_exec(store->db,
                          "PRAGMA journal_mode = WAL;"
                          "PRAGMA synchronous = NORMAL;"
                          "PRAGMA journal_size_limit = 1048576;"
                          "PRAGMA foreign_keys = OFF;",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK && empty)
        rc = make_tables(store->db);
    if (rc != SQLITE_OK)
        return store__fail_sqlite(error, store->path, store->db, rc);
    return STORE_OK;
}

static enum store_code open_file(struct store *store, struct store_error *error)
{
    enum store_code code = make_folders(store->path, error);
    if (code)
        return code;
    make_private(store->path);
    int rc = sqlite3_open_v2(store->path, &store->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX |
                                 SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (!store->db)
        return store__fail(error, STORE_NO_MEMORY, store->path, "out of memory");
    if (rc != SQLITE_OK)
        return store__fail_sqlite(error, store->path, store->db, rc);
    return set_up(store, error);
}

struct store *store_open(const char *path, int64_t keep, struct store_error *ret_error)
{
    struct store *store = calloc(1, sizeof *store);
    if (store)
        store->path = strdup(path);
    if (!store || !store->path) {
        store__fail(ret_error, STORE_NO_MEMORY, path, "out of memory");
        store_close(store);
        return NULL;
    }
    store->keep = keep > 0 ? keep : STORE_KEEP;
    if (open_file(store, ret_error) != STORE_OK) {
        store_close(store);
        return NULL;
    }
    return store;
}
