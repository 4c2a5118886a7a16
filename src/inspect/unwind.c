/*
 * Walks up a stack by the call frame information that every program carries (.eh_frame), so that it
 * needs no frame pointers; where there is none, by frame pointers. Expressions are not evaluated:
 * compilers write none for functions that call others.
 */
#include "inspect/inspect_internal.h"

#include <ucontext.h>

#if defined(__x86_64__)
#define SP 7
#define FP 6
#define RETURN 16
#elif defined(__aarch64__)
#define SP 31
#define FP 29
#define RETURN 30
#endif

#define REGISTERS RILL_DEBUG_REGISTERS
#define STATES_MAX 8
/* The program of one function is longer than this only when something is wrong. */
#define PROGRAM_MAX 65536
#define GUESSED_WITHIN 8192

/* How the DWARF pointers below are written. */
enum { ENCODED_PCREL = 0x10, ENCODED_DATAREL = 0x30, ENCODED_OMIT = 0xff };

/* Where the caller's register is. */
typedef enum rule_kind { RULE_SAME, RULE_UNDEFINED, RULE_AT, RULE_VALUE, RULE_REGISTER } rule_kind;

struct rule {
    rule_kind kind;
    int64_t offset; /* from the CFA; or the register */
};

struct state {
    int64_t cfa_offset;
    uint64_t cfa; /* once it has been worked out: the stack pointer before the call */
    unsigned cfa_register;
    bool cfa_unknown; /* an expression */
    struct rule rules[REGISTERS];
};

struct cursor {
    rill__process *process;
    uint64_t at, end;
    bool failed;
};

/* What is common to functions, and the one that was looked for. */
struct entry {
    uint64_t code_align;
    int64_t data_align;
    uint64_t return_register;
    unsigned pointers; /* how they are written */
    bool augmented, signal;
    struct cursor initial, program;
    uint64_t from, to;
};

/* ---- reading ---- */

static uint64_t take(struct cursor *cursor, size_t size)
{
    uint64_t value = 0;
    if (cursor->failed || size > 8 || cursor->end - cursor->at < size ||
        !rill__process_read(cursor->process, cursor->at, &value, size)) {
        cursor->failed = true;
        return 0;
    }
    cursor->at += size;
    return value; /* both processors are little-endian */
}

static int64_t take_signed(struct cursor *cursor, size_t size)
{
    uint64_t value = take(cursor, size);
    unsigned unused = (unsigned)(64 - 8 * size);
    return (int64_t)(value << unused) >> unused;
}

static uint64_t take_uleb(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint64_t byte = take(cursor, 1);
        value |= shift < 64 ? (byte & 0x7f) << shift : 0;
        if (!(byte & 0x80))
            return value;
    }
    cursor->failed = true;
    return 0;
}

static int64_t take_sleb(struct cursor *cursor)
{
    uint64_t value = 0, byte = 0x80;
    unsigned shift = 0;
    for (; byte & 0x80 && shift < 64; shift += 7) {
        byte = take(cursor, 1);
        value |= (byte & 0x7f) << shift;
    }
    if (shift < 64 && byte & 0x40)
        value |= ~UINT64_C(0) << shift;
    return (int64_t)value;
}

static uint64_t take_pointer(struct cursor *cursor, unsigned encoding, uint64_t data)
{
    uint64_t at = cursor->at, value;
    static const size_t sizes[] = { 8, 0, 2, 4, 8 };
    unsigned format = encoding & 7;
    if (format == 1 || format > 4 || encoding & 0x80) {
        cursor->failed = true;
        return 0;
    }
    value =
        encoding & 8 ? (uint64_t)take_signed(cursor, sizes[format]) : take(cursor, sizes[format]);
    if ((encoding & 0x70) == ENCODED_PCREL)
        value += at;
    else if ((encoding & 0x70) == ENCODED_DATAREL)
        value += data;
    return value;
}

/* ---- finding a function's entry ---- */

