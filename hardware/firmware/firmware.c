#include "firmware.h"

#include "board.h"
#include "channel.h"
#include "frame.h"
#include "interlock.h"
#include "messages.h"

#include <string.h>

enum {
    COMMS_LOST_MS = 1000,
    TELEMETRY_MS = 50,
    RETRANSMIT_MS = 40,
    OUTCOMES_KEPT = 64,
    REPORTS_KEPT = 32, /* a host that leaves more unacknowledged is none */
};

struct remembered {
    uint64_t id;
    enum outcome outcome;
};

static struct {
    struct link_key key;
    struct interlock lock;
    struct frame_decoder decoder;

    bool offered, connected;
    struct agreement offer;
    struct channel channel;
    uint64_t heard_at;
    uint32_t refused_hosts;

    struct remembered outcomes[OUTCOMES_KEPT]; /* of the last ids, across sessions */
    size_t executed;
    bool any_id;
    uint64_t highest_id; /* of this session: a lower one that is not remembered came too late */

    struct happening reports[REPORTS_KEPT];
    size_t first_report, waiting;
    uint32_t acknowledged;
    bool report_sent;
    uint64_t report_due;

    bool told;
    uint64_t told_at;
    uint8_t told_state[TELEMETRY_BYTES];
} self;

uint32_t firmware_refused_hosts(void)
{
    return self.refused_hosts;
}

uint32_t firmware_rejected_frames(void)
{
    return self.decoder.damaged + (self.connected ? self.channel.rejected : 0);
}

bool firmware_power_on(const uint8_t *key, size_t length)
{
    struct inputs in;

    if (length < KEY_MIN)
        return false;
    memset(&self, 0, sizeof self);
    self.key.length = length;
    if (length > SHA256_BLOCK) { /* as HMAC has it */
        struct sha256 hash;
        sha256_begin(&hash);
        sha256_add(&hash, key, length);
        sha256_end(&hash, self.key.bytes);
        self.key.length = SHA256_BYTES;
    } else {
        memcpy(self.key.bytes, key, length);
    }
    board_read_pins(&in);
    interlock_power_on(&self.lock, &in);
    return true;
}

/* --- to the host --------------------------------------------------------------------------------------------------- */

static void seal(const uint8_t *message, size_t length)
{
    uint8_t line[FRAME_CODED + 1];

    if (self.connected)
        board_write_line(line, channel_seal(&self.channel, message, length, line));
}

static void queue_reports(void)
{
    for (size_t i = 0; i < self.lock.happenings && self.connected; i++) {
        if (self.waiting == REPORTS_KEPT)
            self.connected = false;
        else
            self.reports[(self.first_report + self.waiting++) % REPORTS_KEPT] = self.lock.happened[i];
    }
    self.lock.happenings = 0; /* without a host they are forgotten: telemetry tells a new one how things are */
}

static void report(uint64_t now)
{
    const struct happening *head = &self.reports[self.first_report];
    uint8_t message[EVENT_REPORT_BYTES + HAPPENING_BYTES] = {TYPE_EVENT_REPORT};

    if (self.waiting == 0 || (self.report_sent && now < self.report_due))
        return;
    self.report_sent = true;
    self.report_due = now + RETRANSMIT_MS;
    put_number(message + 1, 4, self.acknowledged + 1);
    memcpy(message + EVENT_REPORT_BYTES, head->message, head->length);
    seal(message, EVENT_REPORT_BYTES + head->length);
}

static void telemetry(uint64_t now)
{
    enum { STATE = 9 }; /* from here on it is news when a byte changes; before it stands the time */
    const struct inputs *in = &self.lock.in;
    uint8_t message[TELEMETRY_BYTES] = {TYPE_TELEMETRY};
    uint8_t *state = message + STATE;

    put_number(message + 1, 8, now);
    *state++ = (uint8_t)interlock_leaf(&self.lock, ENTRY);
    *state++ = (uint8_t)interlock_leaf(&self.lock, EXIT);
    *state++ = in->occupancy;
    *state++ = in->object_left;
    *state++ = in->leaf[ENTRY].clear;
    *state++ = in->leaf[EXIT].clear;
    *state++ = in->fire;
    *state++ = in->mains;
    *state = self.lock.leased != NO_DOOR;
    if (self.told && now - self.told_at < TELEMETRY_MS && memcmp(message + STATE, self.told_state, TELEMETRY_BYTES - STATE) == 0)
        return;
    self.told = true;
    self.told_at = now;
    memcpy(self.told_state, message + STATE, TELEMETRY_BYTES - STATE);
    seal(message, sizeof message);
}

static void tell(uint64_t now)
{
    report(now);
    telemetry(now);
}

/* --- connecting ---------------------------------------------------------------------------------------------------- */

/* Offer a session. The present one stays until the newcomer has proven the key: a Hello alone disturbs nobody. */
static void welcome(const uint8_t *hello)
{
    uint8_t message[WELCOME_BYTES + FRAME_PAYLOAD] = {TYPE_WELCOME}, line[FRAME_CODED + 1], proof[SHA256_BYTES];
    size_t name = strlen(FIRMWARE_NAME);

    memcpy(self.offer.host_nonce, hello + 1, NONCE_BYTES);
    board_random(self.offer.device_nonce, NONCE_BYTES);
    self.offered = true;
    agreement_derive(&self.key, &self.offer, "device", proof);
    memcpy(message + 1, self.offer.device_nonce, NONCE_BYTES);
    memcpy(message + 1 + NONCE_BYTES, DICTIONARY, DICTIONARY_BYTES);
    memcpy(message + 1 + NONCE_BYTES + DICTIONARY_BYTES, proof, PROOF_BYTES);
    memcpy(message + WELCOME_BYTES, FIRMWARE_NAME, name);
    board_write_line(line, frame_encode(0, message, WELCOME_BYTES + name, line));
}

