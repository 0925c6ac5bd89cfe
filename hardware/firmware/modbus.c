/* The gate controller behind registers (docs/modbus.md): the same interlock and board, with libmodbus in place of the gate-link.
 *
 * libmodbus reads a frame from a descriptor and waits for its end. A controller must not wait: bytes from the board are gathered here until
 * a request is whole, and only then handed over, through a socket pair that also brings the answer back. */
#define _POSIX_C_SOURCE 200809L

#include "board.h"
#include "firmware.h"
#include "messages.h"
#include "registers.h"

#include <modbus/modbus.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    UNIT = 1,
    SILENCE_MS = 20, /* a request that stays unfinished this long is none: a host asks again after 40 */
    READ_HOLDING = 3,
    READ_INPUT = 4,
    WRITE_HOLDING = 16,
    REQUEST_BYTES = 8,   /* of a request without data */
    WRITE_BYTES = 7 + 2, /* of a write, and its data */
};

static const char NAME[2 * NAME_REGISTERS] = "autogate libmodbus controller 1";

static struct {
    modbus_t *modbus;
    modbus_mapping_t *map;
    int ours, theirs; /* the pair: our end, libmodbus's */

    uint8_t request[MODBUS_RTU_MAX_ADU_LENGTH];
    size_t held;
    uint64_t held_at;
    uint32_t rejected;

    struct interlock lock;
    uint32_t session, events;
    uint16_t beat, event[EVENTS_KEPT];
    uint64_t command_id; /* the newest of this session */
    enum outcome outcome;
} self;

uint32_t firmware_refused_hosts(void)
{
    return 0; /* whoever speaks is a host */
}

uint32_t firmware_rejected_frames(void)
{
    return self.rejected;
}

/* --- status -------------------------------------------------------------------------------------------------------- */

static void put(int at, int registers, uint64_t number)
{
    while (registers-- > 0) {
        self.map->tab_input_registers[at + registers] = (uint16_t)number;
        number >>= 16;
    }
}

static uint64_t get(const uint8_t *order, int at, int registers)
{
    uint64_t number = 0;

    for (const uint8_t *byte = order + 2 * at; byte < order + 2 * (at + registers); byte++)
        number = number << 8 | *byte;
    return number;
}

static uint16_t as_event(const struct happening *each)
{
    unsigned door = each->message[1];

    switch (each->message[0]) {
    case TYPE_PASSAGE:
        return (uint16_t)(HAPPENING_PASSAGE << 8 | door | each->message[2] << 1);
    case TYPE_OBSTRUCTION:
        return (uint16_t)(HAPPENING_OBSTRUCTION << 8 | door);
    case TYPE_LEASE_LAPSED:
        return (uint16_t)(HAPPENING_LEASE_LAPSED << 8 | door);
    default: /* TYPE_FAULT: its code stands where others have the door */
        return (uint16_t)(HAPPENING_FAULT << 8 | door);
    }
}

static void tell(void)
{
    const struct inputs *in = &self.lock.in;
    unsigned flags = in->object_left * FLAG_OBJECT_LEFT | in->leaf[ENTRY].clear * FLAG_ENTRY_CLEAR
        | in->leaf[EXIT].clear * FLAG_EXIT_CLEAR | in->fire * FLAG_EMERGENCY | in->mains * FLAG_MAINS
        | (self.lock.leased != NO_DOOR) * FLAG_LEASED;

    for (size_t i = 0; i < self.lock.happenings; i++)
        self.event[self.events++ % EVENTS_KEPT] = as_event(&self.lock.happened[i]);
    self.lock.happenings = 0;
    put(SESSION_AT, 2, self.session);
    put(BEAT_AT, 1, self.beat);
    put(UPTIME_MS_AT, 4, board_now_ms());
    put(ENTRY_AT, 1, interlock_leaf(&self.lock, ENTRY));
    put(EXIT_AT, 1, interlock_leaf(&self.lock, EXIT));
    put(OCCUPANCY_AT, 1, in->occupancy == OCCUPANCY_UNCERTAIN ? UNCERTAIN : in->occupancy);
    put(FLAGS_AT, 1, flags);
    put(COMMAND_ID_AT, 4, self.command_id);
    put(OUTCOME_AT, 1, self.outcome);
    put(EVENTS_AT, 2, self.events);
    for (int i = 0; i < EVENTS_KEPT; i++)
        put(EVENT_AT + i, 1, self.event[i]);
}

