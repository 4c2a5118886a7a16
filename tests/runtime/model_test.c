/*
 * Random programs of spawn, cancel, join, lock, semaphore, channel and timeout, run by the runtime
 * on the simulated driver and by a model: every operation returns the same at the same time.
 */
#include "model.h"

#include "harness.h"
#include "io/sim.h"
#include "runtime/runtime.h"

#include <rill/rill.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define PROGRAMS 10000
#else
#define PROGRAMS 100000
#endif

static const struct model_program *program;
static struct model_trace *trace;
static rill_task tasks[MODEL_TASKS];
static rill_mutex locks[MODEL_LOCKS];
static rill_semaphore semaphores[MODEL_SEMAPHORES];
static rill_channel channels[MODEL_CHANNELS];

static int run_body(void *arg);

static int spawn(int task)
{
    tasks[task] = rill_spawn(run_body, (void *)&program->bodies[task]);
    return tasks[task].id ? 0 : rill_errcode();
}

static int begin(rill_scope *scope, double seconds, bool shield)
{
    return rill_scope_begin(scope, .timeout = seconds, .shield = shield);
}

static int run_op(struct model_op op, int sent, int *ret_received)
{
    switch ((enum model_kind)op.kind) {
    case MODEL_SLEEP:
        return rill_sleep(op.n / 1e3);
    case MODEL_SPAWN:
        return spawn(op.n);
    case MODEL_CANCEL:
        return rill_cancel(tasks[op.n]);
    case MODEL_JOIN:
        return rill_join(tasks[op.n]);
    case MODEL_LOCK:
        return rill_mutex_lock(&locks[op.n]);
    case MODEL_UNLOCK:
        return rill_mutex_unlock(&locks[op.n]);
    case MODEL_ACQUIRE:
        return rill_semaphore_acquire(&semaphores[op.n]);
    case MODEL_RELEASE:
        return rill_semaphore_release(&semaphores[op.n]);
    case MODEL_SEND:
        return rill_channel_send(channels[op.n].sender, &sent);
    case MODEL_RECV:
        return rill_channel_recv(channels[op.n].receiver, ret_received);
    case MODEL_BEGIN:
    case MODEL_SHIELD:
    case MODEL_END:
    case MODEL_KINDS:
        break;
    }
    return RILL_EINVAL;
}

static int run_body(void *arg)
{
    const struct model_body *body = arg;
    int task = (int)(body - program->bodies), rc = 0, depth = 0;
    rill_scope scopes[MODEL_OPS];
    tasks[task] = rill_self();
    for (int at = 0; at < body->count; at++) {
        struct model_op op = body->ops[at];
        int received = 0;
        if (op.kind == MODEL_BEGIN || op.kind == MODEL_SHIELD)
            rc = begin(&scopes[depth++], op.n / 1e3, op.kind == MODEL_SHIELD);
        else if (op.kind == MODEL_END)
            rc = rill_scope_end(&scopes[--depth], rc);
        else
            rc = run_op(op, MODEL_VALUE(task, at), &received);
        rill__driver *driver = rill__loop_driver();
        model_note(trace, (struct model_step){ .now = driver->ops->now(driver),
                                               .task = (uint8_t)task,
                                               .at = (uint8_t)at,
                                               .rc = rc,
                                               .value = rc == 0 ? received : 0 });
    }
    return rc;
}

static void run_real(void)
{
    rill__sim *sim = rill__sim_new(&(rill__sim_config){ .seed = 1 });
    rill__outcome outcome;
    trace->count = 0;
    memset(tasks, 0, sizeof tasks);
    memset(locks, 0, sizeof locks);
    for (int i = 0; i < MODEL_SEMAPHORES; i++)
        rill_semaphore_init(&semaphores[i], (size_t)program->permits[i]);
    for (int i = 0; i < MODEL_CHANNELS; i++)
        channels[i] = rill_channel_new(sizeof(int), .capacity = program->capacities[i]);
    rill__run_on(rill__sim_driver(sim), run_body, (void *)&program->bodies[0], &outcome);
    for (int i = 0; i < MODEL_CHANNELS; i++) {
        rill_sender_free(channels[i].sender);
        rill_receiver_free(channels[i].receiver);
    }
    rill__sim_free(sim);
}

/* ---- comparing ---- */

static void print_step(const char *who, const struct model_trace *from, int at)
{
    if (at >= from->count) {
        printf("  %s: has ended\n", who);
        return;
    }
    const struct model_step *step = &from->steps[at];
    printf("  %s: %.6f task %d, operation %d (%s): %s, value %d\n", who, (double)step->now / 1e9,
           step->task, step->at, model_op_text(program, step->task, step->at),
           rill_code_name(step->rc), step->value);
}

static bool same_step(const struct model_step *a, const struct model_step *b)
{
    return a->now == b->now && a->task == b->task && a->at == b->at && a->rc == b->rc &&
           a->value == b->value;
}

static bool same(uint64_t seed, const struct model_trace *real, const struct model_trace *model)
{
    int at = 0;
    while (at < real->count && at < model->count && same_step(&real->steps[at], &model->steps[at]))
        at++;
    if (at == real->count && at == model->count)
        return true;
    printf("program of seed %llu:\n", (unsigned long long)seed);
    for (int task = 0; task < program->tasks; task++) {
        printf("  task %d:", task);
        for (int i = 0; i < program->bodies[task].count; i++)
            printf(" %s;", model_op_text(program, task, i));
        printf("\n");
    }
    for (int i = at < 5 ? 0 : at - 5; i < at; i++)
        print_step("both", real, i);
    print_step("runtime", real, at);
    print_step("model", model, at);
    return false;
}

static void drop_log(void *arg, rill_log_level level, const char *subsystem, const char *message)
{
    (void)arg;
    (void)level;
    (void)subsystem;
    (void)message;
}

/* How many operations of a kind ended with each of these: a program that does nothing of interest
 * would prove nothing. */
static void check_variety(const unsigned long counts[3])
{
    CHECK(counts[0] > 0);
    CHECK(counts[1] > counts[0] / 1000);
    CHECK(counts[2] > counts[0] / 1000);
}

TEST_WITHIN(random_programs_do_as_the_model_says, 300)
{
    static struct model_program made;
    static struct model_trace real, model;
    const char *given = getenv("RILL_MODEL_SEED"), *many = getenv("RILL_MODEL_PROGRAMS");
    uint64_t first = given ? strtoull(given, NULL, 10) : 1;
    uint64_t count = given ? 1 : many ? strtoull(many, NULL, 10) : PROGRAMS;
    unsigned long counts[3] = { 0 };
    program = &made;
    rill_log_to(drop_log, NULL);
    for (uint64_t seed = first; seed < first + count; seed++) {
        model_make(&made, seed);
        trace = &model;
        model_run(&made, &model);
        trace = &real;
        run_real();
        if (!same(seed, &real, &model)) {
            test_fail(__FILE__, __LINE__, "seed %llu: run again with RILL_MODEL_SEED=%llu",
                      (unsigned long long)seed, (unsigned long long)seed);
            break;
        }
        for (int i = 0; i < real.count; i++)
            counts[real.steps[i].rc == RILL_ECANCELED   ? 1
                   : real.steps[i].rc == RILL_ETIMEDOUT ? 2
                                                        : 0]++;
    }
    printf("%lu operations, %lu cancelled, %lu timed out\n", counts[0], counts[1], counts[2]);
    if (count > 1)
        check_variety(counts);
    rill_log_to(NULL, NULL);
}