static void confirm(const uint8_t *message, uint64_t now)
{
    uint8_t proof[SHA256_BYTES];
    bool offered = self.offered;

    self.offered = false; /* one try for each nonce */
    agreement_derive(&self.key, &self.offer, "host", proof);
    if (!offered || !same_bytes(proof, message + 1, PROOF_BYTES)) {
        self.refused_hosts++;
        return;
    }
    channel_begin(&self.channel, &self.key, &self.offer);
    self.connected = true;
    self.heard_at = now;
    self.any_id = self.told = self.report_sent = false;
    self.waiting = 0;
    self.acknowledged = 0;
    interlock_new_host(&self.lock, now);
    tell(now);
}

/* --- the session --------------------------------------------------------------------------------------------------- */

static enum outcome execute(const uint8_t *command, uint64_t now)
{
    const uint8_t *fields = command + 9; /* behind the id */

    switch (command[0]) {
    case TYPE_OPEN_ENTRY:
        return interlock_open_entry(&self.lock, (enum purpose)fields[0], (uint16_t)get_number(fields + 1, 2), now);
    case TYPE_OPEN_EXIT:
        return interlock_open_exit(&self.lock, (uint16_t)get_number(fields, 2), now);
    case TYPE_CLOSE:
        return interlock_close(&self.lock, (enum door)fields[0], now);
    default: /* TYPE_SET_SIGNAL */
        self.lock.signal = (enum signal_lamp)fields[0];
        return EXECUTED;
    }
}

/* Execute an id the first time it is seen; afterwards only tell again what became of it. */
static enum outcome once(const uint8_t *command, uint64_t now)
{
    uint64_t id = get_number(command + 1, 8);
    size_t kept = self.executed < OUTCOMES_KEPT ? self.executed : OUTCOMES_KEPT;
    struct remembered *slot = &self.outcomes[self.executed % OUTCOMES_KEPT];

    for (size_t i = 0; i < kept; i++)
        if (self.outcomes[i].id == id)
            return self.outcomes[i].outcome;
    if (self.any_id && id <= self.highest_id)
        return EXPIRED;
    self.any_id = true;
    self.highest_id = id;
    self.executed++;
    *slot = (struct remembered){.id = id, .outcome = execute(command, now)};
    return slot->outcome;
}

static void command(const uint8_t *message, uint64_t now)
{
    uint8_t result[COMMAND_RESULT_BYTES] = {TYPE_COMMAND_RESULT};

    memcpy(result + 1, message + 1, 8);
    result[9] = (uint8_t)once(message, now);
    seal(result, sizeof result);
}

static void acknowledge(uint32_t number)
{
    if (self.waiting == 0 || number != self.acknowledged + 1)
        return; /* late or repeated, or only a sign of life */
    self.acknowledged++;
    self.first_report = (self.first_report + 1) % REPORTS_KEPT;
    self.waiting--;
    self.report_sent = false;
}

/* Whether it is something that a host says: known type, exact length, no value outside its vocabulary. */
static bool well_formed(const uint8_t *message, size_t length)
{
    switch (message[0]) {
    case TYPE_OPEN_ENTRY:
        return length == OPEN_ENTRY_BYTES && message[9] <= PURPOSE_EJECT;
    case TYPE_OPEN_EXIT:
        return length == OPEN_EXIT_BYTES;
    case TYPE_CLOSE:
        return length == CLOSE_BYTES && message[9] < DOORS;
    case TYPE_SET_SIGNAL:
        return length == SET_SIGNAL_BYTES && message[9] <= GREEN_ARROW;
    case TYPE_RENEW:
        return length == RENEW_BYTES;
    case TYPE_EVENT_ACK:
        return length == EVENT_ACK_BYTES;
    default:
        return false;
    }
}

static void sealed(const struct frame *frame, uint64_t now)
{
    size_t length = self.connected ? channel_open(&self.channel, frame) : 0;

    if (length == 0 || !well_formed(frame->payload, length)) {
        self.channel.rejected++;
        return;
    }
    self.heard_at = now;
    if (frame->payload[0] == TYPE_RENEW)
        interlock_renew(&self.lock, (uint16_t)get_number(frame->payload + 1, 2), now);
    else if (frame->payload[0] == TYPE_EVENT_ACK)
        acknowledge((uint32_t)get_number(frame->payload + 1, 4));
    else
        command(frame->payload, now);
}

static void take(const struct frame *frame, uint64_t now)
{
    uint8_t type = frame->length ? frame->payload[0] : 0;

    if (type == TYPE_HELLO && frame->length == HELLO_BYTES)
        welcome(frame->payload);
    else if (type == TYPE_CONFIRM && frame->length == CONFIRM_BYTES)
        confirm(frame->payload, now);
    else if (type != TYPE_WELCOME) /* our own words, from an echoing line */
        sealed(frame, now);
}

void firmware_listen(void)
{
    uint64_t now = board_now_ms();
    uint8_t bytes[64];
    struct frame frame;
    size_t length;

    for (int reads = 0; reads < READS && (length = board_read_line(bytes, sizeof bytes)) > 0; reads++)
        for (size_t i = 0; i < length; i++)
            if (frame_take(&self.decoder, bytes[i], &frame))
                take(&frame, now);
}

void firmware_tick(void)
{
    uint64_t now = board_now_ms();
    struct inputs in;
    struct outputs out;

    board_read_pins(&in);
    out = interlock_tick(&self.lock, &in, now);
    board_write_pins(&out);
    if (self.connected && now - self.heard_at > COMMS_LOST_MS)
        self.connected = false; /* nobody listens; the leases went long before */
    queue_reports();
    tell(now);
}
