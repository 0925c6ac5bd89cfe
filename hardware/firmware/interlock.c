#include "interlock.h"

#include "messages.h"

#include <string.h>

enum { /* milliseconds */
    LEASE_MS = 250,
    RELEASE_AFTER_MS = 2000,
    CLEAR_AGAIN_MS = 300, /* a person's second foot */
    EMPTY_AGAIN_MS = 500,
    STUCK_MS = 5000, /* 600 is normal */
};

static void happened(struct interlock *lock, const uint8_t *message, size_t length)
{
    struct happening *slot = &lock->happened[lock->happenings];

    if (lock->happenings == HAPPENINGS)
        return; /* more than can come of one tick */
    lock->happenings++;
    slot->length = length;
    memcpy(slot->message, message, length);
}

static void happened_at(struct interlock *lock, uint8_t type, enum door door)
{
    happened(lock, (const uint8_t[]){type, (uint8_t)door}, 2);
}

static void fault_stuck(struct interlock *lock, enum door door)
{
    static const char *const NAME[DOORS] = {"entry", "exit"};
    static const char WHAT[] = " leaf does not reach its end position";
    uint8_t message[HAPPENING_BYTES] = {TYPE_FAULT, FAULT_STUCK, 0};
    size_t name = strlen(NAME[door]);

    memcpy(message + 3, NAME[door], name);
    memcpy(message + 3 + name, WHAT, sizeof WHAT - 1);
    happened(lock, message, 3 + name + sizeof WHAT - 1);
}

enum leaf interlock_leaf(const struct interlock *lock, enum door door)
{
    switch (lock->door[door].want) {
    case WANT_FREE:
        return LEAF_RELEASED;
    case WANT_OPEN:
        return lock->in.leaf[door].wide ? LEAF_OPEN : LEAF_OPENING;
    case WANT_SHUT:
    default:
        return lock->in.leaf[door].bolted && lock->door[door].proven ? LEAF_LOCKED : LEAF_CLOSING;
    }
}

/* Give a door a new order: only an opening keeps its lease, only the entry's keeps its purpose. */
static void order(struct interlock *lock, enum door door, enum want want, uint64_t now)
{
    if (lock->door[door].want != want) {
        lock->door[door] = (struct door_state){.want = want, .since = now};
        if (door == EXIT)
            lock->exit_settled_at = now;
    }
    if (lock->leased == door)
        lock->leased = NO_DOOR;
    if (door == ENTRY)
        lock->ejecting = lock->refuge = false;
}

static bool occupied(const struct interlock *lock)
{
    return lock->in.occupancy != 0; /* nobody knows is somebody */
}

/* The exit was to lock and did not for so long that it will not. */
static bool exit_given_up(const struct interlock *lock, uint64_t now)
{
    return interlock_leaf(lock, EXIT) == LEAF_CLOSING && now - lock->exit_settled_at > STUCK_MS;
}

/* --- from the host ------------------------------------------------------------------------------------------------- */

void interlock_renew(struct interlock *lock, uint16_t lease_ms, uint64_t now)
{
    lock->host_until = now + (lease_ms < LEASE_MS ? lease_ms : LEASE_MS);
    lock->lease_until = lock->host_until;
}

static void lapse(struct interlock *lock, enum door door, uint64_t now)
{
    bool refuge = door == ENTRY && occupied(lock);

    happened_at(lock, TYPE_LEASE_LAPSED, door);
    order(lock, door, refuge ? WANT_FREE : WANT_SHUT, now);
    if (door == ENTRY)
        lock->refuge = refuge;
}

void interlock_new_host(struct interlock *lock, uint64_t now)
{
    if (lock->leased != NO_DOOR)
        lapse(lock, lock->leased, now);
}

static enum outcome opened(struct interlock *lock, enum door door, uint16_t lease_ms, uint64_t now)
{
    interlock_renew(lock, lease_ms, now);
    order(lock, door, WANT_OPEN, now);
    lock->leased = door;
    return EXECUTED;
}

enum outcome interlock_open_entry(struct interlock *lock, enum purpose purpose, uint16_t lease_ms, uint64_t now)
{
    bool eject = purpose == PURPOSE_EJECT, exit_locked = interlock_leaf(lock, EXIT) == LEAF_LOCKED;

    if (lock->in.fire)
        return REFUSED_EMERGENCY;
    if (!lock->in.mains || !(exit_locked || (eject && exit_given_up(lock, now))))
        return REFUSED_INTERLOCK;
    if (!eject && (occupied(lock) || lock->in.object_left))
        return REFUSED_OCCUPIED;
    opened(lock, ENTRY, lease_ms, now);
    lock->ejecting = eject;
    return EXECUTED;
}

enum outcome interlock_open_exit(struct interlock *lock, uint16_t lease_ms, uint64_t now)
{
    if (lock->in.fire)
        return REFUSED_EMERGENCY;
    if (!lock->in.mains || interlock_leaf(lock, ENTRY) != LEAF_LOCKED)
        return REFUSED_INTERLOCK;
    if (lock->in.occupancy != 1 || lock->in.object_left)
        return REFUSED_OCCUPIED;
    return opened(lock, EXIT, lease_ms, now);
}

