/* The model: an interpreter of programs, with queues of numbers where the runtime has stacks. */
#include "model.h"

#include <rill/error.h>
#include <stdio.h>
#include <string.h>

#define NONE (-1)
#define START_NS 1000000000u
#define TICK_SHIFT 16
#define SCOPES (MODEL_TASKS * MODEL_OPS)

/* ---- making programs ---- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int below(uint64_t *state, int n)
{
    return (int)(next_random(state) % (unsigned)n);
}

static struct model_op random_op(uint64_t *state, int tasks, int *depth)
{
    static const uint8_t kinds[] = {
        MODEL_SLEEP,  MODEL_SLEEP,   MODEL_SLEEP,   MODEL_CANCEL,  MODEL_JOIN,    MODEL_JOIN,
        MODEL_LOCK,   MODEL_LOCK,    MODEL_UNLOCK,  MODEL_SEND,    MODEL_SEND,    MODEL_RECV,
        MODEL_RECV,   MODEL_BEGIN,   MODEL_BEGIN,   MODEL_SHIELD,  MODEL_END,     MODEL_END,
        MODEL_UNLOCK, MODEL_ACQUIRE, MODEL_ACQUIRE, MODEL_RELEASE, MODEL_RELEASE,
    };
    struct model_op op = { kinds[below(state, sizeof kinds)], 0 };
    if (op.kind == MODEL_END && *depth == 0)
        op.kind = MODEL_SLEEP;
    *depth += (op.kind == MODEL_BEGIN || op.kind == MODEL_SHIELD) - (op.kind == MODEL_END);
    int limit = op.kind == MODEL_CANCEL || op.kind == MODEL_JOIN       ? tasks
                : op.kind == MODEL_SLEEP                               ? 5
                : op.kind == MODEL_BEGIN || op.kind == MODEL_SHIELD    ? 6
                : op.kind == MODEL_SEND || op.kind == MODEL_RECV       ? MODEL_CHANNELS
                : op.kind == MODEL_ACQUIRE || op.kind == MODEL_RELEASE ? MODEL_SEMAPHORES
                                                                       : MODEL_LOCKS;
    op.n = (uint8_t)below(state, limit);
    if (op.kind == MODEL_BEGIN || op.kind == MODEL_SHIELD)
        op.n++;
    return op;
}

static void put(struct model_body *body, enum model_kind kind, int n)
{
    body->ops[body->count++] = (struct model_op){ (uint8_t)kind, (uint8_t)n };
}

void model_make(struct model_program *program, uint64_t seed)
{
    uint64_t state = seed;
    memset(program, 0, sizeof *program);
    program->tasks = 2 + below(&state, MODEL_TASKS - 1);
    for (int i = 0; i < MODEL_CHANNELS; i++)
        program->capacities[i] = below(&state, 3);
    for (int i = 0; i < MODEL_SEMAPHORES; i++)
        program->permits[i] = below(&state, 3);
    int spawner[MODEL_TASKS] = { NONE };
    for (int i = 1; i < program->tasks; i++)
        spawner[i] = below(&state, i);
    for (int i = 0; i < program->tasks; i++) {
        struct model_body *body = &program->bodies[i];
        int depth = 0, count = 1 + below(&state, 8), child = 1;
        if (i == 0)
            put(body, MODEL_BEGIN, 20); /* nothing waits for ever */
        for (int k = 0; k < count; k++) {
            while (child < program->tasks && (spawner[child] != i || below(&state, 2))) {
                if (spawner[child] == i)
                    break;
                child++;
            }
            if (child < program->tasks && spawner[child] == i && below(&state, 2))
                put(body, MODEL_SPAWN, child++);
            struct model_op op = random_op(&state, program->tasks, &depth);
            put(body, op.kind, op.n);
            if (body->count > MODEL_OPS - 8)
                break;
        }
        for (depth += i == 0; depth > 0 && body->count < MODEL_OPS; depth--)
            put(body, MODEL_END, 0);
    }
}

