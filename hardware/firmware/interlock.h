/* The safety logic: sensors and commands in, drives out (docs/gate-link.md, section 8). It believes its own sensors and nobody's word. */
#ifndef GATE_INTERLOCK_H
#define GATE_INTERLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum door { ENTRY, EXIT, DOORS, NO_DOOR = DOORS };
enum leaf { LEAF_LOCKED, LEAF_OPENING, LEAF_OPEN, LEAF_CLOSING, LEAF_RELEASED };
enum drive { DRIVE_SHUT, DRIVE_OPEN, DRIVE_STOP, DRIVE_FREE };
enum purpose { PURPOSE_ADMIT, PURPOSE_EJECT };
enum signal_lamp { RED_CROSS, GREEN_ARROW };
enum outcome { EXECUTED, REFUSED_INTERLOCK, REFUSED_OBSTRUCTED, REFUSED_EMERGENCY, REFUSED_OCCUPIED, EXPIRED };
enum { OCCUPANCY_UNCERTAIN = 0xFF };

struct leaf_sensors {
    bool bolted, wide, clear; /* bolt switch, end switch, light barrier of the threshold */
};

struct crossing {
    enum door door;
    bool inwards;
};

enum { CROSSINGS = 8 };

struct inputs {
    struct leaf_sensors leaf[DOORS];
    uint8_t occupancy;
    bool object_left, fire, mains;
    size_t crossings; /* since the last tick */
    struct crossing crossed[CROSSINGS];
};

struct outputs {
    enum drive drive[DOORS];
    enum signal_lamp signal;
    bool turn_back; /* the lamp inside over the entry: please leave this way */
};

/* Something to be reported, as the message that says it. */
enum { HAPPENING_BYTES = 60, HAPPENINGS = 16 };

struct happening {
    size_t length;
    uint8_t message[HAPPENING_BYTES];
};

enum want { WANT_SHUT, WANT_OPEN, WANT_FREE };

struct door_state {
    enum want want;
    uint64_t since;      /* when its present journey began, for the jam alarm */
    bool blocked;
    uint64_t blocked_at; /* last moment at which the threshold was not clear while the leaf was to shut */
    bool faulty;
    bool driven_shut;    /* under its present order the last tick drove it shut */
    bool proven;         /* its switches were read under that drive: a leaf told to open a moment ago may still show its bolt */
};

struct interlock {
    struct inputs in;
    struct door_state door[DOORS];
    enum signal_lamp signal;
    enum door leased;
    uint64_t lease_until, host_until, occupied_at, exit_settled_at;
    bool ejecting;
    bool refuge; /* the entry is free because somebody was shut in, not because of a fire */
    size_t happenings;
    struct happening happened[HAPPENINGS]; /* the caller takes them and sets `happenings` to 0 */
};

void interlock_power_on(struct interlock *lock, const struct inputs *in);
struct outputs interlock_tick(struct interlock *lock, const struct inputs *in, uint64_t now);
void interlock_renew(struct interlock *lock, uint16_t lease_ms, uint64_t now);
void interlock_new_host(struct interlock *lock, uint64_t now);
enum outcome interlock_open_entry(struct interlock *lock, enum purpose purpose, uint16_t lease_ms, uint64_t now);
enum outcome interlock_open_exit(struct interlock *lock, uint16_t lease_ms, uint64_t now);
enum outcome interlock_close(struct interlock *lock, enum door door, uint64_t now);
enum leaf interlock_leaf(const struct interlock *lock, enum door door);

#endif
