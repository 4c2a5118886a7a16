/*
 * Saving bodies to files: where each goes, and writing it so that a file with its final name is
 * always whole.
 *
 * A template is a path with {n} (the URL's number, from 1), {host}, {path} (folders and all) and
 * {name} (the last part of the path). What comes from a URL is made safe: no empty part, no dot in
 * front of one, nothing but letters, digits and "._-~", so that it stays below the template's own
 * folder and is no hidden file.
 */
#ifndef RILL_CLI_SAVE_H
#define RILL_CLI_SAVE_H

#include <stddef.h>

/* NULL when the template is good, else what is wrong with it: static text. */
const char *save_template_check(const char *template_text);

/* The paths of all URLs, no two the same: where they would be, the later ones have "+" and their
 * number behind the stem of the name ("a/index+7.html"). NULL stands for what is no URL. To be
 * freed with save_paths_free(); NULL when memory is short. */
char **save_paths(const char *template_text, char **urls, size_t count);
void save_paths_free(char **paths, size_t count);

/* A file under way: PATH+part until it is whole; a device or pipe is written as it is, and part is
 * NULL. The functions run on a worker thread and wait for
 * it; each returns 0 or a code with its error. */
struct save {
    int fd;
    char *path, *part;
};

/* Folders that are missing are made. Whatever it returns, save_drop() is to be called. */
int save_open(struct save *save, const char *path);
int save_write(struct save *save, const void *bytes, size_t len);
/* Gives the file its name. */
int save_finish(struct save *save);
/* Closes and removes what is not finished; harmless afterwards, and on a zeroed struct. */
void save_drop(struct save *save);

#endif
