/*
 * The client as a program, for tests against real servers.
 *
 *     client_probe [-X METHOD] [-d BODY] [-H NAME:VALUE] [-n COUNT] [-j TASKS] [-c CA_FILE]
 *                  [-t TOTAL] URL…
 *
 * Fetches every URL COUNT times by TASKS tasks that share one session, and prints a line of JSON
 * for each: status, url, redirects, type, length and CRC-32 of the body, its first bytes as text,
 * and whether a connection was made for it; or code and message.
 */
#include <rill/rill.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

struct probe {
    const char *method, *body, *ca_file;
    rill_header headers[2];
    long count, tasks;
    double total;
    char **urls;
    long url_count;
    long started;
    rill_session *session;
};

static json_t *describe_error(void)
{
    const rill_error *error = rill_last_error();
    return json_pack("{s:s, s:s, s:s, s:i}", "code", rill_code_name(error->code), "message",
                     error->message, "where", error->where, "status", error->status);
}

static json_t *describe(rill_response *response)
{
    rill_str body;
    if (!response || rill_response_bytes(response, &body) < 0)
        return describe_error();
    const unsigned char *bytes = (const unsigned char *)body.ptr;
    unsigned long crc = crc32_z(0, bytes, body.len);
    size_t shown = body.len < 200 ? body.len : 200;
    return json_pack("{s:i, s:s, s:i, s:s, s:I, s:I, s:b, s:o?}", "status",
                     rill_response_status(response), "url", rill_response_url(response),
                     "redirects", rill_response_redirects(response), "type",
                     rill_response_content_type(response), "length", (json_int_t)body.len, "crc",
                     (json_int_t)crc, "connected", rill_response_timings(response).connect > 0,
                     "text", json_stringn(body.ptr, shown));
}

static void fetch(struct probe *probe, const char *url)
{
    rill_auto(rill_response) response = rill_request_url(
        probe->session, url, .method = probe->method, .body = rill_str_of(probe->body),
        .headers = probe->headers, .timeout.total = probe->total);
    json_t *line = describe(response);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

static int fetch_on(void *arg)
{
    struct probe *probe = arg;
    while (probe->started < probe->count * probe->url_count)
        fetch(probe, probe->urls[probe->started++ % probe->url_count]);
    return 0;
}

static int run(void *arg)
{
    struct probe *probe = arg;
    probe->session = rill_session_new(.tls.ca_file = probe->ca_file);
    if (!probe->session)
        return rill_errcode();
    rill_group group;
    rill_group_begin(&group);
    for (long i = 0; i < probe->tasks; i++)
        rill_spawn(fetch_on, probe, .group = &group);
    int rc = rill_group_end(&group, 0);
    rill_session_free(probe->session);
    return rc;
}

static void set_header(struct probe *probe, char *text)
{
    char *colon = strchr(text, ':');
    if (!colon)
        return;
    *colon = '\0';
    probe->headers[0] = (rill_header){ text, colon + 1 };
}

int main(int argc, char **argv)
{
    struct probe probe = { .count = 1, .tasks = 1 };
    for (int option; (option = getopt(argc, argv, "X:d:H:n:j:c:t:")) != -1;) {
        switch (option) {
        case 'X':
            probe.method = optarg;
            break;
        case 'd':
            probe.body = optarg;
            break;
        case 'H':
            set_header(&probe, optarg);
            break;
        case 'n':
            probe.count = atol(optarg);
            break;
        case 'j':
            probe.tasks = atol(optarg);
            break;
        case 'c':
            probe.ca_file = optarg;
            break;
        case 't':
            probe.total = atof(optarg);
            break;
        default:
            return 2;
        }
    }
    probe.urls = argv + optind;
    probe.url_count = argc - optind;
    return rill_run(run, &probe);
}