static void introduce(void)
{
    put(MAGIC_AT, 2, (uint64_t)MAGIC[0] << 24 | (uint64_t)MAGIC[1] << 16 | (uint64_t)MAGIC[2] << 8 | (uint64_t)MAGIC[3]);
    for (int i = 0; i < 4; i++)
        put(MAP_AT + i, 1, MAP[i]);
    for (int i = 0; i < NAME_REGISTERS; i++)
        put(NAME_AT + i, 1, (uint64_t)NAME[2 * i] << 8 | (uint64_t)NAME[2 * i + 1]);
}

/* --- orders -------------------------------------------------------------------------------------------------------- */

static bool in_vocabulary(const uint8_t *order)
{
    static const uint64_t HIGHEST_ARGUMENT[] = {0, PURPOSE_EJECT, 0, EXIT, GREEN_ARROW};
    uint64_t command = get(order, ORDER_COMMAND, 1);

    return command <= COMMAND_SET_SIGNAL && get(order, ORDER_ARGUMENT, 1) <= HIGHEST_ARGUMENT[command];
}

static enum outcome execute(const uint8_t *order, uint64_t now)
{
    uint64_t argument = get(order, ORDER_ARGUMENT, 1);
    uint16_t lease_ms = (uint16_t)get(order, ORDER_LEASE_MS, 1);

    switch (get(order, ORDER_COMMAND, 1)) {
    case COMMAND_OPEN_ENTRY:
        return interlock_open_entry(&self.lock, (enum purpose)argument, lease_ms, now);
    case COMMAND_OPEN_EXIT:
        return interlock_open_exit(&self.lock, lease_ms, now);
    case COMMAND_CLOSE:
        return interlock_close(&self.lock, (enum door)argument, now);
    default: /* COMMAND_SET_SIGNAL */
        self.lock.signal = (enum signal_lamp)argument;
        return EXECUTED;
    }
}

static void begin_session(uint16_t beat, uint64_t now)
{
    if (++self.session == 0)
        self.session = 1; /* 0 asks for a session */
    self.beat = beat;
    self.command_id = 0;
    interlock_new_host(&self.lock, now);
}

/* Take an order: once, and only if it is newer than the last one of this session. */
static void obey(const uint8_t *order, uint64_t now)
{
    uint64_t session = get(order, ORDER_SESSION, 2), id = get(order, ORDER_COMMAND_ID, 4);
    uint16_t beat = (uint16_t)get(order, ORDER_BEAT, 1), renew_ms = (uint16_t)get(order, ORDER_RENEW_MS, 1);
    uint16_t newer_by = (uint16_t)(beat - self.beat);

    if (session == 0) {
        begin_session(beat, now);
    } else if (session == self.session && newer_by != 0 && newer_by < 0x8000) {
        self.beat = beat;
        if (renew_ms > 0)
            interlock_renew(&self.lock, renew_ms, now);
        if (get(order, ORDER_COMMAND, 1) != COMMAND_NONE && id > self.command_id) {
            self.command_id = id;
            self.outcome = execute(order, now);
        }
    }
    tell();
}

/* --- Modbus -------------------------------------------------------------------------------------------------------- */