const char *model_op_text(const struct model_program *program, int task, int at)
{
    static const char *const names[MODEL_KINDS] = { "sleep",  "spawn",   "cancel",  "join", "lock",
                                                    "unlock", "acquire", "release", "send", "recv",
                                                    "begin",  "shield",  "end" };
    static char text[32];
    struct model_op op = program->bodies[task].ops[at];
    snprintf(text, sizeof text, "%s %d", names[op.kind], op.n);
    return text;
}

/* ---- the world of the model ---- */

struct fifo {
    int items[64];
    int count;
};

static void push(struct fifo *fifo, int item)
{
    fifo->items[fifo->count++] = item;
}

static void drop_at(struct fifo *fifo, int at)
{
    fifo->count--;
    memmove(fifo->items + at, fifo->items + at + 1, (size_t)(fifo->count - at) * sizeof(int));
}

static int pop(struct fifo *fifo)
{
    int item = fifo->items[0];
    drop_at(fifo, 0);
    return item;
}

static void drop(struct fifo *fifo, int item)
{
    for (int i = 0; i < fifo->count; i++)
        if (fifo->items[i] == item) {
            drop_at(fifo, i);
            return;
        }
}

enum state { UNBORN, READY, RUNNING, PARKED, DONE, GONE };

struct timer {
    uint64_t deadline, order;
    bool set;
};

struct scope {
    int task, parent;
    struct fifo children; /* newest last */
    int origin;           /* the scope at which its cancellation began */
    bool shield, by_deadline;
    struct timer timer;
};

struct task {
    enum state state;
    int pc, last, parent, scope, root;
    struct fifo children, joiners;
    struct fifo *queue; /* where it waits */
    struct timer timer;
    bool can_abort;       /* cancellation reaches the wait */
    bool waits;           /* in an operation */
    bool awaits_children; /* its operations are over, and it waits for them */
    bool ending;
    int result; /* of the wait */
    int value;  /* sent, or received */
};

struct lock {
    int owner;
    bool taken;
    struct fifo waiters;
};

struct semaphore {
    int value;
    struct fifo waiters;
};

struct channel {
    struct fifo values, senders, receivers;
    int capacity;
};

static struct {
    const struct model_program *program;
    struct model_trace *trace;
    uint64_t now, orders;
    struct task tasks[MODEL_TASKS];
    struct scope scopes[SCOPES];
    int scope_count;
    struct lock locks[MODEL_LOCKS];
    struct semaphore semaphores[MODEL_SEMAPHORES];
    struct channel channels[MODEL_CHANNELS];
    struct fifo ready;
} w;

static void make_ready(int task)
{
    w.tasks[task].state = READY;
    push(&w.ready, task);
}

static void wake(int task, int result)
{
    w.tasks[task].result = result;
    w.tasks[task].queue = NULL;
    w.tasks[task].timer.set = false;
    make_ready(task);
}

static void set_timer(struct timer *timer, int ms)
{
    *timer = (struct timer){ w.now + (uint64_t)ms * 1000000, w.orders++, true };
}

/* ---- scopes ---- */

static int open_scope(int parent, int task)
{
    int scope = w.scope_count++;
    w.scopes[scope] = (struct scope){ .task = task, .parent = parent, .origin = NONE };
    if (parent != NONE) {
        w.scopes[scope].origin = w.scopes[parent].origin;
        push(&w.scopes[parent].children, scope);
    }
    return scope;
}

static void close_scope(int scope)
{
    w.scopes[scope].timer.set = false;
    if (w.scopes[scope].parent != NONE)
        drop(&w.scopes[w.scopes[scope].parent].children, scope);
}

static void abort_wait(int task)
{
    struct task *t = &w.tasks[task];
    if (t->state != PARKED || !t->can_abort)
        return;
    if (t->queue)
        drop(t->queue, task);
    wake(task, RILL_ECANCELED);
}

