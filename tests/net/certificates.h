/* Certificates for tests, made in a folder of their own that is removed at the end. */
#ifndef RILL_TESTS_CERTIFICATES_H
#define RILL_TESTS_CERTIFICATES_H

#include <stdbool.h>

struct certificate {
    const char *file;     /* NAME.pem and NAME.key in the folder */
    const char *names;    /* subjectAltName: "DNS:localhost,IP:127.0.0.1" */
    int from_day, to_day; /* valid from and to, in days from now */
    bool self_signed;     /* not by the root */
};

/* Makes the folder, with a root's certificate "root.pem". Returns its path. */
const char *certificates_open(void);
void certificates_make(const struct certificate *certificate);
/* With a key whose signatures are all of one length; by the root. */
void certificates_make_steady(const struct certificate *certificate);
/* The path of a file in the folder: one of eight static texts in turn. */
const char *certificates_path(const char *name);
void certificates_close(void);

#endif
