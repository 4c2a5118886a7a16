/*
 * What the client is measured against: libcurl's multi interface doing the same.
 *
 * Usage: curl_multi URL COUNT IN_FLIGHT. Fetches the URL COUNT times with IN_FLIGHT easy handles,
 * each added again as soon as its request is done, over connections that are kept. Prints the CPU
 * time per request, and fails unless every answer was a 200 with a body.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct fetches {
    CURLM *multi;
    const char *url;
    long to_start;
    long done;
    long good;
    size_t bytes;
};

static size_t count_body(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    struct fetches *fetches = arg;
    fetches->bytes += size * count;
    return size * count;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void start(struct fetches *fetches, CURL *easy)
{
    fetches->to_start--;
    curl_multi_add_handle(fetches->multi, easy);
}

static CURL *new_easy(struct fetches *fetches)
{
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, fetches->url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetches);
    return easy;
}

/* Notes what is done, and starts the next request on the same handle. */
static void collect(struct fetches *fetches)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(fetches->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        fetches->good += message->data.result == CURLE_OK && status == 200;
        fetches->done++;
        curl_multi_remove_handle(fetches->multi, easy);
        if (fetches->to_start > 0)
            start(fetches, easy);
        else
            curl_easy_cleanup(easy);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: curl_multi URL COUNT IN_FLIGHT\n");
        return 2;
    }
    long count = atol(argv[2]), in_flight = atol(argv[3]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct fetches fetches = { curl_multi_init(), argv[1], count, 0, 0, 0 };
    curl_multi_setopt(fetches.multi, CURLMOPT_MAXCONNECTS, in_flight);
    double before = cpu_seconds();
    for (long i = 0; i < in_flight && fetches.to_start > 0; i++)
        start(&fetches, new_easy(&fetches));
    while (fetches.done < count) {
        int running;
        curl_multi_perform(fetches.multi, &running);
        collect(&fetches);
        if (fetches.done < count)
            curl_multi_poll(fetches.multi, NULL, 0, 1000, NULL);
    }
    double used = cpu_seconds() - before;
    printf("%ld requests, %ld good, %zu bytes, %.3f us of CPU each\n", fetches.done, fetches.good,
           fetches.bytes, used * 1e6 / (double)count);
    curl_multi_cleanup(fetches.multi);
    curl_global_cleanup();
    return fetches.good == count && fetches.bytes > 0 ? 0 : 1;
}
