/*
 * Errors: a negative code that is returned, and a sentence that is kept for it.
 *
 * Every function that fails returns a negative code (or NULL, where it makes an object) and fills
 * the calling task's last error: code, message, URL or peer, errno, HTTP status, cause. It stays
 * until the task's next failure. Joining a task moves its error to whoever joins. Success never
 * touches it, so look at it only after a failure.
 *
 * The codes form a tree, as aiohttp's exceptions do:
 *
 *     if (rill_error_is(rill_last_error(), RILL_ECLIENT)) …      any client error
 *     if (rill_error_is(rill_last_error(), RILL_ETIMEDOUT)) …    any timeout, whichever phase
 *
 * A code may have two parents: RILL_ECONNECT_TIMEOUT is a server connection error and a timeout.
 */
#ifndef RILL_ERROR_H
#define RILL_ERROR_H

#include <rill/base.h>

RILL_BEGIN_DECLS

/*
 * X(name, value, parent, second parent, meaning)
 *
 * The one table of codes. Values never change once released.
 */
#define RILL_ERROR_TABLE(X)                                                                        \
    /* the runtime */                                                                              \
    X(RILL_ECANCELED, -2001, 0, 0, "cancelled")                                                    \
    X(RILL_ETIMEDOUT, -2002, 0, 0, "timed out")                                                    \
    X(RILL_ENOMEM, -2003, 0, 0, "out of memory")                                                   \
    X(RILL_EINVAL, -2004, 0, 0, "invalid argument or wrong use")                                   \
    X(RILL_ENOTASK, -2005, RILL_EINVAL, 0, "called outside a task")                                \
    X(RILL_ESTALE, -2006, RILL_EINVAL, 0, "the task was joined or detached already")               \
    X(RILL_EDEADLOCK, -2007, RILL_EINVAL, 0, "would wait for itself for ever")                     \
    X(RILL_EBUSY, -2008, 0, 0, "in use by another task")                                           \
    X(RILL_ECLOSED, -2009, 0, 0, "closed")                                                         \
    X(RILL_ELIMIT, -2010, 0, 0, "over a limit")                                                    \
    X(RILL_EFAILED, -2011, 0, 0, "failed")                                                         \
    X(RILL_EUNSUPPORTED, -2012, 0, 0, "not supported")                                             \
    X(RILL_ENOTFOUND, -2013, 0, 0, "not found")                                                    \
    X(RILL_EJSON, -2014, 0, 0, "not valid JSON")                                                   \
    X(RILL_EOS, -2015, 0, 0, "the operating system refused")                                       \
    X(RILL_ELISTEN, -2016, RILL_EOS, 0, "cannot listen")                                           \
    X(RILL_EAGAIN, -2017, 0, 0, "it would have to wait")                                           \
    X(RILL_EBROKEN, -2018, 0, 0, "the barrier is broken")                                          \
    X(RILL_EEXIT, -2019, 0, 0, "the program failed")                                               \
    /* the client: any error of the side that connects */                                          \
    X(RILL_ECLIENT, -2100, 0, 0, "client error")                                                   \
    X(RILL_ECONNECTION, -2101, RILL_ECLIENT, 0, "connection error")                                \
    X(RILL_ESOCKET, -2102, RILL_ECONNECTION, RILL_EOS, "socket error")                             \
    X(RILL_ERESET, -2103, RILL_ESOCKET, 0, "connection reset by the peer")                         \
    X(RILL_ECONNECT, -2110, RILL_ESOCKET, 0, "cannot connect")                                     \
    X(RILL_EREFUSED, -2111, RILL_ECONNECT, 0, "connection refused")                                \
    X(RILL_EUNREACHABLE, -2112, RILL_ECONNECT, 0, "host or network unreachable")                   \
    X(RILL_EUNIX, -2113, RILL_ECONNECT, 0, "cannot connect to the unix socket")                    \
    X(RILL_EDNS, -2120, RILL_ECONNECT, 0, "the name could not be resolved")                        \
    X(RILL_EDNS_NOTFOUND, -2121, RILL_EDNS, 0, "no such host")                                     \
    X(RILL_EDNS_TIMEOUT, -2122, RILL_EDNS, RILL_ETIMEDOUT, "the name server did not answer")       \
    X(RILL_ETLS, -2130, RILL_ECONNECT, 0, "TLS failed")                                            \
    X(RILL_ECERTIFICATE, -2131, RILL_ETLS, 0, "the certificate was not accepted")                  \
    X(RILL_ECERTIFICATE_HOST, -2132, RILL_ECERTIFICATE, 0, "the certificate is for another host")  \
    X(RILL_ECERTIFICATE_EXPIRED, -2133, RILL_ECERTIFICATE, 0, "the certificate has expired")       \
    X(RILL_ESERVER, -2140, RILL_ECONNECTION, 0, "the server broke the connection off")             \
    X(RILL_EDISCONNECTED, -2141, RILL_ESERVER, 0, "the server disconnected before it answered")    \
    X(RILL_ESERVER_TIMEOUT, -2142, RILL_ESERVER, RILL_ETIMEDOUT, "the server took too long")       \
    X(RILL_ECONNECT_TIMEOUT, -2143, RILL_ESERVER_TIMEOUT, 0, "connecting took too long")           \
    X(RILL_ESOCK_CONNECT_TIMEOUT, -2144, RILL_ECONNECT_TIMEOUT, 0, "no answer to the connect")     \
    X(RILL_EREAD_TIMEOUT, -2145, RILL_ESERVER_TIMEOUT, 0, "the server sent nothing for too long")  \
    X(RILL_ETOTAL_TIMEOUT, -2146, RILL_ECLIENT, RILL_ETIMEDOUT, "the request took too long")       \
    X(RILL_EPAYLOAD, -2150, RILL_ECLIENT, 0, "the body is broken")                                 \
    X(RILL_ETRUNCATED, -2151, RILL_EPAYLOAD, 0, "the body ended too early")                        \
    X(RILL_ECHUNK, -2152, RILL_EPAYLOAD, 0, "bad chunked coding")                                  \
    X(RILL_ECODING, -2153, RILL_EPAYLOAD, 0, "bad content coding")                                 \
    X(RILL_EBODY_LIMIT, -2154, RILL_EPAYLOAD, RILL_ELIMIT, "the body is over the limit")           \
    X(RILL_ERESPONSE, -2160, RILL_ECLIENT, 0, "bad response")                                      \
    X(RILL_EPROTOCOL, -2161, RILL_ERESPONSE, 0, "the answer is not valid HTTP")                    \
    X(RILL_ECONTENT_TYPE, -2162, RILL_ERESPONSE, 0, "unexpected content type")                     \
    X(RILL_EREDIRECTS, -2163, RILL_ERESPONSE, 0, "too many redirects")                             \
    X(RILL_ESTATUS, -2164, RILL_ERESPONSE, 0, "the status says error")                             \
    X(RILL_EURL, -2170, RILL_ECLIENT, RILL_EINVAL, "invalid URL")                                  \
    X(RILL_EURL_SCHEME, -2171, RILL_EURL, 0, "the scheme is not http or https")                    \
    X(RILL_EREDIRECT, -2172, RILL_EURL, 0, "invalid redirect")                                     \
    X(RILL_EREDIRECT_SCHEME, -2173, RILL_EURL_SCHEME, RILL_EREDIRECT,                              \
      "redirect to another scheme")                                                                \
    /* the server */                                                                               \
    X(RILL_EREQUEST, -2200, 0, 0, "bad request")                                                   \
    X(RILL_EREQUEST_BODY, -2201, RILL_EREQUEST, 0, "the request body is broken")                   \
    X(RILL_EREQUEST_LIMIT, -2202, RILL_EREQUEST, RILL_ELIMIT, "the request is over a limit")       \
    X(RILL_EREPLY, -2210, RILL_EINVAL, 0, "the reply cannot be sent as given")                     \
    /* redis */                                                                                    \
    X(RILL_EREDIS, -2300, 0, 0, "redis error")                                                     \
    X(RILL_EREDIS_CONNECTION, -2301, RILL_EREDIS, 0, "the connection to redis was lost")           \
    X(RILL_EREDIS_REPLY, -2302, RILL_EREDIS, 0, "redis answered with an error")                    \
    X(RILL_EREDIS_PROTOCOL, -2303, RILL_EREDIS, 0, "the answer is not valid RESP")

