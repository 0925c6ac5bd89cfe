/* The register map (docs/modbus.md): addresses count from 0, numbers over several registers have their high word first. */
#ifndef GATE_REGISTERS_H
#define GATE_REGISTERS_H

enum { /* input registers */
    IDENTITY_AT = 0,
    MAGIC_AT = 0,
    MAP_AT = 2,
    NAME_AT = 6,
    IDENTITY_END = 22,

    STATUS_AT = 100,
    SESSION_AT = 100,
    BEAT_AT = 102,
    UPTIME_MS_AT = 103,
    ENTRY_AT = 107,
    EXIT_AT = 108,
    OCCUPANCY_AT = 109,
    FLAGS_AT = 110,
    COMMAND_ID_AT = 111,
    OUTCOME_AT = 115,
    EVENTS_AT = 116,
    EVENT_AT = 118,
    STATUS_END = 126,
};

enum { EVENTS_KEPT = STATUS_END - EVENT_AT, NAME_REGISTERS = IDENTITY_END - NAME_AT, UNCERTAIN = 0xFFFF };

enum { /* holding registers, written all together */
    ORDER_AT = 0,
    ORDER_REGISTERS = 11,
    ORDER_SESSION = 0,
    ORDER_BEAT = 2,
    ORDER_RENEW_MS = 3,
    ORDER_COMMAND_ID = 4,
    ORDER_COMMAND = 8,
    ORDER_ARGUMENT = 9,
    ORDER_LEASE_MS = 10,
};

enum { FLAG_OBJECT_LEFT = 1, FLAG_ENTRY_CLEAR = 2, FLAG_EXIT_CLEAR = 4, FLAG_EMERGENCY = 8, FLAG_MAINS = 16, FLAG_LEASED = 32 };
enum { COMMAND_NONE, COMMAND_OPEN_ENTRY, COMMAND_OPEN_EXIT, COMMAND_CLOSE, COMMAND_SET_SIGNAL };
enum { HAPPENING_PASSAGE = 1, HAPPENING_OBSTRUCTION, HAPPENING_LEASE_LAPSED, HAPPENING_FAULT };

static const char MAGIC[] = "GATE";
/* The first bytes of the SHA-256 of the map's text: both ends read every register alike, or do not talk. */
static const uint16_t MAP[4] = {0xb43a, 0x2cdf, 0xe6f4, 0xf282};

#endif