/* Parents first, the newest child before the older ones. */
static void spread(int scope, int origin)
{
    if (w.scopes[scope].origin != NONE || (scope != origin && w.scopes[scope].shield))
        return;
    w.scopes[scope].origin = origin;
    if (w.tasks[w.scopes[scope].task].scope == scope)
        abort_wait(w.scopes[scope].task);
    const struct fifo *children = &w.scopes[scope].children;
    for (int i = children->count - 1; i >= 0; i--)
        spread(children->items[i], origin);
}

static bool is_cancelled(const struct task *task)
{
    return w.scopes[task->scope].origin != NONE;
}

/* ---- operations: true when the task has to wait ---- */

static bool park(int task, struct fifo *queue)
{
    struct task *t = &w.tasks[task];
    t->state = PARKED;
    t->queue = queue;
    t->can_abort = true;
    if (queue)
        push(queue, task);
    return true;
}

static bool do_sleep(int task, int ms, int *rc)
{
    struct task *t = &w.tasks[task];
    if (is_cancelled(t)) {
        *rc = RILL_ECANCELED;
        return false;
    }
    if (ms == 0) {
        t->result = 0;
        make_ready(task);
        return true;
    }
    set_timer(&t->timer, ms);
    return park(task, NULL);
}

static int do_spawn(int parent, int child)
{
    struct task *t = &w.tasks[child];
    *t = (struct task){ .parent = parent };
    t->root = t->scope = open_scope(w.tasks[parent].root, child);
    push(&w.tasks[parent].children, child);
    make_ready(child);
    return 0;
}

static bool is_known(int task)
{
    return w.tasks[task].state != UNBORN && w.tasks[task].state != GONE;
}

static int do_cancel(int task)
{
    if (!is_known(task))
        return RILL_ESTALE;
    if (w.tasks[task].state != DONE)
        spread(w.tasks[task].root, w.tasks[task].root);
    return 0;
}

static void free_task(int task)
{
    drop(&w.tasks[w.tasks[task].parent].children, task);
    w.tasks[task].state = GONE;
}

static bool do_join(int self, int task, int *rc)
{
    if (!is_known(task)) {
        *rc = RILL_ESTALE;
        return false;
    }
    if (task == self) {
        *rc = RILL_EDEADLOCK;
        return false;
    }
    if (w.tasks[task].state == DONE) {
        *rc = w.tasks[task].last;
        free_task(task);
        return false;
    }
    if (is_cancelled(&w.tasks[self])) {
        *rc = RILL_ECANCELED;
        return false;
    }
    return park(self, &w.tasks[task].joiners);
}

static bool do_lock(int task, struct lock *lock, int *rc)
{
    *rc = RILL_ECANCELED;
    if (is_cancelled(&w.tasks[task]))
        return false;
    *rc = lock->taken && lock->owner == task ? RILL_EDEADLOCK : 0;
    if (lock->taken && lock->owner != task)
        return park(task, &lock->waiters);
    lock->taken = true;
    lock->owner = task;
    return false;
}

static int do_unlock(int task, struct lock *lock)
{
    if (!lock->taken || lock->owner != task)
        return RILL_EINVAL;
    lock->taken = lock->waiters.count > 0;
    if (lock->taken) {
        lock->owner = pop(&lock->waiters);
        wake(lock->owner, 0);
    }
    return 0;
}

static bool do_acquire(int task, struct semaphore *semaphore, int *rc)
{
    *rc = is_cancelled(&w.tasks[task]) ? RILL_ECANCELED : 0;
    if (*rc < 0)
        return false;
    if (semaphore->value == 0)
        return park(task, &semaphore->waiters);
    semaphore->value--;
    return false;
}

static int do_release(struct semaphore *semaphore)
{
    if (semaphore->waiters.count > 0)
        wake(pop(&semaphore->waiters), 0);
    else
        semaphore->value++;
    return 0;
}