enum rill_code {
#define RILL_ERROR_ENUM(name, value, parent, second, meaning) name = (value),
    RILL_ERROR_TABLE(RILL_ERROR_ENUM)
#undef RILL_ERROR_ENUM
};

/* An error with its text inside: copy it, keep it. Long texts are cut, and end in "...". */
typedef struct rill_error {
    int code;          /* negative; 0 means no error */
    int os_errno;      /* the errno behind it, or 0 */
    int status;        /* the HTTP status that came, or a program's exit status, or 0 */
    int cause;         /* the code of the error that led to this one, or 0 */
    char message[320]; /* "connect example.com:443: no answer within 3 s" */
    char where[176];   /* the URL or peer it happened with, or "" */
} rill_error;

/* The calling task's last error. Never NULL; code 0 when nothing has failed yet. It may change with
 * the next call that fails: copy the struct to keep it. */
RILL_API const rill_error *rill_last_error(void);

/* The code of the last error, or 0: `return rill_errcode();` hands it on. */
RILL_API int rill_errcode(void);

/* Whether the error's code is `code` or stands below it in the tree. NULL is no error. */
RILL_API bool rill_error_is(const rill_error *error, int code);

/* The same for a bare code. */
RILL_API bool rill_code_is(int code, int ancestor);

/* "RILL_EREFUSED" for RILL_EREFUSED; "RILL_E?" for a number that is no code. Static text. */
RILL_API const char *rill_code_name(int code);

/* "connection refused" for RILL_EREFUSED. Static text. */
RILL_API const char *rill_code_text(int code);

/* Fills the task's last error as the library does, and returns `code`: for code written on rill.
 * `code` must be negative; the message is lower case, without a full stop. */
RILL_API int rill_fail(int code, const char *format, ...) RILL_PRINTF(2, 3);

RILL_END_DECLS

#endif