enum outcome interlock_close(struct interlock *lock, enum door door, uint64_t now)
{
    if (lock->in.fire)
        return REFUSED_EMERGENCY;
    if (!lock->in.leaf[door].bolted && !lock->in.leaf[door].clear)
        return REFUSED_OBSTRUCTED;
    order(lock, door, WANT_SHUT, now);
    return EXECUTED;
}

/* --- by itself ----------------------------------------------------------------------------------------------------- */

void interlock_power_on(struct interlock *lock, const struct inputs *in)
{
    *lock = (struct interlock){.in = *in, .leased = NO_DOOR};
    for (int door = 0; door < DOORS; door++)
        lock->door[door].driven_shut = lock->door[door].proven = true;
}

static void note_crossings(struct interlock *lock)
{
    for (size_t i = 0; i < lock->in.crossings; i++) {
        const struct crossing *each = &lock->in.crossed[i];
        happened(lock, (const uint8_t[]){TYPE_PASSAGE, (uint8_t)each->door, each->inwards}, 3);
    }
}

static bool left_by_the_exit(const struct interlock *lock)
{
    for (size_t i = 0; i < lock->in.crossings; i++)
        if (lock->in.crossed[i].door == EXIT && !lock->in.crossed[i].inwards)
            return true;
    return false;
}

static void end_lease(struct interlock *lock, uint64_t now)
{
    if (lock->leased == NO_DOOR)
        return;
    if (lock->leased == EXIT && left_by_the_exit(lock))
        order(lock, EXIT, WANT_SHUT, now); /* one permit, one passage */
    else if (now >= lock->lease_until || !lock->in.mains)
        lapse(lock, lock->leased, now);
}

static void release_or_relock(struct interlock *lock, uint64_t now)
{
    bool hostless = now >= lock->host_until + RELEASE_AFTER_MS || !lock->in.mains;
    enum leaf exit = interlock_leaf(lock, EXIT);
    bool exit_out_of_play = exit == LEAF_LOCKED || exit == LEAF_RELEASED || exit_given_up(lock, now);

    if (lock->door[ENTRY].want == WANT_SHUT && hostless && occupied(lock) && exit_out_of_play) {
        order(lock, ENTRY, WANT_FREE, now);
        lock->refuge = true;
    } else if (lock->refuge && lock->in.leaf[ENTRY].clear && now - lock->occupied_at >= EMPTY_AGAIN_MS) {
        order(lock, ENTRY, WANT_SHUT, now);
    }
}

static bool blocked(struct interlock *lock, enum door door, uint64_t now)
{
    struct door_state *state = &lock->door[door];

    if (!lock->in.leaf[door].clear) {
        if (!state->blocked)
            happened_at(lock, TYPE_OBSTRUCTION, door);
        state->blocked = true;
        state->blocked_at = now;
    }
    return state->blocked && now - state->blocked_at < CLEAR_AGAIN_MS;
}

static enum drive due(struct interlock *lock, enum door door, uint64_t now)
{
    struct door_state *state = &lock->door[door];

    if (state->want == WANT_FREE)
        return DRIVE_FREE;
    if (state->want == WANT_OPEN ? lock->in.leaf[door].wide : lock->in.leaf[door].bolted) {
        state->since = now;
        state->blocked = state->faulty = false;
    } else if (state->want == WANT_SHUT && blocked(lock, door, now)) {
        state->since = now;
        return DRIVE_STOP;
    } else if (now - state->since > STUCK_MS && !state->faulty) {
        state->faulty = true;
        fault_stuck(lock, door);
    }
    return state->want == WANT_OPEN ? DRIVE_OPEN : DRIVE_SHUT;
}

static enum drive drive(struct interlock *lock, enum door door, uint64_t now)
{
    enum drive drive = due(lock, door, now);

    lock->door[door].driven_shut = drive == DRIVE_SHUT;
    return drive;
}

struct outputs interlock_tick(struct interlock *lock, const struct inputs *in, uint64_t now)
{
    struct outputs out;

    lock->in = *in;
    for (int door = 0; door < DOORS; door++)
        lock->door[door].proven = lock->door[door].driven_shut;
    note_crossings(lock);
    if (occupied(lock))
        lock->occupied_at = now;
    if (in->fire) {
        order(lock, ENTRY, WANT_FREE, now);
        order(lock, EXIT, WANT_FREE, now); /* both stay free until the host shuts them: an officer's reset */
    } else {
        end_lease(lock, now);
    }
    if (interlock_leaf(lock, EXIT) != LEAF_CLOSING)
        lock->exit_settled_at = now;
    if (!in->fire)
        release_or_relock(lock, now);
    out.drive[ENTRY] = drive(lock, ENTRY, now);
    out.drive[EXIT] = drive(lock, EXIT, now);
    out.signal = lock->signal;
    out.turn_back = lock->door[ENTRY].want == WANT_FREE || lock->ejecting;
    return out;
}