/* By halving: the table in the header lists functions by address. Returns the entry's address. */
static uint64_t find_in_table(rill__process *process, uint64_t header, uint64_t pc)
{
    struct cursor cursor = { process, header, header + 64, false };
    uint64_t version = take(&cursor, 1);
    unsigned frame = (unsigned)take(&cursor, 1), counted = (unsigned)take(&cursor, 1);
    unsigned listed = (unsigned)take(&cursor, 1);
    take_pointer(&cursor, frame, header);
    uint64_t count = take_pointer(&cursor, counted, header), table = cursor.at;
    if (cursor.failed || version != 1 || listed != (ENCODED_DATAREL | 0xb) || count > UINT32_MAX)
        return 0;
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int32_t from = (int32_t)rill__process_u32(process, table + middle * 8);
        if (header + (uint64_t)(int64_t)from <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return 0;
    int32_t entry_at = (int32_t)rill__process_u32(process, table + (low - 1) * 8 + 4);
    return header + (uint64_t)(int64_t)entry_at;
}

/* The beginning of an entry: its length. */
static struct cursor open_entry(rill__process *process, uint64_t address)
{
    struct cursor cursor = { process, address, address + 4, false };
    uint64_t len = take(&cursor, 4);
    if (len == 0 || len > PROGRAM_MAX)
        cursor.failed = true;
    cursor.end = cursor.at + len;
    return cursor;
}

static bool read_augmentation(struct cursor *cursor, struct entry *entry, const char *letters)
{
    if (letters[0] != 'z')
        return letters[0] == '\0';
    entry->augmented = true;
    take_uleb(cursor); /* its length */
    for (const char *letter = letters + 1; *letter; letter++) {
        if (*letter == 'R')
            entry->pointers = (unsigned)take(cursor, 1);
        else if (*letter == 'L')
            take(cursor, 1);
        else if (*letter == 'P')
            take_pointer(cursor, (unsigned)take(cursor, 1) & 0x7f, 0);
        else if (*letter == 'S')
            entry->signal = true;
        else if (*letter != 'B')
            return false;
    }
    return true;
}

static bool read_common(rill__process *process, uint64_t address, struct entry *entry)
{
    struct cursor cursor = open_entry(process, address);
    char letters[8] = "";
    take(&cursor, 4);
    uint64_t version = take(&cursor, 1);
    for (size_t i = 0; (letters[i] = (char)take(&cursor, 1)) != '\0'; i++)
        if (i == sizeof letters - 2)
            return false;
    entry->code_align = take_uleb(&cursor);
    entry->data_align = take_sleb(&cursor);
    entry->return_register = version == 1 ? take(&cursor, 1) : take_uleb(&cursor);
    if (!read_augmentation(&cursor, entry, letters))
        return false;
    entry->initial = cursor;
    return !cursor.failed && entry->return_register < REGISTERS;
}

static bool find_entry(rill__process *process, uint64_t pc, struct entry *entry)
{
    const rill__module *module = rill__module_at(process, pc);
    uint64_t address =
        module && module->unwind_header ? find_in_table(process, module->unwind_header, pc) : 0;
    if (!address)
        return false;
    *entry = (struct entry){ 0 };
    struct cursor cursor = open_entry(process, address);
    uint64_t here = cursor.at, back = take(&cursor, 4);
    if (cursor.failed || back == 0 || !read_common(process, here - back, entry))
        return false;
    entry->from = take_pointer(&cursor, entry->pointers, 0);
    entry->to = entry->from + take_pointer(&cursor, entry->pointers & 0xf, 0);
    uint64_t skipped = entry->augmented ? take_uleb(&cursor) : 0;
    cursor.at += skipped < cursor.end - cursor.at ? skipped : cursor.end - cursor.at;
    entry->program = cursor;
    return !cursor.failed && pc >= entry->from && pc < entry->to;
}

/* ---- running an entry's program ---- */

struct machine {
    const struct entry *entry;
    struct cursor *cursor;
    struct state *state;
    const struct state *initial; /* NULL: this is the common part */
    struct state *saved;
    unsigned depth;
    uint64_t location, pc;
};

static void set_rule(struct machine *machine, uint64_t number, rule_kind kind, int64_t offset)
{
    if (number < REGISTERS)
        machine->state->rules[number] = (struct rule){ kind, offset };
}

static void restore_rule(struct machine *machine, uint64_t number)
{
    if (number < REGISTERS && machine->initial)
        machine->state->rules[number] = machine->initial->rules[number];
}

static void set_cfa(struct machine *machine, uint64_t number, int64_t offset)
{
    machine->state->cfa_register = (unsigned)number;
    machine->state->cfa_offset = offset;
    machine->state->cfa_unknown = number >= REGISTERS;
}

static void skip_block(struct cursor *cursor)
{
    uint64_t len = take_uleb(cursor);
    if (len > cursor->end - cursor->at)
        cursor->failed = true;
    else
        cursor->at += len;
}

static void remember(struct machine *machine)
{
    if (machine->depth == STATES_MAX)
        machine->cursor->failed = true;
    else
        machine->saved[machine->depth++] = *machine->state;
}

static void restore(struct machine *machine)
{
    if (machine->depth == 0)
        machine->cursor->failed = true;
    else
        *machine->state = machine->saved[--machine->depth];
}

/* The instructions whose operand is not in the opcode itself. */
static void extended(struct machine *machine, unsigned opcode)
{
    /* lint: long-switch */
    struct cursor *cursor = machine->cursor;
    int64_t align = machine->entry->data_align;
    uint64_t number;
    switch (opcode) {
    case 0x00: /* nop */
        break;
    case 0x01: /* set_loc */
        machine->location = take_pointer(cursor, machine->entry->pointers, 0);
        break;
    case 0x02: /* advance_loc1, 2, 4 */
    case 0x03:
    case 0x04:
        machine->location += take(cursor, (size_t)1 << (opcode - 2)) * machine->entry->code_align;
        break;
    case 0x05: /* offset_extended */
        number = take_uleb(cursor);
        set_rule(machine, number, RULE_AT, (int64_t)take_uleb(cursor) * align);
        break;
    case 0x06: /* restore_extended */
        restore_rule(machine, take_uleb(cursor));
        break;
    case 0x07: /* undefined */
        set_rule(machine, take_uleb(cursor), RULE_UNDEFINED, 0);
        break;
    case 0x08: /* same_value */
        set_rule(machine, take_uleb(cursor), RULE_SAME, 0);
        break;
    case 0x09: /* register */
        number = take_uleb(cursor);
        set_rule(machine, number, RULE_REGISTER, (int64_t)take_uleb(cursor));
        break;
    case 0x0a: /* remember_state */
        remember(machine);
        break;
    case 0x0b: /* restore_state */
        restore(machine);
        break;
    case 0x0c: /* def_cfa */
        number = take_uleb(cursor);
        set_cfa(machine, number, (int64_t)take_uleb(cursor));
        break;
    case 0x0d: /* def_cfa_register */
        set_cfa(machine, take_uleb(cursor), machine->state->cfa_offset);
        break;
    case 0x0e: /* def_cfa_offset */
        machine->state->cfa_offset = (int64_t)take_uleb(cursor);
        break;
    case 0x0f: /* def_cfa_expression */
        skip_block(cursor);
        machine->state->cfa_unknown = true;
        break;
    case 0x10: /* expression, val_expression */
    case 0x16:
        set_rule(machine, take_uleb(cursor), RULE_UNDEFINED, 0);
        skip_block(cursor);
        break;
    case 0x11: /* offset_extended_sf */
        number = take_uleb(cursor);
        set_rule(machine, number, RULE_AT, take_sleb(cursor) * align);
        break;
    case 0x12: /* def_cfa_sf */
        number = take_uleb(cursor);
        set_cfa(machine, number, take_sleb(cursor) * align);
        break;
    case 0x13: /* def_cfa_offset_sf */
        machine->state->cfa_offset = take_sleb(cursor) * align;
        break;
    case 0x14: /* val_offset */
        number = take_uleb(cursor);
        set_rule(machine, number, RULE_VALUE, (int64_t)take_uleb(cursor) * align);
        break;
    case 0x15: /* val_offset_sf */
        number = take_uleb(cursor);
        set_rule(machine, number, RULE_VALUE, take_sleb(cursor) * align);
        break;
    case 0x2d: /* AARCH64_negate_ra_state: the signature is taken off with a mask */
        break;
    case 0x2e: /* GNU_args_size */
        take_uleb(cursor);
        break;
    default:
        cursor->failed = true;
    }
}

/* Runs the program up to the line of the table that holds for pc. */
static bool run_program(struct machine *machine)
{
    struct cursor *cursor = machine->cursor;
    while (!cursor->failed && cursor->at < cursor->end && machine->location <= machine->pc) {
        unsigned opcode = (unsigned)take(cursor, 1), low = opcode & 0x3f;
        switch (opcode >> 6) {
        case 1: /* advance_loc */
            machine->location += low * machine->entry->code_align;
            break;
        case 2: /* offset */
            set_rule(machine, low, RULE_AT,
                     (int64_t)take_uleb(cursor) * machine->entry->data_align);
            break;
        case 3: /* restore */
            restore_rule(machine, low);
            break;
        default:
            extended(machine, opcode);
        }
    }
    return !cursor->failed;
}

/* ---- from a frame to its caller's ---- */

static bool is_known(const rill__registers *registers, uint64_t number)
{
    return number < REGISTERS && registers->known >> number & 1;
}

static void set_register(rill__registers *registers, unsigned number, uint64_t value)
{
    registers->value[number] = value;
    registers->known |= UINT64_C(1) << number;
}

static void apply_rule(rill__process *process, const rill__registers *old, rill__registers *next,
                       const struct state *state, unsigned number)
{
    const struct rule *rule = &state->rules[number];
    uint64_t value = 0, cfa = state->cfa;
    bool known = is_known(old, number);
    switch (rule->kind) {
    case RULE_SAME:
        value = old->value[number];
        break;
    case RULE_UNDEFINED:
        known = false;
        break;
    case RULE_AT:
        known = rill__process_read(process, cfa + (uint64_t)rule->offset, &value, sizeof value);
        break;
    case RULE_VALUE:
        known = true;
        value = cfa + (uint64_t)rule->offset;
        break;
    case RULE_REGISTER:
        known = is_known(old, (uint64_t)rule->offset);
        value = known ? old->value[rule->offset] : 0;
        break;
    }
    next->known &= ~(UINT64_C(1) << number);
    if (known)
        set_register(next, number, value);
}

/* Takes the signature of a return address off. */
static uint64_t plain_address(uint64_t address)
{
#if defined(__aarch64__)
    return address & ((UINT64_C(1) << 48) - 1);
#else
    return address;
#endif
}

/* Whether it was possible; pc becomes 0 where there is no caller. */
static bool step_by_entry(rill__process *process, rill__registers *registers)
{
    struct entry entry;
    uint64_t pc = registers->pc - (registers->exact ? 0 : 1);
    if (!find_entry(process, pc, &entry))
        return false;
    struct state now = { .cfa_register = SP }, initial, saved[STATES_MAX];
    struct machine machine = { &entry, &entry.initial, &now, NULL, saved, 0, 0, pc };
    bool ok = run_program(&machine);
    initial = now;
    machine.cursor = &entry.program;
    machine.initial = &initial;
    machine.location = entry.from;
    if (!ok || !run_program(&machine) || now.cfa_unknown || !is_known(registers, now.cfa_register))
        return false;
    now.cfa = registers->value[now.cfa_register] + (uint64_t)now.cfa_offset;
    rill__registers next = *registers;
    for (unsigned i = 0; i < REGISTERS; i++)
        apply_rule(process, registers, &next, &now, i);
    set_register(&next, SP, now.cfa);
    unsigned number = (unsigned)entry.return_register;
    next.pc = is_known(&next, number) ? plain_address(next.value[number]) : 0;
    next.exact = entry.signal;
    *registers = next;
    return true;
}

static bool is_code(const rill__process *process, uint64_t address)
{
    const rill__module *module = rill__module_at(process, address);
    return module && address >= module->code[0] && address < module->code[1];
}

/* Looks for the nearest thing above the stack pointer that looks like a frame record: for a thread
 * whose frame pointer is not known. */
static bool guess_frame(rill__process *process, rill__registers *registers)
{
    uint64_t record[2], sp = (registers->value[SP] + 7) & ~UINT64_C(7);
    for (uint64_t at = sp; at < sp + GUESSED_WITHIN; at += sizeof record[0]) {
        if (!rill__process_read(process, at, record, sizeof record))
            return false;
        if (record[0] > at + 8 && record[0] - at < GUESSED_WITHIN && record[0] % 8 == 0 &&
            is_code(process, plain_address(record[1]))) {
            set_register(registers, FP, at);
            return true;
        }
    }
    return false;
}

/* The frame record: the caller's frame pointer, and where it goes on. */
static bool step_by_frame(rill__process *process, rill__registers *registers)
{
    if (!is_known(registers, FP) && !guess_frame(process, registers))
        return false;
    uint64_t record[2], at = registers->value[FP];
    if (at % 8 != 0 || !rill__process_read(process, at, record, sizeof record))
        return false;
    *registers = (rill__registers){ .pc = plain_address(record[1]) };
    set_register(registers, FP, record[0]);
    set_register(registers, SP, at + sizeof record);
    return true;
}

size_t rill__unwind(rill__process *process, rill__registers *registers, const uint64_t bounds[2],
                    rill_frame *frames, size_t max)
{
    size_t count = 0;
    while (count < max && registers->pc) {
        uint64_t sp = registers->value[SP];
        if (!is_known(registers, SP) || sp < bounds[0] || sp > bounds[1])
            break;
        rill_frame *frame = &frames[count];
        *frame = (rill_frame){ .pc = registers->pc, .exact = registers->exact };
        rill__symbolize(process, frame);
        bool stepped = step_by_entry(process, registers) || step_by_frame(process, registers);
        if (stepped && !registers->pc) /* where the stack begins: no function of anybody's */
            break;
        count++;
        if (!stepped || registers->value[SP] <= sp)
            break;
    }
    return count;
}

void rill__registers_of_context(rill__registers *registers, const void *ucontext)
{
    const ucontext_t *context = ucontext;
    *registers = (rill__registers){ .exact = true };
#if defined(__x86_64__)
    static const int order[] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                 REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                 REG_R12, REG_R13, REG_R14, REG_R15 };
    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++)
        set_register(registers, i, (uint64_t)context->uc_mcontext.gregs[order[i]]);
    registers->pc = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    for (unsigned i = 0; i < 31; i++)
        set_register(registers, i, context->uc_mcontext.regs[i]);
    set_register(registers, SP, context->uc_mcontext.sp);
    registers->pc = context->uc_mcontext.pc;
#endif
}

uint64_t rill__registers_sp(const rill__registers *registers)
{
    return registers->value[SP];
}

void rill__registers_set_sp(rill__registers *registers, uint64_t sp)
{
    set_register(registers, SP, sp);
}