static bool do_send(int task, struct channel *channel, int value, int *rc)
{
    *rc = is_cancelled(&w.tasks[task]) ? RILL_ECANCELED : 0;
    if (*rc < 0)
        return false;
    if (channel->receivers.count > 0) {
        int receiver = pop(&channel->receivers);
        w.tasks[receiver].value = value;
        wake(receiver, 0);
    } else if (channel->values.count < channel->capacity) {
        push(&channel->values, value);
    } else {
        w.tasks[task].value = value;
        return park(task, &channel->senders);
    }
    return false;
}

static bool do_recv(int task, struct channel *channel, int *rc)
{
    struct task *t = &w.tasks[task];
    *rc = is_cancelled(t) ? RILL_ECANCELED : 0;
    if (*rc < 0)
        return false;
    bool stored = channel->values.count > 0;
    if (!stored && channel->senders.count == 0)
        return park(task, &channel->receivers);
    if (stored)
        t->value = pop(&channel->values);
    if (channel->senders.count > 0) {
        int sender = pop(&channel->senders);
        if (stored)
            push(&channel->values, w.tasks[sender].value);
        else
            t->value = w.tasks[sender].value;
        wake(sender, 0);
    }
    return false;
}

static int do_begin(int task, int ms, bool shield)
{
    struct task *t = &w.tasks[task];
    t->scope = open_scope(t->scope, task);
    if (shield)
        w.scopes[t->scope].origin = NONE;
    w.scopes[t->scope].shield = shield;
    set_timer(&w.scopes[t->scope].timer, ms);
    return 0;
}

static int do_end(int task)
{
    struct task *t = &w.tasks[task];
    int scope = t->scope;
    bool own = w.scopes[scope].origin == scope && w.scopes[scope].by_deadline;
    t->scope = w.scopes[scope].parent;
    close_scope(scope);
    return t->last == RILL_ECANCELED && own ? RILL_ETIMEDOUT : t->last;
}

/* ---- running ---- */

static bool begin_op(int task, struct model_op op, int *rc)
{
    switch ((enum model_kind)op.kind) {
    case MODEL_SLEEP:
        return do_sleep(task, op.n, rc);
    case MODEL_SPAWN:
        *rc = do_spawn(task, op.n);
        return false;
    case MODEL_CANCEL:
        *rc = do_cancel(op.n);
        return false;
    case MODEL_JOIN:
        return do_join(task, op.n, rc);
    case MODEL_LOCK:
        return do_lock(task, &w.locks[op.n], rc);
    case MODEL_UNLOCK:
        *rc = do_unlock(task, &w.locks[op.n]);
        return false;
    case MODEL_ACQUIRE:
        return do_acquire(task, &w.semaphores[op.n], rc);
    case MODEL_RELEASE:
        *rc = do_release(&w.semaphores[op.n]);
        return false;
    case MODEL_SEND:
        return do_send(task, &w.channels[op.n], MODEL_VALUE(task, w.tasks[task].pc), rc);
    case MODEL_RECV:
        return do_recv(task, &w.channels[op.n], rc);
    case MODEL_BEGIN:
    case MODEL_SHIELD:
        *rc = do_begin(task, op.n, op.kind == MODEL_SHIELD);
        return false;
    case MODEL_END:
        *rc = do_end(task);
        return false;
    case MODEL_KINDS:
        break;
    }
    return false;
}

static void finish_op(int task, int rc)
{
    struct task *t = &w.tasks[task];
    struct model_op op = w.program->bodies[task].ops[t->pc];
    model_note(w.trace, (struct model_step){
                            .now = w.now,
                            .task = (uint8_t)task,
                            .at = (uint8_t)t->pc,
                            .rc = rc,
                            .value = op.kind == MODEL_RECV && rc == 0 ? t->value : 0,
                        });
    t->last = rc;
    t->pc++;
}

