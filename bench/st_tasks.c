/*
 * st_tasks: what bench/tasks.c measures, with State Threads: one `name value` a line.
 *
 *   yield_ns       two threads that hand over to each other by condition variables: this release
 *                  has no call that only yields, and st_usleep(0) takes longer
 *   spawn_join_ns  a thread that does nothing, made and joined
 */
#include <st.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 21
#define TURNS 100000

static st_cond_t turn[2];

/* Gives the other its turn and waits for its own. */
static void *take_turns(void *arg)
{
    st_cond_t *mine = arg, *others = mine == turn ? turn + 1 : turn;
    for (int i = 0; i < TURNS / 2; i++) {
        st_cond_signal(*others);
        st_cond_wait(*mine);
    }
    st_cond_signal(*others);
    return NULL;
}

static void yield_round(void)
{
    st_thread_t other = st_thread_create(take_turns, turn + 1, 1, 0);
    take_turns(turn);
    st_thread_join(other, NULL);
}

static void *nothing(void *arg)
{
    return arg;
}

static void spawn_join_round(void)
{
    for (int i = 0; i < TURNS; i++)
        st_thread_join(st_thread_create(nothing, NULL, 1, 0), NULL);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, void (*round)(void))
{
    double took[ROUNDS];
    round();
    for (int i = 0; i < ROUNDS; i++) {
        double start = cpu_seconds();
        round();
        took[i] = cpu_seconds() - start;
    }
    qsort(took, ROUNDS, sizeof took[0], ascending);
    printf("%s %.2f\n", name, took[ROUNDS / 2] * 1e9 / TURNS);
}

int main(void)
{
    if (st_init() < 0) {
        perror("st_tasks: st_init");
        return 1;
    }
    turn[0] = st_cond_new();
    turn[1] = st_cond_new();
    measure("yield_ns", yield_round);
    measure("spawn_join_ns", spawn_join_round);
    return 0;
}