static void answer(const uint8_t *query, int length, uint64_t now)
{
    unsigned function = query[1], at = (unsigned)(query[2] << 8 | query[3]), count = (unsigned)(query[4] << 8 | query[5]);

    if (function == READ_INPUT) {
        modbus_reply(self.modbus, query, length, self.map);
    } else if (function != WRITE_HOLDING) {
        modbus_reply_exception(self.modbus, query, MODBUS_EXCEPTION_ILLEGAL_FUNCTION);
    } else if (at != ORDER_AT || count != ORDER_REGISTERS || query[6] != 2 * ORDER_REGISTERS) {
        modbus_reply_exception(self.modbus, query, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS); /* never a part of an order */
    } else if (!in_vocabulary(query + 7)) {
        modbus_reply_exception(self.modbus, query, MODBUS_EXCEPTION_ILLEGAL_DATA_VALUE);
    } else {
        obey(query + 7, now);
        modbus_reply(self.modbus, query, length, self.map);
    }
}

static void serve(size_t length, uint64_t now)
{
    uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH], line[MODBUS_RTU_MAX_ADU_LENGTH];
    ssize_t said;
    int got = -1;

    /* Nothing to other units, for libmodbus would take the next question for their answer; nor to all: an order has one addressee. */
    if (self.request[0] == UNIT && send(self.ours, self.request, length, 0) == (ssize_t)length)
        got = modbus_receive(self.modbus, query);
    if (got > 0)
        answer(query, got, now);
    else
        self.rejected++;
    while ((said = recv(self.ours, line, sizeof line, MSG_DONTWAIT)) > 0)
        board_write_line(line, (size_t)said);
    while (recv(self.theirs, line, sizeof line, MSG_DONTWAIT) > 0)
        continue; /* what libmodbus left of a request that it did not like */
}

/* The length of the request at the front of what came; 0 where that does not say yet. */
static size_t request_length(void)
{
    if (self.held < 7)
        return 0;
    return self.request[1] == 15 || self.request[1] == WRITE_HOLDING ? WRITE_BYTES + (size_t)self.request[6] : REQUEST_BYTES;
}

static void forget_unfinished(uint64_t now)
{
    if (self.held > 0 && now - self.held_at >= SILENCE_MS) {
        self.held = 0;
        self.rejected++;
    }
}

void firmware_listen(void)
{
    uint64_t now = board_now_ms();
    size_t got, length;

    forget_unfinished(now);
    for (int reads = 0; reads < READS; reads++) {
        got = board_read_line(self.request + self.held, sizeof self.request - self.held);
        if (got == 0)
            return;
        self.held += got;
        self.held_at = now;
        length = request_length();
        if (length > 0 && length <= self.held) {
            serve(length, now);
            self.held = 0; /* a host waits for its answer: what came with a request is noise */
        } else if (self.held == sizeof self.request) {
            self.held = 0;
            self.rejected++;
        }
    }
}

static void set_up(void)
{
    int pair[2];

    if (self.modbus != NULL)
        return;
    self.modbus = modbus_new_rtu("none", 115200, 'N', 8, 1);
    self.map = modbus_mapping_new(0, 0, ORDER_AT + ORDER_REGISTERS, STATUS_END);
    if (self.modbus == NULL || self.map == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        abort();
    self.ours = pair[0];
    self.theirs = pair[1];
    modbus_set_slave(self.modbus, UNIT);
    modbus_set_socket(self.modbus, self.theirs);
    modbus_set_response_timeout(self.modbus, 0, 1); /* it never waits: all there is of a request is there */
    modbus_set_byte_timeout(self.modbus, 0, 1);
    modbus_set_indication_timeout(self.modbus, 0, 1);
}

bool firmware_power_on(const uint8_t *key, size_t length)
{
    struct inputs in;

    (void)key; /* there is none on this line */
    set_up();
    self.held = self.rejected = 0;
    self.events = self.beat = 0;
    self.command_id = 0;
    self.outcome = EXECUTED;
    memset(self.event, 0, sizeof self.event);
    board_random((uint8_t *)&self.session, sizeof self.session); /* another number than before the power went */
    board_read_pins(&in);
    interlock_power_on(&self.lock, &in);
    introduce();
    tell();
    return length > 0;
}

void firmware_tick(void)
{
    uint64_t now = board_now_ms();
    struct inputs in;
    struct outputs out;

    board_read_pins(&in);
    out = interlock_tick(&self.lock, &in, now);
    board_write_pins(&out);
    forget_unfinished(now);
    tell();
}
