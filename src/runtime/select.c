/*
 * Select: first every case is attempted, so that what is ready costs no waiting; then each enters
 * the place where it waits, and the task parks. Whoever makes the first of them happen has the
 * others leave at once, before it goes on: nothing else can be given to a select that is decided.
 */
#include "base/fail.h"
#include "base/opts.h"
#include "runtime/source.h"

struct selecting {
    rill__choice choice;
    rill_case *cases;
    size_t count;
    size_t start; /* the case that is looked at first */
};

static rill_case *nth(const struct selecting *selecting, size_t n)
{
    size_t index = selecting->start + n;
    return &selecting->cases[index < selecting->count ? index : index - selecting->count];
}

static void leave(rill_case *each)
{
    if (each->source->leave)
        each->source->leave(each);
    else
        rill__list_remove(&rill__case_state_of(each)->waiter.link);
}

/* After attempts: only of a case without an enter has the attempt left something behind. */
static void take_back(struct selecting *selecting, size_t attempts)
{
    for (size_t i = 0; i < attempts; i++)
        if (!nth(selecting, i)->source->enter)
            leave(nth(selecting, i));
}

static void decided(rill__choice *choice)
{
    struct selecting *selecting = rill__container(choice, struct selecting, choice);
    for (size_t i = 0; i < selecting->count; i++)
        leave(&selecting->cases[i]);
}

static rill__abort abort_select(void *arg)
{
    decided(arg);
    return RILL__ABORTED;
}

/* Returns the case that happens without waiting, with its result; else NULL. */
static rill_case *attempt_all(struct selecting *selecting)
{
    for (size_t i = 0; i < selecting->count; i++) {
        rill_case *each = nth(selecting, i);
        rill__case_state_of(each)->waiter = (rill__waiter){
            .task = rill__current(),
            .choice = &selecting->choice,
        };
        each->result = each->source->attempt(each);
        if (each->result != RILL_EAGAIN) {
            take_back(selecting, i);
            return each;
        }
    }
    return NULL;
}

static int wait_for_one(struct selecting *selecting, rill_case **ret_winner)
{
    for (size_t i = 0; i < selecting->count; i++) {
        rill_case *each = nth(selecting, i);
        if (each->source->enter)
            each->source->enter(each);
    }
    RILL__TRY(rill__park("select", abort_select, &selecting->choice));
    rill__case_state *state = rill__container(selecting->choice.winner, rill__case_state, waiter);
    *ret_winner = rill__case_of(state);
    (*ret_winner)->result = state->waiter.result;
    return 0;
}

int rill_select_with(rill_case *cases, const rill_select_opts *given)
{
    rill_select_opts room;
    const rill_select_opts *opts = rill__opts_view(given, &room, sizeof room);
    struct selecting selecting = {
        .choice.decided = decided,
        .cases = cases,
        .count = opts->count,
    };
    RILL__TRY(rill__checkpoint("select"));
    if (opts->count == 0 || opts->count > INT32_MAX)
        return rill__fail(RILL_EINVAL, "select: %zu cases", opts->count);
    if (!opts->ordered)
        selecting.start = (size_t)(rill__loop_random() % opts->count);
    rill_case *winner = attempt_all(&selecting);
    if (winner)
        rill__share_thread();
    else if (opts->no_wait)
        take_back(&selecting, selecting.count);
    else
        RILL__TRY(wait_for_one(&selecting, &winner));
    if (!winner)
        return rill__fail(RILL_EAGAIN, "select: nothing is ready");
    if (winner->result < 0 && winner->source->fail)
        winner->result = winner->source->fail(winner, winner->result);
    return (int)(winner - cases);
}