/* The task's function has returned: its children are cancelled, awaited, and then it has ended. */
static void end_task(int task)
{
    struct task *t = &w.tasks[task];
    if (!t->ending)
        for (int i = 0; i < t->children.count; i++)
            spread(w.tasks[t->children.items[i]].root, w.tasks[t->children.items[i]].root);
    t->ending = true;
    while (t->children.count > 0) {
        int child = t->children.items[0];
        if (w.tasks[child].state != DONE) {
            t->awaits_children = true;
            t->can_abort = false;
            t->state = PARKED;
            return;
        }
        free_task(child);
    }
    close_scope(t->root);
    t->state = DONE;
    bool joined = t->joiners.count > 0;
    while (t->joiners.count > 0)
        wake(pop(&t->joiners), t->last);
    if (task == 0)
        return;
    struct task *parent = &w.tasks[t->parent];
    if (joined)
        free_task(task);
    if (parent->awaits_children) {
        parent->awaits_children = false;
        make_ready(t->parent);
    }
}

static void resume(int task)
{
    struct task *t = &w.tasks[task];
    t->state = RUNNING;
    if (t->ending) {
        end_task(task);
        return;
    }
    if (t->waits)
        finish_op(task, t->result);
    t->waits = false;
    while (t->pc < w.program->bodies[task].count) {
        int rc = 0;
        t->waits = begin_op(task, w.program->bodies[task].ops[t->pc], &rc);
        if (t->waits)
            return;
        finish_op(task, rc);
    }
    end_task(task);
}

/* ---- time ---- */

static uint64_t due_tick(const struct timer *timer)
{
    return timer->set ? (timer->deadline + (1u << TICK_SHIFT) - 1) >> TICK_SHIFT : UINT64_MAX;
}

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->deadline < b->deadline || (a->deadline == b->deadline && a->order < b->order);
}

/* The timer that fires next of those that are due by the tick; *ret_owner says whose it is: a
 * task's, or from MODEL_TASKS on a scope's. */
static struct timer *next_timer(uint64_t tick, int *ret_owner)
{
    struct timer *first = NULL;
    for (int i = 0; i < MODEL_TASKS + w.scope_count; i++) {
        struct timer *timer =
            i < MODEL_TASKS ? &w.tasks[i].timer : &w.scopes[i - MODEL_TASKS].timer;
        if (timer->set && due_tick(timer) <= tick && (!first || is_before(timer, first))) {
            first = timer;
            *ret_owner = i;
        }
    }
    return first;
}

static void fire(struct timer *timer, int owner)
{
    timer->set = false;
    if (owner < MODEL_TASKS) {
        wake(owner, 0);
        return;
    }
    int scope = owner - MODEL_TASKS;
    if (w.scopes[scope].origin == NONE)
        w.scopes[scope].by_deadline = true;
    spread(scope, scope);
}

/* Jumps to the next timer, and fires all of its tick. False when there is none. */
static bool pass_time(void)
{
    int owner = NONE;
    struct timer *timer = next_timer(UINT64_MAX - 1, &owner);
    if (!timer)
        return false;
    uint64_t tick = due_tick(timer);
    w.now = tick << TICK_SHIFT;
    while ((timer = next_timer(tick, &owner)))
        fire(timer, owner);
    return true;
}

void model_run(const struct model_program *program, struct model_trace *trace)
{
    memset(&w, 0, sizeof w);
    w.program = program;
    w.trace = trace;
    w.now = START_NS;
    for (int i = 0; i < MODEL_CHANNELS; i++)
        w.channels[i].capacity = program->capacities[i];
    for (int i = 0; i < MODEL_SEMAPHORES; i++)
        w.semaphores[i].value = program->permits[i];
    trace->count = 0;
    w.tasks[0].root = w.tasks[0].scope = open_scope(NONE, 0);
    make_ready(0);
    do
        while (w.ready.count > 0)
            resume(pop(&w.ready));
    while (w.tasks[0].state != DONE && pass_time());
}
