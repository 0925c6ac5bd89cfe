/* The dictionary of the link: type bytes, lengths, little-endian numbers (docs/gate-link.md, section 4). */
#ifndef GATE_MESSAGES_H
#define GATE_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

enum {
    TYPE_HELLO = 0x01,
    TYPE_WELCOME = 0x02,
    TYPE_CONFIRM = 0x03,
    TYPE_OPEN_ENTRY = 0x10,
    TYPE_OPEN_EXIT = 0x11,
    TYPE_CLOSE = 0x12,
    TYPE_SET_SIGNAL = 0x13,
    TYPE_RENEW = 0x14,
    TYPE_EVENT_ACK = 0x15,
    TYPE_COMMAND_RESULT = 0x20,
    TYPE_TELEMETRY = 0x21,
    TYPE_EVENT_REPORT = 0x22,
    TYPE_PASSAGE = 0x30,
    TYPE_OBSTRUCTION = 0x31,
    TYPE_LEASE_LAPSED = 0x32,
    TYPE_FAULT = 0x33,
};

enum { /* bytes, the type byte counted */
    HELLO_BYTES = 1 + 16 + 8,
    WELCOME_BYTES = 1 + 16 + 8 + 16, /* and the firmware's name */
    CONFIRM_BYTES = 1 + 16,
    OPEN_ENTRY_BYTES = 1 + 8 + 1 + 2,
    OPEN_EXIT_BYTES = 1 + 8 + 2,
    CLOSE_BYTES = 1 + 8 + 1,
    SET_SIGNAL_BYTES = 1 + 8 + 1,
    RENEW_BYTES = 1 + 2,
    EVENT_ACK_BYTES = 1 + 4,
    COMMAND_RESULT_BYTES = 1 + 8 + 1,
    TELEMETRY_BYTES = 1 + 8 + 9,
    EVENT_REPORT_BYTES = 1 + 4, /* and the event */
};

enum { NONCE_BYTES = 16, PROOF_BYTES = 16, DICTIONARY_BYTES = 8, MAC_BYTES = 8, FAULT_STUCK = 1 };

/* The first bytes of the SHA-256 of the dictionary's text (section 4): both ends read every field alike, or do not talk. */
static const uint8_t DICTIONARY[DICTIONARY_BYTES] = {0xe0, 0x06, 0x58, 0xf9, 0x89, 0x72, 0x91, 0xdc};

static inline uint64_t get_number(const uint8_t *bytes, size_t length)
{
    uint64_t number = 0;

    while (length-- > 0)
        number = number << 8 | bytes[length];
    return number;
}

static inline void put_number(uint8_t *bytes, size_t length, uint64_t number)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
}

#endif
